// TLS with a pinned certificate, over a non-blocking TCP connection.
#include "core/switch/rest/tls_socket.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/core.h>

#include "core/base/require.h"
#include "core/switch/rest/openssl.h"

namespace paytower {

namespace {

constexpr std::size_t max_addresses = 8;
constexpr std::size_t max_certificates = 16;
constexpr off_t max_certificate_file = 65'536;
constexpr std::size_t read_chunk = 16'384;
constexpr int reads_a_move = 16;
constexpr std::size_t max_record = 16'384;  ///< how many bytes one TLS record holds

struct Freed {
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(BIO* bytes) const { (void)BIO_free(bytes); }
};
using Certificate = std::unique_ptr<X509, Freed>;
using Certificates = std::vector<Certificate>;

std::string place(const TlsPeer& peer) { return fmt::format("{}:{}", peer.host, peer.port); }

/// A small regular file; empty if it is not one.
std::string read_file(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (file < 0) return {};
  std::string text(max_certificate_file, '\0');
  struct stat about {};
  const bool regular = ::fstat(file, &about) == 0 && S_ISREG(about.st_mode) && about.st_size <= max_certificate_file;
  const ssize_t got = regular ? ::read(file, text.data(), text.size()) : 0;
  ::close(file);
  text.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  return text;
}

Certificates read_certificates(const std::string& pem) {
  // Without this, OpenSSL would ask at the terminal for the passphrase of an encrypted file.
  const auto no_passphrase = [](char*, int, int, void*) { return -1; };
  const std::unique_ptr<BIO, Freed> bytes(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  Certificates found;
  while (found.size() < max_certificates) {
    Certificate one(PEM_read_bio_X509(bytes.get(), nullptr, no_passphrase, nullptr));
    if (!one) break;
    found.push_back(std::move(one));
  }
  ERR_clear_error();
  return found;
}

/// The pin: the peer's own certificate must be one of those in the file, byte for byte. Names, dates and the system's
/// CAs do not matter: whoever has the key of exactly this certificate is the node, under any name and port. A
/// certificate that the node's certificate has signed (lnd's is a CA) is somebody else's.
int is_pinned(X509_STORE_CTX* check, void*) {
  const auto* ssl = static_cast<const SSL*>(X509_STORE_CTX_get_ex_data(check, SSL_get_ex_data_X509_STORE_CTX_idx()));
  const auto* pinned = static_cast<const Certificates*>(SSL_get_app_data(ssl));
  const X509* shown = X509_STORE_CTX_get0_cert(check);
  const bool known = shown != nullptr && std::any_of(pinned->begin(), pinned->end(), [&](const Certificate& one) {
                       return X509_cmp(one.get(), shown) == 0;
                     });
  X509_STORE_CTX_set_error(check, known ? X509_V_OK : X509_V_ERR_CERT_UNTRUSTED);
  return known ? 1 : 0;
}

std::shared_ptr<void> make_context() {
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  if (context == nullptr || SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1)
    throw SwitchError("OpenSSL cannot be used");
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);  // most connections wait for hours
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_cert_verify_callback(context, is_pinned, nullptr);
  return {context, [](void* made) { SSL_CTX_free(static_cast<SSL_CTX*>(made)); }};
}

bool is_number(const std::string& host) {
  in6_addr address{};
  return ::inet_pton(AF_INET, host.c_str(), &address) == 1 || ::inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

/// Small requests go out at once. A peer that disappears is noticed within two minutes. What the peer does not read
/// stays with us and not in the kernel, where nobody could tell whether it was sent.
void tune(int socket) {
  const auto set = [socket](int level, int name, int value) {
    (void)::setsockopt(socket, level, name, &value, sizeof value);
  };
  set(IPPROTO_TCP, TCP_NODELAY, 1);
  set(SOL_SOCKET, SO_SNDBUF, 65'536);
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 60);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 10);
  set(IPPROTO_TCP, TCP_KEEPCNT, 6);
}

}  // namespace

Result<TlsPeer> tls_peer(std::string host, std::uint16_t port, std::string certificate_file) {
  TlsPeer peer{std::move(host), port, std::move(certificate_file), {}, make_context()};
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* list = nullptr;
  const int error = ::getaddrinfo(peer.host.c_str(), fmt::format("{}", port).c_str(), &hints, &list);
  if (error != 0)
    return Error{
        Errc::switch_unavailable, fmt::format("cannot find the host {}: {}", peer.host, ::gai_strerror(error)), {}};
  for (const addrinfo* one = list; one != nullptr && peer.addresses.size() < max_addresses; one = one->ai_next) {
    TlsPeer::Address& address = peer.addresses.emplace_back();
    address.size = one->ai_addrlen;
    std::memcpy(&address.bytes, one->ai_addr, one->ai_addrlen);
  }
  ::freeaddrinfo(list);
  return peer;
}

struct TlsSocket::Parts {
  explicit Parts(const TlsPeer& to) : peer(to) {
    ERR_clear_error();
    pinned = read_certificates(read_file(peer.certificate_file));
    if (pinned.empty()) {
      end(fmt::format("no certificate can be read from {}", peer.certificate_file));
    } else {
      begin_tls();
      connect_next();
    }
  }
  ~Parts() {
    SSL_free(ssl);  // frees both of its BIOs too
    if (descriptor >= 0) ::close(descriptor);
  }
  Parts(const Parts&) = delete;
  Parts& operator=(const Parts&) = delete;

  void begin_tls() {
    ssl = SSL_new(static_cast<SSL_CTX*>(peer.context.get()));
    from_peer = BIO_new(BIO_s_mem());
    to_peer = BIO_new(BIO_s_mem());
    if (ssl == nullptr || from_peer == nullptr || to_peer == nullptr) throw SwitchError("OpenSSL cannot be used");
    SSL_set_bio(ssl, from_peer, to_peer);
    SSL_set_app_data(ssl, &pinned);
    SSL_set_connect_state(ssl);
    if (!is_number(peer.host)) SSL_set_tlsext_host_name(ssl, peer.host.c_str());
  }

  /// The next address that takes a connection, now or later.
  void connect_next() {
    while (tried < peer.addresses.size()) {
      const TlsPeer::Address& address = peer.addresses[tried++];
      if (descriptor >= 0) ::close(descriptor);
      descriptor = ::socket(address.bytes.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
      if (descriptor >= 0) tune(descriptor);
      if (descriptor >= 0 &&
          (::connect(descriptor, reinterpret_cast<const sockaddr*>(&address.bytes), address.size) == 0 ||
           errno == EINPROGRESS))
        return;
      connect_error = errno;
    }
    end(fmt::format("cannot connect to {}: {}", place(peer), std::strerror(connect_error)));
  }

  /// True when TCP is connected.
  bool finish_connect() {
    pollfd file{descriptor, POLLOUT, 0};
    if (::poll(&file, 1, 0) <= 0) return false;
    socklen_t size = sizeof connect_error;
    if (::getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &connect_error, &size) != 0) connect_error = errno;
    if (connect_error != 0) {
      connect_next();
      return false;
    }
    connected = true;
    (void)shake_hands();  // sends the first message of TLS
    return true;
  }

  /// False if TLS has failed.
  bool shake_hands() {
    ERR_clear_error();
    const int done = SSL_do_handshake(ssl);
    collect();
    established = done == 1;
    if (established || SSL_get_error(ssl, done) == SSL_ERROR_WANT_READ) return true;
    const char* reason = ERR_reason_error_string(ERR_peek_error());
    if (SSL_get_verify_result(ssl) == X509_V_ERR_CERT_UNTRUSTED)
      end(fmt::format("the certificate of {} is not in {}", place(peer), peer.certificate_file));
    else
      end(fmt::format("no TLS with {}: {}", place(peer), reason != nullptr ? reason : "the handshake was broken off"));
    return false;
  }

  /// Takes over what OpenSSL wants to send.
  void collect() {
    char* bytes = nullptr;
    const long size = BIO_get_mem_data(to_peer, &bytes);
    if (size <= 0) return;
    if (sent == outgoing.size()) {
      begin += sent;
      sent = 0;
      outgoing.clear();
    }
    outgoing.append(bytes, static_cast<std::size_t>(size));
    (void)BIO_reset(to_peer);
    if (outgoing.size() > max_outgoing_bytes) end(fmt::format("{} does not read what it asks for", place(peer)));
  }

  void flush() {
    while (sent < outgoing.size()) {
      const ssize_t put = ::send(descriptor, outgoing.data() + sent, outgoing.size() - sent, MSG_NOSIGNAL);
      if (put < 0 && errno == EINTR) continue;
      if (put < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
      if (put < 0) return end(fmt::format("the connection to {} is gone: {}", place(peer), std::strerror(errno)));
      sent += static_cast<std::size_t>(put);
    }
  }

  void read(std::string& plain) {
    std::array<char, read_chunk> buffer;
    for (int i = 0; i < reads_a_move; ++i) {
      const ssize_t got = ::recv(descriptor, buffer.data(), buffer.size(), 0);
      if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return;
      if (got < 0) return end(fmt::format("the connection to {} is gone: {}", place(peer), std::strerror(errno)));
      if (got == 0) return end(fmt::format("{} closed the connection", place(peer)));
      if (BIO_write(from_peer, buffer.data(), static_cast<int>(got)) != got) return end("OpenSSL is out of memory");
      if (!decrypt(plain)) return;
    }
  }

  /// Everything that has come is read: nothing may stay where no poll would see it.
  bool decrypt(std::string& plain) {
    if (!established && !shake_hands()) return false;
    if (!established) return true;
    std::array<char, read_chunk> buffer;
    for (;;) {
      ERR_clear_error();
      const int got = SSL_read(ssl, buffer.data(), static_cast<int>(buffer.size()));
      collect();  // to answer a change of keys
      if (got > 0) {
        plain.append(buffer.data(), static_cast<std::size_t>(got));
        continue;
      }
      const int error = SSL_get_error(ssl, got);
      if (error == SSL_ERROR_WANT_READ) return true;
      ended_orderly = error == SSL_ERROR_ZERO_RETURN;
      end(place(peer) + (ended_orderly ? " closed the connection" : " speaks no TLS any more"));
      return false;
    }
  }

  /// The first reason is kept.
  void end(std::string reason) {
    if (why.empty()) why = std::move(reason);
  }

  const TlsPeer& peer;
  Certificates pinned;
  SSL* ssl = nullptr;
  BIO* from_peer = nullptr;
  BIO* to_peer = nullptr;
  int descriptor = -1;
  std::size_t tried = 0;
  int connect_error = 0;
  bool connected = false;
  bool established = false;
  bool ended_orderly = false;
  std::string why;
  std::string outgoing;         ///< encrypted
  std::size_t sent = 0;         ///< how much of `outgoing` is sent
  std::uint64_t begin = 0;      ///< the position of `outgoing` in all that was ever encrypted
  std::uint64_t last_byte = 0;  ///< the position of the record that holds the last byte of the last write
};

TlsSocket::TlsSocket(const TlsPeer& peer) : parts_(std::make_unique<Parts>(peer)) {}
TlsSocket::~TlsSocket() = default;

bool TlsSocket::move(std::string& plain) {
  Parts& in = *parts_;
  if (!in.why.empty()) return false;
  if (!in.connected && !in.finish_connect()) return in.why.empty();
  in.flush();
  in.read(plain);  // also if nothing can be written any more: there may be an answer
  // If a handshake failed, send the reason, for the peer's log. If the connection failed during a request, send nothing
  // more.
  if (in.why.empty() || !in.established) in.flush();
  return in.why.empty();
}

void TlsSocket::write(std::string_view text) {
  Parts& in = *parts_;
  require(in.established && !text.empty() && text.size() <= max_outgoing_bytes / 2, "this can be written");
  ERR_clear_error();
  // In two calls, so that we know where the last record begins. Memory always takes all of it.
  const std::size_t last = std::min(text.size(), max_record);
  const auto before = static_cast<int>(text.size() - last);
  const bool ok = before == 0 || SSL_write(in.ssl, text.data(), before) == before;
  in.collect();
  in.last_byte = in.begin + in.outgoing.size();
  const auto rest = static_cast<int>(last);
  if (!ok || SSL_write(in.ssl, text.data() + before, rest) != rest) in.end("TLS takes nothing any more");
  in.collect();
}

bool TlsSocket::last_byte_may_be_out() const { return parts_->begin + parts_->sent > parts_->last_byte; }
bool TlsSocket::all_written() const { return parts_->sent == parts_->outgoing.size(); }
bool TlsSocket::established() const { return parts_->established && parts_->why.empty(); }
bool TlsSocket::ended_orderly() const { return parts_->ended_orderly; }
const std::string& TlsSocket::why() const { return parts_->why; }
int TlsSocket::descriptor() const { return parts_->descriptor; }
bool TlsSocket::wants_to_write() const { return !parts_->connected || !all_written(); }

}  // namespace paytower
