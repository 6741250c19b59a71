// One payment on its way through this process, as plain data, and what answers and decisions make of it, as free
// functions. No port, no clock, no randomness: what is to be done comes back as wishes, which the loop fulfils.
//
// Three small machines move by themselves: the look of the hash, the question for a route, and one record of hand-overs
// for each attempt. The rules of money that hang on them: only copy (R3), the same attempt again (R4), and no
// conclusion from a look that was asked for too early (R9). The model check runs these very functions.
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
/// It is under way. Once `outdated`, its answer is dropped: it may have been taken before what came since (R9).
struct LookAsked {
  MonoNs asked;
  bool outdated = false;
  std::optional<MonoNs> again{};  ///< another one is wanted, not before this; only with `outdated`
};
/// The look of the hash, as this payment sees it.
using LookState = std::variant<NoLook, LookWanted, LookAsked>;

/// Routes were asked for, and no answer has come.
struct RouteAsked {
  AskRoutes wanted{};
  bool advised = false;              ///< the question came with advice (M1)
  Exclusions excluded{};             ///< of the question
  AttemptId full_until{};            ///< see exclusions_for
  unsigned caution = 0;              ///< see cautious()
  std::optional<AskRoutes> again{};  ///< the answer comes too late: what is missing has changed
  bool outdated = false;             ///< asked beside parts that have all ended: a look comes first (R4, R9)
};

/// What this process knows of its own requests for one attempt (R3, R4). The attempt itself stands in the payment.
struct HandoverRecord {
  AttemptKey key;
  bool drawn_here = false;               ///< by this process
  unsigned copies = 0;                   ///< hand-overs written by this process; fences do not count
  std::optional<MonoNs> unanswered{};    ///< since when a hand-over or a fence has no answer
  bool querying = false;                 ///< its end was asked for, and has not been told
  std::optional<MonoNs> orphan_since{};  ///< LookFinding::orphans of every look since then
  std::optional<MonoNs> barred{};        ///< since when it is known that its fence is refused: FenceAnswer

  /// R3: no other request for the attempt was ever written, by anybody.
  [[nodiscard]] bool only_copy() const { return drawn_here && copies == 1; }
};

/// One payment on its way through this process.
struct Item {
  Payment payment;
  LookState look;
  std::optional<RouteAsked> route;
  std::vector<HandoverRecord> handovers;  ///< at most one a key
  Marks marks;                            ///< of the last look that was concluded from (R5)
  std::vector<Event> backlog;             ///< not decided yet, oldest first
  bool deadline_told = false;
  unsigned idle_looks = 0;         ///< looks in a row after which nothing was stored
  std::optional<MonoNs> proven{};  ///< since when this process has the proof: its other parts follow within moments
};

/// What an item may know of its surroundings. Read by the loop; owns nothing.
struct ItemContext {
  enum class Mode : std::uint8_t {
    drive,
    collect_only,  ///< nothing is handed over but what this process drew, and no route is asked for
    leaving,       ///< a signal came: nothing new at all
  };
  MonoNs mono;
  UnixNs wall;                               ///< never earlier than the monotonic clock allows
  const IdentityAnswer* identity = nullptr;  ///< of the connected switch; nothing: not connected
  Mode mode = Mode::drive;
  bool ask_for_ends = true;              ///< false with --wait 0: the first answer is all that is stayed for
  std::int64_t look_pause_ns = 0;        ///< the shortest pause between two looks that change nothing
  UnixNs clock_from{INT64_MIN};          ///< by an earlier clock nothing new begins
  std::optional<HandoverTerms> terms{};  ///< Switch::terms
};

// --- what the loop is to do for it; ports are the loop's ---

/// A question for routes, told back by route_asked(), no_route() or, with a route at hand, routes_ready().
struct AskForRoutes {
  AskRoutes wanted{};
  bool advised = true;  ///< with what other payments met (M1)
  unsigned caution = most_caution;
};
/// Our channels are full: the question is to be put again, from a look on, when an HTLC has ended.
struct WaitForChannel {};
/// New parts: the id of a new round is to be drawn (R12), then routes_ready().
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
/// The attempt's end is to be asked for.
struct SendQuery {
  AttemptKey key;
};
/// A new try is refused, and nothing of it was recorded.
struct RefuseTry {
  Errc why;
};
/// The clock cannot be right: nothing new begins by it. What is recorded stays and is asked about another time.
struct RefuseClock {
  Error why;
};
/// Nothing more in this process: the payment says how it stands.
struct Leave {};

using Wish = std::variant<AskForRoutes, WaitForChannel, TakeRoutes, SendHandover, SendFence, SendRelease, SendQuery,
                          RefuseTry, RefuseClock, Leave>;
using Wishes = std::vector<Wish>;

// --- reading ---

/// The time by which the payment is decided about: never before it was made.
[[nodiscard]] UnixNs time_for(const Payment& payment, const ItemContext& at);
/// Nothing when there was never a request for this attempt, nor an id drawn. Belongs to the item.
[[nodiscard]] const HandoverRecord* find_handover(const Item& item, const AttemptKey& key);
/// A hand-over or a fence waits for its answer.
[[nodiscard]] bool unanswered(const Item& item);
/// Nothing was learned that is not decided yet, and the switch owes it no answer but an attempt's end.
[[nodiscard]] bool at_rest(const Item& item);
/// When the wanted look may be asked for; nothing when none is wanted, or one is under way.
[[nodiscard]] std::optional<MonoNs> look_due(const Item& item);
/// When tell_deadline(), doubt_silence() or leave_proven() has something to do, at the earliest; an hour from now at
/// the latest.
[[nodiscard]] std::optional<MonoNs> wakes_at(const Item& item, const ItemContext& at);

// --- the look ---

/// An earlier wish stands. A look that is under way was asked too early to answer this one: it is outdated (R9).
void want_look(Item& item, MonoNs at);
/// True when a look is due; it counts as asked for then. The loop asks once a hash, and tells every item of it.
[[nodiscard]] bool take_look(Item& item, MonoNs now);
/// An answer has come. When it was asked for, if this item asked and may conclude from it (R9); otherwise nothing, and
/// another look is wanted where one is needed.
[[nodiscard]] std::optional<MonoNs> look_came(Item& item, const ItemContext& at);

// --- answers: they end in the backlog, in a wanted look, or in wishes ---

/// What a look proves for this payment, asked for at `asked`. REQUIRES: no alarm.
/// Two looks 45 s apart that show a pending record without an HTLC, while its run is over, prove that it was never
/// sent.
void on(Item& item, LookFinding finding, MonoNs asked, const ItemContext& at);
/// Routes that keep to all demands lead to a round. Without them, and with advice, the question is asked again without
/// it, which alone may say that there is no route (M1); where a channel of ours was full, not even that one.
[[nodiscard]] Wishes on(Item& item, const RouteAnswer& answer);
/// R3: a NOT-SENT answer ends the attempt only where it is the only copy.
void on(Item& item, const DispatchAnswer& answer, const ItemContext& at);
void on(Item& item, const QueryAnswer& answer, const ItemContext& at);
[[nodiscard]] Wishes on(Item& item, const FenceAnswer& answer, const ItemContext& at);
void on(Item& item, const ReleaseAnswer& answer, const ItemContext& at);
/// No question is answered any more. What was handed over stays open, and is looked for on the next connection.
void on(Item& item, const Disconnected& lost, const ItemContext& at);

// --- the route ---

/// While a question is under way, another one is asked after its answer.
[[nodiscard]] bool may_ask_routes(Item& item, const AskRoutes& wanted);
/// The round that new parts belong to; nothing: a new one.
[[nodiscard]] std::optional<AttemptId> round_for(const Item& item, const AskRoutes& wanted);
void route_asked(Item& item, RouteAsked asked);
/// Known without asking the switch.
void no_route(Item& item, FailureDetail detail);
/// `round` is freshly drawn (R12), or goes on. The parts are not recorded yet (R1). REQUIRES: at.identity.
void routes_ready(Item& item, std::vector<Route> routes, AttemptId round, const ItemContext& at);
/// The id that was `taken` turned out to be another's: its answers mean nothing here (R3), and `id` stands in its
/// place.
void take_other_id(Item& item, RoutesReady taken, AttemptId id);

// --- clocks ---

void tell_deadline(Item& item, const ItemContext& at);
/// A hand-over that nobody answers is looked for; the look decides, not the silence.
void doubt_silence(Item& item, const ItemContext& at);
/// A proven payment does not stay long for the last of its parts: a later run asks for them.
[[nodiscard]] Wishes leave_proven(const Item& item, const ItemContext& at);

// --- the store ---

/// The store has taken the decision's writes: the copy in memory follows.
void on_stored(Item& item, PaymentIndex index, const Decision& decision, MonoNs now);
/// The store's facts replace ours: another process changed them (a cancel, an operator's word), or the store refused
/// what was concluded from the old ones. That is concluded anew; a preimage stays true whatever was read (R8).
[[nodiscard]] Wishes on_reload(Item& item, Payment stored, const ItemContext& at);

// --- decisions ---

/// The acts of a decision whose writes are durable (R1), or which has none.
[[nodiscard]] Wishes perform(Item& item, const Decision& decision, const ItemContext& at);

}  // namespace paytower
