// The kinds of switch that --switch can name, one row each. Everything that depends on the kind is in its row: no other
// part of the command line knows an adapter, or the name of a kind.
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
class Randomness;
class Switch;
}  // namespace paytower

namespace paytower::cli {

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
  bool simulated;                           ///< the place is a simulated network's file
  std::string_view inquiry;  ///< the command that shows what the switch itself has of a payment hash put behind it
  /// Why this place is impossible, without opening it.
  std::optional<Error> (*objection)(const std::string& place);
  /// Does not connect yet. Clock and randomness must outlive the handle. Errc::usage for what the address can never
  /// mean. Throws SwitchError when it cannot be opened.
  Result<std::unique_ptr<SwitchHandle>> (*open)(const SwitchAddress& address, Clock& clock, Randomness& randomness);
};

/// In the order in which help names them.
[[nodiscard]] std::span<const SwitchKind> switch_kinds();
/// "cln:PATH".
[[nodiscard]] std::string form_of(const SwitchKind& kind);
/// The file of a simulated network, as --switch takes it.
[[nodiscard]] std::string simulated_address(std::string_view file);
/// Every kind and its place, as one clause: "cln:PATH, a node's lightning-rpc socket, or sim:PATH, ...".
[[nodiscard]] const std::string& switch_kinds_clause();
/// "KIND:PLACE". Errc::usage.
[[nodiscard]] Result<SwitchAddress> read_switch_address(std::string_view text);

}  // namespace paytower::cli
