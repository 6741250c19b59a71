#include "cli/arguments/command_table.h"

#include <algorithm>
#include <array>

#include "cli/switches.h"

namespace paytower::cli {

namespace {

const std::array<FlagSpec, 14>& global_table() {
  static const std::string switch_help = "what forwards the payments: " + switch_kinds_clause();
  static const std::array<FlagSpec, 14> table{{
      {"db", 0, "PATH", "database file (default: $XDG_DATA_HOME/paytower/payments.db)", false, true},
      {"switch", 0, "ADDR", switch_help, false, true},
      {"node-user", 0, "USER", "with cln: the node may run as this user (name or number), beside you and root", false,
       true},
      {"tls-cert", 0, "FILE", "with lnd: its certificate (default: that of its folder)", false, true},
      {"macaroon", 0, "FILE",
       "with lnd: the macaroon to show it (default: paytower.macaroon of its folder, or admin.macaroon)", false, true},
      {"config", 0, "FILE|none", "config file (default: $XDG_CONFIG_HOME/paytower/config)"},
      {"json", 0, {}, "one JSON document on stdout, errors as JSON on stderr", false, true},
      {"quiet", 'q', {}, "no notes on stderr", false, true},
      {"verbose", 'v', {}, "a line on stderr for each change of state; -vv for each step", false, true},
      {"color", 0, "WHEN", "auto, always or never", false, true},
      {"no-input", 0, {}, "never ask: what would need an answer is exit 10", false, true},
      {"lock-timeout", 0, "DUR",
       "wait this long for another paytower (default: 0s for a payment, 30s for the database)", false, true},
      {"help", 'h', {}, "show help"},
      {"version", 'V', {}, "show the version; with -v also the versions of libraries"},
  }};
  return table;
}

constexpr std::array<FlagSpec, 22> send_flags{{
    {"amt", 0, "A", "amount, for an invoice without one and for --dest (1000sat, 250000msat, 0.001btc)"},
    {"dest", 0, "PUBKEY", "pay this node without an invoice; needs --payment-hash, --payment-secret and --amt"},
    {"payment-hash", 0, "H", "with --dest: what the payee settles, 64 hex digits"},
    {"payment-secret", 0, "S", "with --dest: the payee's secret for it, 64 hex digits"},
    {"final-cltv-delta", 0, "N", "with --dest: blocks that the payee wants (default: 18)"},
    {"routes", 0, "FILE|-",
     "try these routes in order: JSON of lncli queryroutes or buildroute, Core Lightning getroutes or getroute"},
    {"fee-limit", 0, "A", "pay at most this fee (default: the larger of 5sat and 1 % of the amount)", false, true},
    {"fee-limit-percent", 0, "P", "pay at most this share as fee, up to 4 decimals, rounded down to 1 msat", false,
     true},
    {"cltv-limit", 0, "N", "lock funds for at most this many blocks (default: 2016)", false, true},
    {"max-attempts", 0, "N", "make at most this many attempts, over all resumes together (default: 20; in parts 84)",
     false, true},
    {"max-parts", 0, "N", "pay in at most this many parts at once (default: 16 where the payee takes parts, else 1)",
     false, true},
    {"outgoing-chan-id", 0, "SCID", "leave only through this channel (may be repeated)", true},
    {"label", 0, "TEXT", "a note that is stored with the payment"},
    {"timeout", 0, "DUR", "no new attempt after this time (default: 60s); stored, so resume keeps to it", false, true},
    {"wait", 0, "DUR|forever|0", "how long this command stays (default: 5m); 0 hands over and leaves", false, true},
    {"idempotent", 0, {}, "a payment of the same parameters that is paid or open is joined, not refused"},
    {"no-memory", 0, {}, "weigh nothing that other payments met; what failed in this one stays excluded"},
    {"inflight-updates", 0, {}, "with --json: one line at every change, the last is the result"},
    {"batch", 0, "FILE|-", "pay every line: a JSON object with `invoice` and these flags as keys, `_` for `-`"},
    {"parallel", 0, "N", "with --batch: so many payments at once (default: 100, at most 483)"},
    {"yes", 'y', {}, "do not ask"},
    {"dry-run", 'n', {}, "say what would happen; nothing is sent or stored"},
}};

constexpr std::array<FlagSpec, 4> resume_flags{{
    {"all", 0, {}, "every open payment (the same as naming none)"},
    {"wait", 0, "DUR|forever|0", "how long this command stays (default: 60s)", false, true},
    {"no-retry", 0, {}, "only collect results; hand nothing over"},
    {"inflight-updates", 0, {}, "with --json: one line at every change, the last is the result"},
}};

constexpr std::array<FlagSpec, 12> list_flags{{
    {"status", 0, "S,...", "only these: initiated, in_flight, succeeded, failed, unknown; open = the first two"},
    {"max-payments", 0, "N", "rows of the page (default: 25); 0 = all"},
    {"index-offset", 0, "N", "the page before this index (behind it with --paginate-forwards)"},
    {"paginate-forwards", 0, {}, "oldest first; otherwise the newest page"},
    {"since", 0, "T", "created at or after T (unix seconds, RFC 3339, or an age such as 90d)"},
    {"until", 0, "T", "created at or before T"},
    {"label", 0, "TEXT", "only payments with exactly this label"},
    {"count-total-payments", 0, {}, "also count all payments of the database"},
    {"omit-hops", 0, {}, "leave the hops out of the JSON"},
    {"format", 0, "FORMAT", "table, tsv, csv or ndjson (default: table on a TTY, tsv in a pipe)"},
    {"guards", 0, {}, "list what is kept of deleted or imported hashes instead"},
    {"quarantine", 0, {}, "list what a migration could not read instead"},
}};

constexpr std::array<FlagSpec, 1> show_flags{{
    {"omit-hops", 0, {}, "leave the hops out"},
}};

constexpr std::array<FlagSpec, 1> cancel_flags{{
    {"dry-run", 'n', {}, "say what would happen; nothing is stored"},
}};

constexpr std::array<FlagSpec, 4> resolve_flags{{
    {"assume-failed", 0, {}, "it is dead and may be paid again; a late success is still recorded"},
    {"write-off", 0, {}, "it is over, outcome unknown, and never payable again"},
    {"restored", 0, {}, "this database is an old copy: take in what the switch shows of it"},
    {"yes", 'y', {}, "do not ask"},
}};

constexpr std::array<FlagSpec, 7> delete_flags{{
    {"all", 0, {}, "every failed payment instead of named ones"},
    {"include-non-failed", 0, {}, "with --all: paid and unknown ones too"},
    {"failed-htlcs-only", 0, {}, "keep the payments, delete only their failed HTLCs"},
    {"older-than", 0, "DUR", "with --all: only what ended longer ago than this"},
    {"forget", 0, {}, "keep no guard: a paid hash can be paid again. Asks for the first 8 digits"},
    {"dry-run", 'n', {}, "say what would be deleted"},
    {"yes", 'y', {}, "do not ask"},
}};

constexpr std::array<FlagSpec, 7> migrate_flags{{
    {"status", 0, {}, "say which version the database has and what is pending; exit 0 up to date, 8 otherwise"},
    {"to", 0, "N", "go up to this version (default: the newest)"},
    {"backup", 0, "PATH|none", "where the copy goes that is made first (default: DATABASE.v<old>.bak)"},
    {"strict", 0, {}, "if anything cannot be read, change nothing (exit 8) instead of setting it aside"},
    {"dry-run", 'n', {}, "the same report; nothing is changed"},
    {"from-lnd", 0, "CHANNEL_DB",
     "take in lnd's payments: its channel.db, channel.sqlite, lnd.sqlite, or its folder; lnd must not run"},
    {"assume-v04", 0, {}, "with --from-lnd: read databases before version 3 as lnd 0.4 wrote them"},
}};

constexpr std::array<FlagSpec, 3> stats_flags{{
    {"since", 0, "T", "payments created at or after T (unix seconds, RFC 3339, or an age such as 90d)"},
    {"until", 0, "T", "payments created at or before T"},
    {"format", 0, "FORMAT", "table, json, or prom for node_exporter's textfile collector (default: table)"},
}};

constexpr std::array<FlagSpec, 5> network_flags{{
    {"out", 0, "PATH", "the new file"},
    {"seed", 0, "N", "the same seed makes the same network (default: 1)"},
    {"nodes", 0, "N", "how many nodes, with our own (default: 20)"},
    {"channels", 0, "N", "how many channels (default: 60)"},
    {"import", 0, "FILE", "take nodes and channels from lncli describegraph or Core Lightning listchannels JSON"},
}};

constexpr std::array<FlagSpec, 6> invoice_flags{{
    {"amt", 0, "A|any", "the amount; any = the payer chooses"},
    {"node", 0, "NAME", "who is paid (default: a node several hops away)"},
    {"expiry", 0, "DUR", "how long it can be paid (default: 1h)"},
    {"description", 0, "TEXT", "what it is for"},
    {"hold", 0, "DUR|forever", "the payee keeps the HTLC this long before it answers"},
    {"fail", 0, "CODE[@HOP][xN]", "its attempts fail with this BOLT 4 code, at this hop, N times"},
}};

constexpr std::array<FlagSpec, 1> release_flags{{
    {"fail", 0, "CODE", "the held HTLC fails with this BOLT 4 code instead of settling"},
}};

constexpr std::array<FlagSpec, 2> serve_flags{{
    {"socket", 0, "PATH", "the Unix socket to listen on"},
    {"faults", 0, "SPEC", "what goes wrong: KIND[=VALUE]@METHOD[:N], separated by commas; see the manual page"},
}};

constexpr std::array<CommandSpec, 18> command_table{{
    {"send", "[INVOICE|-]", "Pay a BOLT 11 invoice",
     "Pays INVOICE (also behind lightning:, or in a bitcoin: URI; - reads it from stdin, with --yes), or the node "
     "that\n"
     "--dest names. Each attempt is recorded before it is handed to the switch, so the outcome is never lost: exit 4\n"
     "means that it is not known yet; run `paytower resume`, never pay again.",
     send_flags,
     "  paytower send lnbc2500u1pvjlu...\n"
     "  paytower send lnbc1pvjlu... --amt 250sat --fee-limit-percent 0.5 --yes\n"
     "  paytower send lnbc2500u1pvjlu... --yes --json | jq -r .payment_preimage\n"
     "  paytower send --batch payroll.ndjson --yes --idempotent > results.ndjson"},
    {"resume", "[HASH...]", "Take up payments whose outcome is open",
     "Asks the switch about every payment that is INITIATED or IN_FLIGHT (or about the named ones), collects\n"
     "results, and goes on within the limits that `send` stored. Safe to run at any time, also from cron.",
     resume_flags,
     "  paytower resume\n"
     "  paytower resume 3f9c0d12ab8e --wait 10m\n"
     "  paytower resume --no-retry --quiet"},
    {"list", "", "List payments", "The newest page, in ascending order. In a pipe: tab-separated values.", list_flags,
     "  paytower list\n"
     "  paytower list --status open\n"
     "  paytower list --since 90d --max-payments 0 --format csv > payments.csv",
     "ls"},
    {"show", "HASH", "Show one payment with all its attempts",
     "The facts, the attempts, and what may be done next. Exit 0 whatever the status.", show_flags,
     "  paytower show 3f9c0d12ab8e\n"
     "  paytower show 3f9c0d12ab8e --json | jq .status"},
    {"cancel", "HASH", "Stop a payment: no further attempts",
     "A durable word that any process heeds. Results of what is in flight are still collected: exit 4 while\n"
     "something is open, 0 when the payment is over.",
     cancel_flags, "  paytower cancel 3f9c0d12ab8e"},
    {"resolve", "[HASH]", "End by your own word what the switch cannot end",
     "For a payment, or a guard, whose outcome nobody can tell. Your word, the time and your user name are recorded.\n"
     "With a switch named, the payment is looked up first, and refused while the switch still shows it.",
     resolve_flags,
     "  paytower resolve 3f9c0d12ab8e --write-off\n"
     "  paytower --switch sim:net.sim resolve --restored"},
    {"delete", "[HASH...]", "Delete ended payments",
     "Never deletes what is open. A deleted paid payment leaves a guard, so that it cannot be paid twice.",
     delete_flags,
     "  paytower delete --all --older-than 90d\n"
     "  paytower delete --all --include-non-failed --dry-run"},
    {"migrate", "", "Bring an older database, or lnd's, to this version",
     "Makes a complete backup first, then all changes in one step: after a crash the database is the old one or\n"
     "the new one. Records that cannot be read are set aside byte for byte (exit 12) and stop nothing else.",
     migrate_flags,
     "  paytower migrate --dry-run\n"
     "  paytower migrate --json | jq .quarantined\n"
     "  paytower --db payments.db migrate --from-lnd ~/.lnd/data/graph/mainnet/channel.db"},
    {"backup",
     "PATH",
     "Write a complete copy of the database",
     "Complete and synced, while others go on working. Never overwrites a file.",
     {},
     "  paytower backup payments-copy.db"},
    {"check",
     "",
     "Check the database",
     "Integrity, every preimage against its hash, file modes, and open attempts of each switch. Exit 0 or 8.",
     {},
     "  paytower check"},
    {"stats", "", "Show how payments have gone",
     "Statuses, success rate, attempts, fees, time to settle, failures by code and channel, and what takes the space.\n"
     "Reads each payment of the span once; memory does not grow with them. Percentiles are at most 0.8 % too low.",
     stats_flags,
     "  paytower stats --since 30d\n"
     "  paytower stats --json | jq .success_ppm\n"
     "  paytower stats --format prom > paytower.prom.$$ && mv paytower.prom.$$ paytower.prom"},
    {"config",
     "",
     "Show which settings are in force, and where each comes from",
     "A flag beats the environment, the environment beats the configuration file, and that beats the default.",
     {},
     "  paytower config\n"
     "  paytower config --json | jq -r '.settings[] | select(.name == \"db\").value'"},
    {"decode",
     "INVOICE|-",
     "Show what an invoice says",
     "Needs neither database nor switch. - reads the invoice from stdin, since others can see the command line.",
     {},
     "  paytower decode lnbc2500u1pvjlu...\n"
     "  paytower decode - < invoice.txt"},
    {"simulate network", "", "Make a simulated network",
     "Writes a network of nodes and channels into a new file, for --switch sim:PATH.", network_flags,
     "  paytower simulate network --out net.sim --seed 7"},
    {"simulate invoice", "", "Make an invoice of a simulated node",
     "Prints it alone on a line. --hold and --fail say how its payment shall go.", invoice_flags,
     "  paytower --switch sim:net.sim simulate invoice --amt 250sat\n"
     "  paytower --switch sim:net.sim simulate invoice --amt any --fail TEMPORARY_CHANNEL_FAILURE@2x1"},
    {"simulate release", "HASH", "End the hold of a simulated payment", "The held HTLCs settle, or fail with --fail.",
     release_flags, "  paytower --switch sim:net.sim simulate release 3f9c0d12...(64 digits)"},
    {"simulate ledger",
     "[HASH]",
     "Show what a simulated network really did",
     "One line of JSON for each HTLC: the truth that tests compare with.",
     {},
     "  paytower --switch sim:net.sim simulate ledger"},
    {"simulate serve", "", "Serve a simulated network over a Unix socket",
     "Answers there as a Core Lightning node does on its lightning-rpc, until it is told to stop. With --faults,\n"
     "as a node does that fails its client.",
     serve_flags,
     "  paytower --switch sim:net.sim simulate serve --socket /tmp/lightning-rpc\n"
     "  paytower --switch sim:net.sim simulate serve --socket /tmp/lightning-rpc --faults drop-reply@sendpay:2"},
}};

constexpr std::string_view exit_codes =
    "Exit codes:\n"
    "  0  paid, or done                  5  refused: paid, in flight or ended already\n"
    "  1  internal error                 6  busy: another paytower holds it\n"
    "  2  usage                          7  the switch cannot be reached\n"
    "  3  failed for good: may be paid   8  the database\n"
    "     again                          9  not found\n"
    "  4  OUTCOME UNKNOWN: never pay    10  not confirmed\n"
    "     again, run `paytower resume`  12  some records were set aside (migrate)\n"
    "                                   130, 143, 129  interrupted: as 4\n";

std::string flag_left(const FlagSpec& flag) {
  std::string left = flag.letter != 0 ? std::string("  -") + flag.letter + ", --" : "      --";
  left += flag.name;
  if (!flag.value.empty()) (left += ' ') += flag.value;
  return left;
}

/// The help text beside its flag, broken so that it stays within 100 columns.
void append_flag(std::string& out, const FlagSpec& flag) {
  constexpr std::size_t column = 32;
  constexpr std::size_t width = 68;
  std::string left = flag_left(flag);
  out += left;
  if (left.size() + 2 > column) {
    out += '\n';
    left.clear();
  }
  std::string indent(column - left.size(), ' ');
  std::string_view rest = flag.help;
  while (!rest.empty()) {
    std::size_t cut = rest.size();
    if (cut > width) {
      cut = rest.rfind(' ', width);
      if (cut == std::string_view::npos) cut = rest.size();
    }
    out += indent;
    out += rest.substr(0, cut);
    out += '\n';
    rest.remove_prefix(cut < rest.size() ? cut + 1 : cut);
    indent.assign(column, ' ');
  }
}

void append_flags(std::string& out, std::string_view title, std::span<const FlagSpec> flags) {
  if (flags.empty()) return;
  out += "\n";
  out += title;
  out += ":\n";
  for (const FlagSpec& flag : flags) append_flag(out, flag);
}

void append_commands(std::string& out, std::string_view group) {
  for (const CommandSpec& command : commands()) {
    if (!group.empty() && command.name.substr(0, group.size()) != group) continue;
    std::string line = "  " + std::string(command.name);
    line.resize(std::max<std::size_t>(line.size() + 2, 22), ' ');
    out += line + std::string(command.summary) + "\n";
  }
}

}  // namespace

std::span<const FlagSpec> global_flags() { return global_table(); }
std::span<const CommandSpec> commands() { return command_table; }

const CommandSpec* find_command(std::string_view name) {
  for (const CommandSpec& command : command_table) {
    if (command.name == name || (!command.alias.empty() && command.alias == name)) return &command;
  }
  return nullptr;
}

bool is_group(std::string_view name) { return name == "simulate"; }

std::string general_help() {
  std::string out =
      "paytower sends outgoing Lightning payments that are never lost and never repeated.\n"
      "\n"
      "Examples:\n"
      "  paytower simulate network --out net.sim\n"
      "  paytower --switch sim:net.sim send \"$(paytower --switch sim:net.sim simulate invoice --amt 250sat)\"\n"
      "  paytower list\n"
      "\n"
      "Usage: paytower [GLOBAL OPTIONS] COMMAND [ARGUMENTS]\n"
      "\n"
      "Commands:\n";
  append_commands(out, {});
  out += "  help                Show help of a command\n";
  append_flags(out, "Global options (before or after the command)", global_flags());
  out += '\n';
  out += exit_codes;
  return out;
}

std::string group_help(std::string_view group) {
  std::string out = "Usage: paytower [GLOBAL OPTIONS] " + std::string(group) + " COMMAND [ARGUMENTS]\n\nCommands:\n";
  append_commands(out, group);
  return out + "\nGlobal options: paytower --help\n";
}

std::string command_help(const CommandSpec& command) {
  std::string out = std::string(command.summary) + ".\n\nExamples:\n" + std::string(command.examples) + "\n";
  out += "\nUsage: paytower [GLOBAL OPTIONS] " + std::string(command.name);
  if (!command.words.empty()) (out += ' ') += command.words;
  if (!command.flags.empty()) out += " [OPTIONS]";
  (out += "\n\n") += command.about;
  out += '\n';
  append_flags(out, "Options", command.flags);
  return out + "\nGlobal options and exit codes: paytower --help\n";
}

}  // namespace paytower::cli
