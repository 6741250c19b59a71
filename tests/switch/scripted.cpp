// The scripted switch of tests/driver, with a script that a very small node writes: it shows that those tests let a
// switch say only what a switch may say.
#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include <doctest/doctest.h>

#include "tests/driver/harness.h"
#include "tests/switch/suite.h"

namespace paytower::test {

namespace {

using Events = std::vector<SwitchEvent>;

constexpr std::uint64_t near_channel = 11;
constexpr std::uint64_t dear_channel = 21;
constexpr std::uint64_t fee_msat = 500;
constexpr std::uint64_t own_msat = std::uint64_t{1} << 40;

/// One HTLC, or a fence.
struct Made {
  AttemptKey key;
  std::string label;
  Msat amount;
  Msat sent;
  RowState state = RowState::pending;
  bool fence = false;
  std::uint32_t hops = 0;
  bool lost_on_the_way = false;
};

struct Asset {
  Preimage preimage;
  PayeeWill will = PayeeWill::takes;
};

/// What exists longer than our processes: rows, payees, and a hand-over in a buffer.
class SmallNode {
 public:
  Bill bill(PayeeWill will) {
    Bill made;
    Asset asset{{}, will};
    asset.preimage.bytes.fill(static_cast<std::uint8_t>(++bills_));
    made.hash = hash_of(asset.preimage);
    made.amount = Msat::of(250'000);
    made.payee = node_key(2);
    payees_[made.hash] = asset;
    return made;
  }
  Made& make(const Handover& handover) {
    if (Made* there = find(handover.key)) return *there;
    const auto hops = static_cast<std::uint32_t>(handover.route.hops.size());
    made_.push_back({handover.key, handover.label, handover.route.delivered(), handover.route.total_amount(),
                     RowState::pending, false, hops, false});
    Made& made = made_.back();
    const PayeeWill will = payees_.at(handover.key.hash).will;
    made.lost_on_the_way = std::exchange(fails_next, false);
    if (made.lost_on_the_way || will == PayeeWill::refuses) made.state = RowState::failed;
    if (!made.lost_on_the_way && will == PayeeWill::takes) made.state = RowState::complete;
    return made;
  }
  /// False if the attempt itself came first.
  bool fence(const Handover& handover) {
    if (const Made* there = find(handover.key)) return there->fence;
    made_.push_back({handover.key, handover.label, {}, {}, RowState::failed, true, 0, false});
    return true;
  }
  void let_go(const PaymentHash& hash) {
    payees_.at(hash).will = PayeeWill::takes;
    for (Made& one : made_) {
      if (one.key.hash == hash && one.state == RowState::pending) one.state = RowState::complete;
    }
  }

  [[nodiscard]] const std::vector<Made>& made() const { return made_; }
  [[nodiscard]] Made* find(const AttemptKey& key) {
    const auto found = std::find_if(made_.begin(), made_.end(), [&](const Made& one) { return one.key == key; });
    return found == made_.end() ? nullptr : &*found;
  }
  [[nodiscard]] SwitchRow row_of(const Made& one) const {
    SwitchRow row;
    row.id = one.key.id;
    row.part = one.key.part;
    row.label = one.label;
    row.state = one.state;
    row.amount = one.amount;
    row.amount_sent = one.sent;
    if (one.state == RowState::complete) row.preimage = payees_.at(one.key.hash).preimage;
    if (one.state == RowState::failed) row.failure = refusal(one);
    return row;
  }
  [[nodiscard]] cln::NodeLists lists(const PaymentHash& hash) const {
    cln::NodeLists lists = quiet_look();
    lists.hash = hash;
    for (const Made& one : made_) {
      if (one.key.hash != hash) continue;
      lists.rows.push_back(row_of(one));
      const std::uint64_t index = *lists.now.htlcs_created + 1;
      if (one.fence) continue;
      lists.htlcs->push_back(cln::OutgoingHtlc{index, one.state != RowState::pending, one.sent});
      lists.now.htlcs_created = index;
    }
    return lists;
  }
  static Failure refusal(const Made& one) {
    if (one.lost_on_the_way) return Failure{FailureCode::temporary_channel_failure, 1, {}, {}, {}};
    if (one.fence) return Failure{FailureCode::local_refusal, 0, {}, {}, {}};
    return Failure{FailureCode::incorrect_or_unknown_payment_details, one.hops, {}, {}, {}};
  }

  bool loses_answer = false;
  bool fails_next = false;
  bool holds_next = false;
  std::optional<Handover> held;

 private:
  std::uint8_t bills_ = 0;
  std::map<PaymentHash, Asset> payees_;
  std::vector<Made> made_;
};

/// The switch that one simulated run of paytower sees. For each question it adds SmallNode's answer to the script, then
/// asks the ScriptedSwitch. It ends with that run; SmallNode stays.
class ScriptWriter final : public Switch {
 public:
  ScriptWriter(SmallNode& node, VirtualClock& clock) : node_(node), clock_(clock), script_(clock, log_) {
    script_.height = 100;
  }

  void identify() override {
    script_.expect("identify", identity());
    script_.identify();
    connected_ = true;
  }
  void look(const PaymentHash& hash, std::span<const Marks> since) override {
    expect("look", [this, hash](ScriptedSwitch&) { return Events{answer_of(node_.lists(hash))}; });
    script_.look(hash, since);
  }
  void ask_route(const RouteQuestion& question) override {
    expect("route", find_way(question));
    script_.ask_route(question);
  }
  void dispatch(const Handover& handover) override {
    script_.expect("send", connected_ ? send(handover) : not_sent());
    script_.dispatch(handover);
  }
  void query(const AttemptKey& key) override {
    expect("query", [this, key](ScriptedSwitch&) { return ended(key); });
    script_.query(key);
  }
  void fence(const Handover& handover) override {
    expect("fence", connected_ && node_.fence(handover) ? fenced() : won());
    script_.fence(handover);
  }
  void release(const PaymentHash& hash, const StoreId& store) override {
    expect("release", [hash](ScriptedSwitch&) { return Events{ReleaseAnswer{hash}}; });
    script_.release(hash, store);
  }
  [[nodiscard]] std::optional<HandoverTerms> terms() const override { return script_.terms(); }
  [[nodiscard]] std::uint32_t base_height() const override { return script_.base_height(); }
  void list_own(const StoreId& store) override {
    expect("list-own", [this, store](ScriptedSwitch&) { return Events{own_rows(store)}; });
    script_.list_own(store);
  }
  /// Its answer is not part of the script.
  void newest_own(const StoreTrace& trace) override {
    if (!connected_) return list_own(trace.store);
    for (const OwnRow& own : own_rows(trace.store).rows) script_.newest_own_ids = {own.row.id};
    script_.newest_own(trace);
  }
  [[nodiscard]] Events poll(MonoNs until) override { return script_.poll(until); }

  /// Answers the queries that wait.
  void tell_ends() {
    for (const AttemptKey& key : std::exchange(waiting_, {})) {
      for (SwitchEvent& event : ended(key)) script_.later.emplace_back(clock_.mono().value, std::move(event));
    }
  }
  void lose_connection() {
    connected_ = false;
    waiting_.clear();
    script_.later.emplace_back(clock_.mono().value, Disconnected{"the node was killed", true});
  }

 private:
  void expect(const char* question, ScriptedSwitch::Reply reply) {
    script_.expect(question, connected_ ? std::move(reply) : disconnect());
  }
  ScriptedSwitch::Reply send(const Handover& handover) {
    if (std::exchange(node_.holds_next, false)) {
      node_.held = handover;
      return nothing();
    }
    const Made& made = node_.make(handover);
    if (made.fence) return look_first();
    if (!std::exchange(node_.loses_answer, false)) return accepted();
    connected_ = false;
    return lost_again();
  }
  static ScriptedSwitch::Reply look_first() {
    return [](ScriptedSwitch& script) { return Events{DispatchAnswer{script.sent(), DispatchAnswer::Kind::look, {}}}; };
  }
  static ScriptedSwitch::Reply won() {
    return [](ScriptedSwitch& script) {
      return Events{FenceAnswer{script.fences.back().key, FenceAnswer::Kind::look}};
    };
  }
  static ScriptedSwitch::Reply find_way(const RouteQuestion& question) {
    const RouteDemand& demand = question.demand;
    if (demand.amount.value() > own_msat) return no_route(FailureReason::insufficient_balance);
    if (demand.fee_limit.value() < fee_msat) return no_route();
    const bool near_is_out = std::any_of(
        question.excluded_channels.begin(), question.excluded_channels.end(), [](const ChannelDirection& channel) {
          return channel.channel.value == near_channel || channel.channel.value == near_channel + 1;
        });
    Route found = simple_route(near_is_out ? dear_channel : near_channel);
    found.hops[0].amount = Msat::of(demand.amount.value() + fee_msat);
    found.hops[1].amount = demand.amount;
    return [found, ticket = question.ticket](ScriptedSwitch&) { return Events{routes_answer(ticket, {found})}; };
  }
  Events ended(const AttemptKey& key) {
    const Made* made = node_.find(key);
    if (made != nullptr && made->state == RowState::pending) {
      waiting_.push_back(key);
      return {};
    }
    QueryAnswer answer{key, QueryAnswer::Kind::look, {}, {}, {}};
    if (made == nullptr || made->fence) return {answer};
    const SwitchRow row = node_.row_of(*made);
    answer.kind = row.preimage ? QueryAnswer::Kind::settled : QueryAnswer::Kind::failed;
    answer.preimage = row.preimage.value_or(Preimage{});
    answer.failure = row.failure.value_or(Failure{});
    return {answer};
  }
  [[nodiscard]] OwnRowsAnswer own_rows(const StoreId& store) const {
    OwnRowsAnswer answer;
    for (const Made& one : node_.made()) {
      const SwitchRow row = node_.row_of(one);
      if (owner_of(row, store) == RowOwner::own_attempt) answer.rows.push_back({one.key.hash, row, {}, {}});
    }
    return answer;
  }

  SmallNode& node_;
  VirtualClock& clock_;
  Log log_;
  ScriptedSwitch script_;
  bool connected_ = false;
  std::vector<AttemptKey> waiting_;
};

class ScriptedWorld final : public World {
 public:
  ScriptedWorld() { new_process(); }

  Switch& node() override { return *switch_; }
  void new_process() override { switch_ = std::make_unique<ScriptWriter>(small_, clock_); }
  Clock& clock() override { return clock_; }

  Bill bill(PayeeWill will) override { return small_.bill(will); }
  void let_go(const PaymentHash& hash) override {
    small_.let_go(hash);
    switch_->tell_ends();
  }
  void another_user_pays(const Bill& bill) override {
    Handover theirs;
    theirs.key = AttemptKey{bill.hash, AttemptId{1}, 1};
    theirs.label = "another user";
    theirs.route = simple_route();
    (void)small_.make(theirs);
  }
  Truth truth(const PaymentHash& hash) override {
    Truth truth;
    for (const Made& one : small_.made()) {
      if (one.key.hash != hash || one.fence) continue;
      if (one.state == RowState::pending) ++truth.under_way;
      if (one.state == RowState::failed) ++truth.failed;
      if (one.state != RowState::complete) continue;
      ++truth.settled;
      truth.reached = Msat::of(truth.reached.value() + one.amount.value());
    }
    return truth;
  }

  void restart_node() override { switch_->lose_connection(); }
  void lose_next_answer() override { small_.loses_answer = true; }
  void fail_next_htlc() override { small_.fails_next = true; }
  void hold_next_handover() override { small_.holds_next = true; }
  void execute_held() override {
    REQUIRE(small_.held);
    (void)small_.make(*std::exchange(small_.held, std::nullopt));
  }
  /// Copies of a hand-over have no time limit here.
  void outlive_handovers() override {}

 private:
  SmallNode small_;
  VirtualClock clock_;
  std::unique_ptr<ScriptWriter> switch_;
};

}  // namespace

template <> std::unique_ptr<World> open_world<Scripted>() { return std::make_unique<ScriptedWorld>(); }

}  // namespace paytower::test
