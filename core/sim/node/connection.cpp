// Spoils answers with the faults that a request meets.
#include "core/sim/node/connection.h"

#include <algorithm>

#include <fmt/core.h>

namespace paytower::sim {

namespace {

std::string deep_text(const std::string& id, std::size_t depth) {
  return fmt::format("{{\"jsonrpc\":\"2.0\",\"id\":{},\"result\":{}{}}}\n\n", id, std::string(depth, '['),
                     std::string(depth, ']'));
}

std::string big_text(const std::string& id, std::size_t bytes) {
  const std::string head = fmt::format("{{\"jsonrpc\":\"2.0\",\"id\":{},\"result\":{{\"padding\":\"", id);
  const std::string tail = "\"}}\n\n";
  const std::size_t padding = bytes > head.size() + tail.size() ? bytes - head.size() - tail.size() : 0;
  return fmt::format("{}{}{}", head, std::string(padding, 'x'), tail);
}

CallReply error_reply(std::int64_t code) {
  CallReply reply;
  reply.failed = true;
  reply.body["code"] = code;
  reply.body["message"] = "a fault of the simulated node";
  return reply;
}

}  // namespace

std::string spoiled_answer(const RpcCall& call, CallReply reply, const ActiveFaults& met) {
  const auto size = [&met](FaultKind kind) { return static_cast<std::size_t>(*met.value(kind)); };
  std::string id = call.id;
  if (met.has(FaultKind::wrong_id)) id = fmt::format("\"not asked: {}\"", id.size());
  if (const auto code = met.value(FaultKind::error, true)) reply = error_reply(*code);
  if (const auto code = met.value(FaultKind::error)) reply = error_reply(*code);
  std::string text = answer_text(id, std::move(reply), call.filter);
  if (met.has(FaultKind::big)) text = big_text(id, size(FaultKind::big));
  if (met.has(FaultKind::deep)) text = deep_text(id, size(FaultKind::deep));
  if (met.has(FaultKind::garbage)) text = "<html>no JSON at all</html>\n\n";
  if (met.has(FaultKind::twice)) text += text;
  if (met.has(FaultKind::close)) text.resize(std::min(text.size(), size(FaultKind::close)));
  return text;
}

}  // namespace paytower::sim
