// From the text of a value to what it means; every doubt is a refusal that names the flag.
#include <algorithm>

#include <fmt/format.h>

#include "cli/arguments/command.h"
#include "cli/arguments/foreign.h"
#include "cli/input/amount.h"
#include "cli/input/named_payment.h"
#include "cli/input/time.h"
#include "cli/output/on_end.h"
#include "cli/output/text.h"
#include "core/base/number.h"
#include "core/base/refuse.h"

namespace paytower::cli {

void refuse_value(const Value& value, const std::string& why, const std::string& hint) {
  refuse(Errc::usage, fmt::format("--{}: {}", value.flag, why), hint);
}

Msat read_amount(const Value& value) { return value_of(parse_amount(value.text), value); }

Msat read_amount_above_0(const Value& value, const char* why) {
  const Msat amount = read_amount(value);
  if (amount == Msat{}) refuse_value(value, why);
  return amount;
}

std::int64_t read_duration(const Value& value) { return value_of(parse_duration(value.text), value); }

UnixNs read_time(const Value& value) { return value_of(parse_time(value.text, value.now), value); }

std::optional<std::int64_t> read_wait(const Value& value) {
  if (value.text == "forever") return std::nullopt;
  return read_duration(value);
}

std::vector<std::string> read_program(const Value& value) { return value_of(parse_program(value.text), value); }

std::uint64_t read_whole(const Value& value, std::uint64_t least, std::uint64_t most) {
  const auto number = whole_number(value.text, most);
  if (!number || *number < least)
    refuse_value(value, fmt::format("{} is not a whole number from {} to {}", in_quotes(value.text), least, most));
  return *number;
}

std::size_t read_choice(const Value& value, std::span<const std::string_view> words) {
  const auto found = std::find(words.begin(), words.end(), value.text);
  if (found != words.end()) return static_cast<std::size_t>(found - words.begin());
  if (const auto foreign = foreign_value(value.flag, value.text)) refuse_value(value, foreign->message, foreign->hint);
  refuse_value(value, fmt::format("{} is not one of {}", in_quotes(value.text), fmt::join(words, ", ")));
}

void refuse_bytes(const Value& value, const char* what, std::size_t size) {
  refuse(Errc::usage, fmt::format("--{} is not a {} ({} hex digits)", value.flag, what, 2 * size));
}

void Given::refuse(const std::string& why) const {
  paytower::refuse(Errc::usage, why, fmt::format("paytower {} --help", command->name));
}

const std::string* Given::said_value(std::string_view flag) const {
  return said(flag) ? &flags.find(flag)->second.front() : nullptr;
}

std::string Given::said_flags(std::initializer_list<std::string_view> but) const {
  std::string text;
  for (const Flag& flag : command->flags) {
    if (!said(flag.name) || std::find(but.begin(), but.end(), flag.name) != but.end()) continue;
    for (const std::string& value : flags.find(flag.name)->second)
      text += fmt::format(" --{}{}{}", flag.name, flag.value.empty() ? "" : " ",
                          flag.value.empty() ? "" : shell_word(value));
  }
  return text;
}

const std::string& Given::word(const char* what) const {
  if (words.empty()) refuse(fmt::format("{} needs {}", command->name, what));
  if (words.size() > 1) refuse(fmt::format("{} takes {}, not {} words", command->name, what, words.size()));
  if (words.front().empty()) refuse(fmt::format("{} needs {}, not an empty word", command->name, what));
  return words.front();
}

HashArgument Given::hash() const { return named_payment(word("a payment hash or an invoice")); }

std::vector<HashArgument> Given::hashes() const {
  std::vector<HashArgument> list;
  for (const std::string& one : words) list.push_back(named_payment(one));
  return list;
}

void Given::need(std::initializer_list<std::string_view> names, std::string_view condition) const {
  for (const std::string_view name : names) {
    if (has(name)) refuse(fmt::format("--{} goes only with {}", name, condition));
  }
}

void Given::exclude(std::string_view a, std::string_view b) const {
  if (has(a) && has(b)) refuse(fmt::format("--{} and --{} exclude each other", a, b));
}

void Given::exclude_json_and_format(bool same) const {
  if (!has("json") || !has("format") || same) return;
  paytower::refuse(Errc::usage,
                   fmt::format("--json and --format {} exclude each other", flags.find("format")->second.front()));
}

const Command* find_command(Commands commands, std::string_view name) {
  const auto named = [name](const Command* command) {
    return command->name == name || (!command->alias.empty() && command->alias == name);
  };
  const auto found = std::find_if(commands.begin(), commands.end(), named);
  return found == commands.end() ? nullptr : *found;
}

}  // namespace paytower::cli
