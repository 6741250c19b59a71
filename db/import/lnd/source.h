// Where lnd's payments are read from, whatever file it keeps them in.
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

/// Records one at a time; each is accounted for (R14).
class RecordStream {
 public:
  virtual ~RecordStream() = default;
  /// Nothing at the end. A duplicate comes right behind the first record of its hash. Throws RefusalError (usage) for
  /// damage of the file's structure alone.
  [[nodiscard]] virtual std::optional<KvRecord> next() = 0;
};

/// An open file of lnd's: only read, and held against a running lnd as long as this lives.
class Source {
 public:
  Source() = default;
  virtual ~Source() = default;
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;

  /// The node's own key. Nothing when the file does not say it.
  [[nodiscard]] virtual std::optional<PublicKey> source_node() const = 0;
  /// The largest number handed out to a payment.
  [[nodiscard]] virtual std::uint64_t payment_sequence() const = 0;
  [[nodiscard]] virtual std::unique_ptr<RecordStream> records() const = 0;
  /// What was concluded about the file and not read from it, in words.
  [[nodiscard]] virtual std::vector<std::string> notes() const { return {}; }
  /// Throws RefusalError (busy) when somebody has written since it was opened: nothing that was read counts then.
  virtual void check_unchanged() const = 0;

  /// The legacy layouts, whose records only their migration step can read. Null for all others.
  [[nodiscard]] virtual const ChannelDb* legacy() const { return nullptr; }
  /// False: the numbers are not those that lnd's key-value layouts gave the same payments.
  [[nodiscard]] virtual bool keeps_numbers() const { return true; }
  /// How `quarantine` and `imported_raw` name its records.
  [[nodiscard]] virtual const char* records_name() const = 0;
  [[nodiscard]] virtual const char* raw_name() const = 0;
};

}  // namespace paytower::db::lnd
