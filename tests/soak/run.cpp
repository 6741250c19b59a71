// How one seed draws what happens next: payments, processes, faults, decisions by hand.
#include "tests/soak/run.h"

#include <algorithm>

#include "core/base/hash.h"

namespace paytower::test {

namespace {

/// Beyond this some are released: every run asks about those that are held for ever.
constexpr std::size_t most_held = 16;
constexpr std::uint64_t recent = 48;  ///< most actions are about one of this many newest payments
constexpr unsigned judged_every = 6;  ///< steps without a fault of the disk

}  // namespace

Run::Run(std::uint64_t seed, std::uint64_t payments) : random_(seed), wanted_(payments), world_(seed) {
  kills_ = below(50);
  errors_ = below(40);
  network_ = below(80);
  shells_ = percent(20) ? below(20) : 0;
  company_ = percent(50) ? below(200) : 0;
  memory_ = static_cast<Memory>(below(3));
  liars_ = percent(20);
  orphans_ = percent(20);
  restored_ = percent(12);
  thin_ = percent(80);
  world_.beside = [this] { interfere(); };
  world_.listener = [this](const Payment& payment) { listen(payment); };
}

std::vector<std::string> Run::play() {
  note("make", world_.process([](Process&) {}));
  if (thin_) move_money();
  // The node has made payments before, so that an old copy of it has lower counters.
  world_.admin.save_copy("the first day");
  sim::InvoiceParams theirs;
  theirs.amount = Msat::of(1'000);
  theirs.description = "somebody else's";
  if (const auto made = world_.admin.make_invoice(theirs);
      !made || !world_.admin.foreign(made->hash, sim::ForeignAct::complete, another)) {
    broken("the network takes nobody's payment");
  }
  const std::uint64_t most_steps = 40 + wanted_ * 4;
  for (std::uint64_t i = 0; i < most_steps && world_.requests.size() < wanted_ && broken_.empty(); ++i) step();
  if (broken_.empty()) calm();
  tally_.payments = world_.requests.size();
  return broken_;
}

std::string Run::trace_hash() const {
  const auto* const bytes = reinterpret_cast<const std::uint8_t*>(world_.trace.data());
  return sha256({bytes, world_.trace.size()}).hex();
}

void Run::note(const char* what, bool well) {
  world_.trace += std::string(what) + (well ? " +" : " -") + std::to_string(world_.disk.counted()) + "\n";
}

const PaymentHash& Run::somebody() {
  const std::uint64_t all = world_.requests.size();
  const std::uint64_t from = percent(90) && all > recent ? all - recent : 0;
  return world_.requests[from + below(all - from)].hash;
}

void Run::step() {
  if (percent(25)) world_.pass(static_cast<std::int64_t>(below(120)));
  let_go();
  if (thin_ && percent(50)) move_money();
  if (percent(network_ / 8) && !world_.requests.empty()) pay_as_another();
  if (memory_ != Memory::late_copies && percent(20) && !world_.requests.empty()) erase_records();
  world_.shell_between_steps = percent(shells_);
  act();
  world_.shell_between_steps = false;
  judge();
}

void Run::act() {
  const std::uint64_t what = below(20);
  if (what < 10 || world_.requests.empty()) {
    const std::vector<PaymentRequest> wanted = make_invoices();
    arm_disk();
    return note("send", world_.send_all(wanted, static_cast<std::int64_t>(below(20))));
  }
  if (percent(network_)) spoil_network(somebody());
  arm_disk();
  if (what < 14) return note("resume", world_.resume(static_cast<std::int64_t>(below(30))));
  if (what == 14) return note("cancel", world_.cancel(somebody()));
  if (what == 15) return delete_one();
  if (what == 16) return decide_by_hand();
  send_again();
}

std::vector<PaymentRequest> Run::make_invoices() {
  std::vector<PaymentRequest> wanted;
  const std::uint64_t most =
      any_of(*this, thin_ ? std::array<std::uint64_t, 4>{1, 1, 4, 12} : std::array<std::uint64_t, 4>{1, 8, 64, 128});
  const std::uint64_t count = std::min(1 + below(most), wanted_ - world_.requests.size());
  for (std::uint64_t i = 0; i < count; ++i) wanted.push_back(make_invoice());
  return wanted;
}

PaymentRequest Run::make_invoice() {
  sim::InvoiceParams params;
  // If our channels hold little, the larger amounts do not fit into one of them.
  params.amount = Msat::of(thin_ && percent(85) ? 250'000 + below(600'000) : 1'000 + below(300'000));
  if (percent(15))
    params.fail =
        *sim::parse_fail_spec(percent(60) ? "TEMPORARY_CHANNEL_FAILUREx1" : "INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS");
  if (percent(10))
    params.hold.ns = percent(50) ? sim::Hold::forever : static_cast<std::int64_t>(below(90)) * ns_per_second;
  if (percent(5)) params.behaviour = sim::PayeeBehaviour::settles_twice;
  const bool lies = liars_ && percent(5);
  if (lies)
    params.behaviour =
        percent(50) ? sim::PayeeBehaviour::wrong_preimage : sim::PayeeBehaviour::complete_without_preimage;
  world_.invoice(params);
  PaymentRequest& request = world_.requests.back();
  request.max_parts = static_cast<std::uint32_t>(percent(10) ? 1 : 2 + below(5));
  if (percent(15))
    request.deadline = UnixNs{world_.clock.wall().value + static_cast<std::int64_t>(1 + below(60)) * ns_per_second};
  if (params.hold.ns == sim::Hold::forever) held_.push_back(request.hash);
  if (lies) excused_.insert(request.hash);
  if (percent(network_ / 4)) spoil_network(request.hash);
  open_.push_back(request.hash);
  return request;
}

/// Changes what our channels hold, and one channel of somebody else.
void Run::move_money() {
  world_.hold_in_each([this] { return Msat::of(30'000 + below(400'000)); });
  const auto channels = world_.admin.channels();
  const sim::Channel& any = channels[below(channels.size())];
  (void)world_.admin.set_balance(any.id, Msat::of(any.capacity.value() / 10 * below(11)));
}

/// Sends a payment again that is paid, failed, open or deleted: it is refused, joins, or starts a new try.
void Run::send_again() {
  PaymentRequest request = world_.requests[below(world_.requests.size())];
  request.created = world_.clock.wall();
  request.deadline = UnixNs{request.created.value + static_cast<std::int64_t>(30 + below(600)) * ns_per_second};
  open_.push_back(request.hash);
  note("again", world_.send_all({request}, static_cast<std::int64_t>(below(20))));
}

void Run::delete_one() {
  const PaymentHash hash = somebody();
  open_.push_back(hash);
  note("delete", world_.remove(hash));
}

void Run::decide_by_hand() {
  if (open_.empty()) return;
  careful_decision(open_[below(open_.size())]);
}

/// The operator asks the payee first: what was paid, or may still be paid, is written off, and only the rest is marked
/// as failed.
void Run::careful_decision(const PaymentHash& hash) {
  bool doubtful = false;
  world_.ledger.read([&](sim::LedgerTx& tx) {
    for (const sim::HeldRequest& request : tx.held_requests()) doubtful |= request.handover.key.hash == hash;
  });
  for (const auto& entry : world_.oracle(hash))
    doubtful |= entry.state == sim::OracleState::held || entry.state == sim::OracleState::settled;
  note("word", world_.say(hash, doubtful ? Event(OperatorWritesOff{}) : Event(OperatorAssumesFailed{})));
}

void Run::interfere() {
  if (below(10'000) >= company_ || world_.requests.empty()) return;
  switch (below(4)) {
    case 0: return world_.operator_shell();
    case 1: return note("cancel beside", world_.cancel(somebody()));
    case 2: return note("resume beside", world_.resume(1));
    case 3: {
      const PaymentRequest request = world_.requests[below(world_.requests.size())];
      open_.push_back(request.hash);  // to be judged and excused like any other
      return note("send beside", world_.send_all({request}, 1));
    }
  }
}

void Run::let_go() {
  while (held_.size() > most_held || (!held_.empty() && percent(20))) {
    const std::uint64_t which = below(held_.size());
    const bool fails = percent(50) && !stalled_.contains(held_[which]);
    (void)world_.admin.release(held_[which], fails ? std::optional<std::uint32_t>(0x4000 | 15) : std::nullopt);
    held_.erase(held_.begin() + static_cast<std::ptrdiff_t>(which));
  }
}

void Run::judge() {
  const bool struck = world_.disk.struck();
  tally_.disk_faults += struck ? 1U : 0U;
  tally_.deaths += world_.disk.dead() ? 1U : 0U;
  const bool died = world_.disk.dead();
  world_.power_on();
  if (died) look_for_halves();
  if (!struck && ++unjudged_ < judged_every) return;
  unjudged_ = 0;
  std::sort(open_.begin(), open_.end());
  open_.erase(std::unique(open_.begin(), open_.end()), open_.end());
  for (std::string& line : world_.judge(open_, struck)) broken(std::move(line));
}

}  // namespace paytower::test
