// Small pieces of text for people: untrusted words made harmless, amounts, and words that a shell reads back.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/msat.h"

namespace paytower::cli {

/// The text with everything that could act on a terminal or mislead a reader written out: control characters ("\x1b", "\n"),
/// invisible and direction-changing characters ("\u{202e}"), and bytes that are no UTF-8 ("\xff"). Everything that strangers
/// wrote (descriptions, labels, error strings) goes through here before it is shown.
[[nodiscard]] std::string printable(std::string_view text);

/// printable, and at most `columns` characters with "..." for the rest.
[[nodiscard]] std::string printable_cut(std::string_view text, std::size_t columns);

/// How many characters a terminal shows of a text that printable made (each code point counts as one).
[[nodiscard]] std::size_t columns_of(std::string_view text);

/// "1,234,567".
[[nodiscard]] std::string grouped(std::uint64_t number);

/// "1,000 sat", "1.012 sat".
[[nodiscard]] std::string sat_text(Msat amount);

/// One word of a POSIX shell: as it is where that is safe, in single quotes otherwise.
[[nodiscard]] std::string shell_word(std::string_view text);

}  // namespace paytower::cli
