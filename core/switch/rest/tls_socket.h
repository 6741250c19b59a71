// TLS over one TCP connection, to a server whose certificate is in a file.
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

/// Where to connect, and whom to trust.
struct TlsPeer {
  struct Address {
    sockaddr_storage bytes{};
    socklen_t size = 0;
  };
  std::string host;
  std::uint16_t port = 0;
  std::string certificate_file;    ///< PEM
  std::vector<Address> addresses;  ///< each connection tries them in this order
  std::shared_ptr<void> context;   ///< OpenSSL's context; it takes a millisecond to make
};

/// Looks up the host's name, once. A DNS name takes as long as the system's resolver; a number or localhost takes no
/// time. Errc::switch_unavailable.
[[nodiscard]] Result<TlsPeer> tls_peer(std::string host, std::uint16_t port, std::string certificate_file);

/// Never blocks, and knows which bytes the kernel has taken: OpenSSL writes into our memory, never to the socket.
/// Errors of the kernel come as values, never as SIGPIPE.
class TlsSocket {
 public:
  /// No more than this may wait to be written (R16).
  static constexpr std::size_t max_outgoing_bytes = 4U << 20U;

  /// Begins to connect. Reads the certificates each time, because a node may have replaced its file. `peer` must
  /// outlive this.
  explicit TlsSocket(const TlsPeer& peer);
  ~TlsSocket();
  TlsSocket(const TlsSocket&) = delete;
  TlsSocket& operator=(const TlsSocket&) = delete;

  /// Does what can be done now, and appends what came. Reads at most 256 KiB in one call. False when the connection
  /// cannot be used any more; `plain` may still have got its last bytes.
  [[nodiscard]] bool move(std::string& plain);

  /// The peer has shown a certificate that we accept, and has its key. Before that, nothing of ours is sent.
  [[nodiscard]] bool established() const;
  /// Encrypts; move() sends. REQUIRES: established(), at most half of max_outgoing_bytes, not empty.
  void write(std::string_view text);
  /// Whether the kernel has taken anything of the record with the last byte of the last write(). A record is decrypted
  /// as a whole or not at all. So if this is false and the connection is closed, nobody can ever read that byte. If
  /// only a part of the record was taken, that is true as well, but it is not claimed.
  [[nodiscard]] bool last_byte_may_be_out() const;
  [[nodiscard]] bool all_written() const;

  /// The peer has said in TLS that this was all. Otherwise whoever cut the connection may have cut off bytes.
  [[nodiscard]] bool ended_orderly() const;
  /// For people: why the connection cannot be used. Empty while it can.
  [[nodiscard]] const std::string& why() const;
  /// Changes while addresses are tried. Negative if nothing is open.
  [[nodiscard]] int descriptor() const;
  [[nodiscard]] bool wants_to_write() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace paytower
