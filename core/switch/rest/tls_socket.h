// TLS over one TCP connection, to a server whose certificate stands in a file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <sys/socket.h>

#include "core/base/error.h"

namespace paytower {

/// Where connections go, and whom they trust.
struct TlsPeer {
  struct Address {
    sockaddr_storage bytes{};
    socklen_t size = 0;
  };
  std::string host;
  std::uint16_t port = 0;
  std::string certificate_file;    ///< PEM
  std::vector<Address> addresses;  ///< tried in this order by each connection
  std::shared_ptr<void> context;   ///< OpenSSL's; takes a millisecond to make
};

/// Looks the host's name up, once: a name of the DNS waits for as long as the system's resolver does, a number or
/// localhost for nothing. Errc::switch_unavailable.
[[nodiscard]] Result<TlsPeer> tls_peer(std::string host, std::uint16_t port, std::string certificate_file);

/// Never blocks, and knows which bytes the kernel took: OpenSSL writes into our memory and never to the socket. The
/// kernel's refusals come as values, never as SIGPIPE.
class TlsSocket {
 public:
  /// What waits to be written is not more than this (R16).
  static constexpr std::size_t max_outgoing_bytes = 4U << 20U;

  /// Begins to connect. The certificates are read here, every time: a node may have replaced its file. `peer` must
  /// outlive this.
  explicit TlsSocket(const TlsPeer& peer);
  ~TlsSocket();
  TlsSocket(const TlsSocket&) = delete;
  TlsSocket& operator=(const TlsSocket&) = delete;

  /// Goes on with what can be done now, and appends what came. A call reads at most 256 KiB. False when the connection
  /// cannot be used any more; `plain` may hold its last bytes all the same.
  [[nodiscard]] bool move(std::string& plain);

  /// The peer has shown a certificate of ours, and its key. Nothing of ours is written before.
  [[nodiscard]] bool established() const;
  /// Encrypts; move() writes. REQUIRES: established(), at most half of max_outgoing_bytes, not empty.
  void write(std::string_view text);
  /// Whether the kernel took anything of the record that holds the last byte of the last write(). A record is decrypted
  /// whole or not at all, so while this is false nobody can ever read that byte once the connection is closed. A part
  /// of that record would be as unreadable, but then nothing is claimed.
  [[nodiscard]] bool last_byte_may_be_out() const;
  [[nodiscard]] bool all_written() const;

  /// The peer said in TLS that this was all; else whoever cut the connection may have cut bytes off.
  [[nodiscard]] bool ended_orderly() const;
  /// Why it cannot be used, for people. Empty while it can.
  [[nodiscard]] const std::string& why() const;
  /// Changes while addresses are tried. Negative when nothing is open.
  [[nodiscard]] int descriptor() const;
  [[nodiscard]] bool wants_to_write() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace paytower
