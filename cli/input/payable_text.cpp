// Finds the invoice in what people paste, and names what is not one.
#include "cli/input/payable_text.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include <fmt/core.h>

#include "core/base/limits.h"
#include "core/base/require.h"

namespace paytower::cli {

namespace {

/// Names what was given instead, and what to do. paytower pays BOLT 11 invoices and nothing else.
Error not_this(std::string_view what, std::string_view next) {
  return usage(fmt::format("this is {}, not a BOLT 11 invoice; {}", what, next));
}

constexpr std::string_view ask_payee = "ask the payee for an invoice (it starts with lnbc)";

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](char c) { return lower(c); });
  return out;
}

bool starts(std::string_view text, std::string_view with) { return text.substr(0, with.size()) == with; }

/// Of any case. REQUIRES: `with` is lower case.
bool starts_like(std::string_view text, std::string_view with) {
  require(std::all_of(with.begin(), with.end(), [](char c) { return c == lower(c); }), "the beginning is lower case");
  return text.size() >= with.size() &&
         std::equal(with.begin(), with.end(), text.begin(), [](char a, char b) { return a == lower(b); });
}

/// What copying leaves around a word: blanks and line ends, also invisible ones (no-break and zero width spaces, and
/// the mark at the beginning of a file).
std::string_view trimmed(std::string_view text) {
  static constexpr std::array<std::string_view, 10> around{
      " ", "\t", "\r", "\n", "\v", "\f", "\xc2\xa0", "\xe2\x80\x8b", "\xe2\x81\xa0", "\xef\xbb\xbf"};
  const auto leads = [&](std::string_view one) { return starts(text, one); };
  const auto ends = [&](std::string_view one) {
    return text.size() >= one.size() && text.substr(text.size() - one.size()) == one;
  };
  while (true) {
    const auto before = std::find_if(around.begin(), around.end(), leads);
    if (before != around.end()) text.remove_prefix(before->size());
    const auto behind = std::find_if(around.begin(), around.end(), ends);
    if (behind != around.end()) text.remove_suffix(behind->size());
    if (before == around.end() && behind == around.end()) return text;
  }
}

/// `scheme` with its colon, or with two slashes behind it; nothing when the text has another one.
std::optional<std::string_view> behind_scheme(std::string_view text, std::string_view scheme) {
  if (!starts_like(text, scheme)) return std::nullopt;
  text.remove_prefix(scheme.size());
  if (starts(text, "//")) text.remove_prefix(2);
  return text;
}

// --- BIP 21 ---

std::optional<unsigned> hex_value(char c) {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  if (lower(c) >= 'a' && lower(c) <= 'f') return static_cast<unsigned>(lower(c) - 'a') + 10;
  return std::nullopt;
}

/// "%6C" as "l" (RFC 3986). Nothing for a % with anything else behind it.
std::optional<std::string> percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const auto high = i + 2 < text.size() ? hex_value(text[i + 1]) : std::nullopt;
    const auto low = i + 2 < text.size() ? hex_value(text[i + 2]) : std::nullopt;
    if (!high || !low) return std::nullopt;
    out += static_cast<char>(*high << 4 | *low);
    i += 2;
  }
  return out;
}

struct BitcoinUri {
  std::optional<std::string> lightning{};
  bool offer = false;  ///< it has lno=
};

/// The parameters behind the address, whose names may be of any case.
Result<BitcoinUri> read_bitcoin_uri(std::string_view text) {
  text = text.substr(0, text.find('#'));
  const std::size_t question = text.find('?');
  std::string_view query = question == std::string_view::npos ? std::string_view{} : text.substr(question + 1);
  BitcoinUri uri;
  while (!query.empty()) {
    const std::string_view parameter = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), parameter.size() + 1));
    const std::size_t equals = std::min(parameter.find('='), parameter.size());
    const auto name = percent_decoded(parameter.substr(0, equals));
    const auto value = percent_decoded(parameter.substr(std::min(parameter.size(), equals + 1)));
    if (!name || !value) return usage("this bitcoin: URI is damaged: a % in it has no two hex digits behind it");
    const std::string known = lower(*name);
    // BIP 21: a program that does not know a required parameter must not use the URI.
    if (starts(known, "req-"))
      return usage(
          fmt::format("this bitcoin: URI requires something that paytower does not know (req-...); {}", ask_payee));
    if (known == "lno") uri.offer = true;
    if (known != "lightning") continue;
    if (uri.lightning && *uri.lightning != *value)
      return usage("this bitcoin: URI has two different lightning=; give paytower one of them");
    uri.lightning = *value;
  }
  return uri;
}

// --- what else people paste ---

bool all_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return hex_value(c).has_value(); });
}

/// 25 to 35 digits of base 58, beginning as addresses do.
bool is_base58_address(std::string_view text) {
  static constexpr std::string_view alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
  static constexpr std::string_view first = "132mn";
  return text.size() >= 25 && text.size() <= 35 && first.find(text.front()) != std::string_view::npos &&
         text.find_first_not_of(alphabet) == std::string_view::npos;
}

bool is_segwit_address(std::string_view low) {
  static constexpr std::array<std::string_view, 4> prefixes{"bc1", "tb1", "bcrt1", "sb1"};
  return std::any_of(prefixes.begin(), prefixes.end(), [low](std::string_view prefix) { return starts(low, prefix); });
}

/// name@host.domain, or with a number of a port behind it.
bool is_name_at_host(std::string_view low) {
  const std::size_t at = low.find('@');
  if (at == 0 || at == std::string_view::npos || at + 1 == low.size() ||
      low.find('@', at + 1) != std::string_view::npos)
    return false;
  return low.find_first_of(" \t\r\n/?") == std::string_view::npos;
}

Error on_chain_only() {
  return not_this("an on-chain address", fmt::format("paytower pays over Lightning only: {}", ask_payee));
}

std::optional<Error> other_lightning(std::string_view low) {
  if (starts(low, "lno1"))
    return not_this("a BOLT 12 offer", fmt::format("{}, or pay the offer with a node that knows offers", ask_payee));
  if (starts(low, "lnr1")) return not_this("a BOLT 12 invoice request", ask_payee);
  if (starts(low, "lni1"))
    return not_this(
        "a BOLT 12 invoice",
        "pay it with the node that fetched it, or ask the payee for a BOLT 11 invoice (it starts with lnbc)");
  static constexpr std::array<std::string_view, 5> lnurls{"lnurl1", "lnurl:", "lnurlp:", "lnurlw:", "lnurlc:"};
  if (std::any_of(lnurls.begin(), lnurls.end(), [low](std::string_view one) { return starts(low, one); })) {
    return not_this(
        "an LNURL",
        "open it in a wallet that knows LNURL, and give paytower the invoice that it answers (it starts with lnbc)");
  }
  if (starts(low, "keyauth:")) return not_this("an LNURL for logging in (keyauth)", "nothing is paid with it");
  return std::nullopt;
}

std::optional<Error> named_payee(std::string_view text, std::string_view low) {
  static constexpr std::string_view bitcoin_sign = "\xe2\x82\xbf";
  if (starts(text, bitcoin_sign))
    return not_this("a BIP 353 name", fmt::format("it stands for an offer or an address; {}", ask_payee));
  if (!is_name_at_host(low)) return std::nullopt;
  const std::string_view name = low.substr(0, low.find('@'));
  if (name.size() == 66 && all_hex(name)) {
    return not_this(
        "a node's id and address",
        fmt::format("{}, or name the node with --dest, --payment-hash, --payment-secret and --amt", ask_payee));
  }
  return not_this("a Lightning address (name@host)",
                  "a wallet that knows LNURL gets an invoice for it; give paytower that invoice (it starts with lnbc)");
}

std::optional<Error> hex_digits(std::string_view text) {
  if (!all_hex(text)) return std::nullopt;
  if (text.size() == 66 && (starts(text, "02") || starts(text, "03"))) {
    return not_this(
        "a node id",
        fmt::format("{}, or name the node with --dest, --payment-hash, --payment-secret and --amt", ask_payee));
  }
  if (text.size() == 64) {
    return not_this("a payment hash, or another 64 hex digits",
                    fmt::format("`paytower show` tells what is known of a hash; to pay, {}", ask_payee));
  }
  return std::nullopt;
}

std::optional<Error> web_address(std::string_view low) {
  if (!starts(low, "http://") && !starts(low, "https://")) return std::nullopt;
  if (low.find("lightning=lnurl1") != std::string_view::npos) return other_lightning("lnurl1");
  return not_this("a web address",
                  "open it in a browser, and give paytower the invoice that stands there (it starts with lnbc)");
}

std::optional<Error> something_else(std::string_view text) {
  const std::string low = lower(text);
  if (auto error = other_lightning(low)) return error;
  if (auto error = web_address(low)) return error;
  if (auto error = named_payee(text, low)) return error;
  if (is_segwit_address(low) || is_base58_address(text)) return on_chain_only();
  return hex_digits(text);
}

Result<std::string> bare(std::string_view text) {
  text = trimmed(text);
  if (const auto rest = behind_scheme(text, "lightning:")) text = trimmed(rest->substr(0, rest->find_first_of("?#")));
  if (text.empty())
    return usage("there is no invoice in it (an invoice starts with lnbc, lntb, lntbs, lnbcrt or lnsb)");
  if (auto error = something_else(text)) return *error;
  if (text.find_first_of(" \t\r\n") != std::string_view::npos) {
    return usage("not one invoice: there is a blank or a line end inside; copy it in one piece");
  }
  return std::string(text);
}

}  // namespace

Result<std::string> payable_text(std::string_view pasted) {
  if (pasted.size() > limits::max_pasted_bytes)
    return usage(fmt::format("this is longer than any invoice ({} bytes)", limits::max_pasted_bytes));
  const std::string_view text = trimmed(pasted);
  const auto query = behind_scheme(text, "bitcoin:");
  if (!query) return bare(text);
  const auto uri = read_bitcoin_uri(*query);
  if (!uri) return uri.error();
  if (uri->lightning) return bare(*uri->lightning);
  if (uri->offer) return not_this("a bitcoin: URI with a BOLT 12 offer", ask_payee);
  return not_this("a bitcoin: URI without lightning=", fmt::format("paytower pays over Lightning only: {}", ask_payee));
}

}  // namespace paytower::cli
