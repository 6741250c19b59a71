// What a Core Lightning node's rows, lists and counters prove (R5). Pure: no JSON, no client, no clock.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/payment/look.h"
#include "core/switch/cln/counters.h"

namespace paytower::cln {

/// One outgoing HTLC of the hash, which outlives the erasing of its row.
struct OutgoingHtlc {
  std::uint64_t created_index = 0;  ///< compared with Counters::htlcs_created
  bool finished = false;            ///< removed on both sides: settled or failed, this list does not say which
  std::optional<Msat> amount{};     ///< what it carries on our channel; nothing where the node does not say
};

/// Money of the hash that left the node for good.
struct Debit {
  std::uint64_t index = 0;  ///< compared with Counters::movements_created
  AttemptId id;
  std::uint32_t part = 0;
};

/// Everything that a node shows of a hash.
struct NodeLists final : Shown {
  PaymentHash hash;
  Counters now;                   ///< the counters, read no later than the lists; htlcs_deleted also no earlier
  std::vector<SwitchRow> rows{};  ///< all rows of the hash
  /// At least all since the oldest mark that was asked for; nothing = no such list here.
  std::optional<std::vector<OutgoingHtlc>> htlcs{};
  std::optional<std::vector<Debit>> debits{};  ///< likewise
  std::uint32_t height = 0;
  std::string run{};

  [[nodiscard]] LookResult about(const StoreId& store, std::span<const Asked> attempts) const override;
};

/// The least of each counter: lists that begin there reach back to all of them. Nothing for no marks.
[[nodiscard]] std::optional<Counters> oldest(std::span<const Marks> marks);

}  // namespace paytower::cln
