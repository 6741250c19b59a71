// `send`: asks the database, the switch and the user, then pays one invoice.
#include <utility>

#include <fmt/core.h>

#include "cli/commands/commands.h"
#include "cli/commands/dry_run.h"
#include "cli/commands/outcome.h"
#include "cli/commands/request.h"
#include "cli/commands/send_options.h"
#include "cli/output/text.h"
#include "core/base/limits.h"
#include "core/base/refuse.h"
#include "core/driver/admission.h"
#include "core/driver/attempt_id.h"
#include "core/driver/dry_run.h"

namespace paytower::cli {

namespace {

constexpr std::size_t description_columns = 100;
constexpr std::int64_t longest_dry_run_ns = 30 * ns_per_second;

void confirm(Session& session, const SendOptions& options, const PaymentRequest& request) {
  const RouteDemand& demand = request.demand;
  if (!session.output.can_ask()) {
    refuse(Errc::not_confirmed, "paying needs a yes, and there is no terminal to ask at: add --yes; nothing was sent");
  }
  std::string question = fmt::format("Pay {} to {}, fee at most {}", sat_text(demand.amount), demand.destination.hex(),
                                     sat_text(demand.fee_limit));
  const std::string text = description_of(options);
  if (!text.empty()) question += fmt::format(",\nfor \"{}\"", printable_cut(text, description_columns));
  if (ask_yes(fmt::format("{}?", question))) return;
  // Whoever says no may want to see the route and its fee first.
  refuse(Errc::not_confirmed, "not confirmed; nothing was sent", options.rehearsal);
}

/// One call of `send`, in the order in which the questions are asked: whether the text is an invoice at all, what the
/// database knows of the hash, and only then what else could refuse. To call a hash expired that is paid or in flight
/// makes a script pay it twice.
class Send {
 public:
  Send(const SendOptions& options, Session& session)
      : options_(options), session_(session), wanted_(value_of(read_wanted(options, session.clock.wall()))),
        hash_(wanted_.request.hash), observer_(session.output, options.inflight_updates) {
    session.output.speak_of(hash_, !options.dry_run);
  }

  ExitCode run() {
    database_ = options_.dry_run ? open_if_there(session_) : open_to_write_if_there(session_, options_.wait_ns);
    const HashState state = database_ ? value_of(database_->store.find(hash_)) : HashState{};
    Judgement known = judge_request(admission_of(submission()), state);
    if (known.result) return tell_known(*std::move(known.result));
    if (known.join) return drive_on(*state.payment);
    if (!wanted_.objection)
      wanted_.objection = over_limits(session_, database_.get(), options_.allowed, wanted_.request);
    if (wanted_.objection) return refuse_with(*wanted_.objection);
    return begin(state);
  }

 private:
  [[nodiscard]] Submission submission() const { return Submission{wanted_.request, options_.idempotent}; }

  ExitCode refuse_with(const Error& why) {
    const ErrorReport report = report_of(with_next_step(why, "send"), hash_);
    session_.output.error(report);
    return report.exit_code;
  }

  /// What is in flight is refused (5, or 6 where another process drives it) while the switch can be asked about it, and
  /// cannot be told (4) while it cannot.
  ExitCode tell_known(DriveResult known) {
    const bool open_and_refused = known.end == DriveEnd::refused && known.payment;
    if (!open_and_refused || !session_.global.switch_address) return tell(known);
    const MonoNs start = session_.clock.mono();
    const auto handle = open_switch(session_);
    if (!handle) return tell(left_open(std::move(known), handle.error()));
    const auto identity = identify(session_, (*handle)->node(), question_patience(options_.wait_ns));
    if (!identity) return tell(left_open(std::move(known), identity.error()));
    return drive(submission(), (*handle)->node(), session_.clock.mono().value - start.value);
  }

  /// The same without the switch, which cannot be asked.
  DriveResult left_open(DriveResult known, const Error& why) {
    if (!is_out_of_reach(session_, why)) refuse(why);
    known.end = DriveEnd::open;
    known.error = Error{Errc::switch_unavailable, why.message};
    return known;
  }

  ExitCode tell(const DriveResult& result) {
    return options_.dry_run ? tell_dry_run(session_, observer_, result, {})
                            : report_one(session_, observer_, result, {false, true});
  }

  [[nodiscard]] DriveResult joined(const Payment& payment) const {
    DriveResult known;
    known.hash = hash_;
    known.payment = payment;
    known.joined = true;
    return known;
  }

  /// --idempotent, and somebody has begun this payment already.
  ExitCode drive_on(const Payment& payment) {
    const auto handle = open_switch(session_);
    if (!handle) return tell(left_open(joined(payment), handle.error()));
    joins_ = true;
    Submission joining = submission();
    joining.ended_before = PaymentIndex{};
    return drive(std::move(joining), (*handle)->node(), 0);
  }

  ExitCode begin(const HashState& state) {
    const auto handle = value_of(open_switch(session_));
    const MonoNs start = session_.clock.mono();
    check_with_switch(handle->node());
    const std::int64_t spent = session_.clock.mono().value - start.value;
    if (state.payment) warn_of_overpayment(session_, *database_, wanted_.request);
    if (!options_.yes && !options_.dry_run) {
      confirm(session_, options_, wanted_.request);
      // The answer may have taken a while: the limits in time begin now, and the invoice may be over.
      Wanted later = value_of(read_wanted(options_, session_.clock.wall()));
      later.request.candidates = std::move(wanted_.request.candidates);
      wanted_ = std::move(later);
    }
    const auto left = remaining_wait(options_.wait_ns, spent);
    if (database_) database_->bound_waits(left);  // they began to run out before the question
    if (!database_ && !options_.dry_run) database_ = create_database(session_, left);
    Submission wanted = submission();
    wanted.objection = wanted_.objection;
    wanted.ended_before = ended_try(state);
    return drive(std::move(wanted), handle->node(), spent);
  }

  /// What the switch must say before anything is asked or stored: what the driver would refuse too, and its own key for
  /// the first hop of --routes.
  void check_with_switch(Switch& node) {
    const IdentityAnswer identity = value_of(identify(session_, node, question_patience(options_.wait_ns)));
    if (const auto why = unfit(wanted_.request, identity)) refuse(*why);
    if (!options_.routes) return;
    const std::string text = value_of(read_input(*options_.routes, limits::max_input_file_bytes));
    wanted_.request.candidates = value_of(read_routes(text, wanted_.request, identity.key));
  }

  ExitCode drive(Submission wanted, Switch& node, std::int64_t spent_ns) {
    const SignalGuard signals;
    DriverOptions how;
    how.wait_ns = remaining_wait(options_.wait_ns, spent_ns);
    how.lock_timeout_ns = session_.global.lock_timeout_ns.value_or(0);
    how.clock_from = release_date;
    how.use_memory = !options_.no_memory;
    if (options_.dry_run) return rehearse(std::move(wanted), node, how);
    database_->store.set_limits(options_.allowed);
    OnEnd on_end(session_.output, session_.clock, options_.on_end);
    observer_.tell_ends_to(on_end);
    tell_spooled(on_end, *database_);
    LiveLine line(session_.output, session_.clock);
    observer_.watch_on(line, waiting_words(session_, how.wait_ns));
    const DriveResult result = driven(std::move(wanted), driver_ports(session_, *database_, node, observer_), how);
    line.end();
    const ExitCode code = tell(result);
    session_.output.flush();
    database_->store.checkpoint_if_due(db::Closing::when_large);
    if (result.payment) on_end.left(*result.payment);
    on_end.finish();
    return code;
  }

  /// The same drive without its acts. What somebody else has begun is looked at, and not waited for.
  ExitCode rehearse(Submission wanted, Switch& node, DriverOptions how) {
    how.collect_only = joins_;
    how.wait_ns = joins_ ? 0 : how.wait_ns.value_or(longest_dry_run_ns);
    DryRun dry(node, database_ ? &database_->store : nullptr, session_.clock, session_.randomness, observer_);
    const DriveResult result = driven(std::move(wanted), dry.ports(), how);
    return tell_dry_run(session_, observer_, result, dry.planned());
  }

  [[nodiscard]] DriveResult driven(Submission wanted, const DriverPorts& ports, const DriverOptions& how) const {
    Driver driver(ports, how);
    driver.submit(std::move(wanted));
    auto results = cli::drive(driver, ports.store, {hash_});
    if (results.empty()) throw std::logic_error("the driver told nothing about the payment");
    return open_if_recorded(std::move(results.front()));
  }

  const SendOptions& options_;
  Session& session_;
  Wanted wanted_;
  PaymentHash hash_;
  ConsoleObserver observer_;
  std::unique_ptr<Database> database_;
  bool joins_ = false;  ///< what somebody else has begun
};

}  // namespace

ExitCode run_send(const SendOptions& options, Session& session) {
  return options.batch ? run_batch(*options.batch, session) : Send(options, session).run();
}

}  // namespace paytower::cli
