// The port for lnd's payments, whatever file they are in.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/types.h"
#include "db/import/lnd/kv_types.h"

namespace paytower::db::lnd {

class ChannelDb;

/// Gives out records one at a time; each is accounted for (R14).
class RecordStream {
 public:
  virtual ~RecordStream() = default;
  /// Nothing at the end. A duplicate comes right after the first record of its hash. Refuses (usage) only if the
  /// structure of the file is damaged.
  [[nodiscard]] virtual std::optional<KvRecord> next() = 0;
};

/// An open file of lnd's. It is only read, and as long as this lives, lnd cannot run on it.
class Source {
 public:
  Source() = default;
  virtual ~Source() = default;
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;

  /// The node's own key. Nothing if the file does not have it.
  [[nodiscard]] virtual std::optional<PublicKey> source_node() const = 0;
  /// The largest number that was given to a payment.
  [[nodiscard]] virtual std::uint64_t payment_sequence() const = 0;
  [[nodiscard]] virtual std::unique_ptr<RecordStream> records() const = 0;
  /// In words: what was concluded about the file, because it could not be read from it.
  [[nodiscard]] virtual std::vector<std::string> notes() const { return {}; }
  /// Refuses (busy) if somebody has written since the opening: then nothing that was read counts.
  virtual void check_unchanged() const = 0;

  /// The legacy layouts, whose records only their migration step can read. nullptr for all others.
  [[nodiscard]] virtual const ChannelDb* legacy() const { return nullptr; }
  /// False: the numbers are not those that lnd's key-value layouts gave to the same payments.
  [[nodiscard]] virtual bool keeps_numbers() const { return true; }
  /// The name of its records in `quarantine` and `imported_raw`.
  [[nodiscard]] virtual const char* records_name() const = 0;
  [[nodiscard]] virtual const char* raw_name() const = 0;
};

}  // namespace paytower::db::lnd
