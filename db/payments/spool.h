// R10: the place for a preimage that the database could not store. Allocated and synced when the database is made, so
// that a full disk cannot refuse it.
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
  std::vector<SpoolEntry> entries;     ///< those with a correct checksum
  std::optional<std::string> trouble;  ///< for people: why it could not be read
};

/// `<real path>.spool`, 64 KiB of zeros, 0600, synced with its folder. Throws StoreError.
void make_spool(const std::string& real_path);
/// If the whole spool is missing, this is a copy of a database. Otherwise it was made and synced together with the
/// database.
void make_spool_if_missing(const std::string& real_path);
/// Writes it into the first free place, and syncs. False if that failed. Never throws.
[[nodiscard]] bool put_in_spool(const std::string& real_path, const SpoolEntry& entry) noexcept;
/// Nothing if the spool is empty or missing.
[[nodiscard]] SpoolContents read_spool(const std::string& real_path);
/// Frees the places of these entries, and syncs. False if that failed.
[[nodiscard]] bool clear_spool(const std::string& real_path, const std::vector<SpoolEntry>& entries) noexcept;

}  // namespace paytower::db
