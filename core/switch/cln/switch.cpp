// The switch port over Core Lightning's socket: connecting, asking, answering.
#include "core/switch/cln/switch.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/switch/cln/advice_layer.h"
#include "core/switch/cln/conclusions.h"
#include "core/switch/cln/look.h"
#include "core/switch/cln/reading.h"
#include "core/switch/cln/requests.h"
#include "core/switch/cln/routes.h"
#include "core/switch/cln/rows.h"
#include "core/switch/rpc/client.h"
#include "core/switch/rpc/unix_socket.h"

namespace paytower::cln {

namespace {

constexpr std::int64_t first_pause_ns = 250 * ns_per_ms;
constexpr std::int64_t longest_pause_ns = 5 * ns_per_second;
constexpr unsigned most_doublings = 5;
constexpr std::size_t longest_network_name = 32;
constexpr std::uint64_t first_lock_time = 500'000'000;      ///< of nLockTime: what is below is a height
constexpr std::int64_t height_age_ns = 60 * ns_per_second;  ///< after this time the height is asked for again

/// The node never saw this request: it teaches nothing about the next route.
Failure never_written() {
  return Failure{
      FailureCode::local_refusal, {}, {}, {}, "the node was gone before a byte of the hand-over was written"};
}

DispatchAnswer not_sent(const AttemptKey& key, Failure failure) {
  DispatchAnswer answer;
  answer.key = key;
  answer.kind = DispatchAnswer::Kind::not_sent;
  answer.failure = std::move(failure);
  return answer;
}

FenceAnswer fence_answer(const AttemptKey& key, FenceAnswer::Kind kind = FenceAnswer::Kind::look) {
  FenceAnswer answer;
  answer.key = key;
  answer.kind = kind;
  return answer;
}

}  // namespace

struct ClnSwitch::Impl {
  Impl(std::unique_ptr<Transport> transport, std::optional<uid_t> node_user, Clock& the_clock, Poller& the_poller,
       Randomness& the_randomness)
      : clock(the_clock), poller(the_poller), randomness(the_randomness),
        client(std::move(transport), node_user, the_clock, the_randomness) {}

  Clock& clock;
  Poller& poller;
  Randomness& randomness;
  RpcClient client;
  AdviceLayer advice{client};

  std::vector<SwitchEvent> events;
  bool identify_wanted = false;
  bool asked_while_away = false;
  std::optional<MonoNs> retry_at;
  unsigned fruitless_connections = 0;  ///< in a row, without an answer after the one of getinfo

  std::optional<IdentityAnswer> identity;  ///< of this connection
  std::uint32_t base_height = 0;           ///< Switch::base_height
  MonoNs height_asked;
  std::vector<LookRound::Wanted> looks;
  bool round_running = false;
  std::size_t fence_turn = 0;

  void tell(SwitchEvent event) { events.push_back(std::move(event)); }

  // --- the connection ---

  std::vector<SwitchEvent> poll(MonoNs until) {
    for (;;) {
      const bool moved = step();
      if (!events.empty() || clock.mono() >= until) return std::exchange(events, {});
      if (moved) continue;
      const MonoNs wake = wake_time(until);
      if (!poller.wait(client.descriptor(), client.wants_to_write(), wake) && clock.mono() < wake)
        return {};  // a signal came
    }
  }

  [[nodiscard]] MonoNs wake_time(MonoNs until) const {
    MonoNs wake = until;
    if (const auto due = client.deadline()) wake = std::min(wake, *due);
    if (identify_wanted && retry_at) wake = std::min(wake, *retry_at);
    return wake;
  }

  bool step() {
    if (identify_wanted && (!retry_at || clock.mono() >= *retry_at)) connect();
    if (std::exchange(asked_while_away, false)) tell(Disconnected{"there is no connection to the node", true});
    start_round();
    if (!client.connected()) return false;
    bool moved = false;
    if (const auto why = client.pump(moved)) lose(*why);
    start_round();
    return moved;
  }

  void connect() {
    identify_wanted = false;
    const auto connected = client.connect();
    if (!connected) return lose(connected.error().message);
    ask_identity();
  }

  void ask_identity() {
    height_asked = clock.mono();
    client.call("getinfo", nlohmann::json::object(), [this](const RpcReply& reply) {
      const auto node = reply.result ? bytes<PublicKey>(*reply.result, "id") : std::nullopt;
      const auto network = reply.result ? text(*reply.result, "network") : std::nullopt;
      if (!node || !network || network->empty() || network->size() > longest_network_name)
        return client.refuse("the node does not say who it is");
      read_height(*reply.result);
      identity = IdentityAnswer{SwitchKey{*node, *network}, run()};
      tell(*identity);
    });
  }

  /// The node counts the delays of a route from the block after its newest one.
  void read_height(const nlohmann::json& info) {
    // It names an old height while it still reads the blocks that came since it ran last.
    const bool behind = member(info, "warning_lightningd_sync") || member(info, "warning_bitcoind_sync");
    const auto height = behind ? std::nullopt : number(info, "blockheight");
    base_height = height && *height < first_lock_time ? static_cast<std::uint32_t>(*height) + 1 : 0;
  }

  /// For people: nothing waits for the answer, and none is no reason to give the connection up.
  void refresh_height() {
    if (clock.mono().value < height_asked.value + height_age_ns) return;
    height_asked = clock.mono();
    client.call_within(
        height_age_ns, "getinfo", nlohmann::json::object(),
        [this](const RpcReply& reply) {
          if (reply.result) read_height(*reply.result);
        },
        [] {});
  }

  /// The run of the node's process. Empty if it cannot be told: behind a forwarder, or if the process is not called
  /// lightningd.
  [[nodiscard]] std::string run() const {
    const auto now = client.peer() ? daemon_identity(client.peer()->pid, "lightningd") : std::nullopt;
    return now ? run_name(*now) : "";
  }

  /// Nothing that was asked on this connection will be answered. Requests that were never written are reported; the
  /// rest stays open.
  void lose(const std::string& why) {
    fruitless_connections = client.answers() > 1 ? 0 : std::min(fruitless_connections + 1, most_doublings);
    retry_at = MonoNs{clock.mono().value + std::min(first_pause_ns << fruitless_connections, longest_pause_ns)};
    identity.reset();
    looks.clear();
    round_running = false;
    advice.forget();
    const bool reached = client.connected();
    client.lose();
    tell(Disconnected{why, reached});
  }

  /// True if the node may be spoken to. If not, the caller is told so.
  [[nodiscard]] bool present() {
    if (identity) return true;
    asked_while_away = true;
    return false;
  }

  // --- looks ---

  void start_round() {
    if (round_running || looks.empty() || !identity) return;
    round_running = true;
    refresh_height();
    const std::size_t count = std::min(looks.size(), LookRound::max_hashes);
    const auto end = looks.begin() + static_cast<std::ptrdiff_t>(count);
    std::vector<LookRound::Wanted> wanted(looks.begin(), end);
    looks.erase(looks.begin(), end);
    std::make_shared<LookRound>(client, std::move(wanted), clock.wall(), [this](std::vector<NodeLists> results) {
      round_running = false;
      for (NodeLists& result : results) {
        if (identity) result.run = identity->run;
        result.base_height = base_height;
        tell(LookAnswer{result.hash, std::make_shared<NodeLists>(std::move(result))});
      }
    })->start();
  }

  // --- attempts ---

  void dispatch(const Handover& handover) {
    // Never an empty route, and never one to the node itself: sent twice, either kills the node (UNIQUE violation).
    const auto& hops = handover.route.hops;
    const bool refused = hops.empty() || (identity && hops.back().node == identity->key.node);
    if (refused)
      return tell(not_sent(handover.key, Failure{FailureCode::local_refusal, 0, {}, {}, "this route leads nowhere"}));
    if (!present()) return tell(not_sent(handover.key, never_written()));
    client.call(
        "sendpay", sendpay_params(handover),
        [this, handover](const RpcReply& reply) {
          DispatchAnswer answer = dispatch_answer(conclude_sendpay(reply), handover);
          const bool taken = answer.kind == DispatchAnswer::Kind::not_sent && !answer.failure.source_index;
          if (taken && identity) answer.failure.node = identity->key.node;
          tell(std::move(answer));
        },
        [this, key = handover.key] { tell(not_sent(key, never_written())); });
  }

  void query(const AttemptKey& key, unsigned waits = 1) {
    client.call_within(
        wait_patience_ns, "waitsendpay", waitsendpay_params(key, wait_seconds),
        [this, key, waits](const RpcReply& reply) {
          const WaitMeaning meaning = conclude_waitsendpay(reply);
          if (meaning.word == WaitWord::pending && waits < waits_a_look) return query(key, waits + 1);
          const bool own = meaning.record && is_attempt_row(*meaning.record, key);
          QueryAnswer answer;
          answer.key = key;
          if (own && meaning.word == WaitWord::failed) return weigh_failure(key, meaning);
          if (own && meaning.word == WaitWord::settled) {
            answer.kind = QueryAnswer::Kind::settled;
            answer.preimage = *meaning.record->row.preimage;
          }
          tell(answer);
        },
        [this, key] { tell(QueryAnswer{key}); });
  }

  /// The attempt has failed for certain. But what the node says about the reason counts only if no later failure of the
  /// hash has replaced it: the rows, read after it, tell.
  void weigh_failure(const AttemptKey& key, const WaitMeaning& meaning) {
    client.call("listsendpays", listsendpays_params(key.hash),
                [this, key, failure = meaning.failure, message = meaning.message](const RpcReply& reply) {
                  QueryAnswer answer;
                  answer.key = key;
                  const auto records = conclude_listsendpays(reply, key.hash).value_or(std::vector<Record>{});
                  const auto own = std::find_if(records.begin(), records.end(),
                                                [&](const Record& record) { return is_attempt_row(record, key); });
                  if (own != records.end() && own->row.state != RowState::failed)
                    return tell(answer);  // the node contradicts itself
                  const Record* newest = newest_failure(records, key.part);
                  answer.kind = QueryAnswer::Kind::failed;
                  if (newest != nullptr && own != records.end() && newest == &*own) {
                    answer.failure = failure;
                    answer.message = message;
                  }
                  tell(std::move(answer));
                });
  }

  // --- fences ---

  void fence(const Handover& handover) {
    if (handover.route.hops.empty()) return tell(fence_answer(handover.key));
    client.call("listpeerchannels", nlohmann::json::object(), [this, handover](const RpcReply& reply) {
      std::vector<OwnChannel> channels = reply.result ? read_own_channels(*reply.result) : std::vector<OwnChannel>{};
      channels.erase(
          std::remove_if(channels.begin(), channels.end(), [](const OwnChannel& own) { return !own.usable; }),
          channels.end());
      if (channels.empty()) return tell(fence_answer(handover.key));
      // A different channel each time: one may be stuck.
      put_fence(handover, channels[fence_turn++ % channels.size()]);
    });
  }

  void put_fence(const Handover& handover, const OwnChannel& over) {
    PaymentSecret secret;
    randomness.fill(secret.bytes);
    client.call("sendpay", fence_params(handover, over, secret), [this, handover](const RpcReply& reply) {
      const SendpayMeaning meaning = conclude_sendpay(reply);
      if (fence_stands(meaning, handover)) return confirm_fence(handover);
      if (meaning.word == SendpayWord::exists && handover.key.part > 0) return weigh_refusal(handover.key);
      tell(fence_answer(handover.key));
    });
  }

  /// The words of the refusal are not read: the rows tell what is in the way.
  void weigh_refusal(const AttemptKey& key) {
    client.call("listsendpays", listsendpays_params(key.hash), [this, key](const RpcReply& reply) {
      const auto records = conclude_listsendpays(reply, key.hash).value_or(std::vector<Record>{});
      tell(fence_answer(key, bars(records, key) ? FenceAnswer::Kind::barred : FenceAnswer::Kind::look));
    });
  }

  void confirm_fence(const Handover& handover) {
    client.call_within(
        wait_patience_ns, "waitsendpay", waitsendpay_params(handover.key, wait_seconds),
        [this, key = handover.key, label = handover.label](const RpcReply& reply) {
          const WaitMeaning meaning = conclude_waitsendpay(reply);
          const bool own = meaning.record && meaning.record->row.label == label;
          const bool fenced = own && meaning.word == WaitWord::failed;
          tell(fence_answer(key, fenced ? FenceAnswer::Kind::fenced : FenceAnswer::Kind::look));
        },
        [this, key = handover.key] { tell(fence_answer(key)); });
  }
};

ClnSwitch::ClnSwitch(std::unique_ptr<Transport> transport, std::optional<uid_t> node_user, Clock& clock, Poller& poller,
                     Randomness& randomness)
    : impl_(std::make_unique<Impl>(std::move(transport), node_user, clock, poller, randomness)) {}
ClnSwitch::~ClnSwitch() = default;

void ClnSwitch::identify() {
  if (impl_->identity) return impl_->tell(*impl_->identity);
  if (impl_->client.connected()) return impl_->ask_identity();
  impl_->identify_wanted = true;
}

void ClnSwitch::look(const PaymentHash& hash, std::span<const Marks> since) {
  if (impl_->present()) impl_->looks.push_back({hash, oldest(since)});
}

void ClnSwitch::ask_route(const RouteQuestion& question) {
  if (!impl_->present()) return;
  const auto done = [impl = impl_.get(), leaves_nothing = question.leaves_nothing](RouteAnswer answer) {
    if (!leaves_nothing) return impl->tell(std::move(answer));
    impl->advice.take_away([impl, answer = std::move(answer)] { impl->tell(answer); });
  };
  std::make_shared<RouteSearch>(impl_->client, impl_->advice, question, impl_->identity->key.node, done)->start();
}

void ClnSwitch::dispatch(const Handover& handover) { impl_->dispatch(handover); }

void ClnSwitch::query(const AttemptKey& key) {
  if (impl_->present()) impl_->query(key);
}

void ClnSwitch::fence(const Handover& handover) {
  if (impl_->present()) impl_->fence(handover);
}

void ClnSwitch::release(const PaymentHash& hash, const StoreId& /*store*/) { impl_->tell(ReleaseAnswer{hash}); }

void ClnSwitch::list_own(const StoreId& store) {
  if (!impl_->present()) return;
  std::make_shared<OwnRowsSearch>(impl_->client, store, [impl = impl_.get()](OwnRowsAnswer answer) {
    impl->tell(std::move(answer));
  })->start();
}

void ClnSwitch::newest_own(const StoreTrace& trace) {
  if (!impl_->present()) return;
  std::make_shared<NewestOwnSearch>(impl_->client, trace, [impl = impl_.get()](NewestOwnAnswer answer) {
    impl->tell(std::move(answer));
  })->start();
}

std::uint32_t ClnSwitch::base_height() const { return impl_->base_height; }

std::vector<SwitchEvent> ClnSwitch::poll(MonoNs until) { return impl_->poll(until); }

}  // namespace paytower::cln
