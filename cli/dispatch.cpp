#include "cli/dispatch.h"

#include <exception>
#include <string_view>

#include "cli/commands/commands.h"

namespace paytower::cli {

namespace {

ExitCode fail(Output& output, const ErrorReport& report) {
  output.error(report);
  return report.exit_code;
}

/// Every way out of a command but the good one: one error line, and the code that says what a script may do.
ExitCode explain(Output& output, std::string_view command) {
  try {
    throw;
  } catch (const RefusalError& refusal) {
    const int signal = stop_signal_seen();
    if (signal != 0 && refusal.error().code == Errc::switch_unavailable)
      return fail(output, interrupted_report(signal, std::nullopt));
    return fail(output, report_of(with_next_step(refusal.error(), command)));
  } catch (const StoreError& error) {
    // R10: no claim about what was stored.
    return fail(output, report_of(Error{Errc::database, error.what(), "paytower check"}));
  } catch (const SwitchError& error) {
    return fail(output, report_of(with_next_step(Error{Errc::switch_unavailable, error.what()}, command)));
  } catch (const OutputError& error) {
    return fail(output, report_of(Error{Errc::internal, error.what(), "paytower list"}));
  } catch (const std::exception& error) {
    return fail(output,
                report_of(Error{Errc::internal, std::string("internal error: ") + error.what(), "paytower list"}));
  }
}

ExitCode run_options(const Options& options, Output& output) {
  SystemClock clock;
  SystemRandomness randomness;
  Session session{options.global, output, clock, randomness};
  const ExitCode code = std::visit([&session](const auto& command) { return run(command, session); }, options.command);
  output.flush();
  return code;
}

}  // namespace

int run_call(std::span<const std::string> arguments) noexcept {
  try {
    keep_memory_private();
    ignore_signals_of_writes();
    const bool stdout_open = secure_standard_streams();
    const auto options = parse_options(arguments, real_surroundings());
    Output output(options ? options->output : output_for_unread(arguments));
    if (!stdout_open)
      return number(fail(output, report_of(Error{Errc::internal, "stdout is closed; nothing was done"})));
    if (!options) return number(fail(output, report_of(options.error())));
    try {
      return number(run_options(*options, output));
    } catch (...) {
      return number(explain(output, options->name));
    }
  } catch (...) {
    return number(ExitCode::internal);  // no memory to say more
  }
}

}  // namespace paytower::cli
