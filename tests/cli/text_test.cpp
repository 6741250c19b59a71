// Goal: nothing that a stranger wrote acts on a terminal. Method: every dangerous kind of character once, then random
// bytes.
#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <string>

#include "cli/output/csv.h"
#include "cli/output/text.h"
#include "core/base/error.h"

using namespace paytower;
using namespace paytower::cli;

TEST_CASE("plain text stays as it is") {
  for (const char* text : {"", "rent", "Caf\xc3\xa9", "\xe2\x82\xbf 1", "\xf0\x9f\x9a\x80", "a \\ b"})
    CHECK(printable(text) == text);
}

TEST_CASE("what steers a terminal or the eye is written out") {
  CHECK(printable("\x1b[2J") == "\\x1b[2J");
  CHECK(printable("a\nb\tc\r") == "a\\nb\\tc\\x0d");
  CHECK(printable(std::string("\0", 1)) == "\\x00");
  CHECK(printable("\x7f") == "\\x7f");
  CHECK(printable("\xc2\x9b"
                  "31m") == "\\u{9b}31m");  // C1 CSI
  CHECK(printable("\xe2\x80\xae"
                  "evil") == "\\u{202e}evil");      // right-to-left override
  CHECK(printable("\xe2\x81\xa6") == "\\u{2066}");  // isolate
  CHECK(printable("\xd8\x9c") == "\\u{61c}");       // Arabic letter mark
  CHECK(printable("\xe2\x80\x8b") == "\\u{200b}");  // zero width space
  CHECK(printable("\xe2\x80\xa8") == "\\u{2028}");  // line separator
  CHECK(printable("\xef\xbb\xbf") == "\\u{feff}");
  CHECK(printable("\xf3\xa0\x81\x81") == "\\u{e0041}");  // tag
}

TEST_CASE("no invoice is repeated, whole or cut off") {
  const std::string invoice = "lnbcrt10n1pj48ugqpp54255qfny7xjp7s8th3fvnxf7ke4wkdnxq22clha29qahrejdky3s";
  CHECK(without_invoices("unknown command \"" + invoice + "\"") == "unknown command \"lnbc...\"");
  CHECK(without_invoices("lightning:" + invoice + "?x and " + invoice) == "lightning:lnbc...?x and lnbc...");
  CHECK(without_invoices("LNTBS" + invoice.substr(6)) == "LNTB...");
  CHECK(without_invoices("x" + invoice.substr(0, 30) + "b!") == "xlnbc...!");  // with a character that no invoice has
  CHECK(without_invoices("lntb" + std::string(20, 'q') + invoice) == "lntb...");  // the first one counts
  CHECK(without_invoices("lnbc20m1pvjl") == "lnbc20m1pvjl");                      // an amount and half a timestamp
  for (const char* text : {"", "must start with lnbc, lntb, lntbs, lnbcrt or lnsb", "a\nb"})
    CHECK(without_invoices(text) == text);
  CHECK(in_quotes(invoice) == "\"lnbc...\"");
  CHECK(in_quotes(std::string(64, 'b')) == "\"bbbbbbbb...\"");
  CHECK(in_quotes("x " + std::string(64, 'b') + " y") == "\"x bbbbbbbb... y\"");
  CHECK(in_quotes(std::string(63, 'b')) == "\"" + std::string(63, 'b') + "\"");
  CHECK(in_quotes(std::string(100, 'x')) == "\"" + std::string(80, 'x') + "\"");
  CHECK(in_quotes(std::string(50, 'x') + std::string(64, 'b')) == "\"" + std::string(50, 'x') + "bbbbbbbb...\"");
}

TEST_CASE("bytes that are no UTF-8 are written out") {
  CHECK(printable("\xff") == "\\xff");
  CHECK(printable("\xc3") == "\\xc3");
  CHECK(printable("\xc0\xaf") == "\\xc0\\xaf");  // overlong
  CHECK(printable("\xe0\x80\x80") == "\\xe0\\x80\\x80");
  CHECK(printable("\xed\xa0\x80") == "\\xed\\xa0\\x80");           // surrogate
  CHECK(printable("\xf4\x90\x80\x80") == "\\xf4\\x90\\x80\\x80");  // beyond U+10FFFF
  CHECK(printable("\x9b"
                  "31m") ==
        "\\x9b"
        "31m");  // raw C1
  CHECK(printable("\xe2\x82") == "\\xe2\\x82");
}

TEST_CASE("whatever comes in, no control byte comes out") {
  CHECK(rc::check("printable is safe and stable", [](const std::string& text) {
    const std::string shown = printable(text);
    RC_ASSERT(std::none_of(shown.begin(), shown.end(),
                           [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }));
    RC_ASSERT(printable(shown) == shown);
  }));
}

TEST_CASE("cut text") {
  CHECK(printable_cut("abcdef", 6) == "abcdef");
  CHECK(printable_cut("abcdefg", 6) == "abc...");
  CHECK(printable_cut("\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9", 4) == "\xc3\xa9...");
  CHECK(columns_of("Caf\xc3\xa9") == 4);
  CHECK(columns_of("Cafe\xcc\x81") == 4);              // an accent of its own
  CHECK(columns_of("\xe4\xbd\xa0\xe5\xa5\xbd") == 4);  // two wide characters
  CHECK(columns_of("\xf0\x9f\x98\x80!") == 3);         // a picture
  CHECK(printable_cut("\xe4\xbd\xa0\xe5\xa5\xbd\xe4\xbd\xa0", 5) == "\xe4\xbd\xa0...");
  CHECK(printable_cut("abcdef", 2) == "..");
}

TEST_CASE("words for a shell") {
  CHECK(shell_word("payments.db") == "payments.db");
  CHECK(shell_word("") == "''");
  CHECK(shell_word("a b") == "'a b'");
  CHECK(shell_word("it's") == "'it'\\''s'");
  CHECK(shell_word("$(rm)") == "'$(rm)'");
}

TEST_CASE("numbers and ages for people") {
  CHECK(grouped(0) == "0");
  CHECK(grouped(999) == "999");
  CHECK(grouped(1'234'567) == "1,234,567");
  CHECK(grouped(UINT64_MAX) == "18,446,744,073,709,551,615");
  const UnixNs now{1'700'000'000 * ns_per_second};
  const auto before = [now](std::int64_t seconds) {
    return relative_time(UnixNs{now.value - seconds * ns_per_second}, now);
  };
  CHECK(before(0) == "0 s ago");
  CHECK(before(99) == "99 s ago");
  CHECK(before(100) == "1 min ago");
  CHECK(before(7'200) == "2 h ago");
  CHECK(before(86'400 * 3) == "3 d ago");
  CHECK(before(-240) == "in 4 min");
  CHECK(relative_time(UnixNs{INT64_MIN}, UnixNs{INT64_MAX}) == "213,503 d ago");
}

TEST_CASE("CSV as RFC 4180 has it, and no formulas") {
  CHECK(csv_line({"1", "", "plain text"}) == "1,,plain text\r\n");
  CHECK(csv_line({"a,b", "say \"hi\"", "two\nlines", "\r"}) == "\"a,b\",\"say \"\"hi\"\"\",\"two\nlines\",\"\r\"\r\n");
  CHECK(csv_line({"=1+1", "+1", "-1", "@SUM(A1)", "\tx", "-"}) == "'=1+1,'+1,'-1,'@SUM(A1),'\tx,-\r\n");
  CHECK(csv_line({"a;=1+1", ";", ";-2", "a=b;c", "x;+"}) == "a;'=1+1,;,;'-2,a=b;c,x;+\r\n");
  CHECK(csv_line({"\xef\xbc\x9d"
                  "1",
                  "\xef\xbc\xa0", "\xef\xbc"}) ==
        "'\xef\xbc\x9d"
        "1,\xef\xbc\xa0,\xef\xbc\r\n");
  CHECK(csv_line({"=HYPERLINK(\"x\",\"y\")"}) == "\"'=HYPERLINK(\"\"x\"\",\"\"y\"\")\"\r\n");
}
