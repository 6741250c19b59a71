// Asks the questions of a look in their order, and gathers the answers.
#include "core/switch/cln/look.h"

#include <algorithm>
#include <utility>

#include <fmt/core.h>

#include "core/base/limits.h"
#include "core/switch/cln/conclusions.h"
#include "core/switch/cln/requests.h"

namespace paytower::cln {

namespace {

using nlohmann::json;

/// If a pending row is this old and has no HTLC, its request is not just being worked on (the node gives up after 30
/// s).
constexpr std::int64_t settled_in_ns = 60 * ns_per_second;

}  // namespace

bool not_known_there(const RpcReply& reply) {
  return no_such_method(reply) || (reply.error && reply.error->code == invalid_params);
}

LookRound::LookRound(RpcClient& client, const std::vector<Wanted>& wanted, UnixNs now, Done done)
    : client_(client), now_(now), done_(std::move(done)) {
  const auto widen = [](std::optional<std::uint64_t>& from, const std::optional<std::uint64_t>& mark) {
    if (mark) from = from ? std::min(*from, *mark) : *mark;
  };
  for (const Wanted& one : wanted) {
    Item& item = items_[one.hash];
    item.look.hash = one.hash;
    if (!one.since) continue;
    item.wants_htlcs = item.wants_htlcs || one.since->htlcs_created;
    item.wants_movements = item.wants_movements || one.since->movements_created;
    widen(htlcs_from_, one.since->htlcs_created);
    widen(movements_from_, one.since->movements_created);
  }
}

void LookRound::start() { ask_counters(); }

void LookRound::ask(const std::string& method, const json& params, std::function<void(const RpcReply&)> read) {
  ++open_questions_;
  client_.call(method, params, [self = shared_from_this(), read = std::move(read)](const RpcReply& reply) {
    read(reply);
    self->answered();
  });
}

void LookRound::then(void (LookRound::*next)()) {
  next_ = next;
  if (open_questions_ == 0) (this->*next_)();
}

void LookRound::answered() {
  if (--open_questions_ == 0 && !abandoned_) (this->*next_)();
}

/// Half a look proves nothing: the connection is given up, and the hash is looked at again on the next one.
void LookRound::abandon(const char* what) {
  abandoned_ = true;
  client_.refuse(fmt::format("the node's answer to {} cannot be used", what));
}

void LookRound::ask_counter(const char* subsystem, const char* index, std::optional<std::uint64_t> Counters::*mark) {
  const std::string question = fmt::format("wait {} {}", subsystem, index);
  if (client_.lacks(question)) return;
  ask("wait", counter_params(subsystem, index), [this, index, mark, question](const RpcReply& reply) {
    marks_.*mark = reply.result ? number(*reply.result, index) : std::nullopt;
    if (marks_.*mark) return;
    not_known_there(reply) ? client_.note_lacking(question) : abandon("wait");
  });
}

void LookRound::ask_counters() {
  ask_counter("sendpays", "created", &Counters::payments_created);
  ask_counter("htlcs", "created", &Counters::htlcs_created);
  ask_counter("htlcs", "deleted", &Counters::htlcs_deleted);
  ask_counter("channelmoves", "created", &Counters::movements_created);
  then(&LookRound::ask_rows);
}

void LookRound::take_records(Item& item, const RpcReply& reply) {
  auto records = conclude_listsendpays(reply, item.look.hash);
  if (!records) return abandon("listsendpays");
  item.records = std::move(*records);
}

void LookRound::ask_rows() {
  for (auto& [hash, item] : items_) {
    ask("listsendpays", listsendpays_params(hash),
        [this, &item = item](const RpcReply& reply) { take_records(item, reply); });
  }
  then(&LookRound::ask_failures);
}

/// The list does not say why a row failed. waitsendpay does, but for each part the node has only the details of the
/// newest failure.
void LookRound::ask_failures() {
  for (auto& [hash, item] : items_) {
    for (const AttemptKey& failed : explained_failures(item.records, max_failures)) ask_failure(item, failed);
  }
  then(&LookRound::check_failures);
}

void LookRound::ask_failure(Item& item, const AttemptKey& failed) {
  ask("waitsendpay", waitsendpay_params(failed, 1), [&item, failed](const RpcReply& reply) {
    WaitMeaning meaning = conclude_waitsendpay(reply);
    if (meaning.word == WaitWord::failed) item.told.emplace_back(failed, std::move(meaning.failure));
  });
}

/// Rows read after the details show whether another failure of the same part could have replaced them in between.
void LookRound::check_failures() {
  for (auto& [hash, item] : items_) {
    if (item.told.empty()) continue;
    ask("listsendpays", listsendpays_params(hash), [this, &item = item](const RpcReply& reply) {
      take_records(item, reply);
      take_failures(item);
    });
  }
  then(&LookRound::ask_htlcs);
}

void LookRound::take_failures(Item& item) {
  for (const auto& told : item.told) {
    const Record* newest = newest_failure(item.records, told.first.part);
    for (Record& record : item.records) {
      if (&record == newest && record.row.id == told.first.id) record.row.failure = told.second;
    }
  }
}

void LookRound::ask_htlcs() {
  if (!htlcs_from_ || client_.lacks("listhtlcs")) return ask_movements();
  have_htlcs_ = true;
  entries_ = 0;
  for (auto& [hash, item] : items_) item.look.htlcs.emplace();
  const std::uint64_t start = *htlcs_from_ + 1;
  ask("listhtlcs", page_params(start), [this, start](const RpcReply& reply) { read_htlcs(reply, start); });
  then(&LookRound::ask_movements);
}

void LookRound::read_htlcs(const RpcReply& reply, std::uint64_t start) {
  if (not_known_there(reply)) {
    client_.note_lacking("listhtlcs");
    have_htlcs_ = false;
    return;
  }
  const json* page = reply.result ? list(*reply.result, "htlcs", max_list_entries) : nullptr;
  if (page == nullptr) return abandon("listhtlcs");
  std::uint64_t last = 0;
  bool broken = false;
  for (const json& entry : *page) {
    last = std::max(last, number(entry, "created_index").value_or(0));
    const auto htlc = read_htlc(entry, broken);
    if (broken) return abandon("listhtlcs");
    if (!htlc) continue;
    if (const auto item = items_.find(htlc->hash); item != items_.end()) item->second.look.htlcs->push_back(htlc->htlc);
  }
  entries_ += page->size();
  if (page->size() < list_page) return;
  if (last < start) return abandon("listhtlcs");
  if (entries_ >= max_list_entries) {
    have_htlcs_ = false;
    return;
  }
  ask("listhtlcs", page_params(last + 1), [this, next = last + 1](const RpcReply& more) { read_htlcs(more, next); });
}

void LookRound::ask_movements() {
  if (!movements_from_ || client_.lacks("listchannelmoves")) return ask_deletions();
  have_movements_ = true;
  entries_ = 0;
  for (auto& [hash, item] : items_) item.look.debits.emplace();
  const std::uint64_t start = *movements_from_ + 1;
  ask("listchannelmoves", page_params(start), [this, start](const RpcReply& reply) { read_movements(reply, start); });
  then(&LookRound::ask_rows_of_movements);
}

void LookRound::read_movements(const RpcReply& reply, std::uint64_t start) {
  if (not_known_there(reply)) {
    client_.note_lacking("listchannelmoves");
    have_movements_ = false;
    return;
  }
  const json* page = reply.result ? list(*reply.result, "channelmoves", max_list_entries) : nullptr;
  if (page == nullptr) return abandon("listchannelmoves");
  std::uint64_t last = 0;
  bool broken = false;
  for (const json& entry : *page) {
    last = std::max(last, number(entry, "created_index").value_or(0));
    const auto debit = read_debit(entry, broken);
    if (broken) return abandon("listchannelmoves");
    if (!debit) continue;
    if (const auto item = items_.find(debit->hash); item != items_.end())
      item->second.look.debits->push_back(debit->debit);
  }
  entries_ += page->size();
  if (page->size() < list_page) return;
  if (last < start) return abandon("listchannelmoves");
  if (entries_ >= max_list_entries) {
    have_movements_ = false;
    return;
  }
  ask("listchannelmoves", page_params(last + 1),
      [this, next = last + 1](const RpcReply& more) { read_movements(more, next); });
}

/// If somebody paid between the two questions, the row was written before the debit. So that row and its preimage can
/// be read now.
void LookRound::ask_rows_of_movements() {
  for (auto& [hash, item] : items_) {
    if (all_debits_have_rows(item)) continue;
    ask("listsendpays", listsendpays_params(hash),
        [this, &item = item](const RpcReply& reply) { add_complete_records(item, reply); });
  }
  then(&LookRound::ask_deletions);
}

bool LookRound::all_debits_have_rows(const Item& item) {
  if (!item.look.debits) return true;
  return std::all_of(item.look.debits->begin(), item.look.debits->end(), [&](const Debit& debit) {
    return std::any_of(item.records.begin(), item.records.end(), [&](const Record& record) {
      return record.row.id == debit.id && record.row.part == debit.part && record.row.state != RowState::failed;
    });
  });
}

/// Only complete rows are taken from this later answer. The rest stays as it was read before the lists.
void LookRound::add_complete_records(Item& item, const RpcReply& reply) {
  auto records = conclude_listsendpays(reply, item.look.hash);
  if (!records) return abandon("listsendpays");
  for (Record& complete : *records) {
    if (complete.row.state != RowState::complete) continue;
    const auto same = std::find_if(item.records.begin(), item.records.end(), [&](const Record& record) {
      return record.row.id == complete.row.id && record.row.part == complete.row.part;
    });
    if (same == item.records.end()) {
      item.records.push_back(std::move(complete));
    } else {
      *same = std::move(complete);
    }
  }
}

void LookRound::ask_deletions() {
  if (!have_htlcs_ || !marks_.htlcs_deleted) return finish();
  ask_counter("htlcs", "deleted", &Counters::htlcs_deleted);
  then(&LookRound::finish);
}

void LookRound::finish() {
  std::vector<NodeLists> results;
  results.reserve(items_.size());
  for (auto& [hash, item] : items_) {
    NodeLists& look = item.look;
    look.now = marks_;
    for (Record& record : item.records) {
      record.row.lingers = record.row.state == RowState::pending && record.created &&
                           record.created->value + settled_in_ns <= now_.value;
      look.rows.push_back(std::move(record.row));
    }
    // A list that may not reach back to the first attempt of this hash is no use for it.
    if (!have_htlcs_ || !item.wants_htlcs) look.htlcs.reset();
    if (!have_movements_ || !item.wants_movements) look.debits.reset();
    results.push_back(std::move(look));
  }
  done_(std::move(results));
}

}  // namespace paytower::cln
