// Opens the example files of lnd, and reads all their payments.
#include "tests/lnd/lnd_fixture.h"

#include <doctest/doctest.h>

namespace paytower::test {

std::string example(const std::string& name) { return std::string(PAYTOWER_TEST_DATA) + "/data/lnd/" + name; }

Error refusal_of(const std::function<void()>& act) {
  try {
    act();
  } catch (const RefusalError& refused) {
    return refused.error();
  }
  FAIL("nothing was refused");
  return {};
}

std::vector<db::lnd::RawEntry> all(db::lnd::RawStream stream) {
  std::vector<db::lnd::RawEntry> entries;
  while (auto entry = stream.next()) entries.push_back(std::move(*entry));
  return entries;
}

std::vector<db::lnd::KvRecord> all_payments(const std::string& path) {
  const db::lnd::ChannelDb database = db::lnd::ChannelDb::open(path);
  db::lnd::KvPayments stream(database);
  std::vector<db::lnd::KvRecord> records;
  while (auto record = stream.next()) records.push_back(std::move(*record));
  return records;
}

const db::lnd::KvPayment& payment_in(const db::lnd::KvRecord& record) {
  const auto* unreadable = std::get_if<db::lnd::KvUnreadable>(&record.what);
  if (unreadable != nullptr) FAIL(unreadable->reason);
  return std::get<db::lnd::KvPayment>(record.what);
}

const db::lnd::KvUnreadable& unreadable_in(const db::lnd::KvRecord& record) {
  REQUIRE(std::holds_alternative<db::lnd::KvUnreadable>(record.what));
  return std::get<db::lnd::KvUnreadable>(record.what);
}

bool says(const std::string& message, const std::string& words) {
  INFO(message);
  return message.find(words) != std::string::npos;
}

}  // namespace paytower::test
