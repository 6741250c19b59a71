// The one file that includes CLI11 (it compiles in 9 to 45 seconds). It only splits: every value stays a string,
// because CLI11's own conversions clamp, round and read octal. Its exit codes, its help and its config files are not
// used either.
#include <algorithm>
#include <deque>
#include <optional>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "cli/arguments/command.h"
#include "cli/arguments/foreign.h"
#include "cli/output/suggest.h"
#include "cli/output/text.h"
#include "core/base/refuse.h"

namespace paytower::cli {

namespace {

[[noreturn]] void refuse_call(std::string message, std::string hint = "paytower --help") {
  refuse(Errc::usage, std::move(message), std::move(hint));
}

/// The variables of one command that CLI11 fills.
struct Bound {
  struct Option {
    const Flag* flag;
    CLI::Option* option;
    std::vector<std::string> values{};
  };
  CLI::App* app = nullptr;
  const Command* command = nullptr;  ///< nothing: the global flags
  std::deque<Option> options{};      ///< CLI11 keeps addresses of `values`
};

void bind_flags(Bound& bound, std::span<const Flag> flags) {
  for (const Flag& flag : flags) {
    if (flag.has(is::in_file_alone)) continue;
    const std::string name =
        flag.letter != 0 ? fmt::format("--{},-{}", flag.name, flag.letter) : fmt::format("--{}", flag.name);
    Bound::Option& entry = bound.options.emplace_back(Bound::Option{&flag, nullptr});
    if (flag.value.empty()) {
      entry.option = bound.app->add_flag(name)->disable_flag_override();
    } else {
      // One value for each time it is given: without this it would swallow the words behind it.
      entry.option = bound.app->add_option(name, entry.values)->type_size(1)->allow_extra_args(false);
    }
  }
}

/// "--db=" would make CLI11 take the next word as the value.
void refuse_empty_values(std::span<const std::string> arguments) {
  for (const std::string& argument : arguments) {
    if (argument == "--") break;
    if (argument.size() > 3 && argument.compare(0, 2, "--") == 0 && argument.find('=') == argument.size() - 1) {
      refuse_call(fmt::format("{} has an empty value", argument.substr(0, argument.size() - 1)));
    }
  }
}

[[noreturn]] void refuse_flag(const std::string& argument, const Command* command, std::span<const std::string> call) {
  const std::string_view of = command != nullptr ? command->name : std::string_view();
  if (auto error = foreign_flag(of, argument, call)) refuse(*std::move(error));
  const std::string flag = argument.substr(0, argument.find('='));
  std::vector<std::string> known;
  for (const auto flags : {command != nullptr ? command->flags : std::span<const Flag>{}, global_flags()}) {
    for (const Flag& one : flags) {
      if (!one.has(is::in_file_alone)) known.push_back(fmt::format("--{}", one.name));
    }
  }
  const std::string unknown = fmt::format("unknown option {}{}", in_quotes(flag), did_you_mean(nearest(flag, known)));
  if (of.empty()) refuse_call(unknown);
  refuse_call(fmt::format("{}: {}", of, unknown), fmt::format("paytower {} --help", of));
}

[[noreturn]] void refuse_command(const std::string& word, Commands commands, bool in_group,
                                 std::span<const std::string> call) {
  if (auto error = in_group ? std::nullopt : foreign_command(word, call)) refuse(*std::move(error));
  std::vector<std::string> known;
  const std::string prefix = in_group ? fmt::format("{} ", group_name) : "";
  for (const Command* command : commands) {
    if (command->name.substr(0, prefix.size()) != prefix) continue;
    const std::string_view rest = command->name.substr(prefix.size());
    known.emplace_back(rest.substr(0, rest.find(' ')));
    if (!command->alias.empty()) known.emplace_back(command->alias);
  }
  if (!in_group) known.emplace_back("help");
  const std::string near = nearest(word, known);
  const std::string meant = near.empty() ? near : prefix + near;
  refuse_call(fmt::format("unknown command {}{}", in_quotes(prefix + word), did_you_mean(meant)),
              fmt::format("paytower {}--help", prefix));
}

/// CLI11's messages speak of "TEXT" and "override"; ours say what to change.
[[noreturn]] void refuse_parsing(const CLI::ParseError& error) {
  const std::string what = error.what();
  const std::string flag = what.substr(0, what.find_first_of(": "));
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr) {
    const bool takes_none = what.find("override") != std::string::npos;
    const char* const dashes = flag.compare(0, 1, "-") == 0 ? "" : "--";
    refuse_call(fmt::format("{}{} {}", dashes, flag, takes_none ? "takes no value" : "needs a value"));
  }
  refuse_call(what);
}

class Splitter {
 public:
  explicit Splitter(Commands commands) : commands_(commands) {
    set_up(&app_);
    app_.require_subcommand(0, 1);
    global_.app = &app_;
    bind_flags(global_, global_flags());
    group_ = set_up(app_.add_subcommand(std::string(group_name)));
    group_->require_subcommand(0, 1);
    help_ = set_up(app_.add_subcommand("help"));
    for (const Command* command : commands) add(*command);
  }

  Given split(std::span<const std::string> all) {
    // CLI11 loses the words behind "--" inside a subcommand, so it never sees them.
    const auto mark = std::find(all.begin(), all.end(), "--");
    const std::span<const std::string> arguments = all.first(static_cast<std::size_t>(mark - all.begin()));
    call_ = arguments;
    const std::span<const std::string> behind = all.subspan(std::min(all.size(), arguments.size() + 1));
    try {
      app_.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
    } catch (const CLI::ParseError& error) {
      refuse_parsing(error);
    }
    Given given;
    const auto active =
        std::find_if(bounds_.begin(), bounds_.end(), [](const Bound& bound) { return bound.app->parsed(); });
    if (active != bounds_.end()) given.command = active->command;
    given.group = given.command == nullptr && group_->parsed();
    take_words(given, behind);
    if (given.command != nullptr) collect(*active, given);
    collect(global_, given);
    if (help_->parsed()) turn_into_help(given);
    return given;
  }

 private:
  static CLI::App* set_up(CLI::App* app) {
    app->set_help_flag();
    app->fallthrough();
    app->allow_extras();
    return app;
  }

  void add(const Command& command) {
    Bound& bound = bounds_.emplace_back();
    bound.command = &command;
    const std::size_t space = command.name.find(' ');
    CLI::App* parent = space == std::string_view::npos ? &app_ : group_;
    bound.app = set_up(parent->add_subcommand(std::string(command.name.substr(space + 1))));
    if (!command.alias.empty()) bound.app->alias(std::string(command.alias));
    bind_flags(bound, command.flags);
  }

  /// Everything that is not a flag, and everything behind "--", are words of the command. CLI11 is not told of them:
  /// otherwise it would take the value of an unknown flag for a word and hide the flag.
  void take_words(Given& given, std::span<const std::string> behind) {
    given.words = app_.remaining(true);
    const bool named = given.command != nullptr || help_->parsed();
    const auto flag = std::find_if(given.words.begin(), given.words.end(), is_flag);
    if (!named && !given.group && flag != given.words.begin()) {
      // Its flags are foreign too, and not worth a message.
      if (auto error = foreign_command(given.words.front(), call_)) refuse(*std::move(error));
    }
    if (flag != given.words.end()) refuse_flag(*flag, given.command, call_);
    if (!named && !given.words.empty()) refuse_command(given.words.front(), commands_, given.group, call_);
    given.words.insert(given.words.end(), behind.begin(), behind.end());
    const bool takes_them = help_->parsed() || (named && !given.command->words.empty());
    if (!takes_them && !given.words.empty())
      refuse_call(fmt::format("unexpected word {}", in_quotes(given.words.front())));
  }

  static void collect(const Bound& bound, Given& given) {
    for (const auto& [flag, option, values] : bound.options) {
      if (option->count() == 0) continue;
      if (!flag->value.empty()) {
        if (values.size() > 1 && !flag->has(is::repeatable))
          refuse_call(fmt::format("--{} is given twice", flag->name));
        if (std::find(values.begin(), values.end(), "") != values.end())
          refuse_call(fmt::format("--{} has an empty value", flag->name));
      }
      given.flags[std::string(flag->name)] = flag->value.empty() ? std::vector<std::string>(option->count()) : values;
    }
  }

  /// "help send" is "send --help".
  void turn_into_help(Given& given) {
    given.flags["help"] = {""};
    if (given.words.empty()) return;
    const std::string name = fmt::format("{}", fmt::join(given.words, " "));
    given.command = find_command(commands_, name);
    given.group = name == group_name;
    if (given.command == nullptr && !given.group && name != "help") refuse_command(name, commands_, false, call_);
  }

  static bool is_flag(const std::string& word) { return word.size() > 1 && word.front() == '-'; }

  Commands commands_;
  std::span<const std::string> call_{};  ///< that is being split
  CLI::App app_{"paytower"};
  Bound global_;
  std::deque<Bound> bounds_;
  CLI::App* group_ = nullptr;
  CLI::App* help_ = nullptr;
};

}  // namespace

Given split_call(std::span<const std::string> arguments, Commands commands) {
  refuse_empty_values(arguments);
  return Splitter(commands).split(arguments);
}

}  // namespace paytower::cli
