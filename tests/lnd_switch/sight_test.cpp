// What one look at lnd proves at its limits (lnd/README 4 to 9): the times and heights at which a conclusion changes,
// marks that are not ours, two HTLCs with one mark, the age of an HTLC, and what a fence proves when it is held.
#include <doctest/doctest.h>

#include <string>

#include "core/driver/item.h"
#include "tests/lnd_switch/sights.h"

using namespace paytower;
using namespace paytower::test;
using State = lnd::Htlc::State;
using Status = lnd::Record::Status;

namespace {

Payment seen_payment() {
  Payment payment = lost_payment();
  payment.attempts.back().accepted = after(2);
  return payment;
}

Payment without_time_limit() {
  Payment payment = lost_payment();
  payment.attempts.back().dies_at.reset();
  return payment;
}

Sight past_height(std::optional<Record> record = {}) {
  Sight sight = sight_at(next_day, std::move(record));
  sight.height = expiry_height + lnd::height_margin + 1;
  return sight;
}

lnd::OwnChannel channel(std::uint64_t id, bool pending = false) {
  lnd::OwnChannel made;
  made.id = ShortChannelId{id};
  if (pending) made.pending_out.push_back(key_of(first_id).hash);
  return made;
}

LookFinding found(const Payment& payment, const Sight& sight) {
  return interpret(payment, sight, knowledge_of(payment));
}

std::string text_for(Payment payment, const Sight& sight) { return looked(payment, sight); }

lnd::Htlc marked(lnd::Htlc htlc, std::optional<lnd::Mark> mark) {
  htlc.mark = mark;
  return htlc;
}

}  // namespace

TEST_CASE("lnd sight: a hand-over's time is over one nanosecond behind its grace") {
  CHECK_FALSE(lnd::time_is_over(dies_at, dies_at));
  CHECK_FALSE(lnd::time_is_over(dies_at, grace_ends));
  CHECK(lnd::time_is_over(dies_at, after(40, 1)));
  CHECK_FALSE(lnd::time_is_over({}, next_day));
  CHECK(evidence_for(lost_payment(), sight_at(grace_ends)) == Evidence::not_yet);
  CHECK(evidence_for(lost_payment(), sight_at(after(40, 1))) == Evidence::late);
  CHECK(evidence_for(without_time_limit(), sight_at(next_day)) == Evidence::not_yet);
}

TEST_CASE("lnd sight: the height that lnd tells must be past the expiry and its margin") {
  Sight sight = sight_at(after(5));
  sight.height = expiry_height + lnd::height_margin;
  CHECK(evidence_for(lost_payment(), sight) == Evidence::not_yet);
  ++sight.height;
  CHECK(evidence_for(lost_payment(), sight) == Evidence::never);
  CHECK(evidence_for(without_time_limit(), sight) == Evidence::never);
  sight.height = 0;  // lnd is not synced
  CHECK(evidence_for(lost_payment(), sight) == Evidence::not_yet);
  Payment unbound = lost_payment();
  unbound.attempts.back().total_time_lock.reset();
  sight.height = 1'000'000;
  CHECK(evidence_for(unbound, sight) == Evidence::not_yet);
}

TEST_CASE("lnd sight: in which records our HTLC can have been") {
  struct Row {
    UnixNs made;
    bool ours;
  };
  for (const Row& row : {Row{after(0, -1), false}, Row{after(0), true}, Row{after(30), true}, Row{grace_ends, true},
                         Row{after(40, 1), false}, Row{UnixNs{}, false}}) {
    CAPTURE(row.made.value - created.value);
    const Record failed = record_of(Status::failed, {}, row.made);
    CHECK(evidence_for(seen_payment(), sight_at(next_day, failed)) ==
          (row.ours ? Evidence::erased : Evidence::unknown));
    CHECK(evidence_for(lost_payment(), past_height(failed)) == (row.ours ? Evidence::erased : Evidence::never));
  }
  // Without a time limit a copy may come for days, and our own clock gives the earliest time.
  for (const Row& row : {Row{after(-10, -1), false}, Row{after(-10), true}, Row{next_day, true}}) {
    const Record failed = record_of(Status::failed, {}, row.made);
    CHECK(evidence_for(without_time_limit(), past_height(failed)) == (row.ours ? Evidence::erased : Evidence::never));
  }
}

// A late fence may be in the record at the time of the next attempt. Its record is of 1 msat, too little to have held
// an attempt.
TEST_CASE("lnd sight: what a fence has made is not the record of an attempt, whenever it was made") {
  Record fence = fence_record(our_store, after(10), key_of(earlier_id));
  CHECK(evidence_for(seen_payment(), sight_at(next_day, fence)) == Evidence::unknown);
  fence.status = Status::failed;
  CHECK(evidence_for(seen_payment(), sight_at(next_day, fence)) == Evidence::unknown);
  CHECK(evidence_for(lost_payment(), past_height(fence)) == Evidence::never);
}

TEST_CASE("lnd sight: a later part is in the record that an earlier part of its round made") {
  Attempt later = handed_over(first_id, 3, 100'000);
  later.registered = after(8);
  later.dies_at = after(38);
  later.accepted = after(9);
  Payment payment = recorded_payment({part_attempt(first_id, 1, 150'000, Shape::failed), later});
  payment.attempts.front().dies_at = dies_at;
  const AttemptKey key = key_of(first_id, 3);
  const auto at = [&](UnixNs made) {
    return evidence_for(payment, sight_at(next_day, record_of(Status::failed, {}, made)), key);
  };
  CHECK(at(after(1)) == Evidence::erased);
  CHECK(at(after(48)) == Evidence::erased);
  CHECK(at(after(48, 1)) == Evidence::unknown);
  CHECK(at(after(0, -1)) == Evidence::unknown);
  // The record of another round: it ended before this attempt was handed over.
  payment.attempts.front().id = earlier_id;
  CHECK(at(after(1)) == Evidence::unknown);
  CHECK(at(after(8)) == Evidence::erased);
}

TEST_CASE("lnd sight: an answer that can still come is waited for, whatever lnd shows") {
  for (const Record& record :
       {record_of(Status::failed), record_of(Status::in_flight), fence_record(our_store, after(50)),
        record_of(Status::succeeded, {foreign_htlc(State::settled)})}) {
    Sight sight = past_height(record);
    sight.waiting.push_back(key_of(first_id));
    CHECK(evidence_for(lost_payment(), sight) == Evidence::not_yet);
    CHECK(evidence_for(seen_payment(), sight) == Evidence::not_yet);
  }
}

TEST_CASE("lnd sight: what was proven dead stays dead when the fence has fallen") {
  Sight sight = sight_at(after(50));
  sight.fenced.push_back(key_of(first_id));
  CHECK(evidence_for(lost_payment(), sight) == Evidence::never);
  sight.fenced = {key_of(second_id), key_of(first_id, 1)};
  CHECK(evidence_for(lost_payment(), sight) == Evidence::late);
}

TEST_CASE("lnd sight: no fence is asked for where none can take") {
  lnd::Htlc fence_on_its_way = fence_record(our_store, after(45)).htlcs.front();
  fence_on_its_way.state = State::in_flight;
  for (const Record& record :
       {record_of(Status::in_flight, {foreign_htlc(State::in_flight)}),
        record_of(Status::in_flight, {foreign_htlc(State::failed)}), record_of(Status::in_flight, {fence_on_its_way}),
        record_of(Status::in_flight, {own_htlc(State::failed, key_of(earlier_id)), foreign_htlc(State::failed)})})
    CHECK(evidence_for(lost_payment(), sight_at(after(50), record)) == Evidence::not_yet);
  for (const Record& record :
       {record_of(Status::failed, {foreign_htlc(State::failed)}), record_of(Status::in_flight),
        record_of(Status::in_flight, {own_htlc(State::failed, key_of(earlier_id))}), fence_record(our_store, after(45)),
        fence_record(other_store, after(45)), record_of(Status::succeeded, {foreign_htlc(State::settled)})})
    CHECK(evidence_for(lost_payment(), sight_at(after(50), record)) == Evidence::late);
}

TEST_CASE("lnd sight: R2, two HTLCs with one mark of ours stop everything") {
  const lnd::Htlc live = own_htlc(State::in_flight);
  for (const State other : {State::in_flight, State::failed, State::settled}) {
    const Record twice = record_of(Status::in_flight, {live, own_htlc(other)});
    CHECK(text_for(lost_payment(), sight_at(after(5), twice)) == "alarm attempt_doubled");
    CHECK(text_for(seen_payment(), past_height(twice)) == "alarm attempt_doubled");
    CHECK(text_for(recorded_payment({}), sight_at(after(5), twice)) == "alarm attempt_doubled");
  }
  Payment parts = recorded_payment({handed_over(first_id, 1, 150'000), handed_over(first_id, 2, 100'000)});
  const Record of_two = record_of(Status::in_flight, {own_htlc(State::in_flight, key_of(first_id, 1)),
                                                      own_htlc(State::in_flight, key_of(first_id, 2))});
  CHECK(looked(parts, sight_at(after(5), of_two)) == "seen, ask for the end, seen, ask for the end");
  // Fences may be made twice; they pay nobody.
  Record fences = fence_record(our_store, after(41));
  fences.htlcs.push_back(fence_record(our_store, after(44)).htlcs.front());
  CHECK(text_for(lost_payment(), sight_at(after(50), fences)) == "prove dead");
}

TEST_CASE("lnd sight: a mark that we cannot read is somebody else's") {
  lnd::Mark bent = mark_of(key_of(first_id));
  bent[7] ^= 1U;
  lnd::Mark counted{};
  for (std::size_t i = 0; i < counted.size(); ++i) counted[i] = static_cast<std::uint8_t>(i);
  for (const std::optional<lnd::Mark>& mark :
       {std::optional<lnd::Mark>{}, std::optional(bent), std::optional(counted), std::optional(lnd::Mark{}),
        std::optional(mark_of(key_of(first_id), MarkKind::attempt, other_store))}) {
    const auto in = [&](State state) {
      const Status status = state == State::settled ? Status::succeeded : Status::in_flight;
      return sight_at(after(5), record_of(status, {marked(foreign_htlc(state), mark)}));
    };
    CHECK(text_for(lost_payment(), in(State::in_flight)) == "look later (another user)");
    CHECK(text_for(lost_payment(), in(State::failed)) == "look later (unfinished)");
    CHECK(text_for(lost_payment(), in(State::settled)) == "record theirs, SUCCEEDED, look later");
  }
}

TEST_CASE("lnd sight: another database's marks have our numbers, and are not ours") {
  const lnd::Mark theirs = mark_of(key_of(AttemptId{5'000}), MarkKind::attempt, other_store);
  CHECK(text_for(lost_payment(),
                 sight_at(after(5), record_of(Status::failed, {marked(foreign_htlc(State::failed), theirs)}))) ==
        "look later");  // another user's mark raises no alarm
  const Record twins = record_of(Status::in_flight, {marked(foreign_htlc(State::in_flight), theirs),
                                                     marked(foreign_htlc(State::in_flight), theirs)});
  CHECK(text_for(lost_payment(), sight_at(after(5), twins)) == "look later (another user)");
}

TEST_CASE("lnd sight: the HTLC of a fence is nobody's attempt") {
  for (const MarkKind kind : {MarkKind::fence, MarkKind::release}) {
    const lnd::Htlc htlc = marked(foreign_htlc(State::failed), mark_of(key_of(first_id), kind));
    Record record = record_of(Status::failed, {htlc});
    CHECK(sight_at(after(5), record).about(our_store, {}).rows.empty());
    CHECK(text_for(lost_payment(), sight_at(after(5), record)) == "look later");
    record.status = Status::in_flight;
    record.htlcs.front().state = State::in_flight;  // on its way inside lnd
    CHECK(text_for(recorded_payment({}), sight_at(after(5), record)) == "look later (another user)");
  }
  // Also a fence for an attempt that this database does not have: that does not prove an old copy.
  const Record unknown = fence_record(our_store, after(1), key_of(AttemptId{5'000}));
  CHECK(text_for(recorded_payment({}), sight_at(after(5), unknown)) == "release");
}

TEST_CASE("lnd sight: what a row says of an HTLC") {
  lnd::Htlc htlc = own_htlc(State::settled, key_of(first_id, 2));
  htlc.preimage.reset();
  htlc.destination = node_key(2);
  Record record = record_of(Status::succeeded, {htlc, foreign_htlc(State::failed)});
  record.preimage = right_preimage();
  const LookResult look = sight_at(after(5), record).about(our_store, {});
  REQUIRE(look.rows.size() == 2);
  CHECK(look.rows[0].id == first_id);
  CHECK(look.rows[0].part == 2);
  CHECK(look.rows[0].label == attempt_label(our_store, first_id));
  CHECK(look.rows[0].state == RowState::complete);
  CHECK(look.rows[0].preimage == right_preimage());  // from the record, if the HTLC has none
  CHECK(look.rows[0].amount == Msat::of(250'000));
  CHECK(look.rows[0].amount_sent == Msat::of(250'500));
  CHECK(look.rows[0].destination == node_key(2));
  CHECK(look.rows[1].id == AttemptId{77});
  CHECK(look.rows[1].label.empty());
  CHECK(look.rows[1].state == RowState::failed);
  CHECK(look.rows[1].failure->code == FailureCode::temporary_channel_failure);
  CHECK(look.base_height == 600);
  CHECK(look.now == Marks{});  // lnd counts nothing
  CHECK(look.run.empty());
}

TEST_CASE("lnd sight: somebody else's payment in parts is one payment, of all that its parts carry") {
  std::vector<lnd::Htlc> htlcs;
  for (const std::uint64_t id : {77U, 78U, 79U}) {
    htlcs.push_back(foreign_htlc(State::settled));
    htlcs.back().attempt_id = id;
    htlcs.back().amount = Msat::of(100'000);
    htlcs.back().sent = Msat::of(100'010);
  }
  Record record = record_of(Status::succeeded, {htlcs[0], htlcs[1], htlcs[2]});
  record.preimage = right_preimage();
  const lnd::Sight sight = sight_at(after(5), record);
  const LookResult look = sight.about(our_store, {});
  REQUIRE(look.rows.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(look.rows[i].id == AttemptId{77});
    CHECK(look.rows[i].part == i + 1);
  }
  Payment unsent = lost_payment();
  unsent.attempts.clear();
  const auto events = found(unsent, sight).events;
  REQUIRE(events.size() == 1);
  const auto* paid = std::get_if<HashPaid>(&events.front());
  REQUIRE(paid != nullptr);
  CHECK(paid->amount == Msat::of(300'000));
  CHECK(paid->fee == Msat::of(30));
}

TEST_CASE("lnd sight: a record that lnd has given up takes no further part") {
  Record record = record_of(Status::in_flight, {own_htlc(State::in_flight)});
  CHECK(sight_at(after(5), record).about(our_store, {}).takes_parts);
  record.failing = true;
  CHECK_FALSE(sight_at(after(5), record).about(our_store, {}).takes_parts);
}

// --- an HTLC that is old ---

TEST_CASE("lnd sight: channels are asked for when an HTLC in flight is older than 120 s") {
  const UnixNs old = UnixNs{after(1).value + lnd::unsent_after_ns};
  const Record live = record_of(Status::in_flight, {own_htlc(State::in_flight)});
  CHECK_FALSE(lnd::wants_channels(live, old));
  CHECK(lnd::wants_channels(live, UnixNs{old.value + 1}));
  CHECK(lnd::wants_channels(record_of(Status::in_flight, {foreign_htlc(State::in_flight)}), next_day));
  for (const State ended : {State::failed, State::settled})
    CHECK_FALSE(lnd::wants_channels(record_of(Status::in_flight, {own_htlc(ended)}), next_day));
  CHECK_FALSE(lnd::wants_channels(record_of(Status::in_flight), next_day));
}

TEST_CASE("lnd sight: an HTLC that no channel shows is told of when it is old, and called unsent by height alone") {
  const Record live = record_of(Status::in_flight, {own_htlc(State::in_flight)});
  const UnixNs old = UnixNs{after(1).value + lnd::unsent_after_ns + 1};
  const auto at = [&](UnixNs clock, std::uint32_t height, std::optional<std::vector<lnd::OwnChannel>> channels) {
    Sight sight = sight_at(clock, live);
    sight.height = height;
    sight.channels = std::move(channels);
    return evidence_for(lost_payment(), sight);
  };
  constexpr std::uint32_t over = expiry_height + lnd::height_margin + 1;
  using Channels = std::vector<lnd::OwnChannel>;
  CHECK(at(old, 600, {}) == Evidence::not_yet);  // they were not asked for
  CHECK(at(next_day, over, {}) == Evidence::not_yet);
  CHECK(at(old, 600, Channels{channel(1)}) == Evidence::no_htlc);
  CHECK(at(UnixNs{old.value - 1}, 600, Channels{channel(1)}) == Evidence::not_yet);
  CHECK(at(old, over - 1, Channels{channel(1)}) == Evidence::no_htlc);
  CHECK(at(old, 0, Channels{channel(1)}) == Evidence::no_htlc);
  CHECK(at(old, over, Channels{channel(1)}) == Evidence::stranded);
  // The channel may have left the list because lnd went on chain with this HTLC.
  CHECK(at(old, over, Channels{channel(2)}) == Evidence::not_yet);
  CHECK(at(old, over, Channels{}) == Evidence::not_yet);
  // If any channel carries an HTLC of the hash, it may be this one.
  CHECK(at(old, over, Channels{channel(1), channel(2, true)}) == Evidence::not_yet);
  CHECK(at(old, over, Channels{channel(1, true)}) == Evidence::not_yet);
}

TEST_CASE("lnd sight: an HTLC whose record names no channel is never called unsent") {
  lnd::Htlc htlc = own_htlc(State::in_flight);
  htlc.first_channel.reset();
  Sight sight = past_height(record_of(Status::in_flight, {htlc}));
  sight.channels = {channel(0), channel(1)};
  CHECK(evidence_for(lost_payment(), sight) == Evidence::not_yet);
}

TEST_CASE("lnd sight: an old HTLC without a channel warns, and its way out names the channel") {
  Sight sight = sight_at(next_day, record_of(Status::in_flight, {own_htlc(State::in_flight)}));
  CHECK(found(lost_payment(), sight).warnings.empty());
  sight.channels = {channel(1)};
  const LookFinding told = found(lost_payment(), sight);
  REQUIRE(told.warnings.size() == 1);
  CHECK(told.warnings.front().find("close channel 0x0x1") != std::string::npos);
  CHECK(told.orphans.empty());
  CHECK(text_for(lost_payment(), sight) == "seen, ask for the end");  // only the warning changes
  sight.height = expiry_height + lnd::height_margin + 1;
  CHECK(found(lost_payment(), sight).orphans == std::vector{key_of(first_id)});
  CHECK(text_for(lost_payment(), sight) == "seen, ask for the end");  // one look proves nothing
}

TEST_CASE("lnd sight: two looks 45 s apart end an HTLC that never was, and FAILED waits for lnd's record") {
  Sight sight = past_height(record_of(Status::in_flight, {own_htlc(State::in_flight)}));
  sight.channels = {channel(1)};
  Item item;
  item.payment = seen_payment();
  const auto look = [&](std::int64_t seconds) {
    const MonoNs at{seconds * ns_per_second};
    on(item, found(item.payment, sight), at, ItemContext{at, next_day});
    Line line;
    for (const Event& event : std::exchange(item.backlog, {})) decide_on(item.payment, event, next_day, line);
    return line.text();
  };
  CHECK(look(100) == "ask for the end");
  CHECK(look(144) == "ask for the end");
  CHECK(look(145) == "LOCAL_REFUSAL, look");
  CHECK(look(146) == "look later");  // no next attempt: lnd would refuse it
  item.payment.stop_reason = FailureReason::canceled;
  CHECK(look(147) == "look later");  // R9
  sight.record = record_of(Status::failed);
  CHECK(look(148) == "FAILED FAILURE_REASON_CANCELED, leave");
}

// --- fences ---

TEST_CASE("lnd sight: a fence holds behind what was written before it") {
  const AttemptKey key = key_of(first_id, 2);
  const UnixNs sent = after(41);
  const Record fence = fence_record(our_store, sent, key);
  CHECK(lnd::holds_behind(fence, our_store, key, UnixNs{sent.value - 1}));
  CHECK_FALSE(lnd::holds_behind(fence, our_store, key, sent));
  CHECK_FALSE(lnd::holds_behind(fence, our_store, key_of(first_id), grace_ends));      // another part's
  CHECK_FALSE(lnd::holds_behind(fence, our_store, key_of(second_id, 2), grace_ends));  // another attempt's
  CHECK_FALSE(lnd::holds_behind(fence, other_store, key, grace_ends));
  const auto changed = [&](const std::function<void(Record&)>& change) {
    Record record = fence;
    change(record);
    return lnd::holds_behind(record, our_store, key, grace_ends);
  };
  CHECK(changed([](Record&) {}));
  CHECK_FALSE(changed([](Record& record) { record.status = Status::failed; }));    // released, or lnd was restarted
  CHECK_FALSE(changed([](Record& record) { record.value = Msat::of(250'000); }));  // it joined what was there
  CHECK_FALSE(changed([](Record& record) { record.value = Msat::of(2); }));
  CHECK_FALSE(changed([](Record& record) { record.htlcs.clear(); }));
  CHECK_FALSE(changed([](Record& record) { record.htlcs.front().state = State::in_flight; }));
  CHECK_FALSE(changed([](Record& record) { record.htlcs.push_back(foreign_htlc(State::in_flight)); }));
  CHECK_FALSE(changed([](Record& record) { record.htlcs.push_back(foreign_htlc(State::settled)); }));
  for (const MarkKind kind : {MarkKind::attempt, MarkKind::release})
    CHECK_FALSE(changed([&](Record& record) { record.htlcs.front().mark = mark_of(key, kind); }));
  // Together with another database's fence, whichever of the two joined the other.
  const lnd::Htlc theirs = fence_record(other_store, after(1)).htlcs.front();
  CHECK(changed([&](Record& record) { record.htlcs.push_back(theirs); }));
  CHECK(changed([&](Record& record) { record.htlcs.insert(record.htlcs.begin(), theirs); }));
  // An older fence of ours does not count, and does no harm.
  CHECK(changed([&](Record& record) {
    record.htlcs.insert(record.htlcs.begin(), fence_record(our_store, after(2), key).htlcs.front());
  }));
}

TEST_CASE("lnd sight: which records may be ended as ours") {
  const auto idle = [](std::vector<Htlc> htlcs) {
    return lnd::idle_and_ours(record_of(Status::in_flight, std::move(htlcs)), our_store);
  };
  const lnd::Htlc ours = own_htlc(State::failed);
  CHECK(idle({ours}));
  CHECK(idle({ours, own_htlc(State::failed, key_of(earlier_id))}));
  CHECK(idle({ours, fence_record(our_store, after(1)).htlcs.front()}));
  CHECK_FALSE(idle({}));
  CHECK_FALSE(idle({ours, foreign_htlc(State::failed)}));
  CHECK_FALSE(idle({ours, fence_record(other_store, after(1)).htlcs.front()}));
  CHECK_FALSE(idle({ours, own_htlc(State::in_flight, key_of(second_id))}));
  CHECK_FALSE(idle({ours, own_htlc(State::settled, key_of(second_id))}));
  for (const Status ended : {Status::failed, Status::succeeded})
    CHECK_FALSE(lnd::idle_and_ours(record_of(ended, {ours}), our_store));

  Record fence = fence_record(our_store, after(1));
  CHECK(lnd::idle_and_ours(fence, our_store));
  CHECK_FALSE(lnd::idle_and_ours(fence, other_store));
  fence.htlcs.push_back(fence_record(other_store, after(2)).htlcs.front());
  // The other database's fence has joined: either database may end the record.
  CHECK(lnd::idle_and_ours(fence, our_store));
  CHECK(lnd::idle_and_ours(fence, other_store));
  fence.htlcs = {own_htlc(State::failed)};  // a payment of 1 msat is no fence
  CHECK_FALSE(lnd::idle_and_ours(fence, our_store));
}

TEST_CASE("lnd sight: another database's fence may be ended when all of it is older than 120 s") {
  const auto decided_at = [](Record record, std::int64_t age) {
    return text_for(recorded_payment({}), sight_at(UnixNs{after(500).value + age}, std::move(record)));
  };
  const char* const stands = "look later (another check)";
  const Record fence = fence_record(other_store, after(500));
  CHECK(decided_at(fence, lnd::fence_left_ns) == stands);
  CHECK(decided_at(fence, lnd::fence_left_ns + 1) == "release");
  Record joined = fence;
  joined.htlcs.push_back(fence_record(store_of(5), after(501)).htlcs.front());
  CHECK(decided_at(joined, lnd::fence_left_ns + 1) == stands);
  CHECK(decided_at(joined, lnd::fence_left_ns + ns_per_second + 1) == "release");
  Record begun = fence;  // lnd has not written its HTLC yet
  begun.htlcs.clear();
  CHECK(decided_at(begun, 1) == stands);
  CHECK(decided_at(begun, lnd::fence_left_ns + 1) == "release");
}

TEST_CASE("lnd sight: an empty record is not ended before the time of the attempt that may have made it") {
  Payment payment = recorded_payment({own_attempt(first_id, Shape::failed)});
  payment.attempts.front().dies_at = dies_at;
  const Record empty = record_of(Status::in_flight);
  CHECK(text_for(payment, sight_at(grace_ends, empty)) == "look later (unfinished)");
  CHECK(text_for(payment, sight_at(after(40, 1), empty)) == "release");
  CHECK(text_for(payment, sight_at(after(40, 1), record_of(Status::in_flight, {}, after(40, 1)))) ==
        "look later (unfinished)");
}
