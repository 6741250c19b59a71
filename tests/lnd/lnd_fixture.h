// What the tests of the reader share: the files of real lnd, and reading with checks.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "db/import/lnd/kv_payments.h"
#include "tests/driver/temp_folder.h"
#include "tests/lnd/bbolt_writer.h"
#include "tests/lnd/channel_db_files.h"

namespace paytower::test {

/// A file that real lnd and real bbolt wrote, see tests/data/lnd/README.md.
[[nodiscard]] std::string example(const std::string& name);

/// What `act` is refused with; fails the test when it is not.
[[nodiscard]] Error refusal_of(const std::function<void()>& act);

[[nodiscard]] std::vector<db::lnd::RawEntry> all(db::lnd::RawStream stream);
[[nodiscard]] std::vector<db::lnd::KvRecord> all_payments(const std::string& path);
/// The payment of a readable record; fails the test with the reason otherwise.
[[nodiscard]] const db::lnd::KvPayment& payment_in(const db::lnd::KvRecord& record);
/// The reason of an unreadable one; fails the test otherwise.
[[nodiscard]] const db::lnd::KvUnreadable& unreadable_in(const db::lnd::KvRecord& record);

/// Whether the message has these words; shows it when the check around it fails.
[[nodiscard]] bool says(const std::string& message, const std::string& words);

}  // namespace paytower::test
