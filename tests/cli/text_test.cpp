// Goal: nothing that a stranger wrote acts on a terminal. Method: every dangerous kind of character once, then random bytes.
#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <string>

#include "cli/text.h"

using namespace paytower::cli;

TEST_CASE("plain text stays as it is") {
  for (const char* text : {"", "rent", "Caf\xc3\xa9", "\xe2\x82\xbf 1", "\xf0\x9f\x9a\x80", "a \\ b"}) CHECK(printable(text) == text);
}

TEST_CASE("what steers a terminal or the eye is written out") {
  CHECK(printable("\x1b[2J") == "\\x1b[2J");
  CHECK(printable("a\nb\tc\r") == "a\\nb\\tc\\x0d");
  CHECK(printable(std::string("\0", 1)) == "\\x00");
  CHECK(printable("\x7f") == "\\x7f");
  CHECK(printable("\xc2\x9b" "31m") == "\\u{9b}31m");                  // C1 CSI
  CHECK(printable("\xe2\x80\xae" "evil") == "\\u{202e}evil");          // right-to-left override
  CHECK(printable("\xe2\x81\xa6") == "\\u{2066}");                     // isolate
  CHECK(printable("\xd8\x9c") == "\\u{61c}");                          // Arabic letter mark
  CHECK(printable("\xe2\x80\x8b") == "\\u{200b}");                     // zero width space
  CHECK(printable("\xe2\x80\xa8") == "\\u{2028}");                     // line separator
  CHECK(printable("\xef\xbb\xbf") == "\\u{feff}");
  CHECK(printable("\xf3\xa0\x81\x81") == "\\u{e0041}");                // tag
}

TEST_CASE("bytes that are no UTF-8 are written out") {
  CHECK(printable("\xff") == "\\xff");
  CHECK(printable("\xc3") == "\\xc3");
  CHECK(printable("\xc0\xaf") == "\\xc0\\xaf");                        // overlong
  CHECK(printable("\xe0\x80\x80") == "\\xe0\\x80\\x80");
  CHECK(printable("\xed\xa0\x80") == "\\xed\\xa0\\x80");               // surrogate
  CHECK(printable("\xf4\x90\x80\x80") == "\\xf4\\x90\\x80\\x80");      // beyond U+10FFFF
  CHECK(printable("\x9b" "31m") == "\\x9b" "31m");                     // raw C1
  CHECK(printable("\xe2\x82") == "\\xe2\\x82");
}

TEST_CASE("whatever comes in, no control byte comes out") {
  CHECK(rc::check("printable is safe and stable", [](const std::string& text) {
    const std::string shown = printable(text);
    RC_ASSERT(std::none_of(shown.begin(), shown.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }));
    RC_ASSERT(printable(shown) == shown);
  }));
}

TEST_CASE("cut text") {
  CHECK(printable_cut("abcdef", 6) == "abcdef");
  CHECK(printable_cut("abcdefg", 6) == "abc...");
  CHECK(printable_cut("\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9", 4) == "\xc3\xa9...");
  CHECK(columns_of("Caf\xc3\xa9") == 4);
}

TEST_CASE("words for a shell") {
  CHECK(shell_word("payments.db") == "payments.db");
  CHECK(shell_word("") == "''");
  CHECK(shell_word("a b") == "'a b'");
  CHECK(shell_word("it's") == "'it'\\''s'");
  CHECK(shell_word("$(rm)") == "'$(rm)'");
}
