// The loop itself: admit, decide, commit, act, wait; and how it ends.
#include "core/driver/driver.h"

#include <algorithm>

#include <fmt/core.h>

#include "core/driver/loop.h"

namespace paytower {

namespace {

constexpr std::int64_t first_answer_ns = ns_per_second;  ///< --wait 0 waits this long for a first answer
constexpr std::int64_t farewell_ns = 700 * ns_per_ms;    ///< after a signal or --wait: for answers to what was sent
constexpr std::int64_t feed_poll_ns = 20 * ns_per_ms;    ///< how soon a new line of a batch is seen

}  // namespace

UnixNs Driver::Impl::now() const {
  const UnixNs by_mono{base_wall.value + (mono().value - start.value)};
  return std::max(ports.clock.wall(), by_mono);
}

ItemContext Driver::Impl::context() const {
  ItemContext at;
  at.mono = mono();
  at.wall = now();
  if (identity) {
    at.identity = &*identity;
    at.terms = ports.node.terms();
    at.base_height = ports.node.base_height();
  }
  if (options.collect_only) at.mode = ItemContext::Mode::collect_only;
  if (told_to_leave) at.mode = ItemContext::Mode::leaving;
  at.ask_for_ends = options.wait_ns != 0;
  at.look_pause_ns = options.look_pause_ns;
  at.clock_from = options.clock_from;
  return at;
}

std::optional<MonoNs> Driver::Impl::limit() const {
  if (!options.wait_ns) return std::nullopt;
  return plus(start, *options.wait_ns == 0 ? first_answer_ns : *options.wait_ns);
}

std::optional<Error> Driver::Impl::run() {
  try {
    loop();
  } catch (const std::exception&) {
    save_proofs();
    throw;
  }
  if (alarm) save_proofs();
  return alarm;
}

void Driver::Impl::loop() {
  start = mono();
  base_wall = ports.clock.wall();
  const auto changes = read(ports.store.change_counter());
  if (!changes) return;
  seen_changes = *changes;
  store_poll_at = plus(start, store_poll_ns);
  admit();
  while (!alarm && !nothing_left()) {
    settle();
    if (alarm) return;
    sweep();
    admit();
    if (alarm) return;
    if (nothing_left() || leaving()) break;
    connect();
    start_looks();
    for (SwitchEvent& event : ports.node.poll(wake_at())) answers.push_back(std::move(event));
    for (; !answers.empty(); answers.pop_front()) {
      std::visit([this](const auto& what) { receive(what); }, answers.front());
      if (alarm) return;
    }
    look_at_clocks();
  }
  if (!alarm) leave_open();
}

bool Driver::Impl::leaving() {
  if (!told_to_leave && ports.clock.stop_signal() != 0) told_to_leave = mono();
  if (told_to_leave) return !any_unanswered() || mono() >= plus(*told_to_leave, farewell_ns);
  const auto end = limit();
  if (!end || mono() < *end) return false;
  // Where a request must not be repeated, a lost one blocks the payment until its time is over. So wait for answers.
  const bool may_be_lost = identity && !identity->capabilities.same_again && any_unanswered();
  return !may_be_lost || mono() >= plus(*end, farewell_ns);
}

bool Driver::Impl::any_unanswered() const {
  return std::any_of(drives.begin(), drives.end(), [](const auto& drive) { return unanswered(drive->item); });
}

void Driver::Impl::leave_open() {
  save_proofs();  // also the proofs whose commit waits for another writer
  for (const auto& drive : drives) {
    if (drive->done) continue;
    const Payment& payment = drive->item.payment;
    const bool unsaid = commit_was_busy && !drive->item.backlog.empty() && payment.index.value != 0;
    if (!unsaid) {
      close(*drive);
      continue;
    }
    finish(*drive, payment.ended_for_good() ? DriveEnd::ended : DriveEnd::open,
           Error{Errc::busy, fmt::format("what the switch said is not stored yet: {}", busy_why.message), {}});
  }
  sweep();
  for (const Admission& left : std::exchange(queue, {})) deliver(left.tag, left_waiting(left));
}

DriveResult Driver::Impl::left_waiting(const Admission& left) {
  if (left.retry_at) return busy_result(left, ports.store);  // only this one is in the hands of another process
  if (!left.index) return not_begun_result(left);
  DriveResult result;
  result.hash = left.hash;
  result.end = DriveEnd::open;
  auto stored = ports.store.load(*left.index);
  if (!stored) return unreadable_result(left, stored.error());
  result.payment = *std::move(stored);
  if (!result.payment) return result;
  result.hash = result.payment->request.hash;
  if (result.payment->ended_for_good()) result.end = DriveEnd::ended;
  return result;
}

void Driver::Impl::close(Drive& drive) {
  const Payment& payment = drive.item.payment;
  if (payment.index.value == 0) {
    const bool late = ever_identified || lost_why.empty();
    const std::string why = fmt::format("{}; nothing was recorded and nothing was sent",
                                        late ? "the switch gave no route in time" : lost_why);
    return finish(drive, DriveEnd::unavailable, Error{Errc::switch_unavailable, why, late ? std::string() : lost_hint});
  }
  if (payment.ended_for_good()) return finish(drive, DriveEnd::ended, std::nullopt);
  // It answered, but never said who it is, so nothing could be asked.
  if (!ever_identified && !lost_why.empty())
    return finish(drive, DriveEnd::unavailable, Error{Errc::switch_unavailable, lost_why, lost_hint});
  const bool away = !identity && !lost_why.empty();
  finish(drive, DriveEnd::open,
         away ? std::optional(Error{Errc::switch_unavailable, lost_why, lost_hint}) : std::nullopt);
}

void Driver::Impl::finish(Drive& drive, DriveEnd end, std::optional<Error> error) {
  if (drive.done) return;
  drive.done = true;
  const Payment& payment = drive.item.payment;
  DriveResult result;
  result.hash = payment.request.hash;
  result.end = end;
  result.error = std::move(error);
  result.handed_over = drive.handed_over;
  result.joined = drive.joined;
  result.paid_before = drive.paid_before;
  result.pending_at_switch = payment.status() == PaymentStatus::failed && payment.has_watched_attempt() &&
                             drive.why_open.blocker == Blocker::closed_by_hand;
  if (!payment.ended_for_good() || result.pending_at_switch) result.why_open = drive.why_open;
  if (payment.index.value != 0) result.payment = payment;
  deliver(drive.tag, std::move(result));
}

void Driver::Impl::deliver(std::uint64_t tag, DriveResult result) {
  result.tag = tag;
  if (feed) return feed->ended(std::move(result));
  results.push_back(std::move(result));
}

void Driver::Impl::sweep() {
  for (auto& drive : drives) {
    if (!drive->done) continue;
    by_ticket.erase(drive->ticket);
    const PaymentHash& hash = drive->item.payment.request.hash;
    auto& same_hash = hashes[hash].drives;
    same_hash.erase(std::remove(same_hash.begin(), same_hash.end(), drive.get()), same_hash.end());
    release(hash);
    drive.reset();
  }
  drives.erase(std::remove(drives.begin(), drives.end(), nullptr), drives.end());
}

void Driver::Impl::connect() {
  if (identity || identifying) return;
  if (identify_at && mono() < *identify_at) return;
  identifying = true;
  ports.node.identify();
}

void Driver::Impl::start_looks() {
  if (!identity) return;
  for (const auto& drive : drives) {
    const auto due = look_due(drive->item);
    if (drive->done || !due || mono() < *due) continue;
    const PaymentHash& hash = drive->item.payment.request.hash;
    if (!looks.insert(hash).second) continue;
    std::vector<Marks> since;
    for (Drive* same : hashes[hash].drives) {
      if (const auto first = first_marks(same->item.payment)) since.push_back(*first);
      if (!same->done) (void)take_look(same->item, mono());
    }
    ports.node.look(hash, since);
  }
}

MonoNs Driver::Impl::wake_at() {
  MonoNs at = store_poll_at;
  if (const auto end = limit()) at = std::min(at, mono() < *end ? *end : plus(*end, farewell_ns));
  if (identify_at && !identity && !identifying) at = std::min(at, *identify_at);
  if (commit_was_busy) at = std::min(at, plus(mono(), options.look_pause_ns));
  if (feed && !feed->over()) at = std::min(at, plus(mono(), feed_poll_ns));
  bool crowded = false;
  for (const Admission& waiting : queue) {
    if (waiting.retry_at) at = std::min(at, *waiting.retry_at);
    crowded = crowded || !waiting.retry_at;
  }
  for (const auto& drive : drives) {
    const Item& item = drive->item;
    const auto look = look_due(item);
    if (identity && look && looks.count(item.payment.request.hash) == 0) at = std::min(at, *look);
    if (drive->retry_full_at) at = std::min(at, *drive->retry_full_at);
    if (const auto due = wakes_at(item, context())) at = std::min(at, *due);
    if (crowded && drive->adopted && drive->held && at_rest(item))
      at = std::min(at, std::max(mono(), plus(drive->since, turn_ns)));
    if (!item.backlog.empty() && !commit_was_busy) at = mono();
  }
  return at;
}

void Driver::Impl::look_at_clocks() {
  for (const auto& drive : drives) {
    if (drive->done) continue;
    Item& item = drive->item;
    const ItemContext at = context();
    tell_deadline(item, at);
    if (drive->retry_full_at && mono() >= *drive->retry_full_at) try_full_channels(*drive);
    doubt_silence(item, at);
    fulfil_all(*drive, leave_proven(item, at));
    if (drive->done) continue;
    if (options.wait_ns == 0 && drive->answered_once && item.backlog.empty() && !unanswered(item)) close(*drive);
  }
  if (mono() < store_poll_at) return;
  store_poll_at = plus(mono(), store_poll_ns);
  tell_observer();
  const auto changes = read(ports.store.change_counter());
  if (!changes || *changes == seen_changes) return;
  seen_changes = *changes;
  for (const auto& drive : drives) see_foreign_decisions(*drive);
}

void Driver::Impl::tell_observer() {
  std::vector<const Payment*> driven;
  driven.reserve(drives.size());
  for (const auto& drive : drives) {
    if (!drive->done) driven.push_back(&drive->item.payment);
  }
  ports.observer.driving(driven);
}

void Driver::Impl::see_foreign_decisions(Drive& drive) {
  const Payment& payment = drive.item.payment;
  if (drive.done || payment.index.value == 0) return;
  const auto stored = load_again(drive);
  if (drive.done) return;
  if (!stored || stored->stop_reason != payment.stop_reason || stored->ended_for_good() != payment.ended_for_good())
    reload(drive);
}

Driver::Driver(DriverPorts ports, DriverOptions options) : impl_(std::make_unique<Impl>(ports, options)) {}
Driver::~Driver() = default;

void Driver::submit(Submission wanted) { impl_->queue.push_back(admission_of(std::move(wanted))); }

void Driver::adopt(PaymentIndex index) {
  Admission next;
  next.index = index;
  impl_->queue.push_back(std::move(next));
}

Result<std::vector<DriveResult>> Driver::run() {
  if (auto alarm = impl_->run()) return *std::move(alarm);
  return std::move(impl_->results);
}

std::optional<Error> Driver::run(DriveFeed& feed) {
  impl_->feed = &feed;
  return impl_->run();
}

}  // namespace paytower
