// Reads all records of the node that a store of ours made.
#include "core/switch/cln/rows.h"

#include <algorithm>
#include <utility>

#include "core/switch/cln/look.h"
#include "core/switch/cln/reading.h"
#include "core/switch/cln/requests.h"

namespace paytower::cln {

void OwnRowsSearch::ask_page(std::uint64_t start) {
  client_.call("listsendpays", page_params(start), [self = shared_from_this(), start](const RpcReply& reply) {
    if (start == 1 && not_known_there(reply)) return self->ask_all();
    const auto taken = self->take(reply);
    const bool stuck = taken && taken->count >= list_page && taken->last < start;
    if (!taken || stuck) return self->client_.refuse("the node's answer to listsendpays cannot be used");
    if (taken->count >= list_page) return self->ask_page(taken->last + 1);
    self->done_(std::move(self->found_));
  });
}

/// An older node: one answer with everything, if it is not too long.
void OwnRowsSearch::ask_all() {
  client_.call("listsendpays", nlohmann::json::object(), [self = shared_from_this()](const RpcReply& reply) {
    if (!self->take(reply)) return self->client_.refuse("the node's answer to listsendpays cannot be used");
    self->done_(std::move(self->found_));
  });
}

std::optional<OwnRowsSearch::Taken> OwnRowsSearch::take(const RpcReply& reply) {
  const nlohmann::json* rows = reply.result ? list(*reply.result, "payments", RpcClient::max_answer_bytes) : nullptr;
  if (rows == nullptr) return std::nullopt;
  Taken taken;
  taken.count = rows->size();
  for (const nlohmann::json& row : *rows) {
    auto record = read_record(row);
    if (!record) continue;  // without ids it is not an attempt of ours
    taken.last = std::max(taken.last, record->created_index);
    const auto label = parse_attempt_label(record->row.label);
    if (!label || label->store != store_) continue;
    found_.rows.push_back(
        OwnRow{record->hash, std::move(record->row), std::move(record->invoice), record->created.value_or(UnixNs{})});
  }
  return taken;
}

void NewestOwnSearch::start() {
  if (since_) return ask_since(*since_ + 1);
  ask_newest();
}

/// Usually only this store has made rows since its newest attempt, and one short answer has them all.
void NewestOwnSearch::ask_since(std::uint64_t first) {
  client_.call("listsendpays", page_params(first, first_page), [self = shared_from_this()](const RpcReply& reply) {
    if (not_known_there(reply)) return self->done_(std::move(self->found_));
    const nlohmann::json* rows = reply.result ? list(*reply.result, "payments", list_page) : nullptr;
    if (rows == nullptr) return self->client_.refuse("the node's answer to listsendpays cannot be used");
    if (rows->size() >= first_page) return self->ask_newest();
    (void)self->take(*rows);
    self->done_(std::move(self->found_));
  });
}

void NewestOwnSearch::ask_newest() {
  client_.call("wait", counter_params("sendpays", "created"), [self = shared_from_this()](const RpcReply& reply) {
    const auto newest = reply.result ? number(*reply.result, "created") : std::nullopt;
    if (!newest || *newest == 0)
      return self->done_(std::move(self->found_));  // there are no rows, or the node does not count them
    self->ask_back_from(*newest, first_page);
  });
}

void NewestOwnSearch::ask_back_from(std::uint64_t last, std::uint64_t count) {
  const std::uint64_t first = last > count ? last - count + 1 : 1;
  client_.call("listsendpays", page_params(first, last - first + 1),
               [self = shared_from_this(), first, count](const RpcReply& reply) {
                 if (not_known_there(reply)) return self->done_(std::move(self->found_));
                 const nlohmann::json* rows = reply.result ? list(*reply.result, "payments", list_page) : nullptr;
                 if (rows == nullptr) return self->client_.refuse("the node's answer to listsendpays cannot be used");
                 const bool enough = self->take(*rows) || !self->found_.ids.empty() || first == 1 ||
                                     (self->since_ && first <= *self->since_);
                 if (enough) return self->done_(std::move(self->found_));
                 self->ask_back_from(first - 1, std::min(count * 10, list_page));
               });
}

bool NewestOwnSearch::take(const nlohmann::json& rows) {
  bool older_than_store = false;
  for (const nlohmann::json& row : rows) {
    const auto record = read_record(row);
    if (!record) continue;
    older_than_store =
        older_than_store || (record->created && *record->created < UnixNs{trace_.made.value - clock_slack_ns});
    const auto label = parse_attempt_label(record->row.label);
    if (label && label->store == trace_.store) found_.ids.push_back(label->id);
  }
  return older_than_store;
}

}  // namespace paytower::cln
