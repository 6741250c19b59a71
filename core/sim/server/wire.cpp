#include "core/sim/server/wire.h"

#include <sys/socket.h>
#include <unistd.h>
#include <array>
#include <cerrno>

namespace paytower::sim {

namespace {

constexpr std::size_t read_bytes = std::size_t{64} << 10;
constexpr std::size_t blocks_at_once = 4;

std::string deep_text(const std::string& id, std::size_t depth) {
  return "{\"jsonrpc\":\"2.0\",\"id\":" + id + ",\"result\":" + std::string(depth, '[') + std::string(depth, ']') +
         "}\n\n";
}

std::string big_text(const std::string& id, std::size_t bytes) {
  const std::string head = "{\"jsonrpc\":\"2.0\",\"id\":" + id + ",\"result\":{\"padding\":\"";
  const std::string tail = "\"}}\n\n";
  const std::size_t padding = bytes > head.size() + tail.size() ? bytes - head.size() - tail.size() : 0;
  return head + std::string(padding, 'x') + tail;
}

CallReply error_reply(int code) {
  CallReply reply;
  reply.failed = true;
  reply.body["code"] = code;
  reply.body["message"] = "a fault of the simulated node";
  return reply;
}

}  // namespace

void RpcConnection::receive() {
  std::array<char, read_bytes> block;
  for (std::size_t blocks = 0; blocks < blocks_at_once; ++blocks) {
    const ssize_t got = ::recv(file_.get(), block.data(), block.size(), 0);
    if (got == 0) at_end_ = true;
    if (got < 0 && errno != EAGAIN && errno != EINTR) broken_ = true;
    if (got <= 0) return;
    if (!framer_.dead()) framer_.feed(std::string_view(block.data(), static_cast<std::size_t>(got)));
  }
}

void RpcConnection::flush() {
  std::size_t written = 0;
  while (written < out_.size()) {
    const ssize_t sent = ::send(file_.get(), out_.data() + written, out_.size() - written, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno != EAGAIN) broken_ = true;
    if (sent < 0) break;
    written += static_cast<std::size_t>(sent);
  }
  out_.erase(0, written);
}

std::string spoiled_answer(const RpcCall& call, CallReply reply, const RpcStrikes& strikes) {
  std::string id = call.id;
  if (strikes.wrong_id) id = "\"not asked: " + std::to_string(id.size()) + "\"";
  if (strikes.error_before || strikes.error_after)
    reply = error_reply(strikes.error_before ? *strikes.error_before : *strikes.error_after);
  std::string text = answer_text(id, std::move(reply), call.filter);
  if (strikes.big) text = big_text(id, *strikes.big);
  if (strikes.deep) text = deep_text(id, *strikes.deep);
  if (strikes.garbage) text = "<html>no JSON at all</html>\n\n";
  if (strikes.twice) text += text;
  if (strikes.cut && *strikes.cut < text.size()) text.resize(*strikes.cut);
  return text;
}

}  // namespace paytower::sim
