// From an invoice, or --dest, and the flags to the payment that is wanted.
#include "cli/commands/request.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include <fmt/core.h>

#include "cli/input/routes.h"
#include "cli/input/time.h"
#include "cli/output/text.h"
#include "core/base/limits.h"
#include "core/driver/attempt_id.h"
#include "core/invoice/bolt11/invoice.h"

namespace paytower::cli {

namespace {

Msat fee_limit(const SendOptions& options, Msat amount) {
  if (const auto* limit = std::get_if<Msat>(&options.fee_limit)) return *limit;
  if (const auto* percent = std::get_if<Percent>(&options.fee_limit)) return percent->of(amount);
  // Nobody has asked for the default: it keeps to what the operator allows.
  const Msat standard = std::max(least_default_fee, default_fee.of(amount));
  return std::min(standard, highest_fee_limit(options.allowed, amount).value_or(standard));
}

UnixNs expiry_of(const Invoice& invoice) { return from_seconds(expiry_time(invoice)); }

/// Nothing of the invoice in it: it holds the payment secret, and errors go into logs and mails.
Error not_payable_now(NotPayable why, const Invoice& invoice) {
  switch (why) {
    case NotPayable::expired:
      return Error{Errc::invoice_expired,
                   fmt::format("the invoice expired at {}; nothing was sent. Ask the payee for a "
                               "new one",
                               time_text(expiry_of(invoice)))};
    case NotPayable::final_cltv_too_large: break;
  }
  return usage(fmt::format("the payee's final CLTV delta is {} blocks, a route can have at most {}",
                           invoice.min_final_cltv, limits::max_cltv_delta));
}

Result<Msat> amount_of(const Invoice& invoice, const SendOptions& options) {
  if (invoice.amount && options.amount) {
    return usage(fmt::format("the invoice asks for {} itself; --amt is only for an invoice without an amount",
                             sat_text(*invoice.amount)));
  }
  if (invoice.amount) return *invoice.amount;
  if (!options.amount) return usage("the invoice names no amount: say with --amt how much to pay");
  return *options.amount;
}

/// How many parts: 1 unless the payee takes more. Given routes are tried one by one, each for the whole amount.
std::uint32_t parts_for(const SendOptions& options, bool payee_takes_parts) {
  if (!payee_takes_parts || options.routes) return 1;
  return options.max_parts.value_or(default_parts);
}

PaymentRequest with_limits(const SendOptions& options, std::uint32_t parts, Msat amount, UnixNs now) {
  PaymentRequest request;
  request.demand.amount = amount;
  request.demand.fee_limit = fee_limit(options, amount);
  request.demand.cltv_limit = options.cltv_limit;
  request.demand.outgoing_channels = options.outgoing_channels;
  request.label = options.label;
  request.max_parts = parts;
  request.max_attempts = options.max_attempts.value_or(parts == 1 ? attempts_in_one_part : attempts_in_parts);
  request.created = now;
  request.deadline = UnixNs{now.value + options.timeout_ns};
  return request;
}

/// Why this invoice and call cannot begin a new try.
std::optional<Error> objection_to(const Invoice& invoice, const SendOptions& options, UnixNs now) {
  if (auto wrong = unusable_clock(now, release_date)) return wrong;
  if (const auto why = not_payable(invoice, static_cast<std::uint64_t>(now.value / ns_per_second)))
    return not_payable_now(*why, invoice);
  if (const auto amount = amount_of(invoice, options); !amount) return amount.error();
  return std::nullopt;
}

Result<Wanted> from_invoice(const std::string& text, const SendOptions& options, UnixNs now) {
  const auto invoice = decode_invoice(text);
  if (!invoice) return invoice.error();
  Wanted wanted;
  wanted.objection = objection_to(*invoice, options, now);
  PaymentRequest& request = wanted.request;
  request = with_limits(options, parts_for(options, takes_parts(*invoice)),
                        invoice->amount.value_or(options.amount.value_or(Msat{})), now);
  request.hash = invoice->payment_hash;
  request.demand.destination = invoice->payee;
  request.demand.final_cltv_delta =
      static_cast<std::uint32_t>(std::min<std::uint64_t>(invoice->min_final_cltv, limits::max_cltv_delta));
  request.payment_secret = invoice->payment_secret;
  request.metadata = invoice->metadata;
  request.invoice = text;
  request.network = invoice->network;
  request.deadline = std::min(request.deadline, expiry_of(*invoice));
  return wanted;
}

Result<Wanted> from_dest(const DirectPayee& payee, const SendOptions& options, UnixNs now) {
  if (!valid_public_key(payee.node))
    return about(usage("--dest is not a point on the curve, so it is nobody's node key"), payee.hash);
  Wanted wanted;
  PaymentRequest& request = wanted.request;
  wanted.objection = unusable_clock(now, release_date);
  // Without an invoice only --max-parts tells whether the payee takes parts.
  request = with_limits(options, parts_for(options, options.max_parts.has_value()), *options.amount, now);
  request.hash = payee.hash;
  request.demand.destination = payee.node;
  request.demand.final_cltv_delta = payee.final_cltv_delta;
  request.payment_secret = payee.secret;
  return wanted;
}

}  // namespace

Result<Wanted> read_wanted(const SendOptions& options, UnixNs now) {
  auto wanted = std::holds_alternative<DirectPayee>(options.payee)
                    ? from_dest(std::get<DirectPayee>(options.payee), options, now)
                    : from_invoice(std::get<std::string>(options.payee), options, now);
  if (!wanted || wanted->objection) return wanted;
  const RouteDemand& demand = wanted->request.demand;
  if (demand.final_cltv_delta > demand.cltv_limit) {
    wanted->objection = usage(fmt::format("the payee's final CLTV delta is {} blocks, --cltv-limit allows {}",
                                          demand.final_cltv_delta, demand.cltv_limit));
  }
  return wanted;
}

std::string description_of(const SendOptions& options) {
  const auto* text = std::get_if<std::string>(&options.payee);
  if (text == nullptr) return {};
  const auto invoice = decode_invoice(*text);
  return invoice ? invoice->description.value_or("") : "";
}

Result<std::vector<Route>> read_routes(std::string_view text, const PaymentRequest& request, const SwitchKey& key) {
  auto routes = parse_routes(text, RoutesContext{key.node, request.demand.final_cltv_delta, request.demand.amount});
  if (!routes) return about(routes.error(), request.hash);
  for (std::size_t i = 0; i < routes->size(); ++i) {
    const auto kept = check_route((*routes)[i], request.demand);
    if (!kept) return about(usage(fmt::format("route {}: {}", i + 1, kept.error().message)), request.hash);
  }
  return routes;
}

}  // namespace paytower::cli
