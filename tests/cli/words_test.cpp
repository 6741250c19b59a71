// Goal: the words around the results: suggestions, tables, progress, hints, and the frozen exit codes. Method: tables.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "cli/commands/commands.h"
#include "cli/output/exit_code.h"
#include "cli/output/output.h"
#include "cli/output/progress.h"
#include "cli/output/stats_prometheus.h"
#include "cli/output/suggest.h"
#include "cli/output/table.h"

using namespace paytower;
using namespace paytower::cli;

TEST_CASE("the worst exit code of two lines is that of a batch") {
  // As paytower-send(1) has it, the worst first; those of a row weigh the same.
  const std::vector<std::vector<int>> order{{8}, {1}, {130, 143, 129}, {4}, {7}, {6}, {5}, {3}, {2, 9, 10, 12}, {0}};
  for (std::size_t i = 0; i < order.size(); ++i) {
    for (std::size_t j = 0; j < order.size(); ++j) {
      for (const int one : order[i]) {
        for (const int other : order[j])
          CHECK((badness(static_cast<ExitCode>(one)) > badness(static_cast<ExitCode>(other))) == (i < j));
      }
    }
  }
}

TEST_CASE("exit codes are frozen") {
  const std::vector<std::pair<Errc, int>> frozen{{Errc::usage, 2},
                                                 {Errc::invoice_expired, 2},
                                                 {Errc::wrong_network, 2},
                                                 {Errc::self_payment, 2},
                                                 {Errc::clock, 2},
                                                 {Errc::already_paid, 5},
                                                 {Errc::in_flight, 5},
                                                 {Errc::not_initiated, 1},
                                                 {Errc::already_succeeded, 5},
                                                 {Errc::already_failed, 5},
                                                 {Errc::already_ended, 5},
                                                 {Errc::stopped, 5},
                                                 {Errc::guarded, 5},
                                                 {Errc::parameters_differ, 5},
                                                 {Errc::still_at_switch, 5},
                                                 {Errc::policy, 5},
                                                 {Errc::busy, 6},
                                                 {Errc::switch_unavailable, 7},
                                                 {Errc::other_switch, 4},
                                                 {Errc::not_found, 9},
                                                 {Errc::ambiguous, 9},
                                                 {Errc::not_confirmed, 10},
                                                 {Errc::database, 8},
                                                 {Errc::schema_older, 8},
                                                 {Errc::schema_newer, 8},
                                                 {Errc::database_old_copy, 8},
                                                 {Errc::switch_old_copy, 8},
                                                 {Errc::attempt_doubled, 8},
                                                 {Errc::attempt_id_taken, 6},
                                                 {Errc::conflict, 5},
                                                 {Errc::internal, 1}};
  for (const auto& [code, exit_code] : frozen) CHECK(number(exit_code_of(code)) == exit_code);
  CHECK(number(interrupted_by(2)) == 130);
  CHECK(number(interrupted_by(15)) == 143);
  CHECK(number(interrupted_by(1)) == 129);
}

TEST_CASE("suggestions") {
  const std::vector<std::string> known{"send", "resume", "list", "show", "--fee-limit", "--fee-limit-percent"};
  CHECK(nearest("lsit", known) == "list");
  CHECK(nearest("resum", known) == "resume");
  CHECK(nearest("--fee-limt", known) == "--fee-limit");
  CHECK(nearest("--fee", known) == "--fee-limit");
  CHECK(nearest("zzzz", known).empty());
  CHECK(nearest("", known).empty());
  CHECK(nearest(std::string(100, 's'), known).empty());
}

TEST_CASE("a table keeps its columns under each other") {
  const Output output(OutputSetup{});
  Table table({{"INDEX", true}, {"STATUS"}, {"FEE", true}});
  table.add({"1", "IN_FLIGHT", "-"});
  table.add({"1000000", "FAILED", "1.012 sat"});
  CHECK(table.take(output, 1) ==
        "  INDEX  STATUS           FEE\n"
        "      1  IN_FLIGHT          -\n"
        "1000000  FAILED     1.012 sat\n");
  table.add({"2", "Caf\xc3\xa9", "-"});
  CHECK(table.take(output, 1) == "      2  Caf\xc3\xa9               -\n");
}

TEST_CASE("long lines are wrapped between characters, wide ones count two") {
  CHECK(wrapped("abcdef", 10, 2) == "abcdef");
  CHECK(wrapped("abcdefgh", 4, 2) == "abcd\n  ef\n  gh");
  CHECK(wrapped("\xe4\xbd\xa0\xe5\xa5\xbd\xe4\xbd\xa0", 5, 1) == "\xe4\xbd\xa0\xe5\xa5\xbd\n \xe4\xbd\xa0");
  CHECK(wrapped("abc", 0, 0) == "ab\nc");
}

TEST_CASE("long lines are wrapped between words where there are any") {
  CHECK(wrapped("four words of it", 10, 2) == "four words\n  of it");
  CHECK(wrapped("until then (in 29 h)", 18, 0) == "until then\n(in 29 h)");
  CHECK(wrapped("is (not as short as this one)", 20, 0) == "is (not as short as\nthis one)");
  CHECK(wrapped("four words of it", 9, 2) == "four\n  words\n  of it");
  CHECK(wrapped("payee  0123456789", 10, 7) == "payee  012\n       345\n       678\n       9");
  CHECK(wrapped("a 0123456789abc", 10, 0) == "a\n0123456789\nabc");
}

TEST_CASE("of several lines a fact is wrapped below its value, and what is copied stays whole") {
  CHECK(wrapped_lines("It is held. Do wait.\n", 12) == "It is held.\nDo wait.\n");
  CHECK(wrapped_lines("  money  for at most 92 blocks\n", 20) == "  money  for at most\n         92 blocks\n");
  CHECK(wrapped_lines("  payment hash  0123456789abcdef0123\n", 20) == "  payment hash  0123456789abcdef0123\n");
  CHECK(wrapped_lines("Next: paytower resume 0123456789abcdef\n", 20) == "Next: paytower resume 0123456789abcdef\n");
  CHECK(wrapped_lines("", 20).empty());
}

TEST_CASE("labels of metrics are escaped") {
  CHECK(prometheus_label("plain/1") == "plain/1");
  CHECK(prometheus_label("a\\b\"c\nd") == "a\\\\b\\\"c\\nd");
}

TEST_CASE("colour only where it is wanted") {
  OutputSetup setup;
  setup.color = ColorChoice::always;
  CHECK(paint_status(Output(setup), "SUCCEEDED") == "\x1b[32mSUCCEEDED\x1b[0m");
  CHECK(paint_status(Output(setup), "FAILED") == "\x1b[31mFAILED\x1b[0m");
  CHECK(paint_status(Output(setup), "UNKNOWN") == "\x1b[33mUNKNOWN\x1b[0m");
  setup.color = ColorChoice::never;
  CHECK(paint_status(Output(setup), "FAILED") == "FAILED");
  setup.color = ColorChoice::always;
  setup.json = true;
  CHECK(paint_status(Output(setup), "FAILED") == "FAILED");
}

TEST_CASE("hints keep the flags of the call") {
  OutputSetup setup;
  setup.command_prefix = "paytower --db 'my db'";
  const Output output(setup);
  CHECK(output.command("paytower resume abc") == "paytower --db 'my db' resume abc");
  CHECK(output.command("simulate") == "simulate");
  setup.no_switch = true;
  CHECK(Output(setup).command("paytower resume abc") == "paytower --db 'my db' --switch ADDR resume abc");
  CHECK(Output(setup).command("paytower show abc") == "paytower --db 'my db' show abc");
}

TEST_CASE("progress says rate and time left") {
  CHECK(progress_text("rows", 1200, 5000, 2 * ns_per_second) == "rows: 1,200 of 5,000, 600/s, 6.3 s left");
  CHECK(progress_text("rows", 901, 1500, 2 * ns_per_second) == "rows: 901 of 1,500, 450/s, 1.3 s left");
  CHECK(progress_text("rows", 1, 5, 2 * ns_per_second) == "rows: 1 of 5, 0/s, 8.0 s left");
  CHECK(progress_text("rows", 0, 5, 2 * ns_per_second) == "rows: 0 of 5, 0/s");
  CHECK(progress_text("rows", 0, 0, 0) == "rows: 0, 0/s");
  CHECK(progress_text("rows", 5, 5, ns_per_second) == "rows: 5 of 5, 5/s");
}

namespace {

std::size_t longest_line(const std::string& text) {
  std::size_t longest = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    longest = std::max(longest, end - at);
    at = end + 1;
  }
  return longest;
}

}  // namespace

TEST_CASE("every command has a summary, an example and help that fits a terminal") {
  for (const Command* command : commands()) {
    CAPTURE(command->name);
    CHECK_FALSE(command->summary.empty());
    CHECK(command->examples.find("paytower ") != std::string_view::npos);
    static constexpr std::array<std::size_t, 6> widths{40, 60, 61, 62, 80, 120};
    for (const std::size_t columns : widths) {
      CAPTURE(columns);
      const std::string help = command_help(*command, columns);
      for (const Flag& flag : command->flags)
        CHECK((help.find("--" + std::string(flag.name)) != std::string::npos) == !flag.has(is::in_file_alone));
      CHECK(longest_line(help) <= columns);
    }
  }
}
