// What a call of `list` asks for.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/input/hash.h"
#include "core/base/types.h"
#include "core/payment/payment.h"
#include "db/payments/text_search.h"

namespace paytower::cli {

struct ListOptions {
  /// `automatic`: what suits the output, and with --json its one document.
  enum class Format { table, tsv, csv, ndjson, automatic };
  enum class What { payments, guards, quarantine };
  std::vector<PaymentStatus> statuses;  ///< empty = all
  std::uint64_t max_payments = 0;       ///< 0 = all
  std::optional<std::int64_t> index_offset;
  bool forwards = false;
  std::optional<UnixNs> since;
  std::optional<UnixNs> until;
  std::optional<HashArgument> hash;  ///< all its tries
  std::optional<std::string> label;
  std::optional<std::string> label_pattern;  ///< with * or ?
  std::optional<db::TextSearch> search;
  bool count_total = false;
  bool omit_hops = false;
  Format format = Format::automatic;
  bool guards = false;
  bool quarantine = false;
  What what = What::payments;
};

/// How many rows are read at once, however long the list.
inline constexpr std::size_t list_page = 500;

}  // namespace paytower::cli
