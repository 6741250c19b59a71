// `delete`: ended payments go, and what keeps a paid hash from being paid twice stays.
#include <utility>

#include <fmt/format.h>

#include "cli/commands/commands.h"
#include "cli/input/hash.h"
#include "cli/output/progress.h"
#include "cli/output/render.h"
#include "cli/output/render_text.h"
#include "core/base/refuse.h"

namespace paytower::cli {

namespace {

struct DeleteOptions {
  std::vector<HashArgument> hashes;  ///< empty exactly when all
  bool all = false;
  bool include_non_failed = false;
  bool failed_htlcs_only = false;
  std::optional<std::int64_t> older_than_ns;
  bool forget = false;
  bool dry_run = false;
  bool yes = false;
  std::string rehearsal;  ///< the same call as a dry run
};

constexpr auto delete_flags = std::to_array<Flag>({
    {"all", "every failed payment instead of named ones", into::on<&DeleteOptions::all>},
    {"include-non-failed", "with --all: paid and unknown ones too", into::on<&DeleteOptions::include_non_failed>},
    {"failed-htlcs-only", "keep the payments, delete only their failed HTLCs",
     into::on<&DeleteOptions::failed_htlcs_only>},
    {"older-than", "DUR", "with --all: only what ended longer ago than this",
     into::duration<&DeleteOptions::older_than_ns>},
    {"forget", "do not keep the hash blocked: a paid one can be paid again. Asks for the first 8 digits",
     into::on<&DeleteOptions::forget>},
    {"dry-run,n", "say what would be deleted", into::on<&DeleteOptions::dry_run>},
    {"yes,y", "do not ask", into::on<&DeleteOptions::yes>},
});

void take(DeleteOptions& erase, const Given& given) {
  erase.hashes = given.hashes();
  if (erase.all && !erase.hashes.empty()) given.refuse("name payments or --all, not both");
  if (!erase.all && erase.hashes.empty()) given.refuse("delete needs payment hashes or --all");
  if (!erase.all) given.need({"include-non-failed", "older-than"}, "--all");
  given.exclude("forget", "failed-htlcs-only");
  erase.rehearsal = fmt::format("paytower delete{}{}{} --dry-run", erase.all ? "" : " ", fmt::join(given.words, " "),
                                given.said_flags());
}

db::DeleteRequest request_of(const DeleteOptions& options, Session& session, Database& database) {
  db::DeleteRequest request;
  for (const HashArgument& argument : options.hashes)
    request.hashes.push_back(find_hash(session, &database, argument, true));
  request.include_non_failed = options.include_non_failed;
  request.failed_htlcs_only = options.failed_htlcs_only;
  request.forget = options.forget;
  if (options.older_than_ns) request.ended_before = UnixNs{session.clock.wall().value - *options.older_than_ns};
  return request;
}

/// One named payment that cannot be deleted refuses the whole call: nothing changes.
void refuse_skipped(Session& session, Database& database, const db::DeleteReport& plan) {
  for (const db::DeleteReport::Skipped& skipped : plan.skipped) {
    session.output.speak_of(skipped.hash);
    const std::string hash = skipped.hash.hex();
    if (skipped.reason == "not_found")
      refuse(Errc::not_found, fmt::format("there is no payment {}; nothing was deleted", hash), "paytower list");
    if (skipped.reason == "guarded") {
      refuse(Errc::guarded,
             fmt::format("payment {} was deleted already and its hash stays blocked; --forget makes it payable again; "
                         "nothing was deleted",
                         hash),
             fmt::format("paytower show {}", hash));
    }
    if (skipped.reason == "set_id") refuse(db::refusal_of_set_id(skipped.hash));
    // An imported payment cannot be resumed here: `show` names the node to ask.
    const HashState state = value_of(database.store.find(skipped.hash));
    const bool imported = state.payment && state.payment->provenance != Provenance::native;
    const char* const why =
        skipped.reason == "watched" ? "was marked as failed by hand and is still being checked" : "is in flight";
    refuse(Errc::in_flight, fmt::format("payment {} {}; nothing was deleted", hash, why),
           fmt::format("paytower {} {}", imported ? "show" : "resume", hash));
  }
}

std::string rows_text(const db::DeleteReport& report) {
  return fmt::format("{} and {}", counted(report.deleted, "payment"), counted(report.deleted_htlcs, "HTLC"));
}

void confirm(const DeleteOptions& options, Session& session, const db::DeleteReport& plan,
             const db::DeleteRequest& request) {
  if (!session.output.can_ask()) {
    refuse(Errc::not_confirmed,
           "deleting needs a yes, and there is no terminal to ask at: add --yes; nothing was deleted",
           options.rehearsal);
  }
  bool agreed = false;
  if (options.forget) {
    const std::string expected =
        request.hashes.empty() ? "forget" : request.hashes.front().hex().substr(0, typed_digits);
    agreed = ask_line(fmt::format("Delete {}, and forget that they were paid: they can be paid again.\n"
                                  "Type {} to confirm: ",
                                  rows_text(plan), expected)) == expected;
  } else {
    agreed = ask_yes(fmt::format("Delete {}?", rows_text(plan)));
  }
  if (agreed) return;
  refuse(Errc::not_confirmed, "not confirmed; nothing was deleted",
         request.hashes.empty() ? options.rehearsal : fmt::format("paytower show {}", request.hashes.front().hex()));
}

Json report_json(const db::DeleteReport& report, bool dry_run) {
  Json json;
  json["deleted"] = report.deleted;
  json["deleted_htlcs"] = report.deleted_htlcs;
  json["forgotten"] = report.forgotten;
  json["skipped"] = Json::array();
  for (const db::DeleteReport::Skipped& skipped : report.skipped) {
    Json one;
    one["payment_hash"] = skipped.hash.hex();
    one["reason"] = skipped.reason;
    json["skipped"].push_back(std::move(one));
  }
  json["dry_run"] = dry_run;
  return json;
}

std::string report_text(const db::DeleteReport& report, bool dry_run) {
  std::string text = fmt::format("{} {}", dry_run ? "Would delete" : "Deleted", rows_text(report));
  if (report.forgotten > 0)
    text += fmt::format(", and {} {}", dry_run ? "unblock" : "unblocked", counted(report.forgotten, "hash"));
  if (!report.skipped.empty()) text += fmt::format("; {} skipped", report.skipped.size());
  return fmt::format("{}.\n", text);
}

void print(Session& session, const db::DeleteReport& report, bool dry_run) {
  session.output.result(session.output.json() ? fmt::format("{}\n", dump(report_json(report, dry_run)))
                                              : report_text(report, dry_run));
}

db::DeleteReport remove(Session& session, Database& database, const db::DeleteRequest& request, std::uint64_t total) {
  const SignalGuard signals;
  Progress progress(session.output, session.clock, "deleted rows");
  const auto go_on = [&](const db::DeleteReport& so_far) {
    progress.update(so_far.deleted + so_far.deleted_htlcs, total);
    return session.clock.stop_signal() == 0;
  };
  return value_of(database.admin.remove(request, db::Operator{user_name(), session.clock.wall()}, go_on));
}

ExitCode run(const DeleteOptions& options, Session& session) {
  const auto database = open_database(session, options.dry_run ? db::OpenMode::read_only : db::OpenMode::read_write);
  if (!database) {
    if (!options.all) refuse(no_such_payment(options.hashes.front()));
    print(session, db::DeleteReport{}, options.dry_run);
    return ExitCode::ok;
  }
  const db::DeleteRequest request = request_of(options, session, *database);
  // `--all --yes` of a cron job needs no plan, and the plan would read everything that is to be deleted.
  db::DeleteReport plan;
  if (options.dry_run || !options.yes || !options.all) plan = value_of(database->admin.plan(request));
  if (!options.all) refuse_skipped(session, *database, plan);
  if (options.dry_run) {
    print(session, plan, true);
    return ExitCode::ok;
  }
  if (!options.yes && plan.deleted + plan.deleted_htlcs + plan.forgotten > 0) confirm(options, session, plan, request);

  const db::DeleteReport report = remove(session, *database, request, plan.deleted + plan.deleted_htlcs);
  if (report.interrupted) {
    ErrorReport error;
    error.code = "interrupted";
    error.exit_code = interrupted_by(session.clock.stop_signal());
    error.message = fmt::format("interrupted after {}; the same call goes on", rows_text(report));
    session.output.error(error);
    return error.exit_code;
  }
  print(session, report, false);
  session.output.flush();
  database->store.checkpoint_if_due();
  return ExitCode::ok;
}

}  // namespace

constexpr Command delete_command = command<DeleteOptions, take, run>({
    .name = "delete",
    .words = "[HASH|INVOICE...]",
    .summary = "Delete ended payments",
    .about =
        "Never deletes what is open. The hash of a deleted paid payment stays blocked, so that it is not paid twice.",
    .flags = delete_flags,
    .examples = "  paytower delete --all --older-than 90d\n"
                "  paytower delete --all --include-non-failed --dry-run",
});

}  // namespace paytower::cli
