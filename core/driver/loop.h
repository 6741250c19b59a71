// The driver's inside: one struct, whose parts stand in the files that follow a payment on its way: admission.cpp
// (lock, read), tick.cpp (decide, commit), acts.cpp (what is done after the commit), answers.cpp (what the switch
// says). What an answer or a decision makes of a payment stands in item.cpp; here are the ports, and what several
// payments share. The whole way: core/README 5.
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

inline constexpr std::int64_t turn_ns =
    5 * ns_per_second;  ///< a held payment keeps its place so long while others wait
inline constexpr std::int64_t store_poll_ns = 250 * ns_per_ms;  ///< how soon another process's cancel is seen

/// An item and what the loop knows beside it: whose it is, and what its caller is told. No rule of money hangs on that.
struct Drive {
  Item item;
  std::uint64_t ticket = 0;  ///< of this item's questions to the switch
  std::uint64_t tag = 0;     ///< the caller's
  bool idempotent = false;
  bool earlier_watched = false;  ///< an earlier try of the hash was marked as failed by hand
  PublicKey wanted_payee{};      ///< of the request, also where another user paid somebody else
  bool paid_before = false;      ///< by another user of the node
  bool joined = false;           ///< a send attached itself to what somebody else had begun
  bool handed_over = false;
  bool adopted = false;                 ///< a row of the store (resume), no new try
  bool held = false;                    ///< all that is known is that the switch still works on it
  MonoNs since{};                       ///< when it got its place
  Blocker blocker = Blocker::none;      ///< of the last look
  std::set<std::string> warned;         ///< what people were told
  std::vector<ChannelPolicy> policies;  ///< M4: what nodes on the way told of their channels; one for each channel
  std::optional<MonoNs> retry_full_at;  ///< our channels are full: waits for an HTLC's end, not longer than this
  unsigned full_waits = 0;              ///< in a row
  AttemptId full_until;                 ///< see exclusions_for
  bool answered_once = false;           ///< the switch answered a hand-over: --wait 0 may leave
  unsigned refusals = 0;                ///< writes that the store refused, in a row
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
  std::unordered_set<PaymentHash, BytesHash> looks;  ///< asked on this connection and not answered yet
  std::vector<DriveResult> results;                  ///< without a feed
  DriveFeed* feed = nullptr;

  std::deque<SwitchEvent> answers;  ///< read from the switch, not received yet

  std::optional<IdentityAnswer> identity;
  bool copy_checked = false;            ///< on this connection: the store is no old copy of itself (R12)
  std::vector<LookAnswer> early_looks;  ///< answered before that; nothing is concluded from them until then
  std::string last_run;                 ///< of the switch, as far as it could be told
  bool identifying = false;
  bool ever_identified = false;
  std::string lost_why;  ///< of the last connection
  std::optional<MonoNs> identify_at;

  std::shared_ptr<MissionControl> memory;  ///< nothing until the first route is asked for

  AttemptId highest;  ///< id that is known of the store, or was drawn by this process (R12)

  std::uint64_t next_ticket = 1;
  MonoNs start;
  UnixNs base_wall;
  std::uint64_t seen_changes = 0;
  MonoNs store_poll_at;
  std::optional<MonoNs> told_to_leave;
  bool commit_was_busy = false;
  Error busy_why;              ///< of the commit that was busy
  std::optional<Error> alarm;  ///< nothing is concluded or done any more

  // --- time ---

  [[nodiscard]] MonoNs mono() const { return ports.clock.mono(); }
  /// Never earlier than the monotonic clock allows, whatever somebody does to the wall clock.
  [[nodiscard]] UnixNs now() const;
  /// What an item may know of its surroundings, now.
  [[nodiscard]] ItemContext context() const;
  [[nodiscard]] std::optional<MonoNs> limit() const;

  // --- the run ---

  [[nodiscard]] std::optional<Error> run();
  void loop();
  /// No new attempt once a signal came; answers to hand-overs are still waited for, briefly.
  [[nodiscard]] bool leaving();
  [[nodiscard]] bool any_unanswered() const;
  void leave_open();
  /// What becomes of a payment that waits for its turn when the process leaves.
  [[nodiscard]] DriveResult left_waiting(const Admission& left);
  /// The end of an item for this process, by what is stored of it.
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
  /// Tries of one hash share its lock within a resume; a second send of a hash never does.
  bool hold(const Admission& next);
  void remember(const PaymentHash& hash, const HashState& state);
  void release(const PaymentHash& hash);
  void wait_for_lock(Admission next);
  /// Null when there is nothing to drive; its result is delivered then.
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
  std::vector<Decided> tick;  ///< what the next commit takes
  void settle();
  /// Events without writes act at once; each item stops at its first event with writes, which the tick's commit takes.
  void decide_all();
  void commit();
  /// R10: what was learned must not be lost with what ends the run, wherever it waits: in the commit that failed, in a
  /// payment's queue, or in an answer that nobody has received.
  void save_proofs();
  void save_proof(const Item& item, const Event& event);
  void save_proof(const SwitchEvent& answer);
  void accepted_by_store(Decided& pending, const Stored& stored);
  void refused_by_store(Decided& pending, const Error& why);
  /// Another process drew the same id, or the store had it from another machine: the attempt was not handed over, and
  /// gets another.
  void draw_again(Drive& drive, RoutesReady taken, const Error& why);
  /// The payment as it is stored now. One that became unreadable is left as it is: `drive` is done then.
  std::optional<Payment> load_again(Drive& drive);
  /// Another process changed the payment's facts (a cancel, an operator's word): theirs are read, and the switch is
  /// asked anew.
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
  /// No new attempt by a clock that cannot be right. What is recorded is still asked about, and stays.
  void fulfil(Drive& drive, const RefuseClock& wish);
  void fulfil(Drive& drive, const Leave& wish);
  [[nodiscard]] bool any_waits_for_channel() const;
  /// An HTLC in this channel of ours has ended: who came first of those that met it full tries it again.
  void channel_freed(ShortChannelId channel);
  void try_full_channels(Drive& drive);
  /// All that was full for its attempts up to now may have room again.
  static void forget_full_channels(Drive& drive);
  [[nodiscard]] std::shared_ptr<const MissionControl> remembered();
  void learn(const Payment& payment, const Write& write);
  void take_policy(Drive& drive, const QueryAnswer& answer);
  void take_routes(Drive& drive, std::vector<Route> routes, const std::optional<AttemptId>& round);
  [[nodiscard]] const StoreId& store_id(const Item& item);
  void trace(const Item& item, const std::string& text);

  // --- questions to the switch ---

  void connect();
  /// One look a hash at a time, so that no answer is taken for a later question's (R9): also when whoever asked has
  /// left. All tries of the hash that want one share it, and it reaches back to the oldest of their marks (R5).
  void start_looks();

  // --- answers ---

  void receive(const IdentityAnswer& answer);
  /// R6, on every connection.
  void check_identity(Drive& drive);
  void receive(const LookAnswer& answer);
  void conclude(Drive& drive, const Shown& shown, MonoNs asked);
  /// No later look will tell more: only a person can.
  void warn_erased(const Item& item, const Event& event);
  void receive(const RouteAnswer& answer);
  [[nodiscard]] Drive* drive_of(const AttemptKey& key);
  void receive(const DispatchAnswer& answer);
  void receive(const QueryAnswer& answer);
  void receive(const FenceAnswer& answer);
  void receive(const ReleaseAnswer& answer);
  void receive(const OwnRowsAnswer&) {}  // never asked for here
  /// R12: an attempt of our store that it does not have means that it was put back from an old copy, whatever the hash.
  void receive(const NewestOwnAnswer& answer);
  /// What was handed over stays open. Whoever has nothing recorded leaves; the others look again on the next
  /// connection.
  void receive(const Disconnected& lost);

  // --- clocks ---

  [[nodiscard]] MonoNs wake_at();
  void look_at_clocks();
  /// `cancel` and `resolve` of another process are facts in the database: they are taken over as they stand.
  void see_foreign_decisions(Drive& drive);
};

}  // namespace paytower
