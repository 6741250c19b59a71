// Tells an invoice from a hash.
#include "cli/input/named_payment.h"

#include <algorithm>
#include <array>

#include "cli/input/payable_text.h"
#include "core/base/refuse.h"
#include "core/invoice/bolt11/invoice.h"

namespace paytower::cli {

namespace {

/// No hash begins like this: what else it may be is for payable_text to say.
bool is_payable(std::string_view text) {
  static constexpr std::array<std::string_view, 3> beginnings{"ln", "lightning:", "bitcoin:"};
  const auto first = std::find_if_not(text.begin(), text.end(), [](char c) { return c == ' ' || c == '\n'; });
  text.remove_prefix(static_cast<std::size_t>(first - text.begin()));
  const auto same = [](char low, char c) { return (c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c) == low; };
  return std::any_of(beginnings.begin(), beginnings.end(), [&](std::string_view one) {
    return text.size() >= one.size() && std::equal(one.begin(), one.end(), text.begin(), same);
  });
}

}  // namespace

HashArgument named_payment(std::string_view text) {
  if (!is_payable(text)) return value_of(parse_hash(text));
  // What was paid once stays findable by the rules of that time.
  const Invoice invoice = value_of(decode_recorded_invoice(value_of(payable_text(text))));
  return HashArgument{invoice.payment_hash.hex(), invoice.payment_hash};
}

}  // namespace paytower::cli
