// How a call names its switch, in words that follow from the table of kinds.
#pragma once

#include <string>
#include <string_view>

#include "core/switch/registry/registry.h"

namespace paytower::cli {

/// "cln:PATH".
[[nodiscard]] std::string form_of(const SwitchKind& kind);
/// The file of a simulated network, as --switch takes it.
[[nodiscard]] std::string simulated_address(std::string_view file);
/// Every kind and its place, as one clause: "cln:PATH, a node's lightning-rpc socket, or sim:PATH, ...".
[[nodiscard]] const std::string& switch_kinds_clause();
/// "KIND:PLACE". Errc::usage.
[[nodiscard]] Result<SwitchAddress> read_switch_address(std::string_view text);

}  // namespace paytower::cli
