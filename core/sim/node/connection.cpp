#include "core/sim/node/connection.h"

namespace paytower::sim {

namespace {

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
