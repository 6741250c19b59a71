// A call taken apart, with every value still the text that was given.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/arguments/command_table.h"
#include "cli/arguments/setting.h"
#include "core/base/error.h"

namespace paytower::cli {

struct RawCall {
  const CommandSpec* command = nullptr;  ///< nothing: none was named
  std::string group;                     ///< "simulate", when only that was named
  std::vector<std::string> words;        ///< positional arguments
  std::map<std::string, std::vector<std::string>, std::less<>>
      flags;  ///< by long name; a flag without value has "" for each time

  std::map<std::string, Setting, std::less<>> settings;  ///< those of `flags` that no flag gave

  [[nodiscard]] bool has(std::string_view flag) const { return flags.find(flag) != flags.end(); }
  /// The value of a flag that was given once; nullptr when it was not given.
  [[nodiscard]] const std::string* value(std::string_view flag) const {
    const auto found = flags.find(flag);
    return found == flags.end() ? nullptr : &found->second.front();
  }
};

/// Splits the words of a call by the table of commands (CLI11 does it). Refuses unknown commands and flags with a
/// suggestion, values that are missing or empty, and a flag that comes twice.
[[nodiscard]] Result<RawCall> split_call(std::span<const std::string> arguments);

}  // namespace paytower::cli
