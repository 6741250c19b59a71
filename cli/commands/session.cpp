// Opening the database and the switch for a call, and asking the switch simple questions.
#include "cli/commands/session.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include <sys/stat.h>

#include <fmt/format.h>

#include "cli/output/render.h"
#include "cli/output/render_text.h"
#include "cli/output/text.h"
#include "core/base/refuse.h"
#include "core/driver/admission.h"
#include "db/sim/ledger.h"

namespace paytower::cli {

namespace {

constexpr std::size_t most_candidates = 10;

std::int64_t lock_timeout(const Session& session) {
  return session.global.lock_timeout_ns.value_or(db::default_lock_timeout_ns);
}

/// --wait 0 still waits a second for a first answer, also of the database.
std::int64_t patience_of(std::int64_t wait_ns) { return wait_ns == 0 ? ns_per_second : wait_ns; }

db::OpenOptions open_options(const Session& session, const std::optional<std::int64_t>& wait_ns) {
  db::OpenOptions options;
  options.lock_timeout_ns = lock_timeout(session);
  if (wait_ns) options.lock_timeout_ns = std::min(options.lock_timeout_ns, patience_of(*wait_ns));
  return options;
}

/// The folders above `path`, readable by this user alone.
void make_folders(const std::string& path) {
  for (std::size_t slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    const std::string folder = path.substr(0, slash);
    if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST && !exists_already(folder)) {
      refuse(Errc::database, fmt::format("cannot make the folder {}: {}", folder, std::strerror(errno)),
             "paytower --db payments.db --help");
    }
  }
}

Error no_switch_named(const char* hint) {
  std::vector<std::string> forms;
  for (const SwitchKind& kind : switch_kinds()) forms.push_back(fmt::format("--switch {}", form_of(kind)));
  return usage(fmt::format("this needs a switch: name one with {} or PAYTOWER_SWITCH", fmt::join(forms, ", ")), hint);
}

Error nothing_done(const Disconnected& lost) {
  return Error{Errc::switch_unavailable, fmt::format("{}; nothing was done", lost.why), lost.hint};
}

/// Polls until an answer of type T has come. `accept`: whether it is the wanted one. `again`: whether the question was
/// asked again after a lost connection.
template <typename T, typename Accept, typename Again>
Result<T> await(Session& session, Switch& node, std::int64_t patience_ns, Accept accept, Again again) {
  const MonoNs until{session.clock.mono().value + patience_ns};
  Disconnected last{"the switch does not answer"};
  try {
    while (true) {
      for (SwitchEvent& event : node.poll(until)) {
        if (auto* answer = std::get_if<T>(&event); answer != nullptr && accept(*answer)) return std::move(*answer);
        const auto* lost = std::get_if<Disconnected>(&event);
        if (lost == nullptr) continue;
        last = *lost;
        if (!again(last)) return nothing_done(last);
      }
      if (session.clock.stop_signal() != 0) return nothing_done({"interrupted"});
      if (session.clock.mono() >= until) return nothing_done(last);
    }
  } catch (const SwitchError& away) {
    return nothing_done({away.what()});
  }
}

bool never_again(const Disconnected& /*lost*/) { return false; }

/// With a clock that is behind, this call's times would lie before earlier ones. Ids still rise (R12).
void warn_of_clock(Session& session, db::PaymentQuery& query) {
  constexpr std::int64_t day_ns = 24 * 3'600 * ns_per_second;
  const UnixNs now = session.clock.wall();
  const auto ahead = value_of(query.own_created_after(UnixNs{now.value + day_ns}));
  if (!ahead) return;
  session.output.warn(
      fmt::format("the clock of this machine shows {}, more than a day before payment {} was made ({}): "
                  "one of the two times is wrong",
                  time_text(now), ahead->first.value, time_text(ahead->second)));
}

}  // namespace

bool exists_already(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 || errno != ENOENT;
}

void make_default_folders(Session& session) {
  if (!session.global.database_named) make_folders(session.global.database);
}

// --- database ---

Database::Database(Session& session, db::OpenMode mode, const std::optional<std::int64_t>& wait_ns)
    : connection(value_of(
          db::Connection::open(session.global.database, mode, db::payment_file(), open_options(session, wait_ns)))),
      write_lock(connection.real_path(), lock_timeout(session)),
      store(value_of(db::SqlitePaymentStore::open(connection, write_lock))), payment_locks(connection.real_path()),
      query(connection), admin(connection, write_lock) {
  for (const std::string& warning : connection.warnings()) session.output.warn(warning);
  if (!connection.writable()) return;
  bound_waits(wait_ns);
  warn_of_clock(session, query);
  db::SpoolReport spool = value_of(store.take_in_spool(session.clock.wall()));
  for (const PaymentHash& hash : spool.settled) {
    session.output.warn("a preimage that could not be stored earlier is stored now: this payment is paid", hash);
  }
  for (const std::string& left : spool.left) session.output.warn(left);
  paid_from_spool = std::move(spool.settled);
}

void Database::bound_waits(const std::optional<std::int64_t>& wait_ns) {
  if (wait_ns) write_lock.give_up_after(patience_of(*wait_ns));
}

std::unique_ptr<Database> open_database(Session& session, db::OpenMode mode,
                                        const std::optional<std::int64_t>& wait_ns) {
  if (!session.global.database_named && !exists_already(session.global.database)) {
    session.output.note(fmt::format("no payments yet: there is no database {}", session.global.database));
    return nullptr;
  }
  return std::make_unique<Database>(session, mode, wait_ns);
}

std::unique_ptr<Database> open_if_there(Session& session) {
  return exists_already(session.global.database) ? std::make_unique<Database>(session, db::OpenMode::read_only)
                                                 : nullptr;
}

std::unique_ptr<Database> create_database(Session& session, const std::optional<std::int64_t>& wait_ns) {
  make_default_folders(session);
  return std::make_unique<Database>(session, db::OpenMode::create, wait_ns);
}

std::unique_ptr<Database> open_to_write_if_there(Session& session, const std::optional<std::int64_t>& wait_ns) {
  return exists_already(session.global.database)
             ? std::make_unique<Database>(session, db::OpenMode::read_write, wait_ns)
             : nullptr;
}

Error no_such_payment(const HashArgument& argument) {
  return Error{Errc::not_found, fmt::format("this database has no payment {}", argument.digits), "paytower list",
               argument.whole};
}

namespace {

/// The only hash that begins with these digits.
PaymentHash unique_hash(Database* database, const HashArgument& argument) {
  if (database == nullptr) refuse(no_such_payment(argument));
  const auto found = value_of(database->query.find_hashes(argument.digits, most_candidates + 1));
  if (found.empty()) refuse(no_such_payment(argument));
  if (found.size() == 1) return found.front();
  std::string message = fmt::format("{} is the beginning of several payment hashes:", argument.digits);
  for (std::size_t i = 0; i < std::min(found.size(), most_candidates); ++i)
    message += fmt::format(" {}", found[i].hex());
  if (found.size() > most_candidates) message += " and more";
  refuse(Errc::ambiguous, message, fmt::format("paytower show {}", found.front().hex()));
}

}  // namespace

PaymentHash find_hash(Session& session, Database* database, const HashArgument& argument, bool whole_without_tty) {
  if (argument.whole) return *argument.whole;
  const PaymentHash hash = unique_hash(database, argument);
  if (!whole_without_tty || session.output.can_ask()) return hash;
  refuse(Errc::usage,
         fmt::format("without a terminal this wants all 64 digits of the payment hash, not \"{}\"", argument.digits),
         fmt::format("paytower show {}", hash.hex()));
}

// --- switch ---

Result<std::unique_ptr<SwitchHandle>> open_switch(Session& session) {
  const auto& address = session.global.switch_address;
  if (!address) return no_switch_named("paytower config");
  try {
    const char* const home = std::getenv("HOME");
    return address->kind->open(*address, {session.clock, session.randomness, session.poller,
                                          home != nullptr ? home : "", db::open_sim_ledger});
  } catch (const SwitchError& away) {
    return Error{Errc::switch_unavailable, away.what()};
  }
}

bool is_out_of_reach(const Session& session, const Error& error) {
  return error.code == Errc::switch_unavailable || (error.code == Errc::usage && session.global.switch_address);
}

const std::string& simulated_network(const Session& session) {
  // A user of simulate has no network yet, or has forgotten to name it.
  constexpr const char* first = "network.sim";
  const auto& address = session.global.switch_address;
  if (!address)
    refuse(no_switch_named(exists_already(first) ? "paytower --switch sim:network.sim simulate ledger"
                                                 : "paytower simulate network --out network.sim"));
  if (!address->kind->simulated)
    refuse(Errc::usage, fmt::format("this is about simulated networks only: --switch {}", simulated_address("PATH")));
  return address->place;
}

Result<IdentityAnswer> identify(Session& session, Switch& node, std::int64_t patience_ns) {
  node.identify();
  const auto again = [&node](const Disconnected& lost) {
    if (lost.reached) node.identify();
    return lost.reached;
  };
  return await<IdentityAnswer>(
      session, node, patience_ns, [](const IdentityAnswer&) { return true; }, again);
}

Result<std::shared_ptr<const Shown>> look(Session& session, Switch& node, const Payment& payment,
                                          std::int64_t patience_ns) {
  const PaymentHash& hash = payment.request.hash;
  const auto first = first_marks(payment);
  node.look(hash, first ? std::span(&*first, 1) : std::span<const Marks>{});
  auto answer = await<LookAnswer>(
      session, node, patience_ns, [&hash](const LookAnswer& one) { return one.hash == hash; }, never_again);
  if (!answer) return answer.error();
  return std::move(answer->shown);
}

std::optional<Error> check_copy(Session& session, Database& database, Switch& node, std::int64_t patience_ns) {
  const auto identity = identify(session, node, patience_ns);
  if (!identity) return identity.error();
  auto trace = database.store.trace_at(identity->key);
  if (!trace) return trace.error();
  node.newest_own(*trace);
  const auto seen = await<NewestOwnAnswer>(
      session, node, patience_ns, [](const NewestOwnAnswer&) { return true; }, never_again);
  if (!seen) return seen.error();
  return old_copy(database.store, *seen);
}

Result<std::vector<OwnRow>> own_rows(Session& session, Switch& node, const StoreId& store, std::int64_t patience_ns) {
  node.list_own(store);
  auto answer = await<OwnRowsAnswer>(
      session, node, patience_ns, [](const OwnRowsAnswer&) { return true; }, never_again);
  if (!answer) return answer.error();
  return std::move(answer->rows);
}

// --- observer ---

// A reader that went away must not stop the driver; printing the final result fails instead (exit 1).
void ConsoleObserver::changed(const Payment& payment) {
  log_.changed(payment);
  if (on_end_ != nullptr) on_end_->changed(payment);
  for (const auto& listener : listeners_) listener(payment);
  if (!updates_) return;
  try {
    output_.line(payment_text(PaymentView{&payment}));
    output_.flush();
  } catch (const OutputError&) {
    updates_ = false;
  }
}

void ConsoleObserver::driving(std::span<const Payment* const> now) {
  if (on_end_ != nullptr) on_end_->turn();
  if (line_ != nullptr && line_->due()) line_->show(words_(now, LiveLine::columns()));
}

void ConsoleObserver::warn(const PaymentHash& hash, std::string_view message) {
  warned_.insert(hash);
  output_.warn(message, hash);
}

void ConsoleObserver::trace(const PaymentHash& hash, std::string_view message) { log_.step(hash, message); }

ErrorReport interrupted_report(int signal, const std::optional<Payment>& payment) {
  ErrorReport report;
  report.code = "interrupted";
  report.exit_code = interrupted_by(signal);
  if (!payment) {
    report.message = "interrupted; nothing was sent and nothing was recorded";
    return report;
  }
  const std::string outcome = outcome_text(*payment);
  report.message = fmt::format("interrupted. {}", outcome.substr(0, outcome.find('\n')));
  report.hint = next_command(*payment);
  report.payment_hash = payment->request.hash;
  return report;
}

}  // namespace paytower::cli
