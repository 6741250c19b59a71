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

/// One outgoing HTLC of the hash. It stays in the list when its row is erased.
struct OutgoingHtlc {
  std::uint64_t created_index = 0;  ///< to compare with Counters::htlcs_created
  bool finished = false;            ///< removed on both sides: settled or failed, the list does not say which
  std::optional<Msat> amount{};     ///< what it carries on our channel; nothing if the node does not say
};

/// Money of the hash that left the node for good.
struct Debit {
  std::uint64_t index = 0;  ///< to compare with Counters::movements_created
  AttemptId id;
  std::uint32_t part = 0;
};

/// Everything that a node shows of a hash.
struct NodeLists final : Shown {
  PaymentHash hash;
  Counters now;                   ///< read no later than the lists; htlcs_deleted is also read no earlier
  std::vector<SwitchRow> rows{};  ///< all rows of the hash
  /// At least all since the oldest mark that was asked for. Nothing: the node has no such list.
  std::optional<std::vector<OutgoingHtlc>> htlcs{};
  std::optional<std::vector<Debit>> debits{};  ///< the same for debits
  std::uint32_t base_height = 0;
  std::string run{};

  [[nodiscard]] LookResult about(const StoreId& store, std::span<const Asked> attempts) const override;
};

/// The smallest of each counter: lists that begin there reach back to all of them. Nothing if there are no marks.
[[nodiscard]] std::optional<Counters> oldest(std::span<const Marks> marks);

}  // namespace paytower::cln
