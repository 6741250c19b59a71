// The table of the kinds of switch.
#include "cli/switches.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>

#include <fmt/core.h>

#include "cli/output/text.h"
#include "cli/system.h"
#include "core/sim/node/pipe.h"
#include "core/switch/cln/switch.h"
#include "core/switch/lnd/address.h"
#include "core/switch/lnd/switch.h"
#include "core/switch/rpc/unix_socket.h"
#include "db/sim/ledger.h"

namespace paytower::cli {

namespace {

class SimHandle final : public SwitchHandle {
 public:
  SimHandle(std::unique_ptr<sim::Ledger> ledger, const std::string& path, Clock& clock, Randomness& randomness)
      : ledger_(std::move(ledger)), pipe_(*ledger_, clock, path),
        node_(pipe_.transport(), {}, clock, pipe_, randomness) {}
  Switch& node() override { return node_; }

 private:
  std::unique_ptr<sim::Ledger> ledger_;
  sim::PipeNode pipe_;
  cln::ClnSwitch node_;
};

class ClnHandle final : public SwitchHandle {
 public:
  ClnHandle(const SwitchAddress& address, Clock& clock, Randomness& randomness)
      : poller_(clock),
        node_(std::make_unique<UnixSocket>(address.place), address.node_user, clock, poller_, randomness) {}
  Switch& node() override { return node_; }

 private:
  SystemPoller poller_;
  cln::ClnSwitch node_;
};

class LndHandle final : public SwitchHandle {
 public:
  LndHandle(lnd::LndAddress address, Clock& clock) : poller_(clock), node_(std::move(address), clock, poller_) {}
  Switch& node() override { return node_; }

 private:
  SystemPoller poller_;
  lnd::LndSwitch node_;
};

using Opened = Result<std::unique_ptr<SwitchHandle>>;

Opened open_sim(const SwitchAddress& address, Clock& clock, Randomness& randomness) {
  auto ledger = db::open_sim_ledger(address.place);
  if (!ledger) return ledger.error();
  return Opened(std::make_unique<SimHandle>(*std::move(ledger), address.place, clock, randomness));
}

Opened open_cln(const SwitchAddress& address, Clock& clock, Randomness& randomness) {
  return Opened(std::make_unique<ClnHandle>(address, clock, randomness));
}

Opened open_lnd(const SwitchAddress& address, Clock& clock, Randomness& /*randomness*/) {
  const char* const home = std::getenv("HOME");
  const lnd::LndFiles files{address.certificate_file, address.macaroon_file, home != nullptr ? home : ""};
  auto found = lnd::find_lnd(address.place, files);
  if (!found) return found.error();
  return Opened(std::make_unique<LndHandle>(*std::move(found), clock));
}

std::optional<Error> objection_to_socket(const std::string& path) {
  std::error_code unseen;
  if (std::filesystem::is_directory(path, unseen))
    return usage(
        fmt::format("{} is a folder; name the socket in it, such as {}/bitcoin/lightning-rpc", in_quotes(path), path));
  return socket_path_objection(path);
}

std::optional<Error> any_place(const std::string& /*place*/) { return std::nullopt; }

constexpr std::array<std::string_view, 1> cln_flags{"node-user"};
constexpr std::array<std::string_view, 2> lnd_flags{"tls-cert", "macaroon"};

constexpr std::array<SwitchKind, 3> kinds{{
    {
        .name = "cln",
        .place = "PATH",
        .help = "a node's lightning-rpc socket",
        .flags = cln_flags,
        .simulated = false,
        .inquiry = "lightning-cli -k listsendpays payment_hash=",
        .objection = objection_to_socket,
        .open = open_cln,
    },
    {
        .name = "lnd",
        .place = "HOST:PORT|DIR",
        .help = "lnd's REST port or its own folder",
        .flags = lnd_flags,
        .simulated = false,
        .inquiry = "lncli trackpayment ",
        .objection = any_place,
        .open = open_lnd,
    },
    {
        .name = "sim",
        .place = "PATH",
        .help = "a simulated network kept in a file",
        .flags = {},
        .simulated = true,
        .inquiry = "paytower simulate ledger ",
        .objection = any_place,
        .open = open_sim,
    },
}};

std::string make_clause() {
  std::string clause;
  for (const SwitchKind& kind : kinds) {
    const std::string_view comma = clause.empty() ? "" : &kind == &kinds.back() ? ", or " : ", ";
    clause += fmt::format("{}{}, {}", comma, form_of(kind), kind.help);
  }
  return clause;
}

}  // namespace

std::span<const SwitchKind> switch_kinds() { return kinds; }

std::string form_of(const SwitchKind& kind) { return fmt::format("{}:{}", kind.name, kind.place); }

std::string simulated_address(std::string_view file) {
  const auto kind = std::find_if(kinds.begin(), kinds.end(), [](const SwitchKind& row) { return row.simulated; });
  return fmt::format("{}:{}", kind->name, file);
}

const std::string& switch_kinds_clause() {
  static const std::string clause = make_clause();
  return clause;
}

Result<SwitchAddress> read_switch_address(std::string_view text) {
  const std::size_t colon = std::min(text.find(':'), text.size());
  const std::string_view place = text.substr(std::min(colon + 1, text.size()));
  for (const SwitchKind& kind : kinds) {
    if (kind.name != text.substr(0, colon) || place.empty()) continue;
    if (auto objection = objection_to_home(place)) return *std::move(objection);
    if (auto objection = kind.objection(std::string(place))) return *std::move(objection);
    return SwitchAddress{&kind, std::string(place)};
  }
  return Error{Errc::usage, fmt::format("{} names no switch; write {}", in_quotes(text), switch_kinds_clause())};
}

}  // namespace paytower::cli
