// What each answer of lnd lets us conclude. Pure. An answer that is not named here proves nothing (R3, lnd/README 3):
// lnd answers 500 in any words, for what it has refused and for what is in flight.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/base/bytes.h"
#include "core/payment/failure.h"
#include "core/payment/failure_detail.h"
#include "core/switch/lnd/reading.h"
#include "core/switch/lnd/record.h"

namespace paytower::lnd {

/// What the answer of SendToRouteV2 says about this request, and about no other copy of it.
struct SendMeaning {
  enum class Word {
    settled,   ///< the preimage has still to be checked
    failed,    ///< failed for certain
    not_sent,  ///< this request made no HTLC and never will
    look,      ///< everything else: sent, not sent, or still to be executed
  };
  Word word = Word::look;
  Preimage preimage{};      ///< when settled
  Failure failure{};        ///< when failed or not_sent; without a source if the route is not to blame
  Bytes message{};          ///< when failed: BOLT 4's failure message, or empty
  bool hash_taken = false;  ///< when not_sent: because of other HTLCs of the hash
};
/// `mark`: of the request. An answer that shows another HTLC proves nothing.
[[nodiscard]] SendMeaning conclude_send(int status, std::string_view body, const Mark& mark);

/// What lnd does with a macaroon whose time was over long ago.
enum class TimeLimits { kept, not_kept, untold };
/// The answer to a question about the node with such a macaroon. Only lnd's own words show that it keeps the limit: any
/// other refusal may have another reason, and a limit that is not kept proves no death (lnd/README 6). Only what was
/// asked for shows that it does not: HTLCs without a limit, of which one is lost, block their hash for a day.
[[nodiscard]] TimeLimits conclude_limits(int status, std::string_view body);

/// lnd has no record of the hash now: never accepted, not executed yet, refused, or deleted.
struct NoRecord {};
/// The answer says nothing about the hash.
struct NothingKnown {
  std::string why;  ///< for people; untrusted text
};
using TrackMeaning = std::variant<NoRecord, Record, NothingKnown>;
/// The first message of TrackPaymentV2 for `hash`, which is the state now.
[[nodiscard]] TrackMeaning conclude_track(int status, std::string_view message, const PaymentHash& hash);

/// Routes; or that there is none, in lnd's words; or an answer that says nothing about routes: lnd is starting,
/// stopping, or not to be understood. Then the question has to be asked again.
using RoutesMeaning = std::variant<std::vector<Route>, RestError, NothingKnown>;
/// `own` and `height` as in read_routes().
[[nodiscard]] RoutesMeaning conclude_routes(int status, std::string_view body, const PublicKey& own,
                                            std::uint32_t height);

/// What QueryRoutes says if it has no route.
[[nodiscard]] FailureDetail why_no_route(const RestError& error);

}  // namespace paytower::lnd
