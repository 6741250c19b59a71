// The model check's world around a Core Lightning node, as bytes: what is committed, what the switch shows, and what is
// true. Own attempts are 1 to 5; 6 is another user of the node. Without parts an attempt's id is its number. With parts
// several share an id, and Name says what a number stands for.
#pragma once

#include <type_traits>

#include "core/switch/cln/evidence.h"
#include "tests/model/moves.h"
#include "tests/model/step.h"

namespace paytower::cln_model {

using namespace model;

inline constexpr unsigned most_ids = 5;    ///< own attempts in all tries together
inline constexpr unsigned foreign_id = 6;  ///< the other user of the node
inline constexpr unsigned most_htlcs = 6;
inline constexpr std::uint8_t no_mark = 0xFF;  ///< an adopted attempt has no marks

/// What the number of an attempt means, which never changes.
struct Name {
  std::uint16_t fee;   ///< msat
  std::uint8_t round;  ///< its id; 0: the number is not used yet
  std::uint8_t part;
  std::uint8_t units;
  std::uint8_t none;
};
using Names = std::array<Name, foreign_id + 1>;

// --- what is committed ---

struct StoredAttempt {
  Outcome outcome;
  std::uint8_t owner;  ///< its try
  std::uint8_t run;    ///< of the switch, for every copy; 0 if runs cannot be told apart
  MarkBytes marks;
};

struct Store {
  static constexpr unsigned most = most_ids;
  static constexpr unsigned foreign = foreign_id;
  /// If an earlier process drew the id, it is never an only copy (R3).
  static constexpr bool counts_every_copy = false;

  std::array<StoredTry, most_tries> tries;
  std::array<StoredAttempt, most_ids + 1> attempts;  ///< by id; 0 is unused
  std::uint8_t guard;                                ///< GuardKind, 0 is none
  std::uint8_t deleted_up_to;
  Names names;  ///< not stored in reality: what the numbers above mean, also of deleted attempts
};

// --- the switch ---

enum class RowKind : std::uint8_t {
  none,
  pending,
  complete,
  complete_wrong,
  failed_retry,
  failed_final,
  fence,
  fence_pending,
  failed_mpp
};
[[nodiscard]] inline bool is_complete(RowKind kind) {
  return kind == RowKind::complete || kind == RowKind::complete_wrong;
}
/// taken: the payee has accepted the set, which will settle. returning: it gave the set back, which will fail.
enum class Truth : std::uint8_t { none, locked, settled, failed, taken, returning };

/// What a look shows.
struct Visible {
  std::array<RowKind, foreign_id + 1> rows;     ///< by id
  std::array<std::uint8_t, most_htlcs> owner;   ///< id, 0: no such HTLC
  std::array<std::uint8_t, most_htlcs> listed;  ///< created_index, 0: not listed (any more)
  std::array<std::uint8_t, most_htlcs> finished;
  std::array<std::uint8_t, most_htlcs> debit;  ///< movement index, 0 is none
  MarkBytes now;
};

struct Requests {
  std::uint8_t live;      ///< copies on the connection of the running process
  std::uint8_t detached;  ///< copies whose sender has gone: executed late, or never
  std::uint8_t fence_live;
  std::uint8_t fence_detached;
  std::uint8_t reply;        ///< 1 accepted, 2 not sent, 3 look
  std::uint8_t fence_reply;  ///< 1 fenced, 2 look, 3 barred
};

struct Node {
  Visible seen;
  std::uint8_t run;  ///< of its process
  std::array<Truth, most_htlcs> truth;
  std::array<Requests, most_ids + 1> requests;
};

// --- one process: all of it is lost in a crash ---

struct LookOnWay {
  LookStage stage;
  std::uint8_t after_end;  ///< ghost: tries that had no open attempt when it was executed
  Visible shown;
};

struct Process {
  std::uint8_t alive;
  std::uint8_t collect_only;
  std::uint8_t known;  ///< attempts that the store knew when the hash was locked
  std::uint8_t deleted_up_to;
  std::uint8_t highest;
  LookOnWay look;                           ///< one for each hash at a time
  std::array<ItemBytes, most_tries> items;  ///< by try
};

// --- the world ---

/// What a state has besides its large parts.
struct Rest {
  std::uint8_t copied;     ///< 1: a copy was made, 2: it was restored
  std::uint8_t deadlines;  ///< tries whose deadline has passed
  std::uint8_t aged;       ///< tries whose open parts are so old that none is added
  std::uint8_t node_restored;
  std::uint8_t drawn;    ///< ghost: how many ids were ever drawn
  std::uint8_t used;     ///< ghost, R12: ids that were ever registered
  std::uint8_t assumed;  ///< ghost: attempts that the operator marked as failed
  std::uint8_t paid;     ///< ghost, R13: a proof was committed
};

/// Byte by byte comparable; every unused byte is zero.
struct State : Rest {
  Store store;
  Store copy;  ///< an old copy of the database
  Node node;
  Process process;
};
static_assert(std::has_unique_object_representations_v<State>, "states are compared byte by byte");

/// What may happen in one exploration.
struct Config {
  std::string name{};
  unsigned tries = 1;
  unsigned attempts = 2;  ///< of one try
  unsigned ids = 2;       ///< of all tries
  /// Requests of one id in buffers: this many on the connection, and as many detached from it.
  unsigned copies = 1;
  unsigned max_parts = 1;      ///< above 1: the payment has a secret, and amounts tell its HTLCs apart
  unsigned numbers = 0;        ///< with parts: attempts in all, of all rounds
  bool polite_payee = false;   ///< accepts only a whole set, and all of it; otherwise any part at any time
  bool gives_back = false;     ///< MPP_TIMEOUT for each part of a set that is not whole
  bool dear_parts = false;     ///< some routes cost more than half of the fee limit
  bool aging = false;          ///< a set may get so old that no part is added
  bool restarts = false;       ///< the node is killed once, also while it makes an HTLC
  unsigned foreign_units = 2;  ///< what the other user pays
  bool one_piece = true;       ///< the switch finds a route for all that is missing
  bool foreign = false;
  bool final_failures = false;
  bool refusals = false;  ///< NOT-SENT answers
  bool lost_replies = false;
  bool disconnects = false;
  bool stale_looks = false;  ///< a look's answer is under way while the world goes on
  bool batches = false;      ///< several answers in one poll
  bool deadline = false;
  bool cancel = false;
  bool collect_only = false;
  bool erase_rows = false;
  bool erase_lists = false;
  bool orphans = false;
  bool fence_faults = false;
  bool wrong_preimages = false;
  bool words = false;
  bool deletes = false;
  bool node_restored = false;
  bool old_copies = false;
  bool no_debits = false;           ///< the switch keeps no list of movements (Core Lightning before 25.09)
  bool contract_only = false;       ///< the switch refuses nothing but a known id: less than Core Lightning does
  bool clock_stands = false;        ///< ids grow by what the store knows alone (R12)
  bool erase_under_copies = false;  ///< breaks an assumption: see Moves::erase
};

/// Seeds a known bug, in the test alone.
struct Mutation {
  std::string name = "none";
  CoreCalls<State, cln::NodeLists> calls{};
  bool init_unchecked = false;    ///< the store takes every InitPayment, and admission asks nobody
  bool delete_forgets = false;    ///< no guard, and deleted ids are not remembered
  bool delete_in_flight = false;  ///< what is open can be deleted
  bool old_round = false;         ///< a new round gets the id of the last one
};

struct World {
  using Config = cln_model::Config;
  using Mutation = cln_model::Mutation;
  using State = cln_model::State;
  using Rest = cln_model::Rest;
  using LookOnWay = cln_model::LookOnWay;
  using Process = class DriverStep;
  using Moves = class ClnMoves;
};

// --- between bytes and the core's types (cln_world.cpp) ---

[[nodiscard]] inline bool has_parts(const Config& config) { return config.max_parts > 1; }
[[nodiscard]] inline bool has_secret(const Config& config) { return has_parts(config); }
/// The highest number that is ever used.
[[nodiscard]] unsigned last_number(const Config& config);
/// The id and the part that a number means.
[[nodiscard]] AttemptKey key_of(const Store& store, unsigned number);
/// 0: no number means this key.
[[nodiscard]] unsigned number_of(const Store& store, const AttemptKey& key);
[[nodiscard]] unsigned round_of(const Store& store, unsigned number);
[[nodiscard]] unsigned units_of(const Store& store, unsigned number);
/// The lowest number that is not used yet.
[[nodiscard]] unsigned first_free(const Store& store);
[[nodiscard]] Attempt attempt_of(const Store& store, unsigned number);
void store_attempt(Store& store, unsigned slot, const AttemptKey& key, const Attempt& attempt);
[[nodiscard]] cln::NodeLists look_result(const Config& config, const State& state, const Visible& shown);
/// The name of a run of the switch's process; empty if runs cannot be told apart.
[[nodiscard]] const std::string& run_name(std::uint8_t run);
[[nodiscard]] StoreKnowledge knowledge(const Store& store, std::uint8_t known, std::uint8_t deleted_up_to);
[[nodiscard]] Event event_of(const State& state, std::uint8_t code);
[[nodiscard]] std::uint8_t code_of(const Store& store, const Event& what);
[[nodiscard]] Marks node_marks(const State& state, const MarkBytes& bytes);
void keep_node_marks(const State& state, const Marks& marks, MarkBytes& bytes);
[[nodiscard]] UnixNs wall_time(const State& state, unsigned slot);
[[nodiscard]] std::string describe(const State& state);
[[nodiscard]] State first_state(const Config& config);
/// Every byte of this world tells states apart.
inline void normalise(const Config& /*config*/, State& /*state*/) {}

// --- the store's constraints and triggers (cln_store.cpp) ---

/// All writes or none. The refusal's code, or nothing when they are stored.
[[nodiscard]] std::optional<Errc> commit(const Config& config, const Mutation& mutation, State& state, unsigned slot,
                                         const std::vector<Write>& writes);
[[nodiscard]] std::optional<GuardKind> guard_of(const Store& store);
/// R12 and the rules of rounds.
void check_new_id(const Config& config, const State& state, unsigned slot, const Attempt& attempt);
void delete_try(const Mutation& mutation, Store& store, unsigned slot);
[[nodiscard]] std::uint8_t known_ids(const Store& store);
/// True if the attempt begins a round, by what is stored before it: no open attempt has its id, and no orphan.
[[nodiscard]] bool begins_round(const Store& store, unsigned slot, const Attempt& attempt);
/// resolve --restored (cln_restored.cpp).
void adopt_restored(const Config& config, const Mutation& mutation, State& state);

// --- the switch (cln_node.cpp) ---

enum class SendAs { accept, refuse, orphan };
/// Executes one copy of a hand-over and returns the answer (Requests::reply).
std::uint8_t execute_send(const Config& config, State& state, unsigned id, SendAs how);
/// True if the node is free to choose its answer to a hand-over of `id`, because no row decides it.
[[nodiscard]] bool free_to_choose(const Config& config, const State& state, unsigned id);
/// True if a copy of a hand-over would make an HTLC, now or later. As long as another part has a complete row, it does
/// not (201): see ClnMoves::erase_moves.
[[nodiscard]] bool copy_may_run(const Config& config, const State& state, unsigned id);
enum class FenceAs { take, refuse, orphan };
std::uint8_t execute_fence(const Config& config, State& state, unsigned id, FenceAs how);
void finish_htlc(Node& node, unsigned index, Truth end, RowKind row);
void start_foreign(Node& node);
void erase(Node& node, unsigned id, bool lists);
/// The present counters; a restored node counts from the beginning again.
[[nodiscard]] unsigned htlcs_made(const Node& node);

// --- invariants (cln_invariants.cpp) ---

/// R2, R3, R5, R7, R8, R9 as far as they can be read off one state. The broken rule, or nothing.
[[nodiscard]] std::optional<std::string> broken_rule(const Config& config, const State& state);
/// R8, R12, R13: what no step may do. Throws Violation.
void check_step(const State& before, const State& after);
/// True if nothing is left to do: every try has ended, and no process runs. Beside a proof an attempt may be open as
/// long as the switch has another user's complete row, because it accepts no fence then: the operator can close it by
/// hand.
[[nodiscard]] bool is_end(const Config& config, const State& state);
/// R9: shows nothing pending and nothing complete, of anybody.
[[nodiscard]] bool shows_nothing(const Visible& shown);

// --- the process and its moves (cln_step.cpp, cln_moves.cpp) ---

class DriverStep final : public ProcessStep<World> {
 public:
  using ProcessStep::ProcessStep;

  void receive_dispatch(unsigned slot, unsigned id);
  void receive_fence(unsigned slot, unsigned id);
  void receive_query(unsigned slot, unsigned id);

 private:
  [[nodiscard]] ItemContext context(unsigned slot) const override;
  void remember_store() override;
  [[nodiscard]] Created what_is_known() const override;
  void check_new_round(unsigned slot, const Decision& decision) const override;
  void note_written(unsigned slot, const Decision& decision) override;
  void ask_for_routes(unsigned slot, Item& one, const AskForRoutes& wish) override;
  void check_handover(unsigned slot, unsigned number) const override;
  void hand_over(unsigned number) override;
  void fence(unsigned number) override;
  void release(unsigned slot) override;
  void take_routes(unsigned slot, Item one, const TakeRoutes& take) override;
  void drop_connection() override;
  void copy_shown(LookOnWay& look) const override { look.shown = state_.node.seen; }
  [[nodiscard]] LookFinding interpret(const Payment& payment, const LookOnWay& look) const override;
  void alarm() override { die(); }
  [[nodiscard]] bool called_dead(Outcome now) const override { return now == Outcome::assumed_failed; }

  void name_parts(const RoutesReady& ready);
  [[nodiscard]] unsigned draw();
};

class ClnMoves final : public Moves<World> {
 public:
  using Moves::Moves;

 private:
  void world_moves() override;
  void people_moves() override;
  void route_moves(unsigned slot) override;
  void answer_moves(unsigned slot, unsigned number) override;
  [[nodiscard]] bool several_at_once() const override { return config_.batches; }
  [[nodiscard]] bool has_ids_left() const override { return next_id() <= config_.ids || mutation_.old_round; }
  [[nodiscard]] std::vector<unsigned> route_fees() const override;

  [[nodiscard]] unsigned next_id() const;
  void node_moves();
  void request_moves(unsigned id);
  void htlc_moves();
  void payee_moves();
  void restart_moves();
  void erase_moves();
  void store_moves();
};

/// Explores all reachable states, and stops at the first broken rule. `ways_out`: also checks R17, that every state can
/// reach an end.
[[nodiscard]] Exploration explore(const Config& config, const Mutation& mutation = {}, bool ways_out = true);

}  // namespace paytower::cln_model
