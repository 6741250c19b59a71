// A TLS server on a real socket that does what a test tells it, and a client. One thread and a virtual clock: the
// server runs whenever the client waits, and time passes only when nothing else can happen.
#pragma once

#include <algorithm>
#include <fstream>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "core/switch/rest/client.h"
#include "core/switch/rpc/poller.h"
#include "tests/driver/temp_folder.h"
#include "tests/support/test_clock.h"

namespace paytower::test {

/// A key and its certificate, as lnd makes them: P-256, and a CA. Valid up to `seconds` from now.
struct TestCertificate {
  explicit TestCertificate(const TestCertificate* issuer = nullptr, long seconds = 3'600)
      : key(EVP_EC_gen("P-256"), &EVP_PKEY_free), certificate(X509_new(), &X509_free) {
    X509* x = certificate.get();
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), -7'200);
    X509_gmtime_adj(X509_getm_notAfter(x), seconds);
    X509_set_pubkey(x, key.get());
    const auto* name = reinterpret_cast<const unsigned char*>("node");
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, name, -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(issuer != nullptr ? issuer->certificate.get() : x));
    X509_sign(x, issuer != nullptr ? issuer->key.get() : key.get(), EVP_sha256());
  }
  [[nodiscard]] std::string pem() const {
    const std::unique_ptr<BIO, decltype(&BIO_free)> out(BIO_new(BIO_s_mem()), &BIO_free);
    PEM_write_bio_X509(out.get(), certificate.get());
    char* bytes = nullptr;
    const long size = BIO_get_mem_data(out.get(), &bytes);
    return {bytes, static_cast<std::size_t>(size)};
  }
  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key;
  std::unique_ptr<X509, decltype(&X509_free)> certificate;
};

/// One connection as the server sees it.
class Visitor {
 public:
  Visitor(int socket, SSL_CTX* context) : socket_(socket), ssl_(SSL_new(context)) {
    SSL_set_bio(ssl_, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_accept_state(ssl_);
    const int yes = 1;
    ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);  // as lnd's
  }
  ~Visitor() {
    hang_up();
    SSL_free(ssl_);
  }
  Visitor(const Visitor&) = delete;
  Visitor& operator=(const Visitor&) = delete;

  std::string heard;               ///< of the request that is under way
  std::size_t gives = SIZE_MAX;    ///< sends this many bytes of TLS, then closes the connection
  std::size_t at_once = SIZE_MAX;  ///< sends this many bytes of TLS at a time
  bool deaf = false;               ///< reads nothing

  void say(const std::string& text) {
    if (!text.empty()) SSL_write(ssl_, text.data(), static_cast<int>(text.size()));
    collect();
  }
  void say_raw(const std::string& bytes) { out_ += bytes; }
  void say_slowly(const std::string& text) {
    for (const char c : text) say(std::string(1, c));
  }
  /// Ends TLS properly, after everything was sent.
  void close_orderly() {
    SSL_shutdown(ssl_);
    collect();
    close_when_said();
  }
  void close_when_said() { closing_ = true; }
  void hang_up() {
    if (socket_ >= 0) ::close(std::exchange(socket_, -1));
  }
  [[nodiscard]] bool has_said_all() const { return out_.empty(); }

  bool move() {
    if (socket_ < 0) return false;
    const bool moved = deaf ? false : hear();
    return speak() || moved;
  }

 private:
  void collect() {
    char* bytes = nullptr;
    const long size = BIO_get_mem_data(SSL_get_wbio(ssl_), &bytes);
    if (size > 0) out_.append(bytes, static_cast<std::size_t>(size));
    (void)BIO_reset(SSL_get_wbio(ssl_));
  }
  bool hear() {
    char buffer[16'384];
    const ssize_t got = ::recv(socket_, buffer, sizeof buffer, 0);
    if (got == 0) hang_up();
    if (got <= 0) return false;
    BIO_write(SSL_get_rbio(ssl_), buffer, static_cast<int>(got));
    if (!SSL_is_init_finished(ssl_)) SSL_do_handshake(ssl_);
    char plain[16'384];
    for (int size = 0; (size = SSL_read(ssl_, plain, sizeof plain)) > 0;)
      heard.append(plain, static_cast<std::size_t>(size));
    collect();
    return true;
  }
  bool speak() {
    const std::size_t now = std::min({out_.size(), at_once, gives});
    const ssize_t put = now == 0 ? 0 : ::send(socket_, out_.data(), now, MSG_NOSIGNAL);
    if (put > 0) out_.erase(0, static_cast<std::size_t>(put));
    if (put > 0 && gives != SIZE_MAX) gives -= static_cast<std::size_t>(put);
    if (gives == 0 || (closing_ && out_.empty())) hang_up();
    return put > 0 || socket_ < 0;
  }

  int socket_;
  SSL* ssl_;
  std::string out_;
  bool closing_ = false;
};

class TlsServer final : public Poller {
 public:
  TlsServer(TestClock& clock, const TestCertificate& certificate) : clock_(clock), certificate_(&certificate) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int small = 4'096;  // so that the kernel cannot take a long request at once
    ::setsockopt(listener_, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener_, 1'024) != 0 ||
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0)
      throw std::runtime_error("no socket for a test");
    port = ntohs(address.sin_port);
  }
  ~TlsServer() override { stop_listening(); }

  std::uint16_t port = 0;
  std::vector<std::unique_ptr<Visitor>> visitors;  ///< all connections so far
  std::vector<std::string> requests;               ///< the complete ones
  int newest_tls = TLS1_3_VERSION;
  std::function<void(Visitor&)> on_connect = [](Visitor&) {};
  std::function<void(Visitor&, const std::string&)> on_request = [](Visitor&, const std::string&) {};

  void show(const TestCertificate& certificate) { certificate_ = &certificate; }
  void stop_listening() {
    if (listener_ >= 0) ::close(std::exchange(listener_, -1));
  }

  bool wait(int descriptor, bool, MonoNs until) override {
    for (int i = 0; i < 100'000; ++i) {
      const bool moved = move();
      pollfd file{descriptor, POLLIN, 0};
      if (::poll(&file, 1, moved ? 0 : 5) > 0) return true;  // a busy kernel may take its time
      if (!moved) break;
    }
    clock_.at = std::max(clock_.at, until.value);
    return false;
  }

  bool move() {
    bool moved = false;
    for (int socket = accept(); socket >= 0; socket = accept()) {
      visitors.push_back(std::make_unique<Visitor>(socket, context()));
      on_connect(*visitors.back());
      moved = true;
    }
    for (std::size_t i = 0; i < visitors.size(); ++i) {
      moved = visitors[i]->move() || moved;
      take_requests(*visitors[i]);
    }
    return moved;
  }

 private:
  int accept() { return listener_ < 0 ? -1 : ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC); }

  SSL_CTX* context() {
    context_.reset(SSL_CTX_new(TLS_server_method()));
    SSL_CTX_set_min_proto_version(context_.get(), 0);
    SSL_CTX_set_max_proto_version(context_.get(), newest_tls);
    SSL_CTX_set_cipher_list(context_.get(), "DEFAULT@SECLEVEL=0");
    SSL_CTX_use_certificate(context_.get(), certificate_->certificate.get());
    SSL_CTX_use_PrivateKey(context_.get(), certificate_->key.get());
    return context_.get();
  }

  void take_requests(Visitor& visitor) {
    for (;;) {
      const std::size_t head = visitor.heard.find("\r\n\r\n");
      if (head == std::string::npos) return;
      const std::size_t length = visitor.heard.find("Content-Length: ");
      const std::size_t body = length < head ? std::stoul(visitor.heard.substr(length + 16)) : 0;
      if (visitor.heard.size() < head + 4 + body) return;
      requests.push_back(visitor.heard.substr(0, head + 4 + body));
      visitor.heard.erase(0, head + 4 + body);
      on_request(visitor, std::string(requests.back()));
    }
  }

  TestClock& clock_;
  const TestCertificate* certificate_;
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_{nullptr, &SSL_CTX_free};
  int listener_ = -1;
};

inline std::string answer_text(const std::string& body, const std::string& more_head = "") {
  return "HTTP/1.1 200 OK\r\n" + more_head + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

inline std::string chunk(const std::string& text) {
  static constexpr char hex[] = "0123456789abcdef";
  return std::string{hex[text.size() >> 4U & 15U], hex[text.size() & 15U]} + "\r\n" + text + "\r\n";
}

/// What the client reported about one request.
struct Told {
  std::vector<RestEnd> ends;
  std::vector<std::string> lines;
  [[nodiscard]] bool is(RestEnd::Kind kind) const { return ends.size() == 1 && ends.front().kind == kind; }
  [[nodiscard]] bool not_written() const { return is(RestEnd::Kind::not_written); }
  [[nodiscard]] bool answered() const { return is(RestEnd::Kind::answered); }
  [[nodiscard]] bool lost() const { return is(RestEnd::Kind::lost); }
  [[nodiscard]] std::string why() const { return ends.empty() ? "" : ends.front().why; }
};

/// A server, a client that trusts it, and requests.
struct RestWorld {
  TestClock clock;
  TempFolder folder;
  TestCertificate certificate;
  TlsServer server{clock, certificate};
  RestClient client{"127.0.0.1", server.port, folder.file("tls.cert"), clock};

  RestWorld() {
    trust(certificate.pem());
    if (!client.open()) throw std::runtime_error("the client does not open");
  }
  void trust(const std::string& pem) const { std::ofstream(folder.file("tls.cert")) << pem; }
  /// Answers every request with this.
  void answer(const std::string& text) {
    server.on_request = [text](Visitor& visitor, const std::string&) { visitor.say(text); };
  }

  [[nodiscard]] RestRequest request(const std::shared_ptr<Told>& told, bool stream = false) {
    RestRequest out{"POST", "/v2/router/route/send", R"({"a":1})", "", {}, true, in_a_minute(), 1'000, {}, {}};
    out.end = [told](const RestEnd& end) { told->ends.push_back(end); };
    if (stream) out.line = [told](const RestHead&, const std::string& line) { told->lines.push_back(line); };
    return out;
  }
  [[nodiscard]] MonoNs in_a_minute() const { return MonoNs{clock.at + 60 * ns_per_second}; }
  std::shared_ptr<Told> ask(bool stream = false) {
    auto told = std::make_shared<Told>();
    client.ask(request(told, stream));
    return told;
  }
  /// Runs until the request has ended, or nothing can happen any more and no time is left.
  Told run(const std::shared_ptr<Told>& told) {
    while (told->ends.empty() && client.is_open())
      if (!client.pump()) server.wait(client.descriptor(), false, client.deadline().value_or(clock.mono()));
    return *told;
  }
  Told run(bool stream = false) { return run(ask(stream)); }
  /// Runs until nothing can happen any more; the clock stands still.
  void settle() {
    while (client.pump() || server.wait(client.descriptor(), false, clock.mono())) {}
  }
};

}  // namespace paytower::test
