// R10: where a preimage goes that the database could not take. Allocated and synced when the database is made, so that
// a full disk does not refuse it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/payment/payment.h"

namespace paytower::db {

struct SpoolEntry {
  AttemptKey key;
  Preimage preimage;
};

struct SpoolContents {
  std::vector<SpoolEntry> entries;     ///< those whose checksum is right
  std::optional<std::string> trouble;  ///< why it could not be read, for people
};

/// `<real path>.spool`, 64 KiB of zeros, 0600, synced with its folder. Throws StoreError.
void make_spool(const std::string& real_path);
/// Where the whole spool is missing: beside a copy of a database. Otherwise it was made and synced with the database,
/// once.
void make_spool_if_missing(const std::string& real_path);
/// Into the first free place, synced. False when it could not be done. Never throws.
[[nodiscard]] bool put_in_spool(const std::string& real_path, const SpoolEntry& entry) noexcept;
/// Nothing when the spool is empty or missing.
[[nodiscard]] SpoolContents read_spool(const std::string& real_path);
/// Frees the places of these entries, synced. False when it could not be done.
[[nodiscard]] bool clear_spool(const std::string& real_path, const std::vector<SpoolEntry>& entries) noexcept;

}  // namespace paytower::db
