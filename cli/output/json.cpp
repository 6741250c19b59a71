// Writing JSON text, byte by byte as nlohmann-json does it.
#include "cli/output/json.h"

#include <charconv>

#include "cli/output/output.h"

namespace paytower::cli {

namespace {

constexpr std::size_t most_digits = 20;  // of a 64-bit number, with its sign

template <typename Integer> void append_number(std::string& out, Integer value) {
  char digits[most_digits];
  out.append(digits, std::to_chars(digits, digits + most_digits, value).ptr);
}

/// Without an early end: the compiler makes fewer instructions of it, and texts that need more are rare.
bool stands_for_itself(std::string_view text) {
  bool plain = true;
  for (const char c : text) plain = plain & (c >= ' ') & (c < '\x7f') & (c != '"') & (c != '\\');
  return plain;
}

}  // namespace

std::string dump(const Json& document) { return document.dump(-1, ' ', true, Json::error_handler_t::replace); }

// A value always ends with something else, so the last byte tells whether it is the first one here.
JsonWriter& JsonWriter::key(const JsonKey& key) {
  out_ += key.behind_another().substr(out_.back() == '{' ? 1 : 0);
  return *this;
}

JsonWriter& JsonWriter::element() {
  if (out_.back() != '[') out_ += ',';
  return *this;
}

void JsonWriter::number(std::uint64_t value) { append_number(out_, value); }

void JsonWriter::id(std::uint64_t id) {
  out_ += '"';
  append_number(out_, id);
  out_ += '"';
}

void JsonWriter::time(UnixNs time) {
  out_ += '"';
  append_number(out_, time.value);
  out_ += '"';
}

void JsonWriter::text(std::string_view text) {
  if (!stands_for_itself(text)) {
    out_ += dump(Json(text));
    return;
  }
  out_ += '"';
  out_ += text;
  out_ += '"';
}

void GrowingJson::pass_on() {
  if (text_.empty()) return;
  output_.result(std::string_view(text_).substr(0, text_.size() - 1));
  text_.erase(0, text_.size() - 1);
}

void GrowingJson::end() {
  text_ += '\n';
  output_.result(text_);
  text_.clear();
}

}  // namespace paytower::cli
