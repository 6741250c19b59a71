// Room on the disk.
#pragma once

#include <string>
#include <string_view>

namespace paytower::db {

/// What helps after a write beside `path` has failed, where its disk has no room left: "df -h FOLDER  # make room
/// there, then ...". Empty where it has. The errors themselves do not tell: a log that cannot grow is a "disk I/O
/// error".
[[nodiscard]] std::string room_hint(const std::string& path, std::string_view then = "run the same again");

}  // namespace paytower::db
