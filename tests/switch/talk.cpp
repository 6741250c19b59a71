// How the suite speaks to a switch: asks, waits for the answer, and checks the order of what it is told.
#include <doctest/doctest.h>

#include <algorithm>

#include "core/base/hash.h"
#include "core/invoice/bolt11/invoice.h"
#include "tests/switch/suite.h"

namespace paytower::test {

namespace {

constexpr std::int64_t slice_ns = 100 * ns_per_ms;
/// A busy machine wakes us late. A switch that waits for its node would never wake us.
constexpr std::int64_t late_ns = 3 * ns_per_second;
constexpr int most_questions = 20;

bool is_about(const AttemptKey& key, const AttemptKey& told) { return key == told; }

Told told_of(const DispatchAnswer& answer) {
  if (answer.kind == DispatchAnswer::Kind::accepted) return Told::accepted;
  return answer.kind == DispatchAnswer::Kind::not_sent ? Told::not_sent : Told::look;
}

bool is_end(const QueryAnswer& answer) { return answer.kind != QueryAnswer::Kind::look; }

Told told_of(const QueryAnswer& answer) {
  return answer.kind == QueryAnswer::Kind::settled ? Told::settled : Told::failed;
}

}  // namespace

World::World() {
  static std::uint8_t worlds = 0;
  store_.bytes.fill(0x51);
  store_.bytes[0] = ++worlds;
}

Bill bill_of(const std::string& invoice) {
  const auto read = decode_invoice(invoice);
  REQUIRE(read);
  REQUIRE(read->amount);
  Bill bill;
  bill.hash = read->payment_hash;
  bill.amount = *read->amount;
  bill.payee = read->payee;
  bill.secret = read->payment_secret;
  bill.final_cltv_delta = static_cast<std::uint32_t>(read->min_final_cltv);
  bill.invoice = invoice;
  bill.description = read->description.value_or("");
  return bill;
}

// --- what is told ---

void Talk::poll(std::int64_t ns) {
  const MonoNs until{world_.clock().mono().value + ns};
  for (SwitchEvent& event : world_.node().poll(until)) take(std::move(event));
  REQUIRE(world_.clock().mono().value <= until.value + late_ns);
}

void Talk::listen(std::int64_t ns) {
  const MonoNs until{world_.clock().mono().value + ns};
  while (world_.clock().mono() < until) poll(until.value - world_.clock().mono().value);
}

void Talk::take(SwitchEvent event) {
  if (std::holds_alternative<IdentityAnswer>(event)) lost_ = false;
  if (std::holds_alternative<Disconnected>(event)) lost_ = true;
  if (const auto* answer = std::get_if<QueryAnswer>(&event); answer != nullptr && is_end(*answer))
    note_end(answer->key, told_of(*answer));
  if (const auto* answer = std::get_if<DispatchAnswer>(&event);
      answer != nullptr && answer->kind != DispatchAnswer::Kind::look)
    note_end(answer->key, told_of(*answer));
  heard_.push_back(std::move(event));
}

/// An accepted attempt may end; after an end nothing else may come.
void Talk::note_end(const AttemptKey& key, Told end) {
  const auto before = ends_.find(key);
  if (before != ends_.end() && before->second != end) {
    CHECK(before->second != Told::not_sent);
    CHECK(end != Told::not_sent);
    CHECK((before->second == Told::accepted || end == Told::accepted));
    if (end == Told::accepted) return;
  }
  ends_[key] = end;
}

template <typename Event, typename Matches> std::optional<Event> Talk::heard(Matches matches) {
  const auto found = std::find_if(heard_.begin(), heard_.end(), [&](const SwitchEvent& event) {
    const auto* one = std::get_if<Event>(&event);
    return one != nullptr && matches(*one);
  });
  if (found == heard_.end()) return std::nullopt;
  Event event = std::get<Event>(std::move(*found));
  heard_.erase(found);
  return event;
}

template <typename Event, typename Ask, typename Matches> Event Talk::asked(Ask ask, Matches matches) {
  const MonoNs until{world_.clock().mono().value + patience_ns};
  for (int i = 0; i < most_questions; ++i) {
    if (lost_) (void)connect();
    ask();
    while (!lost_ && world_.clock().mono() < until) {
      if (auto event = heard<Event>(matches)) return *std::move(event);
      poll(slice_ns);
    }
    if (auto event = heard<Event>(matches)) return *std::move(event);
  }
  FAIL("a question without an answer");
  throw 0;  // never reached: FAIL throws
}

// --- questions ---

IdentityAnswer Talk::connect() {
  const MonoNs until{world_.clock().mono().value + patience_ns};
  while (world_.clock().mono() < until) {
    world_.node().identify();
    do poll(slice_ns);
    while (heard_.empty() && world_.clock().mono() < until);
    while (heard<Disconnected>([](const Disconnected&) { return true; })) continue;
    const auto identity = heard<IdentityAnswer>([](const IdentityAnswer&) { return true; });
    if (identity && asks_for_newest()) return *identity;
  }
  FAIL("the switch does not say who it is");
  return {};
}

/// Asks once for each connection, as the driver does (R12). False if the connection is lost.
bool Talk::asks_for_newest() {
  const MonoNs until{world_.clock().mono().value + patience_ns};
  ask_newest();
  while (!lost_ && world_.clock().mono() < until) {
    if (heard<NewestOwnAnswer>([](const auto&) { return true; })) return true;
    poll(slice_ns);
  }
  return false;
}

void Talk::ask_newest() {
  StoreTrace trace;
  trace.store = world_.store();
  trace.made = UnixNs{world_.clock().wall().value - 60 * ns_per_second};
  world_.node().newest_own(trace);
}

void Talk::die() {
  world_.new_process();
  heard_.clear();
  lost_ = true;
}

LookResult Talk::look(const PaymentHash& hash) {
  const auto since = marks_.find(hash);
  const std::vector<Marks> from = since == marks_.end() ? std::vector<Marks>{} : std::vector<Marks>{since->second};
  const auto answer = asked<LookAnswer>([&] { world_.node().look(hash, from); },
                                        [&](const LookAnswer& one) { return one.hash == hash; });
  std::vector<Asked> ours;
  std::copy_if(attempts_.begin(), attempts_.end(), std::back_inserter(ours),
               [&](const Asked& one) { return one.key.hash == hash; });
  LookResult result = answer.shown->about(world_.store(), ours);
  marks_.emplace(hash, result.now);
  return result;
}

RouteQuestion Talk::question(const Bill& bill, Msat amount) {
  RouteQuestion asked;
  asked.demand.destination = bill.payee;
  asked.demand.amount = amount;
  asked.demand.final_cltv_delta = bill.final_cltv_delta;
  asked.demand.fee_limit = Msat::of(1'000'000);
  return asked;
}

RouteAnswer Talk::route(const RouteQuestion& question) {
  RouteQuestion numbered = question;
  numbered.ticket = ++last_ticket_;
  numbered.store = world_.store();
  numbered.now = world_.clock().wall();
  return asked<RouteAnswer>([&] { world_.node().ask_route(numbered); },
                            [&](const RouteAnswer& one) { return one.ticket == numbered.ticket; });
}

Handover Talk::order(const Bill& bill, AttemptId id, std::uint32_t part, Msat amount) {
  (void)look(bill.hash);  // its marks, as the driver stores them before a hand-over
  const RouteAnswer way = route(question(bill, amount));
  REQUIRE(way.routes.size() == 1);
  Handover made;
  made.key = AttemptKey{bill.hash, id, part};
  made.label = attempt_label(world_.store(), id);
  made.route = way.routes.front();
  made.amount = bill.amount;
  made.payment_secret = bill.secret;
  made.invoice = bill.invoice;
  made.description = bill.description;
  if (const auto terms = world_.node().terms()) {
    made.dies_at = terms->dies_at;
    made.total_time_lock = world_.node().base_height() + made.route.total_delay();
  }
  return made;
}

Told Talk::hand_over(const Handover& handover, std::int64_t ns) {
  attempts_.push_back(Asked{handover.key, marks_[handover.key.hash], handover.route.total_amount(), handover.amount,
                            world_.clock().wall(), handover.dies_at, handover.total_time_lock, false, true});
  const MonoNs until{world_.clock().mono().value + ns};
  world_.node().dispatch(handover);
  do {
    poll(std::min(slice_ns, ns));
    if (const auto answer =
            heard<DispatchAnswer>([&](const DispatchAnswer& one) { return is_about(handover.key, one.key); }))
      return told_of(*answer);
    const auto end = ends_.find(handover.key);
    if (end != ends_.end()) return end->second;  // the end is kept: it can still be asked for
  } while (!lost_ && world_.clock().mono() < until);
  return Told::nothing;
}

std::optional<QueryAnswer> Talk::told_end(const AttemptKey& key, std::int64_t ns) {
  const MonoNs until{world_.clock().mono().value + ns};
  for (;;) {
    if (auto end = heard<QueryAnswer>([&](const QueryAnswer& one) { return one.key == key && is_end(one); }))
      return end;
    if (world_.clock().mono() >= until) return std::nullopt;
    poll(std::min(slice_ns, until.value - world_.clock().mono().value));
  }
}

std::optional<QueryAnswer> Talk::shown_end(const AttemptKey& key) {
  const LookResult seen = look(key.hash);
  const SwitchRow* row = row_of(seen.rows, world_.store(), key);
  if (row == nullptr || row->state == RowState::pending) return std::nullopt;
  QueryAnswer end;
  end.key = key;
  end.kind = row->state == RowState::complete ? QueryAnswer::Kind::settled : QueryAnswer::Kind::failed;
  end.preimage = row->preimage.value_or(Preimage{});
  end.failure = row->failure.value_or(Failure{});
  note_end(key, told_of(end));
  return end;
}

QueryAnswer Talk::end_of(const AttemptKey& key) {
  if (auto end = told_end(key, 0)) return *end;
  for (int i = 0; i < most_questions; ++i) {
    auto answer =
        asked<QueryAnswer>([&] { world_.node().query(key); }, [&](const QueryAnswer& one) { return one.key == key; });
    if (is_end(answer)) return answer;
    if (auto end = shown_end(key)) return *end;
  }
  FAIL("an attempt without an end");
  return {};
}

bool Talk::hears_of(const AttemptKey& key) {
  const MonoNs until{world_.clock().mono().value + patience_ns};
  while (!lost_ && world_.clock().mono() < until) {
    if (heard<QueryAnswer>([&](const QueryAnswer& one) { return one.key == key; })) return true;
    poll(slice_ns);
  }
  return lost_;
}

FenceAnswer::Kind Talk::fence(const Handover& handover) {
  Handover fence = handover;
  fence.label = attempt_label(world_.store(), handover.key.id, true);
  return asked<FenceAnswer>([&] { world_.node().fence(fence); },
                            [&](const FenceAnswer& one) { return one.key == handover.key; })
      .kind;
}

void Talk::release(const PaymentHash& hash) {
  (void)asked<ReleaseAnswer>([&] { world_.node().release(hash, world_.store()); },
                             [&](const ReleaseAnswer& one) { return one.hash == hash; });
}

std::vector<OwnRow> Talk::own_rows() {
  return asked<OwnRowsAnswer>([&] { world_.node().list_own(world_.store()); }, [](const auto&) { return true; }).rows;
}

std::vector<AttemptId> Talk::newest_ids() {
  return asked<NewestOwnAnswer>([this] { ask_newest(); }, [](const auto&) { return true; }).ids;
}

}  // namespace paytower::test
