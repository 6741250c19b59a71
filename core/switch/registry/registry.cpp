// The table of the kinds of switch.
#include "core/switch/registry/registry.h"

#include <array>
#include <utility>

#include "core/sim/ledger.h"
#include "core/sim/node/pipe.h"
#include "core/switch/cln/switch.h"
#include "core/switch/lnd/address.h"
#include "core/switch/lnd/switch.h"
#include "core/switch/rpc/unix_socket.h"

namespace paytower {

namespace {

template <typename Node> class NodeHandle final : public SwitchHandle {
 public:
  template <typename... Parts> explicit NodeHandle(Parts&&... parts) : node_(std::forward<Parts>(parts)...) {}
  Switch& node() override { return node_; }

 private:
  Node node_;
};

class SimHandle final : public SwitchHandle {
 public:
  SimHandle(std::unique_ptr<sim::Ledger> ledger, const std::string& path, const SwitchNeeds& needs)
      : ledger_(std::move(ledger)), pipe_(*ledger_, needs.clock, path),
        node_(pipe_.transport(), {}, needs.clock, pipe_, needs.randomness) {}
  Switch& node() override { return node_; }

 private:
  std::unique_ptr<sim::Ledger> ledger_;
  sim::PipeNode pipe_;
  cln::ClnSwitch node_;
};

using Opened = Result<std::unique_ptr<SwitchHandle>>;

Opened open_cln(const SwitchAddress& address, const SwitchNeeds& needs) {
  return Opened(std::make_unique<NodeHandle<cln::ClnSwitch>>(
      std::make_unique<UnixSocket>(address.place), address.node_user, needs.clock, needs.poller, needs.randomness));
}

Opened open_lnd(const SwitchAddress& address, const SwitchNeeds& needs) {
  auto found = lnd::find_lnd(address.place, {address.certificate_file, address.macaroon_file, needs.home});
  if (!found) return found.error();
  return Opened(std::make_unique<NodeHandle<lnd::LndSwitch>>(*std::move(found), needs.clock, needs.poller));
}

Opened open_sim(const SwitchAddress& address, const SwitchNeeds& needs) {
  auto ledger = needs.open_ledger(address.place);
  if (!ledger) return ledger.error();
  return Opened(std::make_unique<SimHandle>(*std::move(ledger), address.place, needs));
}

constexpr std::array<std::string_view, 1> cln_flags{"node-user"};
constexpr std::array<std::string_view, 2> lnd_flags{"tls-cert", "macaroon"};

constexpr std::array<SwitchKind, 3> kinds{{
    {
        .name = "cln",
        .place = "PATH",
        .help = "a node's lightning-rpc socket",
        .flags = cln_flags,
        .socket = true,
        .inquiry = "lightning-cli -k listsendpays payment_hash=",
        .open = open_cln,
    },
    {
        .name = "lnd",
        .place = "HOST:PORT|DIR",
        .help = "lnd's REST port or its own folder",
        .flags = lnd_flags,
        .inquiry = "lncli trackpayment ",
        .open = open_lnd,
    },
    {
        .name = "sim",
        .place = "PATH",
        .help = "a simulated network kept in a file",
        .flags = {},
        .simulated = true,
        .inquiry = "paytower simulate ledger ",
        .open = open_sim,
    },
}};

}  // namespace

std::span<const SwitchKind> switch_kinds() { return kinds; }

}  // namespace paytower
