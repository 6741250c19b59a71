// The table of foreign words, and the hint that is made of a row.
#include "cli/arguments/foreign.h"

#include <algorithm>
#include <array>

#include <fmt/core.h>

#include "cli/output/text.h"
#include "core/base/number.h"
#include "core/base/types.h"

namespace paytower::cli {

namespace {

constexpr auto known = std::to_array<ForeignWord>({
    // Commands of lncli and lightning-cli.
    {"", "pay", "send", "send INVOICE"},
    {"", "xpay", "send", "send INVOICE"},
    {"", "renepay", "send", "send INVOICE"},
    {"", "payinvoice", "send", "send INVOICE"},
    {"", "sendpayment", "send", "send INVOICE"},
    {"", "sendpay", "send --routes", "send INVOICE --routes FILE"},
    {"", "sendtoroute", "send --routes", "send INVOICE --routes FILE"},
    {"", "getroute", "send --dry-run", "send INVOICE --dry-run"},
    {"", "getroutes", "send --dry-run", "send INVOICE --dry-run"},
    {"", "queryroutes", "send --dry-run", "send INVOICE --dry-run"},
    {"", "estimateroutefee", "send --dry-run", "send INVOICE --dry-run"},
    // A payment without an invoice and without the payee's hash and secret is not made: nobody could prove it.
    {"", "keysend", "send --dest, with the hash and the secret that the payee has given",
     "send --dest PUBKEY --payment-hash H --payment-secret S --amt A"},
    {"", "fetchinvoice", "send, with a BOLT 11 invoice: offers are not paid", "send INVOICE"},
    {"", "listpays", "list", "list"},
    {"", "listsendpays", "list", "list"},
    {"", "listpayments", "list", "list"},
    {"", "paystatus", "show", "show HASH"},
    {"", "lookuppayment", "show", "show HASH"},
    {"", "lookupinvoice", "show", "show HASH"},
    {"", "trackpayment", "show", "show HASH"},
    {"", "waitsendpay", "resume", "resume HASH"},
    {"", "delpay", "delete", "delete HASH"},
    {"", "deletepayments", "delete --all", "delete --all"},
    {"", "autoclean", "delete --all", "delete --all --older-than 30d"},
    {"", "autoclean-status", "stats", "stats"},
    {"", "autoclean-once", "delete --all", "delete --all --older-than 30d"},
    {"", "decodeinvoice", "decode", "decode INVOICE"},
    {"", "decodepay", "decode", "decode INVOICE"},
    {"", "decodepayreq", "decode", "decode INVOICE"},
    {"", "invoice", "simulate invoice", "simulate invoice --amt 250sat"},
    {"", "addinvoice", "simulate invoice", "simulate invoice --amt 250sat"},
    {"", "getinfo", "config", "config"},
    {"", "listconfigs", "config", "config"},
    {"", "querymc", "stats", "stats"},
    // What other tools call it.
    {"", "payments", "list", "list"},
    {"", "history", "list", "list"},
    {"", "pending", "list --status open", "list --status open"},
    {"", "export", "list --format csv", "list --max-payments 0 --format csv"},
    {"", "get", "show", "show HASH"},
    {"", "lookup", "show", "show HASH"},
    {"", "retry", "resume", "resume"},
    {"", "continue", "resume", "resume"},
    {"", "abort", "cancel", "cancel HASH"},
    {"", "stop", "cancel", "cancel HASH"},
    {"", "rm", "delete", "delete HASH"},
    {"", "remove", "delete", "delete HASH"},
    {"", "upgrade", "migrate", "migrate"},
    {"", "import", "migrate --from-lnd", "migrate --from-lnd CHANNEL_DB"},
    {"", "verify", "check", "check"},
    {"", "settings", "config", "config"},
    {"", "version", "--version", "--version"},

    // Flags of send. Core Lightning counts in msat, lncli in sat.
    {"send", "--amount_msat", "--amt", "send INVOICE --amt {}msat"},
    {"send", "--amount-msat", "--amt", "send INVOICE --amt {}msat"},
    {"send", "--amt_msat", "--amt", "send INVOICE --amt {}msat"},
    {"send", "--amount", "--amt", "send INVOICE --amt {}sat"},
    {"send", "--amt_sat", "--amt", "send INVOICE --amt {}sat"},
    {"send", "-a", "--amt", "send INVOICE --amt {}sat"},
    {"send", "--maxfee", "--fee-limit", "send INVOICE --fee-limit {}msat"},
    {"send", "--exemptfee", "--fee-limit", "send INVOICE --fee-limit {}msat"},
    {"send", "--fee_limit_msat", "--fee-limit", "send INVOICE --fee-limit {}msat"},
    {"send", "--fee_limit", "--fee-limit", "send INVOICE --fee-limit {}sat"},
    {"send", "--fee_limit_sat", "--fee-limit", "send INVOICE --fee-limit {}sat"},
    {"send", "--max-fee", "--fee-limit", "send INVOICE --fee-limit {}sat"},
    {"send", "--maxfeepercent", "--fee-limit-percent", "send INVOICE --fee-limit-percent {}"},
    {"send", "--maxdelay", "--cltv-limit", "send INVOICE --cltv-limit {}"},
    {"send", "--maxparts", "--max-parts", "send INVOICE --max-parts {}"},
    {"send", "--retry-for", "--timeout", "send INVOICE --timeout {}s"},
    {"send", "--retry_for", "--timeout", "send INVOICE --timeout {}s"},
    {"send", "--timeout_seconds", "--timeout", "send INVOICE --timeout {}s"},
    {"send", "--keysend", "--dest, with the hash and the secret that the payee has given",
     "send --dest PUBKEY --payment-hash H --payment-secret S --amt A"},
    {"send", "--retries", "--max-attempts", "send INVOICE --max-attempts {}"},
    {"send", "--force", "--yes", "send INVOICE --yes"},
    {"send", "-f", "--yes", "send INVOICE --yes"},
    {"send", "--pay_req", "INVOICE", "send INVOICE"},
    {"send", "--payment_request", "INVOICE", "send INVOICE"},
    {"send", "--invstring", "INVOICE", "send INVOICE"},
    {"send", "--invoice", "INVOICE", "send INVOICE"},
    {"send", "--bolt11", "INVOICE", "send INVOICE"},
    {"send", "-d", "--dest", "send --dest PUBKEY --payment-hash H --payment-secret S --amt A"},
    {"send", "--destination", "--dest", "send --dest PUBKEY --payment-hash H --payment-secret S --amt A"},
    {"send", "--description", "--label", "send INVOICE --label {}"},

    // Flags of the others.
    {"list", "--limit", "--max-payments", "list --max-payments {}"},
    {"list", "-n", "--max-payments", "list --max-payments {}"},
    {"list", "--max", "--max-payments", "list --max-payments {}"},
    {"list", "--all", "--max-payments 0", "list --max-payments 0"},
    {"list", "--offset", "--index-offset", "list --index-offset {}"},
    {"list", "--reverse", "--paginate-forwards", "list --paginate-forwards"},
    {"list", "--creation_date_start", "--since", "list --since {}"},
    {"list", "--creation_date_end", "--until", "list --until {}"},
    {"list", "--start_date", "--since", "list --since {}"},
    {"list", "--end_date", "--until", "list --until {}"},
    {"list", "--from", "--since", "list --since {}"},
    {"list", "--after", "--since", "list --since {}"},
    {"list", "--to", "--until", "list --until {}"},
    {"list", "--before", "--until", "list --until {}"},
    {"list", "--include_incomplete", "the default", "list"},
    {"list", "--pending", "--status open", "list --status open"},
    {"list", "--csv", "--format csv", "list --format csv"},
    {"list", "--payment_hash", "show", "show {}"},
    {"list", "--bolt11", "decode", "decode INVOICE"},
    {"show", "--payment_hash", "HASH", "show {}"},
    {"resume", "--timeout", "--wait", "resume --wait {}s"},
    {"cancel", "--payment_hash", "HASH", "cancel {}"},
    {"delete", "--payment_hash", "HASH", "delete {}"},
    {"delete", "--failed", "--all", "delete --all"},
    {"delete", "--failed_only", "--all", "delete --all"},
    {"delete", "--force", "--yes", "delete HASH --yes"},
    {"delete", "-f", "--yes", "delete HASH --yes"},
    {"delete", "--age", "--older-than", "delete --all --older-than {}s"},
    {"delete", "--before", "--older-than", "delete --all --older-than 30d"},
    {"decode", "--pay_req", "INVOICE", "decode INVOICE"},
    {"decode", "--bolt11", "INVOICE", "decode INVOICE"},

    // How the node is named.
    {"", "--lnddir", "--switch", "--switch lnd:{} config"},
    {"", "--rpcserver", "--switch", "--switch lnd:localhost:8080 config"},
    {"", "--tlscertpath", "--tls-cert", "--switch lnd:localhost:8080 --tls-cert FILE config"},
    {"", "--macaroonpath", "--macaroon", "--switch lnd:localhost:8080 --macaroon FILE config"},
    {"", "--lightning-dir", "--switch", "--switch cln:{}/bitcoin/lightning-rpc config"},
    {"", "--rpc-file", "--switch", "--switch cln:{} config"},
    {"", "--network", "--switch", "config"},

    // What the nodes call a status.
    {"--status", "paid", "succeeded", "list --status succeeded"},
    {"--status", "complete", "succeeded", "list --status succeeded"},
    {"--status", "completed", "succeeded", "list --status succeeded"},
    {"--status", "settled", "succeeded", "list --status succeeded"},
    {"--status", "success", "succeeded", "list --status succeeded"},
    {"--status", "pending", "open", "list --status open"},
    {"--status", "inflight", "in_flight", "list --status in_flight"},
    {"--status", "held", "in_flight", "list --status in_flight"},
    {"--status", "active", "open", "list --status open"},
    {"--status", "error", "failed", "list --status failed"},
    {"--status", "expired", "failed", "list --status failed"},
    {"--status", "canceled", "failed", "list --status failed"},
    {"--status", "cancelled", "failed", "list --status failed"},
    {"--format", "json", "--json", "list --json"},
    {"--format", "prometheus", "prom", "stats --format prom"},
});

const ForeignWord* find(std::string_view where, std::string_view word) {
  const auto found = std::find_if(known.begin(), known.end(),
                                  [&](const ForeignWord& row) { return row.where == where && row.word == word; });
  return found == known.end() ? nullptr : &*found;
}

bool is_flag(std::string_view argument) { return argument.size() > 1 && argument.front() == '-'; }

/// What `flag` was given in the call: behind = or as the next word.
std::optional<std::string_view> given_to(std::string_view flag, std::span<const std::string> arguments) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string_view argument = arguments[i];
    if (argument.substr(0, argument.find('=')) != flag) continue;
    if (argument.size() > flag.size() + 1) return argument.substr(flag.size() + 1);
    if (i + 1 < arguments.size() && !is_flag(arguments[i + 1])) return arguments[i + 1];
  }
  return std::nullopt;
}

/// The first word of the call that is a whole payment hash and no flag's value: that may be a secret.
std::optional<std::string_view> hash_in(std::span<const std::string> arguments) {
  constexpr std::string_view key = "payment_hash=";
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    std::string_view word = arguments[i];
    if (i > 0 && is_flag(arguments[i - 1])) continue;
    if (word.substr(0, key.size()) == key) word.remove_prefix(key.size());
    if (PaymentHash::from_hex_text(word)) return word;
  }
  return std::nullopt;
}

/// {} and the unit behind it become the value: with its own unit as it is, a bare number with the unit that the other
/// program counts in.
std::string with_value(std::string_view way, const std::optional<std::string_view>& value) {
  const std::size_t gap = way.find("{}");
  if (gap == std::string_view::npos) return std::string(way);
  const std::string_view behind = way.substr(gap + 2);
  const bool path = behind.empty() || behind.front() == ' ' || behind.front() == '/';
  const std::size_t unit = path ? 0 : std::min(behind.find(' '), behind.size());
  if (!value) return fmt::format("{}VALUE{}", way.substr(0, gap), behind.substr(unit));
  const bool bare = whole_number(*value).has_value();
  return fmt::format("{}{}{}", way.substr(0, gap), shell_word(*value), behind.substr(bare ? 0 : unit));
}

std::string hint_of(const ForeignWord& row, std::span<const std::string> arguments) {
  std::string way = with_value(row.way, given_to(row.word, arguments));
  if (const std::size_t gap = way.find("HASH"); gap != std::string::npos) {
    if (const auto hash = hash_in(arguments)) way.replace(gap, 4, *hash);
  }
  return fmt::format("paytower {}", way);
}

}  // namespace

std::span<const ForeignWord> foreign_words() { return known; }

std::optional<Error> foreign_command(std::string_view word, std::span<const std::string> arguments) {
  const ForeignWord* row = is_flag(word) ? nullptr : find("", word);
  if (row == nullptr) return std::nullopt;
  return Error{Errc::usage, fmt::format("unknown command {}; here it is {}", in_quotes(word), row->ours),
               hint_of(*row, arguments)};
}

std::optional<Error> foreign_flag(std::string_view command, std::string_view argument,
                                  std::span<const std::string> arguments) {
  const std::string_view flag = argument.substr(0, argument.find('='));
  const ForeignWord* row = find(command, flag);
  if (row == nullptr && is_flag(flag)) row = find("", flag);
  if (row == nullptr) return std::nullopt;
  const std::string name = command.empty() ? std::string() : fmt::format("{}: ", command);
  return Error{Errc::usage, fmt::format("{}unknown option {}; here it is {}", name, in_quotes(flag), row->ours),
               hint_of(*row, arguments)};
}

std::optional<Error> foreign_value(std::string_view flag, std::string_view word) {
  const ForeignWord* row = find(fmt::format("--{}", flag), word);
  if (row == nullptr) return std::nullopt;
  return Error{Errc::usage, fmt::format("{} is {} here", in_quotes(word), row->ours),
               fmt::format("paytower {}", row->way)};
}

}  // namespace paytower::cli
