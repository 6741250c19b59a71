// Makes networks and invoices, releases holds, and reads the ledger.
#include "core/sim/admin.h"

#include <algorithm>
#include <limits>
#include <utility>

#include <fmt/core.h>

#include "core/base/hash.h"
#include "core/invoice/bolt11/invoice.h"
#include "core/sim/engine.h"
#include "core/sim/graph.h"

namespace paytower::sim {

namespace {

constexpr std::uint32_t final_cltv_delta = 18;
constexpr std::uint32_t distance_wanted = 3;

/// Digits of one base only. Nothing for anything else.
std::optional<std::uint32_t> read_number(std::string_view text, std::uint32_t base) {
  if (text.empty() || text.size() > 10) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : text) {
    std::uint32_t digit = 0;
    if (c >= '0' && c <= '9') {
      digit = static_cast<std::uint32_t>(c - '0');
    } else if (c >= 'a' && c <= 'f') {
      digit = static_cast<std::uint32_t>(c - 'a') + 10;
    } else if (c >= 'A' && c <= 'F') {
      digit = static_cast<std::uint32_t>(c - 'A') + 10;
    } else {
      return std::nullopt;
    }
    if (digit >= base) return std::nullopt;
    value = value * base + digit;
  }
  if (value > std::numeric_limits<std::uint32_t>::max()) return std::nullopt;
  return static_cast<std::uint32_t>(value);
}

/// A BOLT 4 name or a number below 2^16.
std::optional<std::uint32_t> read_code(std::string_view text) {
  const bool hex = text.size() > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
  std::optional<std::uint32_t> code = hex ? read_number(text.substr(2), 16) : read_number(text, 10);
  if (!code) {
    const auto named = failure_from_name(text);
    if (named) code = static_cast<std::uint32_t>(*named);
  }
  if (!code || *code > 0xFFFF) return std::nullopt;
  return code;
}

/// Cuts off what comes after the last `mark` in `text`, and reads it as a number.
enum class Suffix { absent, read, wrong };
Suffix take_suffix(std::string_view& text, char mark, std::optional<std::uint32_t>& value) {
  const std::size_t at = text.rfind(mark);
  if (at == std::string_view::npos) return Suffix::absent;
  value = read_number(text.substr(at + 1), 10);
  if (!value) return Suffix::wrong;
  text = text.substr(0, at);
  return Suffix::read;
}

template <typename Fixed> Fixed derived(const char* what, const NodeSecret& secret, std::int64_t number) {
  Bytes data(secret.bytes.begin(), secret.bytes.end());
  for (const char* c = what; *c != '\0'; ++c) data.push_back(static_cast<std::uint8_t>(*c));
  for (const char c : fmt::format("{}", number)) data.push_back(static_cast<std::uint8_t>(c));
  return Fixed{sha256(data).bytes};
}

/// Nodes that can sign, as far from ours as payees usually are. Reads the whole graph.
std::vector<NodeIndex> usual_payees(LedgerTx& tx) {
  const std::vector<std::uint32_t> distances = Graph::load(tx).distances();
  std::vector<NodeIndex> best;
  std::uint32_t best_distance = 0;
  tx.each_node([&](const Node& node) {
    const std::uint32_t distance = distances[node.index];
    if (!node.secret || node.index == own_node || distance == std::numeric_limits<std::uint32_t>::max()) return true;
    const std::uint32_t rated = std::min(distance, distance_wanted);
    if (rated > best_distance) best.clear();
    if (rated >= best_distance) best.push_back(node.index);
    best_distance = std::max(best_distance, rated);
    return true;
  });
  return best;
}

}  // namespace

Result<FailSpec> parse_fail_spec(std::string_view text) {
  FailSpec spec;
  std::string_view rest = text;
  // "xN" comes last. Names and hex numbers may contain an x too, so it only counts if digits follow it.
  const std::size_t x = rest.rfind('x');
  const bool is_hex_prefix = x == 1 && rest[0] == '0';
  if (x != std::string_view::npos && !is_hex_prefix && x + 1 < rest.size() && rest[x + 1] >= '0' &&
      rest[x + 1] <= '9') {
    if (take_suffix(rest, 'x', spec.times) == Suffix::wrong) return usage("xN needs a number of attempts");
  }
  if (take_suffix(rest, '@', spec.hop) == Suffix::wrong)
    return usage("@HOP needs the index of a hop: 1 is the first peer");
  const auto code = read_code(rest);
  if (!code)
    return usage(
        "no BOLT 4 failure code has this name or number (CODE[@HOP][xN], such as TEMPORARY_CHANNEL_FAILURE@2x1)");
  spec.wire_code = *code;
  return spec;
}

SimAdmin::SimAdmin(Ledger& ledger, Clock& clock) : ledger_(ledger), clock_(clock) {}

void SimAdmin::act(const std::function<void(LedgerTx&, Engine&)>& work) {
  const UnixNs wall = clock_.wall();
  ledger_.write([&](LedgerTx& tx) {
    if (!tx.node(own_node)) throw SwitchError("there is no simulated network in this file");
    Engine engine(tx, network_time(tx, wall));
    engine.advance();
    work(tx, engine);
  });
}

Result<NetworkSummary> SimAdmin::create_network(const NetworkParams& params) {
  std::optional<Result<NetworkSummary>> made;
  ledger_.write([&](LedgerTx& tx) { made = build_network(tx, params); });
  return *made;
}

Result<MadeInvoice> SimAdmin::make_invoice(const InvoiceParams& params) {
  if (params.expiry_ns < ns_per_second) return usage("an invoice is valid for at least one second");
  if (params.hold.ns < 0 && params.hold.ns != Hold::forever) return usage("a hold must not be negative");
  std::optional<Result<MadeInvoice>> made;
  act([&](LedgerTx& tx, Engine& engine) {
    const auto payee = params.node.empty() ? next_payee(tx) : find_payee(tx, params.node);
    if (!payee) {
      made = payee.error();
      return;
    }
    const std::int64_t number = tx.number(Number::invoices_made) + 1;
    Invoice invoice;
    invoice.preimage = derived<Preimage>("preimage", *payee->secret, number);
    invoice.secret = derived<PaymentSecret>("secret", *payee->secret, number);
    invoice.hash = hash_of(invoice.preimage);
    invoice.amount = params.amount;
    invoice.payee = payee->index;
    invoice.final_cltv_delta = final_cltv_delta;
    invoice.hold = params.hold;
    invoice.fail = params.fail;
    invoice.behaviour = params.behaviour;

    paytower::Invoice fields;
    fields.network = network_name;
    fields.amount = params.amount;
    fields.timestamp = static_cast<std::uint64_t>(std::max<std::int64_t>(engine.now().value, 0) / ns_per_second);
    fields.payment_hash = invoice.hash;
    fields.payment_secret = invoice.secret;
    fields.description = params.description;
    fields.expiry = static_cast<std::uint64_t>(params.expiry_ns / ns_per_second);
    fields.min_final_cltv = final_cltv_delta;
    // Bits 14 payment_secret and 8 var_onion_optin, both compulsory, and 17: the amount may come in several parts.
    fields.features = Bytes{0x02, 0x41, 0x00};
    fields.route_hints = hints_to(tx, *payee);
    const auto text = encode_invoice(fields, payee->secret->bytes);
    if (!text) {
      made = text.error();
      return;
    }
    const auto seconds = static_cast<std::int64_t>(fields.timestamp + fields.expiry);
    invoice.expires = UnixNs{seconds > INT64_MAX / ns_per_second ? INT64_MAX : seconds * ns_per_second};
    invoice.text = *text;
    tx.set_number(Number::invoices_made, number);
    tx.put_invoice(invoice);
    made = MadeInvoice{invoice.hash, invoice.text, invoice.payee};
  });
  return *made;
}

Result<Node> SimAdmin::next_payee(LedgerTx& tx) {
  const std::int64_t version = tx.number(Number::graph_version);
  if (payees_version_ != version) payees_ = usual_payees(tx);
  payees_version_ = version;
  if (payees_.empty()) return usage("no node of the simulated network that can sign an invoice can be reached");
  const auto turn = static_cast<std::uint64_t>(tx.number(Number::invoices_made)) % payees_.size();
  return *tx.node(payees_[turn]);
}

Result<Node> SimAdmin::find_payee(LedgerTx& tx, const std::string& name) {
  auto node = tx.node_by_name(name);
  if (!node) {
    if (const auto key = PublicKey::from_hex_text(name)) node = tx.node_by_key(*key);
  }
  if (!node) return usage("the simulated network has no node of this name");
  if (!node->secret)
    return usage("the key of this node is not known, so it cannot sign an invoice: use one of n1 to n8");
  return *node;
}

/// A payee that can only be reached over unannounced channels names them (at most four).
std::vector<RouteHint> SimAdmin::hints_to(LedgerTx& tx, const Node& payee) {
  constexpr std::size_t enough = 4;
  std::vector<RouteHint> hints;
  bool announced = false;
  tx.each_channel_of(payee.index, [&](const Channel& channel) {
    announced = announced || channel.announced;
    const std::uint8_t from = channel.nodes[0] == payee.index ? 1 : 0;
    if (channel.announced || hints.size() >= enough || channel.nodes[from] == own_node) return true;
    const Policy& policy = channel.policies[from];
    hints.push_back(
        RouteHint{HintHop{tx.node(channel.nodes[from])->key, channel.id, policy.fee_base_msat,
                          policy.fee_proportional_millionths, static_cast<std::uint16_t>(policy.cltv_delta)}});
    return true;
  });
  return announced ? std::vector<RouteHint>{} : hints;
}

Result<std::size_t> SimAdmin::release(const PaymentHash& hash, std::optional<std::uint32_t> fail_wire_code) {
  Result<std::size_t> released = Error{Errc::not_found, "the simulated network has no invoice with this payment hash"};
  act([&](LedgerTx& tx, Engine& engine) {
    auto invoice = tx.invoice(hash);
    if (!invoice) return;
    if (fail_wire_code && engine.payee_has_settled(*invoice)) {
      released = Error{Errc::already_paid, "the payee has settled this payment: its HTLCs can no longer fail",
                       fmt::format("paytower simulate release {}", hash.hex())};
      return;
    }
    released = engine.release(*invoice, fail_wire_code);
  });
  return released;
}

void SimAdmin::ledger(const std::optional<PaymentHash>& hash, const Visitor<OracleEntry>& visit) {
  advance();
  std::uint64_t after = 0;
  for (;;) {
    std::vector<OracleEntry> entries;  // one page for each transaction, so that a slow reader does not keep one open
    ledger_.read([&](LedgerTx& tx) { entries = tx.oracle_after(hash, after, records_at_once); });
    if (entries.empty()) return;
    after = entries.back().id;
    for (const OracleEntry& entry : entries) {
      if (!visit(entry)) return;
    }
  }
}

void SimAdmin::advance() {
  bool due = false;
  const UnixNs wall = clock_.wall();
  ledger_.read([&](LedgerTx& tx) {
    const auto next = next_event(tx);
    due = next && *next <= network_time(tx, wall);
  });
  if (due) act([](LedgerTx&, Engine&) {});
}

}  // namespace paytower::sim
