// The result goes to stdout, everything else to stderr. All output of paytower passes through here, and no invoice ever
// gets to stderr: it holds the payment secret, and stderr goes into logs and mails.
#pragma once

#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "cli/output/exit_code.h"
#include "core/base/error.h"
#include "core/base/types.h"

namespace paytower::cli {

/// stdout is closed, full, or nobody reads it any more: exit 1.
class OutputError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The reader has seen enough (`| head`).
class ReaderLeft : public OutputError {
 public:
  using OutputError::OutputError;
};

enum class ColorChoice { automatic, always, never };

struct OutputSetup {
  bool json = false;
  bool quiet = false;
  unsigned verbosity = 0;  ///< 1 with -v, 2 with -vv
  bool no_input = false;   ///< --no-input: as if there were no TTY to ask at
  ColorChoice color = ColorChoice::automatic;
  /// "paytower --db x": stands in hints instead of "paytower", so that they can be copied as they are.
  std::string command_prefix = "paytower";
  /// No switch is named: a hint that needs one has a place for it.
  bool no_switch = false;
};

/// One error as people and scripts see it.
struct ErrorReport {
  std::string code;  ///< stable, e.g. "already_paid"
  ExitCode exit_code = ExitCode::internal;
  std::string message;  ///< may hold untrusted text
  std::string hint{};   ///< a command to copy, or empty
  std::optional<PaymentHash> payment_hash{};
};

/// Adds the standard hint of its kind to a refusal without one. `command`: what was called, or empty.
[[nodiscard]] Error with_next_step(Error error, std::string_view command);
[[nodiscard]] ErrorReport report_of(const Error& error, const std::optional<PaymentHash>& hash = std::nullopt);

class Output {
 public:
  explicit Output(OutputSetup setup);
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  /// Appends `text`, unchanged, to what goes to stdout. REQUIRES: untrusted parts are escaped, by printable() or as
  /// JSON. Written at flush(), or when much has gathered. Throws OutputError.
  void result(std::string_view text);
  /// The same with the end of a line behind it.
  void line(std::string_view text);
  /// Writes what has gathered. Throws OutputError.
  void flush();

  /// One line on stderr: what people should know. Silent with --quiet or --json; `important`: never silent.
  void note(std::string_view message, bool important = false);
  /// Something that needs a person, never silent: a line, or with --json an object {"warning":{...}} on stderr.
  void warn(std::string_view message, const std::optional<PaymentHash>& hash = std::nullopt);
  /// A line on stderr that the next output replaces. For Progress; only for a terminal.
  void show_live(const std::string& line);
  /// Wipes it.
  void clear_live();
  /// One whole line of the log that -v asked for: ASCII, without its end.
  void log(std::string_view line);
  /// "hint: paytower ..." on stderr, where notes are heard, behind the result so far. Throws OutputError.
  void hint(std::string_view command, bool important = false);
  /// An error as a JSON object: code, exit_code, message, hint and payment_hash.
  [[nodiscard]] nlohmann::ordered_json error_json(const ErrorReport& report) const;
  /// The error line(s): two lines for people, or one JSON object.
  void error(const ErrorReport& report);
  /// Says it, and gives its exit code.
  [[nodiscard]] ExitCode fail(const ErrorReport& report) {
    error(report);
    return report.exit_code;
  }
  /// From now on the call is about this payment: errors that name none name it. `recorded`: it is in the database, or
  /// will be before anything is said of it.
  void speak_of(const PaymentHash& hash, bool recorded = true) { subject_ = hash, recorded_ = recorded; }
  /// The command that shows what the call was about: "paytower show <hash>", or the list.
  [[nodiscard]] std::string look_it_up() const;
  /// From now on an HTLC that this call has handed over may be out.
  void note_htlc() { htlc_noted_ = true; }
  [[nodiscard]] bool htlc_noted() const { return htlc_noted_; }

  /// Can a question be asked? stdin and stderr are TTYs and --no-input was not given.
  [[nodiscard]] bool can_ask() const { return can_ask_; }
  [[nodiscard]] bool stdout_is_tty() const { return stdout_tty_; }
  [[nodiscard]] bool json() const { return setup_.json; }
  [[nodiscard]] bool quiet() const { return setup_.quiet; }
  [[nodiscard]] unsigned verbosity() const { return setup_.verbosity; }
  /// How wide stdout's lines may be: the terminal's width, at least 20; 80 where stdout is not a terminal, or one
  /// without a width.
  [[nodiscard]] std::size_t columns() const;

  /// `text` in the colour of a status word where stdout shows colours: good (green), bad (red), open (yellow).
  enum class Tone { good, bad, open };
  [[nodiscard]] std::string paint(std::string_view text, Tone tone) const;

  /// "paytower resume <hash>" with the flags of this call in it.
  [[nodiscard]] std::string command(std::string_view hint) const;

 private:
  void say(std::string_view line);
  OutputSetup setup_;
  std::string pending_;
  std::optional<PaymentHash> subject_;
  bool recorded_ = false;  ///< `subject_`
  bool htlc_noted_ = false;
  bool stdout_tty_ = false;
  bool can_ask_ = false;
  bool stdout_color_ = false;
  std::size_t live_columns_ = 0;  ///< of the live line that stands on stderr now
};

/// As Output::columns, for any descriptor.
[[nodiscard]] std::size_t terminal_columns(int descriptor);

/// Asks on stderr and reads one line from stdin. Nothing at EOF, or when a stop signal came. REQUIRES: no SignalGuard
/// stands, which this would end.
[[nodiscard]] std::optional<std::string> ask_line(std::string_view question);

/// "question [y/N] ": true for y or yes. REQUIRES: can_ask().
[[nodiscard]] bool ask_yes(std::string_view question);

/// Opens /dev/null for each of the descriptors 0 to 2 that is closed, so that no database file ever becomes one of
/// them. A closed stdout stays unwritable. Returns whether stdout was open.
[[nodiscard]] bool secure_standard_streams();

}  // namespace paytower::cli
