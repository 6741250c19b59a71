// The model check's world around lnd, as bytes: what is committed, lnd's one record of the hash, the requests that are
// on their way to it, and what is true. Own attempts are 1 to 3.
//
// Times are ticks of lnd's clock, of 35 s each: a hand-over that is registered in tick r is taken in tick r, may be
// taken or refused in tick r + 1 (its time is over, and the clock may be set back a little), and is refused from tick
// r + 2 on. Gaps that no rule can tell from longer ones are shortened, so that time goes on without end.
#pragma once

#include <type_traits>

#include "core/switch/lnd/evidence.h"
#include "tests/model/moves.h"
#include "tests/model/step.h"

namespace paytower::lnd_model {

using namespace model;

inline constexpr unsigned most_numbers = 3;  ///< own attempts in all tries together
inline constexpr unsigned foreign = 4;       ///< the other user of the node, where owners are counted
inline constexpr std::int64_t tick_ns = 35 * ns_per_second;

using Tick = std::uint8_t;  ///< 0: none

// --- what is committed ---

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

struct Store {
  static constexpr unsigned most = most_numbers;
  static constexpr unsigned foreign = lnd_model::foreign;
  static constexpr bool counts_every_copy = true;

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
  LookStage stage;
  std::uint8_t after_end;  ///< ghost: tries that had no open attempt when it was executed
  std::uint8_t waiting;    ///< attempts whose answer could still come then
  std::uint8_t fenced;     ///< attempts that were proven dead then
  Record shown;
  Tick clock;
  std::uint8_t height;
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

/// What a state has besides its large parts.
struct Rest {
  std::uint8_t deadlines;  ///< tries whose deadline has passed
  std::uint8_t drawn;      ///< ghost: how many ids were ever drawn
  std::uint8_t assumed;    ///< ghost: attempts that the operator called dead
  std::uint8_t paid;       ///< ghost, R13: a proof was committed
  std::uint8_t told;       ///< ghost, R5: attempts of which a process of ours was told that lnd has them
  std::uint8_t none[3];
};

/// Byte by byte comparable; every unused byte is zero.
struct State : Rest {
  Store store;
  Node node;
  Process process;
};
static_assert(std::has_unique_object_representations_v<State>, "states are compared byte by byte");

/// What may happen in one exploration.
struct Config {
  std::string name{};
  unsigned tries = 1;
  unsigned attempts = 1;  ///< of one try
  unsigned ids = 1;       ///< of all tries
  unsigned numbers = 1;   ///< attempts in all
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
  CoreCalls<State, lnd::Sight> calls{};
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

struct World {
  using Config = lnd_model::Config;
  using Mutation = lnd_model::Mutation;
  using State = lnd_model::State;
  using Rest = lnd_model::Rest;
  using LookOnWay = lnd_model::LookOnWay;
  using Process = class LndStep;
  using Moves = class LndMoves;
};

// --- between bytes and the core's types (lnd_world.cpp) ---

[[nodiscard]] inline bool has_secret(const Config& config) { return config.secret; }
[[nodiscard]] lnd::Sight sight_of(const State& state, const LookOnWay& look);
/// The attempts whose answer can still come.
[[nodiscard]] std::uint8_t waiting(const Node& node);
[[nodiscard]] lnd::Record record_of(const Store& store, const Record& record);
[[nodiscard]] AttemptKey key_of(const Store& store, unsigned number);
/// 0: none has this key.
[[nodiscard]] unsigned number_of(const Store& store, const AttemptKey& key);
[[nodiscard]] unsigned round_of(const Store& store, unsigned number);
[[nodiscard]] unsigned units_of(const Store& store, unsigned number);
/// The lowest number that names nothing yet.
[[nodiscard]] unsigned first_free(const Store& store);
[[nodiscard]] Attempt attempt_of(const Store& store, unsigned number);
void store_attempt(Store& store, unsigned slot, const AttemptKey& key, const Attempt& attempt);
[[nodiscard]] StoreKnowledge knowledge(const Store& store);
[[nodiscard]] Event event_of(const State& state, std::uint8_t code);
[[nodiscard]] std::uint8_t code_of(const Store& store, const Event& what);
[[nodiscard]] inline Marks node_marks(const State& /*state*/, const MarkBytes& /*bytes*/) { return {}; }
inline void keep_node_marks(const State& /*state*/, const Marks& /*marks*/, MarkBytes& /*bytes*/) {}
[[nodiscard]] UnixNs lnd_time(Tick tick);
[[nodiscard]] std::uint32_t chain_height(std::uint8_t grown);
[[nodiscard]] UnixNs wall_time(const State& state, unsigned slot);
[[nodiscard]] std::string describe(const State& state);
[[nodiscard]] State first_state(const Config& config);
/// Forgets what nothing can tell any more, and shortens the gaps between times that no rule can tell from longer ones
/// (lnd_normal.cpp).
void normalise(const Config& config, State& state);

// --- the store's constraints and triggers (lnd_store.cpp) ---

/// All writes or none. The refusal's code, or nothing when they are stored.
[[nodiscard]] std::optional<Errc> commit(const Config& config, const Mutation& mutation, State& state, unsigned slot,
                                         const std::vector<Write>& writes);
/// Nothing is deleted.
[[nodiscard]] inline std::optional<GuardKind> guard_of(const Store& /*store*/) { return std::nullopt; }
/// R12.
void check_new_id(const Config& config, const State& state, unsigned slot, const Attempt& attempt);

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
[[nodiscard]] bool is_end(const Config& config, const State& state);
/// R9: shows nothing pending and nothing complete, of anybody.
[[nodiscard]] bool shows_nothing(const Record& record);

// --- the process and its moves (lnd_step.cpp, lnd_moves.cpp) ---

/// The adapter's steps model core/switch/lnd/fence.cpp.
class LndStep final : public ProcessStep<World> {
 public:
  using ProcessStep::ProcessStep;

  void die() override;
  void look(bool late) override;
  /// Hand-overs will not be answered either.
  void lose_lnd(std::uint8_t handed_over);
  /// The answer to the hand-over: refused, unclear, or the HTLC's end.
  void receive_dispatch(unsigned slot, unsigned number);
  /// The stream shows the HTLC for the first time.
  void see_accepted(unsigned slot, unsigned number);
  /// The stream shows its end, or that there is no record of it.
  void receive_query(unsigned slot, unsigned number);
  /// The connection of one hand-over is lost.
  void lose_reply(unsigned slot, unsigned number);

  void begin_proof();
  void cleared();
  void fence_answered();
  void look_after_fence();
  void look_after_hold();
  void release_answered();
  void lose_fence();
  void lose_release();
  void lose_clearing();

 private:
  [[nodiscard]] ItemContext context(unsigned slot) const override;
  void note_told(const Event& cause) override;
  void check_new_round(unsigned slot, const Decision& decision) const override;
  void hand_over(unsigned number) override;
  void fence(unsigned number) override;
  void release(unsigned slot) override;
  void take_routes(unsigned slot, Item one, const TakeRoutes& take) override;
  void drop_connection() override;
  void copy_shown(LookOnWay& look) const override;
  [[nodiscard]] LookFinding interpret(const Payment& payment, const LookOnWay& look) const override;
  void alarm() override { throw Violation{"R12: an alarm, although no copy is old and no HTLC doubled"}; }
  [[nodiscard]] bool called_dead(Outcome now) const override {
    return now == Outcome::assumed_failed || now == Outcome::written_off;
  }

  void write_fence(Proving how);
  void cover(UnixNs fenced_at);
  [[nodiscard]] bool take_standing(const lnd::Record& record);
  [[nodiscard]] bool is_in_way(const lnd::Record& record) const;
  [[nodiscard]] UnixNs dies_at(unsigned number) const;
  [[nodiscard]] std::uint8_t held() const;
  void answer_proof(std::uint8_t dead);
  void answer(unsigned slot, const DispatchAnswer& what);
};

class LndMoves final : public Moves<World> {
 public:
  using Moves::Moves;

 private:
  void world_moves() override;
  void clock_moves() override;
  void adapter_moves() override;
  void answer_moves(unsigned slot, unsigned number) override;
  /// A look waits until a release has ended.
  [[nodiscard]] bool may_look() const override { return from_->node.release == Errand::none; }

  void copy_moves(unsigned number);
  void htlc_moves(unsigned owner);
  void errand_moves();
  void lnd_moves();
  void other_user_moves();
};

/// All states that can be reached. Stops at the first broken rule. `ways_out`: also R17, that every state reaches an
/// end.
[[nodiscard]] Exploration explore(const Config& config, const Mutation& mutation = {}, bool ways_out = true);

}  // namespace paytower::lnd_model
