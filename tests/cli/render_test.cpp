// Goal: one payment object, the same keys in the same order whatever happened. Method: whole documents compared as
// text.
#include <doctest/doctest.h>

#include <random>
#include <set>
#include <string>

#include "cli/output/json.h"
#include "cli/output/open_text.h"
#include "cli/output/render.h"
#include "cli/output/render_text.h"
#include "cli/output/text.h"
#include "cli/system/system.h"

using namespace paytower;
using namespace paytower::cli;

namespace {

PublicKey node(std::uint8_t last) {
  PublicKey key;
  key.bytes[0] = 2;
  key.bytes[32] = last;
  return key;
}

Payment paid_payment() {
  Payment payment;
  payment.index = PaymentIndex{42};
  Preimage preimage;
  preimage.bytes[0] = 7;
  payment.request.hash = hash_of(preimage);
  payment.request.demand.amount = Msat::of(250'000);
  payment.request.demand.fee_limit = Msat::of(5'000);
  payment.request.demand.destination = node(9);
  payment.request.label = "rent";
  payment.request.created = UnixNs{1'738'000'000'123'456'789};
  payment.request.deadline = UnixNs{1'738'000'060'000'000'000};
  Attempt attempt;
  attempt.id = AttemptId{4711};
  attempt.route.hops = {Hop{ShortChannelId{879609302220865537}, 0, node(8), Msat::of(251'012), 58},
                        Hop{ShortChannelId{879609302220865538}, 1, node(9), Msat::of(250'000), 18}};
  attempt.amount = Msat::of(250'000);
  attempt.fee = Msat::of(1'012);
  attempt.registered = payment.request.created;
  attempt.resolved = UnixNs{1'738'000'003'500'000'000};
  attempt.outcome = AttemptOutcome::settled;
  attempt.preimage = preimage;
  payment.attempts.push_back(attempt);
  payment.preimage = preimage;
  payment.ended = attempt.resolved;
  return payment;
}

Json payment_json(const Payment& payment) { return Json::parse(payment_text(PaymentView{&payment})); }

/// The same payment, failed: the one attempt ended with `failure`.
Payment failed_payment(FailureReason reason, Failure failure) {
  Payment payment = paid_payment();
  payment.preimage.reset();
  payment.fail_reason = reason;
  Attempt& attempt = payment.attempts.front();
  attempt.preimage.reset();
  attempt.outcome = AttemptOutcome::failed;
  attempt.failure = std::move(failure);
  return payment;
}

/// How the words of a failed payment end.
std::string safe_end(const Payment& payment) {
  return ". Nothing is in flight; it is safe to pay again.\n  payment hash  " + payment.request.hash.hex() + "\n";
}

}  // namespace

TEST_CASE("a paid payment") {
  const Payment payment = paid_payment();
  const std::string hash = payment.request.hash.hex();
  const std::string preimage = payment.preimage->hex();
  CHECK(dump(payment_json(payment)) ==
        "{\"payment_hash\":\"" + hash +
            "\",\"payment_index\":\"42\",\"status\":\"SUCCEEDED\",\"definitive\":true,\"end_note\":null,\"failure_"
            "reason\":\"FAILURE_REASON_NONE\",\"failure_detail\":null,\"value_msat\":250000,\"fee_msat\":1012,"
            "\"fee_final\":true,\"parts\":1,\"fee_limit_msat\":5000,\"payment_preimage\":\"" +
            preimage + "\",\"payment_request\":null,\"destination\":\"" + node(9).hex() +
            "\",\"label\":\"rent\",\"description\":null,\"creation_time_ns\":\"1738000000123456789\",\"deadline_ns\":"
            "\"1738000060000000000\",\"cancel_requested\":false,\"provenance\":\"native\",\"amp\":false,\"htlcs\":[{"
            "\"attempt_id\":\"4711\",\"part\":0,\"origin\":\"own\",\"htlc_hash\":null,\"status\":\"SUCCEEDED\","
            "\"attempt_time_ns\":\"1738000000123456789\",\"accepted_time_ns\":null,\"resolve_time_ns\":"
            "\"1738000003500000000\",\"locked_until_height\":null,\"preimage\":\"" +
            preimage +
            "\",\"failure\":null,\"route\":{\"total_time_lock\":null,\"total_amt_msat\":251012,\"total_fees_msat\":"
            "1012,\"hops\":[{\"chan_id\":\"879609302220865537\",\"scid\":\"800000x1x1\",\"pub_key\":\"" +
            node(8).hex() +
            "\",\"amt_to_forward_msat\":250000,\"fee_msat\":1012,\"delay\":58,\"expiry\":null},{\"chan_id\":"
            "\"879609302220865538\",\"scid\":\"800000x1x2\",\"pub_key\":\"" +
            node(9).hex() +
            "\",\"amt_to_forward_msat\":250000,\"fee_msat\":0,\"delay\":18,\"expiry\":null}]}}],\"duplicate_of\":null,"
            "\"duplicates\":[],\"tries\":[],\"imported_raw\":[]}");
  CHECK(outcome_text(payment) == "Paid 250 sat (fee 1.012 sat) in 1 attempt, 3.3 s\n  payment hash  " + hash +
                                     "\n  preimage      " + preimage + "\n");
  CHECK(exit_code_of(payment) == ExitCode::ok);
}

TEST_CASE("the height at which the first HTLC expires, of a hand-over that names heights") {
  Payment payment = paid_payment();
  payment.attempts.front().total_time_lock = 800'058;
  for (const bool omit_hops : {false, true}) {
    PaymentView view;
    view.payment = &payment;
    view.omit_hops = omit_hops;
    const Json route = Json::parse(payment_text(view))["htlcs"][0]["route"];
    CHECK(route["total_time_lock"] == 800'058);
    CHECK(route["hops"].empty() == omit_hops);
  }
}

TEST_CASE("a failed payment shows its reason and no preimage") {
  Payment payment =
      failed_payment(FailureReason::no_route, Failure{FailureCode::temporary_channel_failure,
                                                      1,
                                                      ChannelDirection{ShortChannelId{879609302220865538}, 1},
                                                      {},
                                                      "no\x1b[31m \xff way"});
  const Json json = payment_json(payment);
  CHECK(json["status"] == "FAILED");
  CHECK(json["definitive"] == true);
  CHECK(json["failure_reason"] == "FAILURE_REASON_NO_ROUTE");
  CHECK(json["fee_msat"] == 0);
  CHECK(json["payment_preimage"] == nullptr);
  CHECK(dump(json["htlcs"][0]["failure"]) ==
        "{\"code\":\"TEMPORARY_CHANNEL_FAILURE\",\"wire_code\":4103,\"failure_source_index\":1,\"chan_id\":"
        "\"879609302220865538\",\"message\":\"no\\u001b[31m \\ufffd way\"}");
  const std::string last = "the last attempt failed with TEMPORARY_CHANNEL_FAILURE at hop 1 (800000x1x2)";
  CHECK(outcome_text(payment) == "Not paid: no route left after 1 attempt: " + last + safe_end(payment));
  Payment refused = payment;
  Attempt& final_one = refused.attempts.back();
  final_one.failure->source_index = static_cast<std::uint32_t>(final_one.route.hops.size());
  CHECK(outcome_text(refused).find(
            "attempt: the payee refused the last attempt with TEMPORARY_CHANNEL_FAILURE at hop ") != std::string::npos);
  CHECK(dump(json["failure_detail"]) == "{\"code\":\"attempts_failed\",\"message\":\"" + last +
                                            "\",\"fee_msat\":null,\"delay\":null,\"switch_message\":null}");
  CHECK(exit_code_of(payment) == ExitCode::payment_failed);
  payment.attempts.clear();
  CHECK(outcome_text(payment) == "Not paid: no route" + safe_end(payment));
}

TEST_CASE("why there is no route, in one sentence and with its numbers") {
  Payment payment = paid_payment();
  payment.preimage.reset();
  payment.attempts.clear();
  payment.fail_reason = FailureReason::no_route;
  payment.request.demand.fee_limit = Msat::of(10'000);
  const auto said = [&](const FailureDetail& detail) {
    payment.failure_detail = detail;
    return outcome_text(payment);
  };
  const std::string end = safe_end(payment);
  CHECK(said({DetailCode::fee_limit, Msat::of(12'500), 40, {}, {}, {}}) ==
        "Not paid: the cheapest route costs 12.5 sat, --fee-limit allows 10 sat" + end);
  CHECK(dump(payment_json(payment)["failure_detail"]) ==
        "{\"code\":\"fee_limit\",\"message\":\"the cheapest route costs 12.5 sat, --fee-limit allows 10 "
        "sat\",\"fee_msat\":12500,\"delay\":40,\"switch_message\":null}");
  CHECK(said(detail_of(DetailCode::unexplained)) == "Not paid: no route" + end);
  CHECK(payment_json(payment)["failure_detail"] == nullptr);
  // The node's error text is untrusted.
  CHECK(said({DetailCode::unexplained, {}, {}, {}, {}, "no\x1b[31m way"}) ==
        "Not paid: the node finds no route: no\\x1b[31m way" + end);
  CHECK(payment_json(payment)["failure_detail"]["switch_message"] == "no\x1b[31m way");
  for (const char* words : {"no way", "no way.", "no way. \n"}) {
    CHECK(said({DetailCode::unexplained, {}, {}, {}, {}, words}) == "Not paid: the node finds no route: no way" + end);
    CHECK(said({DetailCode::no_answer, {}, {}, {}, {}, words}) ==
          "Not paid: time ran out before the node gave routes: no way" + end);
  }
  CHECK(said({DetailCode::unexplained, {}, {}, {}, {}, std::string(1'000, 'x')}).size() < 400);
  // Every code has a name of its own and a sentence.
  std::set<std::string> names;
  for (int code = 0; code <= static_cast<int>(DetailCode::no_answer); ++code) {
    const FailureDetail detail{static_cast<DetailCode>(code), {}, {}, {}, {}, "words"};
    CHECK(names.insert(std::string(detail_name(detail.code))).second);
    CHECK(said(detail).size() > end.size() + 20);
  }
  payment.late_preimage = Preimage{};
  CHECK(payment_json(payment)["failure_detail"] == nullptr);
}

TEST_CASE("attempts that are used up are told by what is stored") {
  Payment payment = failed_payment(FailureReason::no_route, Failure{FailureCode::fee_insufficient, 1, {}, {}, {}});
  payment.request.max_attempts = 1;
  Attempt& attempt = payment.attempts.front();
  CHECK(outcome_text(payment) ==
        "Not paid: the one attempt that --max-attempts allows has failed with FEE_INSUFFICIENT at hop 1" +
            safe_end(payment));
  attempt.failure->code = FailureCode::unknown_next_peer;
  attempt.failure->source_index = static_cast<std::uint32_t>(attempt.route.hops.size() - 1);
  CHECK(outcome_text(payment).find("; the payee seems to be offline. Nothing") != std::string::npos);
  attempt.failure->source_index = 0;
  CHECK(outcome_text(payment).find("offline") == std::string::npos);
  CHECK(payment_json(payment)["failure_detail"]["code"] == "attempts_used_up");
}

TEST_CASE("what the payee refuses may be unknown to it, or another amount, or too late") {
  const Payment payment = failed_payment(FailureReason::incorrect_payment_details,
                                         Failure{FailureCode::incorrect_or_unknown_payment_details, 2, {}, {}, {}});
  CHECK(outcome_text(payment) ==
        "Not paid: the payee does not know this payment, or not with this amount, or too few blocks were left when it "
        "came" +
            safe_end(payment));
}

namespace {

/// A set of two parts that the payee gave back.
Payment given_back(FailureReason reason) {
  Payment payment = failed_payment(reason, Failure{FailureCode::mpp_timeout, 2, {}, {}, {}});
  payment.attempts.front().part = 1;
  payment.attempts.push_back(payment.attempts.front());
  payment.attempts.back().part = 2;
  return payment;
}

}  // namespace

TEST_CASE("a set that the payee gave back names the part that did not arrive, and counts as show does") {
  Payment payment = given_back(FailureReason::timeout);
  CHECK(outcome_text(payment) ==
        "Not paid: time ran out after 2 attempts: the payee gave the last set of parts back, because the rest of the "
        "amount did not arrive in time (MPP_TIMEOUT at hop 2)" +
            safe_end(payment));
  Attempt lost = payment.attempts.front();
  lost.part = 3;
  lost.resolved->value -= ns_per_second;
  lost.failure = Failure{FailureCode::unknown_next_peer, 1, {}, {}, {}};
  // What failed in an earlier round is no cause.
  lost.id = AttemptId{4710};
  payment.attempts.insert(payment.attempts.begin(), lost);
  CHECK(outcome_text(payment).find("after 3 attempts: the payee gave the last set of parts back") != std::string::npos);
  payment.attempts.front().id = AttemptId{4711};
  CHECK(outcome_text(payment) ==
        "Not paid: time ran out after 3 attempts: a part of the last set failed with UNKNOWN_NEXT_PEER at hop 1, and "
        "the payee gave the others back; the payee seems to be offline" +
            safe_end(payment));
}

TEST_CASE("attempts that are used up in sets tell both counts") {
  Payment payment = given_back(FailureReason::no_route);
  payment.request.max_attempts = 2;
  payment.attempts.push_back(payment.attempts.front());
  payment.attempts.back().part = 3;
  payment.attempts.back().resolved->value -= ns_per_second;
  payment.attempts.back().failure = Failure{FailureCode::temporary_channel_failure, 1, {}, {}, {}};
  CHECK(outcome_text(payment) ==
        "Not paid: all 2 attempts that --max-attempts allows have failed (3 in all: a set of parts that the payee gave "
        "back counts once); a part of the last set failed with TEMPORARY_CHANNEL_FAILURE at hop 1, and the payee gave "
        "the others back" +
            safe_end(payment));
  payment.attempts.pop_back();
  payment.request.max_attempts = 1;
  CHECK(
      outcome_text(payment) ==
      "Not paid: the one attempt that --max-attempts allows has failed (2 in all: a set of parts that the payee gave "
      "back counts once); the payee gave the last set of parts back, because the rest of the amount did not arrive in "
      "time (MPP_TIMEOUT at hop 2)" +
          safe_end(payment));
  for (Attempt& attempt : payment.attempts) attempt.outcome = AttemptOutcome::settled;
  payment.fail_reason.reset();
  payment.preimage = paid_payment().preimage;
  CHECK(outcome_text(payment).find(" in 2 parts, 2 attempts, ") != std::string::npos);
}

TEST_CASE("a late preimage wins over the failure") {
  Payment payment = paid_payment();
  payment.late_preimage = payment.preimage;
  payment.preimage.reset();
  payment.fail_reason = FailureReason::timeout;
  const Json json = payment_json(payment);
  CHECK(json["status"] == "SUCCEEDED");
  CHECK(json["failure_reason"] == "FAILURE_REASON_NONE");
  CHECK(json["payment_preimage"] == payment.late_preimage->hex());
}

TEST_CASE("an open payment warns") {
  Payment payment = paid_payment();
  payment.preimage.reset();
  payment.ended.reset();
  Attempt& attempt = payment.attempts.front();
  attempt.preimage.reset();
  attempt.outcome.reset();
  attempt.resolved.reset();
  payment.stop_reason = FailureReason::canceled;
  const Json json = payment_json(payment);
  CHECK(json["status"] == "IN_FLIGHT");
  CHECK(json["definitive"] == false);
  CHECK(json["cancel_requested"] == true);
  CHECK(json["fee_msat"] == 1012);
  CHECK(json["htlcs"][0]["status"] == "IN_FLIGHT");
  CHECK(outcome_text(payment).find(
            "In flight: attempt 4711 has no result yet. Do not pay again.\n  in flight     since ") == 0);
  const std::string held = held_words(payment, SystemClock().wall());
  CHECK(!held.empty());
  CHECK(outcome_text(payment).find(held) != std::string::npos);
  CHECK(payment_page(payment, {}, {}, true, Output(OutputSetup{})).find("again.\n" + held + "Next: ") !=
        std::string::npos);
  // What a look has explained is not called held.
  WhyOpen orphaned;
  orphaned.without_htlc = payment.key(attempt);
  CHECK(outcome_text(payment, orphaned).find(held) == std::string::npos);
  // What was probably never sent locks no money.
  CHECK(outcome_text(payment).find("\n  money locked  ") != std::string::npos);
  orphaned.all_without_htlc = {payment.key(attempt)};
  CHECK(outcome_text(payment, orphaned).find("\n  in flight     since ") != std::string::npos);
  CHECK(outcome_text(payment, orphaned).find("money locked") == std::string::npos);
  CHECK(next_command(payment) == "paytower resume " + payment.request.hash.hex());
  CHECK(exit_code_of(payment) == ExitCode::outcome_unknown);
}

namespace {

/// An attempt at a switch that cannot tell two copies of a request apart.
Attempt dying(std::uint32_t part, std::int64_t dies_in_ns) {
  Attempt attempt;
  attempt.id = AttemptId{4711};
  attempt.part = part;
  attempt.amount = Msat::of(250'000);
  attempt.registered = UnixNs{1'738'000'000'123'456'789};
  attempt.dies_at = UnixNs{SystemClock().wall().value + dies_in_ns};
  attempt.total_time_lock = 542;
  return attempt;
}

Payment open_payment(std::vector<Attempt> attempts) {
  Payment payment = paid_payment();
  payment.preimage.reset();
  payment.ended.reset();
  payment.attempts = std::move(attempts);
  return payment;
}

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

std::string page_of(const Payment& payment) { return payment_page(payment, {}, {}, true, Output(OutputSetup{})); }

}  // namespace

TEST_CASE("without a reply: until when the node can start it, of how many") {
  constexpr std::int64_t soon = 20 * ns_per_second;
  const Attempt one = dying(1, soon);
  const Attempt later = dying(2, 2 * soon);
  Attempt seen = dying(3, soon);
  seen.accepted = seen.registered;
  const auto said = [](std::vector<Attempt> attempts) {
    return first_line(outcome_text(open_payment(std::move(attempts))));
  };
  const auto until = [](const Attempt& attempt) {
    return "until " + time_text(*attempt.dies_at) +
           " (block 542 at the latest), and a resume after that proves whether it "
           "did. Do not pay again.";
  };
  CHECK(said({one}) == "In flight: no reply to attempt 4711 has come; the node can start it " + until(one));
  CHECK(said({one, later}) == "In flight: no reply to 2 parts has come; the node can start them " + until(later));
  CHECK(said({one, seen}) ==
        "In flight: 2 parts have no result yet: no reply to part 1 has come; the node can start it " + until(one));
  CHECK(said({later, one, seen}) ==
        "In flight: 3 parts have no result yet: no reply to 2 of them has come; the node can start them " +
            until(later));
  CHECK(
      said({dying(1, -soon), seen}) ==
      "In flight: 2 parts have no result yet: no reply to part 1 has come, and the node does not start it any more; a "
      "resume that may stay for 20 s proves whether it did. Do not pay again.");
  CHECK(said({seen, dying(4, -soon), one}).find(until(one)) != std::string::npos);
  Attempt by_height = one;
  by_height.dies_at.reset();
  CHECK(said({later, by_height}).find("can start them until block 542, and a resume") != std::string::npos);
}

TEST_CASE("show cannot ask the node, but says what the database knows and what may follow") {
  const std::string hash = paid_payment().request.hash.hex();
  const std::string resume = "Next: paytower resume " + hash + "\n  or  paytower cancel " + hash + "\n";
  const std::string resolve = "paytower resolve " + hash + " --write-off";
  const Payment lost = open_payment({dying(1, 20 * ns_per_second)});
  const std::string page = page_of(lost);
  CHECK(page.find("\n" + first_line(outcome_text(lost)) + "\n" + resume) != std::string::npos);
  CHECK(page.find(resolve) == std::string::npos);
  Attempt seen = dying(1, 20 * ns_per_second);
  seen.accepted = seen.registered;
  CHECK(
      page_of(open_payment({seen}))
          .find("\nIn flight: the node has had attempt 4711 since 2025-01-27T17:46:40Z; only the node can tell the "
                "result. Do not pay again.\n" +
                resume +
                "If resume says that the node has no record of it any more, ask the payee whether it was paid, then: " +
                resolve + " (or --assume-failed)\n") != std::string::npos);
  Attempt second = seen;
  second.part = 2;
  CHECK(page_of(open_payment({seen, second})).find("the node has had 2 parts since 2025-01-27T17:46:40Z; only") !=
        std::string::npos);
  seen.total_time_lock.reset();
  seen.dies_at.reset();
  const std::string counted_by_its_node = page_of(open_payment({seen}));
  CHECK(counted_by_its_node.find("\nDo not pay it again.\n" + resume) != std::string::npos);
  CHECK(counted_by_its_node.find("resolve") == std::string::npos);
}

TEST_CASE("written off: unknown, with null for the reason") {
  Payment payment = paid_payment();
  payment.preimage.reset();
  payment.end_note = EndNote::written_off;
  Attempt& attempt = payment.attempts.front();
  attempt.preimage.reset();
  attempt.outcome = AttemptOutcome::closed;
  attempt.failure = Failure{FailureCode::written_off, {}, {}, {}, {}};
  const Json json = payment_json(payment);
  CHECK(json["status"] == "UNKNOWN");
  CHECK(json["end_note"] == "WRITTEN_OFF");
  CHECK(json["failure_reason"] == nullptr);
  CHECK(json["htlcs"][0]["status"] == "UNKNOWN");
  CHECK(json["htlcs"][0]["failure"]["failure_source_index"] == nullptr);
  CHECK(exit_code_of(payment) == ExitCode::outcome_unknown);
}

TEST_CASE("what strangers wrote is pure ASCII in JSON") {
  Payment payment = paid_payment();
  payment.request.label = "\xe2\x80\xae\xc2\x9b\x7f";
  const std::string text = dump(payment_json(payment)["label"]);
  CHECK(text == "\"\\u202e\\u009b\\u007f\"");
}

TEST_CASE("a foreign settlement names whose amounts it has") {
  Payment payment = paid_payment();
  payment.attempts.front().origin = AttemptOrigin::foreign;
  payment.attempts.front().amount = Msat::of(251'000);
  CHECK(foreign_settlement(payment) ==
        "another user of this node paid this hash: 251 sat, fee 1.012 sat, their attempt 4711");
  CHECK(outcome_text(payment).find("Paid 251 sat (fee 1.012 sat), 3.3 s\n") == 0);
  CHECK_FALSE(foreign_settlement(paid_payment()));
}

TEST_CASE("a payment in parts costs what all its settled parts cost") {
  Payment payment = paid_payment();
  Attempt second = payment.attempts.front();
  second.id = AttemptId{4712};
  second.part = 1;
  second.fee = Msat::of(500);
  Attempt failed = second;
  failed.part = 2;
  failed.outcome = AttemptOutcome::failed;
  failed.preimage.reset();
  failed.failure = Failure{};
  Attempt foreign = second;
  foreign.origin = AttemptOrigin::foreign;
  payment.attempts.insert(payment.attempts.end(), {second, failed, foreign});
  CHECK(payment_json(payment)["fee_msat"] == 1'512);
  CHECK(settlement_of(payment)->amount == Msat::of(500'000));
  CHECK(settlement_of(payment)->first == &payment.attempts.front());
  CHECK(parts_of(payment) == 2);
  CHECK(fee_final(payment));
  CHECK(outcome_text(payment).find("Paid 250 sat (fee 1.512 sat) in 2 parts, 3 attempts") == 0);
  // One part has settled, and another one has no result yet.
  payment.attempts[1].outcome.reset();
  Json json = payment_json(payment);
  CHECK(json["status"] == "SUCCEEDED");
  CHECK(json["fee_msat"] == 1'012);
  CHECK(json["fee_final"] == false);
  CHECK(json["parts"] == 2);
  const std::string said = outcome_text(payment);
  CHECK(said.find("Paid 250 sat (fee 1.012 sat so far) in 2 parts, 3 attempts") == 0);
  CHECK(said.find("\n  no result yet 1 part, whose fees come to it\n") != std::string::npos);
  // Parts under way.
  payment.attempts[0].outcome.reset();
  payment.attempts.pop_back();
  payment.preimage.reset();
  payment.ended.reset();
  CHECK_FALSE(settlement_of(payment));
  CHECK(fee_of(payment) == Msat::of(1'512));
  json = payment_json(payment);
  CHECK(json["fee_final"] == false);
  CHECK(json["parts"] == 2);
  CHECK(outcome_text(payment).find(
            "In flight: 2 parts have no result yet. Do not pay again.\n  in flight     since ") == 0);
}

TEST_CASE("another user's payment in parts: all their parts are told") {
  Payment payment = paid_payment();
  payment.attempts.front().origin = AttemptOrigin::foreign;
  payment.attempts.push_back(payment.attempts.front());
  CHECK(parts_of(payment) == 2);
  CHECK(fee_final(payment));
  CHECK(foreign_settlement(payment) ==
        "another user of this node paid this hash: 500 sat, fee 2.024 sat, their attempt 4711");
  CHECK(outcome_text(payment).find("Paid 500 sat (fee 2.024 sat), 3.3 s\n") == 0);
}

TEST_CASE("what has failed has no parts, and what is not over no final fee") {
  Payment payment = paid_payment();
  payment.preimage.reset();
  payment.ended.reset();
  payment.attempts.front().outcome = AttemptOutcome::failed;
  CHECK(parts_of(payment) == 0);
  CHECK_FALSE(fee_final(payment));
  payment.fail_reason = FailureReason::no_route;
  CHECK(fee_final(payment));
}

TEST_CASE("what the operator's word may cost: all that may have been paid beside the amount") {
  Payment newer = paid_payment();
  Payment older = newer;
  older.preimage.reset();
  older.fail_reason = FailureReason::error;
  older.attempts.push_back(older.attempts.front());
  for (Attempt& attempt : older.attempts) {
    attempt.preimage.reset();
    attempt.amount = Msat::of(125'000);
    attempt.outcome = AttemptOutcome::failed;
    attempt.failure = Failure{FailureCode::temporary_channel_failure, 1, {}, {}, {}};
  }
  const auto more = [&] { return possible_overpayment(newer, std::span(&older, 1)); };
  CHECK(more() == Msat{});
  older.attempts[1].outcome = AttemptOutcome::closed;
  older.attempts[1].failure = Failure{FailureCode::assumed_failed, {}, {}, {}, {}};
  CHECK(more() == Msat::of(125'000));
  CHECK(possible_overpayment(older, {}) == Msat{});
  newer.attempts.front().outcome.reset();
  CHECK(more() == Msat::of(125'000));
  newer.attempts.front().outcome = AttemptOutcome::failed;
  CHECK(more() == Msat{});
  // One part of two has settled late. If the other one settles too, the newer try pays a second time.
  newer.attempts.front().outcome = AttemptOutcome::settled;
  older.attempts[0].outcome = AttemptOutcome::settled;
  CHECK(more() == Msat::of(250'000));
  Output output(OutputSetup{});
  const std::string page = payment_page(newer, {older}, {}, true, output);
  CHECK(page.find("\nWarning: an attempt was marked as failed by hand, NOT confirmed: if its HTLC settles as well, the "
                  "payee gets up to 250 sat too much.\n") != std::string::npos);
  CHECK(payment_page(newer, {}, {}, true, output).find("too much") == std::string::npos);
}

TEST_CASE("the page of a payment in parts names each part") {
  Payment payment = paid_payment();
  payment.attempts.front().part = 1;
  payment.attempts.push_back(payment.attempts.front());
  payment.attempts.back().part = 2;
  Output output(OutputSetup{});
  const std::string page = payment_page(payment, {}, {}, false, output);
  CHECK(page.find("\nparts         2\n") != std::string::npos);
  CHECK(page.find("ATTEMPT  PART  ORIGIN") != std::string::npos);
  CHECK(page.find("4711        2  own") != std::string::npos);
  CHECK(page.find("Route of attempt 4711, part 1\n") != std::string::npos);
  CHECK(page.find("Route of attempt 4711, part 2\n") != std::string::npos);
  CHECK(payment_page(paid_payment(), {}, {}, false, output).find("PART") == std::string::npos);
}

TEST_CASE("a second try in one piece is no part") {
  Payment payment = paid_payment();
  payment.attempts.push_back(payment.attempts.front());
  payment.attempts.front().part = 1;
  payment.attempts.back().part = 2;
  payment.attempts.back().id = AttemptId{4712};
  const std::string page = payment_page(payment, {}, {}, false, Output(OutputSetup{}));
  CHECK(page.find("PART") == std::string::npos);
  CHECK(page.find("Route of attempt 4712\n") != std::string::npos);
  CHECK(name_of(payment, payment.key(payment.attempts.back())) == "attempt 4712");
  payment.attempts.back().id = AttemptId{4711};
  CHECK(name_of(payment, payment.key(payment.attempts.back())) == "attempt 4711, part 2");
}

TEST_CASE("ends that no node on the way has told are said in words") {
  const auto page = [](FailureCode code) {
    return page_of(failed_payment(FailureReason::timeout, Failure{code, {}, {}, {}, {}}));
  };
  CHECK(page(FailureCode::not_executed).find("the node never started it\n") != std::string::npos);
  CHECK(page(FailureCode::erased).find("the node has erased why it failed\n") != std::string::npos);
  CHECK(page(FailureCode::fenced).find("called off before the node started it\n") != std::string::npos);
  CHECK(page(FailureCode::no_debit).find("it ended without payment, and its record is gone\n") != std::string::npos);
  CHECK(page(FailureCode::unreadable).find("an answer that nobody could read\n") != std::string::npos);
  Payment excluded = failed_payment(FailureReason::no_route, Failure{FailureCode::unreadable, {}, {}, {}, {}});
  excluded.request.max_parts = 16;
  excluded.failure_detail = detail_of(DetailCode::excluded);
  CHECK(outcome_text(excluded).find("/1 (an answer that nobody could read)") != std::string::npos);
  CHECK(payment_json(excluded)["htlcs"][0]["failure"]["code"] == "UNREADABLE");
  CHECK(page(FailureCode::mpp_timeout).find("MPP_TIMEOUT\n") != std::string::npos);
  Payment payment = failed_payment(FailureReason::no_route, Failure{FailureCode::mpp_timeout, {}, {}, {}, {}});
  CHECK(payment_json(payment)["htlcs"][0]["failure"]["code"] == "MPP_TIMEOUT");
  payment.attempts.front().failure->code = FailureCode::not_executed;
  payment.request.max_attempts = 1;
  CHECK(outcome_text(payment).find(
            "the one attempt that --max-attempts allows has failed: the node never started it") != std::string::npos);
}

TEST_CASE("a failure of an imported record whose code has no name keeps its number") {
  Payment payment = paid_payment();
  Attempt& attempt = payment.attempts.front();
  attempt.origin = AttemptOrigin::imported;
  attempt.outcome = AttemptOutcome::failed;
  attempt.preimage.reset();
  attempt.failure = Failure{static_cast<FailureCode>(17), 2, {}, {}, {}};
  CHECK(dump(payment_json(payment)["htlcs"][0]["failure"]) ==
        "{\"code\":\"UNKNOWN_CODE\",\"wire_code\":17,\"failure_source_index\":2,\"chan_id\":null,\"message\":\"\"}");
  attempt.failure->code = FailureCode::unknown_code;
  CHECK(payment_json(payment)["htlcs"][0]["failure"]["wire_code"] == nullptr);
}

TEST_CASE("an imported route: heights as lnd has them, and null for what a blinded path does not say") {
  Payment payment = paid_payment();
  Attempt& attempt = payment.attempts.front();
  attempt.origin = AttemptOrigin::imported;
  attempt.route.hops = {Hop{ShortChannelId{1}, 0, node(7), Msat::of(1'200), 800'160},
                        Hop{ShortChannelId{2}, 0, node(8), Msat::of(1'100), 800'120},
                        Hop{ShortChannelId{}, 0, node(9), Msat{}, 0}};
  attempt.amount = Msat::of(1'000);
  const Json hops = payment_json(payment)["htlcs"][0]["route"]["hops"];
  const auto all = [&hops](const char* key) { return dump(Json::array({hops[0][key], hops[1][key], hops[2][key]})); };
  CHECK(all("amt_to_forward_msat") == "[1100,null,1000]");
  CHECK(all("fee_msat") == "[100,null,null]");
  CHECK(all("expiry") == "[800120,null,null]");
  CHECK(all("delay") == "[null,null,null]");
  CHECK(all("chan_id") == "[\"1\",\"2\",null]");
}

TEST_CASE("spans of time") {
  CHECK(elapsed_text(0) == "0.0 s");
  CHECK(elapsed_text(3'450'000'000) == "3.4 s");
  CHECK(elapsed_text(125 * ns_per_second) == "2 min 5 s");
  CHECK(elapsed_text(7'260 * ns_per_second) == "2 h 1 min");
}

TEST_CASE("JSON that is written as text is what a tree would say") {
  std::mt19937 random(7);
  for (int round = 0; round < 2'000; ++round) {
    std::string text;
    for (std::size_t i = random() % 12; i > 0; --i)
      text += static_cast<char>(random() % 4 == 0 ? random() % 256 : 'a' + random() % 26);
    if (round == 0) text = "\"\\/\b\f\n\r\t \x7f\xc3\xa9\xf0\x9f\x98\x80\xed\xa0\x80";
    std::string written;
    JsonWriter(written).text(text);
    CHECK(written == dump(Json(text)));
  }
  Payment payment = paid_payment();
  payment.request.label = "\"\xc3\xa9\n\xff";
  payment.request.created = UnixNs{-1};
  Payment older = payment;
  older.attempts.push_back(older.attempts.front());
  const std::vector<Payment> tries{older, older};
  const std::string text = payment_text(PaymentView{&payment, false, tries, tries});
  CHECK(dump(Json::parse(text)) == text);
  CHECK(Json::parse(text)["tries"][1]["htlcs"].size() == 2);
}
