// Payments for people: one paragraph, one line, or the page of `show`.
#include "cli/output/render_text.h"

#include <algorithm>
#include <utility>

#include <fmt/core.h>

#include "cli/output/failure_text.h"
#include "cli/output/open_text.h"
#include "cli/output/render.h"
#include "cli/output/table.h"
#include "cli/output/text.h"
#include "cli/system/system.h"
#include "core/invoice/bolt11/invoice.h"

namespace paytower::cli {

namespace {

constexpr std::size_t failure_columns = 60;

/// "4711, part 2" where it is one of several.
std::string attempt_name(const Payment& payment, const Attempt& attempt) {
  const std::string name = attempt.id ? fmt::format("{}", attempt.id->value) : "-";
  return is_one_of_several(payment, attempt) ? fmt::format("{}, part {}", name, attempt.part) : name;
}

std::uint64_t open_attempts(const Payment& payment) {
  return static_cast<std::uint64_t>(
      std::count_if(payment.attempts.begin(), payment.attempts.end(), [](const Attempt& a) { return a.open(); }));
}

/// " in 3 parts, 4 attempts": nothing of parts where it went in one piece.
std::string way_text(const Payment& payment) {
  const std::uint32_t attempts = attempts_made(payment);
  if (attempts == 0) return {};
  // Parts of another user are not our attempts.
  const Attempt* const settled = payment.settled_attempt();
  const bool ours = settled != nullptr && settled->origin != AttemptOrigin::foreign;
  const std::uint32_t parts = ours ? parts_of(payment) : 0;
  return fmt::format(" in {}{}", parts > 1 ? fmt::format("{}, ", counted(parts, "part")) : "",
                     counted(attempts, "attempt"));
}

std::string paid_text(const Payment& payment) {
  const auto settled = settlement_of(payment);
  const Msat amount =
      settled && settled->first->origin == AttemptOrigin::foreign ? settled->amount : payment.request.demand.amount;
  std::string text = fmt::format("Paid {}", sat_text(amount));
  if (settled) text += fmt::format(" (fee {}{}", sat_text(settled->fee), fee_final(payment) ? ")" : " so far)");
  text += way_text(payment);
  if (payment.ended && payment.ended->value >= payment.request.created.value) {
    text += fmt::format(", {}", elapsed_text(payment.ended->value - payment.request.created.value));
  }
  text += fmt::format("\n  payment hash  {}\n  preimage      {}\n", payment.request.hash.hex(), payment.proof()->hex());
  if (const std::uint64_t open = open_attempts(payment); open > 0)
    text += fmt::format("  no result yet {}, whose fees come to it\n", counted(open, "part"));
  return text;
}

/// Nobody can pay it any more, and to call that safe is no help.
bool invoice_is_over(const Payment& payment, UnixNs now) {
  if (payment.request.invoice.empty()) return false;
  const auto invoice = decode_invoice(payment.request.invoice);
  return invoice && expired(*invoice, static_cast<std::uint64_t>(std::max<std::int64_t>(now.value, 0) / ns_per_second));
}

std::string failed_text(const Payment& payment, const WhyOpen& why) {
  if (payment.amp && payment.definitive())
    return fmt::format("Not paid: {}. Nothing is in flight.\n", why_not_paid(payment));
  if (!payment.definitive() && payment.has_watched_attempt()) {
    return "Marked as failed by hand, NOT confirmed: if its HTLC settles, you have paid. A late success is still "
           "recorded.\n";
  }
  if (why.without_htlc) {
    return fmt::format(
        "Not paid: {}. Nothing is in flight, but the node refuses this payment hash as long as it keeps its record of "
        "attempt {}.\n  payment hash  {}\n",
        why_not_paid(payment), why.without_htlc->id.value, payment.request.hash.hex());
  }
  return fmt::format("Not paid: {}. Nothing is in flight{}\n  payment hash  {}\n", why_not_paid(payment),
                     again_words(payment, SystemClock().wall()), payment.request.hash.hex());
}

/// Open attempts without a reply, which the node has never shown: copies of their requests may still be on their way.
struct Lost {
  std::uint64_t count = 0;
  const Attempt* last = nullptr;  ///< the one that can be started for the longest
};

bool dies_later(const Attempt& attempt, const Attempt& other) {
  if (!attempt.dies_at || !other.dies_at) return other.dies_at.has_value();
  return *attempt.dies_at > *other.dies_at;
}

Lost lost_of(const Payment& payment) {
  Lost lost;
  for (const Attempt& attempt : payment.attempts) {
    if (!attempt.open() || !attempt.dies() || attempt.accepted) continue;
    ++lost.count;
    if (lost.last == nullptr || dies_later(attempt, *lost.last)) lost.last = &attempt;
  }
  return lost;
}

/// "no reply to attempt 4711 has come; the node can start it until ..."
std::string lost_text(const Lost& lost, const std::string& whom) {
  const char* const them = lost.count > 1 ? "them" : "it";
  const Attempt& last = *lost.last;
  if (last.dies_at && *last.dies_at < SystemClock().wall()) {
    return fmt::format(
        "no reply to {} has come, and the node does not start {} any more; a resume that may stay for 20 s proves "
        "whether it did",
        whom, them);
  }
  const std::string block = fmt::format("block {}", *last.total_time_lock);
  const std::string until =
      last.dies_at ? fmt::format("{} ({} at the latest)", time_text(*last.dies_at), block) : block;
  return fmt::format(
      "no reply to {} has come; the node can start {} until {}, and a resume after that proves whether it did", whom,
      them, until);
}

/// REQUIRES: an attempt without a reply.
std::string unanswered_text(const Payment& payment, const Lost& lost) {
  const std::uint64_t open = open_attempts(payment);
  if (open == lost.count) {
    const std::string all =
        open == 1 ? fmt::format("attempt {}", attempt_name(payment, *lost.last)) : counted(open, "part");
    return fmt::format("In flight: {}. Do not pay again.\n", lost_text(lost, all));
  }
  const std::string some =
      lost.count == 1 ? fmt::format("part {}", lost.last->part) : fmt::format("{} of them", lost.count);
  return fmt::format("In flight: {} have no result yet: {}. Do not pay again.\n", counted(open, "part"),
                     lost_text(lost, some));
}

std::string gone_text(const AttemptKey& key) {
  return fmt::format(
      "Unknown: the node has no record of attempt {} any more; it may have been paid. Do not pay again.\n",
      key.id.value);
}

std::string channel_closed_text(const AttemptKey& key) {
  return fmt::format(
      "In flight: the node calls attempt {} pending, but the channel that it would leave by is not open any more: if "
      "it was never sent, only a start of the node after the close ends it. Do not pay again.\n",
      key.id.value);
}

std::string without_htlc_text(const AttemptKey& key) {
  return fmt::format(
      "In flight: the node calls attempt {} pending, but shows no HTLC of it: it was probably never sent, and may "
      "never end by itself. Do not pay again.\n",
      key.id.value);
}

/// Somebody else keeps the hash busy, and nothing of ours is known to be in flight.
std::string blocked_text(const Payment& payment, Blocker blocker) {
  const auto open = std::find_if(payment.attempts.begin(), payment.attempts.end(),
                                 [](const Attempt& attempt) { return attempt.open(); });
  const std::string ours =
      open == payment.attempts.end()
          ? std::string("nothing of ours is in flight")
          : fmt::format("while that lasts, nobody can tell whether attempt {} was sent", attempt_name(payment, *open));
  return fmt::format("In flight: {}; {}. Do not pay again.\n", blocker_text(blocker), ours);
}

bool any_known_in_flight(const Payment& payment) {
  return std::any_of(payment.attempts.begin(), payment.attempts.end(),
                     [](const Attempt& attempt) { return attempt.open() && (attempt.accepted || !attempt.dies()); });
}

/// What is known beyond that attempts are open. Nothing where that is all, so that their HTLCs may be held.
std::optional<std::string> why_open_text(const Payment& payment, const WhyOpen& why) {
  if (why.unasked) {
    return "In flight, as far as is known: the node cannot be asked whether there is a result by now. Do not pay "
           "again.\n";
  }
  if (why.gone) return gone_text(*why.gone);
  if (why.without_htlc) return without_htlc_text(*why.without_htlc);
  if (why.channel_closed) return channel_closed_text(*why.channel_closed);
  const bool other = why.blocker != Blocker::none && why.blocker != Blocker::closed_by_hand;
  if (other && !any_known_in_flight(payment)) return blocked_text(payment, why.blocker);
  if (const Lost lost = lost_of(payment); lost.count > 0) return unanswered_text(payment, lost);
  return std::nullopt;
}

std::string no_result_text(const Payment& payment) {
  if (const std::uint64_t open = open_attempts(payment); open > 1)
    return fmt::format("In flight: {} have no result yet. Do not pay again.\n", counted(open, "part"));
  for (const Attempt& attempt : payment.attempts) {
    if (!attempt.open()) continue;
    const std::string name = attempt.id ? fmt::format("attempt {}", attempt_name(payment, attempt)) : "an attempt";
    return fmt::format("In flight: {} has no result yet. Do not pay again.\n", name);
  }
  return "Not ended: no HTLC of ours is in flight, but the node has not confirmed that nobody else's is. Do not pay "
         "again.\n";
}

std::string open_text(const Payment& payment, const WhyOpen& why) {
  const UnixNs now = SystemClock().wall();
  const std::string facts = open_facts(payment, now, why.all_without_htlc);
  if (const auto known = why_open_text(payment, why)) return *known + facts;
  return no_result_text(payment) + facts + held_words(payment, now);
}

std::string unknown_text(const Payment& payment) {
  const bool lost = payment.end_note == EndNote::preimage_lost;
  return fmt::format("Outcome unknown: {}. It cannot be paid again.\n",
                     lost ? "money of this payment left, and nobody has the preimage any more" : "written off by hand");
}

/// Lines of "name  value".
class Facts {
 public:
  explicit Facts(const Output& output) : room_(output.stdout_is_tty() ? output.columns() : SIZE_MAX) {}

  void add(const std::string& name, const std::string& value) {
    if (value.empty()) return;
    std::string left = name;
    left.resize(std::max<std::size_t>(left.size(), 12), ' ');
    // One word, a hash or an invoice, is not broken here: from the terminal it can still be copied whole.
    const bool one_word = value.find(' ') == std::string::npos;
    text_ += fmt::format("{}\n", one_word ? fmt::format("{}  {}", left, value)
                                          : wrapped(fmt::format("{}  {}", left, value), room_, left.size() + 2));
  }
  [[nodiscard]] std::string take() && { return std::move(text_); }

 private:
  std::size_t room_;
  std::string text_;
};

std::string fee_text(const Payment& payment) {
  const auto settled = settlement_of(payment);
  const std::string limit = payment.provenance == Provenance::native
                                ? fmt::format(" (limit {})", sat_text(payment.request.demand.fee_limit))
                                : "";
  if (!settled) return fmt::format("-{}", limit);
  return sat_text(settled->fee) + (fee_final(payment) ? "" : " so far") + limit;
}

std::string status_text(const Payment& payment, const Output& output) {
  std::string text = paint_status(output, std::string(status_name(payment.status())));
  if (payment.end_note && !payment.proof()) text += fmt::format(" ({})", end_note_name(*payment.end_note));
  if (payment.late_preimage) text += " (after it had been called failed)";
  if (payment.ended_for_good() && !payment.definitive()) text += ", not confirmed";
  if (!payment.ended_for_good() && payment.stop_reason) {
    text += payment.stop_reason == FailureReason::canceled ? ", cancel requested" : ", no further attempts";
  }
  return text;
}

std::string why_failed_text(const Payment& payment) {
  if (!payment.definitive() && payment.has_watched_attempt()) return "marked as failed by hand, not confirmed";
  return why_not_paid(payment);
}

std::string facts_text(const Payment& payment, const Output& output) {
  Facts facts(output);
  facts.add(payment.amp ? "AMP set id" : "payment hash", payment.request.hash.hex());
  facts.add("index", fmt::format("{}", payment.index.value));
  facts.add("status", status_text(payment, output));
  if (payment.fail_reason && !payment.proof()) facts.add("why", why_failed_text(payment));
  facts.add("amount", sat_text(payment.request.demand.amount));
  facts.add("fee", fee_text(payment));
  if (const std::uint32_t parts = parts_of(payment); parts > 1) facts.add("parts", fmt::format("{}", parts));
  facts.add("preimage", payment.proof() ? payment.proof()->hex() : "");
  facts.add("destination",
            payment.request.demand.destination == PublicKey{} ? "" : payment.request.demand.destination.hex());
  facts.add("label", printable(payment.request.label));
  facts.add("description", printable(description_of(payment)));
  const bool native = payment.provenance == Provenance::native;
  const auto said = [native, &output](UnixNs time) {
    if (!native && time == UnixNs{}) return std::string();
    return time_text(time) +
           (output.stdout_is_tty() ? fmt::format(" ({})", relative_time(time, SystemClock().wall())) : "");
  };
  facts.add("created", said(payment.request.created));
  facts.add("ended", payment.ended ? said(*payment.ended) : "");
  if (!payment.ended_for_good()) facts.add("tries until", native ? said(payment.request.deadline) : "");
  const UnixNs now = SystemClock().wall();
  facts.add("in flight", in_flight_since(payment, now).value_or(""));
  facts.add("locked", locked_until(payment, now).value_or(""));
  if (payment.provenance != Provenance::native)
    facts.add("provenance", std::string(provenance_name(payment.provenance)));
  if (payment.duplicate_of) facts.add("duplicate of", fmt::format("{}", payment.duplicate_of->value));
  facts.add("invoice", printable(payment.request.invoice));
  return std::move(facts).take();
}

std::string failure_text(const Attempt& attempt) {
  if (!attempt.failure) return "-";
  const Failure& failure = *attempt.failure;
  std::string text = failure_place(failure);
  if (!failure.message.empty()) text += fmt::format(": {}", printable_cut(failure.message, failure_columns));
  return text;
}

std::string took_text(const Attempt& attempt) {
  if (!attempt.resolved || *attempt.resolved < attempt.registered) return "-";
  // An imported record has one time for both, or none at all.
  if (attempt.origin == AttemptOrigin::imported &&
      (*attempt.resolved == attempt.registered || attempt.registered == UnixNs{}))
    return "-";
  return elapsed_text(attempt.resolved->value - attempt.registered.value);
}

/// In the order of attempts_text's columns, without the part.
std::vector<std::string> attempt_cells(const Attempt& attempt) {
  const std::size_t hops = attempt.route.hops.size();
  const bool unsaid = attempt.origin == AttemptOrigin::imported && attempt.registered == UnixNs{};
  return {attempt.id ? fmt::format("{}", attempt.id->value) : "-",
          std::string(origin_name(attempt.origin)),
          std::string(htlc_status(attempt)),
          sat_text(attempt.amount),
          sat_text(attempt.fee),
          hops == 0 ? "-" : fmt::format("{}", hops),
          unsaid ? "-" : time_text(attempt.registered),
          took_text(attempt),
          failure_text(attempt)};
}

/// The column of the part only where there are several: a narrow terminal needs the room.
std::string attempts_text(const Payment& payment, const Output& output) {
  if (payment.attempts.empty()) return "No attempts.\n";
  const bool parts = std::any_of(payment.attempts.begin(), payment.attempts.end(),
                                 [&](const Attempt& attempt) { return is_one_of_several(payment, attempt); });
  std::vector<Column> columns{{"ATTEMPT"},    {"ORIGIN"},  {"STATUS"},     {"AMOUNT", true}, {"FEE", true},
                              {"HOPS", true}, {"STARTED"}, {"TOOK", true}, {"FAILURE"}};
  if (parts) columns.insert(columns.begin() + 1, {"PART", true});
  Table table(std::move(columns));
  for (const Attempt& attempt : payment.attempts) {
    std::vector<std::string> cells = attempt_cells(attempt);
    if (parts) cells.insert(cells.begin() + 1, fmt::format("{}", attempt.part));
    table.add(std::move(cells));
  }
  return table.take(output, parts ? 3 : 2);
}

std::string hops_text(const Payment& payment) {
  std::string text;
  for (const Attempt& attempt : payment.attempts) {
    if (attempt.route.hops.empty()) continue;
    text += fmt::format("\nRoute of attempt {}\n", attempt_name(payment, attempt));
    const bool imported = attempt.origin == AttemptOrigin::imported;  // its delays count from height 0
    for (const Hop& hop : attempt.route.hops) {
      const bool known =
          hop.channel.value != 0;  // a migrated record names neither channels nor delays, a blinded path some of them
      text += fmt::format("  {}  {}  {}",
                          known ? fmt::format("{}/{}", hop.channel.text(), hop.direction) : std::string("-"),
                          hop.node.hex(), imported && hop.amount == Msat{} ? "-" : sat_text(hop.amount));
      if (!imported) text += fmt::format("  {}", counted(hop.delay, "block"));
      if (imported && hop.delay != 0) text += fmt::format("  until block {}", hop.delay);
      text += "\n";
    }
  }
  return text;
}

/// Where an imported payment is known.
std::string ask_lnd(const PaymentHash& hash) { return fmt::format("lncli trackpayment {}", hash.hex()); }

/// What keeps a payment from its end when no attempt of it is open.
std::string nothing_of_ours_text(const Payment& payment) {
  const bool orphan = std::any_of(payment.attempts.begin(), payment.attempts.end(), [](const Attempt& attempt) {
    return attempt.failure && attempt.failure->message.rfind("never sent: the node was killed", 0) == 0;
  });
  if (!orphan) {
    return "No HTLC of ours is in flight. If the node still works on this hash, it is another user's HTLC that is "
           "awaited.\n";
  }
  return fmt::format(
      "No HTLC of ours is in flight, but the node was killed before it made one, and its record of that one never "
      "ends: it can keep this hash from being paid. To end the payment here: paytower resolve {} --assume-failed, "
      "without a switch named\n",
      payment.request.hash.hex());
}

bool is_seen(const Attempt& attempt) { return attempt.open() && attempt.dies() && attempt.accepted; }

/// What the database alone knows of attempts whose node has to be asked. Nothing where that is no more than that they
/// are open.
std::optional<std::string> without_asking(const Payment& payment) {
  if (const Lost lost = lost_of(payment); lost.count > 0) return unanswered_text(payment, lost);
  const auto seen = std::find_if(payment.attempts.begin(), payment.attempts.end(), is_seen);
  if (seen == payment.attempts.end()) return std::nullopt;
  const auto parts = std::count_if(payment.attempts.begin(), payment.attempts.end(), is_seen);
  const std::string what = parts > 1 ? counted(static_cast<std::uint64_t>(parts), "part")
                                     : fmt::format("attempt {}", attempt_name(payment, *seen));
  return fmt::format("In flight: the node has had {} since {}; only the node can tell the result. Do not pay again.\n",
                     what, time_text(*seen->accepted));
}

/// Only a look shows that the record is gone, and nothing but a decision by hand ends that.
std::string way_out_of_a_deleted_record(const Payment& payment, const Output& output) {
  if (std::none_of(payment.attempts.begin(), payment.attempts.end(), is_seen)) return {};
  return fmt::format(
      "If resume says that the node has no record of it any more, ask the payee whether it was paid, then: {} (or "
      "--assume-failed)\n",
      output.command(fmt::format("paytower resolve {} --write-off", payment.request.hash.hex())));
}

std::string next_text(const Payment& payment, const Output& output) {
  const std::string hash = payment.request.hash.hex();
  const std::string resume = fmt::format("Next: {}\n", output.command(fmt::format("paytower resume {}", hash)));
  switch (payment.status()) {
    case PaymentStatus::succeeded: return "It is paid.\n";
    case PaymentStatus::failed: break;
    case PaymentStatus::unknown:
      return "It cannot be paid again. If the switch ever shows a preimage, `resume` records it.\n";
    case PaymentStatus::initiated:
    case PaymentStatus::in_flight: break;
  }
  if (payment.status() == PaymentStatus::failed) {
    if (payment.amp) return "It is over. The set id of an AMP payment is not a payment hash, and cannot be paid.\n";
    if (payment.definitive() || !payment.has_watched_attempt()) {
      return invoice_is_over(payment, SystemClock().wall()) ? "The invoice has expired: ask the payee for a new one.\n"
                                                            : "It may be paid again.\n";
    }
    if (payment.provenance != Provenance::native) {
      return fmt::format(
          "It was marked as failed by hand, NOT confirmed: if its HTLC settles at lnd, you have paid, and a new "
          "payment pays twice.\nNext: {}\n",
          ask_lnd(payment.request.hash));
    }
    return fmt::format(
        "It was marked as failed by hand, NOT confirmed: if its HTLC settles, you have paid, and a new payment pays "
        "twice.\n{}",
        resume);
  }
  if (payment.provenance != Provenance::native) {
    return fmt::format(
        "Do not pay it again. It belongs to the lnd node that it was imported from; paytower cannot ask about "
        "it.\nNext: {}, and import lnd's file again once it has ended\n",
        ask_lnd(payment.request.hash));
  }
  std::string text = without_asking(payment).value_or("Do not pay it again.\n");
  if (!payment.has_open_attempt() && !payment.attempts.empty()) text += nothing_of_ours_text(payment);
  if (lost_of(payment).count == 0) text += held_words(payment, SystemClock().wall());
  text += resume;
  if (!payment.stop_reason) text += fmt::format("  or  {}\n", output.command(fmt::format("paytower cancel {}", hash)));
  return text + way_out_of_a_deleted_record(payment, output);
}

}  // namespace

std::uint32_t attempts_made(const Payment& payment) {
  return static_cast<std::uint32_t>(std::count_if(payment.attempts.begin(), payment.attempts.end(),
                                                  [](const Attempt& a) { return a.origin == AttemptOrigin::own; }));
}

std::string counted(std::uint64_t count, const std::string& noun) {
  const bool hiss = noun.back() == 'h';  // hashes
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : hiss ? "es" : "s");
}

std::string elapsed_text(std::int64_t ns) {
  const std::int64_t tenths = ns / (100 * ns_per_ms);
  if (tenths < 600) return fmt::format("{}.{} s", tenths / 10, tenths % 10);
  const std::int64_t seconds = ns / ns_per_second;
  if (seconds < 3600) return fmt::format("{} min {} s", seconds / 60, seconds % 60);
  return fmt::format("{} h {} min", seconds / 3600, seconds % 3600 / 60);
}

std::string again_words(const Payment& payment, UnixNs now) {
  return invoice_is_over(payment, now) ? ". The invoice has expired: ask the payee for a new one."
                                       : "; it is safe to pay again.";
}

std::string blocker_text(Blocker blocker) {
  switch (blocker) {
    case Blocker::none:
    case Blocker::closed_by_hand: return {};
    case Blocker::other_user: return "another user of the node is paying this payment hash";
    case Blocker::other_check:
      return "a paytower with another database is checking this payment hash at the node, which takes up to two "
             "minutes";
    case Blocker::unfinished:
      return "the node keeps an unfinished record of this payment hash that is not ours; it ends with its owner, or "
             "when the node starts again";
  }
  return {};
}

std::string outcome_text(const Payment& payment, const WhyOpen& why_open) {
  switch (payment.status()) {
    case PaymentStatus::succeeded: return paid_text(payment);
    case PaymentStatus::failed: return failed_text(payment, why_open);
    case PaymentStatus::unknown: return unknown_text(payment);
    case PaymentStatus::initiated:
    case PaymentStatus::in_flight: break;
  }
  return open_text(payment, why_open);
}

std::string outcome_line(const Payment& payment, const Output& output) {
  std::string text = fmt::format("{}  {}  {}", payment.request.hash.hex(),
                                 paint_status(output, std::string(status_name(payment.status()))),
                                 sat_text(payment.request.demand.amount));
  if (payment.fail_reason && !payment.proof()) text += fmt::format("  {}", why_failed_text(payment));
  return fmt::format("{}\n", text);
}

ExitCode exit_code_of(const Payment& payment) {
  switch (payment.status()) {
    case PaymentStatus::succeeded: return ExitCode::ok;
    case PaymentStatus::failed: return ExitCode::payment_failed;
    case PaymentStatus::unknown:
    case PaymentStatus::initiated:
    case PaymentStatus::in_flight: return ExitCode::outcome_unknown;
  }
  return ExitCode::outcome_unknown;
}

std::string next_command(const Payment& payment, const WhyOpen& why_open) {
  if (payment.ended_for_good()) return {};
  if (why_open.gone) return fmt::format("paytower resolve {} --write-off", payment.request.hash.hex());
  return fmt::format("paytower resume {}", payment.request.hash.hex());
}

std::optional<std::string> foreign_settlement(const Payment& payment) {
  const auto settled = settlement_of(payment);
  if (!settled || settled->first->origin != AttemptOrigin::foreign) return std::nullopt;
  return fmt::format("another user of this node paid this hash: {}, fee {}{}", sat_text(settled->amount),
                     sat_text(settled->fee),
                     settled->first->id ? fmt::format(", their attempt {}", settled->first->id->value) : "");
}

std::string overpayment_text(Msat more) {
  return fmt::format(
      "an attempt was marked as failed by hand, NOT confirmed: if its HTLC settles as well, the payee gets up to {} "
      "too much",
      sat_text(more));
}

std::string payment_page(const Payment& payment, const std::vector<Payment>& older_tries,
                         const std::vector<Payment>& duplicates, bool omit_hops, const Output& output) {
  std::string text = fmt::format("{}\n{}", facts_text(payment, output), attempts_text(payment, output));
  if (!omit_hops) text += hops_text(payment);
  const auto add = [&](const char* title, const Payment& other) {
    text += fmt::format("\n{}\n{}\n{}", title, facts_text(other, output), attempts_text(other, output));
  };
  for (const Payment& older : older_tries) add("Earlier try", older);
  for (const Payment& duplicate : duplicates) add("Duplicate", duplicate);
  if (const Msat more = possible_overpayment(payment, older_tries); more > Msat{})
    text += fmt::format("\nWarning: {}.\n", overpayment_text(more));
  return fmt::format("{}\n{}", text, for_reader(output, next_text(payment, output)));
}

namespace {

/// Never names a command that takes the protection away: people do next what is written here.
std::string_view why_blocked(const Guard& guard) {
  if (guard.amp) return "This is the set id of an AMP payment, not a payment hash: it is never payable.";
  switch (guard.kind) {
    case GuardKind::in_flight:
      return "lnd had this payment in flight when it was imported: the hash stays blocked until it is known what "
             "became of it.";
    case GuardKind::paid_without_record:
      return "lnd says that this hash is paid, but its record could not be read: it stays blocked.";
    case GuardKind::paid_deleted: return "This payment was deleted. It was paid, so the hash stays blocked.";
    case GuardKind::written_off:
      return "This payment was written off, or its outcome is unknown: the hash stays blocked.";
  }
  return "The hash stays blocked.";
}

}  // namespace

std::string guard_page(const Guard& guard, const Output& output) {
  Facts facts(output);
  facts.add(guard.amp ? "AMP set id" : "payment hash", guard.hash.hex());
  facts.add("blocked as", std::string(guard_kind_name(guard.kind)));
  facts.add("amount", guard.amount ? sat_text(*guard.amount) : "");
  facts.add("preimage", guard.preimage ? guard.preimage->hex() : "");
  facts.add("destination", guard.destination ? guard.destination->hex() : "");
  facts.add("since", time_text(guard.since));
  std::string text = fmt::format("{}\n{}", why_blocked(guard), std::move(facts).take());
  if (guard.kind == GuardKind::in_flight) text += fmt::format("\nNext: {}\n", ask_lnd(guard.hash));
  return text;
}

}  // namespace paytower::cli
