#include "core/sim/server/clients.h"

#include <poll.h>
#include <algorithm>
#include <csignal>
#include <utility>

namespace paytower::sim {

namespace {

constexpr std::size_t most_clients = 64;
constexpr std::size_t most_calls_a_turn = 256;  ///< of all clients together, in fair shares

}  // namespace

RpcConnection* RpcClients::find(std::uint64_t id) {
  const auto found = connections_.find(id);
  return found == connections_.end() ? nullptr : &found->second;
}

void RpcClients::let_in(MonoNs now) {
  while (socket_.listening() && connections_.size() < most_clients) {
    OpenFile file = socket_.accept();
    if (!file.is_open()) return;
    const RpcStrikes struck = faults_.strike("connect");
    if (struck.refuse_before) return refuse(MonoNs{now.value + *struck.refuse_before});
    if (struck.break_before) continue;
    const std::uint64_t id = next_id_++;
    RpcConnection& made = connections_.emplace(id, RpcConnection(id, std::move(file))).first->second;
    if (struck.unread_ns) made.paused_until = MonoNs{now.value + *struck.unread_ns};
    if (refusing_until_) made.paused_until = refusing_until_;  // a forwarder takes everybody
  }
}

void RpcClients::refuse(MonoNs until) {
  refusing_until_ = until;
  if (!faults_.behind_forwarder()) socket_.refuse();  // first: whoever sees its connection break finds no socket
  drop_all();
}

void RpcClients::listen_again(MonoNs now) {
  if (!refusing_until_ || now < *refusing_until_) return;
  refusing_until_.reset();
  if (!faults_.behind_forwarder()) socket_.listen();
}

/// Parks the request when a fault leaves it unread.
std::optional<PendingCall> RpcClients::next_call(RpcConnection& connection, MonoNs now) {
  if (!connection.open_for_requests(now)) return std::nullopt;
  connection.paused_until.reset();
  if (connection.parked) return std::exchange(connection.parked, std::nullopt);
  const auto value = connection.framer().next();
  if (!value) {
    const auto complaint = connection.framer().take_complaint();
    if (complaint) connection.send(answer_text("null", reply_of(CallError(RpcCode::invalid_request, *complaint)), {}));
    return std::nullopt;
  }
  PendingCall pending;
  pending.connection = connection.id();
  pending.read = read_call(*value);
  if (pending.read.refused) return pending;
  const RpcCall& call = pending.read.call;
  pending.strikes = faults_.strike(RpcNode::is_fence(call) ? "fence" : call.method);
  if (!pending.strikes.unread_ns) return pending;
  connection.paused_until = MonoNs{now.value + *pending.strikes.unread_ns};
  connection.parked = std::move(pending);
  return std::nullopt;
}

std::vector<PendingCall> RpcClients::collect(MonoNs now) {
  std::vector<PendingCall> calls;
  const std::size_t share = most_calls_a_turn / std::max<std::size_t>(connections_.size(), 1);
  for (auto& [id, connection] : connections_) {
    for (std::size_t taken = 0; taken < share; ++taken) {
      auto call = next_call(connection, now);
      if (!call) break;
      const bool ends_batch = call->strikes.ends_batch();
      calls.push_back(std::move(*call));
      if (ends_batch) return calls;
    }
  }
  return calls;
}

std::int64_t RpcClients::shorten(std::int64_t ns, MonoNs now) const {
  if (refusing_until_) ns = std::min(ns, refusing_until_->value - now.value);
  for (const auto& [id, connection] : connections_) {
    if (connection.paused_until) ns = std::min(ns, connection.paused_until->value - now.value);
    if (connection.has_requests() && connection.open_for_requests(now)) ns = 0;
  }
  return std::max<std::int64_t>(ns, 0);
}

void RpcClients::wait(std::int64_t ns, MonoNs now) {
  const bool room = socket_.listening() && connections_.size() < most_clients;
  std::vector<pollfd> polled{pollfd{room ? socket_.fd() : -1, POLLIN, 0}};
  std::vector<std::uint64_t> ids;
  for (const auto& [id, connection] : connections_) {
    const bool reads = connection.open_for_requests(now) && !connection.at_end();
    const auto events = static_cast<short>((reads ? POLLIN : 0) | (connection.wants_write() ? POLLOUT : 0));
    // These would report their client's end for ever, and it cannot be taken note of yet, or has been.
    const bool hidden = connection.paused(now) || (events == 0 && connection.at_end());
    polled.push_back(pollfd{hidden ? -1 : connection.fd(), events, 0});
    ids.push_back(id);
  }
  const timespec time{static_cast<time_t>(ns / ns_per_second), static_cast<long>(ns % ns_per_second)};
  sigset_t open;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &open);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigdelset(&open, signal);
  if (::ppoll(polled.data(), polled.size(), &time, &open) <= 0) return;
  if (polled[0].revents != 0) let_in(now);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    RpcConnection* connection = find(ids[i]);
    if (connection && (polled[i + 1].revents & (POLLIN | POLLHUP | POLLERR)) != 0) connection->receive();
  }
}

void RpcClients::flush() {
  for (auto& [id, connection] : connections_) {
    if (connection.wants_write()) connection.flush();
  }
}

void RpcClients::drop_all() {
  if (faults_.behind_forwarder()) {
    for (auto& [id, connection] : connections_) {
      connection.waits = 0;
      if (refusing_until_) connection.paused_until = refusing_until_;
    }
    return;
  }
  some_went_ = some_went_ || !connections_.empty();
  connections_.clear();
}

bool RpcClients::forget_closed() {
  for (auto it = connections_.begin(); it != connections_.end();) {
    const RpcConnection& connection = it->second;
    const bool done = connection.at_end() && !connection.has_requests() && !connection.wants_write();
    if (!connection.over() && !done) {
      ++it;
      continue;
    }
    it = connections_.erase(it);
    some_went_ = true;
  }
  return std::exchange(some_went_, false);
}

}  // namespace paytower::sim
