// Transports that lead to the node in this process, and the poller that lets it work.
#include "core/sim/node/pipe.h"

#include <unistd.h>
#include <algorithm>
#include <utility>

#include <fmt/core.h>

#include "core/sim/node/service.h"

namespace paytower::sim {

class PipeNode::Pipe final : public Transport {
 public:
  Pipe(NodeService& service, const std::string& name) : service_(service), name_(name) {}
  ~Pipe() override { end(); }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  Result<std::monostate> open() override {
    close();
    if (service_.refuses()) return refused();
    id_ = service_.let_in();
    if (!id_) return refused();
    return std::monostate{};
  }
  void close() override { end(); }
  [[nodiscard]] bool is_open() const override { return id_.has_value(); }
  [[nodiscard]] const std::string& name() const override { return name_; }
  [[nodiscard]] std::optional<Peer> peer() const override { return Peer{::getpid(), ::geteuid()}; }
  [[nodiscard]] int descriptor() const override { return id_ ? static_cast<int>(*id_) : -1; }

  std::optional<std::size_t> read(std::span<char> buffer) override {
    RpcConnection* connection = id_ ? service_.find(*id_) : nullptr;
    if (!connection) return std::nullopt;
    std::string& out = connection->output();
    if (out.empty() && connection->over()) return std::nullopt;
    const std::size_t count = std::min(buffer.size(), out.size());
    std::copy_n(out.begin(), count, buffer.begin());
    out.erase(0, count);
    return count;
  }

  std::optional<std::size_t> write(std::string_view text) override {
    RpcConnection* connection = id_ ? service_.find(*id_) : nullptr;
    if (!connection || connection->over()) return std::nullopt;
    connection->feed(text);
    return text.size();
  }

 private:
  [[nodiscard]] Error refused() const {
    return Error{Errc::switch_unavailable, fmt::format("{}: the node refuses connections", name_), {}};
  }
  void end() {
    if (RpcConnection* connection = id_ ? service_.find(*id_) : nullptr) connection->leave();
    id_.reset();
  }

  NodeService& service_;
  const std::string& name_;
  std::optional<std::uint64_t> id_;
};

PipeNode::PipeNode(Ledger& ledger, Clock& clock, std::string name, Faults faults)
    : clock_(clock), name_(std::move(name)), service_(std::make_unique<NodeService>(ledger, clock, std::move(faults))) {
}
PipeNode::~PipeNode() = default;

Faults& PipeNode::faults() { return service_->faults(); }

std::unique_ptr<Transport> PipeNode::transport() { return std::make_unique<Pipe>(*service_, name_); }

bool PipeNode::ready(int descriptor) {
  if (descriptor < 0) return false;
  const RpcConnection* connection = service_->find(static_cast<std::uint64_t>(descriptor));
  return connection == nullptr || connection->wants_write() || connection->over();
}

void PipeNode::turn() {
  service_->turn();
  service_->forget_closed();
}

bool PipeNode::wait(int descriptor, bool /*write*/, MonoNs until) {
  for (;;) {
    turn();
    if (ready(descriptor)) return true;
    const MonoNs now = clock_.mono();
    if (now >= until) return false;
    const MonoNs wake = std::min(until, MonoNs{now.value + std::max<std::int64_t>(service_->pause_ns(), 1)});
    clock_.sleep_until(wake);
    if (clock_.mono() < wake) return false;  // a signal came
  }
}

}  // namespace paytower::sim
