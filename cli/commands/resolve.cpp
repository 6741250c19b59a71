// `resolve`: the operator settles by hand what the node cannot tell.
#include <algorithm>
#include <utility>

#include <fmt/core.h>

#include "cli/commands/commands.h"
#include "cli/commands/operator_decision.h"
#include "cli/commands/outcome.h"
#include "cli/commands/restored.h"
#include "cli/input/hash.h"
#include "cli/output/render.h"
#include "cli/output/render_text.h"
#include "core/base/refuse.h"
#include "core/driver/admission.h"
#include "core/payment/look.h"

namespace paytower::cli {

namespace {

enum class ByHand { assume_failed, write_off, restored };

struct ResolveOptions {
  std::optional<HashArgument> hash;  ///< present unless restored
  ByHand decision = ByHand::assume_failed;
  bool assume_failed = false;
  bool write_off = false;
  bool restored = false;
  bool yes = false;
};

constexpr auto resolve_flags = std::to_array<Flag>({
    {"assume-failed", "count it as failed: it may be paid again; a late success is still recorded",
     into::on<&ResolveOptions::assume_failed>},
    {"write-off", "end it with an unknown outcome: it can never be paid again", into::on<&ResolveOptions::write_off>},
    {"restored", "this database was restored from an old backup: take over what the switch shows of it",
     into::on<&ResolveOptions::restored>},
    {"yes,y", "do not ask", into::on<&ResolveOptions::yes>},
});

void take(ResolveOptions& resolve, const Given& given) {
  if (int{resolve.assume_failed} + int{resolve.write_off} + int{resolve.restored} != 1)
    given.refuse("resolve needs exactly one of --assume-failed, --write-off and --restored");
  if (resolve.write_off) resolve.decision = ByHand::write_off;
  if (resolve.restored) resolve.decision = ByHand::restored;
  if (!resolve.restored) {
    resolve.hash = given.hash();
  } else if (!given.words.empty()) {
    given.refuse("resolve --restored takes no payment hash: it is about the whole database");
  }
}

constexpr std::int64_t look_patience_ns = 5 * ns_per_second;

Event event_of(ByHand decision) {
  if (decision == ByHand::write_off) return OperatorWritesOff{};
  return OperatorAssumesFailed{};
}

std::string_view consequence_of(ByHand decision, bool paid, bool amp) {
  if (amp && !paid && decision == ByHand::assume_failed)
    return "it will count as failed. The set id of an AMP payment can never be paid again.";
  if (paid) return "it is paid and stays paid; the attempts that are still open beside it will be closed.";
  if (decision == ByHand::write_off) return "it will be over with an unknown outcome, and can never be paid again.";
  return "it will count as failed and can be paid again. If its HTLC still settles, the money is paid twice.";
}

// --- the look before the decision ---

constexpr std::int64_t between_looks_ns = 60 * ns_per_second;  ///< a living node ends a record without an HTLC in 30 s

/// True when the node shows that the payee got the money. `paid`: we know it already, so it is no news.
bool shows_paid(const LookFinding& finding, bool paid) {
  return std::any_of(finding.events.begin(), finding.events.end(), [paid](const Event& event) {
    return std::holds_alternative<Settled>(event) || (!paid && std::holds_alternative<HashPaid>(event));
  });
}

/// True when the node calls something of the hash pending.
bool shows_pending(const LookFinding& finding) {
  return std::any_of(finding.events.begin(), finding.events.end(), [](const Event& event) {
    const auto* missing = std::get_if<NotFound>(&event);
    return std::holds_alternative<Pending>(event) || std::holds_alternative<HashBusy>(event) ||
           (missing != nullptr && missing->evidence == Evidence::not_yet);
  });
}

/// Asks the node that the call names about one payment, as often as needed.
class Witness {
 public:
  Witness(Session& session, Database& database, const Payment& payment, const StoreKnowledge& knowledge)
      : session_(session), database_(database), payment_(payment), knowledge_(knowledge) {}

  /// Nothing when the node cannot be asked: then the decision is stored without its answer (R17), with a warning.
  std::optional<LookFinding> look() {
    const auto handle = open_switch(session_);
    if (!handle) return away(handle.error());
    Switch& node = (*handle)->node();
    const auto identity = identify(session_, node, look_patience_ns);
    if (!identity) return away(identity.error());
    if (const auto wrong = wrong_switch(payment_, identity->key); wrong && wrong->code == Errc::other_switch)
      return unasked(wrong->message);
    if (const auto why = check_copy(session_, database_, node, look_patience_ns)) return away(*why);
    const auto shown = cli::look(session_, node, payment_, look_patience_ns);
    return shown ? read(**shown) : away(shown.error());
  }

 private:
  std::optional<LookFinding> away(const Error& why) {
    if (why.code != Errc::switch_unavailable || session_.clock.stop_signal() != 0) refuse(why);
    return unasked(why.message);
  }

  std::optional<LookFinding> unasked(const std::string& why) {
    session_.output.warn(fmt::format("the node was not asked ({}); your decision is stored without its answer", why),
                         payment_.request.hash);
    return std::nullopt;
  }

  std::optional<LookFinding> read(const Shown& shown) {
    LookFinding finding = interpret(payment_, shown, knowledge_);
    if (finding.alarm == Errc::switch_old_copy)
      return unasked("it was restored from an old backup and knows less than it did");
    if (finding.alarm) refuse(refusal(*finding.alarm, payment_.request.hash));
    return finding;
  }

  Session& session_;
  Database& database_;
  const Payment& payment_;
  const StoreKnowledge& knowledge_;
};

/// A copy of a request may still be on its way, and `resume` finds out.
bool may_start(const LookFinding& finding, const Payment& payment) {
  return std::any_of(finding.events.begin(), finding.events.end(), [&payment](const Event& event) {
    const auto* missing = std::get_if<NotFound>(&event);
    const Attempt* attempt = missing != nullptr ? payment.find(missing->key) : nullptr;
    return attempt != nullptr && attempt->dies() && missing->evidence == Evidence::not_yet;
  });
}

[[noreturn]] void still_there(const Session& session, const PaymentHash& hash, bool guard, bool paid) {
  const char* const what = paid ? "the node shows that this payment is paid"
                                : "the node calls an HTLC of this payment in flight; wait for its outcome";
  Error error{Errc::still_at_switch, fmt::format("{}; nothing was changed", what),
              guard ? "" : fmt::format("paytower resume {}", hash.hex())};
  refuse(guard ? with_node_hint(session, std::move(error), hash) : error);
}

/// Refuses the decision while the named node contradicts it. A pending record without an HTLC, seen twice a minute
/// apart, does not contradict it: such a record never ends; a warning says what it blocks, and it is returned.
WhyOpen look_first(Session& session, Database& database, const Payment& payment, const StoreKnowledge& knowledge,
                   bool guard) {
  const PaymentHash& hash = payment.request.hash;
  if (!session.global.switch_address) {
    session.output.warn("no --switch is named, so the node was not asked; your decision is stored without its answer",
                        hash);
    return {};
  }
  const bool paid = payment.proof().has_value();
  Witness witness(session, database, payment, knowledge);
  auto seen = witness.look();
  if (!seen) return {};
  if (shows_paid(*seen, paid)) still_there(session, hash, guard, true);
  if (!shows_pending(*seen)) return {};
  if (seen->moves) still_there(session, hash, guard, false);
  if (may_start(*seen, payment)) {
    refuse(
        Errc::still_at_switch,
        "the node may still start an HTLC of this payment, and `resume` finds out whether it does; nothing was changed",
        fmt::format("paytower resume {}", hash.hex()));
  }
  session.output.note("the node calls it pending, but has no HTLC of it: it is asked again in 60 s", true);
  const SignalGuard signals;
  session.clock.sleep_until(MonoNs{session.clock.mono().value + between_looks_ns});
  if (session.clock.stop_signal() != 0) refuse(Errc::switch_unavailable, "interrupted; nothing was changed");
  seen = witness.look();
  if (session.clock.stop_signal() != 0) refuse(Errc::switch_unavailable, "interrupted; nothing was changed");
  if (seen && (shows_paid(*seen, paid) || (shows_pending(*seen) && seen->moves))) {
    still_there(session, hash, guard, shows_paid(*seen, paid));
  }
  if (!seen || !shows_pending(*seen)) return {};
  if (std::any_of(payment.attempts.begin(), payment.attempts.end(), [](const Attempt& one) { return one.dies(); })) {
    for (const std::string& warning : seen->warnings) session.output.warn(warning, hash);
    return seen->why_open;
  }
  session.output.warn(
      "the node keeps a pending record of this hash for which it never made an HTLC: while that record stands, it "
      "refuses every payment of the hash. It goes away only when the node is stopped and the row is taken out of its "
      "table `payments`",
      hash);
  return seen->why_open;
}

// --- one payment, or what is left of it ---

/// Holds a payment's lock while the decision is stored.
class Locked {
 public:
  Locked(Database& database, const PaymentHash& hash) : locks_(database.payment_locks), hash_(hash) {
    if (locks_.try_lock(hash)) return;
    refuse(Errc::busy, "another paytower is working on this payment; nothing was changed",
           fmt::format("paytower resume {} --lock-timeout 1m", hash.hex()));
  }
  ~Locked() { locks_.unlock(hash_); }
  Locked(const Locked&) = delete;
  Locked& operator=(const Locked&) = delete;

 private:
  PaymentLocks& locks_;
  PaymentHash hash_;
};

ExitCode report(Session& session, const PaymentHash& hash, Database& database, const WhyOpen& why_open) {
  const HashState state = value_of(database.store.find(hash));
  if (state.payment) {
    print_payment(session, *state.payment, nullptr, why_open);
  } else if (const auto history = value_of(database.query.history(hash)); history && history->guard) {
    session.output.result(session.output.json() ? fmt::format("{}\n", dump(guard_json(*history->guard)))
                                                : "Recorded.\n");
  }
  return ExitCode::ok;
}

void decide_about_guard(Database& database, const PaymentHash& hash, ByHand decision, const db::Operator& by) {
  (void)value_of(decision == ByHand::write_off ? database.admin.write_off_guard(hash, by)
                                               : database.admin.release_guard(hash, by));
}

void decide_about_payment(Session& session, Database& database, Payment payment, ByHand decision,
                          const db::Operator& by) {
  const PaymentHash hash = payment.request.hash;
  // Recorded before it takes effect: a crash must not lose who decided.
  (void)value_of(database.admin.record_decision(
      decision == ByHand::write_off ? db::OperatorDecision::write_off : db::OperatorDecision::assume_failed, hash, by));
  const auto said = store_decision(session, database, std::move(payment), event_of(decision));
  if (!said) refuse(said.error());
}

/// An import left a guard beside the payment: the decision ends both. The guard of a set id stays.
bool guarded_by_import(const HashState& state) {
  return state.payment && state.payment->provenance != Provenance::native && state.guard &&
         state.guard->kind == GuardKind::in_flight && !state.guard->amp;
}

/// The decision is about the guard where there is no payment, or one that has ended.
bool about_guard(const HashState& state, ByHand decision, UnixNs now) {
  if (!state.guard) return false;
  return !state.payment || decide(*state.payment, TimedEvent{now, event_of(decision)}).refusal.has_value();
}

ExitCode resolve_one(const ResolveOptions& options, Session& session) {
  const auto database = open_database(session, db::OpenMode::read_write);
  const PaymentHash hash = find_hash(session, database.get(), *options.hash, true);
  session.output.speak_of(hash);
  if (!database) refuse(no_such_payment(*options.hash));
  const db::Operator by{user_name(), session.clock.wall()};
  const auto check = [&](const HashState& state) {
    if (!state.payment && !state.guard) refuse(no_such_payment(*options.hash));
    if (about_guard(state, options.decision, by.at)) {
      if (state.guard->amp && options.decision == ByHand::assume_failed) refuse(db::refusal_of_set_id(hash));
      return;
    }
    const auto refusal = decide(*state.payment, TimedEvent{by.at, event_of(options.decision)}).refusal;
    if (refusal) refuse(refusal_of_decision(*state.payment, *refusal));
  };
  const HashState before = value_of(database->store.find(hash));
  check(before);
  const bool paid = before.payment && before.payment->proof();
  if (!options.yes) {
    const auto consequence = consequence_of(options.decision, paid, before.payment && before.payment->amp);
    confirm_decision(session, fmt::format("Payment {}:\n{}", hash.hex(), consequence),
                     hash.hex().substr(0, typed_digits), fmt::format("paytower show {}", hash.hex()));
  }

  const Locked lock(*database, hash);
  HashState state = value_of(database->store.find(hash));
  check(state);
  Payment subject;
  subject.request.hash = hash;
  const WhyOpen why_open =
      look_first(session, *database, state.payment ? *state.payment : subject, state.knowledge, !state.payment);
  if (about_guard(state, options.decision, by.at)) {
    decide_about_guard(*database, hash, options.decision, by);
  } else {
    const bool both = guarded_by_import(state);
    decide_about_payment(session, *database, *std::move(state.payment), options.decision, by);
    if (both) decide_about_guard(*database, hash, options.decision, by);
  }
  const ExitCode code = report(session, hash, *database, why_open);
  session.output.flush();
  database->store.checkpoint_if_due();
  return code;
}

ExitCode run(const ResolveOptions& options, Session& session) {
  return options.decision == ByHand::restored ? resolve_restored(options.yes, session) : resolve_one(options, session);
}

}  // namespace

constexpr Command resolve_command = command<ResolveOptions, take, run>({
    .name = "resolve",
    .words = "[HASH|INVOICE]",
    .summary = "Settle a payment by hand when the node cannot tell",
    .about = "For a payment, or a blocked hash, whose outcome nobody can tell. Your decision, the time and your user "
             "name are recorded. With a switch named, the node is asked first, and your decision is refused while the "
             "node still shows the payment.",
    .flags = resolve_flags,
    .examples = "  paytower resolve 3f9c0d12ab8e --write-off\n"
                "  paytower --switch sim:net.sim resolve --restored",
    .asks_switch = true,
});

}  // namespace paytower::cli
