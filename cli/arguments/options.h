// What a call asks for, read strictly. This is all that the rest of paytower knows of the command line.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "cli/arguments/setting.h"
#include "cli/input/amount.h"
#include "cli/input/hash.h"
#include "cli/output/output.h"
#include "cli/switches.h"
#include "core/base/msat.h"
#include "core/base/types.h"
#include "core/payment/payment.h"

namespace paytower::cli {

struct GlobalOptions {
  std::string database;         ///< path
  bool database_named = false;  ///< by flag, environment or config: then it must exist
  std::optional<SwitchAddress> switch_address;
  std::optional<std::int64_t> lock_timeout_ns;  ///< --lock-timeout; nothing: 0 for payments, 30 s for the database
};

/// send --dest: what an invoice would have said.
struct DirectPayee {
  PublicKey node;
  PaymentHash hash;
  PaymentSecret secret;
  std::uint32_t final_cltv_delta = 18;
};

struct SendOptions {
  std::variant<std::string, DirectPayee> payee;  ///< bare BOLT 11 text, or --dest
  std::optional<Msat> amount;
  std::optional<std::string> routes;  ///< file, or "-"
  std::variant<std::monostate, Msat, Percent> fee_limit;
  std::uint32_t cltv_limit = 2016;
  std::optional<std::uint32_t> max_attempts;  ///< nothing: by max_parts
  std::optional<std::uint32_t> max_parts;     ///< nothing: by what the payee takes
  std::vector<ShortChannelId> outgoing_channels;
  std::string label;
  std::int64_t timeout_ns = 60 * ns_per_second;
  std::optional<std::int64_t> wait_ns = 300 * ns_per_second;  ///< nothing = for ever
  bool idempotent = false;
  bool no_memory = false;
  bool inflight_updates = false;
  bool yes = false;
  bool dry_run = false;
};

/// send --batch: many payments in one process, one loop, shared commits.
struct BatchOptions {
  std::string path;              ///< NDJSON, "-" = stdin
  std::uint32_t parallel = 100;  ///< payments driven at once
  std::optional<std::int64_t> wait_ns = 300 * ns_per_second;
  bool yes = false;
  bool no_memory = false;
  /// One line as if it had been given on the command line, on top of this call's flags.
  std::function<Result<SendOptions>(std::string_view line)> read_line;
};

struct ResumeOptions {
  std::vector<HashArgument> hashes;  ///< empty = all
  std::optional<std::int64_t> wait_ns = 60 * ns_per_second;
  bool no_retry = false;
  bool inflight_updates = false;
};

struct ListOptions {
  enum class Format { automatic, table, tsv, csv, ndjson };
  enum class What { payments, guards, quarantine };
  std::vector<PaymentStatus> statuses;  ///< empty = all
  std::uint64_t max_payments = 25;      ///< 0 = all
  std::optional<std::int64_t> index_offset;
  bool forwards = false;
  std::optional<UnixNs> since;
  std::optional<UnixNs> until;
  std::optional<std::string> label;
  bool count_total = false;
  bool omit_hops = false;
  Format format = Format::automatic;
  What what = What::payments;
};

struct ShowOptions {
  HashArgument hash;
  bool omit_hops = false;
};

struct CancelOptions {
  HashArgument hash;
  bool dry_run = false;
};

struct ResolveOptions {
  enum class ByHand { assume_failed, write_off, restored };
  std::optional<HashArgument> hash;  ///< present unless restored
  ByHand decision = ByHand::assume_failed;
  bool yes = false;
};

struct DeleteOptions {
  std::vector<HashArgument> hashes;  ///< empty exactly when all
  bool all = false;
  bool include_non_failed = false;
  bool failed_htlcs_only = false;
  std::optional<std::int64_t> older_than_ns;
  bool forget = false;
  bool dry_run = false;
  bool yes = false;
};

struct MigrateOptions {
  bool status = false;
  std::optional<int> to;  ///< nothing = the newest
  bool backup = true;
  std::optional<std::string> backup_path;  ///< nothing = beside the database
  bool strict = false;
  bool dry_run = false;
  std::optional<std::string> from_lnd;  ///< lnd's channel.db
  bool assume_v04 = false;
};

struct StatsOptions {
  enum class Format { table, json, prom };
  std::optional<UnixNs> since;
  std::optional<UnixNs> until;  ///< T itself is meant too
  Format format = Format::table;
};

struct BackupOptions {
  std::string path;
};
struct CheckOptions {};
struct DecodeOptions {
  std::string invoice;
};

struct SimulateNetworkOptions {
  std::string out;
  std::uint64_t seed = 1;
  std::uint32_t nodes = 20;
  std::uint32_t channels = 60;
  std::optional<std::string> import;  ///< graph file
};

struct SimulateInvoiceOptions {
  std::optional<Msat> amount;  ///< nothing = any
  std::string node;
  std::int64_t expiry_ns = 3'600 * ns_per_second;
  std::string description;
  std::optional<std::int64_t> hold_ns;  ///< -1 = for ever
  std::optional<std::string> fail;      ///< CODE[@HOP][xN]
};

struct SimulateReleaseOptions {
  HashArgument hash;
  std::optional<std::string> fail;
};
struct SimulateLedgerOptions {
  std::optional<HashArgument> hash;
};
struct SimulateServeOptions {
  std::string socket;  ///< path of the Unix socket
  std::string faults;  ///< see core/sim/node/faults.h
};

struct ConfigOptions {
  std::vector<Setting> settings;
};

/// --help, --version and the like: text for stdout.
struct TextOptions {
  std::string text;
};
/// --version -v: with what only the libraries know.
struct VersionOptions {
  bool libraries = false;
};

using Command =
    std::variant<TextOptions, VersionOptions, SendOptions, BatchOptions, ResumeOptions, ListOptions, ShowOptions,
                 CancelOptions, ResolveOptions, DeleteOptions, MigrateOptions, BackupOptions, CheckOptions,
                 StatsOptions, ConfigOptions, DecodeOptions, SimulateNetworkOptions, SimulateInvoiceOptions,
                 SimulateReleaseOptions, SimulateLedgerOptions, SimulateServeOptions>;

struct Options {
  GlobalOptions global;
  OutputSetup output;
  Command command;
  std::string name;  ///< of the command, e.g. "simulate invoice"; empty where none was named
};

/// What the outside gives to the reading of a call.
struct Surroundings {
  std::function<std::optional<std::string>(const char* name)> environment;
  /// The text of a config file; nothing when there is none; a usage refusal when it cannot be read.
  std::function<Result<std::optional<std::string>>(const std::string& path)> config_file;
  /// All of stdin, for an invoice given as "-". None: the call has no stdin of its own.
  std::function<Result<std::string>()> standard_input{};
  UnixNs now{};
};

/// The real environment and file system.
[[nodiscard]] Surroundings real_surroundings();

/// `arguments` without the program's name. Refusals: Errc::usage, and Errc::not_confirmed for `send -` without --yes.
/// Nothing was touched.
[[nodiscard]] Result<Options> parse_options(std::span<const std::string> arguments, const Surroundings& surroundings);

/// How errors of a call that cannot be read are to be shown.
[[nodiscard]] OutputSetup output_for_unread(std::span<const std::string> arguments);

}  // namespace paytower::cli
