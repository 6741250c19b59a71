// The log of -v: which change of a payment makes which line.
#include "cli/output/change_log.h"

#include <algorithm>
#include <utility>

#include <fmt/core.h>

#include "cli/output/render.h"
#include "cli/output/text.h"
#include "cli/system/system.h"

namespace paytower::cli {

namespace {

constexpr std::size_t prefix_digits = 12;

/// What was there before the program began is not told again.
const UnixNs program_start = SystemClock().wall();

std::string prefix(const PaymentHash& hash) { return hash.hex().substr(0, prefix_digits); }

/// "2026-11-23T00:20:28.123Z"
std::string time_with_ms(UnixNs time) {
  std::string text = time_text(time);
  const std::int64_t rest = ((time.value % ns_per_second) + ns_per_second) % ns_per_second;
  text.pop_back();
  return fmt::format("{}.{:03}Z", text, rest / ns_per_ms);
}

bool plain(std::string_view value) {
  const auto fits = [](char c) { return c > ' ' && c < '\x7f' && c != '"' && c != '=' && c != '\\'; };
  return !value.empty() && std::all_of(value.begin(), value.end(), fits);
}

}  // namespace

std::string logfmt_line(const LogFields& fields) {
  std::string line;
  for (const auto& [name, value] : fields) {
    if (!line.empty()) line += ' ';
    line += fmt::format("{}={}", name, plain(value) ? value : dump(Json(value)));
  }
  return line;
}

std::string log_json_line(const LogFields& fields) {
  Json log;
  for (const auto& [name, value] : fields) log[std::string(name)] = value;
  return dump(Json{{"log", std::move(log)}});
}

void ChangeLog::write(const LogFields& fields) {
  output_.log(output_.json() ? log_json_line(fields) : logfmt_line(fields));
}

void ChangeLog::tell(const Payment& payment, std::string_view event, LogFields more) {
  LogFields fields{{"time", time_with_ms(SystemClock().wall())},
                   {"event", std::string(event)},
                   {"payment", prefix(payment.request.hash)}};
  fields.insert(fields.end(), more.begin(), more.end());
  write(fields);
}

void ChangeLog::tell_attempt(const Payment& payment, std::size_t position, Told& told) {
  const Attempt& attempt = payment.attempts[position];
  const std::string id = attempt.id ? fmt::format("{}", attempt.id->value) : "-";
  const bool is_new = told.attempts.size() <= position;
  if (is_new) told.attempts.resize(position + 1, false);
  if (is_new && attempt.registered >= program_start) {
    tell(payment, "attempt_registered",
         {{"attempt", id},
          {"part", fmt::format("{}", attempt.part)},
          {"origin", std::string(origin_name(attempt.origin))},
          {"amount_msat", fmt::format("{}", attempt.amount.value())},
          {"fee_msat", fmt::format("{}", attempt.fee.value())}});
  }
  if (told.attempts[position] || !attempt.outcome) return;
  told.attempts[position] = true;
  if (attempt.resolved && *attempt.resolved < program_start) return;
  if (*attempt.outcome == AttemptOutcome::settled)
    return tell(payment, "attempt_settled", {{"attempt", id}, {"part", fmt::format("{}", attempt.part)}});
  LogFields fields{{"attempt", id}, {"part", fmt::format("{}", attempt.part)}};
  if (attempt.failure) {
    fields.emplace_back("code", std::string(failure_name(attempt.failure->code)));
    if (attempt.failure->source_index) fields.emplace_back("hop", fmt::format("{}", *attempt.failure->source_index));
    if (attempt.failure->channel) fields.emplace_back("channel", attempt.failure->channel->channel.text());
  }
  tell(payment, *attempt.outcome == AttemptOutcome::failed ? "attempt_failed" : "attempt_closed", std::move(fields));
}

void ChangeLog::changed(const Payment& payment) {
  if (output_.verbosity() == 0) return;
  Told& told = told_[payment.index];
  if (!told.created && payment.request.created >= program_start) {
    tell(payment, "payment_created",
         {{"index", fmt::format("{}", payment.index.value)},
          {"amount_msat", fmt::format("{}", payment.request.demand.amount.value())}});
  }
  told.created = true;
  for (std::size_t i = 0; i < payment.attempts.size(); ++i) tell_attempt(payment, i, told);
  if (payment.stop_reason && !told.stopped && !payment.ended_for_good()) {
    tell(payment, "payment_stopped", {{"reason", std::string(reason_name(*payment.stop_reason))}});
  }
  told.stopped = payment.stop_reason.has_value();
  if (payment.ended_for_good()) tell_end(payment, told);
  // Parts that are still under way change it once more.
  if (told.ended && !payment.has_open_attempt()) told_.erase(payment.index);
}

void ChangeLog::tell_end(const Payment& payment, Told& told) {
  if (std::exchange(told.ended, true)) return;
  LogFields fields{{"status", std::string(status_name(payment.status()))}};
  if (payment.fail_reason) fields.emplace_back("reason", std::string(reason_name(*payment.fail_reason)));
  if (payment.end_note) fields.emplace_back("note", std::string(end_note_name(*payment.end_note)));
  tell(payment, "payment_ended", std::move(fields));
}

void ChangeLog::step(const PaymentHash& hash, std::string_view what) {
  if (output_.verbosity() < 2) return;
  write({{"time", time_with_ms(SystemClock().wall())},
         {"event", "step"},
         {"payment", prefix(hash)},
         {"text", std::string(what)}});
}

}  // namespace paytower::cli
