// The model check's world as bytes: what is committed, what one process has in memory, what the switch shows, and what
// is true. One payment hash; own attempts are numbered 1 to 5, in order of their making; 6 is another user of the node.
// Without parts an attempt's id is its number. With parts several share an id, and Name says what a number stands for.
//
// Only the surroundings are modelled. Decisions are taken by the real decide(), apply() and interpret(), and what
// answers and decisions make of a payment on its way by the real functions of core/driver/item.h: on real Payments and
// Items, which are built from these bytes and written back into them.
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
#include "core/switch/cln/evidence.h"

namespace paytower::cln_model {

inline constexpr unsigned most_ids = 5;    ///< own attempts in all tries together
inline constexpr unsigned foreign_id = 6;  ///< the other user of the node
inline constexpr unsigned most_htlcs = 6;
inline constexpr unsigned most_tries = 2;      ///< rows of `payments` of the hash, deleted ones included
inline constexpr unsigned most_events = 6;     ///< backlog of one item
inline constexpr std::uint8_t no_mark = 0xFF;  ///< an adopted attempt has no marks

inline constexpr unsigned all_units = 2;  ///< the payment's amount, in units of the smallest part

/// Ids as a set.
[[nodiscard]] constexpr std::uint8_t bit(unsigned id) { return static_cast<std::uint8_t>(1U << id); }

/// payments_created, htlcs_created, htlcs_deleted, movements_created.
using MarkBytes = std::array<std::uint8_t, 4>;

/// With parts: what the number of an attempt means, which never changes.
struct Name {
  std::uint16_t fee;   ///< msat
  std::uint8_t round;  ///< its id; 0: the number is not used yet
  std::uint8_t part;
  std::uint8_t units;
  std::uint8_t none;
};
using Names = std::array<Name, foreign_id + 1>;

// --- what is committed ---

/// given_back: failed by MPP_TIMEOUT; never_sent: failed as a proven orphan.
enum class Outcome : std::uint8_t {
  absent,
  open,
  settled,
  failed,
  assumed_failed,
  written_off,
  preimage_lost,
  given_back,
  never_sent
};
enum class RowStand : std::uint8_t { unused, stored, deleted };
enum class Proof : std::uint8_t { none, preimage, late };

struct StoredAttempt {
  Outcome outcome;
  std::uint8_t owner;  ///< its try
  std::uint8_t run;    ///< of the switch, for every copy; 0 if runs cannot be told apart
  MarkBytes marks;
};

/// Reasons and notes are stored as 1 + value; 0 is none.
struct StoredTry {
  RowStand stand;
  std::uint8_t stop;
  std::uint8_t fail;
  Proof proof;
  std::uint8_t note;
  std::uint8_t foreign;  ///< a foreign attempt carries the proof
};

struct Store {
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

enum class LookStage : std::uint8_t { none, asked, answered };

struct LookOnWay {
  LookStage stage;
  std::uint8_t after_end;  ///< ghost: tries that had no open attempt when it was executed
  Visible shown;
};

/// One payment on its way: core/driver/item.h, struct Item. Its payment is the stored one, except for the stop wish.
/// Times are left out: what is due is a move.
struct ItemBytes {
  std::uint8_t active;
  std::uint8_t known_stop;  ///< the stop wish as in memory: another process's cancel comes later
  std::uint8_t looking;
  std::uint8_t look_outdated;
  std::uint8_t look_wanted;  ///< with `looking`: again
  std::uint8_t look_late;    ///< it was asked for a minute after everything that had happened
  std::uint8_t asking;       ///< 2: the answer will be dropped
  std::uint8_t asked_units;  ///< what the question for routes is about
  std::uint8_t asked_parts;
  std::uint8_t asked_round;  ///< beside the orphans of this one
  std::uint8_t ask_again;
  std::uint8_t ask_again_round;
  std::uint8_t deadline_told;
  std::uint8_t drawn;      ///< ids that this process drew
  std::uint8_t sent_once;  ///< drawn ids with exactly one copy written
  std::uint8_t sent_more;
  std::uint8_t unanswered;
  std::uint8_t querying;
  std::uint8_t orphans;  ///< shown as pending without an HTLC by every look for some time
  std::uint8_t barred;
  std::uint8_t act;           ///< committed and not yet done: 1 dispatch, 2 fence
  std::uint8_t act_ids;       ///< of these, in their order
  std::uint8_t quiet_proven;  ///< ghost, R9: a look after the last end showed nothing of anybody
  std::uint8_t events;
  std::array<std::uint8_t, most_events> backlog;
  MarkBytes marks;
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

/// Byte by byte comparable; every unused byte is zero.
struct State {
  Store store;
  Store copy;  ///< an old copy of the database
  Node node;
  Process process;
  std::uint8_t copied;     ///< 1: a copy was made, 2: it was restored
  std::uint8_t deadlines;  ///< tries whose deadline has passed
  std::uint8_t aged;       ///< tries whose open parts are so old that none is added
  std::uint8_t node_restored;
  std::uint8_t drawn;    ///< ghost: how many ids were ever drawn
  std::uint8_t used;     ///< ghost, R12: ids that were ever registered
  std::uint8_t assumed;  ///< ghost: attempts that the operator marked as failed
  std::uint8_t paid;     ///< ghost, R13: a proof was committed
};
static_assert(std::has_unique_object_representations_v<State>, "states are compared byte by byte");

/// What may happen in one exploration.
struct Config {
  std::string name;
  unsigned tries = 1;
  unsigned attempts = 2;  ///< of one try
  unsigned ids = 2;       ///< of all tries
  /// Requests of one id in buffers: this many on the connection, and as many detached from it.
  unsigned copies = 2;
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

/// The functions of core/driver/item.h that a mutant wraps, to change the item before or after the real call; and some
/// around them.
struct ItemCalls {
  std::function<Wishes(Item&, const RouteAnswer&, const State&)> route_came =
      [](Item& item, const RouteAnswer& answer, const State&) { return on(item, answer); };
  std::function<void(Item&, const DispatchAnswer&, const ItemContext&)> dispatch_came =
      [](Item& item, const DispatchAnswer& answer, const ItemContext& at) { on(item, answer, at); };
  std::function<NextRoutes(const Payment&, std::uint32_t, const State&)> next_routes =
      [](const Payment& payment, std::uint32_t most, const State&) {
        return paytower::next_routes(payment, most, QuestionContext{});
      };
  std::function<LookFinding(const Payment&, const cln::NodeLists&, const StoreKnowledge&)> interpret =
      paytower::interpret;
  std::function<Wishes(Item&, const Decision&, const ItemContext&)> perform = paytower::perform;
  std::function<std::optional<MonoNs>(Item&, const ItemContext&)> look_came = paytower::look_came;
};

/// Seeds a known bug, in the test alone.
struct Mutation {
  std::string name = "none";
  std::function<Decision(const Payment&, const TimedEvent&, const State&)> decide = nullptr;
  ItemCalls calls{};
  bool init_unchecked = false;    ///< the store takes every InitPayment, and admission asks nobody
  bool delete_forgets = false;    ///< no guard, and deleted ids are not remembered
  bool delete_in_flight = false;  ///< what is open can be deleted
  bool old_round = false;         ///< a new round gets the id of the last one
};

// --- between bytes and the core's types (cln_world.cpp) ---

/// Thrown when a state is broken: the name of the rule and what broke it.
struct Violation {
  std::string what;
};

/// A try as a Payment. `known_stop`: the stop wish that the reader has in memory.
[[nodiscard]] Payment payment_of(const Config& config, const Store& store, unsigned slot, std::uint8_t known_stop);
/// The inverse, for what the writes of one tick may change.
void store_payment(const Config& config, Store& store, unsigned slot, const Payment& payment);
[[nodiscard]] cln::NodeLists look_result(const Config& config, const State& state, const Visible& shown);
[[nodiscard]] bool has_parts(const Config& config);
/// The highest number that is ever used.
[[nodiscard]] unsigned last_number(const Config& config);
/// The id and the part that a number means.
[[nodiscard]] AttemptKey key_of(const Config& config, const Names& names, unsigned number);
/// 0: no number means this key.
[[nodiscard]] unsigned number_of(const Config& config, const Names& names, const AttemptKey& key);
[[nodiscard]] unsigned round_of(const Config& config, const Names& names, unsigned number);
[[nodiscard]] unsigned units_of(const Config& config, const Names& names, unsigned number);
[[nodiscard]] Msat fee_limit();
/// The lowest number that is not used yet.
[[nodiscard]] unsigned first_free(const Names& names);
/// The name of a run of the switch's process; empty if runs cannot be told apart.
[[nodiscard]] const std::string& run_name(std::uint8_t run);
[[nodiscard]] StoreKnowledge knowledge(const Config& config, const Names& names, std::uint8_t known,
                                       std::uint8_t deleted_up_to);
[[nodiscard]] Event event_of(const Config& config, const State& state, std::uint8_t code);
[[nodiscard]] std::uint8_t code_of(const Config& config, const Names& names, const Event& what);
[[nodiscard]] std::string event_name(std::uint8_t code);
[[nodiscard]] SwitchKey switch_key();
[[nodiscard]] StoreId store_name();
[[nodiscard]] Route route();
/// A route for a part.
[[nodiscard]] Route part_route(unsigned units, unsigned fee);
[[nodiscard]] Marks marks_of(const MarkBytes& bytes);
[[nodiscard]] MarkBytes mark_bytes(const Marks& marks);
[[nodiscard]] UnixNs time_of(const State& state, unsigned slot);
[[nodiscard]] bool has_open(const Store& store, unsigned slot);
[[nodiscard]] bool has_watched(const Store& store, unsigned slot);
[[nodiscard]] bool ended(const StoredTry& one);
[[nodiscard]] std::string describe(const State& state);
[[nodiscard]] State first_state(const Config& config);

// --- between bytes and an item (cln_item_bytes.cpp) ---

[[nodiscard]] Item item_of(const Config& config, const State& state, unsigned slot);
/// The inverse, for what the driver's functions may change; the model's own bytes stay. Throws Violation when the
/// payment in memory is not the one that is stored.
void keep_item(const Config& config, State& state, unsigned slot, const Item& item);

// --- the store's constraints and triggers (cln_store.cpp) ---

/// All writes or none. The refusal's code, or nothing when they are stored.
[[nodiscard]] std::optional<Errc> commit(const Config& config, const Mutation& mutation, State& state, unsigned slot,
                                         const std::vector<Write>& writes);
/// The try that decides about a new one: db/payments/store.cpp, newest().
[[nodiscard]] std::optional<unsigned> newest(const Store& store);
void delete_try(const Config& config, const Mutation& mutation, Store& store, unsigned slot);
[[nodiscard]] std::uint8_t known_ids(const Store& store);
/// True if the attempt begins a round, by what is stored before it: no open attempt has its id, and no orphan.
[[nodiscard]] bool begins_round(const Config& config, const Store& store, unsigned slot, const Attempt& attempt);
/// resolve --restored (cln_restored.cpp).
void adopt_restored(const Config& config, const Mutation& mutation, State& state);

// --- the switch (cln_node.cpp) ---

enum class SendAs { accept, refuse, orphan };
/// Executes one copy of a hand-over and returns the answer (Requests::reply).
std::uint8_t execute_send(const Config& config, const Names& names, Node& node, unsigned id, SendAs how);
/// True if the node is free to choose its answer to a hand-over of `id`, because no row decides it.
[[nodiscard]] bool free_to_choose(const Config& config, const Names& names, const Node& node, unsigned id);
/// True if a copy of a hand-over would make an HTLC, now or later. As long as another part has a complete row, it does
/// not (201): see Moves::erase_moves.
[[nodiscard]] bool copy_may_run(const Config& config, const Names& names, const Node& node, unsigned id);
enum class FenceAs { take, refuse, orphan };
std::uint8_t execute_fence(const Config& config, const Names& names, Node& node, unsigned id, FenceAs how);
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

// --- moves (cln_moves.cpp, cln_driver_moves.cpp) ---

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

  void world_moves();
  void node_moves();
  void request_moves(unsigned id);
  void htlc_moves();
  void payee_moves();
  void restart_moves();
  void erase_moves();
  void people_moves();
  void store_moves();

  void process_moves();
  void start_moves();
  void item_moves(unsigned slot);
  void route_moves(unsigned slot);
  void answer_moves(unsigned slot);
  void look_moves();

  const Config& config_;
  const Mutation& mutation_;
  const State* from_ = nullptr;
  std::vector<Step>* out_ = nullptr;
  bool named_ = false;
};

/// One process's steps on one state. The item's steps are the driver's own; what is around them models
/// core/driver/loop.h (cln_step.cpp).
class DriverStep {
 public:
  DriverStep(const Config& config, const Mutation& mutation, State& state)
      : config_(config), mutation_(mutation), state_(state) {}

  void send(unsigned slot);
  void resume(bool collect_only);
  /// A crash, or leaving: what was handed over goes on.
  void die();
  void disconnect();
  void decide_front(unsigned slot);
  void do_committed_act(unsigned slot);
  /// `late`: a minute after everything that has happened.
  void start_look(bool late);
  void execute_look();
  void receive_look();
  /// Routes for parts; empty if there is no route.
  void receive_routes(unsigned slot, const std::vector<Route>& routes);
  void receive_dispatch(unsigned slot, unsigned id);
  void receive_fence(unsigned slot, unsigned id);
  void receive_query(unsigned slot, unsigned id);
  void doubt_silence(unsigned slot);
  void tell_deadline(unsigned slot);
  void see_foreign_decisions(unsigned slot);
  /// Decisions of another process: cancel, resolve.
  void say(const Event& word);

 private:
  [[nodiscard]] Decision ask(const Payment& payment, const TimedEvent& event) const;
  [[nodiscard]] ItemBytes& bytes(unsigned slot) { return state_.process.items[slot]; }
  [[nodiscard]] Item item(unsigned slot) const { return item_of(config_, state_, slot); }
  [[nodiscard]] ItemContext context(unsigned slot) const;
  template <typename Change> void change(unsigned slot, Change how);
  void keep(unsigned slot, const Item& one) { keep_item(config_, state_, slot, one); }
  void remember_store();
  void decide_first(unsigned slot, Item one);
  void note_written(unsigned slot, const Decision& decision);
  void refused(unsigned slot, Item one, Event cause, const Decision& decision);
  void reload(unsigned slot, Item one);
  void act(unsigned slot, Item one, const Decision& decision);
  void fulfil(unsigned slot, Item one, const Wishes& wishes);
  void conclude(unsigned slot, Item one, const LookOnWay& look, MonoNs asked);
  void check_handover(unsigned slot, unsigned number) const;
  void check_new_round(unsigned slot, const Decision& decision) const;
  void ask_for_routes(unsigned slot, Item& one, const AskForRoutes& wish);
  void name_parts(const RoutesReady& ready);
  [[nodiscard]] unsigned number(const AttemptKey& key) const { return number_of(config_, state_.store.names, key); }
  void finish(unsigned slot);
  void drop_connection();
  [[nodiscard]] unsigned draw();

  const Config& config_;
  const Mutation& mutation_;
  State& state_;
};

}  // namespace paytower::cln_model
