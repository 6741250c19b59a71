// What a payment database is: the schema made by the migration steps, its name, its spool.
#include <sodium.h>
#include <sqlite3.h>

#include <chrono>

#include <SQLiteCpp/Statement.h>

#include "core/base/hash.h"
#include "core/base/require.h"
#include "db/payments/schema.h"
#include "db/payments/spool.h"
#include "db/payments/steps.h"
#include "db/payments/store.h"
#include "db/payments/text_search.h"
#include "db/sqlite/transaction.h"
#include "migrations/migrations.h"

namespace paytower::db {

namespace {

constexpr std::uint32_t payment_application_id = 0x50617954;  // "PayT"

/// sha256(blob), NULL for NULL: for the trigger that makes a guard without keeping the payment secret.
void sql_sha256(sqlite3_context* context, int, sqlite3_value** values) {
  if (sqlite3_value_type(values[0]) == SQLITE_NULL) return sqlite3_result_null(context);
  const auto* data = static_cast<const std::uint8_t*>(sqlite3_value_blob(values[0]));
  const auto size = static_cast<std::size_t>(sqlite3_value_bytes(values[0]));
  const Sha256Digest digest = sha256(std::span(data, size));
  sqlite3_result_blob(context, digest.bytes.data(), static_cast<int>(digest.bytes.size()), SQLITE_TRANSIENT);
}

void register_functions(SQLite::Database& database) {
  sqlite3_create_function(database.getHandle(), "sha256", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS,
                          nullptr, sql_sha256, nullptr, nullptr);
  register_says(database);
}

/// Version 1 has no table for its history.
constexpr int first_version_with_history = 2;

void record_step(SQLite::Database& database, const migrations::Step& step, std::int64_t now_ns) {
  const Sha256Digest digest =
      sha256(std::span(reinterpret_cast<const std::uint8_t*>(step.sql.data()), step.sql.size()));
  SQLite::Statement record(database,
                           "INSERT INTO schema_migrations (version, name, sha256, applied_ns) VALUES (?1, ?2, ?3, ?4)");
  record.bind(1, step.version);
  record.bind(2, std::string(step.name));
  record.bind(3, digest.bytes.data(), static_cast<int>(digest.bytes.size()));
  record.bind(4, now_ns);
  record.exec();
}

/// The random name of the store, which is part of every attempt's label (R12). Drawn once.
void name_store(SQLite::Database& database, std::int64_t now_ns) {
  StoreId id;
  randombytes_buf(id.bytes.data(), id.bytes.size());
  SQLite::Statement meta(
      database,
      "INSERT INTO store_meta (id, store_id, created_ns) SELECT 1, ?1, ?2 WHERE NOT EXISTS (SELECT 1 FROM store_meta)");
  meta.bind(1, id.bytes.data(), static_cast<int>(id.bytes.size()));
  meta.bind(2, now_ns);
  meta.exec();
}

std::int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

void make(SQLite::Database& database, const std::string& real_path) {
  make_spool(real_path);
  (void)apply_steps(database, 0, migrations::newest_version, now_ns());
}

}  // namespace

migrations::StepReport apply_steps(SQLite::Database& database, int from, int to, std::int64_t now_ns,
                                   const std::function<void(std::uint64_t, std::uint64_t)>& progress) {
  require(in_transaction(database), "a transaction is open");
  migrations::StepContext context{now_ns, progress};
  for (const migrations::Step& step : migrations::steps()) {
    if (step.version > from && step.version <= to) migrations::run(database, step, context);
  }
  if (to < first_version_with_history) return context.report;
  for (const migrations::Step& step : migrations::steps()) {
    if (step.version > from && step.version <= to) record_step(database, step, now_ns);
  }
  name_store(database, now_ns);
  return context.report;
}

const FileKind& payment_file() {
  static constexpr FileKind kind{
      "a payment database", payment_application_id, migrations::newest_version, "paytower migrate", make,
      register_functions,   schema_as_made};
  return kind;
}

}  // namespace paytower::db
