// The names of events, and what they say of attempts without an HTLC.
#include "tests/model/event_bytes.h"

namespace paytower::model {

namespace {

constexpr std::array<const char*, static_cast<std::size_t>(EventKind::count)> event_names = {
    "-",
    "quiet",
    "no route",
    "accepted",
    "not sent (only copy)",
    "not sent",
    "settled",
    "settled by a wrong preimage",
    "failed",
    "failed for good",
    "failed by MPP_TIMEOUT",
    "failed, was never executed",
    "pending",
    "pending, takes no parts",
    "not found, nothing since",
    "not found, nothing since, fenced",
    "not found, no debit",
    "not found, no debit, fenced",
    "not found, not yet",
    "not found, unknown",
    "not found, late",
    "not found, never ran",
    "not found, erased",
    "fenced",
    "hash busy",
    "hash paid",
    "hash paid by a wrong preimage",
    "deadline",
    "settled, preimage lost",
    "orphaned",
    "only orphans",
    "releasable"};

struct Missing {
  EventKind kind;
  Evidence evidence;
  bool fenced = false;
};
/// Two of them with a fence of ours on the id.
constexpr std::array<Missing, 9> missing_kinds = {{{EventKind::nothing, Evidence::nothing_since_mark},
                                                   {EventKind::nothing_fenced, Evidence::nothing_since_mark, true},
                                                   {EventKind::no_debit, Evidence::finished_no_debit},
                                                   {EventKind::no_debit_fenced, Evidence::finished_no_debit, true},
                                                   {EventKind::not_yet, Evidence::not_yet},
                                                   {EventKind::unknown, Evidence::unknown},
                                                   {EventKind::late, Evidence::late},
                                                   {EventKind::never, Evidence::never},
                                                   {EventKind::erased, Evidence::erased}}};

}  // namespace

std::string event_name(std::uint8_t code) {
  const unsigned number = code & 7U;
  return std::string(event_names[code >> 3]) + (number == 0 ? "" : " (" + std::to_string(number) + ")");
}

EventKind kind_of(const NotFound& missing) {
  const bool counts =
      missing.evidence == Evidence::nothing_since_mark || missing.evidence == Evidence::finished_no_debit;
  for (const Missing& one : missing_kinds) {
    if (one.evidence == missing.evidence && one.fenced == (counts && missing.fenced)) return one.kind;
  }
  throw Violation{"no evidence of this kind is ever queued"};
}

EventKind kind_of(const Failure& failure) {
  if (failure.code == FailureCode::incorrect_or_unknown_payment_details) return EventKind::failed_final;
  if (failure.code == FailureCode::mpp_timeout) return EventKind::failed_mpp;
  return failure.code == FailureCode::not_executed ? EventKind::failed_never : EventKind::failed_retry;
}

std::optional<Event> missing_event(EventKind kind, const AttemptKey& key, const std::string& run) {
  for (const Missing& one : missing_kinds) {
    if (one.kind == kind) return NotFound{key, one.evidence, one.fenced, run};
  }
  return std::nullopt;
}

}  // namespace paytower::model
