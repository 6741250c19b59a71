// What --help prints: for people in the width of their terminal, for programs as JSON; both from the tables of the
// commands.
#include <algorithm>
#include <array>

#include <fmt/core.h>

#include "cli/commands/commands.h"
#include "cli/input/switch_address.h"
#include "cli/output/render.h"

namespace paytower::cli {

namespace {

struct ExitMeaning {
  unsigned code;
  std::string_view words;
};
constexpr auto exit_meanings = std::to_array<ExitMeaning>({
    {0, "paid, or done"},
    {1, "internal error"},
    {2, "the call, the invoice or a file is wrong; nothing was done"},
    {3, "failed for good: may be paid again"},
    {4, "OUTCOME UNKNOWN: never pay again, run `paytower resume`"},
    {5, "refused: paid, in flight or ended already"},
    {6, "busy: another paytower is working on it"},
    {7, "the switch cannot be reached"},
    {8, "the database"},
    {9, "not found"},
    {10, "not confirmed"},
    {12, "unreadable records are kept separately (migrate)"},
    {129, "interrupted by a hangup: as 4"},
    {130, "interrupted by Ctrl-C: as 4"},
    {143, "interrupted by a request to end: as 4"},
});

constexpr std::string_view about_paytower =
    "paytower sends outgoing Lightning payments that are never lost and never repeated.";
constexpr std::string_view first_examples =
    "  paytower simulate network --out net.sim\n"
    "  paytower --switch sim:net.sim send \"$(paytower --switch sim:net.sim simulate invoice --amt 250sat)\"\n"
    "  paytower list";

/// The first line of `text`, and leaves the rest of it.
std::string_view take_line(std::string_view& text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

/// Where a line of a shell may go on in the next one: the last blank before `room` that stands in no single quotes.
std::size_t shell_break(std::string_view line, std::size_t room) {
  std::size_t found = std::string_view::npos;
  bool quoted = false;
  for (std::size_t i = 0; i < line.size() && (i < room || found == std::string_view::npos); ++i) {
    if (line[i] == '\'') quoted = !quoted;
    if (line[i] == ' ' && !quoted && i > 4) found = i;
  }
  return found;
}

/// A help text that grows, within a width.
class Page {
 public:
  explicit Page(std::size_t columns) : columns_(columns) {}

  /// Words, broken at blanks. Line ends of the source mean nothing, but for an empty line.
  void paragraphs(std::string_view text) {
    std::string words(text);
    for (std::size_t i = 0; i + 1 < words.size(); ++i) {
      if (words[i] == '\n' && words[i + 1] == '\n') {
        ++i;
      } else if (words[i] == '\n') {
        words[i] = ' ';
      }
    }
    for (std::string_view rest = words; !rest.empty();) flow("", take_line(rest), 0);
  }

  /// Lines that a shell reads: a longer one goes on behind a backslash, so that it can still be copied.
  void examples(std::string_view lines) {
    while (!lines.empty()) {
      std::string line(take_line(lines));
      while (line.size() > columns_) {
        const std::size_t cut = shell_break(line, columns_ - 2);
        if (cut == std::string::npos) break;
        text_ += fmt::format("{} \\\n", std::string_view(line).substr(0, cut));
        line.replace(0, cut + 1, "    ");
      }
      text_ += fmt::format("{}\n", line);
    }
  }

  /// `right` beside `left`, from `column` on; below it where there is no room beside.
  void entry(std::string left, std::size_t column, std::string_view right) {
    constexpr std::size_t least = 30;
    if (columns_ < column + least || left.size() + 2 > column) {
      text_ += fmt::format("{}\n", left);
      left.clear();
    }
    column = columns_ < column + least ? 4 : column;
    flow(fmt::format("{:{}}", left, column), right, column);
  }

  void title(std::string_view words) {
    text_ += '\n';
    flow("", fmt::format("{}:", words), 0);
  }
  void blank() { text_ += '\n'; }
  [[nodiscard]] std::string take() { return std::move(text_); }

  /// `head` and the words behind it; every further line is indented.
  void flow(std::string head, std::string_view rest, std::size_t indent) {
    do {
      const std::size_t room = columns_ - indent;
      std::size_t cut = rest.size() > room ? rest.rfind(' ', room) : rest.size();
      if (cut == std::string_view::npos) cut = std::min(rest.find(' '), rest.size());
      text_ += fmt::format("{}{}\n", head, rest.substr(0, cut));
      rest.remove_prefix(std::min(cut + 1, rest.size()));
      head.assign(indent, ' ');
    } while (!rest.empty());
  }

 private:
  std::size_t columns_;
  std::string text_{};
};

std::string flag_left(const Flag& flag) {
  const std::string name =
      flag.letter != 0 ? fmt::format("  -{}, --{}", flag.letter, flag.name) : fmt::format("      --{}", flag.name);
  return flag.value.empty() ? name : fmt::format("{} {}", name, flag.value);
}

void append_flags(Page& page, std::string_view title, std::span<const Flag> flags) {
  constexpr std::size_t column = 32;
  if (flags.empty()) return;
  page.title(title);
  for (const Flag& flag : flags) {
    if (!flag.has(is::in_file_alone)) page.entry(flag_left(flag), column, help_of(flag));
  }
}

void append_commands(Page& page, std::string_view group) {
  constexpr std::size_t column = 22;
  page.title("Commands");
  for (const Command* command : commands()) {
    if (command->name.substr(0, group.size()) == group)
      page.entry(fmt::format("  {}", command->name), column, command->summary);
  }
  if (group.empty()) page.entry("  help", column, "Show help of a command");
}

std::string general_help(Page page) {
  page.paragraphs(about_paytower);
  page.title("Examples");
  page.examples(first_examples);
  page.blank();
  page.flow("Usage: ", "paytower [GLOBAL OPTIONS] COMMAND [ARGUMENTS]", 7);
  append_commands(page, {});
  append_flags(page, "Global options (before or after the command)", global_flags());
  page.title("Exit codes");
  for (const ExitMeaning& meaning : exit_meanings) page.flow(fmt::format("{:5}  ", meaning.code), meaning.words, 7);
  return page.take();
}

std::string group_help(Page page) {
  page.flow("Usage: ", fmt::format("paytower [GLOBAL OPTIONS] {} COMMAND [ARGUMENTS]", group_name), 7);
  append_commands(page, group_name);
  page.blank();
  page.paragraphs("Global options: paytower --help");
  return page.take();
}

Json flag_json(const Flag& flag) {
  Json json;
  json["name"] = std::string(flag.name);
  json["letter"] = flag.letter == 0 ? Json() : Json(std::string(1, flag.letter));
  json["value"] = text_or_null(std::string(flag.value));
  json["default"] = text_or_null(flag.standard.shown());
  json["help"] = help_of(flag);
  json["repeatable"] = flag.has(is::repeatable);
  json["config_file"] = flag.has(is::configurable);
  json["environment"] = flag.has(is::in_environment) ? Json(variable_name(flag.name)) : Json();
  return json;
}

Json flags_json(std::span<const Flag> flags) {
  Json json = Json::array();
  for (const Flag& flag : flags) {
    if (!flag.has(is::in_file_alone)) json.push_back(flag_json(flag));
  }
  return json;
}

Json command_json(const Command& command) {
  Json json;
  json["name"] = std::string(command.name);
  json["alias"] = text_or_null(std::string(command.alias));
  json["arguments"] = text_or_null(std::string(command.words));
  json["summary"] = std::string(command.summary);
  std::string about(command.about);
  std::replace(about.begin(), about.end(), '\n', ' ');
  json["about"] = std::move(about);
  json["examples"] = Json::array();
  for (std::string_view rest = command.examples; !rest.empty();)
    json["examples"].push_back(std::string(take_line(rest).substr(2)));
  json["flags"] = flags_json(command.flags);
  return json;
}

}  // namespace

std::string help_of(const Flag& flag) {
  std::string help(flag.help);
  const auto fill = [&help](std::string_view gap, const std::string& words) {
    if (const std::size_t at = help.find(gap); at != std::string::npos) help.replace(at, gap.size(), words);
  };
  fill("{}", flag.standard.shown());
  fill("{kinds}", switch_kinds_clause());
  return help;
}

std::string command_help(const Command& command, std::size_t columns) {
  Page page(columns);
  page.paragraphs(fmt::format("{}.", command.summary));
  page.title("Examples");
  page.examples(command.examples);
  page.blank();
  page.flow("Usage: ",
            fmt::format("paytower [GLOBAL OPTIONS] {}{}{}{}", command.name, command.words.empty() ? "" : " ",
                        command.words, command.flags.empty() ? "" : " [OPTIONS]"),
            7);
  page.blank();
  page.paragraphs(command.about);
  append_flags(page, "Options", command.flags);
  page.blank();
  page.paragraphs("Global options and exit codes: paytower --help");
  return page.take();
}

std::string help_text(const Call& call, std::size_t columns) {
  const std::size_t width = std::clamp<std::size_t>(columns, 40, 120);
  if (call.command != nullptr) return command_help(*call.command, width);
  return call.group ? group_help(Page(width)) : general_help(Page(width));
}

std::string help_json(const Call& call) {
  Json json;
  json["commands"] = Json::array();
  for (const Command* command : commands()) {
    const bool of_group = command->name.substr(0, group_name.size()) == group_name;
    const bool wanted = call.command != nullptr ? command == call.command : !call.group || of_group;
    if (wanted) json["commands"].push_back(command_json(*command));
  }
  json["global_flags"] = flags_json(global_flags());
  json["exit_codes"] = Json::array();
  for (const ExitMeaning& meaning : exit_meanings)
    json["exit_codes"].push_back(Json{{"exit_code", meaning.code}, {"meaning", std::string(meaning.words)}});
  return fmt::format("{}\n", dump(json));
}

}  // namespace paytower::cli
