// What lnd kept of an imported payment and has no column of its own, as JSON.
#include "cli/output/imported_raw.h"

#include <algorithm>
#include <array>
#include <utility>

namespace paytower::cli {

namespace {

using db::lnd::TlvRecord;

constexpr std::uint64_t keysend_preimage = 5'482'373'484;

/// Custom records that programs agree on.
constexpr std::array known_records = {
    std::pair{std::uint64_t{7'629'169}, "podcast"},       std::pair{std::uint64_t{7'629'171}, "tip_note"},
    std::pair{std::uint64_t{34'349'334}, "message"},      std::pair{std::uint64_t{34'349'339}, "message_sender"},
    std::pair{std::uint64_t{34'349'343}, "message_time"}, std::pair{keysend_preimage, "keysend_preimage"},
};

const char* name_of(std::uint64_t type) {
  for (const auto& [known, name] : known_records) {
    if (known == type) return name;
  }
  return nullptr;
}

bool is_plain(const Bytes& bytes) {
  return !bytes.empty() &&
         std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t byte) { return byte >= ' ' && byte <= '~'; });
}

Json records_json(const std::vector<TlvRecord>& records) {
  Json list = Json::array();
  for (const TlvRecord& record : records) {
    const bool secret = record.type == keysend_preimage;
    const char* const name = name_of(record.type);
    Json json;
    json["type"] = id_json(record.type);
    json["name"] = name == nullptr ? Json() : Json(name);
    json["value"] = secret ? Json() : Json(to_hex(record.value));
    json["text"] =
        !secret && is_plain(record.value) ? Json(std::string(record.value.begin(), record.value.end())) : Json();
    list.push_back(std::move(json));
  }
  return list;
}

Json hop_json(const db::lnd::KvHop& hop) {
  Json json;
  json["metadata"] = hop.metadata ? Json(to_hex(*hop.metadata)) : Json();
  json["blinding_point"] = hop.blinded ? hex_json(hop.blinded->blinding_point) : Json();
  json["encrypted_data"] = hop.blinded ? Json(to_hex(hop.blinded->encrypted_data)) : Json();
  json["total_amt_msat"] = hop.blinded && hop.blinded->total_amount ? msat_json(*hop.blinded->total_amount)
                           : hop.mpp                                ? msat_json(hop.mpp->total)
                                                                    : Json();
  json["expiry"] = hop.outgoing_time_lock == 0 ? Json() : Json(hop.outgoing_time_lock);
  json["amp_child_index"] = hop.amp ? Json(hop.amp->child_index) : Json();
  json["custom_records"] = records_json(hop.records);
  return json;
}

Json htlc_json(const db::lnd::KvAttempt& attempt) {
  Json json;
  json["attempt_id"] = attempt.id ? id_json(*attempt.id) : Json();
  json["first_hop_amt_msat"] = attempt.first_hop_amount ? msat_json(*attempt.first_hop_amount) : Json();
  json["first_hop_custom_records"] = records_json(attempt.first_hop_records);
  json["failure_message"] =
      attempt.fail && !attempt.fail->wire_message.empty() ? Json(to_hex(attempt.fail->wire_message)) : Json();
  json["hops"] = Json::array();
  for (const db::lnd::KvHop& hop : attempt.route.hops) json["hops"].push_back(hop_json(hop));
  return json;
}

}  // namespace

Json imported_raw_json(std::span<const db::ImportedRaw> all) {
  Json list = Json::array();
  for (const db::ImportedRaw& raw : all) {
    Json json;
    json["what"] = raw.what;
    json["bytes"] = raw.bytes;
    json["payment_request"] = json["first_hop_custom_records"] = json["htlcs"] = Json();
    if (raw.payment) {
      const std::string& request = raw.payment->payment_request;
      json["payment_request"] =
          request.empty()
              ? Json()
              : Json(to_hex(std::span(reinterpret_cast<const std::uint8_t*>(request.data()), request.size())));
      json["first_hop_custom_records"] = records_json(raw.payment->first_hop_records);
      json["htlcs"] = Json::array();
      for (const db::lnd::KvAttempt& attempt : raw.payment->attempts) json["htlcs"].push_back(htlc_json(attempt));
    }
    list.push_back(std::move(json));
  }
  return list;
}

}  // namespace paytower::cli
