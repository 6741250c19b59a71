// Reads lnd's answers: only whole sentences of its own prove anything.
#include "core/switch/lnd/conclusions.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include <fmt/core.h>

namespace paytower::lnd {

namespace {

// gRPC's codes, as lnd uses them.
constexpr std::uint32_t unknown = 2;  ///< everything that lnd has no other code for, in any words
constexpr std::uint32_t invalid_argument = 3;
constexpr std::uint32_t not_found = 5;
constexpr std::uint32_t already_exists = 6;
constexpr std::uint32_t unimplemented = 12;

/// True if lnd says that the macaroon's time limit has passed. It says so before it reads anything of the request.
bool has_expired(std::string_view words) {
  return words.starts_with("caveat \"time-before ") && words.ends_with(" not satisfied: macaroon has expired");
}

/// True if lnd says that the record has no room: another user's HTLC came first. It says so where it would have stored
/// the HTLC, before sending it (lnd/README 3). The second form is the one of the SQL store.
bool has_no_room(std::string_view words) {
  constexpr std::string_view sql = "failed to register attempt: failed to verify attempt: ";
  if (words.starts_with(sql)) words.remove_prefix(sql.size());
  return words.starts_with("attempted value exceeds payment amount: attempted=") && words.ends_with(" mSAT");
}

/// Said before anything of the request is read.
constexpr std::array<std::string_view, 2> not_serving = {"wallet locked, unlock it to enable full RPC access",
                                                         "waiting to start, RPC services not available"};
/// Of a question these say the same; of a hand-over they prove nothing.
constexpr std::array<std::string_view, 2> going_or_coming = {
    "the RPC server is in the process of starting up, but not yet ready to accept calls", "htlcswitch shutting down"};

template <std::size_t N> bool is_one_of(std::string_view words, const std::array<std::string_view, N>& list) {
  return std::find(list.begin(), list.end(), words) != list.end();
}

/// Whether the route may be to blame, or lnd does not take anything now, or other HTLCs of the hash are in the way.
enum class Refusal { of_request, of_moment, of_hash };

/// Only whole sentences, as lnd v0.21 writes them: other messages begin or end the same way and mean something else.
std::optional<Refusal> refused_in_words(std::string_view words) {
  if (words == "permission denied") return Refusal::of_request;
  if (has_no_room(words)) return Refusal::of_hash;
  if (has_expired(words)) return Refusal::of_moment;
  return is_one_of(words, not_serving) ? std::optional(Refusal::of_moment) : std::nullopt;
}

/// The allow-list: what lnd says only before it can have made a record or an HTLC (lnd/README 3).
std::optional<Refusal> refusal_in(int status, const RestError& error) {
  if (error.wrapped) return std::nullopt;
  if (status == 409 && error.code == already_exists) return Refusal::of_hash;
  if (status == 400 && error.code == invalid_argument) return Refusal::of_request;
  if (status == 404 && error.code == not_found && error.message == "Not Found") return Refusal::of_request;
  if (status == 501 && error.code == unimplemented) return Refusal::of_request;
  if (status == 500 && error.code == unknown) return refused_in_words(error.message);
  return std::nullopt;
}

SendMeaning conclude_attempt(std::string_view body, const Mark& mark) {
  auto htlc = read_attempt(body);
  if (!htlc || htlc->mark != mark) return {};
  if (htlc->state == Htlc::State::settled && htlc->preimage)
    return {SendMeaning::Word::settled, *htlc->preimage, {}, {}};
  if (htlc->state == Htlc::State::failed && htlc->failure)
    return {SendMeaning::Word::failed, {}, std::move(*htlc->failure), std::move(htlc->failure_message)};
  return {};
}

}  // namespace

SendMeaning conclude_send(int status, std::string_view body, const Mark& mark) {
  if (status == 200) return conclude_attempt(body, mark);
  const auto error = read_error(body);
  const auto refusal = error ? refusal_in(status, *error) : std::nullopt;
  if (!refusal) return {};
  Failure failure{FailureCode::local_refusal, {}, {}, {}, kept_words(error->message)};
  if (refusal == Refusal::of_request) failure.source_index = 0;
  return {SendMeaning::Word::not_sent, {}, std::move(failure), {}, refusal == Refusal::of_hash};
}

RoutesMeaning conclude_routes(int status, std::string_view body, const PublicKey& own, std::uint32_t height) {
  if (status == 200) {
    auto routes = read_routes(body, own, height);
    if (routes) return *std::move(routes);
    return NothingKnown{"its answer to a question for routes cannot be read"};
  }
  auto error = read_error(body);
  if (!error) return NothingKnown{fmt::format("lnd answers with status {}", status)};
  const bool not_ready =
      status == 503 || is_one_of(error->message, not_serving) || is_one_of(error->message, going_or_coming);
  if (not_ready) return NothingKnown{kept_words(error->message)};
  return *std::move(error);
}

TimeLimits conclude_limits(int status, std::string_view body) {
  if (status == 200) return read_node_info(body) ? TimeLimits::not_kept : TimeLimits::untold;
  const auto error = read_error(body);
  const bool said = status == 500 && error && !error->wrapped && error->code == unknown && has_expired(error->message);
  return said ? TimeLimits::kept : TimeLimits::untold;
}

TrackMeaning conclude_track(int status, std::string_view message, const PaymentHash& hash) {
  auto line = read_stream_line(message);
  if (!line) {
    const auto error = read_error(message);
    if (!error) return NothingKnown{line.error().message};
    return NothingKnown{kept_words(error->message)};
  }
  if (const auto* error = std::get_if<RestError>(&*line)) {
    const bool none = status == 404 && error->wrapped && error->code == not_found;
    if (none && error->message == "payment isn't initiated") return NoRecord{};
    return NothingKnown{kept_words(error->message)};
  }
  auto& shown = std::get<PaymentShown>(*line);
  if (status != 200 || shown.hash != hash) return NothingKnown{"lnd's answer to track is of another payment"};
  return std::move(shown.record);
}

FailureDetail why_no_route(const RestError& error) {
  if (error.code == unknown && error.message == "insufficient local balance") return detail_of(DetailCode::no_balance);
  FailureDetail detail;
  detail.words = kept_words(error.message);
  return detail;
}

}  // namespace paytower::lnd
