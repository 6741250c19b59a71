// Inside the driver: one struct. Its functions are in files that follow a payment on its way: admission.cpp (lock,
// read), tick.cpp (decide, commit), acts.cpp (what is done after the commit), answers.cpp (what the switch says). What
// an answer or a decision makes of a payment is in item.cpp. Here are the ports, and what several payments share. The
// whole way: core/README 5.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "core/base/hash.h"
#include "core/driver/admission.h"
#include "core/driver/driver.h"
#include "core/driver/item.h"
#include "core/driver/route_session.h"
#include "core/payment/lifecycle.h"
#include "core/payment/look.h"

namespace paytower {

/// How long a held payment keeps its place while others wait.
inline constexpr std::int64_t turn_ns = 5 * ns_per_second;
inline constexpr std::int64_t store_poll_ns = 250 * ns_per_ms;  ///< how soon another process's cancel is seen

/// An item, and what the loop needs besides: whose it is, and what its caller is told. No money rule depends on this.
struct Drive {
  Item item;
  std::uint64_t ticket = 0;  ///< names this item's questions to the switch
  std::uint64_t tag = 0;     ///< the caller's own number
  bool idempotent = false;
  bool earlier_watched = false;  ///< an earlier try of the hash was marked as failed by hand
  PublicKey wanted_payee{};      ///< of the request, also if another user paid somebody else
  bool paid_before = false;      ///< by another user of the node
  bool joined = false;           ///< a send that joined what somebody else had begun
  bool handed_over = false;
  bool adopted = false;          ///< a row of the store (resume), not a new try
  bool held = false;             ///< we only know that the switch is still working on it
  MonoNs since{};                ///< since when it has its place
  WhyOpen why_open;              ///< of the last look
  std::string unheard;           ///< why the last question for routes has no answer; empty if it has one
  std::set<std::string> warned;  ///< the warnings that were given
  /// M4: what nodes on the way have said about their channels; one for each channel.
  std::vector<ChannelPolicy> policies;
  std::optional<MonoNs> retry_full_at;  ///< our channels are full: wait for an HTLC's end, but not longer than this
  unsigned full_waits = 0;              ///< how often in a row
  AttemptId full_until;                 ///< see exclusions_for
  bool answered_once = false;           ///< the switch has answered a request: --wait 0 may leave
  unsigned refusals = 0;                ///< how many writes in a row the store has refused
  bool done = false;
};

/// What all tries of one hash in this process share.
struct HashEntry {
  StoreKnowledge knowledge;
  std::size_t users = 0;
  std::vector<Drive*> drives{};  ///< driven now
};

struct Driver::Impl {
  Impl(DriverPorts the_ports, DriverOptions the_options) : ports(the_ports), options(the_options) {}
  ~Impl() {
    for (const auto& [hash, entry] : hashes) ports.locks.unlock(hash);
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  DriverPorts ports;
  DriverOptions options;

  std::deque<Admission> queue;                 ///< not driven yet
  std::vector<std::unique_ptr<Drive>> drives;  ///< driven now
  std::unordered_map<std::uint64_t, Drive*> by_ticket;
  std::unordered_map<PaymentHash, HashEntry, BytesHash> hashes;
  std::unordered_set<PaymentHash, BytesHash> looks;  ///< asked on this connection, not answered yet
  std::vector<DriveResult> results;                  ///< when there is no feed
  DriveFeed* feed = nullptr;

  std::deque<SwitchEvent> answers;  ///< read from the switch, not handled yet

  std::optional<IdentityAnswer> identity;
  bool copy_checked = false;  ///< on this connection: the store is known not to be an old copy of itself (R12)
  /// Answered before that check: nothing is concluded from them until it is done.
  std::vector<LookAnswer> early_looks;
  std::string last_run;  ///< of the switch, if known
  bool identifying = false;
  bool ever_identified = false;
  std::string lost_why;   ///< why the last connection was lost
  std::string lost_hint;  ///< and what may help
  std::optional<MonoNs> identify_at;

  std::shared_ptr<MissionControl> memory;  ///< nothing until the first route is asked for

  AttemptId highest;  ///< the highest id that the store has, or that this process drew (R12)

  std::uint64_t next_ticket = 1;
  MonoNs start;
  UnixNs base_wall;
  std::uint64_t seen_changes = 0;
  MonoNs store_poll_at;
  std::optional<MonoNs> told_to_leave;
  bool commit_was_busy = false;
  Error busy_why;              ///< why the last commit was busy
  std::optional<Error> alarm;  ///< why the run ends: nothing is concluded or done any more

  // --- time ---

  [[nodiscard]] MonoNs mono() const { return ports.clock.mono(); }
  /// Never earlier than the monotonic clock allows, whatever happens to the wall clock.
  [[nodiscard]] UnixNs now() const;
  /// What an item may know of the world around it, now.
  [[nodiscard]] ItemContext context() const;
  [[nodiscard]] std::optional<MonoNs> limit() const;

  // --- the run ---

  [[nodiscard]] std::optional<Error> run();
  void loop();
  [[nodiscard]] bool nothing_left() const { return drives.empty() && queue.empty() && (!feed || feed->over()); }
  /// What the store has read. Where it refuses that, its refusal becomes the alarm.
  template <typename T> std::optional<T> read(Result<T> stored) {
    if (stored) return *std::move(stored);
    alarm = stored.error();
    return std::nullopt;
  }
  /// After a signal no new attempt begins. Answers to what was sent are waited for, but only briefly.
  [[nodiscard]] bool leaving();
  [[nodiscard]] bool any_unanswered() const;
  void leave_open();
  /// The result of a payment that was still waiting for its turn when the process leaves.
  [[nodiscard]] DriveResult left_waiting(const Admission& left);
  /// Ends an item for this process, with what is stored of it.
  void close(Drive& drive);
  void finish(Drive& drive, DriveEnd end, std::optional<Error> error);
  void deliver(std::uint64_t tag, DriveResult result);
  void sweep();

  // --- admission: lock, read, ask the lifecycle ---

  void admit();
  void take_from_feed(std::size_t room);
  void make_room(std::size_t room);
  void give_place_up(Drive& drive);
  void admit_one(Admission next);
  /// Why it cannot be read.
  std::optional<Error> admit_held(Admission& next);
  /// Within a resume, all tries of a hash share its lock. A second send of a hash never shares it.
  bool hold(const Admission& next);
  void remember(const PaymentHash& hash, const HashState& state);
  void release(const PaymentHash& hash);
  void wait_for_lock(Admission next);
  /// nullptr if there is nothing to drive: then its result has been delivered.
  Drive* admit_stored(Payment payment, std::uint64_t tag);
  void refuse_admission(const Payment& payment, DriveEnd end, std::uint64_t tag);
  void admit_request(Admission& next, HashState& state);
  Drive& take_up(Payment payment, std::uint64_t tag);

  // --- the tick: decide, commit once, act ---

  struct Decided {
    Drive* drive = nullptr;
    Event cause;
    Decision decision;
    bool stored = false;
  };
  std::vector<Decided> tick;  ///< what the next commit will store
  void settle();
  /// Events without writes are acted on at once. Each item stops at its first event with writes: the tick's commit
  /// stores it.
  void decide_all();
  void commit();
  /// R10: when the run ends, no proof may be lost, wherever it waits: in the commit that failed, in a payment's queue,
  /// or in an answer that nobody has handled yet.
  void save_proofs();
  void save_proof(const Item& item, const Event& event);
  void save_proof(const SwitchEvent& answer);
  void accepted_by_store(Decided& pending, const Stored& stored);
  void refused_by_store(Decided& pending, const Error& why);
  /// Another process drew the same id, or the store has it from another machine. The attempt was not sent; it gets
  /// another id.
  void draw_again(Drive& drive, RoutesReady taken, const Error& why);
  /// The payment as it is stored now. If it can no longer be read, it is left as it is, and `drive` ends.
  std::optional<Payment> load_again(Drive& drive);
  /// Another process has changed the facts of the payment (a cancel, a resolve): read them, and ask the switch again.
  void reload(Drive& drive);
  void warn_wrong_preimage(const Item& item, const Decision& decision);

  // --- acts ---

  void act(Drive& drive, const Decision& decision);
  void fulfil_all(Drive& drive, Wishes wishes);
  void fulfil(Drive& drive, const AskForRoutes& wish);
  void fulfil(Drive& drive, const WaitForChannel& wish);
  void fulfil(Drive& drive, TakeRoutes& wish);
  void fulfil(Drive& drive, const SendHandover& wish);
  void fulfil(Drive& drive, const SendFence& wish);
  void fulfil(Drive& drive, const SendRelease& wish);
  void fulfil(Drive& drive, const SendQuery& wish);
  void fulfil(Drive& drive, const RefuseTry& wish);
  /// The clock must be wrong, so no new attempt begins. What is recorded is still asked about, and stays.
  void fulfil(Drive& drive, const RefuseClock& wish);
  void fulfil(Drive& drive, const Leave& wish);
  [[nodiscard]] bool any_waits_for_channel() const;
  /// An HTLC in this channel of ours has ended: the payment that waits longest for it tries again.
  void channel_freed(ShortChannelId channel);
  void try_full_channels(Drive& drive);
  /// The channels that were full for its attempts so far may have room again.
  static void forget_full_channels(Drive& drive);
  [[nodiscard]] std::shared_ptr<const MissionControl> remembered();
  void learn(const Payment& payment, const Write& write);
  void take_policy(Drive& drive, const QueryAnswer& answer);
  void take_routes(Drive& drive, std::vector<Route> routes, const std::optional<AttemptId>& round);
  [[nodiscard]] const StoreId& store_id(const Item& item);
  void trace(const Item& item, const std::string& text);

  // --- questions to the switch ---

  void connect();
  /// Only one look for each hash at a time, even if the payment that asked has left: so no answer is taken for that of
  /// a later question (R9). All tries of the hash share it, and it reaches back to the oldest of their marks (R5).
  void start_looks();

  // --- answers ---

  void receive(const IdentityAnswer& answer);
  /// R6, on every connection.
  void check_identity(Drive& drive);
  void receive(const LookAnswer& answer);
  void conclude(Drive& drive, const Shown& shown, MonoNs asked);
  /// Warns about an attempt whose record was erased: no later look will show more, so a person has to find out.
  void warn_erased(const Item& item, const Event& event);
  void receive(const RouteAnswer& answer);
  [[nodiscard]] Drive* drive_of(const AttemptKey& key);
  void receive(const DispatchAnswer& answer);
  void receive(const QueryAnswer& answer);
  void receive(const FenceAnswer& answer);
  void receive(const ReleaseAnswer& answer);
  void receive(const OwnRowsAnswer&) {}  // never asked for here
  /// R12: if the switch shows an attempt of our store that the store does not have, the store was restored from an old
  /// backup.
  void receive(const NewestOwnAnswer& answer);
  /// What was sent stays open. Payments with nothing recorded leave; the others look again on the next connection.
  void receive(const Disconnected& lost);

  // --- clocks ---

  [[nodiscard]] MonoNs wake_at();
  void look_at_clocks();
  void tell_observer();
  /// What `cancel` and `resolve` do in another process are facts in the database: they are taken over from there.
  void see_foreign_decisions(Drive& drive);
};

}  // namespace paytower
