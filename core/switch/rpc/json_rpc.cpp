// Cuts answers out of a stream, reads them, and writes requests.
#include "core/switch/rpc/json_rpc.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/core.h>

#include "core/base/json.h"

namespace paytower {

namespace {

using nlohmann::json;

constexpr std::string_view frame_end = "\n\n";

Error unreadable(std::string_view what) { return Error{Errc::usage, fmt::format("the node's answer {}", what), {}}; }

Result<RpcError> read_error(const json& error) {
  const auto code = error.is_object() ? error.find("code") : error.end();
  if (!error.is_object() || code == error.end() || !code->is_number_integer())
    return unreadable("has an error without a code");
  if (code->is_number_unsigned() && code->get<std::uint64_t>() > INT64_MAX)
    return unreadable("has an error without a code");
  RpcError read;
  read.code = code->get<std::int64_t>();
  if (const auto text = error.find("message"); text != error.end() && text->is_string())
    read.message = text->get<std::string>();
  if (const auto data = error.find("data"); data != error.end()) read.data = *data;
  return read;
}

}  // namespace

bool FrameSplitter::feed(std::string_view bytes) {
  if (begin_ > 0) {
    buffer_.erase(0, begin_);
    seen_ -= begin_;
    begin_ = 0;
  }
  const std::size_t joint = buffer_.empty() ? 0 : buffer_.size() - 1;
  buffer_.append(bytes);
  // Only the unfinished answer is bounded: the whole ones before it are taken out next.
  const std::size_t last_end = std::string_view(buffer_).substr(joint).rfind(frame_end);
  const std::size_t open = last_end == std::string::npos ? 0 : joint + last_end + frame_end.size();
  return buffer_.size() - open <= max_frame_;
}

std::optional<std::string> FrameSplitter::next() {
  const std::size_t end = buffer_.find(frame_end, seen_);
  if (end == std::string::npos) {
    seen_ = std::max(begin_, buffer_.empty() ? 0 : buffer_.size() - 1);  // the first half of an end may be here
    return std::nullopt;
  }
  std::string frame = buffer_.substr(begin_, end - begin_);
  begin_ = seen_ = end + frame_end.size();
  if (begin_ == buffer_.size()) {
    buffer_.clear();
    buffer_.shrink_to_fit();
    begin_ = seen_ = 0;
  }
  return frame;
}

Result<RpcReply> read_reply(std::string_view frame, std::size_t max_bytes) {
  auto document = read_json(frame, JsonRules{max_bytes, {}});
  if (!document) return unreadable(fmt::format("cannot be read ({})", document.error().message.substr(0, 200)));
  if (!document->is_object()) return unreadable("is not an object");
  RpcReply reply;
  const auto id = document->find("id");
  if (id == document->end() || !id->is_string()) return unreadable("belongs to no request of ours");
  reply.id = id->get<std::string>();
  const auto result = document->find("result");
  const auto error = document->find("error");
  if ((result == document->end()) == (error == document->end())) return unreadable("is neither a result nor an error");
  if (result != document->end()) {
    reply.result = std::move(*result);
    return reply;
  }
  auto read = read_error(*error);
  if (!read) return read.error();
  reply.error = std::move(*read);
  return reply;
}

std::string request_text(const std::string& id, const std::string& method, const json& params, const json& filter) {
  json request{{"jsonrpc", "2.0"}, {"id", id}, {"method", method}, {"params", params}};
  if (!filter.is_null()) request["filter"] = filter;
  return request.dump(-1, ' ', true, json::error_handler_t::replace);
}

std::string draw_request_id(Randomness& randomness) {
  std::array<std::uint8_t, 16> random{};
  randomness.fill(random);
  return to_hex(random);
}

}  // namespace paytower
