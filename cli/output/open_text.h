// How long a payment has been open, and how long its money can stay locked.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "core/payment/payment.h"

namespace paytower::cli {

/// Since when its oldest open HTLC is out: "since 2026-11-23T00:20:28Z (12 s ago)". Nothing where none is.
[[nodiscard]] std::optional<std::string> in_flight_since(const Payment& payment, UnixNs now);

/// Until when the money of its open HTLCs can be locked: "until block 812,345 at the latest, about 2026-11-23T07:20:28Z
/// (in 7 h)"; "probably until block 812,345, about ..." where it is only expected; "for at most 178 blocks, until about
/// ..." where no height was known. Nothing where no HTLC of ours is out. Behind that time: "...: it should be over by
/// now". `unseen`: WhyOpen::all_without_htlc; they count for nothing.
[[nodiscard]] std::optional<std::string> locked_until(const Payment& payment, UnixNs now,
                                                      std::span<const AttemptKey> unseen = {});

/// Both as lines below "In flight: ...": empty where there is nothing to say.
[[nodiscard]] std::string open_facts(const Payment& payment, UnixNs now, std::span<const AttemptKey> unseen = {});

/// R17: what somebody can do who is sent from `show` to `resume` and back, because the payee does not settle. Empty
/// where no HTLC of ours is out.
[[nodiscard]] std::string held_words(const Payment& payment, UnixNs now);

/// The AGE of a row of `list`: "3 h ago", but "open for 3 h" for what has been open for more than an hour.
[[nodiscard]] std::string age_cell(const Payment& payment, UnixNs now);

}  // namespace paytower::cli
