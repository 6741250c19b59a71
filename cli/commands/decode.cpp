// `decode`: what an invoice says, and whether it can be paid.
#include <algorithm>

#include <fmt/core.h>

#include "cli/commands/commands.h"
#include "cli/commands/send_options.h"
#include "cli/input/time.h"
#include "cli/output/render.h"
#include "cli/output/text.h"
#include "core/base/refuse.h"
#include "core/invoice/bolt11/invoice.h"

namespace paytower::cli {

namespace {

struct DecodeOptions {
  std::string invoice;
};

void take(DecodeOptions& decode, const Given& given) { decode.invoice = read_payable(given); }

/// A number that the payee wrote, of any size. Many readers of JSON round above 2^53, so a larger one becomes a text.
Json any_number(std::uint64_t number) {
  constexpr std::uint64_t largest_exact = (std::uint64_t{1} << 53) - 1;
  return number <= largest_exact ? Json(number) : Json(std::to_string(number));
}

Json hints_json(const Invoice& invoice) {
  Json hints = Json::array();
  for (const RouteHint& hint : invoice.route_hints) {
    Json hops = Json::array();
    for (const HintHop& hop : hint) {
      Json json;
      json["pub_key"] = hop.node.hex();
      json["chan_id"] = id_json(hop.channel.value);
      json["scid"] = hop.channel.text();
      json["fee_base_msat"] = hop.fee_base_msat;
      json["fee_proportional_millionths"] = hop.fee_proportional_millionths;
      json["cltv_expiry_delta"] = hop.cltv_expiry_delta;
      hops.push_back(std::move(json));
    }
    hints.push_back(std::move(hops));
  }
  return hints;
}

Json fallbacks_json(const Invoice& invoice) {
  Json list = Json::array();
  for (const Fallback& fallback : invoice.fallbacks) {
    if (const auto address = fallback_address(fallback, invoice.network)) list.push_back(*address);
  }
  return list;
}

/// The payment secret is not shown: with it others could probe the payee.
Json invoice_json(const Invoice& invoice, const std::string& text, std::optional<NotPayable> why_not) {
  Json json;
  json["payment_request"] = text;
  json["network"] = invoice.network;
  json["payment_hash"] = invoice.payment_hash.hex();
  json["destination"] = invoice.payee.hex();
  json["value_msat"] = invoice.amount ? any_number(invoice.amount->value()) : Json();
  json["creation_time_ns"] = time_json(from_seconds(invoice.timestamp));
  json["expiry_time_ns"] = time_json(from_seconds(expiry_time(invoice)));
  json["description"] = invoice.description ? Json(*invoice.description) : Json();
  json["description_hash"] = hex_json(invoice.description_hash);
  json["final_cltv_delta"] = any_number(invoice.min_final_cltv);
  json["route_hints"] = hints_json(invoice);
  json["fallback_addresses"] = fallbacks_json(invoice);
  json["features"] = to_hex(invoice.features);
  json["payable"] = !why_not;
  json["not_payable_reason"] = why_not ? Json(not_payable_name(*why_not)) : Json();
  return json;
}

std::string payable_words(const Invoice& invoice, std::optional<NotPayable> why_not) {
  if (why_not == NotPayable::expired) return "no: expired";
  if (why_not) return "no: its final CLTV delta is larger than a route can have";
  if (invoice.min_final_cltv > standard_send().cltv_limit)
    return fmt::format("yes, with --cltv-limit {} or more", invoice.min_final_cltv);
  return "yes";
}

std::string invoice_text(const Invoice& invoice, std::optional<NotPayable> why_not) {
  std::string text;
  const auto line = [&text](std::string_view name, const std::string& value) {
    text += fmt::format("{:12}  {}\n", name, value);
  };
  line("payment hash", invoice.payment_hash.hex());
  line("network", printable(invoice.network));
  line("amount", invoice.amount ? sat_text(*invoice.amount) : "any (say it with --amt)");
  line("destination", invoice.payee.hex());
  if (invoice.description) line("description", printable(*invoice.description));
  if (invoice.description_hash) line("description", fmt::format("SHA-256 {}", invoice.description_hash->hex()));
  line("created", time_text(from_seconds(invoice.timestamp)));
  line("expires", time_text(from_seconds(expiry_time(invoice))));
  line("final CLTV", fmt::format("{} blocks", invoice.min_final_cltv));
  if (!invoice.route_hints.empty()) line("route hints", fmt::format("{}", invoice.route_hints.size()));
  line("payable", payable_words(invoice, why_not));
  return text;
}

ExitCode run(const DecodeOptions& options, Session& session) {
  const auto invoice = decode_invoice(options.invoice);
  if (!invoice) refuse(invoice.error());
  const auto why_not = not_payable(*invoice, static_cast<std::uint64_t>(session.clock.wall().value / ns_per_second));
  session.output.result(session.output.json()
                            ? fmt::format("{}\n", dump(invoice_json(*invoice, options.invoice, why_not)))
                            : invoice_text(*invoice, why_not));
  return ExitCode::ok;
}

}  // namespace

constexpr Command decode_command = command<DecodeOptions, take, run>({
    .name = "decode",
    .words = "INVOICE|-",
    .summary = "Show what an invoice says",
    .about =
        "Needs neither database nor switch. - reads the invoice from stdin, since others can see the command line.",
    .examples = "  paytower decode lnbc2500u1pvjlu...\n"
                "  paytower decode - < invoice.txt",
    .database = false,
});

}  // namespace paytower::cli
