// What follows from the stored facts of a payment: its status, what is missing, what it has cost.
#include "core/payment/payment.h"

#include <algorithm>
#include <utility>

#include <fmt/core.h>

#include "core/base/number.h"

namespace paytower {

std::string_view status_name(PaymentStatus status) {
  switch (status) {
    case PaymentStatus::initiated: return "INITIATED";
    case PaymentStatus::in_flight: return "IN_FLIGHT";
    case PaymentStatus::succeeded: return "SUCCEEDED";
    case PaymentStatus::failed: return "FAILED";
    case PaymentStatus::unknown: return "UNKNOWN";
  }
  return "UNKNOWN";
}

std::string_view end_note_name(EndNote note) {
  switch (note) {
    case EndNote::written_off: return "WRITTEN_OFF";
    case EndNote::preimage_lost: return "PREIMAGE_LOST";
  }
  return "WRITTEN_OFF";
}

std::string_view provenance_name(Provenance provenance) {
  switch (provenance) {
    case Provenance::native: return "native";
    case Provenance::lnd_legacy: return "lnd_legacy";
    case Provenance::lnd_kv: return "lnd_kv";
  }
  return "native";
}

std::string_view origin_name(AttemptOrigin origin) {
  switch (origin) {
    case AttemptOrigin::own: return "own";
    case AttemptOrigin::foreign: return "foreign";
    case AttemptOrigin::imported: return "imported";
  }
  return "own";
}

std::string_view guard_kind_name(GuardKind kind) {
  switch (kind) {
    case GuardKind::in_flight: return "in_flight";
    case GuardKind::paid_without_record: return "paid_without_record";
    case GuardKind::paid_deleted: return "paid_deleted";
    case GuardKind::written_off: return "written_off";
  }
  return "in_flight";
}

bool Attempt::watched() const {
  return outcome == AttemptOutcome::closed && origin != AttemptOrigin::foreign && failure &&
         (failure->code == FailureCode::assumed_failed || failure->code == FailureCode::written_off);
}

// The table of core/README 3, row by row. Only a damaged file has an open attempt beside an end note or a fail reason.
PaymentStatus Payment::status() const {
  if (proof()) return PaymentStatus::succeeded;
  if (has_open_attempt()) return PaymentStatus::in_flight;
  if (end_note) return PaymentStatus::unknown;
  if (fail_reason) return PaymentStatus::failed;
  return attempts.empty() ? PaymentStatus::initiated : PaymentStatus::in_flight;
}

bool Payment::ended_for_good() const { return proof() || ((end_note || fail_reason) && !has_open_attempt()); }

bool Payment::has_open_attempt() const {
  return std::any_of(attempts.begin(), attempts.end(), [](const Attempt& a) { return a.open(); });
}

bool Payment::has_watched_attempt() const {
  return std::any_of(attempts.begin(), attempts.end(), [](const Attempt& a) { return a.watched(); });
}

namespace {

/// R2: it has paid, or may still pay. What the operator closed no longer counts.
bool counts(const Attempt& attempt) {
  return attempt.origin == AttemptOrigin::own && (attempt.open() || attempt.outcome == AttemptOutcome::settled);
}

Msat left_of(Msat whole, const std::vector<Attempt>& attempts, Msat Attempt::*what) {
  for (const Attempt& attempt : attempts) {
    if (counts(attempt)) whole = checked_sub(whole, attempt.*what).value_or(Msat{});
  }
  return whole;
}

bool gave_set_back(const Attempt& attempt) {
  return attempt.failure && attempt.failure->code == FailureCode::mpp_timeout;
}

}  // namespace

std::uint32_t Payment::own_attempts() const {
  std::uint32_t count = 0;
  std::vector<AttemptId> given_back;
  for (const Attempt& attempt : attempts) {
    if (attempt.origin != AttemptOrigin::own) continue;
    if (gave_set_back(attempt)) {
      if (std::find(given_back.begin(), given_back.end(), *attempt.id) != given_back.end()) continue;
      given_back.push_back(*attempt.id);
    }
    ++count;
  }
  return count;
}

Msat Payment::missing() const { return left_of(request.demand.amount, attempts, &Attempt::amount); }

Msat Payment::fee_left() const { return left_of(request.demand.fee_limit, attempts, &Attempt::fee); }

std::uint32_t Payment::parts_left() const {
  const auto open = static_cast<std::uint32_t>(std::count_if(
      attempts.begin(), attempts.end(), [](const Attempt& a) { return a.origin == AttemptOrigin::own && a.open(); }));
  const auto less = [](std::uint32_t from, std::uint32_t what) { return from - std::min(from, what); };
  const std::uint32_t most = request.payment_secret ? request.max_parts : 1;
  return std::min(less(most, open), less(request.max_attempts, own_attempts()));
}

std::uint32_t Payment::next_part() const {
  if (!request.payment_secret) return 0;
  std::uint32_t last = 0;
  for (const Attempt& attempt : attempts) {
    if (attempt.origin == AttemptOrigin::own) last = std::max(last, attempt.part);
  }
  return last + 1;
}

std::optional<AttemptId> Payment::open_round() const {
  const auto open = std::find_if(attempts.begin(), attempts.end(),
                                 [](const Attempt& a) { return a.origin == AttemptOrigin::own && a.open(); });
  return open == attempts.end() ? std::nullopt : open->id;
}

bool Payment::definitive() const {
  if (status() == PaymentStatus::succeeded) return true;
  if (status() != PaymentStatus::failed) return false;
  return std::all_of(attempts.begin(), attempts.end(),
                     [](const Attempt& a) { return a.outcome == AttemptOutcome::failed; });
}

const Attempt* Payment::last_failure() const {
  const Attempt* last = nullptr;
  for (const Attempt& attempt : attempts) {
    if (attempt.outcome != AttemptOutcome::failed || !attempt.failure) continue;
    if (last == nullptr || !(attempt.resolved < last->resolved)) last = &attempt;
  }
  return last;
}

std::optional<FailureDetail> Payment::why_failed() const {
  if (status() != PaymentStatus::failed) return std::nullopt;
  if (failure_detail && (failure_detail->code != DetailCode::unexplained || !failure_detail->words.empty()))
    return failure_detail;
  if (provenance != Provenance::native || attempts.empty()) return std::nullopt;
  if (fail_reason == FailureReason::no_route && own_attempts() >= request.max_attempts)
    return detail_of(DetailCode::attempts_used_up);
  const bool one_of_several = fail_reason == FailureReason::no_route || fail_reason == FailureReason::timeout ||
                              fail_reason == FailureReason::error;
  if (!one_of_several || last_failure() == nullptr) return std::nullopt;
  return detail_of(DetailCode::attempts_failed);
}

const Attempt* Payment::find(const AttemptKey& wanted) const {
  for (const Attempt& attempt : attempts) {
    if (attempt.origin == AttemptOrigin::own && key(attempt) == wanted) return &attempt;
  }
  return nullptr;
}

Attempt* Payment::find(const AttemptKey& wanted) { return const_cast<Attempt*>(std::as_const(*this).find(wanted)); }

const Attempt* Payment::settled_attempt() const {
  const Attempt* foreign = nullptr;
  for (const Attempt& attempt : attempts) {
    if (attempt.outcome != AttemptOutcome::settled) continue;
    if (attempt.origin != AttemptOrigin::foreign) return &attempt;
    foreign = &attempt;
  }
  return foreign;
}

namespace {

/// It has paid, or may still pay as far as the switch says.
bool may_pay(const Attempt& attempt) { return attempt.open() || attempt.outcome == AttemptOutcome::settled; }

Msat capped_sum(Msat a, Msat b) { return checked_add(a, b).value_or(Msat::of(Msat::max_value)); }

}  // namespace

std::optional<Settlement> settlement_of(const Payment& payment) {
  const Attempt* const first = payment.settled_attempt();
  if (first == nullptr) return std::nullopt;
  Settlement sum{first, {}, {}};
  const bool foreign = first->origin == AttemptOrigin::foreign;
  for (const Attempt& attempt : payment.attempts) {
    if (attempt.outcome != AttemptOutcome::settled || (attempt.origin == AttemptOrigin::foreign) != foreign) continue;
    sum.amount = capped_sum(sum.amount, attempt.amount);
    sum.fee = capped_sum(sum.fee, attempt.fee);
  }
  return sum;
}

std::uint32_t parts_of(const Payment& payment) {
  const Attempt* const first = payment.settled_attempt();
  const bool foreign = first != nullptr && first->origin == AttemptOrigin::foreign;
  return static_cast<std::uint32_t>(std::count_if(
      payment.attempts.begin(), payment.attempts.end(),
      [foreign](const Attempt& a) { return may_pay(a) && (a.origin == AttemptOrigin::foreign) == foreign; }));
}

bool is_one_of_several(const Payment& payment, const Attempt& attempt) {
  return std::any_of(payment.attempts.begin(), payment.attempts.end(), [&](const Attempt& other) {
    return other.id && other.id == attempt.id && other.origin == attempt.origin && other.part != attempt.part;
  });
}

std::string name_of(const Payment& payment, const AttemptKey& key) {
  const Attempt* const attempt = payment.find(key);
  const bool several = attempt != nullptr && is_one_of_several(payment, *attempt);
  return several ? fmt::format("attempt {}, part {}", key.id.value, key.part) : fmt::format("attempt {}", key.id.value);
}

bool fee_final(const Payment& payment) {
  return payment.ended_for_good() &&
         std::none_of(payment.attempts.begin(), payment.attempts.end(),
                      [](const Attempt& a) { return a.open() && a.origin != AttemptOrigin::foreign; });
}

Msat possible_overpayment(const Payment& payment, std::span<const Payment> others) {
  Msat all;
  bool watched = false;
  const auto add = [&](const Payment& one) {
    for (const Attempt& attempt : one.attempts) {
      if (attempt.watched() || may_pay(attempt)) all = capped_sum(all, attempt.amount);
      watched = watched || attempt.watched();
    }
  };
  add(payment);
  for (const Payment& other : others) add(other);
  return watched ? checked_sub(all, payment.request.demand.amount).value_or(Msat{}) : Msat{};
}

namespace {

constexpr std::string_view label_prefix = "paytower:";
constexpr std::string_view fence_suffix = ":fence";

}  // namespace

std::string attempt_label(const StoreId& store, AttemptId id, bool fence) {
  return fmt::format("{}{}:{}{}", label_prefix, store.hex(), id.value, fence ? fence_suffix : "");
}

std::optional<LabelParts> parse_attempt_label(std::string_view label) {
  if (label.substr(0, label_prefix.size()) != label_prefix) return std::nullopt;
  label.remove_prefix(label_prefix.size());
  LabelParts parts;
  if (label.size() > fence_suffix.size() && label.substr(label.size() - fence_suffix.size()) == fence_suffix) {
    parts.fence = true;
    label.remove_suffix(fence_suffix.size());
  }
  const std::size_t colon = label.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto store = StoreId::from_hex_text(label.substr(0, colon));
  const auto id = whole_number(label.substr(colon + 1));
  if (!store || !id) return std::nullopt;
  parts.store = *store;
  parts.id = AttemptId{*id};
  return parts;
}

}  // namespace paytower
