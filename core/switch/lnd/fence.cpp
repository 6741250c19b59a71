// The steps of a fence at lnd: look, fence, hold, look, release.
#include "core/switch/lnd/fence.h"

#include <algorithm>
#include <utility>

#include "core/base/hash.h"

namespace paytower::lnd {

namespace {

constexpr std::uint32_t fence_blocks = 144;  ///< its only hop does not exist, so its expiry means nothing

FenceTerms terms_of(const StoreId& store, const FenceGround& ground, const PaymentHash& hash, const MarkParts& parts) {
  return FenceTerms{hash, ground.node, ground.height + fence_blocks, MarkCipher(store).make(parts)};
}

Link::Once bound(const Link& link) {
  Link::Once how;
  if (const UnixNs now = link.lnd_clock(); now != UnixNs{}) how.dies_at = UnixNs{now.value + fence_life_ns};
  how.patience_ns = 2 * fence_life_ns;
  return how;
}

bool is_paid(const TrackMeaning& seen, const PaymentHash& hash) {
  const auto* record = std::get_if<Record>(&seen);
  return record != nullptr && record->status == Record::Status::succeeded && record->preimage &&
         proves(*record->preimage, hash);
}

bool is_conflict(const RestEnd& end) { return end.kind == RestEnd::Kind::answered && end.head.status == 409; }

}  // namespace

void send_fence(Link& link, const StoreId& store, const FenceGround& ground, const AttemptKey& key, Link::Ended ended) {
  const MarkParts parts{key.id, key.part, MarkKind::fence};
  link.ask_once(fence_request(terms_of(store, ground, key.hash, parts)), bound(link), std::move(ended));
}

void send_release(Link& link, const StoreId& store, const FenceGround& ground, const PaymentHash& hash,
                  Link::Ended ended) {
  const MarkParts parts{AttemptId{}, 0, MarkKind::release};
  link.ask_once(release_request(terms_of(store, ground, hash, parts)), bound(link), std::move(ended));
}

FenceProof::FenceProof(Link& link, Clock& clock, const StoreId& store, FenceGround ground, Guarded first, Done done)
    : link_(link), clock_(clock), store_(store), ground_(ground), guarded_{first}, done_(std::move(done)) {}

void FenceProof::add(const Guarded& more) {
  const bool known =
      std::any_of(guarded_.begin(), guarded_.end(), [&](const Guarded& one) { return one.key == more.key; });
  if (!known) guarded_.push_back(more);
}

void FenceProof::look(Seen seen) {
  if (!done_) return;
  const PaymentHash hash = guarded_.front().key.hash;
  const auto tell = [seen, hash](const RestHead& head, const std::string& line) {
    const TrackMeaning meaning = conclude_track(head.status, line, hash);
    seen(meaning);
    const auto* record = std::get_if<Record>(&meaning);
    return record == nullptr || record->status != Record::Status::in_flight;
  };
  link_.ask_first_line(track_request(hash), tell, [seen](const RestEnd& end) { seen(NothingKnown{end.why}); });
}

void FenceProof::start() {
  look([self = shared_from_this()](const TrackMeaning& seen) { self->first_look(seen); });
}

void FenceProof::first_look(const TrackMeaning& seen) {
  if (std::holds_alternative<NothingKnown>(seen)) return end({});
  const auto* record = std::get_if<Record>(&seen);
  if (record != nullptr && take_standing(*record)) return;
  record != nullptr&& is_in_way(*record) ? clear_own() : fence(is_paid(seen, guarded_.front().key.hash));
}

/// An earlier process has sent this attempt's fence, which it does only when the attempt's time is over, and has left
/// before it had held it for long enough. How long it has stood is not asked: lnd's clock may have been set.
bool FenceProof::take_standing(const Record& record) {
  const Guarded& first = guarded_.front();
  const UnixNs over{first.dies_at.value + clock_grace_ns};
  if (!holds_behind(record, store_, first.key, over)) return false;
  fenced_at_ = UnixNs{over.value + 1};
  created_ = record.created;
  hold_until_ = MonoNs{clock_.mono().value + fence_hold_ns};
  return true;
}

/// An unfinished record of ours: a fence would join it and come after nothing.
bool FenceProof::is_in_way(const Record& record) const {
  if (record.value == fence_amount) return false;
  if (idle_and_ours(record, store_)) return true;
  if (record.status != Record::Status::in_flight || !record.htlcs.empty()) return false;
  return std::any_of(guarded_.begin(), guarded_.end(), [&](const Guarded& one) {
    return record.value == one.total && made_in_time_of(record, one.dies_at);
  });
}

void FenceProof::clear_own() {
  send_release(link_, store_, ground_, guarded_.front().key.hash,
               [self = shared_from_this()](const RestEnd&) { self->fence(false); });
}

void FenceProof::fence(bool paid) {
  if (!done_) return;
  fenced_at_ = link_.lnd_clock();
  send_fence(link_, store_, ground_, guarded_.front().key, [self = shared_from_this(), paid](const RestEnd& end) {
    if (paid) return self->end_paid(end);
    self->look([self](const TrackMeaning& seen) { self->second_look(seen); });
  });
}

void FenceProof::end_paid(const RestEnd& end_of_fence) {
  std::vector<AttemptKey> dead;
  for (const Guarded& one : guarded_) {
    if (is_conflict(end_of_fence) && time_is_over(one.dies_at, fenced_at_)) dead.push_back(one.key);
  }
  end(std::move(dead));
}

/// The attempts that this fence comes after. For one that was added later a copy may have got in between, because it
/// still had time when the fence was sent.
std::vector<AttemptKey> FenceProof::guarded_by(const Record& record) const {
  std::vector<AttemptKey> keys;
  for (const Guarded& one : guarded_) {
    const UnixNs over{one.dies_at.value + clock_grace_ns};
    const bool was_late = time_is_over(one.dies_at, fenced_at_);
    if (was_late && holds_behind(record, store_, guarded_.front().key, over)) keys.push_back(one.key);
  }
  return keys;
}

void FenceProof::second_look(const TrackMeaning& seen) {
  const auto* record = std::get_if<Record>(&seen);
  if (record == nullptr || guarded_by(*record).empty()) return end({});
  created_ = record->created;
  hold_until_ = MonoNs{clock_.mono().value + fence_hold_ns};
}

void FenceProof::go_on() {
  hold_until_.reset();
  look([self = shared_from_this()](const TrackMeaning& seen) { self->last_look(seen); });
}

void FenceProof::last_look(const TrackMeaning& seen) {
  const auto* record = std::get_if<Record>(&seen);
  const bool same = record != nullptr && record->created == created_;
  end(same ? guarded_by(*record) : std::vector<AttemptKey>{});
}

void FenceProof::end(std::vector<AttemptKey> dead) {
  if (const Done done = std::exchange(done_, nullptr)) done(std::move(dead));
}

}  // namespace paytower::lnd
