// lnd's adapter with the double of lnd (tests/lndnode) in another process, over TLS and on the real clock.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <memory>
#include <string>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "cli/system/system.h"
#include "core/switch/lnd/switch.h"
#include "tests/driver/temp_folder.h"
#include "tests/switch/suite.h"

namespace paytower::test {

namespace {

using nlohmann::json;

constexpr const char* handover_path = "/v2/router/route/send";
constexpr int patience_s = 20;          ///< for an answer of the double
constexpr double beyond_handover = 45;  ///< of lnd's clock: 30 s, and the grace for a clock that is set back
constexpr std::int64_t late_copy_ns = 300 * ns_per_ms;

/// Reads a line from a descriptor.
std::string read_line(int file) {
  std::string line;
  char one = 0;
  while (::read(file, &one, 1) == 1 && one != '\n') line += one;
  return line;
}

/// One double for all cases, each of which uses other hashes and another store: a start takes longer than most of them.
class LndDouble {
 public:
  LndDouble() {
    start();
    int port = 0;
    int control_port = 0;
    REQUIRE(std::sscanf(read_line(out_).c_str(), "ready %d %d", &port, &control_port) == 2);
    address_ = {"127.0.0.1", static_cast<std::uint16_t>(port), folder_.file("tls.cert"),
                folder_.file("data/chain/bitcoin/regtest/paytower.macaroon")};
    connect(control_port);
  }
  ~LndDouble() {
    ::close(in_);  // it ends with its standard input
    ::close(out_);
    ::close(control_);
    ::waitpid(pid_, nullptr, 0);
  }
  LndDouble(const LndDouble&) = delete;
  LndDouble& operator=(const LndDouble&) = delete;

  [[nodiscard]] const lnd::LndAddress& address() const { return address_; }

  /// The answer to one command, which must succeed.
  json operator()(const char* name, json given = json::object()) {
    given["cmd"] = name;
    const std::string line = given.dump() + "\n";
    REQUIRE(::send(control_, line.data(), line.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(line.size()));
    const json answer = json::parse(read_line(control_), nullptr, false);
    CAPTURE(name);
    CAPTURE(answer.dump());
    REQUIRE((answer.is_object() && answer.value("ok", false)));
    return answer;
  }

 private:
  void start() {
    std::array<int, 2> to{};
    std::array<int, 2> from{};
    REQUIRE(::pipe2(to.data(), O_CLOEXEC) == 0);
    REQUIRE(::pipe2(from.data(), O_CLOEXEC) == 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(to[0], STDIN_FILENO);
      ::dup2(from[1], STDOUT_FILENO);
      ::execlp("python3", "python3", PAYTOWER_TEST_DATA "/lndnode/peer.py", "--folder", folder_.path().c_str(),
               "--until-eof", nullptr);
      ::_exit(127);
    }
    ::close(to[0]);
    ::close(from[1]);
    in_ = to[1];
    out_ = from[0];
  }
  void connect(int port) {
    control_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const timeval patience{patience_s, 0};
    REQUIRE(::setsockopt(control_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::connect(control_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  }

  TempFolder folder_;
  lnd::LndAddress address_;
  pid_t pid_ = 0;
  int in_ = -1;
  int out_ = -1;
  int control_ = -1;
};

LndDouble& the_double() {
  static LndDouble one;
  return one;
}

class LndWorld final : public World {
 public:
  LndWorld() {
    cli::ignore_signals_of_writes();
    new_process();
  }
  ~LndWorld() override { double_("disarm"); }

  Switch& node() override { return *node_; }
  void new_process() override {
    node_.reset();
    node_ = std::make_unique<lnd::LndSwitch>(double_.address(), clock_, poller_);
  }
  Clock& clock() override { return clock_; }

  Bill bill(PayeeWill will) override {
    const json made = double_("invoice", {{"node", "D"}, {"amount_msat", 50'000}, {"hold", will == PayeeWill::holds}});
    const Bill bill = bill_of(made["payment_request"].get<std::string>());
    if (will == PayeeWill::refuses)
      double_("hop", {{"node", "D"}, {"code", "INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS"}, {"hash", bill.hash.hex()}});
    return bill;
  }
  void let_go(const PaymentHash& hash) override {
    double_("wait", {{"hash", hash.hex()}, {"state", "held"}});
    double_("settle", {{"hash", hash.hex()}});
  }
  void another_user_pays(const Bill& bill) override {
    double_("pay", {{"payment_request", bill.invoice}, {"fee_limit_msat", 100'000}, {"wait", false}});
    double_("wait", {{"hash", bill.hash.hex()}, {"state", "held"}});
  }
  Truth truth(const PaymentHash& hash) override {
    Truth truth;
    const json told = double_("ledger", {{"hash", hash.hex()}});
    for (const json& htlc : told["ledger"]) {
      const std::string state = htlc["state"].get<std::string>();
      if (!htlc["left"].get<bool>()) continue;  // it never left: a fence, or refused by lnd itself
      if (state == "failed") ++truth.failed;
      if (state != "failed" && state != "settled") ++truth.under_way;
      if (state != "settled") continue;
      ++truth.settled;
      truth.reached = Msat::of(truth.reached.value() + htlc["amount_msat"].get<std::uint64_t>());
    }
    return truth;
  }

  void restart_node() override { double_("restart", {{"how", "kill"}, {"down", 0.1}}); }
  void lose_next_answer() override { arm({{"do", "lost"}}); }
  void fail_next_htlc() override { double_("hop", {{"node", "B"}, {"code", "TEMPORARY_CHANNEL_FAILURE"}}); }
  /// Held after the check of its time, so that its time limit does not end it.
  void hold_next_handover() override { held_ = arm({{"do", "pause"}, {"moment", "accepted"}}); }
  void execute_held() override {
    double_("wait", {{"fault", held_}});
    double_("release", {{"fault", held_}});
    clock_.sleep_until(MonoNs{clock_.mono().value + late_copy_ns});
  }
  void outlive_handovers() override { double_("clock", {{"add", beyond_handover}}); }

 private:
  /// Arms a fault for the next hand-over of an attempt.
  int arm(json fault) {
    fault["path"] = handover_path;
    fault["fence"] = false;
    return double_("fault", std::move(fault))["fault"].get<int>();
  }

  LndDouble& double_ = the_double();
  int held_ = 0;
  cli::SystemClock clock_;
  cli::SystemPoller poller_{clock_};
  std::unique_ptr<lnd::LndSwitch> node_;
};

}  // namespace

template <> std::unique_ptr<World> open_world<Lnd>() { return std::make_unique<LndWorld>(); }

}  // namespace paytower::test
