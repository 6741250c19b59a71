// The switch port over lnd's REST interface: questions, requests, the stream of ends, and fences.
#include "core/switch/lnd/switch.h"

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <utility>

#include <fmt/core.h>

#include "core/switch/lnd/conclusions.h"
#include "core/switch/lnd/evidence.h"
#include "core/switch/lnd/fence.h"
#include "core/switch/lnd/link.h"
#include "core/switch/lnd/reading.h"
#include "core/switch/lnd/requests.h"
#include "core/switch/lnd/routes.h"

namespace paytower::lnd {

namespace {

constexpr std::int64_t first_pause_ns = 250 * ns_per_ms;
constexpr std::int64_t longest_pause_ns = 5 * ns_per_second;
constexpr unsigned most_doublings = 5;
constexpr std::int64_t query_patience_ns = 48 * ns_per_second;
/// So long after its request the stream is sure to hear every end.
constexpr std::int64_t stream_settles_ns = ns_per_second;
constexpr std::int64_t height_age_ns = 5 * ns_per_second;  ///< after this time the height is asked for again
/// An HTLC ends long before that, and so does a process that waits for it.
constexpr std::int64_t answer_patience_ns = 365LL * 24 * 3'600 * ns_per_second;
constexpr std::size_t most_ends_kept = 1'000;
/// How many payments are searched for an attempt of ours before all of them are: a page.
constexpr std::size_t newest_first = 100;
/// Makes a macaroon that can do what is asked here, and nothing else.
constexpr const char* bake_macaroon =
    "lncli bakemacaroon --root_key_id 7 --save_to paytower.macaroon uri:/lnrpc.Lightning/GetInfo "
    "uri:/lnrpc.Lightning/QueryRoutes uri:/lnrpc.Lightning/ListPayments uri:/lnrpc.Lightning/ListChannels "
    "uri:/routerrpc.Router/SendToRouteV2 uri:/routerrpc.Router/TrackPaymentV2 uri:/routerrpc.Router/TrackPayments";
constexpr const char* never_written = "lnd was gone before the last byte of the hand-over was written";

std::string words_of(const RestEnd& end) {
  if (end.kind != RestEnd::Kind::answered) return end.why;
  const auto error = read_error(end.body);
  return error ? kept_words(error->message) : fmt::format("lnd answers with status {}", end.head.status);
}

DispatchAnswer dispatch_answer(const AttemptKey& key, DispatchAnswer::Kind kind, Failure failure = {}) {
  DispatchAnswer answer;
  answer.key = key;
  answer.kind = kind;
  answer.failure = std::move(failure);
  return answer;
}

QueryAnswer query_answer(const AttemptKey& key, QueryAnswer::Kind kind) {
  QueryAnswer answer;
  answer.key = key;
  answer.kind = kind;
  return answer;
}

QueryAnswer end_of(const AttemptKey& key, const SendMeaning& meaning) {
  const bool settled = meaning.word == SendMeaning::Word::settled;
  QueryAnswer answer = query_answer(key, settled ? QueryAnswer::Kind::settled : QueryAnswer::Kind::failed);
  answer.preimage = meaning.preimage;
  answer.failure = meaning.failure;
  answer.message = meaning.message;
  return answer;
}

/// Nothing while it is in flight, or if its preimage is not told.
std::optional<QueryAnswer> end_of(const AttemptKey& key, const Htlc& htlc) {
  if (htlc.state == Htlc::State::settled && htlc.preimage)
    return end_of(key, SendMeaning{SendMeaning::Word::settled, *htlc.preimage, {}, {}});
  if (htlc.state == Htlc::State::failed && htlc.failure)
    return end_of(key, SendMeaning{SendMeaning::Word::failed, {}, *htlc.failure, htlc.failure_message});
  return std::nullopt;
}

/// The rows that the store has made HTLCs of.
std::vector<SwitchRow> own_rows(const PaymentShown& shown, const StoreId& store) {
  Sight sight;
  sight.hash = shown.hash;
  sight.record = shown.record;
  std::vector<SwitchRow> rows = sight.about(store, {}).rows;
  std::erase_if(rows, [&](const SwitchRow& row) { return owner_of(row, store) != RowOwner::own_attempt; });
  return rows;
}

}  // namespace

struct LndSwitch::Impl {
  Impl(LndAddress address, Clock& the_clock, Poller& the_poller)
      : clock(the_clock), poller(the_poller), link(std::move(address), the_clock) {}

  /// What is under way for one hash.
  struct HashWork {
    bool releasing = false;
    bool look_wanted = false;
    std::shared_ptr<FenceProof> fence{};
  };

  Clock& clock;
  Poller& poller;
  Link link;

  std::vector<SwitchEvent> events;
  bool identify_wanted = false;
  bool identifying = false;
  bool asked_while_away = false;
  std::optional<MonoNs> retry_at;
  unsigned fruitless = 0;  ///< how often in a row we failed to learn who lnd is

  std::optional<IdentityAnswer> identity;  ///< nothing: ask again
  NodeInfo node;
  MonoNs node_told;
  bool limits = false;              ///< lnd keeps the time limit of a macaroon
  std::optional<StoreId> store;     ///< the store whose marks are read from the stream
  std::optional<MonoNs> follow_at;  ///< when to open the stream of payments again
  MonoNs stream_stands;             ///< before this time the stream may miss ends

  std::map<AttemptKey, bool> waiting;      ///< requests that may still be answered, and whether lnd has accepted them
  std::map<AttemptKey, MonoNs> queried;    ///< until when we wait for its end
  std::map<AttemptKey, QueryAnswer> ends;  ///< the stream told them before anybody asked
  std::deque<AttemptKey> ends_in_order;
  std::set<AttemptKey> fenced;  ///< proven: no copy is on its way
  std::map<PaymentHash, HashWork> work;

  void tell(SwitchEvent event) { events.push_back(std::move(event)); }

  // --- the loop ---

  std::vector<SwitchEvent> poll(MonoNs until) {
    for (;;) {
      const bool moved = step();
      if (!events.empty() || clock.mono() >= until) return std::exchange(events, {});
      if (moved) continue;
      const MonoNs wake = wake_time(until);
      if (!poller.wait(link.descriptor(), false, wake) && clock.mono() < wake) return {};  // a signal came
    }
  }

  [[nodiscard]] MonoNs wake_time(MonoNs until) const {
    MonoNs wake = until;
    const auto note = [&wake](const std::optional<MonoNs>& at) {
      if (at) wake = std::min(wake, *at);
    };
    note(link.deadline());
    if (identify_wanted && !identifying) note(retry_at);
    note(follow_at);
    for (const auto& [key, due] : queried) note(due);
    for (const auto& [hash, one] : work) note(one.fence ? one.fence->due() : std::nullopt);
    return wake;
  }

  bool step() {
    if (identify_wanted && !identifying && (!retry_at || clock.mono() >= *retry_at)) begin_identify();
    if (std::exchange(asked_while_away, false)) tell(Disconnected{"there is no connection to the node", true});
    if (follow_at && clock.mono() >= *follow_at) follow();
    remind();
    hold();
    return link.is_open() && link.pump();
  }

  /// A fence was held for long enough.
  void hold() {
    std::vector<std::shared_ptr<FenceProof>> ready;
    for (const auto& [hash, one] : work) {
      if (one.fence && one.fence->due() && clock.mono() >= *one.fence->due()) ready.push_back(one.fence);
    }
    for (const auto& proof : ready) proof->go_on();
  }

  void remind() {
    std::vector<AttemptKey> old;
    for (const auto& [key, due] : queried) {
      if (clock.mono() >= due) old.push_back(key);
    }
    for (const AttemptKey& key : old) {
      queried.erase(key);
      tell(query_answer(key, QueryAnswer::Kind::look));
    }
  }

  // --- who lnd is ---

  void begin_identify() {
    if (auto opened = link.open(); !opened) return give_up(opened.error().message, false);
    identifying = true;
    link.ask(state_request(), [this](const RestEnd& end) { take_state(end); });
  }

  void take_state(const RestEnd& end) {
    if (end.kind != RestEnd::Kind::answered) return give_up(end.why, false);
    const auto state = read_state(end.body);
    if (!state) return give_up(words_of(end), false);
    if (*state == ServerState::locked) return give_up("lnd's wallet is locked", true, "lncli unlock");
    if (*state == ServerState::no_wallet) return give_up("lnd has no wallet yet", true, "lncli create");
    if (*state != ServerState::active)
      return give_up("lnd is starting, and takes no payments yet; try again in a minute", true, "lncli state");
    link.ask(node_info_request(), [this](const RestEnd& told) { take_node(told); });
  }

  void take_node(const RestEnd& end) {
    auto info = read_node_info(end.body);
    if (end.kind == RestEnd::Kind::answered && end.head.status != 200)
      return refuse_macaroon(fmt::format("lnd refuses the macaroon {}: {}", link.macaroon_file(), words_of(end)));
    if (!info) return give_up(words_of(end), false);
    note_node(std::move(*info));
    link.ask_expired(node_info_request(), [this](const RestEnd& told) { take_limits(told); });
  }

  void note_node(NodeInfo info) {
    node = std::move(info);
    node_told = clock.mono();
  }

  void take_limits(const RestEnd& end) {
    if (end.kind != RestEnd::Kind::answered) return give_up(end.why, true);
    const TimeLimits found = conclude_limits(end.head.status, end.body);
    if (found == TimeLimits::untold) return give_up(words_of(end), true);
    limits = found == TimeLimits::kept;
    link.ask(empty_send_request(), [this](const RestEnd& told) { take_permission(told); });
  }

  /// A macaroon that only reads would make every attempt fail, and the payments with it.
  void take_permission(const RestEnd& end) {
    if (end.kind != RestEnd::Kind::answered) return give_up(end.why, true);
    const auto error = read_error(end.body);
    if (error && error->message == "permission denied")
      return refuse_macaroon(
          fmt::format("permission denied: the macaroon {} does not allow payments", link.macaroon_file()));
    identifying = false;
    identify_wanted = false;
    fruitless = 0;
    retry_at.reset();
    identity = IdentityAnswer{{node.key, node.network}, {}, capabilities()};
    follow();
    tell(*identity);
  }

  static Capabilities capabilities() {
    Capabilities can;
    can.same_again = false;
    can.min_amount = Msat::of(fence_amount.value() + 1);
    can.metadata = false;
    return can;
  }

  void refuse_macaroon(const std::string& why) {
    give_up(fmt::format("{}; name another with --macaroon (paytower-switch(7) says how to bake one)", why), false,
            bake_macaroon);
  }

  /// Questions will not be answered any more. Requests to pay go on, and are reported when they end.
  void give_up(const std::string& why, bool reached, const std::string& hint = {}) {
    link.drop_questions();
    identity.reset();
    identifying = false;
    identify_wanted = false;
    follow_at.reset();
    queried.clear();
    for (const auto& [hash, one] : work) {
      if (one.fence) one.fence->abandon();
    }
    work.clear();
    const std::int64_t pause = first_pause_ns << std::min(fruitless++, most_doublings);
    retry_at = MonoNs{clock.mono().value + std::min(pause, longest_pause_ns)};
    tell(Disconnected{why, reached, hint});
  }

  /// True if lnd may be spoken to. If not, the caller is told so.
  [[nodiscard]] bool present() {
    if (identity) return true;
    asked_while_away = true;
    return false;
  }

  // --- the stream of all payments ---

  void follow() {
    follow_at.reset();
    stream_stands = MonoNs{clock.mono().value + stream_settles_ns};
    link.follow(
        track_all_request(), [this](const RestHead&, const std::string& line) { take_line(line); },
        [this](const RestEnd&) { lost_stream(); });
  }

  /// The stream may have missed ends: everybody who waits for one makes a look.
  void lost_stream() {
    follow_at = MonoNs{clock.mono().value + first_pause_ns};
    stream_stands = MonoNs{follow_at->value + stream_settles_ns};
    std::vector<AttemptKey> unheard;
    for (const auto& [key, due] : queried) {
      if (waiting.count(key) == 0) unheard.push_back(key);
    }
    for (const AttemptKey& key : unheard) {
      queried.erase(key);
      tell(query_answer(key, QueryAnswer::Kind::look));
    }
  }

  void take_line(const std::string& line) {
    auto read = read_stream_line(line);
    const auto* shown = read ? std::get_if<PaymentShown>(&*read) : nullptr;
    if (shown == nullptr || !store) return;
    const MarkCipher cipher(*store);
    for (const Htlc& htlc : shown->record.htlcs) {
      const auto parts = htlc.mark ? cipher.read(*htlc.mark) : std::nullopt;
      if (parts && parts->kind == MarkKind::attempt) take_htlc({shown->hash, parts->id, parts->part}, htlc);
    }
  }

  void take_htlc(const AttemptKey& key, const Htlc& htlc) {
    const auto held = waiting.find(key);
    if (held != waiting.end()) {
      // The answer to its own request told how it ended.
      if (htlc.state == Htlc::State::in_flight && !std::exchange(held->second, true))
        tell(dispatch_answer(key, DispatchAnswer::Kind::accepted));
      return;
    }
    auto end = end_of(key, htlc);
    if (!end) return;
    if (queried.erase(key) != 0) return tell(std::move(*end));
    keep_end(key, std::move(*end));
  }

  void keep_end(const AttemptKey& key, QueryAnswer end) {
    if (!ends.emplace(key, std::move(end)).second) return;
    ends_in_order.push_back(key);
    if (ends_in_order.size() <= most_ends_kept) return;
    ends.erase(ends_in_order.front());
    ends_in_order.pop_front();
  }

  // --- hand-overs ---

  void dispatch(const Handover& handover) {
    const AttemptKey key = handover.key;
    const auto label = parse_attempt_label(handover.label);
    if (!identity || !label || !handover.total_time_lock) {
      const Failure failure{FailureCode::local_refusal, {}, {}, {}, never_written};
      tell(dispatch_answer(key, DispatchAnswer::Kind::not_sent, failure));
      return;
    }
    store = label->store;
    const Mark mark = MarkCipher(label->store).make({key.id, key.part, MarkKind::attempt});
    // The record of a part stays open when the part fails, so that another part can take its place. release() ends it
    // (lnd/README 9).
    const bool part = handover.route.delivered() < handover.amount;
    waiting[key] = false;
    link.ask_once(send_request(handover, {mark, *handover.total_time_lock, part}),
                  {handover.dies_at, answer_patience_ns, true},
                  [this, key, mark](const RestEnd& end) { take_answer(key, mark, end); });
  }

  void take_answer(const AttemptKey& key, const Mark& mark, const RestEnd& end) {
    waiting.erase(key);
    using Kind = DispatchAnswer::Kind;
    if (end.kind == RestEnd::Kind::not_written)
      return tell(dispatch_answer(key, Kind::not_sent, {FailureCode::local_refusal, {}, {}, {}, never_written}));
    if (end.kind == RestEnd::Kind::lost) return lose(key);
    SendMeaning meaning = conclude_send(end.head.status, end.body, mark);
    switch (meaning.word) {
      case SendMeaning::Word::not_sent:
        if (meaning.hash_taken && identity) meaning.failure.node = identity->key.node;
        return tell(dispatch_answer(key, Kind::not_sent, std::move(meaning.failure)));
      case SendMeaning::Word::look: return lose(key);
      case SendMeaning::Word::settled:
      case SendMeaning::Word::failed: break;
    }
    queried.erase(key);
    tell(end_of(key, meaning));
  }

  /// Everybody who waits for its end makes a look.
  void lose(const AttemptKey& key) {
    const bool asked = queried.erase(key) != 0;
    tell(dispatch_answer(key, DispatchAnswer::Kind::look));
    if (asked) tell(query_answer(key, QueryAnswer::Kind::look));
  }

  void query(const AttemptKey& key) {
    const auto known = ends.find(key);
    if (known == ends.end()) {
      const bool heard = waiting.count(key) != 0 || clock.mono() >= stream_stands;
      queried[key] = heard ? MonoNs{clock.mono().value + query_patience_ns} : stream_stands;
      return;
    }
    tell(known->second);
  }

  // --- looks ---

  void look(const PaymentHash& hash) {
    if (const auto busy = work.find(hash); busy != work.end() && busy->second.releasing) {
      busy->second.look_wanted = true;
      return;
    }
    const auto line = [this, hash](const RestHead& head, const std::string& text) {
      const TrackMeaning seen = conclude_track(head.status, text, hash);
      take_record(hash, seen, head.status, head.date.value_or(UnixNs{}));
      const auto* record = std::get_if<Record>(&seen);
      return record == nullptr || record->status != Record::Status::in_flight;
    };
    link.ask_first_line(track_request(hash), line, [this](const RestEnd& end) { give_up(words_of(end), true); });
  }

  void take_record(const PaymentHash& hash, const TrackMeaning& seen, int status, UnixNs at) {
    const auto* nothing = std::get_if<NothingKnown>(&seen);
    if (nothing != nullptr && status != 200) return give_up(nothing->why, true);
    auto sight = std::make_shared<Sight>();
    sight->hash = hash;
    sight->unreadable = nothing != nullptr;
    sight->clock = at;
    if (const auto* record = std::get_if<Record>(&seen)) sight->record = *record;
    for (const auto& [key, accepted] : waiting) {
      if (key.hash == hash) sight->waiting.push_back(key);
    }
    for (const AttemptKey& key : fenced) {
      if (key.hash == hash) sight->fenced.push_back(key);
    }
    with_height([this, sight] { with_channels(sight); });
  }

  void with_height(std::function<void()> next) {
    if (clock.mono().value < node_told.value + height_age_ns) return next();
    link.ask(node_info_request(), [this, next = std::move(next)](const RestEnd& end) {
      auto info = read_node_info(end.body);
      if (end.head.status != 200 || !info) return give_up(words_of(end), true);
      if (info->key != identity->key.node) return give_up("another node answers at this address now", true);
      note_node(std::move(*info));
      next();
    });
  }

  void with_channels(const std::shared_ptr<Sight>& sight) {
    sight->height = node.synced ? node.height : 0;
    if (!sight->record || !wants_channels(*sight->record, sight->clock)) return tell(LookAnswer{sight->hash, sight});
    link.ask(channels_request(), [this, sight](const RestEnd& end) {
      auto channels = read_channels(end.body);
      if (end.head.status == 200 && channels) sight->channels = std::move(*channels);
      tell(LookAnswer{sight->hash, sight});
    });
  }

  // --- fences ---

  [[nodiscard]] FenceGround ground() const { return {node.key, node.height}; }

  void fence(const Handover& handover) {
    const auto label = parse_attempt_label(handover.label);
    // If lnd does not keep the time limit, its passing proves nothing. Then the height is waited for.
    if (!label || !handover.dies_at || !limits) return tell_fence(handover.key, FenceAnswer::Kind::look);
    const FenceProof::Guarded guarded{handover.key, *handover.dies_at, handover.amount};
    HashWork& one = work[handover.key.hash];
    if (one.fence) return one.fence->add(guarded);
    const PaymentHash hash = handover.key.hash;
    one.fence = std::make_shared<FenceProof>(link, clock, label->store, ground(), guarded,
                                             [this, hash](const auto& dead) { end_fence(hash, dead); });
    one.fence->start();
  }

  void end_fence(const PaymentHash& hash, const std::vector<AttemptKey>& dead) {
    const auto proof = std::exchange(work[hash].fence, nullptr);
    forget_if_idle(hash);
    fenced.insert(dead.begin(), dead.end());
    for (const FenceProof::Guarded& one : proof->guarded())
      tell_fence(one.key, fenced.count(one.key) != 0 ? FenceAnswer::Kind::fenced : FenceAnswer::Kind::look);
  }

  void forget_if_idle(const PaymentHash& hash) {
    const HashWork& one = work[hash];
    if (!one.releasing && !one.fence) work.erase(hash);
  }

  void tell_fence(const AttemptKey& key, FenceAnswer::Kind kind) {
    FenceAnswer answer;
    answer.key = key;
    answer.kind = kind;
    tell(answer);
  }

  void release(const PaymentHash& hash, const StoreId& whose) {
    HashWork& one = work[hash];
    if (std::exchange(one.releasing, true)) return;
    send_release(link, whose, ground(), hash, [this, hash](const RestEnd&) {
      const auto found = work.find(hash);
      if (found == work.end() || !std::exchange(found->second.releasing, false)) return;
      tell(ReleaseAnswer{hash});
      const bool look_wanted = std::exchange(found->second.look_wanted, false);
      forget_if_idle(hash);
      if (look_wanted) look(hash);
    });
  }

  // --- what the store has made ---

  void list_own(const StoreId& whose, std::uint64_t after, std::shared_ptr<OwnRowsAnswer> found) {
    link.ask(payments_request(after), [this, whose, after, found](const RestEnd& end) {
      const auto page = read_payments(end.body);
      if (end.head.status != 200 || !page) return give_up(words_of(end), true);
      for (const PaymentShown& shown : page->payments) {
        for (SwitchRow& row : own_rows(shown, whose))
          found->rows.push_back(OwnRow{shown.hash, std::move(row), shown.invoice, shown.record.created});
      }
      const bool more = page->rows == max_page && page->last_index > after;
      more ? list_own(whose, page->last_index, found) : tell(std::move(*found));
    });
  }

  void newest_own(const StoreId& whose, std::size_t most) {
    link.ask(newest_payments_request(most), [this, whose, most](const RestEnd& end) {
      const auto page = read_payments(end.body);
      if (end.head.status != 200 || !page) return give_up(words_of(end), true);
      NewestOwnAnswer answer;
      for (const PaymentShown& shown : page->payments) {
        for (const SwitchRow& row : own_rows(shown, whose)) answer.ids.push_back(row.id);
      }
      if (answer.ids.empty() && page->rows == most && most < max_page) return newest_own(whose, max_page);
      tell(std::move(answer));
    });
  }
};

LndSwitch::LndSwitch(LndAddress address, Clock& clock, Poller& poller)
    : impl_(std::make_unique<Impl>(std::move(address), clock, poller)) {}
LndSwitch::~LndSwitch() = default;

void LndSwitch::identify() {
  if (impl_->identity) return impl_->tell(*impl_->identity);
  impl_->identify_wanted = true;
}

void LndSwitch::look(const PaymentHash& hash, std::span<const Marks> /*since*/) {
  if (impl_->present()) impl_->look(hash);
}

void LndSwitch::ask_route(const RouteQuestion& question) {
  if (!impl_->present()) return;
  std::make_shared<RouteSearch>(
      impl_->link, question, impl_->node.key, impl_->node.height,
      [impl = impl_.get()](RouteAnswer answer) { impl->tell(std::move(answer)); },
      [impl = impl_.get()](const std::string& why) { impl->give_up(why, true); })
      ->start();
}

void LndSwitch::dispatch(const Handover& handover) {
  (void)impl_->present();
  impl_->dispatch(handover);
}

void LndSwitch::query(const AttemptKey& key) {
  if (impl_->present()) impl_->query(key);
}

void LndSwitch::fence(const Handover& handover) {
  if (impl_->present()) impl_->fence(handover);
}

void LndSwitch::release(const PaymentHash& hash, const StoreId& store) {
  if (impl_->present()) impl_->release(hash, store);
}

std::optional<HandoverTerms> LndSwitch::terms() const {
  HandoverTerms terms;
  const UnixNs now = impl_->link.lnd_clock();
  if (impl_->limits && now != UnixNs{}) terms.dies_at = UnixNs{now.value + handover_life_ns};
  return terms;
}

std::uint32_t LndSwitch::base_height() const { return impl_->node.height; }

void LndSwitch::list_own(const StoreId& store) {
  if (impl_->present()) impl_->list_own(store, 0, std::make_shared<OwnRowsAnswer>());
}

void LndSwitch::newest_own(const StoreTrace& trace) {
  if (!impl_->present()) return;
  impl_->store = trace.store;
  impl_->newest_own(trace.store, newest_first);
}

std::vector<SwitchEvent> LndSwitch::poll(MonoNs until) { return impl_->poll(until); }

}  // namespace paytower::lnd
