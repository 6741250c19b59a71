// Where an lnd is: `lnd:HOST:PORT` with two files that are named beside it, or `lnd:DIR`, lnd's own folder, which says
// all of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/error.h"

namespace paytower::lnd {

/// lnd's REST port, and the files that a connection to it stands on. Neither was opened.
struct LndAddress {
  std::string host;  ///< a name or an IP address, without brackets
  std::uint16_t port = 0;
  std::string certificate_file;  ///< PEM
  std::string macaroon_file;     ///< what it holds is a secret
};

/// What a call says beside the place.
struct LndFiles {
  std::optional<std::string> certificate_file;  ///< --tls-cert
  std::optional<std::string> macaroon_file;     ///< --macaroon
  std::string home;                             ///< what "~" of lnd.conf is; empty where that is not known
};

struct HostPort {
  std::string host;  ///< without brackets
  std::uint16_t port = 0;
  bool operator==(const HostPort&) const = default;
};

/// "HOST:PORT" or "[IPV6]:PORT", with a port from 1 on. Nothing for any other text.
[[nodiscard]] std::optional<HostPort> read_host_port(std::string_view text);

/// Where lnd's own machine reaches what listens at this `restlisten`, which may lack host or port. lnd listens on IPv6
/// alone where the host is empty or "::". Nothing for a Unix socket, and for what lnd would refuse.
[[nodiscard]] std::optional<HostPort> reach_listener(std::string_view listener);

/// A value of lnd.conf, and its line, from 1.
struct ConfLine {
  std::string value;
  std::size_t line = 0;
};

/// What lnd.conf says of its REST port.
struct LndConf {
  std::optional<ConfLine> listener;     ///< the first `restlisten`
  std::optional<ConfLine> certificate;  ///< the last `tlscertpath`
};

/// Reads any text; what it does not know it passes over, as lnd has judged its file already. Sections do not matter:
/// both names stand in one only.
[[nodiscard]] LndConf read_lnd_conf(std::string_view text);

/// lnd.conf and lists of networks are not read beyond these (R16).
inline constexpr std::size_t max_conf_bytes = 1U << 20U;
inline constexpr std::size_t max_network_entries = 1'000;

/// A place with a '/', or one that is no HOST:PORT, is lnd's folder; what `files` names beside it wins. Refuses
/// (Errc::usage) what says too little and files that cannot be read, and tells how the place was understood. REQUIRES:
/// not empty.
[[nodiscard]] Result<LndAddress> find_lnd(const std::string& place, const LndFiles& files);

}  // namespace paytower::lnd
