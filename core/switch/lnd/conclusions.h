// What each answer of lnd lets us conclude. Pure. An answer that is not named here concludes nothing (R3, lnd/README
// 3): lnd says 500 in any words for what it has refused and for what is in flight.
#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "core/base/bytes.h"
#include "core/payment/failure.h"
#include "core/payment/failure_detail.h"
#include "core/switch/lnd/reading.h"
#include "core/switch/lnd/record.h"

namespace paytower::lnd {

/// Of this request and of no other copy: what SendToRouteV2's answer says.
struct SendMeaning {
  enum class Word {
    settled,   ///< the preimage is to be checked
    failed,    ///< certainly failed
    not_sent,  ///< this request made no HTLC, and never will
    look,      ///< everything else: sent, not sent, or still to be executed
  };
  Word word = Word::look;
  Preimage preimage{};  ///< of settled
  Failure failure{};    ///< of failed and not_sent. Without a source where the route is not to blame
  Bytes message{};      ///< of failed: BOLT 4's failure message, empty without one
};
/// `mark`: of the request. An answer that shows another HTLC says nothing.
[[nodiscard]] SendMeaning conclude_send(int status, std::string_view body, const Mark& mark);

/// What lnd makes of a macaroon whose time was over long ago.
enum class TimeLimits { kept, not_kept, untold };
/// The answer to a question with one. Only lnd's own words say that a limit is kept: any other refusal may have another
/// reason, and a limit that is not kept proves no death (lnd/README 6).
[[nodiscard]] TimeLimits conclude_limits(int status, std::string_view body);

/// lnd has no record of the hash now: never accepted, not yet executed, refused, or deleted.
struct NoRecord {};
/// The answer says nothing of the hash.
struct NothingKnown {
  std::string why;  ///< for people; untrusted text
};
using TrackMeaning = std::variant<NoRecord, Record, NothingKnown>;
/// The first message of TrackPaymentV2 of `hash`, which is the state now.
[[nodiscard]] TrackMeaning conclude_track(int status, std::string_view message, const PaymentHash& hash);

/// What QueryRoutes says instead of a route.
[[nodiscard]] FailureDetail why_no_route(const RestError& error);

}  // namespace paytower::lnd
