// One function a command. Each prints its result through the session's output and returns the exit code, or throws:
// RefusalError for everything that is refused, StoreError (R10), SwitchError, OutputError.
#pragma once

#include "cli/arguments/options.h"
#include "cli/output/exit_code.h"
#include "cli/session.h"

namespace paytower::cli {

[[nodiscard]] ExitCode run(const SendOptions& options, Session& session);
[[nodiscard]] ExitCode run(const BatchOptions& options, Session& session);
[[nodiscard]] ExitCode run(const ResumeOptions& options, Session& session);
[[nodiscard]] ExitCode run(const ListOptions& options, Session& session);
[[nodiscard]] ExitCode run(const ShowOptions& options, Session& session);
[[nodiscard]] ExitCode run(const CancelOptions& options, Session& session);
[[nodiscard]] ExitCode run(const ResolveOptions& options, Session& session);
[[nodiscard]] ExitCode run(const DeleteOptions& options, Session& session);
[[nodiscard]] ExitCode run(const MigrateOptions& options, Session& session);
[[nodiscard]] ExitCode run(const BackupOptions& options, Session& session);
[[nodiscard]] ExitCode run(const CheckOptions& options, Session& session);
[[nodiscard]] ExitCode run(const StatsOptions& options, Session& session);
[[nodiscard]] ExitCode run(const ConfigOptions& options, Session& session);
[[nodiscard]] ExitCode run(const DecodeOptions& options, Session& session);
[[nodiscard]] ExitCode run(const SimulateNetworkOptions& options, Session& session);
[[nodiscard]] ExitCode run(const SimulateInvoiceOptions& options, Session& session);
[[nodiscard]] ExitCode run(const SimulateReleaseOptions& options, Session& session);
[[nodiscard]] ExitCode run(const SimulateLedgerOptions& options, Session& session);
[[nodiscard]] ExitCode run(const SimulateServeOptions& options, Session& session);
[[nodiscard]] ExitCode run(const TextOptions& options, Session& session);
[[nodiscard]] ExitCode run(const VersionOptions& options, Session& session);

}  // namespace paytower::cli
