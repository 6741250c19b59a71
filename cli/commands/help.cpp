#include <algorithm>

#include "cli/commands/commands.h"
#include "cli/switches.h"

namespace paytower::cli {

namespace {

constexpr std::string_view exit_codes =
    "Exit codes:\n"
    "  0  paid, or done                  5  refused: paid, in flight or ended already\n"
    "  1  internal error                 6  busy: another paytower holds it\n"
    "  2  usage                          7  the switch cannot be reached\n"
    "  3  failed for good: may be paid   8  the database\n"
    "     again                          9  not found\n"
    "  4  OUTCOME UNKNOWN: never pay    10  not confirmed\n"
    "     again, run `paytower resume`  12  some records were set aside (migrate)\n"
    "                                   130, 143, 129  interrupted: as 4\n";

std::string flag_left(const Flag& flag) {
  std::string left = flag.letter != 0 ? std::string("  -") + flag.letter + ", --" : "      --";
  left += flag.name;
  if (!flag.value.empty()) (left += ' ') += flag.value;
  return left;
}

/// The help text beside its flag, broken so that it stays within 100 columns.
void append_flag(std::string& out, const Flag& flag) {
  constexpr std::size_t column = 32;
  constexpr std::size_t width = 68;
  std::string left = flag_left(flag);
  out += left;
  if (left.size() + 2 > column) {
    out += '\n';
    left.clear();
  }
  std::string indent(column - left.size(), ' ');
  const std::string help = help_of(flag);
  std::string_view rest = help;
  while (!rest.empty()) {
    std::size_t cut = rest.size();
    if (cut > width) {
      cut = rest.rfind(' ', width);
      if (cut == std::string_view::npos) cut = rest.size();
    }
    out += indent;
    out += rest.substr(0, cut);
    out += '\n';
    rest.remove_prefix(cut < rest.size() ? cut + 1 : cut);
    indent.assign(column, ' ');
  }
}

void append_flags(std::string& out, std::string_view title, std::span<const Flag> flags) {
  if (flags.empty()) return;
  out += "\n";
  out += title;
  out += ":\n";
  for (const Flag& flag : flags) append_flag(out, flag);
}

void append_commands(std::string& out, std::string_view group) {
  for (const Command* command : commands()) {
    if (command->name.substr(0, group.size()) != group) continue;
    std::string line = "  " + std::string(command->name);
    line.resize(std::max<std::size_t>(line.size() + 2, 22), ' ');
    out += line + std::string(command->summary) + "\n";
  }
}

std::string general_help() {
  std::string out =
      "paytower sends outgoing Lightning payments that are never lost and never repeated.\n"
      "\n"
      "Examples:\n"
      "  paytower simulate network --out net.sim\n"
      "  paytower --switch sim:net.sim send \"$(paytower --switch sim:net.sim simulate invoice --amt 250sat)\"\n"
      "  paytower list\n"
      "\n"
      "Usage: paytower [GLOBAL OPTIONS] COMMAND [ARGUMENTS]\n"
      "\n"
      "Commands:\n";
  append_commands(out, {});
  out += "  help                Show help of a command\n";
  append_flags(out, "Global options (before or after the command)", global_flags());
  out += '\n';
  out += exit_codes;
  return out;
}

std::string group_help() {
  std::string out =
      "Usage: paytower [GLOBAL OPTIONS] " + std::string(group_name) + " COMMAND [ARGUMENTS]\n\nCommands:\n";
  append_commands(out, group_name);
  return out + "\nGlobal options: paytower --help\n";
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

std::string command_help(const Command& command) {
  std::string out = std::string(command.summary) + ".\n\nExamples:\n" + std::string(command.examples) + "\n";
  out += "\nUsage: paytower [GLOBAL OPTIONS] " + std::string(command.name);
  if (!command.words.empty()) (out += ' ') += command.words;
  if (!command.flags.empty()) out += " [OPTIONS]";
  (out += "\n\n") += command.about;
  out += '\n';
  append_flags(out, "Options", command.flags);
  return out + "\nGlobal options and exit codes: paytower --help\n";
}

std::string help_text(const Call& call) {
  if (call.command != nullptr) return command_help(*call.command);
  return call.group ? group_help() : general_help();
}

}  // namespace paytower::cli
