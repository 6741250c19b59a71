// Cuts requests out of what a client writes.
#include "core/sim/node/framing.h"

#include <utility>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "core/base/bytes.h"
#include "core/base/json.h"
#include "core/base/limits.h"

namespace paytower::sim {

namespace {

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

std::string invalid(std::string_view text) {
  constexpr std::size_t longest_quote = 1'000;
  const std::string_view shown = text.substr(0, longest_quote);
  return fmt::format("Invalid token in json input: '{}'", to_hex(Bytes(shown.begin(), shown.end())));
}

}  // namespace

void RequestFramer::die(std::string complaint) {
  *this = RequestFramer();
  dead_ = true;
  complaint_ = std::move(complaint);
}

/// Only counts brackets outside of strings. Whether it is JSON is decided by read_json.
void RequestFramer::feed(std::string_view data) {
  for (const char c : data) {
    if (depth_ == 0 && is_space(c)) continue;
    open_ += c;
    ++bytes_;
    if (in_string_) {
      in_string_ = c != '"' || escaped_;
      escaped_ = c == '\\' && !escaped_;
      continue;
    }
    in_string_ = c == '"';
    if (c == '{' || c == '[') ++depth_;
    if (depth_ == 0 || depth_ > limits::max_json_depth) return die(invalid(data));
    if ((c == '}' || c == ']') && --depth_ == 0) whole_.push_back(std::exchange(open_, {}));
  }
  if (bytes_ > max_request_bytes) die("The request is too long");
}

std::optional<nlohmann::json> RequestFramer::next() {
  if (whole_.empty()) return std::nullopt;
  const std::string text = std::move(whole_.front());
  whole_.pop_front();
  bytes_ -= text.size();
  auto value = read_json(text, {max_request_bytes});
  if (value) return std::move(*value);
  die(invalid(text));
  return std::nullopt;
}

std::optional<std::string> RequestFramer::take_complaint() { return std::exchange(complaint_, std::nullopt); }

}  // namespace paytower::sim
