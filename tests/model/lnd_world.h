// The model check's world around lnd, as bytes: what is committed, what one process has in memory, lnd's one record of
// the hash, the requests that are on their way to it, and what is true. One payment hash; own attempts are numbered 1
// to 3 in order of their making.
//
// Only the surroundings are modelled. Decisions are taken by the real decide(), apply() and interpret() over
// lnd::Sight::about(), and what answers and decisions make of a payment by the real functions of core/driver/item.h.
//
// Times are ticks of lnd's clock, of 35 s each: a hand-over that is registered in tick r is taken in tick r, may be
// taken or refused in tick r + 1 (its time is over, and the clock may be set back a little), and is refused from tick
// r + 2 on. Gaps that no rule can tell from longer ones are shortened, so that time goes on without end.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "core/driver/item.h"
#include "core/payment/lifecycle.h"
#include "core/payment/look.h"
#include "core/payment/payment.h"
#include "core/switch/lnd/evidence.h"
#include "tests/model/breadth_first.h"

namespace paytower::lnd_model {

inline constexpr unsigned most_numbers = 3;  ///< own attempts in all tries together
inline constexpr unsigned foreign = 4;       ///< the other user of the node, where owners are counted
inline constexpr unsigned most_tries = 2;
inline constexpr unsigned most_events = 6;
inline constexpr unsigned all_units = 2;  ///< the payment's amount, in units of the smallest part
inline constexpr std::int64_t tick_ns = 35 * ns_per_second;

/// Numbers as a set.
[[nodiscard]] constexpr std::uint8_t bit(unsigned number) { return static_cast<std::uint8_t>(1U << number); }

using Tick = std::uint8_t;  ///< 0: none

// --- what is committed ---

/// given_back: failed by MPP_TIMEOUT; never_sent: refused, or a proven orphan.
enum class Outcome : std::uint8_t {
  absent,
  open,
  settled,
  failed,
  given_back,
  never_sent,
  assumed_failed,
  written_off
};
enum class Proof : std::uint8_t { none, preimage, late };

struct StoredAttempt {
  Outcome outcome;
  std::uint8_t owner;  ///< its try
  std::uint8_t round;  ///< its id
  std::uint8_t part;
  std::uint8_t units;
  std::uint8_t accepted;  ///< lnd has shown it
  std::uint8_t height;    ///< how often the chain had grown when it was registered
  Tick registered;        ///< by lnd's clock; the time limit counts from here
};

/// Reasons are stored as 1 + value; 0 is none.
struct StoredTry {
  std::uint8_t stored;
  std::uint8_t stop;
  std::uint8_t fail;
  Proof proof;
  std::uint8_t note;
  std::uint8_t foreign;  ///< a foreign attempt carries the proof
};

struct Store {
  std::array<StoredTry, most_tries> tries;
  std::array<StoredAttempt, most_numbers + 1> attempts;  ///< by number; 0 is unused
};

// --- lnd ---

enum class Status : std::uint8_t { none, in_flight, succeeded, failed };
enum class Shown : std::uint8_t { absent, in_flight, settled, settled_wrong, failed, failed_final, failed_mpp };
/// orphan: lnd was killed between its record and the HTLC, which was never made.
enum class Truth : std::uint8_t { none, live, settled, failed, orphan };

/// lnd's one record of the hash.
struct Record {
  Status status;
  std::uint8_t failing;
  std::uint8_t whole;  ///< worth the payment's amount; otherwise 1 msat, as fences make it
  Tick created;
  std::array<Shown, foreign + 1> htlcs;       ///< by number; the foreign one last
  std::array<Tick, foreign + 1> times;        ///< when each of these was made
  std::array<Tick, most_numbers + 1> fences;  ///< when the fence of this attempt joined
  std::uint8_t released;                      ///< a release of ours joined
  Tick other_check;                           ///< when another database's fence joined
};

/// wire: before lnd's check of its time. waiting: has passed it, and waits for lnd's database. begun: the record was
/// made or joined, the HTLC is not registered yet. running: the HTLC is registered, and the answer comes when it ends.
enum class Stage : std::uint8_t { none, wire, waiting, begun, running, refused, unclear };

/// The one copy of a hand-over.
struct Copy {
  Stage stage;
  std::uint8_t live;     ///< its sender waits for the answer
  std::uint8_t flagged;  ///< had passed the check when a fence was written: the fence is held until it is done
  Tick limit;            ///< while on the wire: StoredAttempt::registered, as the request itself says it
};

/// Fences and releases are valid for 5 s: one that passes the check does so at once, but may then wait without a limit.
enum class Errand : std::uint8_t { none, on_way, done, not_done };

struct Node {
  Record record;
  std::array<Truth, foreign + 1> truth;
  std::array<Copy, most_numbers + 1> copies;
  std::array<std::uint8_t, most_numbers + 1> late_fences;  ///< whose sender is gone
  std::uint8_t late_release;
  Errand fence;     ///< of the running process
  Errand clearing;  ///< a release before a fence, of the running process
  Errand release;   ///< of the running process
  Tick now;
  std::uint8_t height;  ///< how often the chain has grown since anything was registered
  std::uint8_t restarts;
  std::uint8_t deleted_paid;  ///< ghost: a paid record was deleted by hand
  std::uint8_t other_owes;    ///< another database has fenced, and may release
};

// --- one process: all of it is lost in a crash ---

struct LookOnWay {
  std::uint8_t asked;
  std::uint8_t answered;
  std::uint8_t after_end;  ///< ghost: tries that had no open attempt when it was executed
  std::uint8_t waiting;    ///< attempts whose answer could still come then
  std::uint8_t fenced;     ///< attempts that were proven dead then
  Record shown;
  Tick clock;
  std::uint8_t height;
};

/// One payment on its way: core/driver/item.h, struct Item. All its times are 0: what is due is a move.
struct ItemBytes {
  std::uint8_t active;
  std::uint8_t known_stop;  ///< the stop wish as in memory: another process's cancel comes later
  std::uint8_t looking;
  std::uint8_t look_outdated;
  std::uint8_t look_wanted;
  std::uint8_t look_late;  ///< it was asked for a minute after everything that had happened
  std::uint8_t asking;     ///< 2: the answer will be dropped
  std::uint8_t asked_units;
  std::uint8_t asked_parts;
  std::uint8_t asked_round;
  std::uint8_t ask_again;
  std::uint8_t ask_again_round;
  std::uint8_t deadline_told;
  std::uint8_t drawn;
  std::uint8_t sent;  ///< drawn numbers with a copy written
  std::uint8_t sent_more;
  std::uint8_t unanswered;
  std::uint8_t querying;
  std::uint8_t orphans;
  std::uint8_t act;  ///< committed and not yet done: 1 dispatch, 2 fence, 3 release
  std::uint8_t act_ids;
  std::uint8_t quiet_proven;  ///< ghost, R9: a look after the last end showed nothing of anybody
  std::uint8_t events;
  std::array<std::uint8_t, most_events> backlog;
};

/// How far the proof of a death has got (core/switch/lnd/fence.h). clears: first a record of ours that is not a fence
/// is ended. fences_paid: lnd calls the hash paid, and its refusal is the proof.
enum class Proving : std::uint8_t { none, look_first, clears, fences, fences_paid, looks, holds };

struct Process {
  std::uint8_t alive;
  std::uint8_t collect_only;
  std::uint8_t fenced;  ///< proven dead in this process
  Proving proving;
  std::uint8_t of;           ///< whose mark the fence carries
  std::uint8_t guarded;      ///< attempts whose death is being proven
  std::uint8_t covered;      ///< attempts whose time was over when the fence was written
  std::uint8_t same_record;  ///< the record is still the one that the first look has shown
  LookOnWay look;
  std::array<ItemBytes, most_tries> items;
};

// --- the world ---

/// Byte by byte comparable; every unused byte is zero.
struct State {
  Store store;
  Node node;
  Process process;
  std::uint8_t deadlines;  ///< tries whose deadline has passed
  std::uint8_t drawn;      ///< ghost: how many ids were ever drawn
  std::uint8_t assumed;    ///< ghost: attempts that the operator called dead
  std::uint8_t paid;       ///< ghost, R13: a proof was committed
  std::uint8_t told;       ///< ghost, R5: attempts of which a process of ours was told that lnd has them
};
static_assert(std::has_unique_object_representations_v<State>, "states are compared byte by byte");

/// What may happen in one exploration.
struct Config {
  std::string name;
  unsigned tries = 1;
  unsigned attempts = 2;  ///< of one try
  unsigned ids = 2;       ///< of all tries
  unsigned numbers = 2;   ///< attempts in all
  unsigned max_parts = 1;
  bool secret = true;        ///< its hand-overs join a record that has room
  bool one_piece = true;     ///< there is a route for all that is missing
  bool two_steps = false;    ///< other moves may come between lnd's record of the payment and that of the HTLC
  bool half_way = false;     ///< lnd may refuse in between, and leave the record
  bool late_errands = true;  ///< a fence or a release whose sender is gone may still come
  bool lost_replies = false;
  bool disconnects = false;
  bool stale_looks = false;
  bool refusals = false;
  bool final_failures = false;
  bool gives_back = false;
  bool wrong_preimages = false;
  bool deadline = false;
  bool cancel = false;
  bool words = false;
  bool collect_only = false;
  bool heights = false;
  unsigned restarts = 0;
  bool orphans = false;
  bool foreign = false;
  bool other_checks = false;  ///< another database fences and releases, as often as it likes
  bool left_check = false;    ///< it fences once, and is never heard of again
  bool erases = false;
  bool deletes = false;       ///< failed records
  bool deletes_paid = false;  ///< paid ones too: then a hash can be paid twice
};

/// The bugs of a mutant: functions that replace the real ones, and checks around them that it leaves out.
struct Mutation {
  std::string name = "none";
  std::function<Decision(const Payment&, const TimedEvent&)> decide = paytower::decide;
  std::function<LookFinding(const Payment&, lnd::Sight, const StoreKnowledge&)> interpret =
      [](const Payment& payment, const lnd::Sight& sight, const StoreKnowledge& store) {
        return paytower::interpret(payment, sight, store);
      };
  bool same_again = false;       ///< hand-overs are repeated
  bool no_proof = false;         ///< an attempt whose time is over is dead, without a fence
  bool believes_answer = false;  ///< the fence's answer is believed, without a look
  bool no_hold = false;          ///< the record is looked at once
  bool no_hold_again = false;    ///< a fence that an earlier process has left is believed at once
  bool later_too = false;        ///< a fence also counts for attempts whose time was over only after it was written
  bool fresh_limit = false;      ///< the time limit is drawn when the request is written, not taken from the record
  bool limit_too_early = false;  ///< the record has an earlier limit than the request
  bool no_grace = false;         ///< a fence after the mere limit, without the grace, is a proof
};

/// Thrown when a state is broken: the name of the rule and what broke it.
struct Violation {
  std::string what;
};

// --- between bytes and the core's types (lnd_world.cpp) ---

[[nodiscard]] Payment payment_of(const Config& config, const Store& store, unsigned slot, std::uint8_t known_stop);
/// The inverse, for what the writes of one tick may change.
void store_payment(Store& store, unsigned slot, const Payment& payment);
[[nodiscard]] lnd::Sight sight_of(const State& state, const LookOnWay& look);
/// The attempts whose answer can still come.
[[nodiscard]] std::uint8_t waiting(const Node& node);
[[nodiscard]] lnd::Record record_of(const Store& store, const Record& record);
[[nodiscard]] AttemptKey key_of(const Store& store, unsigned number);
/// 0: none has this key.
[[nodiscard]] unsigned number_of(const Store& store, const AttemptKey& key);
/// The lowest number that names nothing yet.
[[nodiscard]] unsigned first_free(const Store& store);
[[nodiscard]] StoreKnowledge knowledge(const Store& store);
[[nodiscard]] StoreId store_name();
[[nodiscard]] Event event_of(const Store& store, std::uint8_t code);
[[nodiscard]] std::uint8_t code_of(const Store& store, const Event& what);
[[nodiscard]] std::string event_name(std::uint8_t code);
[[nodiscard]] SwitchKey switch_key();
[[nodiscard]] Route part_route(unsigned units);
[[nodiscard]] UnixNs lnd_time(Tick tick);
[[nodiscard]] std::uint32_t chain_height(std::uint8_t grown);
[[nodiscard]] UnixNs wall_time(const State& state, unsigned slot);
[[nodiscard]] bool has_open(const Store& store, unsigned slot);
[[nodiscard]] bool has_watched(const Store& store, unsigned slot);
[[nodiscard]] bool ended(const StoredTry& one);
[[nodiscard]] std::string describe(const State& state);
[[nodiscard]] State first_state();
/// Forgets what nothing can tell any more, and shortens the gaps between times that no rule can tell from longer ones
/// (lnd_normal.cpp).
void normalise(const Config& config, State& state);

[[nodiscard]] Item item_of(const Config& config, const State& state, unsigned slot);
void keep_item(State& state, unsigned slot, const Item& item);

// --- the store's constraints and triggers (lnd_store.cpp) ---

/// All writes or none. The refusal's code, or nothing when they are stored.
[[nodiscard]] std::optional<Errc> commit(const Config& config, State& state, unsigned slot,
                                         const std::vector<Write>& writes);
[[nodiscard]] std::optional<unsigned> newest(const Store& store);

// --- lnd (lnd_node.cpp) ---

[[nodiscard]] bool any_live(const Record& record);
[[nodiscard]] bool failed(Shown how);
/// True if lnd accepts the copy by its time and height.
[[nodiscard]] bool passes_check(const State& state, unsigned number);
/// True if the copy's time is over, so that lnd may say so.
[[nodiscard]] bool may_expire(const State& state, unsigned number);
/// True if an HTLC of this attempt may still be made. A paid record prevents that, unless somebody deletes it by hand.
[[nodiscard]] bool may_run(const State& state, unsigned number);
/// InitPayment of a copy, together with RegisterAttempt if nothing comes in between.
void begin_copy(const Config& config, State& state, unsigned number);
void register_copy(const Config& config, State& state, unsigned number);
/// A fence or a release: an attempt of 1 msat that fails at once. False when it was refused.
enum class CheckKind { fence, release, other_fence, other_release };
bool execute_check(State& state, CheckKind kind, unsigned number);
void end_htlc(const Config& config, State& state, unsigned owner, Shown how);
void restart(State& state, unsigned orphaned);
/// Sets the status, as lnd derives it from the HTLCs and from whether it has given up.
void update_status(Record& record);
void erase_failed(Record& record);

// --- invariants (lnd_invariants.cpp) ---

[[nodiscard]] std::optional<std::string> broken_rule(const Config& config, const State& state);
/// R8: what no step may do. Throws Violation.
void check_step(const State& before, const State& after);
/// Nothing tells any more what became of the open attempt: lnd has shown it, and its record is gone (R5); another
/// record that nothing runs in stands in its place, until lnd starts again; or lnd calls it in flight for ever, and has
/// never sent it.
[[nodiscard]] bool only_words_help(const State& state, unsigned number);
/// True if nothing is left to do: no process runs, and every try has ended, or only a decision by hand can end it.
/// Beside another user's proof an attempt may stay open: as long as lnd has their record, it accepts no fence.
[[nodiscard]] bool is_end(const State& state);
/// R9: shows nothing pending and nothing complete, of anybody.
[[nodiscard]] bool shows_nothing(const Record& record);

// --- moves (lnd_moves.cpp) ---

struct Step {
  std::string name;  ///< filled only for a trace
  State state;
  std::optional<std::string> broken;  ///< the rule that this step broke
};

class Moves {
 public:
  Moves(const Config& config, const Mutation& mutation) : config_(config), mutation_(mutation) {}

  /// Every state that one move leads to, in a fixed order. Names are made only when `named`.
  void from(const State& state, bool named, std::vector<Step>& out);

 private:
  template <typename Change> void move(const char* name, unsigned number, Change change);

  void process_moves();
  void start_moves();
  void item_moves(unsigned slot);
  void route_moves(unsigned slot);
  void answer_moves(unsigned slot, unsigned number);
  void adapter_moves();
  void look_moves();
  void people_moves();

  void copy_moves(unsigned number);
  void htlc_moves(unsigned owner);
  void errand_moves();
  void lnd_moves();
  void other_user_moves();

  const Config& config_;
  const Mutation& mutation_;
  const State* from_ = nullptr;
  std::vector<Step>* out_ = nullptr;
  bool named_ = false;
};

/// One process's steps on one state (lnd_step.cpp). What is around the item models core/driver/loop.h and lnd's
/// adapter.
class ProcessStep {
 public:
  ProcessStep(const Config& config, const Mutation& mutation, State& state)
      : config_(config), mutation_(mutation), state_(state) {}

  void send(unsigned slot);
  void resume(bool collect_only);
  /// A crash, or leaving: what was handed over goes on.
  void die();
  /// Questions will not be answered any more; hand-overs will.
  void disconnect();
  /// Hand-overs will not be answered either.
  void lose_lnd(std::uint8_t handed_over);
  void decide_front(unsigned slot);
  void do_committed_act(unsigned slot);
  void start_look(bool late);
  void execute_look();
  void receive_look();
  void receive_routes(unsigned slot, const std::vector<Route>& routes);
  /// The answer to the hand-over: refused, unclear, or the HTLC's end.
  void receive_dispatch(unsigned slot, unsigned number);
  /// The stream shows the HTLC for the first time.
  void see_accepted(unsigned slot, unsigned number);
  /// The stream shows its end, or that there is no record of it.
  void receive_query(unsigned slot, unsigned number);
  void lose_fence();
  void lose_release();
  void lose_clearing();
  /// The connection of one hand-over is lost.
  void lose_reply(unsigned slot, unsigned number);
  void doubt_silence(unsigned slot);
  void tell_deadline(unsigned slot);
  void see_foreign_decisions(unsigned slot);
  /// Decisions of another process: cancel, resolve.
  void say(const Event& word);

  // the adapter
  void begin_proof();
  void cleared();
  void fence_answered();
  void look_after_fence();
  void look_after_hold();
  void release_answered();

 private:
  [[nodiscard]] ItemBytes& bytes(unsigned slot) { return state_.process.items[slot]; }
  [[nodiscard]] Item item(unsigned slot) const { return item_of(config_, state_, slot); }
  [[nodiscard]] ItemContext context(unsigned slot) const;
  template <typename Change> void change(unsigned slot, Change how);
  void keep(unsigned slot, const Item& one) { keep_item(state_, slot, one); }
  void decide_first(unsigned slot, Item one);
  void note_told(const Event& cause);
  void note_written(unsigned slot, const Decision& decision);
  void refused(unsigned slot, Item one, Event cause, const Decision& decision);
  void reload(unsigned slot, Item one);
  void act(unsigned slot, Item one, const Decision& decision);
  void fulfil(unsigned slot, Item one, const Wishes& wishes);
  void ask_for_routes(unsigned slot, Item& one, const AskForRoutes& wish);
  void hand_over(unsigned slot, unsigned number);
  void check_release(unsigned slot) const;
  void conclude(unsigned slot, Item one, const LookOnWay& look, MonoNs asked);
  void write_fence(Proving how);
  void cover(UnixNs fenced_at);
  [[nodiscard]] bool take_standing(const lnd::Record& record);
  [[nodiscard]] bool is_in_way(const lnd::Record& record) const;
  [[nodiscard]] UnixNs dies_at(unsigned number) const;
  [[nodiscard]] std::uint8_t held() const;
  void answer_proof(std::uint8_t dead);
  void answer(unsigned slot, const DispatchAnswer& what);
  void finish(unsigned slot);
  void drop_questions();

  const Config& config_;
  const Mutation& mutation_;
  State& state_;
};

/// All states that can be reached. Stops at the first broken rule. `ways_out`: also R17, that every state reaches an
/// end.
[[nodiscard]] model::Exploration explore(const Config& config, const Mutation& mutation = {}, bool ways_out = true);

}  // namespace paytower::lnd_model
