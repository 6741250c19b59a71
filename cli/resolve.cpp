#include <utility>

#include "cli/commands.h"
#include "cli/operator_word.h"
#include "cli/outcome.h"
#include "cli/refuse.h"
#include "cli/render.h"
#include "cli/render_text.h"
#include "cli/restored.h"
#include "core/driver_admission.h"
#include "core/look.h"

namespace paytower::cli {

namespace {

using Word = ResolveOptions::Word;

constexpr std::int64_t look_patience_ns = 5 * ns_per_second;
constexpr std::size_t typed_digits = 8;

Happening happening_of(Word word) {
  if (word == Word::write_off) return OperatorWritesOff{};
  return OperatorAssumesFailed{};
}

std::string consequence_of(Word word, const PaymentHash& hash, bool paid) {
  const std::string start = "Payment " + hash.hex() + ":\n";
  if (paid) return start + "it is paid and stays paid; the attempts that are still open beside it will be closed.";
  if (word == Word::write_off) return start + "it will be over with an unknown outcome, and can never be paid again.";
  return start + "it will count as failed and can be paid again. If its HTLC still settles, the money is paid twice.";
}

// --- the look before the word ----------------------------------------------------------------------------------------

/// True when the switch shows that money of the hash still moves, or has arrived. Of a paid hash everybody knows the latter.
bool contradicts(const LookFinding& finding, bool paid) {
  for (const Happening& event : finding.events) {
    if (std::holds_alternative<Pending>(event) || std::holds_alternative<HashBusy>(event) || std::holds_alternative<Settled>(event)) return true;
    if (!paid && std::holds_alternative<HashPaid>(event)) return true;
    if (const auto* missing = std::get_if<NotFound>(&event); missing != nullptr && missing->evidence == Evidence::not_yet) return true;
  }
  return false;
}

LookFinding ask_switch(Session& session, const Payment& payment, const StoreKnowledge& knowledge) {
  const auto handle = open_switch(session);
  const IdentityAnswer identity = identify(session, handle->node(), look_patience_ns);
  if (const auto wrong = wrong_switch(payment, identity.key); wrong && wrong->code == Errc::other_switch) throw RefusalError(*wrong);
  return interpret(payment, look(session, handle->node(), payment.request.hash, oldest_marks(payment), look_patience_ns), knowledge);
}

/// The operator's word is refused while the switch that was named contradicts it.
void look_first(Session& session, const Payment& payment, const StoreKnowledge& knowledge) {
  if (!session.global.switch_address) return;
  LookFinding finding;
  try {
    finding = ask_switch(session, payment, knowledge);
  } catch (const SwitchError& error) {
    refuse(Errc::switch_unavailable,
           std::string(error.what()) + "; nothing was changed. Name no switch to decide without it (--config none, PAYTOWER_SWITCH unset)");
  }
  if (finding.alarm) throw RefusalError(refusal_of(payment, *finding.alarm));
  if (contradicts(finding, payment.proof().has_value())) {
    refuse(Errc::still_at_switch, "the switch still shows this payment, so its outcome will be known; nothing was changed",
           "paytower resume " + payment.request.hash.hex());
  }
}

// --- one payment, or what is left of it ------------------------------------------------------------------------------

/// Holds a payment's lock while the word is said.
class Locked {
 public:
  Locked(Database& database, const PaymentHash& hash) : locks_(database.payment_locks), hash_(hash) {
    if (locks_.try_lock(hash)) return;
    refuse(Errc::busy, "another paytower is driving this payment; nothing was changed", "paytower show " + hash.hex());
  }
  ~Locked() { locks_.unlock(hash_); }
  Locked(const Locked&) = delete;
  Locked& operator=(const Locked&) = delete;

 private:
  PaymentLocks& locks_;
  PaymentHash hash_;
};

ExitCode report(Session& session, const PaymentHash& hash, Database& database) {
  const HashState state = database.store.find(hash);
  if (state.payment) {
    print_payment(session, *state.payment);
  } else if (const auto history = database.query.history(hash); history && history->guard) {
    session.output.result(session.output.json() ? dump(guard_json(*history->guard)) + "\n" : "Recorded.\n");
  }
  return ExitCode::ok;
}

void say_about_guard(Database& database, const PaymentHash& hash, Word word, const db::Speaker& speaker) {
  const auto done = word == Word::write_off ? database.admin.write_off_guard(hash, speaker) : database.admin.release_guard(hash, speaker);
  if (!done) throw RefusalError(done.error());
}

void say_about_payment(Session& session, Database& database, Payment payment, Word word, const db::Speaker& speaker) {
  const PaymentHash hash = payment.request.hash;
  // Said before it takes effect: the record of who said it must not be lost behind a crash.
  database.admin.record_word(word == Word::write_off ? db::OperatorWord::write_off : db::OperatorWord::assume_failed, hash, speaker);
  const auto said = say_word(session, database, std::move(payment), happening_of(word));
  if (!said) throw RefusalError(said.error());
}

/// The guard is meant where there is no payment, or only one that has ended properly.
bool about_guard(const HashState& state, Word word, UnixNs now) {
  if (!state.guard) return false;
  return !state.payment || decide(*state.payment, Event{now, happening_of(word)}).refusal.has_value();
}

ExitCode resolve_one(const ResolveOptions& options, Session& session) {
  const auto database = open_database(session, db::OpenMode::read_write);
  const PaymentHash hash = find_hash(session, database.get(), *options.hash, true);
  if (!database) throw RefusalError(no_such_payment(*options.hash));
  const db::Speaker speaker{user_name(), session.clock.wall()};
  const auto check = [&](const HashState& state) {
    if (!state.payment && !state.guard) throw RefusalError(no_such_payment(*options.hash));
    if (about_guard(state, options.word, speaker.at)) return;
    const auto refusal = decide(*state.payment, Event{speaker.at, happening_of(options.word)}).refusal;
    if (refusal) throw RefusalError(refusal_of_word(*state.payment, *refusal));
  };
  const HashState before = database->store.find(hash);
  check(before);
  const bool paid = before.payment && before.payment->proof();
  if (!options.yes) confirm_word(session, consequence_of(options.word, hash, paid), hash.hex().substr(0, typed_digits));

  const Locked lock(*database, hash);
  HashState state = database->store.find(hash);
  check(state);
  Payment subject;
  subject.request.hash = hash;
  look_first(session, state.payment ? *state.payment : subject, state.knowledge);
  if (about_guard(state, options.word, speaker.at)) {
    say_about_guard(*database, hash, options.word, speaker);
  } else {
    say_about_payment(session, *database, *std::move(state.payment), options.word, speaker);
  }
  const ExitCode code = report(session, hash, *database);
  session.output.flush();
  database->store.checkpoint_if_due();
  return code;
}

}  // namespace

ExitCode run(const ResolveOptions& options, Session& session) {
  return options.word == Word::restored ? resolve_restored(options.yes, session) : resolve_one(options, session);
}

}  // namespace paytower::cli
