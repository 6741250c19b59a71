// The kinds of switch that can be named, one row each. Everything that depends on the kind is in its row: nothing above
// this folder knows an adapter.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/base/error.h"

namespace paytower {

class Clock;
class Poller;
class Randomness;
class Switch;
namespace sim {
class Ledger;
}
struct SwitchKind;

/// One switch, as a call names it.
struct SwitchAddress {
  const SwitchKind* kind = nullptr;          ///< a row of switch_kinds()
  std::string place;                         ///< what stands behind "KIND:"; never empty
  std::optional<std::uint32_t> node_user{};  ///< --node-user: user id that a node's socket may belong to, beside our
                                             ///< own and root's
  std::optional<std::string> certificate_file{};  ///< --tls-cert
  std::optional<std::string> macaroon_file{};     ///< --macaroon; named only, what it holds is a secret
};

/// What the program lends to a switch. Clock, randomness and poller must outlive the handle.
struct SwitchNeeds {
  Clock& clock;
  Randomness& randomness;
  Poller& poller;
  std::string home;  ///< what "~" stands for in a node's own files; empty if that is not known
  /// The simulated network in a file. Errc::usage for a name that no file can have. Throws SwitchError.
  Result<std::unique_ptr<sim::Ledger>> (*open_ledger)(const std::string& path);
};

/// A switch, and the connection and files that it needs.
class SwitchHandle {
 public:
  virtual ~SwitchHandle() = default;
  [[nodiscard]] virtual Switch& node() = 0;
};

struct SwitchKind {
  std::string_view name;                    ///< before the colon
  std::string_view place;                   ///< behind the colon, as help shows it: "PATH"
  std::string_view help;                    ///< what that is
  std::span<const std::string_view> flags;  ///< global flags, by long name, that are about this kind alone
  bool simulated = false;                   ///< the place is a simulated network's file
  bool socket = false;                      ///< the place is a Unix socket
  std::string_view inquiry;  ///< the command that shows what the switch itself has of a payment hash put behind it
  /// Does not connect yet. Errc::usage for what the address can never mean. Throws SwitchError when it cannot be
  /// opened.
  Result<std::unique_ptr<SwitchHandle>> (*open)(const SwitchAddress& address, const SwitchNeeds& needs);
};

/// In the order in which help names them.
[[nodiscard]] std::span<const SwitchKind> switch_kinds();

}  // namespace paytower
