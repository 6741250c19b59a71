// Sends requests over one connection, and gives each answer to whoever asked.
#include "core/switch/rpc/client.h"

#include <algorithm>
#include <array>
#include <utility>

#include <unistd.h>

#include <fmt/core.h>

#include "core/base/require.h"

namespace paytower {

namespace {

constexpr std::size_t read_chunk = 65'536;
constexpr int reads_a_pump = 64;  ///< then other work gets its turn

}  // namespace

RpcClient::RpcClient(std::unique_ptr<Transport> transport, std::optional<uid_t> user, Clock& clock,
                     Randomness& randomness)
    : user_(user), clock_(clock), randomness_(randomness), transport_(std::move(transport)) {}

Result<std::monostate> RpcClient::connect() {
  lose();
  if (auto opened = transport_->open(); !opened) return opened;
  const std::string& name = transport_->name();
  const auto refused = [this](std::string why) {
    transport_->close();
    return Error{Errc::switch_unavailable, std::move(why), {}};
  };
  const auto peer = transport_->peer();
  if (!peer) return refused(fmt::format("cannot tell which user serves {}", name));
  if (peer->uid != ::geteuid() && peer->uid != 0 && peer->uid != user_) {
    return refused(fmt::format(
        "{} is served by user {}, who is neither you nor root: if it is the node's user, say --node-user {}", name,
        peer->uid, peer->uid));
  }
  peer_ = peer;
  frames_ = FrameSplitter(max_answer_bytes);
  answers_ = 0;
  return std::monostate{};
}

void RpcClient::call(const std::string& method, const nlohmann::json& params, Handler handler, Dropped dropped) {
  send(method, params, Call{std::move(handler), std::move(dropped), {}, MonoNs{clock_.mono().value + patience_ns}});
}

void RpcClient::call_within(std::int64_t patience, const std::string& method, const nlohmann::json& params,
                            Handler handler, Dropped expired) {
  send(method, params, Call{std::move(handler), {}, std::move(expired), MonoNs{clock_.mono().value + patience}});
}

void RpcClient::call_filtered(const std::string& method, const nlohmann::json& params, const nlohmann::json& filter,
                              Handler handler) {
  send(method, params, Call{std::move(handler), {}, {}, MonoNs{clock_.mono().value + patience_ns}}, filter);
}

void RpcClient::send(const std::string& method, const nlohmann::json& params, Call call, const nlohmann::json& filter) {
  require(connected(), "the connection is open");
  std::string id = draw_request_id(randomness_);
  outgoing_.push_back(Outgoing{id, request_text(id, method, params, filter)});
  waiting_[std::move(id)] = std::move(call);
}

void RpcClient::refuse(std::string why) {
  if (!refused_) refused_ = std::move(why);
}

void RpcClient::lose() {
  transport_->close();
  peer_.reset();
  outgoing_.clear();
  refused_.reset();
  lacking_.clear();
  // Their handlers may call us again, so nothing of the old connection may be left by then.
  auto waiting = std::exchange(waiting_, {});
  for (auto& [id, call] : waiting) {
    if (!call.touched && call.dropped) call.dropped();
  }
}

std::optional<std::string> RpcClient::pump(bool& moved) {
  if (auto why = write_all(moved)) return why;
  if (auto why = read_all(moved)) return why;
  if (auto why = write_all(moved)) return why;  // what the answers led to
  return overdue(moved);
}

std::optional<std::string> RpcClient::write_all(bool& moved) {
  while (!outgoing_.empty()) {
    Outgoing& request = outgoing_.front();
    const auto put = transport_->write(std::string_view(request.text).substr(request.written));
    // The system took nothing of this piece, whatever became of the pieces before it.
    if (!put) return "the node closed the connection";
    if (*put == 0) return std::nullopt;
    if (const auto call = waiting_.find(request.id); call != waiting_.end()) call->second.touched = true;
    moved = true;
    request.written += *put;
    if (request.written == request.text.size()) outgoing_.pop_front();
  }
  return std::nullopt;
}

std::optional<std::string> RpcClient::read_all(bool& moved) {
  std::array<char, read_chunk> buffer{};
  for (int i = 0; i < reads_a_pump; ++i) {
    const auto got = transport_->read(buffer);
    if (!got) return "the node closed the connection";
    if (*got == 0) return std::nullopt;
    moved = true;
    if (!frames_.feed(std::string_view(buffer.data(), *got)))
      return fmt::format("the node's answer is longer than {} bytes", max_answer_bytes);
    if (auto why = deliver()) return why;
  }
  return std::nullopt;
}

std::optional<std::string> RpcClient::deliver() {
  while (const auto frame = frames_.next()) {
    const auto reply = read_reply(*frame, max_answer_bytes);
    if (!reply) return reply.error().message;
    const auto call = waiting_.find(reply->id);
    if (call == waiting_.end()) continue;  // not something that we asked
    const Handler handler = std::move(call->second.handler);
    waiting_.erase(call);
    ++answers_;
    handler(*reply);
    if (refused_) return std::exchange(refused_, std::nullopt);
  }
  return std::nullopt;
}

std::optional<MonoNs> RpcClient::deadline() const {
  std::optional<MonoNs> first;
  for (const auto& [id, call] : waiting_) first = first ? std::min(*first, call.answer_by) : call.answer_by;
  return first;
}

std::optional<std::string> RpcClient::overdue(bool& moved) {
  const MonoNs now = clock_.mono();
  const auto first = deadline();
  if (!first || now < *first) return std::nullopt;
  std::vector<Dropped> expired;
  for (auto call = waiting_.begin(); call != waiting_.end();) {
    if (now < call->second.answer_by) {
      ++call;
      continue;
    }
    if (!call->second.expired) return "the node does not answer";
    expired.push_back(std::move(call->second.expired));
    call = waiting_.erase(call);
  }
  moved = true;
  for (const Dropped& tell : expired) tell();  // they may ask again
  return std::nullopt;
}

}  // namespace paytower
