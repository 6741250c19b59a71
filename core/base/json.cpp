// Reads JSON from outside with nlohmann's SAX parser: every rule is checked while the text is read, before memory is
// spent.
#include "core/base/json.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "core/base/limits.h"

namespace paytower {

namespace {

using nlohmann::json;

/// Builds the document event by event and stops at the first thing that is not allowed.
class Builder final : public nlohmann::json_sax<json> {
 public:
  Builder(std::string_view text, const JsonRules& rules) : text_(text), rules_(rules) {}

  [[nodiscard]] json take() && { return std::move(root_); }
  [[nodiscard]] std::string problem() && { return std::move(problem_); }

  bool null() override { return put(nullptr); }
  bool boolean(bool value) override { return put(value); }
  bool number_integer(number_integer_t value) override { return put(value); }
  bool number_unsigned(number_unsigned_t value) override { return put(value); }
  bool string(string_t& value) override { return put(std::move(value)); }
  bool binary(binary_t& /*value*/) override { return fail("binary data"); }

  bool number_float(number_float_t /*value*/, const string_t& digits) override {
    const bool whole = digits.find_first_of(".eE") == std::string::npos;
    if (whole) return fail(fmt::format("the number {} is beyond 64 bits", digits.substr(0, 30)));
    const auto& ignored = rules_.ignored_floats;
    if (!levels_.empty() && std::find(ignored.begin(), ignored.end(), levels_.back().key) != ignored.end())
      return put(nullptr);
    return fail(fmt::format("the number {} has a fraction or an exponent; whole numbers only", digits.substr(0, 30)));
  }

  bool start_object(std::size_t /*count*/) override { return open(json::object()); }
  bool start_array(std::size_t /*count*/) override { return open(json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(string_t& name) override {
    Level& level = levels_.back();
    level.key = name;
    if (level.node->contains(name)) return fail("this key is here twice");
    return true;
  }

  bool parse_error(std::size_t position, const std::string& /*token*/,
                   const nlohmann::detail::exception& /*error*/) override {
    if (problem_.empty()) problem_ = fmt::format("not JSON: {}", place(position));
    return false;
  }

 private:
  /// An object or array that is not finished yet, and the place in it where we are.
  struct Level {
    json* node;
    std::string key{};
  };

  bool open(json container) {
    if (levels_.size() >= limits::max_json_depth)
      return fail(fmt::format("nested more than {} deep", limits::max_json_depth));
    levels_.push_back(Level{add(std::move(container))});
    return true;
  }
  bool close() {
    levels_.pop_back();
    return true;
  }
  template <typename T> bool put(T&& value) {
    (void)add(json(std::forward<T>(value)));
    return true;
  }

  /// The parent does not grow while one of its children is open, so the pointer stays good until the child is closed.
  json* add(json value) {
    if (levels_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    Level& level = levels_.back();
    if (level.node->is_array()) {
      level.node->push_back(std::move(value));
      return &level.node->back();
    }
    return &((*level.node)[level.key] = std::move(value));
  }

  bool fail(const std::string& what) {
    const std::string where = path();
    problem_ = where.empty() ? what : fmt::format("\"{}\": {}", where, what);
    return false;
  }

  /// For messages: which value is being read, such as "routes[0].hops[2].fee_msat".
  [[nodiscard]] std::string path() const {
    std::string text;
    for (const Level& level : levels_) {
      if (level.node->is_array()) {
        // An open element is in its array already; an element that is being read is not.
        const std::size_t index = level.node->size() - (&level == &levels_.back() ? 0 : 1);
        text += fmt::format("[{}]", index);
      } else {
        if (!text.empty()) text += '.';
        text += level.key.substr(0, 64);
      }
    }
    return text;
  }

  [[nodiscard]] std::string place(std::size_t position) const {
    const std::string_view before = text_.substr(0, std::min(position, text_.size()));
    const auto line = 1 + std::count(before.begin(), before.end(), '\n');
    const std::size_t start = before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
    return fmt::format("line {}, column {}", line, std::max<std::size_t>(before.size() - start, 1));
  }

  std::string_view text_;
  const JsonRules& rules_;
  json root_;
  std::vector<Level> levels_;
  std::string problem_;
};

}  // namespace

Result<json> read_json(std::string_view text, const JsonRules& rules) {
  if (text.size() > rules.max_bytes) {
    return Error{Errc::usage, fmt::format("more than {} bytes of JSON", rules.max_bytes)};
  }
  // The library takes a NUL byte for the end of the text and would leave the rest unread.
  if (text.find('\0') != std::string_view::npos) return Error{Errc::usage, "not JSON: it holds a NUL byte"};
  Builder builder(text, rules);
  if (!json::sax_parse(text.begin(), text.end(), &builder)) return Error{Errc::usage, std::move(builder).problem()};
  return std::move(builder).take();
}

}  // namespace paytower
