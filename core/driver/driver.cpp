#include "core/driver/driver.h"

#include <algorithm>

#include "core/driver/loop.h"

namespace paytower {

namespace {

constexpr std::int64_t first_answer_ns = ns_per_second;        ///< --wait 0 stays this long for a first answer
constexpr std::int64_t farewell_ns = 700 * ns_per_ms;          ///< after a signal, for answers to hand-overs
constexpr std::int64_t feed_poll_ns = 20 * ns_per_ms;          ///< how soon a new line of a batch is seen
constexpr std::int64_t reply_patience_ns = 2 * ns_per_second;  ///< an unanswered hand-over is looked for after this

}  // namespace

UnixNs Driver::Impl::now() const {
  const UnixNs by_mono{base_wall.value + (mono().value - start.value)};
  return std::max(ports.clock.wall(), by_mono);
}

UnixNs Driver::Impl::now_for(const Payment& payment) const { return std::max(now(), payment.request.created); }

std::optional<MonoNs> Driver::Impl::limit() const {
  if (!options.wait_ns) return std::nullopt;
  return plus(start, *options.wait_ns == 0 ? first_answer_ns : *options.wait_ns);
}

void Driver::Impl::run() {
  try {
    loop();
  } catch (const std::exception&) {
    save_proofs();
    throw;
  }
}

void Driver::Impl::loop() {
  start = mono();
  base_wall = ports.clock.wall();
  seen_changes = ports.store.change_counter();
  store_poll_at = plus(start, store_poll_ns);
  admit();
  while (!items.empty() || !queue.empty() || (feed && !feed->over())) {
    settle();
    sweep();
    admit();
    if (items.empty() && queue.empty() && (!feed || feed->over())) break;
    if (leaving()) break;
    connect();
    start_looks();
    for (SwitchEvent& event : ports.node.poll(wake_at())) answers.push_back(std::move(event));
    for (; !answers.empty(); answers.pop_front())
      std::visit([this](const auto& what) { receive(what); }, answers.front());
    look_at_clocks();
  }
  leave_open();
}

bool Driver::Impl::leaving() {
  if (!told_to_leave && ports.clock.stop_signal() != 0) told_to_leave = mono();
  if (told_to_leave) return !any_unanswered() || mono() >= plus(*told_to_leave, farewell_ns);
  const auto end = limit();
  return end && mono() >= *end;
}

bool Driver::Impl::any_unanswered() const {
  return std::any_of(items.begin(), items.end(), [](const auto& item) { return !item->unanswered.empty(); });
}

void Driver::Impl::leave_open() {
  save_proofs();  // of those whose commit waits for another writer
  for (const auto& item : items) {
    if (item->done) continue;
    const bool unsaid = commit_was_busy && !item->backlog.empty() && item->payment.index.value != 0;
    if (!unsaid) {
      close(*item);
      continue;
    }
    finish(*item, item->payment.ended_for_good() ? DriveEnd::ended : DriveEnd::open,
           Error{Errc::busy, "what the switch told is not stored yet: " + busy_why.message, {}});
  }
  sweep();
  for (const Admission& left : std::exchange(queue, {})) deliver(left.tag, left_waiting(left));
}

DriveResult Driver::Impl::left_waiting(const Admission& left) {
  if (left.retry_at) return busy_result(left);  // only this one is in another process's hands
  if (!left.index) return not_begun_result(left);
  DriveResult result;
  result.hash = left.hash;
  result.end = DriveEnd::open;
  try {
    result.payment = ports.store.load(*left.index);
  } catch (const RefusalError& error) {
    if (error.error().code != Errc::database) throw;
    return unreadable_result(left, error.error());
  }
  if (!result.payment) return result;
  result.hash = result.payment->request.hash;
  if (result.payment->ended_for_good()) result.end = DriveEnd::ended;
  return result;
}

void Driver::Impl::close(Item& item) {
  if (item.payment.index.value == 0) {
    return finish(item, DriveEnd::unavailable,
                  Error{Errc::switch_unavailable,
                        "the switch gave no route in time; nothing was recorded and nothing was sent",
                        {}});
  }
  finish(item, item.payment.ended_for_good() ? DriveEnd::ended : DriveEnd::open, std::nullopt);
}

void Driver::Impl::finish(Item& item, DriveEnd end, std::optional<Error> error) {
  if (item.done) return;
  item.done = true;
  DriveResult result;
  result.hash = item.payment.request.hash;
  result.end = end;
  result.error = std::move(error);
  result.handed_over = item.handed_over;
  result.joined = item.joined;
  result.paid_before = item.paid_before;
  result.awaits_other_user =
      !item.payment.ended_for_good() && !item.payment.has_open_attempt() && item.blocker == Blocker::other_user;
  result.pending_at_switch = item.payment.status() == PaymentStatus::failed && item.payment.has_watched_attempt() &&
                             item.blocker == Blocker::closed_by_hand;
  if (item.payment.index.value != 0) result.payment = item.payment;
  deliver(item.tag, std::move(result));
}

void Driver::Impl::deliver(std::uint64_t tag, DriveResult result) {
  result.tag = tag;
  if (feed) return feed->ended(std::move(result));
  results.push_back(std::move(result));
}

void Driver::Impl::sweep() {
  for (auto& item : items) {
    if (!item->done) continue;
    by_ticket.erase(item->ticket);
    auto& same_hash = hashes[item->payment.request.hash].items;
    same_hash.erase(std::remove(same_hash.begin(), same_hash.end(), item.get()), same_hash.end());
    release(item->payment.request.hash);
    item.reset();
  }
  items.erase(std::remove(items.begin(), items.end(), nullptr), items.end());
}

void Driver::Impl::connect() {
  if (identity || identifying) return;
  if (identify_at && mono() < *identify_at) return;
  identifying = true;
  ports.node.identify();
}

void Driver::Impl::start_looks() {
  if (!identity) return;
  for (const auto& item : items) {
    if (!item->look_at || mono() < *item->look_at) continue;
    const PaymentHash& hash = item->payment.request.hash;
    if (item->done || !looks.insert(hash).second) continue;
    std::optional<Marks> since;
    for (Item* same : hashes[hash].items) {
      since = earlier(since, oldest_marks(same->payment));
      if (same->done || !same->look_at || mono() < *same->look_at) continue;
      same->look_at.reset();
      same->look_asked = mono();
      same->looking = true;
      same->look_outdated = false;
    }
    ports.node.look(hash, since);
  }
}

MonoNs Driver::Impl::wake_at() {
  MonoNs at = store_poll_at;
  if (const auto end = limit()) at = std::min(at, *end);
  if (identify_at && !identity && !identifying) at = std::min(at, *identify_at);
  if (commit_was_busy) at = std::min(at, plus(mono(), options.look_pause_ns));
  if (feed && !feed->over()) at = std::min(at, plus(mono(), feed_poll_ns));
  bool crowded = false;
  for (const Admission& waiting : queue) {
    if (waiting.retry_at) at = std::min(at, *waiting.retry_at);
    crowded = crowded || !waiting.retry_at;
  }
  for (const auto& item : items) {
    if (identity && item->look_at && looks.count(item->payment.request.hash) == 0) at = std::min(at, *item->look_at);
    for (const auto& [id, since] : item->unanswered) at = std::min(at, plus(since, reply_patience_ns));
    if (const auto due = deadline_mono(*item)) at = std::min(at, *due);
    if (crowded && item->adopted && at_rest(*item)) at = std::min(at, std::max(mono(), plus(item->since, turn_ns)));
    if (!item->backlog.empty() && !commit_was_busy) at = mono();
  }
  return at;
}

std::optional<MonoNs> Driver::Impl::deadline_mono(const Item& item) const {
  if (item.deadline_told || item.payment.index.value == 0) return std::nullopt;
  const std::int64_t left = item.payment.request.deadline.value - now_for(item.payment).value;
  return plus(mono(), std::clamp<std::int64_t>(left, 0, 3600 * ns_per_second));
}

void Driver::Impl::look_at_clocks() {
  for (const auto& item : items) {
    if (item->done) continue;
    tell_deadline(*item);
    doubt_silence(*item);
    if (options.wait_ns == 0 && item->answered_once && item->backlog.empty() && item->unanswered.empty()) close(*item);
  }
  if (mono() < store_poll_at) return;
  store_poll_at = plus(mono(), store_poll_ns);
  const std::uint64_t changes = ports.store.change_counter();
  if (changes == seen_changes) return;
  seen_changes = changes;
  for (const auto& item : items) see_foreign_decisions(*item);
}

void Driver::Impl::tell_deadline(Item& item) {
  if (item.deadline_told || item.payment.index.value == 0) return;
  if (now_for(item.payment) < item.payment.request.deadline) return;
  item.deadline_told = true;
  item.backlog.push_back(DeadlinePassed{});
}

void Driver::Impl::doubt_silence(Item& item) {
  for (auto& [id, since] : item.unanswered) {
    if (mono() < plus(since, reply_patience_ns)) continue;
    since = mono();
    want_look(item, mono());
  }
}

void Driver::Impl::see_foreign_decisions(Item& item) {
  if (item.done || item.payment.index.value == 0) return;
  const auto stored = load_again(item);
  if (item.done) return;
  if (!stored || stored->stop_reason != item.payment.stop_reason ||
      stored->ended_for_good() != item.payment.ended_for_good()) {
    reload(item);
  }
}

Driver::Driver(DriverPorts ports, DriverOptions options) : impl_(std::make_unique<Impl>(ports, options)) {}
Driver::~Driver() = default;

void Driver::submit(Submission wanted) { impl_->queue.push_back(admission_of(std::move(wanted))); }

void Driver::adopt(PaymentIndex index) {
  Admission next;
  next.index = index;
  impl_->queue.push_back(std::move(next));
}

std::vector<DriveResult> Driver::run() {
  impl_->run();
  return std::move(impl_->results);
}

void Driver::run(DriveFeed& feed) {
  impl_->feed = &feed;
  impl_->run();
}

}  // namespace paytower
