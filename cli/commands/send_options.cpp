// The flags of `send`, and what they may be combined with.
#include "cli/commands/send_options.h"

#include <array>
#include <utility>

#include <fmt/core.h>

#include "cli/commands/batch_line.h"
#include "cli/input/payable_text.h"
#include "cli/output/text.h"
#include "core/base/limits.h"
#include "core/base/refuse.h"

namespace paytower::cli {

namespace {

// --- values of flags ---

void read_amt(SendOptions& send, const Value& value) {
  send.amount = read_amount_above_0(value, "nothing is paid with an amount of 0");
}

void read_dest(SendOptions& send, const Value& value) {
  send.dest = read_bytes<PublicKey>(value, "node key");
  if (send.dest->bytes[0] != 2 && send.dest->bytes[0] != 3)
    refuse(Errc::usage, "--dest is not a node key: it begins with 02 or 03");
}

void read_payment_hash(SendOptions& send, const Value& value) {
  send.payment_hash = read_bytes<PaymentHash>(value, "payment hash");
}

void read_payment_secret(SendOptions& send, const Value& value) {
  send.payment_secret = read_bytes<PaymentSecret>(value, "payment secret");
}

void read_fee_limit(SendOptions& send, const Value& value) { send.fee_limit = read_amount(value); }

void read_fee_percent(SendOptions& send, const Value& value) {
  send.fee_limit = value_of(parse_percent(value.text), value);
}

void read_channel(SendOptions& send, const Value& value) {
  const auto channel = ShortChannelId::parse(value.text);
  if (!channel)
    refuse_value(value, fmt::format("{} is not a channel id (800000x1x1, or the decimal form)", in_quotes(value.text)));
  send.outgoing_channels.push_back(*channel);
  if (send.outgoing_channels.size() > limits::max_outgoing_channels) {
    refuse(Errc::usage, fmt::format("--outgoing-chan-id may be given {} times", limits::max_outgoing_channels));
  }
}

void read_label(SendOptions& send, const Value& value) {
  send.label = value.text;
  if (send.label.size() > limits::max_label_bytes)
    refuse(Errc::usage, fmt::format("--label is longer than {} bytes", limits::max_label_bytes));
}

void read_timeout(SendOptions& send, const Value& value) {
  send.timeout_ns = read_duration(value);
  if (send.timeout_ns == 0) refuse_value(value, "no attempt could be made in 0");
}

// --- lines of the config file that no flag raises ---

void read_max_amount(SendOptions& send, const Value& value) { send.allowed.max_amount = read_amount(value); }
void read_max_day(SendOptions& send, const Value& value) { send.allowed.max_day = read_amount(value); }
void read_max_fee_ppm(SendOptions& send, const Value& value) {
  send.allowed.max_fee_ppm = static_cast<std::uint32_t>(read_whole(value, 0, 1'000'000));
}

constexpr unsigned of_the_operator = is::configurable | is::in_file_alone | is::of_the_call;

// --- the table ---

std::string fee_words() {
  return fmt::format("the larger of {} and {} % of the amount", amount_text(least_default_fee),
                     default_fee.units / Percent::units_per_percent);
}

std::string attempts_words() { return fmt::format("{}; in parts {}", attempts_in_one_part, attempts_in_parts); }

std::string parts_words() { return fmt::format("{} where the payee takes parts, else 1", default_parts); }

constexpr auto send_flags = std::to_array<Flag>({
    {"amt", "A", "amount, for an invoice without one and for --dest (1000sat, 250000msat, 0.001btc)",
     into::by<read_amt>, is::of_one_payment},
    {"dest", "PUBKEY", "pay this node without an invoice; needs --payment-hash, --payment-secret and --amt",
     into::by<read_dest>, is::of_one_payment},
    {"payment-hash", "H", "with --dest: what the payee settles, 64 hex digits", into::by<read_payment_hash>,
     is::of_one_payment},
    {"payment-secret", "S", "with --dest: the payee's secret for it, 64 hex digits", into::by<read_payment_secret>,
     is::of_one_payment},
    {"final-cltv-delta", "N", "with --dest: the payee's final CLTV delta, in blocks (default: {})",
     into::whole<&SendOptions::final_cltv_delta, 1, limits::max_cltv_delta>, "18", is::of_one_payment},
    {"routes", "FILE|-",
     "try these routes in order: JSON of lncli queryroutes or buildroute, Core Lightning getroutes or getroute",
     into::text<&SendOptions::routes>, is::of_one_payment},
    {"fee-limit", "A", "pay at most this fee (default: {})", into::by<read_fee_limit>, fee_words, is::configurable,
     "fee-limit-percent"},
    {"fee-limit-percent", "P", "pay at most this share as fee, up to 4 decimals, rounded down to 1 msat",
     into::by<read_fee_percent>, is::configurable, "fee-limit"},
    {"cltv-limit", "N", "lock funds for at most this many blocks (default: {})",
     into::whole<&SendOptions::cltv_limit, 1, limits::max_cltv_delta>, "2016", is::configurable},
    {"max-attempts", "N", "make at most this many attempts, over all resumes together (default: {})",
     into::whole<&SendOptions::max_attempts, 1, limits::max_attempts>, attempts_words, is::configurable},
    {"max-parts", "N", "pay in at most this many parts at once (default: {})",
     into::whole<&SendOptions::max_parts, 1, limits::max_parts>, parts_words, is::configurable},
    {"outgoing-chan-id", "SCID", "leave only through this channel (may be repeated)", into::by<read_channel>,
     is::repeatable},
    {"label", "TEXT", "a note that is stored with the payment", into::by<read_label>, is::of_one_payment},
    {"timeout", "DUR", "no new attempt after this time (default: {}); stored, so resume keeps to it",
     into::by<read_timeout>, "60s", is::configurable},
    {"wait", "DUR|forever|0", "how long this command stays (default: {}); 0 hands over and leaves",
     into::wait<&SendOptions::wait_ns>, "5m", is::configurable | is::of_the_call},
    {"idempotent", "a payment of the same parameters that is paid or open is joined, not refused",
     into::on<&SendOptions::idempotent>},
    {"no-memory", "ignore what other payments have met; what failed in this one stays excluded",
     into::on<&SendOptions::no_memory>, is::of_the_call},
    {"inflight-updates", "with --json: one line at every change, the last is the result",
     into::on<&SendOptions::inflight_updates>, is::of_the_call | is::of_one_payment},
    {"on-end", "COMMAND", "run this program when a payment ends, its JSON on stdin; no shell, words split at blanks",
     into::program<&SendOptions::on_end>, is::configurable | is::of_the_call},
    {"batch", "FILE|-", "pay every line: a JSON object with `invoice` and these flags as keys, `_` for `-`",
     into::text<&SendOptions::batch_path>, is::of_the_call},
    {"parallel", "N", "with --batch: up to N payments at a time (default: {}, at most 483)",
     into::whole<&SendOptions::parallel, 1, limits::max_batch_parallel>, "100", is::of_the_call},
    {"max-total", "A", "with --batch: send nothing where all lines together ask for more",
     into::amount<&SendOptions::max_total>, is::of_the_call},
    {"max-fee-total", "A", "with --batch: send nothing where all fee limits together are more",
     into::amount<&SendOptions::max_fee_total>, is::of_the_call},
    {"yes,y", "do not ask", into::on<&SendOptions::yes>, is::of_the_call},
    {"dry-run,n", "say what would happen; nothing is sent or stored", into::on<&SendOptions::dry_run>, is::of_the_call},
    {"max-amount", "A", "the most that one payment may pay", into::by<read_max_amount>, of_the_operator},
    {"max-day", "A", "the most that payments begun within 24 hours may pay together", into::by<read_max_day>,
     of_the_operator},
    {"max-fee-ppm", "N", "the highest fee limit, in millionths of the amount", into::by<read_max_fee_ppm>,
     of_the_operator},
});

// --- what goes with what ---

DirectPayee direct_payee(const SendOptions& send, const Given& given) {
  if (!send.payment_hash || !send.payment_secret || !send.amount)
    given.refuse("--dest needs --payment-hash, --payment-secret and --amt");
  return DirectPayee{*send.dest, *send.payment_hash, *send.payment_secret, send.final_cltv_delta};
}

/// What stdin gives already cannot be asked for there.
void refuse_taken_stdin(const SendOptions& send, const Given& given) {
  if (given.words.size() != 1 || given.words.front() != "-") return;
  if (send.routes == "-") given.refuse("the invoice and the routes cannot both be read from stdin");
  if (send.yes || send.dry_run) return;
  refuse(Errc::not_confirmed,
         "the invoice is read from stdin, so nobody can be asked there: add --yes; nothing was sent");
}

void take_one(SendOptions& send, const Given& given) {
  if (send.dest) {
    if (!given.words.empty()) given.refuse("name an invoice or --dest, not both");
    send.payee = direct_payee(send, given);
  } else {
    given.need({"payment-hash", "payment-secret", "final-cltv-delta"}, "--dest");
    refuse_taken_stdin(send, given);
    send.payee = read_payable(given);
  }
  given.need({"parallel", "max-total", "max-fee-total"}, "--batch");
  // With --dest it would show the payment secret.
  if (!send.yes && !send.dest)
    send.rehearsal = fmt::format("paytower send INVOICE{} --dry-run", given.said_flags({"inflight-updates"}));
  if (send.inflight_updates && !given.has("json")) given.refuse("--inflight-updates goes only with --json");
}

/// `call`: flags of the call that are the defaults of its lines.
SendOptions read_line(const Given& call, const Surroundings& surroundings, std::string_view text) {
  BatchLine line = value_of(parse_batch_line(text, send_flags));
  Given single = call;
  single.outside = &surroundings;
  single.words = std::move(line.words);
  for (auto& [name, values] : line.flags) single.flags.insert_or_assign(name, std::move(values));
  SendOptions send;
  fill_options(&send, single);
  if (send.routes == "-") refuse(Errc::usage, "routes of a line stand in a file, not in stdin");
  return send;
}

std::shared_ptr<const BatchOptions> batch_of(SendOptions& send, const Given& given) {
  for (const Flag& flag : send_flags) {
    if (flag.has(is::of_one_payment)) given.exclude("batch", flag.name);
  }
  if (!given.words.empty()) given.refuse("name an invoice or --batch, not both");
  auto batch = std::make_shared<BatchOptions>();
  batch->path = std::move(send.batch_path);
  batch->parallel = send.parallel;
  batch->wait_ns = send.wait_ns;
  batch->yes = send.yes;
  batch->no_memory = send.no_memory;
  batch->on_end = send.on_end;
  batch->allowed = send.allowed;
  batch->max_total = send.max_total;
  batch->max_fee_total = send.max_fee_total;
  batch->dry_run = send.dry_run;
  // Without the totals, which would only be refused again.
  batch->rehearsal = fmt::format("paytower send{} --dry-run", given.said_flags({"yes", "max-total", "max-fee-total"}));
  batch->again = fmt::format("paytower send{} --yes --idempotent", given.said_flags({"yes", "idempotent"}));
  Given defaults = given;
  for (const char* name : {"batch", "parallel", "max-total", "max-fee-total"}) defaults.flags.erase(name);
  Surroundings surroundings;  // a line has no stdin of its own
  surroundings.now = given.outside->now;
  batch->read_line = [defaults, surroundings](std::string_view text) -> Result<SendOptions> {
    return result_of([&] { return read_line(defaults, surroundings, text); });
  };
  return batch;
}

void take(SendOptions& send, const Given& given) {
  if (given.has("batch")) {
    send.batch = batch_of(send, given);
  } else {
    take_one(send, given);
  }
}

}  // namespace

SendOptions standard_send() {
  SendOptions send;
  store_flags(&send, send_flags, Given{}, UnixNs{});
  return send;
}

std::string read_payable(const Given& given) {
  const std::string& word = given.word("an invoice");
  if (word != "-") return value_of(payable_text(word));
  const auto& standard_input = given.outside->standard_input;
  if (!standard_input) refuse(Errc::usage, "the invoice of a line stands in the line, not in stdin");
  return value_of(payable_text(value_of(standard_input())));
}

constexpr Command send_command = command<SendOptions, take, run_send>({
    .name = "send",
    .words = "[INVOICE|-]",
    .summary = "Pay a BOLT 11 invoice",
    .about =
        "Pays INVOICE (also behind lightning:, or in a bitcoin: URI; - reads it from stdin, with --yes), or the node "
        "that\n"
        "--dest names. Each attempt is recorded before it is handed to the switch, so the outcome is never lost: exit "
        "4\n"
        "means that it is not known yet; run `paytower resume`, never pay again.",
    .flags = send_flags,
    .examples = "  paytower send lnbc2500u1pvjlu...\n"
                "  paytower send lnbc1pvjlu... --amt 250sat --fee-limit-percent 0.5 --yes\n"
                "  paytower send lnbc2500u1pvjlu... --yes --json | jq -r .payment_preimage\n"
                "  paytower send --batch payroll.ndjson --yes --idempotent > results.ndjson",
    .asks_switch = true,
    .pays = true,
});

}  // namespace paytower::cli
