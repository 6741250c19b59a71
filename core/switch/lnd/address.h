// Where to find an lnd: `lnd:HOST:PORT` together with the names of two files, or `lnd:DIR`, lnd's own folder, where
// everything can be found.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/error.h"

namespace paytower::lnd {

/// lnd's REST port, and the files that a connection needs. Neither of them has been opened.
struct LndAddress {
  std::string host;  ///< a name or an IP address, without brackets
  std::uint16_t port = 0;
  std::string certificate_file;  ///< PEM
  std::string macaroon_file;     ///< the file holds a secret
};

/// What a call names besides the place.
struct LndFiles {
  std::optional<std::string> certificate_file;  ///< --tls-cert
  std::optional<std::string> macaroon_file;     ///< --macaroon
  std::string home;                             ///< what "~" in lnd.conf stands for; empty if that is not known
};

struct HostPort {
  std::string host;  ///< without brackets
  std::uint16_t port = 0;
  bool operator==(const HostPort&) const = default;
};

/// "HOST:PORT" or "[IPV6]:PORT", with a port of at least 1. Nothing for any other text.
[[nodiscard]] std::optional<HostPort> read_host_port(std::string_view text);

/// The address of a `restlisten` line as seen from lnd's own machine; host or port may be missing in it. If the host is
/// empty or "::", lnd listens on IPv6 alone. Nothing for a Unix socket, or for a line that lnd would refuse.
[[nodiscard]] std::optional<HostPort> reach_listener(std::string_view listener);

/// A value of lnd.conf, and its line number, from 1.
struct ConfLine {
  std::string value;
  std::size_t line = 0;
};

/// What lnd.conf says about its REST port.
struct LndConf {
  std::optional<ConfLine> listener;     ///< the first `restlisten`
  std::optional<ConfLine> certificate;  ///< the last `tlscertpath`
};

/// Reads any text. Unknown lines are skipped, because lnd has checked its file already. Sections do not matter: both
/// names are used in only one of them.
[[nodiscard]] LndConf read_lnd_conf(std::string_view text);

/// More of lnd.conf, or more networks than this, is not read (R16).
inline constexpr std::size_t max_conf_bytes = 1U << 20U;
inline constexpr std::size_t max_network_entries = 1'000;

/// A place with a '/' in it, or one that is not HOST:PORT, is lnd's folder. What `files` names takes precedence.
/// Refuses (Errc::usage) if something is missing or a file cannot be read, and says how the place was understood.
/// REQUIRES: not empty.
[[nodiscard]] Result<LndAddress> find_lnd(const std::string& place, const LndFiles& files);

}  // namespace paytower::lnd
