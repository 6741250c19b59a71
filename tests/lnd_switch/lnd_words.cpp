// For test_double.py: reads one JSON command on each line and answers it on one line. Makes our requests to lnd, and
// reads lnd's answers.
#include <functional>
#include <iostream>
#include <map>
#include <string>
#include <variant>

#include <nlohmann/json.hpp>

#include "core/switch/lnd/conclusions.h"
#include "core/switch/lnd/macaroon.h"
#include "core/switch/lnd/reading.h"
#include "core/switch/lnd/requests.h"

using namespace paytower;
using namespace paytower::lnd;
using nlohmann::json;

namespace {

template <typename T> T hex(const json& said, const char* key) {
  return T::from_hex_text(said.at(key).get<std::string>()).value();
}

json shown(const Request& request) {
  return json{{"method", request.method}, {"target", request.target}, {"body", request.body}};
}

/// The mark that one store makes; the same command makes the same mark.
Mark mark_of(const json& said, MarkKind kind) {
  return MarkCipher(StoreId{}).make({AttemptId{said.at("id").get<std::uint64_t>()}, said.value("part", 0U), kind});
}

json ask_routes(const json& said) {
  RouteQuestion question;
  question.demand.destination = hex<PublicKey>(said, "payee");
  question.demand.amount = Msat::of(said.at("amount"));
  question.demand.fee_limit = Msat::of(said.at("fee_limit"));
  question.demand.final_cltv_delta = said.at("final");
  question.demand.cltv_limit = said.value("cltv_limit", 2'016U);
  for (const json& channel : said.value("without", json::array()))
    question.excluded_channels.push_back({ShortChannelId{channel[0]}, channel[1]});
  for (const json& node : said.value("without_nodes", json::array()))
    question.excluded_nodes.push_back(PublicKey::from_hex_text(node.get<std::string>()).value());
  for (const json& channel : said.value("first", json::array()))
    question.demand.outgoing_channels.push_back(ShortChannelId{channel});
  for (const json& hop : said.value("hints", json::array()))
    question.hints.push_back({HintHop{hex<PublicKey>(hop, "node"), ShortChannelId{hop.at("channel")}, 1'000, 10, 80}});
  return shown(routes_request(question));
}

/// The route of an answer, the first of them.
Route route_in(const json& said) {
  const auto routes = read_routes(said.at("routes").get<std::string>(), hex<PublicKey>(said, "own"), said.at("height"));
  return routes.value().at(0);
}

json show_route(const json& said) {
  json hops = json::array();
  for (const Hop& hop : route_in(said).hops)
    hops.push_back({hop.channel.value, hop.direction, hop.node.hex(), hop.amount.value(), hop.delay});
  return hops;
}

json hand_over(const json& said) {
  Handover handover;
  handover.key.hash = hex<PaymentHash>(said, "hash");
  handover.route = route_in(said);
  handover.amount = Msat::of(said.at("total"));
  handover.payment_secret = hex<PaymentSecret>(said, "secret");
  const std::uint32_t lock = said.at("height").get<std::uint32_t>() + handover.route.total_delay();
  return shown(send_request(handover, {mark_of(said, MarkKind::attempt), lock, said.value("skip", false)}));
}

json fence(const json& said) {
  const bool release = said.value("release", false);
  FenceTerms terms;
  terms.hash = hex<PaymentHash>(said, "hash");
  terms.node = hex<PublicKey>(said, "node");
  terms.expiry = said.at("expiry");
  terms.mark = mark_of(said, release ? MarkKind::release : MarkKind::fence);
  return shown(release ? release_request(terms) : fence_request(terms));
}

json conclude_answer(const json& said) {
  const Mark mark = mark_of(said, static_cast<MarkKind>(said.value("kind", 1)));
  const auto meaning = conclude_send(said.at("status"), said.at("answer").get<std::string>(), mark);
  const std::map<SendMeaning::Word, const char*> words = {{SendMeaning::Word::settled, "settled"},
                                                          {SendMeaning::Word::failed, "failed"},
                                                          {SendMeaning::Word::not_sent, "not_sent"},
                                                          {SendMeaning::Word::look, "look"}};
  return json{{"word", words.at(meaning.word)},
              {"preimage", meaning.preimage.hex()},
              {"code", failure_name(meaning.failure.code)},
              {"source", meaning.failure.source_index ? json(*meaning.failure.source_index) : json()}};
}

json shown(const Record& record) {
  const std::map<Record::Status, const char*> words = {{Record::Status::in_flight, "IN_FLIGHT"},
                                                       {Record::Status::succeeded, "SUCCEEDED"},
                                                       {Record::Status::failed, "FAILED"}};
  json marks = json::array();
  for (const Htlc& htlc : record.htlcs) {
    const auto parts = htlc.mark ? MarkCipher(StoreId{}).read(*htlc.mark) : std::nullopt;
    marks.push_back(parts ? json{parts->id.value, parts->part, static_cast<int>(parts->kind)} : json());
  }
  return json{{"status", words.at(record.status)}, {"value", record.value.value()}, {"marks", std::move(marks)}};
}

json conclude_look(const json& said) {
  const auto meaning =
      conclude_track(said.at("status"), said.at("answer").get<std::string>(), hex<PaymentHash>(said, "hash"));
  if (std::holds_alternative<NoRecord>(meaning)) return "none";
  if (const auto* nothing = std::get_if<NothingKnown>(&meaning)) return json{{"why", nothing->why}};
  return shown(std::get<Record>(meaning));
}

json limit(const json& said) {
  const auto file = bytes_from_hex(said.at("macaroon").get<std::string>());
  return Macaroon::read(file.value()).value().limited(UnixNs{said.at("until")}).hex();
}

json read_page(const json& said) {
  const auto page = read_payments(said.at("answer").get<std::string>());
  json rows = json::array();
  for (const PaymentShown& one : page.value().payments) rows.push_back(one.hash.hex());
  return json{{"rows", page.value().rows}, {"last", page.value().last_index}, {"hashes", std::move(rows)}};
}

json read_node(const json& said) {
  const auto info = read_node_info(said.at("answer").get<std::string>());
  return json{{"key", info.value().key.hex()}, {"network", info.value().network}, {"height", info.value().height}};
}

json read_own_channels(const json& said) {
  const auto channels = read_channels(said.at("answer").get<std::string>());
  json list = json::array();
  for (const OwnChannel& channel : channels.value()) {
    json out = json::array();
    for (const PaymentHash& hash : channel.pending_out) out.push_back(hash.hex());
    list.push_back({channel.id.value, channel.active, std::move(out)});
  }
  return list;
}

const std::map<std::string, std::function<json(const json&)>> commands = {
    {"state", [](const json&) { return shown(state_request()); }},
    {"node_info", [](const json&) { return shown(node_info_request()); }},
    {"channels", [](const json&) { return shown(channels_request()); }},
    {"track", [](const json& said) { return shown(track_request(hex<PaymentHash>(said, "hash"))); }},
    {"payments", [](const json& said) { return shown(payments_request(said.at("after"))); }},
    {"routes", ask_routes},
    {"route", show_route},
    {"send", hand_over},
    {"fence", fence},
    {"limit", limit},
    {"read_answer", conclude_answer},
    {"read_look", conclude_look},
    {"read_page", read_page},
    {"read_node", read_node},
    {"read_channels", read_own_channels},
    {"read_state",
     [](const json& said) {
       return json(read_state(said.at("answer").get<std::string>()).value() == ServerState::active);
     }},
};

}  // namespace

int main() {
  std::string line;
  while (std::getline(std::cin, line)) {
    json answer;
    try {
      const json said = json::parse(line);
      answer = json{{"ok", commands.at(said.at("cmd").get<std::string>())(said)}};
    } catch (const std::exception& error) {
      answer = json{{"error", error.what()}};
    }
    std::cout << answer.dump() << std::endl;
  }
  return 0;
}
