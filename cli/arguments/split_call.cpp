// The one file that includes CLI11 (it compiles in 9 to 45 seconds). It only splits: every value stays a string,
// because CLI11's own conversions clamp, round and read octal. Its exit codes, its help and its config files are not
// used either.
#include <algorithm>
#include <deque>
#include <optional>

#include <CLI/CLI.hpp>

#include "cli/arguments/raw_call.h"
#include "cli/output/suggest.h"
#include "cli/output/text.h"

namespace paytower::cli {

namespace {

constexpr int any_number = 1 << 20;

Error usage(std::string message, std::string hint = "paytower --help") {
  return Error{Errc::usage, std::move(message), std::move(hint)};
}

/// What CLI11 fills for one command, and from where it is read back.
struct Bound {
  struct Flag {
    const FlagSpec* spec;
    CLI::Option* option;
    std::vector<std::string> values{};
  };
  CLI::App* app = nullptr;
  const CommandSpec* command = nullptr;  ///< nothing: the global flags
  std::vector<std::string> words{};
  std::deque<Flag> flags{};  ///< CLI11 keeps addresses of `values`
};

void bind_flags(Bound& bound, std::span<const FlagSpec> specs) {
  for (const FlagSpec& spec : specs) {
    std::string name = "--" + std::string(spec.name);
    if (spec.letter != 0) name += std::string(",-") + spec.letter;
    Bound::Flag& flag = bound.flags.emplace_back(Bound::Flag{&spec, nullptr});
    if (spec.value.empty()) {
      flag.option = bound.app->add_flag(name)->disable_flag_override();
    } else {
      // One value for each time it is given: without this it would swallow the words behind it.
      flag.option = bound.app->add_option(name, flag.values)->type_size(1)->allow_extra_args(false);
    }
  }
}

void bind_words(Bound& bound) {
  if (bound.command->words.empty()) return;
  bound.app->add_option("words", bound.words)->expected(1, any_number);
}

/// "--db=" would make CLI11 take the next word as the value.
std::optional<Error> refuse_empty_values(std::span<const std::string> arguments) {
  for (const std::string& argument : arguments) {
    if (argument == "--") break;
    if (argument.size() > 3 && argument.compare(0, 2, "--") == 0 && argument.find('=') == argument.size() - 1) {
      return usage(argument.substr(0, argument.size() - 1) + " has an empty value");
    }
  }
  return std::nullopt;
}

std::string quoted(const std::string& word) { return in_quotes(word); }

Error unknown_flag(const std::string& argument, const CommandSpec* command) {
  const std::string flag = argument.substr(0, argument.find('='));
  std::vector<std::string> known;
  const auto add = [&known](std::span<const FlagSpec> specs) {
    for (const FlagSpec& spec : specs) known.push_back("--" + std::string(spec.name));
  };
  if (command != nullptr) add(command->flags);
  add(global_flags());
  const std::string near = nearest(flag, known);
  const std::string name = command != nullptr ? std::string(command->name) : std::string();
  std::string message = (name.empty() ? std::string() : name + ": ") + "unknown option " + quoted(flag);
  if (!near.empty()) message += "; did you mean " + near + "?";
  return usage(std::move(message), "paytower " + (name.empty() ? std::string() : name + " ") + "--help");
}

Error unknown_command(const std::string& word, const std::string& group) {
  std::vector<std::string> known;
  const std::string prefix = group.empty() ? std::string() : group + " ";
  for (const CommandSpec& command : commands()) {
    if (command.name.substr(0, prefix.size()) != prefix) continue;
    const std::string_view rest = command.name.substr(prefix.size());
    known.emplace_back(rest.substr(0, rest.find(' ')));
    if (!command.alias.empty()) known.emplace_back(command.alias);
  }
  if (group.empty()) known.emplace_back("help");
  const std::string near = nearest(word, known);
  std::string message = "unknown command " + quoted(prefix + word);
  if (!near.empty()) message += "; did you mean " + prefix + near + "?";
  return usage(std::move(message), group.empty() ? "paytower --help" : "paytower " + group + " --help");
}

/// CLI11 speaks of "TEXT" and "override"; people should read what to change.
Error parse_problem(const CLI::ParseError& error) {
  const std::string what = error.what();
  const std::string flag = what.substr(0, what.find_first_of(": "));
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr) {
    const bool takes_none = what.find("override") != std::string::npos;
    const std::string dashes = flag.compare(0, 1, "-") == 0 ? "" : "--";
    return usage(dashes + flag + (takes_none ? " takes no value" : " needs a value"));
  }
  return usage(what);
}

class Splitter {
 public:
  Splitter() {
    app_.set_help_flag();
    app_.fallthrough();
    app_.require_subcommand(0, 1);
    app_.allow_extras();
    global_.app = &app_;
    bind_flags(global_, global_flags());
    group_ = app_.add_subcommand("simulate");
    set_up(group_);
    group_->require_subcommand(0, 1);
    help_ = app_.add_subcommand("help");
    set_up(help_);
    help_->add_option("words", help_words_)->expected(1, any_number);
    for (const CommandSpec& command : commands()) add(command);
  }

  Result<RawCall> split(std::span<const std::string> all) {
    // CLI11 loses the words behind "--" inside a subcommand, so it never sees them.
    const auto mark = std::find(all.begin(), all.end(), "--");
    const std::span<const std::string> arguments = all.first(static_cast<std::size_t>(mark - all.begin()));
    const std::span<const std::string> behind = all.subspan(std::min(all.size(), arguments.size() + 1));
    try {
      app_.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
    } catch (const CLI::ParseError& error) {
      return parse_problem(error);
    }
    RawCall call;
    const Bound* active = nullptr;
    for (const Bound& bound : bounds_) {
      if (bound.app->parsed()) active = &bound;
    }
    if (active != nullptr) call.command = active->command;
    if (active == nullptr && group_->parsed()) call.group = group_->get_name();
    if (const auto error = find_stray(call)) return *error;
    const bool takes_words = active != nullptr && !active->command->words.empty();
    if (!takes_words && !behind.empty()) return usage("unexpected word " + quoted(behind.front()));
    if (active != nullptr) {
      call.words = active->words;
      call.words.insert(call.words.end(), behind.begin(), behind.end());
      if (const auto error = collect(*active, call)) return *error;
    }
    if (const auto error = collect(global_, call)) return *error;
    if (help_->parsed()) return as_help(std::move(call));
    return call;
  }

 private:
  static void set_up(CLI::App* app) {
    app->set_help_flag();
    app->fallthrough();
    app->allow_extras();
  }

  void add(const CommandSpec& command) {
    Bound& bound = bounds_.emplace_back();
    bound.command = &command;
    const std::size_t space = command.name.find(' ');
    CLI::App* parent = space == std::string_view::npos ? &app_ : group_;
    bound.app =
        parent->add_subcommand(std::string(command.name.substr(space == std::string_view::npos ? 0 : space + 1)));
    set_up(bound.app);
    if (!command.alias.empty()) bound.app->alias(std::string(command.alias));
    bind_flags(bound, command.flags);
    bind_words(bound);
  }

  /// Words that belong to nothing: unknown flags and commands, or one word too many.
  std::optional<Error> find_stray(const RawCall& call) {
    const std::vector<std::string> stray = app_.remaining(true);
    if (stray.empty()) return std::nullopt;
    for (const std::string& word : stray) {
      if (word.size() > 1 && word.front() == '-') return unknown_flag(word, call.command);
    }
    if (call.command == nullptr && !help_->parsed()) return unknown_command(stray.front(), call.group);
    return usage("unexpected word " + quoted(stray.front()));
  }

  static std::optional<Error> collect(const Bound& bound, RawCall& call) {
    for (const Bound::Flag& flag : bound.flags) {
      if (flag.option->count() == 0) continue;
      const std::string name = "--" + std::string(flag.spec->name);
      if (!flag.spec->value.empty()) {
        if (flag.values.size() > 1 && !flag.spec->repeatable) return usage(name + " is given twice");
        for (const std::string& value : flag.values) {
          if (value.empty()) return usage(name + " has an empty value");
        }
      }
      call.flags[std::string(flag.spec->name)] =
          flag.spec->value.empty() ? std::vector<std::string>(flag.option->count()) : flag.values;
    }
    return std::nullopt;
  }

  /// "help send" is "send --help".
  Result<RawCall> as_help(RawCall call) {
    call.flags["help"] = {""};
    if (help_words_.empty()) return call;
    std::string name = help_words_.front();
    for (std::size_t i = 1; i < help_words_.size(); ++i) name += " " + help_words_[i];
    call.command = find_command(name);
    if (call.command == nullptr && is_group(name)) call.group = name;
    if (call.command == nullptr && call.group.empty() && name != "help") return unknown_command(name, {});
    return call;
  }

  CLI::App app_{"paytower"};
  Bound global_;
  std::deque<Bound> bounds_;
  CLI::App* group_ = nullptr;
  CLI::App* help_ = nullptr;
  std::vector<std::string> help_words_;
};

}  // namespace

Result<RawCall> split_call(std::span<const std::string> arguments) {
  if (const auto error = refuse_empty_values(arguments)) return *error;
  return Splitter().split(arguments);
}

}  // namespace paytower::cli
