// One payment on its way through this process as plain data, and what answers and decisions make of it, as free
// functions. No ports, no clock, no randomness: what is to be done comes back as wishes, and the loop fulfils them.
//
// Three small machines move independently: the look of the hash, the question for a route, and a record of requests for
// each attempt. These money rules depend on them: only copy (R3), the same attempt again (R4), and no conclusion from a
// look that was asked for too early (R9). The model check runs these very functions.
#pragma once

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "core/base/error.h"
#include "core/driver/caution.h"
#include "core/driver/ports.h"
#include "core/driver/route_session.h"
#include "core/payment/lifecycle.h"
#include "core/payment/look.h"
#include "core/payment/payment.h"

namespace paytower {

[[nodiscard]] constexpr MonoNs plus(MonoNs at, std::int64_t ns) { return MonoNs{at.value + ns}; }

// --- the facts ---

struct NoLook {};
/// A look of the hash is wanted, not before `at`.
struct LookWanted {
  MonoNs at;
};
/// A look is under way. If `outdated`, its answer is dropped: it may show the state before something that came since
/// (R9).
struct LookAsked {
  MonoNs asked;
  bool outdated = false;
  std::optional<MonoNs> again{};  ///< another look is wanted, not before this time; only with `outdated`
};
/// The look of the hash, as this payment sees it.
using LookState = std::variant<NoLook, LookWanted, LookAsked>;

/// Routes were asked for, and no answer has come.
struct RouteAsked {
  AskRoutes wanted{};
  bool advised = false;              ///< the question took advice (M1)
  Exclusions excluded{};             ///< of the question
  AttemptId full_until{};            ///< see exclusions_for
  unsigned caution = 0;              ///< see cautious()
  std::optional<AskRoutes> again{};  ///< the answer will come too late: what is missing has changed
  bool outdated = false;  ///< it was asked beside parts that have all ended since: a look comes first (R4, R9)
};

/// What this process knows of its own requests for one attempt (R3, R4). The attempt itself is in the payment.
struct HandoverRecord {
  AttemptKey key;
  bool drawn_here = false;               ///< this process drew the id
  unsigned copies = 0;                   ///< how often this process has sent it; fences do not count
  std::optional<MonoNs> unanswered{};    ///< since when a request or a fence waits for its answer
  bool querying = false;                 ///< its end was asked for, and is not known yet
  std::optional<MonoNs> orphan_since{};  ///< since when every look has shown it in LookFinding::orphans
  std::optional<MonoNs> barred{};        ///< since when we know that its fence is refused: FenceAnswer

  /// R3: nobody has ever written another request for this attempt.
  [[nodiscard]] bool only_copy() const { return drawn_here && copies == 1; }
};

/// One payment on its way through this process.
struct Item {
  Payment payment;
  LookState look;
  std::optional<RouteAsked> route;
  std::vector<HandoverRecord> handovers;  ///< at most one for each key
  Marks marks;                            ///< of the last look that something was concluded from (R5)
  std::vector<Event> backlog;             ///< not decided yet, oldest first
  bool deadline_told = false;
  unsigned idle_looks = 0;         ///< how many looks in a row led to nothing that was stored
  std::optional<MonoNs> proven{};  ///< since when this process has the proof; the other parts usually follow at once
};

/// What an item may know of the world around it. The loop fills it; it owns nothing.
struct ItemContext {
  enum class Mode : std::uint8_t {
    drive,
    collect_only,  ///< nothing is sent except what this process drew, and no route is asked for
    leaving,       ///< a signal came: nothing new is begun
  };
  MonoNs mono;
  UnixNs wall;                               ///< never earlier than the monotonic clock allows
  const IdentityAnswer* identity = nullptr;  ///< of the connected switch; nullptr: not connected
  Mode mode = Mode::drive;
  bool ask_for_ends = true;              ///< false with --wait 0: wait only for the first answer
  std::int64_t look_pause_ns = 0;        ///< the shortest pause between two looks that change nothing
  UnixNs clock_from{INT64_MIN};          ///< with an earlier clock nothing new begins
  std::optional<HandoverTerms> terms{};  ///< Switch::terms
  std::uint32_t base_height = 0;         ///< Switch::base_height
};

// --- what the loop is to do for it; ports are the loop's ---

/// Ask for routes. The answer comes back through route_asked(), no_route() or, if a route is at hand, routes_ready().
struct AskForRoutes {
  AskRoutes wanted{};
  bool advised = true;  ///< use what other payments have met (M1)
  unsigned caution = most_caution;
};
/// Our channels are full: when an HTLC in them has ended, start again from a look.
struct WaitForChannel {};
/// New parts are planned: draw the id of a new round (R12), then call routes_ready().
struct TakeRoutes {
  std::vector<Route> routes;
  std::optional<AttemptId> round{};  ///< nothing: a new one
};
struct SendHandover {
  AttemptKey key;
};
struct SendFence {
  AttemptKey key;
};
struct SendRelease {};
/// Ask how the attempt ended.
struct SendQuery {
  AttemptKey key;
};
/// A new try is refused. Nothing of it was recorded.
struct RefuseTry {
  Errc why;
};
/// The clock must be wrong, so nothing new begins. What is recorded stays, and is asked about another time.
struct RefuseClock {
  Error why;
};
/// Nothing more to do in this process. The payment itself says what its status is.
struct Leave {};

using Wish = std::variant<AskForRoutes, WaitForChannel, TakeRoutes, SendHandover, SendFence, SendRelease, SendQuery,
                          RefuseTry, RefuseClock, Leave>;
using Wishes = std::vector<Wish>;

// --- reading ---

/// The time that a decision uses: never before the payment was made.
[[nodiscard]] UnixNs time_for(const Payment& payment, const ItemContext& at);
/// Nothing if there never was a request for this attempt, nor an id drawn. Belongs to the item.
[[nodiscard]] const HandoverRecord* find_handover(const Item& item, const AttemptKey& key);
/// A request or a fence waits for its answer.
[[nodiscard]] bool unanswered(const Item& item);
/// Everything learned is decided, and the only answer still to come from the switch is an attempt's end.
[[nodiscard]] bool at_rest(const Item& item);
/// When the wanted look may be asked for. Nothing if none is wanted, or one is under way.
[[nodiscard]] std::optional<MonoNs> look_due(const Item& item);
/// The earliest time at which tell_deadline(), doubt_silence() or leave_proven() has something to do; an hour from now
/// at the latest.
[[nodiscard]] std::optional<MonoNs> wakes_at(const Item& item, const ItemContext& at);

// --- the look ---

/// If a look is wanted sooner already, that stays. A look under way was asked too early for this wish, so it becomes
/// outdated (R9).
void want_look(Item& item, MonoNs at);
/// True when a look is due; from then on it counts as asked. The loop asks once for a hash, and tells every item of it.
[[nodiscard]] bool take_look(Item& item, MonoNs now);
/// A look has been answered. Gives the time when it was asked for, if this item asked for it and may conclude from it
/// (R9). Otherwise nothing, and another look is wanted where one is needed.
[[nodiscard]] std::optional<MonoNs> look_came(Item& item, const ItemContext& at);

// --- answers: they end in the backlog, in a wanted look, or in wishes ---

/// What a look proves for this payment; it was asked for at `asked`. REQUIRES: no alarm. Two looks 45 s apart that show
/// a pending record without an HTLC, while the run that wrote it is over, prove that it was never sent.
void on(Item& item, LookFinding finding, MonoNs asked, const ItemContext& at);
/// Routes that keep to all demands lead to a round. If there are none and advice was used, the question is asked again
/// without advice: only that answer may say that there is no route (M1), and not even that one while a channel of ours
/// was full.
[[nodiscard]] Wishes on(Item& item, const RouteAnswer& answer);
/// R3: a NOT-SENT answer ends the attempt only if this was the only copy.
void on(Item& item, const DispatchAnswer& answer, const ItemContext& at);
void on(Item& item, const QueryAnswer& answer, const ItemContext& at);
[[nodiscard]] Wishes on(Item& item, const FenceAnswer& answer, const ItemContext& at);
void on(Item& item, const ReleaseAnswer& answer, const ItemContext& at);
/// Nothing that was asked will be answered. What was sent stays open, and the next connection looks for it.
void on(Item& item, const Disconnected& lost, const ItemContext& at);

// --- the route ---

/// Only one question at a time: another one is asked after its answer.
[[nodiscard]] bool may_ask_routes(Item& item, const AskRoutes& wanted);
/// The round that new parts belong to. Nothing: a new round.
[[nodiscard]] std::optional<AttemptId> round_for(const Item& item, const AskRoutes& wanted);
void route_asked(Item& item, RouteAsked asked);
/// There is no route, and we know it without asking the switch.
void no_route(Item& item, FailureDetail detail);
/// `round` is newly drawn (R12), or goes on. The parts are not recorded yet (R1). REQUIRES: at.identity.
void routes_ready(Item& item, std::vector<Route> routes, AttemptId round, const ItemContext& at);
/// The id that was `taken` belongs to somebody else: its answers mean nothing here (R3). `id` takes its place.
void take_other_id(Item& item, RoutesReady taken, AttemptId id);

// --- clocks ---

void tell_deadline(Item& item, const ItemContext& at);
/// A request got no answer: make a look. The look decides, not the silence.
void doubt_silence(Item& item, const ItemContext& at);
/// Once a payment is proven, it does not wait long for its other parts: a later run asks for them.
[[nodiscard]] Wishes leave_proven(const Item& item, const ItemContext& at);

// --- the store ---

/// The store has stored the decision's writes: bring the copy in memory up to date.
void on_stored(Item& item, PaymentIndex index, const Decision& decision, MonoNs now);
/// The facts in the store replace ours: another process changed them (a cancel, a resolve), or the store refused what
/// was concluded from the old ones. Conclusions are drawn again. A preimage stays true in any case (R8).
[[nodiscard]] Wishes on_reload(Item& item, Payment stored, const ItemContext& at);

// --- decisions ---

/// Takes away that an attempt is handed over again, where this process may not do so (ItemContext::mode).
void leave_unmoved(const Item& item, Decision& decision, const ItemContext& at);

/// The acts of a decision: its writes are durable (R1), or it has none.
[[nodiscard]] Wishes perform(Item& item, const Decision& decision, const ItemContext& at);

}  // namespace paytower
