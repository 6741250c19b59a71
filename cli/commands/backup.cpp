// `backup`: a complete copy of the database while others go on working.
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

void take(BackupOptions& backup, const Given& given) { backup.path = given.word("a path"); }

ExitCode run(const BackupOptions& options, Session& session) {
  struct stat status {};
  if (::lstat(options.path.c_str(), &status) == 0) {
    refuse(Errc::usage, fmt::format("{} exists already; a backup never overwrites a file", options.path));
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
