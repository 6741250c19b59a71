// A scripted node on a real Unix socket, and a switch connected to it. One thread and a virtual clock: the node runs
// whenever the switch waits, and time passes only when nothing else can happen.
#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "core/switch/cln/counters.h"
#include "core/switch/cln/switch.h"
#include "core/switch/rpc/unix_socket.h"
#include "tests/driver/temp_folder.h"
#include "tests/support/test_clock.h"

namespace paytower::test {

using nlohmann::json;

class SeededRandomness final : public Randomness {
 public:
  void fill(std::span<std::uint8_t> out) override {
    for (std::uint8_t& byte : out) byte = static_cast<std::uint8_t>(engine_());
  }

 private:
  std::mt19937 engine_{42};
};

struct Request {
  std::string id;
  std::string method;
  json params;
};

/// Answers as the test tells it to. A method without a script gets no answer.
class ScriptedNode final : public Poller {
 public:
  using Answer = std::function<void(ScriptedNode&, const Request&)>;

  explicit ScriptedNode(TestClock& clock) : clock_(clock), path_(folder_.file("lightning-rpc")) { listen(); }
  ~ScriptedNode() override {
    hang_up();
    stop_listening();
  }

  [[nodiscard]] const std::string& path() const { return path_; }
  std::map<std::string, Answer> script;
  std::vector<Request> requests;  ///< all requests so far, in order
  unsigned connections = 0;
  bool deaf = false;  ///< reads nothing

  void on(const std::string& method, Answer answer) { script[method] = std::move(answer); }
  void on_result(const std::string& method, json result) {
    on(method,
       [result = std::move(result)](ScriptedNode& node, const Request& request) { node.result(request, result); });
  }
  void on_error(const std::string& method, std::int64_t code, json data = nullptr) {
    on(method,
       [code, data = std::move(data)](ScriptedNode& node, const Request& request) { node.error(request, code, data); });
  }
  void result(const Request& request, const json& value) {
    say(json{{"jsonrpc", "2.0"}, {"id", request.id}, {"result", value}}.dump() + "\n\n");
  }
  void error(const Request& request, std::int64_t code, const json& data = nullptr) {
    json error{{"code", code}, {"message", "words"}};
    if (!data.is_null()) error["data"] = data;
    say(json{{"jsonrpc", "2.0"}, {"id", request.id}, {"error", error}}.dump() + "\n\n");
  }
  void say(const std::string& bytes) { out_ += bytes; }
  /// Calls `what` when the clock has reached `ns`.
  void at(std::int64_t ns, std::function<void()> what) { later_.emplace(ns, std::move(what)); }
  void hang_up() {
    if (peer_ >= 0) ::close(std::exchange(peer_, -1));
    in_.clear();
    out_.clear();
  }
  void stop_listening() {
    if (listener_ >= 0) ::close(std::exchange(listener_, -1));
    ::unlink(path_.c_str());
  }
  void listen() {
    listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof address.sun_path - 1);
    if (::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(listener_, 8) != 0) {
      throw std::runtime_error("no socket for a test");
    }
  }

  [[nodiscard]] std::vector<Request> of(const std::string& method) const {
    std::vector<Request> found;
    std::copy_if(requests.begin(), requests.end(), std::back_inserter(found),
                 [&](const Request& one) { return one.method == method; });
    return found;
  }

  bool wait(int descriptor, bool write, MonoNs until) override {
    for (int i = 0; i < 1'000; ++i) {
      const bool moved = move();
      pollfd file{descriptor, static_cast<short>(write && !deaf ? POLLIN | POLLOUT : POLLIN), 0};
      if (::poll(&file, 1, 0) > 0) return true;
      if (!moved) break;
    }
    clock_.at = std::max(clock_.at, std::min(until.value, later_.empty() ? until.value : later_.begin()->first));
    return clock_.at < until.value;  // the node has something to say
  }

 private:
  bool move() {
    bool moved = false;
    while (!later_.empty() && later_.begin()->first <= clock_.at) {
      const auto what = std::move(later_.begin()->second);
      later_.erase(later_.begin());
      what();
      moved = true;
    }
    if (listener_ >= 0 && peer_ < 0 &&
        (peer_ = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
      ++connections;
      moved = true;
    }
    if (peer_ < 0 || deaf) return moved;
    char buffer[65'536];
    const ssize_t got = ::recv(peer_, buffer, sizeof buffer, 0);
    if (got == 0) hang_up();
    if (got > 0) {
      in_.append(buffer, static_cast<std::size_t>(got));
      take_requests();
      moved = true;
    }
    if (peer_ >= 0 && !out_.empty()) {
      const ssize_t put = ::send(peer_, out_.data(), out_.size(), MSG_NOSIGNAL);
      if (put > 0) out_.erase(0, static_cast<std::size_t>(put));
      moved = moved || put > 0;
    }
    return moved;
  }

  /// A request ends at its outer closing brace.
  void take_requests() {
    for (;;) {
      int depth = 0;
      bool quoted = false;
      std::size_t end = 0;
      for (std::size_t i = 0; i < in_.size() && end == 0; ++i) {
        if (quoted && in_[i] == '\\')
          ++i;
        else if (in_[i] == '"')
          quoted = !quoted;
        else if (!quoted && in_[i] == '{')
          ++depth;
        else if (!quoted && in_[i] == '}' && --depth == 0)
          end = i + 1;
      }
      if (end == 0) return;
      const json text = json::parse(in_.substr(0, end));
      in_.erase(0, end);
      requests.push_back(Request{text["id"].get<std::string>(), text["method"].get<std::string>(), text["params"]});
      const Request request = requests.back();
      if (const auto answer = script.find(request.method); answer != script.end()) answer->second(*this, request);
      if (peer_ < 0) return;
    }
  }

  TestClock& clock_;
  TempFolder folder_;
  std::string path_;
  int listener_ = -1;
  int peer_ = -1;
  std::string in_;
  std::string out_;
  std::multimap<std::int64_t, std::function<void()>> later_;
};

inline PublicKey key_of(std::uint8_t name) {
  PublicKey key;
  key.bytes.fill(name);
  key.bytes[0] = 2;
  return key;
}

/// A node that answers getinfo, has the newer lists, and has nothing in them.
struct World {
  World() : own(key_of(1)), payee(key_of(9)), peer(key_of(5)) {
    node.on_result("getinfo", json{{"id", own.hex()}, {"network", "regtest"}, {"blockheight", 118}});
    node.on("wait", [this](ScriptedNode& at, const Request& request) {
      const std::string name =
          request.params["subsystem"].get<std::string>() + "." + request.params["indexname"].get<std::string>();
      at.result(request, json{{"subsystem", request.params["subsystem"]},
                              {request.params["indexname"].get<std::string>(), counters[name]}});
    });
    node.on_result("listsendpays", json{{"payments", json::array()}});
    node.on_result("listhtlcs", json{{"htlcs", json::array()}});
    node.on_result("listchannelmoves", json{{"channelmoves", json::array()}});
    node.on_result(
        "listpeerchannels",
        json{{"channels", json::array({own_channel("111x1x0", "channeld"), own_channel("111x2x0", nullptr)})}});
    hash.bytes.fill(0xab);
    store.bytes.fill(0x5e);
    handover.key = AttemptKey{hash, AttemptId{77}, 0};
    handover.label = attempt_label(store, AttemptId{77});
    handover.route.hops = {Hop{*ShortChannelId::parse("111x1x0"), 0, peer, Msat::of(101'000), 16},
                           Hop{*ShortChannelId::parse("111x4x0"), 0, payee, Msat::of(100'000), 10}};
    handover.amount = Msat::of(100'000);
  }

  [[nodiscard]] json own_channel(const char* scid, const char* owner) const {
    json channel{{"peer_id", peer.hex()},    {"peer_connected", true}, {"state", "CHANNELD_NORMAL"},
                 {"short_channel_id", scid}, {"direction", 0},         {"spendable_msat", 5'000'000}};
    if (owner != nullptr) channel["owner"] = owner;
    return channel;
  }
  /// A row with the attempt's ids.
  [[nodiscard]] json row(const char* status, const std::string& label) const {
    json row{{"created_index", 5},
             {"id", 5},
             {"payment_hash", hash.hex()},
             {"groupid", 77},
             {"amount_msat", 100'000},
             {"amount_sent_msat", 101'000},
             {"created_at", 1'795'392'600},
             {"status", status},
             {"label", label},
             {"destination", payee.hex()}};
    if (std::string(status) == "pending")
      row["message"] = "Monitor status";
    else
      row["updated_index"] = 6;
    if (std::string(status) == "complete") row["payment_preimage"] = std::string(64, '1');
    return row;
  }
  [[nodiscard]] json failure(const std::string& label) const {
    json data = row("failed", label);
    data.update(json{{"erring_index", 1},
                     {"failcode", 4103},
                     {"erring_node", peer.hex()},
                     {"erring_channel", "111x4x0"},
                     {"erring_direction", 0}});
    return data;
  }

  /// Everything that the switch reports within `ns`.
  std::vector<SwitchEvent> run(std::int64_t ns = ns_per_second) {
    std::vector<SwitchEvent> all;
    const MonoNs until{clock.at + ns};
    for (int i = 0; i < 10'000; ++i) {
      for (SwitchEvent& event : node_switch.poll(until)) all.push_back(std::move(event));
      if (clock.mono() >= until) break;
    }
    return all;
  }
  void connect() {
    node_switch.identify();
    (void)run(ns_per_ms);
  }

  TestClock clock;
  SeededRandomness randomness;
  ScriptedNode node{clock};
  cln::ClnSwitch node_switch{std::make_unique<UnixSocket>(node.path()), {}, clock, node, randomness};
  PublicKey own, payee, peer;
  PaymentHash hash;
  StoreId store;
  Handover handover;
  std::map<std::string, std::uint64_t> counters{
      {"sendpays.created", 4}, {"htlcs.created", 40}, {"htlcs.deleted", 3}, {"channelmoves.created", 20}};
};

/// The `since` argument of look() for one payment with attempts.
inline std::vector<Marks> from(const cln::Counters& counters) { return {cln::marks_of(counters)}; }

/// The only event of its kind.
template <typename T> const T* only(const std::vector<SwitchEvent>& events) {
  const T* found = nullptr;
  for (const SwitchEvent& event : events) {
    if (const T* one = std::get_if<T>(&event)) {
      if (found != nullptr) return nullptr;
      found = one;
    }
  }
  return found;
}

}  // namespace paytower::test
