// `resume`: finds out what became of open payments, carries them on, and sums up.
#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <span>
#include <utility>

#include <fmt/core.h>

#include "cli/commands/commands.h"
#include "cli/commands/outcome.h"
#include "cli/output/live_text.h"
#include "cli/output/open_text.h"
#include "cli/output/render.h"
#include "cli/output/render_text.h"
#include "cli/output/table.h"
#include "cli/output/text.h"
#include "core/base/refuse.h"
#include "core/driver/attempt_id.h"

namespace paytower::cli {

namespace {

struct ResumeOptions {
  std::vector<HashArgument> hashes;  ///< empty = all
  bool all = false;
  std::optional<std::int64_t> wait_ns;  ///< nothing = for ever
  bool no_retry = false;
  bool inflight_updates = false;
  std::optional<std::int64_t> warn_after_ns;
  std::vector<std::string> on_end;
};

constexpr auto resume_flags = std::to_array<Flag>({
    {"all", "every open payment (the same as naming none)", into::on<&ResumeOptions::all>},
    {"wait", "DUR|forever|0", "how long this command stays (default: {})", into::wait<&ResumeOptions::wait_ns>, "60s",
     is::configurable},
    {"no-retry", "only collect results; hand nothing over", into::on<&ResumeOptions::no_retry>},
    {"warn-after", "DUR", "say also with --quiet what has been open for longer, and exit with 4",
     into::duration<&ResumeOptions::warn_after_ns>, is::configurable},
    {"on-end", "COMMAND", "run this program when a payment ends, its JSON on stdin; no shell, words split at blanks",
     into::program<&ResumeOptions::on_end>, is::configurable},
    {"inflight-updates", "with --json: one line at every change, the last is the result",
     into::on<&ResumeOptions::inflight_updates>},
});

void take(ResumeOptions& resume, const Given& given) {
  resume.hashes = given.hashes();
  if (resume.all && !resume.hashes.empty()) given.refuse("name payments or --all, not both");
  if (resume.inflight_updates && !given.has("json")) given.refuse("--inflight-updates goes only with --json");
}

constexpr std::size_t page_size = 1'000;
constexpr std::size_t most_old_named = 20;  ///< by --warn-after, each with a line of its own

/// What is to be taken up, with the status that each had before, and since when each of our own is there.
struct Work {
  std::vector<PaymentIndex> rows{};
  std::vector<PaymentHash> hashes{};
  std::map<PaymentIndex, PaymentStatus> before{};
  std::map<PaymentIndex, UnixNs> created{};
};

void add(Work& work, const Payment& payment) {
  work.rows.push_back(payment.index);
  work.hashes.push_back(payment.request.hash);
  work.before[payment.index] = payment.status();
  if (payment.provenance == Provenance::native) work.created[payment.index] = payment.request.created;
}

void add_open(Work& work, Database& database, PaymentIndex index) {
  const auto payment = database.store.load(index);
  if (!payment) {
    work.rows.push_back(index);  // the driver says which row cannot be read, and takes up the others
  } else if (*payment) {
    add(work, **payment);
  }
}

Work all_open(Database& database) {
  Work work;
  PaymentIndex after;
  while (true) {
    const auto page = value_of(database.store.fetch_in_flight(after, page_size));
    for (const PaymentIndex index : page) {
      add_open(work, database, index);
      after = index;
    }
    if (page.size() < page_size) return work;
  }
}

db::HashHistory history_of(Session& session, Database& database, const HashArgument& argument) {
  const PaymentHash hash = find_hash(session, &database, argument, false);
  auto history = value_of(database.query.history(hash));
  if (!history) refuse(no_such_payment(argument));
  if (history->head() == nullptr && !history->bad_rows.empty()) {
    refuse(Errc::database,
           fmt::format("what is stored of this payment cannot be read: {}; nothing was done",
                       history->bad_rows.front().reason),
           "paytower check");
  }
  if (history->head() == nullptr) {
    refuse(Errc::guarded, "only a guard of this payment is left; there is nothing to resume",
           fmt::format("paytower show {}", hash.hex()));
  }
  return *std::move(history);
}

DriveResult already_over(Payment payment) {
  DriveResult result;
  result.hash = payment.request.hash;
  result.end = DriveEnd::ended;
  result.payment = std::move(payment);
  return result;
}

/// What opening the database has stored already: paid by this call.
std::vector<DriveResult> paid_from_spool(Database& database) {
  std::vector<DriveResult> results;
  for (const PaymentHash& hash : database.paid_from_spool) {
    const HashState state = value_of(database.store.find(hash));
    if (state.payment && state.payment->proof()) results.push_back(already_over(*state.payment));
  }
  return results;
}

/// Nothing of it is left to ask the switch about.
bool over(const Payment& payment) {
  return payment.ended_for_good() && !payment.has_open_attempt() && !payment.has_watched_attempt();
}

/// Adds every try of the hash that is not over yet; when all are, the one that speaks for the hash is a result already.
void add_named(Work& work, std::vector<DriveResult>& results, const db::HashHistory& history, bool from_spool) {
  const Payment& head = *history.head();
  if (work.before.count(head.index) != 0) return;
  const std::size_t before = work.rows.size();
  for (const Payment& payment : history.tries) {
    if (!over(payment)) add(work, payment);
  }
  for (const db::BadRow& bad : history.bad_rows) {
    if (bad.index.value != 0) work.rows.push_back(bad.index);  // the driver says what is wrong with it
  }
  if (work.rows.size() != before) return;
  if (!from_spool) work.before[head.index] = head.status();
  results.push_back(already_over(head));
}

struct Summary {
  std::vector<const Payment*> payments{};
  WhyOpen why_open{};  ///< of the last of them
  std::vector<const Error*> unreadable{};
  std::uint64_t succeeded = 0;
  std::uint64_t failed = 0;
  std::uint64_t still_in_flight = 0;
  std::uint64_t pending_at_switch = 0;  ///< marked as failed by hand, and the switch still works on the HTLC
  std::uint64_t busy = 0;
  std::uint64_t other_switch = 0;
  std::uint64_t not_driven = 0;
  std::uint64_t unavailable = 0;

  [[nodiscard]] std::uint64_t resolved() const { return succeeded + failed; }
};

/// A payment that had ended before and has not changed (one marked as failed by hand) is no news.
bool ended_now(const Payment& payment, const Work& work) {
  const auto before = work.before.find(payment.index);
  return before == work.before.end() || before->second != payment.status();
}

void count(Summary& summary, const DriveResult& result, const Work& work) {
  switch (result.end) {
    case DriveEnd::busy: ++summary.busy; return;
    case DriveEnd::other_switch: ++summary.other_switch; break;
    case DriveEnd::not_driven: ++summary.not_driven; break;
    case DriveEnd::unavailable: ++summary.unavailable; return;
    case DriveEnd::open:
    case DriveEnd::refused:
    case DriveEnd::ended: {
      if (result.error && result.error->code == Errc::database) summary.unreadable.push_back(&*result.error);
      if (!result.payment) return;
      const PaymentStatus status = result.payment->status();
      if (!result.payment->ended_for_good()) ++summary.still_in_flight;
      if (status == PaymentStatus::unknown) ++summary.not_driven;
      if (result.pending_at_switch) ++summary.pending_at_switch;
      if (status == PaymentStatus::succeeded && ended_now(*result.payment, work)) ++summary.succeeded;
      if (status == PaymentStatus::failed && ended_now(*result.payment, work)) ++summary.failed;
      break;
    }
  }
  if (!result.payment) return;
  summary.payments.push_back(&*result.payment);
  summary.why_open = result.why_open;
  summary.why_open.unasked = result.error && result.error->code == Errc::switch_unavailable;
}

void print_json(Output& output, const Summary& summary) {
  GrowingJson json(output);
  JsonWriter& out = json.writer();
  out.begin_object();
  out.key("payments").begin_array();
  for (const Payment* payment : summary.payments) {
    write_payment(out.element(), PaymentView{payment});
    json.pass_on();
  }
  out.end_array();
  out.key("resolved").number(summary.resolved());
  out.key("succeeded").number(summary.succeeded);
  out.key("failed").number(summary.failed);
  out.key("still_in_flight").number(summary.still_in_flight);
  out.key("assumed_failed_in_flight").number(summary.pending_at_switch);
  out.key("busy").number(summary.busy);
  out.key("other_switch").number(summary.other_switch);
  out.key("not_driven").number(summary.not_driven);
  out.end_object();
  json.end();
}

std::string summary_text(const Summary& summary) {
  std::string text = fmt::format("{} resolved ({} paid, {} failed), {} still in flight", summary.resolved(),
                                 summary.succeeded, summary.failed, summary.still_in_flight);
  const auto say = [&text](std::uint64_t count, const char* what) {
    if (count > 0) text += fmt::format(", {} {}", count, what);
  };
  say(summary.pending_at_switch, "marked as failed by hand and still in flight");
  say(summary.busy, "busy");
  say(summary.other_switch, "of another switch");
  say(summary.not_driven, "left alone (imported, or ended without proof)");
  return text;
}

/// The rows that can be read were driven all the same (R14).
ErrorReport unreadable_report(const Summary& summary) {
  std::string message =
      fmt::format("{} of the open payments cannot be read ({}); of the others: {}", summary.unreadable.size(),
                  summary.unreadable.front()->message, summary_text(summary));
  return report_of(Error{Errc::database, std::move(message), "paytower check"});
}

void print(Session& session, const Summary& summary) {
  if (session.output.json()) return print_json(session.output, summary);
  if (session.output.quiet()) return;
  for (const Payment* payment : summary.payments) session.output.result(outcome_line(*payment, session.output));
  // R17: whoever is sent here by `show` is told what can be done, which of several payments only `show` says.
  const bool one_is_open = summary.payments.size() == 1 && summary.still_in_flight == 1;
  if (one_is_open) {
    const std::string text = outcome_text(*summary.payments.front(), summary.why_open);
    session.output.result(for_reader(session.output, text));
  }
  session.output.result(fmt::format("{}\n", summary_text(summary)));
}

/// What needs a person is said also with --quiet; a held HTLC does not.
void warn_people(Session& session, const std::vector<DriveResult>& results) {
  const auto unsaid = [](const DriveResult& result) {
    return result.end == DriveEnd::open && result.error && result.error->code == Errc::busy;
  };
  // The same of all of them: somebody else writes.
  if (const auto first = std::find_if(results.begin(), results.end(), unsaid); first != results.end())
    session.output.warn(first->error->message);
  for (const DriveResult& result : results) {
    if (const std::string who = blocker_text(result.why_open.blocker); !who.empty())
      session.output.note(fmt::format("{}: {}", result.hash.hex(), who));
    if (result.pending_at_switch) session.output.warn(still_pending_words(result.why_open), result.hash);
    if (result.end == DriveEnd::other_switch && result.error) session.output.warn(result.error->message, result.hash);
    const bool said_later = result.error && result.error->code == Errc::database;
    if (result.end == DriveEnd::refused && result.error && !said_later)
      session.output.warn(result.error->message, result.hash);
  }
}

/// What has ended so far, for the live line.
class Ends {
 public:
  Ends(ConsoleObserver& observer, std::size_t total) : total_(total) {
    observer.add_listener([this](const Payment& payment) {
      if (payment.ended_for_good()) (payment.proof() ? paid_ : others_).insert(payment.index);
    });
  }

  [[nodiscard]] std::string text(std::span<const Payment* const> now, MonoNs at, std::size_t columns) {
    RunCounts counts;
    counts.paid = paid_.size();
    counts.failed = others_.size();
    counts.in_flight = count_in_flight(now);
    counts.awaited = total_ - std::min(total_, counts.paid + counts.failed);
    counts.left = counts.awaited - std::min(counts.awaited, counts.in_flight);
    pace_.saw(at, counts.paid + counts.failed);
    return counts_text(counts, pace_, columns);
  }

 private:
  std::uint64_t total_;
  std::set<PaymentIndex> paid_;
  std::set<PaymentIndex> others_;
  Pace pace_;
};

/// Which of the tries of one hash the exit code tells about: what is open, then what paid, then the newest.
const DriveResult& representative(const std::vector<DriveResult>& results) {
  const auto first = [&results](auto wanted) { return std::find_if(results.begin(), results.end(), wanted); };
  auto found = first([](const DriveResult& r) { return !r.payment || !r.payment->ended_for_good(); });
  if (found == results.end()) found = first([](const DriveResult& r) { return r.payment->proof().has_value(); });
  return found == results.end() ? results.front() : *found;
}

/// --quiet: for cron, which mails whatever is said.
bool silent(const Session& session) { return session.output.quiet() && !session.output.json(); }

/// Another paytower is at work on it: the next run of cron looks again.
ExitCode report_single(Session& session, const ConsoleObserver& observer, const DriveResult& result, bool any_old) {
  if (result.end == DriveEnd::busy && any_old) return ExitCode::outcome_unknown;
  if (result.end == DriveEnd::busy && silent(session)) return ExitCode::busy;
  return report_one(session, observer, open_if_recorded(result), {silent(session), false});
}

/// Nothing is open, so no switch is needed; one that is named is asked whether this database is an old copy, in which
/// something would be.
void ask_about_copy(Session& session, Database& database, const std::optional<std::int64_t>& wait_ns) {
  if (!session.global.switch_address) return;
  const auto handle = open_switch(session);
  const auto why = handle ? check_copy(session, database, (*handle)->node(), question_patience(wait_ns))
                          : std::optional(handle.error());
  if (!why) return;
  if (why->code != Errc::switch_unavailable) refuse(*why);
  session.output.log(why->message);
}

/// The attempts of this payment whose HTLCs the node does not show.
std::span<const AttemptKey> unseen_of(const std::vector<DriveResult>& results, PaymentIndex index) {
  const auto found = std::find_if(results.begin(), results.end(), [index](const DriveResult& result) {
    return result.payment && result.payment->index == index;
  });
  return found == results.end() ? std::span<const AttemptKey>() : found->why_open.all_without_htlc;
}

/// --warn-after: what is still open after so long, whoever drives it, and also while the switch cannot be asked.
bool warn_of_old(Session& session, Database& database, const Work& work, const std::vector<DriveResult>& results,
                 const ResumeOptions& options) {
  if (!options.warn_after_ns) return false;
  const UnixNs now = session.clock.wall();
  std::size_t found = 0;
  for (const auto& [index, created] : work.created) {
    if (now.value - created.value <= *options.warn_after_ns) continue;
    const auto stored = database.store.load(index);
    if (!stored || !*stored || (*stored)->ended_for_good()) continue;
    if (++found > most_old_named) continue;
    const Payment& payment = **stored;
    const auto until = locked_until(payment, now, unseen_of(results, index));
    session.output.warn(
        fmt::format("{} open for {}{}; never pay it by other means", sat_text(payment.request.demand.amount),
                    age_text(now.value - created.value), until ? fmt::format(", locked {}", *until) : ""),
        payment.request.hash);
  }
  if (found > most_old_named)
    session.output.warn(fmt::format("{} more have been open for as long", grouped(found - most_old_named)));
  return found > 0;
}

ExitCode report_all(Session& session, const std::vector<DriveResult>& results, const Work& work, bool any_old) {
  Summary summary;
  for (const DriveResult& result : results) count(summary, result, work);
  warn_people(session, results);
  if (!summary.unreadable.empty()) return session.output.fail(unreadable_report(summary));
  const int signal = session.clock.stop_signal();
  const bool open = summary.still_in_flight > 0 || summary.pending_at_switch > 0;
  if (signal != 0 && (open || summary.unavailable > 0)) {
    return session.output.fail(ErrorReport{
        "interrupted", interrupted_by(signal),
        fmt::format("interrupted: {} resolved, {} still in flight", summary.resolved(), summary.still_in_flight),
        "paytower resume"});
  }
  if (summary.unavailable > 0) {
    for (const DriveResult& result : results) {
      if (result.end != DriveEnd::unavailable) continue;
      const Error lost{Errc::switch_unavailable, "the switch cannot be reached; nothing was changed"};
      Error told = with_next_step(result.error.value_or(lost), "resume");
      told.message += fmt::format("; {} open: do not pay {} by other means", counted(summary.unavailable, "payment"),
                                  summary.unavailable == 1 ? "it" : "them");
      return session.output.fail(report_of(told));
    }
  }
  if (!open && !any_old && summary.busy > 0) {
    if (silent(session)) return ExitCode::busy;
    const std::string message =
        fmt::format("another paytower process is working on {}; this call changed nothing of it",
                    counted(summary.busy, "open payment"));
    return session.output.fail(report_of(Error{Errc::busy, message, "paytower resume --lock-timeout 1m"}));
  }
  print(session, summary);
  return open || any_old ? ExitCode::outcome_unknown : ExitCode::ok;
}

/// The switch; or nothing, and how the one payment of the call is stored: an address that leads nowhere hides it from
/// nobody.
std::unique_ptr<SwitchHandle> open_or_tell(Session& session, Database& database, const ResumeOptions& options,
                                           const Work& work, std::vector<DriveResult>& results) {
  auto handle = open_switch(session);
  if (handle) return *std::move(handle);
  DriveResult stored = as_stored(database.store, work.hashes.front(), handle.error().message);
  const bool told = options.hashes.size() == 1 && stored.end == DriveEnd::open;
  if (!told || !is_out_of_reach(session, handle.error())) refuse(handle.error());
  stored.error->hint = "paytower config";
  results.push_back(std::move(stored));
  return nullptr;
}

ExitCode run(const ResumeOptions& options, Session& session) {
  if (options.hashes.size() == 1 && options.hashes.front().whole)
    session.output.speak_of(*options.hashes.front().whole);
  const auto database = open_database(session, db::OpenMode::read_write, options.wait_ns);
  if (!database) {
    if (!options.hashes.empty()) refuse(no_such_payment(options.hashes.front()));
    print(session, Summary{});
    return ExitCode::ok;
  }
  Work work;
  std::vector<DriveResult> results;
  if (options.hashes.empty()) {
    work = all_open(*database);
    results = paid_from_spool(*database);
  }
  for (const HashArgument& argument : options.hashes) {
    const db::HashHistory history = history_of(session, *database, argument);
    if (options.hashes.size() == 1) session.output.speak_of(history.head()->request.hash);
    const auto& spooled = database->paid_from_spool;
    const bool from_spool = std::find(spooled.begin(), spooled.end(), history.head()->request.hash) != spooled.end();
    add_named(work, results, history, from_spool);
  }

  const SignalGuard signals;
  ConsoleObserver observer(session.output, options.inflight_updates);
  OnEnd on_end(session.output, session.clock, options.on_end);
  observer.tell_ends_to(on_end);
  tell_spooled(on_end, *database);
  LiveLine line(session.output, session.clock);
  Ends ends(observer, work.rows.size());
  if (work.rows.empty() && options.hashes.empty()) ask_about_copy(session, *database, options.wait_ns);
  const auto opened = work.rows.empty() ? nullptr : open_or_tell(session, *database, options, work, results);
  if (opened) {
    DriverOptions how;
    how.wait_ns = options.wait_ns;
    how.collect_only = options.no_retry;
    how.lock_timeout_ns = session.global.lock_timeout_ns.value_or(0);
    how.clock_from = release_date;
    Driver driver(driver_ports(session, *database, opened->node(), observer), how);
    for (const PaymentIndex index : work.rows) driver.adopt(index);
    observer.watch_on(
        line, work.rows.size() == 1 ? waiting_words(session, options.wait_ns)
                                    : [&](std::span<const Payment* const> now, std::size_t columns) {
                                        return ends.text(now, session.clock.mono(), columns);
                                      });
    for (DriveResult& result : drive(driver, database->store, work.hashes)) results.push_back(std::move(result));
  }
  line.end();
  const bool any_old = warn_of_old(session, *database, work, results, options);
  const bool single = options.hashes.size() == 1 && !results.empty();
  const ExitCode code = single ? report_single(session, observer, representative(results), any_old)
                               : report_all(session, results, work, any_old);
  session.output.flush();
  database->store.checkpoint_if_due();
  for (const DriveResult& result : results) {
    if (result.payment) on_end.left(*result.payment);
  }
  on_end.finish();
  return code;
}

}  // namespace

constexpr Command resume_command = command<ResumeOptions, take, run>({
    .name = "resume",
    .words = "[HASH|INVOICE...]",
    .summary = "Take up payments whose outcome is open",
    .about = "Asks the switch about every payment that is INITIATED or IN_FLIGHT (or about the named ones), collects\n"
             "results, and goes on within the limits that `send` stored. Safe to run at any time, also from cron.",
    .flags = resume_flags,
    .examples = "  paytower resume\n"
                "  paytower resume 3f9c0d12ab8e --wait 10m\n"
                "  paytower resume --no-retry --quiet",
    .asks_switch = true,
    .pays = true,
});

}  // namespace paytower::cli
