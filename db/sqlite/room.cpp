// Looks at what the file system has left, whatever the error was called.
#include "db/sqlite/room.h"

#include <cstdint>
#include <filesystem>
#include <system_error>

#include <fmt/core.h>

#include "core/base/error.h"

namespace paytower::db {

std::string room_hint(const std::string& path, std::string_view then) {
  constexpr std::uintmax_t enough = 1 << 20;
  std::error_code trouble;
  const auto real = std::filesystem::weakly_canonical(std::filesystem::absolute(path, trouble), trouble);
  const std::filesystem::path folder = real.parent_path();
  const std::filesystem::space_info space = std::filesystem::space(folder, trouble);
  if (trouble || space.available >= enough) return {};
  return fmt::format("df -h {}  # make room there, then {}", shell_word(folder.string()), then);
}

}  // namespace paytower::db
