// The contract of core/driver/ports.h (Switch), for every kind of switch: each case of suite.cpp runs in each world.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/driver/ports.h"

namespace paytower::test {

/// What a payee does with the HTLCs that reach it.
enum class PayeeWill {
  takes,
  holds,    ///< until World::let_go()
  refuses,  ///< INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS
};

/// What is to be paid.
struct Bill {
  PaymentHash hash;
  Msat amount;
  PublicKey payee;
  PaymentSecret secret;
  std::uint32_t final_cltv_delta = 18;
  std::string invoice;      ///< BOLT 11 text; empty in a world that has none
  std::string description;  ///< from the invoice
};
/// REQUIRES: an invoice that says its amount.
[[nodiscard]] Bill bill_of(const std::string& invoice);

/// What really happened to a hash, whoever sent it.
struct Truth {
  std::size_t under_way = 0;
  std::size_t settled = 0;
  std::size_t failed = 0;
  Msat reached;  ///< what the payee has received
  [[nodiscard]] std::size_t made() const { return under_way + settled + failed; }
};

/// A node with a network, and a process of ours that has not asked it anything yet.
class World {
 public:
  World();
  virtual ~World() = default;
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  /// The switch of our present process.
  [[nodiscard]] virtual Switch& node() = 0;
  /// Our process dies, with what it knew; another one begins.
  virtual void new_process() = 0;
  /// The clock by which the switch waits: the real one, or one that moves when somebody waits.
  [[nodiscard]] virtual Clock& clock() = 0;

  [[nodiscard]] virtual Bill bill(PayeeWill will) = 0;
  virtual void let_go(const PaymentHash& hash) = 0;
  /// Another user of the node pays it. REQUIRES: the payee holds. Returns when that HTLC exists.
  virtual void another_user_pays(const Bill& bill) = 0;
  [[nodiscard]] virtual Truth truth(const PaymentHash& hash) = 0;

  /// Kills the node, and starts it again.
  virtual void restart_node() = 0;
  /// The next hand-over is executed, and its connection lost before the answer. Connections may break at once too.
  virtual void lose_next_answer() = 0;
  /// The HTLC of the next hand-over fails at the first peer: TEMPORARY_CHANNEL_FAILURE. Connections may break at once.
  virtual void fail_next_htlc() = 0;
  /// The next hand-over waits in the node's buffers. Connections may break at once.
  virtual void hold_next_handover() = 0;
  /// Executes what hold_next_handover() has held back, even if its sender has gone. REQUIRES: there is one.
  virtual void execute_held() = 0;
  /// Lets enough time pass that no earlier hand-over can be accepted any more.
  virtual void outlive_handovers() = 0;

  /// A different store in each world.
  [[nodiscard]] const StoreId& store() const { return store_; }

 private:
  StoreId store_;
};

/// The worlds, by their names in ctest.
struct Scripted {};
struct ClnPipe {};
struct ClnSocket {};
struct Lnd {};
template <typename Kind> std::unique_ptr<World> open_world();
template <> std::unique_ptr<World> open_world<Scripted>();
template <> std::unique_ptr<World> open_world<ClnPipe>();
template <> std::unique_ptr<World> open_world<ClnSocket>();
template <> std::unique_ptr<World> open_world<Lnd>();

/// The first answer of a switch about a hand-over.
enum class Told { nothing, accepted, not_sent, look, settled, failed };

/// Asks as the driver does: again after a lost connection, but not for ever. Checks everything that the switch reports:
/// poll() keeps to its time, and no attempt gets two ends, or an end and "not sent".
class Talk {
 public:
  explicit Talk(World& world) : world_(world) {}

  /// Connects; returns when the switch has said who it is, and what it has seen of our store.
  IdentityAnswer connect();
  /// Our process dies.
  void die();

  /// A look for our store, with all attempts of the hash that were handed over here.
  LookResult look(const PaymentHash& hash);
  RouteAnswer route(const RouteQuestion& question);
  [[nodiscard]] static RouteQuestion question(const Bill& bill, Msat amount);
  /// A hand-over with a route and terms from the switch, under a new id.
  Handover order(const Bill& bill) { return order(bill, new_id(), 1, bill.amount); }
  Handover order(const Bill& bill, AttemptId id, std::uint32_t part, Msat amount);
  [[nodiscard]] AttemptId new_id() { return AttemptId{++last_id_}; }

  /// Hands over, and waits for the first answer about it; `nothing` if the connection was lost, or after `ns`.
  Told hand_over(const Handover& handover, std::int64_t ns = patience_ns);
  /// Asks for the end, with a look if the answer says so. The result is settled or failed.
  QueryAnswer end_of(const AttemptKey& key);
  /// The same without asking: waits this long for the end to be reported.
  [[nodiscard]] std::optional<QueryAnswer> told_end(const AttemptKey& key, std::int64_t ns);
  /// True if its query is answered, or the connection is reported as lost.
  [[nodiscard]] bool hears_of(const AttemptKey& key);
  FenceAnswer::Kind fence(const Handover& handover);
  void release(const PaymentHash& hash);
  std::vector<OwnRow> own_rows();
  std::vector<AttemptId> newest_ids();

  /// Takes in everything that comes within this time.
  void listen(std::int64_t ns);

  /// Shorter than the time after which a switch says `look` by itself: ends must be found before that.
  static constexpr std::int64_t patience_ns = 30 * ns_per_second;

 private:
  void poll(std::int64_t ns);
  void take(SwitchEvent event);
  void note_end(const AttemptKey& key, Told end);
  void ask_newest();
  [[nodiscard]] bool asks_for_newest();
  template <typename Event, typename Matches> std::optional<Event> heard(Matches matches);
  template <typename Event, typename Ask, typename Matches> Event asked(Ask ask, Matches matches);
  std::optional<QueryAnswer> shown_end(const AttemptKey& key);

  World& world_;
  std::vector<SwitchEvent> heard_;
  bool lost_ = true;  ///< Disconnected came after the last identity
  std::map<AttemptKey, Told> ends_;
  std::map<PaymentHash, Marks> marks_;  ///< of the first look
  std::vector<Asked> attempts_;
  std::uint64_t last_id_ = std::uint64_t{1} << 40;
  std::uint64_t last_ticket_ = 100;
};

}  // namespace paytower::test
