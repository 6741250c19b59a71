// Reads a call, runs its command, and turns every way out into an exit code and an error line.
#include "cli/dispatch.h"

#include <cstdlib>
#include <exception>
#include <string_view>

#include <unistd.h>

#include <fmt/core.h>

#include "cli/commands/commands.h"
#include "core/base/limits.h"
#include "db/sqlite/room.h"

namespace paytower::cli {

namespace {

/// R10: no claim about what was stored. But every hand-over is told before it is made, so it is known whether this call
/// may have sent an HTLC.
Error unstored(const StoreError& error, const Output& output, const Call& call) {
  const bool sent = output.htlc_noted();
  Error told{Errc::database, error.what(),
             db::room_hint(call.global.database, sent ? output.command("paytower resume") : "run the same again")};
  if (told.hint.empty()) told.hint = sent ? "paytower resume" : "paytower check";
  if (call.command != nullptr && call.command->pays)
    told.message += sent ? "; an HTLC that this call has sent may be in flight" : "; this call has sent no HTLC";
  return told;
}

/// What a command threw becomes one error line, and the exit code that tells a script what it may do.
ExitCode explain(Output& output, const Call& call) {
  const Command* const called = call.command;
  const std::string_view command = called != nullptr ? called->name : std::string_view();
  try {
    throw;
  } catch (const ReaderLeft& error) {
    if (called == nullptr || called->only_shows) return ExitCode::internal;
    return output.fail(report_of(Error{Errc::internal, error.what(), output.look_it_up()}));
  } catch (const RefusalError& refusal) {
    const int signal = stop_signal_seen();
    const Errc code = refusal.error().code;
    if (signal != 0 && (code == Errc::switch_unavailable || code == Errc::not_confirmed))
      return output.fail(interrupted_report(signal, std::nullopt));
    return output.fail(report_of(with_next_step(refusal.error(), command)));
  } catch (const StoreError& error) {
    return output.fail(report_of(unstored(error, output, call)));
  } catch (const SwitchError& error) {
    return output.fail(report_of(with_next_step(Error{Errc::switch_unavailable, error.what()}, command)));
  } catch (const OutputError& error) {
    return output.fail(report_of(Error{Errc::internal, error.what(), output.look_it_up()}));
  } catch (const std::exception& error) {
    return output.fail(
        report_of(Error{Errc::internal, fmt::format("internal error: {}", error.what()), output.look_it_up()}));
  }
}

/// How errors of a call that cannot be read are to be shown.
OutputSetup output_for_unread(std::span<const std::string> arguments) {
  OutputSetup setup;
  for (const std::string& argument : arguments) {
    if (argument == "--") break;
    if (argument == "--json") setup.json = true;
  }
  return setup;
}

/// The real environment and file system.
Surroundings real_surroundings() {
  Surroundings real;
  real.environment = [](const char* name) -> std::optional<std::string> {
    const char* value = std::getenv(name);
    if (value == nullptr) return std::nullopt;
    return std::string(value);
  };
  real.config_file = [](const std::string& path) -> Result<std::optional<std::string>> {
    if (::access(path.c_str(), F_OK) != 0) return std::optional<std::string>();
    auto text = read_trusted(path, limits::max_input_file_bytes);
    if (!text) return text.error();
    return std::optional<std::string>(std::move(*text));
  };
  real.standard_input = [] { return read_input("-", limits::max_pasted_bytes); };
  real.now = SystemClock().wall();
  return real;
}

ExitCode run_command(const Call& call, Output& output) {
  SystemClock clock;
  SystemRandomness randomness;
  Session session{call.global, output, clock, randomness};
  ExitCode code = ExitCode::ok;
  switch (call.what) {
    case Call::What::command: code = call.command->run(call.options.get(), session); break;
    case Call::What::help: output.result(output.json() ? help_json(call) : help_text(call, output.columns())); break;
    case Call::What::version: print_version(call.libraries, session); break;
  }
  output.flush();
  return code;
}

}  // namespace

int run_call(std::span<const std::string> arguments) noexcept {
  try {
    keep_memory_private();
    ignore_signals_of_writes();
    const bool stdout_open = secure_standard_streams();
    const auto call = read_call(arguments, commands(), real_surroundings());
    Output output(call ? call->output : output_for_unread(arguments));
    if (!stdout_open)
      return number(output.fail(report_of(Error{Errc::internal, "stdout is closed; nothing was done"})));
    if (!call) return number(output.fail(report_of(call.error())));
    try {
      return number(run_command(*call, output));
    } catch (...) {
      return number(explain(output, *call));
    }
  } catch (...) {
    return number(ExitCode::internal);  // no memory to say more
  }
}

}  // namespace paytower::cli
