// Finds out which limit or which channel is in the way when there is no route.
#include "core/payment/failure_detail.h"

#include <algorithm>

#include "core/base/limits.h"

namespace paytower {

namespace {

constexpr std::uint64_t probe_parts = 16;          ///< a payment in several parts usually has this many
constexpr std::uint64_t least_probe_msat = 1'000;  ///< most channels carry at least this much

/// What is wrong with the channels of --outgoing-chan-id. The smallest trouble counts: it is the easiest to mend.
std::optional<FailureDetail> explain_outgoing(std::span<const SpendableChannel> channels,
                                              const std::vector<ShortChannelId>& named, Msat need) {
  FailureDetail detail = detail_of(DetailCode::outgoing_channel_unknown);
  detail.channel = named.front();
  for (const SpendableChannel& one : channels) {
    if (std::find(named.begin(), named.end(), one.channel) == named.end()) continue;
    if (one.usable && one.spendable >= need) return std::nullopt;
    if (one.usable && (!detail.held || one.spendable > *detail.held)) {
      detail = FailureDetail{DetailCode::outgoing_channel_balance, {}, {}, one.spendable, one.channel, {}};
    } else if (!one.usable && detail.code == DetailCode::outgoing_channel_unknown) {
      detail = FailureDetail{DetailCode::outgoing_channel_unusable, {}, {}, {}, one.channel, {}};
    }
  }
  return detail;
}

void keep_cheaper(std::optional<FailureDetail>& kept, const FailureDetail& other) {
  if (!kept || other.fee < kept->fee) kept = other;
}

}  // namespace

std::string_view detail_name(DetailCode code) {
  switch (code) {
    case DetailCode::unexplained: return "unexplained";
    case DetailCode::fee_limit: return "fee_limit";
    case DetailCode::cltv_limit: return "cltv_limit";
    case DetailCode::attempts_used_up: return "attempts_used_up";
    case DetailCode::given_routes: return "given_routes";
    case DetailCode::outgoing_channel_unknown: return "outgoing_channel_unknown";
    case DetailCode::outgoing_channel_unusable: return "outgoing_channel_unusable";
    case DetailCode::outgoing_channel_balance: return "outgoing_channel_balance";
    case DetailCode::outgoing_channel_no_route: return "outgoing_channel_no_route";
    case DetailCode::no_channel: return "no_channel";
    case DetailCode::no_balance: return "no_balance";
    case DetailCode::amount_in_one_part: return "amount_in_one_part";
    case DetailCode::more_parts: return "more_parts";
    case DetailCode::payee_unknown: return "payee_unknown";
    case DetailCode::excluded: return "excluded";
    case DetailCode::attempts_failed: return "attempts_failed";
    case DetailCode::no_answer: return "no_answer";
    case DetailCode::amount_in_parts: return "amount_in_parts";
  }
  return "unexplained";
}

DetailCode detail_code(std::string_view name) {
  for (int value = 0; value <= static_cast<int>(last_detail); ++value) {
    if (const auto code = static_cast<DetailCode>(value); detail_name(code) == name) return code;
  }
  return DetailCode::unexplained;
}

std::string kept_words(const std::string& words) {
  if (words.size() <= limits::max_failure_message_bytes) return words;
  std::size_t end = limits::max_failure_message_bytes;
  while (end > 0 && (static_cast<unsigned char>(words[end]) & 0xC0U) == 0x80U) --end;
  return words.substr(0, end);
}

FailureReason reason_of(const FailureDetail& detail) {
  const bool balance = detail.code == DetailCode::no_balance || detail.code == DetailCode::outgoing_channel_balance;
  return balance ? FailureReason::insufficient_balance : FailureReason::no_route;
}

void NearMisses::add(const Route& route, const RouteDemand& demand) {
  RouteDemand without_limits = demand;
  without_limits.fee_limit = Msat::of(Msat::max_value);
  without_limits.cltv_limit = limits::max_cltv_delta;
  if (!check_route(route, without_limits)) return;
  const bool dear = route.fees() > demand.fee_limit;
  const bool lengthy = route.total_delay() > demand.cltv_limit;
  if (!dear && !lengthy) return;
  const FailureDetail seen{
      dear ? DetailCode::fee_limit : DetailCode::cltv_limit, route.fees(), route.total_delay(), {}, {}, {}, {}};
  if (dear && lengthy) return keep_cheaper(both_, seen);
  if (dear) return keep_cheaper(too_dear_, seen);
  if (!too_long_ || seen.delay < too_long_->delay) too_long_ = seen;
}

std::optional<FailureDetail> NearMisses::detail() const {
  if (too_dear_) return too_dear_;
  return too_long_ ? too_long_ : both_;
}

std::optional<FailureDetail> explain_channels(std::span<const SpendableChannel> channels, const RouteDemand& demand,
                                              Msat fees) {
  const Msat need = checked_add(demand.amount, fees).value_or(Msat::of(Msat::max_value));
  if (!demand.outgoing_channels.empty()) return explain_outgoing(channels, demand.outgoing_channels, need);
  FailureDetail detail;
  if (std::none_of(channels.begin(), channels.end(), [](const SpendableChannel& one) { return one.usable; }))
    return detail_of(DetailCode::no_channel);
  if (std::any_of(channels.begin(), channels.end(),
                  [&](const SpendableChannel& one) { return one.usable && one.spendable >= need; }))
    return std::nullopt;
  detail.held = held_together(channels);
  detail.code = *detail.held >= need ? DetailCode::amount_in_one_part : DetailCode::no_balance;
  return detail;
}

Msat held_together(std::span<const SpendableChannel> channels) {
  std::uint64_t sum = 0;
  for (const SpendableChannel& one : channels) {
    if (one.usable) sum += std::min(one.spendable.value(), Msat::max_value - sum);
  }
  return Msat::of(sum);
}

Msat probe_amount(Msat amount) {
  return std::min(amount, Msat::of(std::max(amount.value() / probe_parts, least_probe_msat)));
}

Msat fees_by_probe(Msat fees) { return Msat::of(std::min(fees.value(), Msat::max_value / probe_parts) * probe_parts); }

}  // namespace paytower
