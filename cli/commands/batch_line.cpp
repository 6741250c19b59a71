// Reads the JSON of a line, and says what is wrong with it.
#include "cli/commands/batch_line.h"

#include <algorithm>
#include <utility>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "cli/output/suggest.h"
#include "cli/output/text.h"
#include "core/base/json.h"
#include "core/base/limits.h"

namespace paytower::cli {

namespace {

Error bad_line(std::string message) { return usage(std::move(message), "paytower send --help"); }

std::string with_dashes(std::string key) {
  std::replace(key.begin(), key.end(), '_', '-');
  return key;
}

std::string with_underscores(std::string_view name) {
  std::string key(name);
  std::replace(key.begin(), key.end(), '-', '_');
  return key;
}

const Flag* flag_of(const std::string& key, std::span<const Flag> flags) {
  if (key.find('-') != std::string::npos) return nullptr;
  const std::string name = with_dashes(key);
  const auto found = std::find_if(flags.begin(), flags.end(), [&name](const Flag& flag) {
    return !flag.has(is::of_the_call) && flag.name == name;
  });
  return found == flags.end() ? nullptr : &*found;
}

Error unknown_key(const std::string& key, std::span<const Flag> flags) {
  std::vector<std::string> names{"invoice"};
  for (const Flag& flag : flags) {
    if (!flag.has(is::of_the_call)) names.push_back(with_underscores(flag.name));
  }
  const std::string near = nearest(key, names);
  return bad_line(fmt::format("{} is not a key of a line{}", in_quotes(printable_cut(key, 80)),
                              near.empty() ? "" : fmt::format("; did you mean {}?", near)));
}

Result<std::string> text_of(const std::string& key, const nlohmann::json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_unsigned()) return fmt::format("{}", value.get<std::uint64_t>());
  return bad_line(fmt::format("\"{}\" must be a text{}", key, value.is_number() ? ", not a negative number" : ""));
}

Result<std::vector<std::string>> values_of(const std::string& key, const Flag& flag, const nlohmann::json& value) {
  if (flag.value.empty()) {
    if (!value.is_boolean()) return bad_line(fmt::format("\"{}\" must be true or false", key));
    return value.get<bool>() ? std::vector<std::string>{""} : std::vector<std::string>{};
  }
  std::vector<std::string> texts;
  if (flag.has(is::repeatable) && value.is_array()) {
    for (const nlohmann::json& element : value) {
      auto text = text_of(key, element);
      if (!text) return text.error();
      texts.push_back(std::move(*text));
    }
    return texts;
  }
  auto text = text_of(key, value);
  if (!text) return text.error();
  if (text->empty()) return bad_line(fmt::format("\"{}\" is empty", key));
  texts.push_back(std::move(*text));
  return texts;
}

}  // namespace

Result<BatchLine> parse_batch_line(std::string_view text, std::span<const Flag> flags) {
  const auto document = read_json(text, JsonRules{limits::max_batch_line_bytes});
  if (!document) return document.error();
  if (!document->is_object()) return bad_line("a line of a batch is one JSON object");
  BatchLine line;
  for (const auto& [key, value] : document->items()) {
    if (value.is_null()) continue;
    if (key == "invoice") {
      auto invoice = text_of(key, value);
      if (!invoice) return invoice.error();
      line.words.push_back(std::move(*invoice));
      continue;
    }
    const Flag* flag = flag_of(key, flags);
    if (flag == nullptr) return unknown_key(key, flags);
    auto values = values_of(key, *flag, value);
    if (!values) return values.error();
    if (!values->empty()) line.flags[std::string(flag->name)] = std::move(*values);
  }
  return line;
}

}  // namespace paytower::cli
