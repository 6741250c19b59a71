// `backup`: a complete copy of the database while others go on working.
#include <cerrno>
#include <string>

#include <sys/stat.h>

#include <fmt/core.h>

#include "cli/commands/commands.h"
#include "cli/output/progress.h"
#include "cli/output/render.h"
#include "cli/output/text.h"
#include "core/base/refuse.h"

namespace paytower::cli {

namespace {

struct BackupOptions {
  std::string path;
};

constexpr int most_names = 100;

/// The same name with the first free number behind it.
std::string free_name(const std::string& path) {
  struct stat status {};
  for (int number = 2; number < most_names; ++number) {
    std::string name = fmt::format("{}.{}", path, number);
    if (::lstat(name.c_str(), &status) != 0) return name;
  }
  return fmt::format("{}.{}", path, most_names);
}

/// Where the copy is to go, without the slash at its end; empty where the path names none.
std::string folder_of_copy(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos || slash == 0 ? std::string() : path.substr(0, slash);
}

void take(BackupOptions& backup, const Given& given) { backup.path = given.word("a path"); }

ExitCode run(const BackupOptions& options, Session& session) {
  struct stat status {};
  if (::lstat(options.path.c_str(), &status) == 0) {
    refuse(Errc::usage, fmt::format("{} exists already; a backup never overwrites a file", options.path),
           fmt::format("paytower backup {}", shell_word(free_name(options.path))));
  }
  const std::string folder = folder_of_copy(options.path);
  if (!folder.empty() && ::stat(folder.c_str(), &status) != 0 && errno == ENOENT) {
    refuse(Errc::database, fmt::format("there is no folder {}; no copy was made", folder),
           fmt::format("mkdir -p {}", shell_word(folder)));
  }
  const auto database = open_database(session, db::OpenMode::read_only);
  if (!database) {
    refuse(Errc::database, fmt::format("there is no database {} to copy", session.global.database),
           fmt::format("paytower --db payments.db backup {}", shell_word(options.path)));
  }
  Progress progress(session.output, session.clock, "pages");
  const auto done = database->admin.backup(options.path, [&](int pages, int total) {
    progress.update(static_cast<std::uint64_t>(pages), static_cast<std::uint64_t>(total));
    return true;
  });
  if (!done) refuse(done.error());
  if (session.output.json()) {
    Json json;
    json["path"] = options.path;
    session.output.line(dump(json));
  } else {
    session.output.line(fmt::format("Complete copy in {}", printable(options.path)));
  }
  return ExitCode::ok;
}

}  // namespace

constexpr Command backup_command = command<BackupOptions, take, run>({
    .name = "backup",
    .words = "PATH",
    .summary = "Write a complete copy of the database",
    .about = "Complete and synced, while others go on working. Never overwrites a file.",
    .examples = "  paytower backup payments-copy.db",
});

}  // namespace paytower::cli
