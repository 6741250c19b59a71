// Payment hashes and their prefixes, read strictly.
#include "cli/input/hash.h"

#include <algorithm>

#include <fmt/core.h>

namespace paytower::cli {

namespace {

constexpr std::size_t shortest_prefix = 6;
constexpr std::size_t whole_hash = 2 * PaymentHash::size;

bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

Error no_hash(std::string_view text, std::string_view why) {
  return Error{Errc::usage, fmt::format("payment hash \"{:.70}\": {}", text, why)};
}

}  // namespace

Result<HashArgument> parse_hash(std::string_view text) {
  HashArgument hash;
  hash.digits = text;
  for (char& c : hash.digits) {
    if (c >= 'A' && c <= 'F') c = static_cast<char>(c + ('a' - 'A'));
  }
  if (!std::all_of(hash.digits.begin(), hash.digits.end(), is_hex)) return no_hash(text, "hex digits only");
  if (text.size() > whole_hash) return no_hash(text, fmt::format("it has {} digits, a hash has 64", text.size()));
  if (text.size() < shortest_prefix) return no_hash(text, "a prefix needs at least 6 digits");
  hash.whole = PaymentHash::from_hex_text(hash.digits);
  return hash;
}

}  // namespace paytower::cli
