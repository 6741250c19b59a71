#include <algorithm>

#include "cli/commands.h"
#include "cli/input/time.h"
#include "cli/render.h"
#include "cli/text.h"
#include "core/bolt11/invoice.h"

namespace paytower::cli {

namespace {

constexpr std::uint64_t last_second = static_cast<std::uint64_t>(INT64_MAX / ns_per_second);

UnixNs from_seconds(std::uint64_t seconds) { return UnixNs{static_cast<std::int64_t>(std::min(seconds, last_second)) * ns_per_second}; }

std::uint64_t expiry_of(const Invoice& invoice) {
  return invoice.expiry > UINT64_MAX - invoice.timestamp ? UINT64_MAX : invoice.timestamp + invoice.expiry;
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

/// The payment secret is not shown: it is what keeps others from probing the payee.
Json invoice_json(const Invoice& invoice, const std::string& text, bool over) {
  Json json;
  json["payment_request"] = text;
  json["network"] = invoice.network;
  json["payment_hash"] = invoice.payment_hash.hex();
  json["destination"] = invoice.payee.hex();
  json["value_msat"] = invoice.amount ? msat_json(*invoice.amount) : Json();
  json["creation_time_ns"] = time_json(from_seconds(invoice.timestamp));
  json["expiry_time_ns"] = time_json(from_seconds(expiry_of(invoice)));
  json["description"] = invoice.description ? Json(*invoice.description) : Json();
  json["description_hash"] = hex_json(invoice.description_hash);
  json["final_cltv_delta"] = invoice.min_final_cltv;
  json["route_hints"] = hints_json(invoice);
  json["fallback_addresses"] = fallbacks_json(invoice);
  json["features"] = to_hex(invoice.features);
  json["payable"] = !over;
  json["not_payable_reason"] = over ? Json("expired") : Json();
  return json;
}

std::string invoice_text(const Invoice& invoice, bool over) {
  std::string text;
  const auto line = [&text](std::string name, const std::string& value) {
    name.resize(std::max<std::size_t>(name.size(), 12), ' ');
    text += name + "  " + value + "\n";
  };
  line("payment hash", invoice.payment_hash.hex());
  line("network", printable(invoice.network));
  line("amount", invoice.amount ? sat_text(*invoice.amount) : "any (say it with --amt)");
  line("destination", invoice.payee.hex());
  if (invoice.description) line("description", printable(*invoice.description));
  if (invoice.description_hash) line("description", "SHA-256 " + invoice.description_hash->hex());
  line("created", time_text(from_seconds(invoice.timestamp)));
  line("expires", time_text(from_seconds(expiry_of(invoice))));
  line("final delta", std::to_string(invoice.min_final_cltv) + " blocks");
  if (!invoice.route_hints.empty()) line("route hints", std::to_string(invoice.route_hints.size()));
  line("payable", over ? "no: expired" : "yes");
  return text;
}

}  // namespace

ExitCode run(const DecodeOptions& options, Session& session) {
  const auto invoice = decode_invoice(options.invoice);
  if (!invoice) throw RefusalError(invoice.error());
  const bool over = session.clock.wall() >= from_seconds(expiry_of(*invoice));
  session.output.result(session.output.json() ? dump(invoice_json(*invoice, options.invoice, over)) + "\n" : invoice_text(*invoice, over));
  return ExitCode::ok;
}

}  // namespace paytower::cli
