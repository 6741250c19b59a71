// The loop of the server: waits, accepts, reads, lets the node work, writes.
#include "core/sim/server/server.h"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <array>
#include <cerrno>
#include <csignal>
#include <map>
#include <utility>
#include <vector>

#include "core/base/refuse.h"
#include "core/sim/node/service.h"
#include "core/sim/server/socket.h"

namespace paytower::sim {

namespace {

constexpr std::size_t read_bytes = std::size_t{64} << 10;
constexpr std::size_t blocks_at_once = 4;

/// Reads what there is, up to a bound.
void receive(int file, RpcConnection& connection) {
  std::array<char, read_bytes> block;
  for (std::size_t blocks = 0; blocks < blocks_at_once; ++blocks) {
    const ssize_t got = ::recv(file, block.data(), block.size(), 0);
    if (got == 0) connection.end();
    if (got < 0 && errno != EAGAIN && errno != EINTR) connection.lose();
    if (got <= 0) return;
    connection.feed(std::string_view(block.data(), static_cast<std::size_t>(got)));
  }
}

/// Writes as much as is possible now.
void flush(int file, RpcConnection& connection) {
  std::string& out = connection.output();
  std::size_t written = 0;
  while (written < out.size()) {
    const ssize_t sent = ::send(file, out.data() + written, out.size() - written, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno != EAGAIN) connection.lose();
    if (sent < 0) break;
    written += static_cast<std::size_t>(sent);
  }
  out.erase(0, written);
}

}  // namespace

struct RpcServer::Impl {
  Impl(Ledger& ledger, Clock& clock_in, const std::string& path, Faults faults)
      : clock(clock_in), named_lightningd(faults.poses_as_lightningd()), service(ledger, clock_in, std::move(faults)),
        socket(path) {
    if (named_lightningd) (void)::prctl(PR_SET_NAME, "lightningd");
  }

  Clock& clock;
  bool named_lightningd;
  NodeService service;
  ListeningSocket socket;
  std::map<std::uint64_t, OpenFile> files;  ///< by connection

  void let_in() {
    while (socket.listening() && service.has_room()) {
      OpenFile file = socket.accept();
      if (!file.is_open()) return;
      const auto id = service.let_in();
      if (id) files.emplace(*id, std::move(file));
      if (service.refuses()) return;
    }
  }

  /// Waits until a client writes or can be written to, `ns` are over, or a stop signal comes (signals are let in while
  /// it waits). Then accepts new clients and reads.
  void wait(std::int64_t ns) {
    const MonoNs now = clock.mono();
    std::vector<pollfd> polled{pollfd{socket.listening() && service.has_room() ? socket.fd() : -1, POLLIN, 0}};
    std::vector<std::uint64_t> ids;
    for (const auto& [id, file] : files) {
      const RpcConnection& connection = *service.find(id);
      const bool reads = connection.open_for_requests(now) && !connection.at_end();
      const auto events = static_cast<short>((reads ? POLLIN : 0) | (connection.wants_write() ? POLLOUT : 0));
      // Their end would be reported again and again, although it cannot be handled yet, or has been already.
      const bool hidden = connection.paused(now) || (events == 0 && connection.at_end());
      polled.push_back(pollfd{hidden ? -1 : file.get(), events, 0});
      ids.push_back(id);
    }
    const timespec time{static_cast<time_t>(ns / ns_per_second), static_cast<long>(ns % ns_per_second)};
    sigset_t open;
    ::pthread_sigmask(SIG_SETMASK, nullptr, &open);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigdelset(&open, signal);
    if (::ppoll(polled.data(), polled.size(), &time, &open) <= 0) return;
    if (polled[0].revents != 0) let_in();
    for (std::size_t i = 0; i < ids.size(); ++i) {
      RpcConnection* connection = service.find(ids[i]);
      if (connection && (polled[i + 1].revents & (POLLIN | POLLHUP | POLLERR)) != 0)
        receive(files.at(ids[i]).get(), *connection);
    }
  }

  /// Does for the sockets what the turn has decided.
  void follow() {
    // First of all: a client whose connection breaks must not find the socket any more.
    if (service.refuses() && socket.listening()) socket.refuse();
    if (!service.refuses() && !socket.listening()) socket.listen();
    for (auto& [id, file] : files) {
      RpcConnection* connection = service.find(id);
      if (connection && connection->wants_write()) flush(file.get(), *connection);
    }
    service.forget_closed();
    std::erase_if(files, [this](const auto& entry) { return service.find(entry.first) == nullptr; });
  }

  void run() {
    while (clock.stop_signal() == 0 && !service.stop_asked()) {
      wait(service.pause_ns());
      service.turn();
      follow();
    }
    follow();
  }
};

Result<RpcServer> RpcServer::open(Ledger& ledger, Clock& clock, const std::string& socket_path, Faults faults) {
  ledger.read([](LedgerTx& tx) {
    if (!tx.node(own_node)) throw SwitchError("there is no simulated network in this file");
  });
  return result_of([&] { return RpcServer(std::make_unique<Impl>(ledger, clock, socket_path, std::move(faults))); });
}

RpcServer::RpcServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
RpcServer::RpcServer(RpcServer&& other) noexcept = default;
RpcServer::~RpcServer() = default;

Result<std::monostate> RpcServer::run() {
  return result_of([this] { impl_->run(); });
}

}  // namespace paytower::sim
