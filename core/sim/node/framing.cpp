#include "core/sim/node/framing.h"

#include <span>
#include <utility>

#include "core/base/bytes.h"

namespace paytower::sim {

namespace {

bool is_space(unsigned char byte) { return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_hex(unsigned char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

std::size_t skip_digits(std::string_view text, std::size_t at) {
  while (at < text.size() && is_digit(text[at])) ++at;
  return at;
}

/// A JSON number, true, false or null.
bool is_word(std::string_view text) {
  if (text == "true" || text == "false" || text == "null") return true;
  std::size_t at = !text.empty() && text[0] == '-' ? 1 : 0;
  std::size_t after = skip_digits(text, at);
  if (after == at) return false;
  if (after < text.size() && text[after] == '.') {
    at = after + 1;
    after = skip_digits(text, at);
    if (after == at) return false;
  }
  if (after < text.size() && (text[after] == 'e' || text[after] == 'E')) {
    at = after + 1;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    after = skip_digits(text, at);
    if (after == at) return false;
  }
  return after == text.size();
}

constexpr std::size_t longest_word = 4'096;

}  // namespace

// --- the scanner ---

JsonScanner::State JsonScanner::value_done() {
  if (stack_.empty()) {
    expect_ = Expect::value;
    return State::complete;
  }
  expect_ = Expect::comma_or_close;
  return State::more;
}

JsonScanner::State JsonScanner::open(char kind) {
  if (!may_begin_value() || stack_.size() >= max_request_depth) return State::broken;
  stack_.push_back(kind);
  expect_ = kind == '{' ? Expect::key_or_close : Expect::value_or_close;
  return State::more;
}

JsonScanner::State JsonScanner::close(char kind) {
  const bool allowed =
      expect_ == Expect::comma_or_close || expect_ == Expect::key_or_close || expect_ == Expect::value_or_close;
  if (stack_.empty() || stack_.back() != kind || !allowed) return State::broken;
  stack_.pop_back();
  return value_done();
}

/// RFC 3629 for the bytes, RFC 8259 for the escapes.
JsonScanner::State JsonScanner::take_in_string(unsigned char byte) {
  if (utf8_left_ > 0) {
    if (byte < utf8_low_ || byte > utf8_high_) return State::broken;
    --utf8_left_;
    utf8_low_ = 0x80;
    utf8_high_ = 0xBF;
    return State::more;
  }
  if (escape_digits_ > 0) {
    if (!is_hex(byte)) return State::broken;
    if (--escape_digits_ == 0) escape_digits_ = -1;
    return State::more;
  }
  if (escape_digits_ == 0) {
    if (std::string_view("\"\\/bfnrtu").find(static_cast<char>(byte)) == std::string_view::npos) return State::broken;
    escape_digits_ = byte == 'u' ? 4 : -1;
    return State::more;
  }
  if (byte == '\\') {
    escape_digits_ = 0;
    return State::more;
  }
  if (byte == '"') {
    in_string_ = false;
    if (!string_is_key_) return value_done();
    expect_ = Expect::colon;
    return State::more;
  }
  if (byte < 0x20) return State::broken;  // also keeps the end of a line out of an id that goes back as it came
  if (byte < 0x80) return State::more;
  if (byte < 0xC2 || byte > 0xF4) return State::broken;
  utf8_left_ = byte < 0xE0 ? 1 : byte < 0xF0 ? 2 : 3;
  if (byte == 0xE0) utf8_low_ = 0xA0;
  if (byte == 0xED) utf8_high_ = 0x9F;
  if (byte == 0xF0) utf8_low_ = 0x90;
  if (byte == 0xF4) utf8_high_ = 0x8F;
  return State::more;
}

JsonScanner::State JsonScanner::take_outside(unsigned char byte) {
  switch (byte) {
    case '{': return open('{');
    case '[': return open('[');
    case '}': return close('{');
    case ']': return close('[');
    case '"':
      string_is_key_ = expect_ == Expect::key_or_close;
      if (!string_is_key_ && !may_begin_value()) return State::broken;
      in_string_ = true;
      return State::more;
    case ':':
      if (expect_ != Expect::colon) return State::broken;
      expect_ = Expect::value;
      return State::more;
    case ',':
      if (stack_.empty() || expect_ != Expect::comma_or_close) return State::broken;
      expect_ = stack_.back() == '{' ? Expect::key_or_close : Expect::value_or_close;
      return State::more;
    default: break;
  }
  const auto c = static_cast<char>(byte);
  if (!may_begin_value() || (c != '-' && !is_digit(c) && c != 't' && c != 'f' && c != 'n')) return State::broken;
  word_.push_back(c);
  return State::more;
}

JsonScanner::State JsonScanner::take(unsigned char byte) {
  if (in_string_) return take_in_string(byte);
  const bool ends_word = is_space(byte) || byte == ',' || byte == ']' || byte == '}' || byte == '{' || byte == '[' ||
                         byte == '"' || byte == ':';
  if (!word_.empty()) {
    if (!ends_word) {
      word_.push_back(static_cast<char>(byte));
      return word_.size() > longest_word ? State::broken : State::more;
    }
    if (!is_word(word_)) return State::broken;
    word_.clear();
    if (value_done() == State::complete) return State::separate;
  }
  if (is_space(byte)) return State::more;
  return take_outside(byte);
}

// --- requests ---

void RequestFramer::die(std::optional<std::string> complaint) {
  dead_ = true;
  complaint_ = std::move(complaint);
  buffer_.clear();
  buffer_.shrink_to_fit();
  ends_.clear();
  next_end_ = 0;
}

void RequestFramer::feed(std::string_view data) {
  if (next_end_ == ends_.size()) {
    buffer_.erase(0, start_);
    scanned_ -= start_;
    start_ = next_end_ = 0;
    ends_.clear();
  }
  if (std::exchange(quote_left_, false)) buffer_ += '"';
  buffer_ += data;
  if (buffer_.size() - start_ > max_request_bytes) return die("The request is too long");
  while (scanned_ < buffer_.size()) {
    const auto byte = static_cast<unsigned char>(buffer_[scanned_]);
    // A NUL behind a request stops the node's reader without a word.
    if (byte == 0 && scanner_.idle()) {
      buffer_.resize(scanned_);
      dead_ = true;
      return;
    }
    switch (scanner_.take(byte)) {
      case JsonScanner::State::more: break;
      case JsonScanner::State::complete:
        ends_.push_back(scanned_ + 1);
        quote_left_ = byte == '"' && scanned_ + 1 == buffer_.size();
        break;
      case JsonScanner::State::separate: ends_.push_back(scanned_); continue;
      case JsonScanner::State::broken: {
        const std::string_view all = std::string_view(buffer_).substr(start_);
        const std::vector<std::uint8_t> bytes(all.begin(), all.end());
        return die("Invalid token in json input: '" + to_hex(bytes) + "'");
      }
    }
    ++scanned_;
  }
}

std::optional<std::string> RequestFramer::next() {
  if (next_end_ == ends_.size()) return std::nullopt;
  const std::size_t end = ends_[next_end_++];
  std::string value(trimmed(std::string_view(buffer_).substr(start_, end - start_)));
  start_ = end;
  return value;
}

std::optional<std::string> RequestFramer::take_complaint() { return std::exchange(complaint_, std::nullopt); }

// --- the inside of a value ---

std::string_view trimmed(std::string_view raw) {
  while (!raw.empty() && is_space(static_cast<unsigned char>(raw.front()))) raw.remove_prefix(1);
  while (!raw.empty() && is_space(static_cast<unsigned char>(raw.back()))) raw.remove_suffix(1);
  return raw;
}

std::vector<std::string_view> elements_of(std::string_view raw) {
  std::vector<std::string_view> found;
  if (raw.size() < 2) return found;
  const std::string_view inside = raw.substr(1, raw.size() - 2);
  std::size_t start = 0;
  std::size_t depth = 0;
  bool in_string = false;
  for (std::size_t at = 0; at <= inside.size(); ++at) {
    const char c = at < inside.size() ? inside[at] : ',';
    if (in_string) {
      if (c == '\\') ++at;
      if (c == '"') in_string = false;
      continue;
    }
    if (c == '"') in_string = true;
    if (c == '{' || c == '[') ++depth;
    if (c == '}' || c == ']') --depth;
    if (c != ',' || depth != 0) continue;
    const std::string_view element = trimmed(inside.substr(start, at - start));
    if (!element.empty()) found.push_back(element);
    start = at + 1;
  }
  return found;
}

std::vector<RawMember> members_of(std::string_view raw) {
  std::vector<RawMember> found;
  for (const std::string_view member : elements_of(raw)) {
    std::size_t end = 1;  // of the name: it is a string, and the scanner saw its other quote
    while (end < member.size() && member[end] != '"') end += member[end] == '\\' ? 2U : 1U;
    const std::size_t colon = member.find(':', end);
    if (colon == std::string_view::npos) continue;
    found.push_back(RawMember{member.substr(1, end - 1), trimmed(member.substr(colon + 1))});
  }
  return found;
}

}  // namespace paytower::sim
