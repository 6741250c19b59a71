// Small pieces of text for people: untrusted words made harmless, and amounts.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/amount_text.h"
#include "core/base/msat.h"
#include "core/base/types.h"

namespace paytower::cli {

/// The text with everything that could act on a terminal or mislead a reader spelled out: control characters ("\x1b",
/// "\n"), invisible and direction-changing characters ("\u{202e}"), and bytes that are not UTF-8 ("\xff"). Everything
/// that strangers wrote (descriptions, labels, error strings) goes through here before it is shown.
[[nodiscard]] std::string printable(std::string_view text);

/// The text with every BOLT 11 invoice in it, whole or cut off, written as "lnbc...": it holds the payment secret.
[[nodiscard]] std::string without_invoices(std::string_view text);

/// A typed word that cannot be read, for an error: in quotes, at most 80 bytes, and without anything that may be secret
/// (an invoice, or 64 hex digits).
[[nodiscard]] std::string in_quotes(std::string_view text);

/// printable, and at most `columns` wide, with "..." for the rest.
[[nodiscard]] std::string printable_cut(std::string_view text, std::size_t columns);

/// How many columns of a terminal a printable text takes: East Asian wide characters and pictures take two, combining
/// accents none.
[[nodiscard]] std::size_t columns_of(std::string_view text);

/// How many bytes of such a text fit into `columns`, never less than its first character.
[[nodiscard]] std::size_t bytes_within(std::string_view text, std::size_t columns);

/// "2026-11-23T00:20:28Z": UTC, whole seconds, rounded down.
[[nodiscard]] std::string time_text(UnixNs time);

/// "12 s ago", "3 min ago", "5 h ago", "2 d ago", "in 4 min".
[[nodiscard]] std::string relative_time(UnixNs time, UnixNs now);

}  // namespace paytower::cli
