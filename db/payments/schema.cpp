// Compares the schema of a file with the one that paytower makes.
#include "db/payments/schema.h"

#include <algorithm>
#include <array>
#include <map>
#include <string_view>
#include <utility>

#include <SQLiteCpp/Statement.h>
#include <fmt/core.h>

#include "db/payments/steps.h"
#include "db/payments/store.h"
#include "db/sqlite/transaction.h"

namespace paytower::db {

namespace {

constexpr std::array<std::string_view, 11> tables{
    "attempts", "hash_guards",           "import_sources", "imported_raw",      "operator_words",
    "payments", "payments_out_of_order", "quarantine",     "schema_migrations", "store_meta",
    "switches"};

struct Object {
  std::string_view type;
  std::string_view name;
  std::string_view table;
  std::string_view sql;
};

/// What can change what is stored, or what is refused. Indexes count too: a unique one refuses, and none may be
/// missing.
bool matters(const Object& object) {
  return object.type == "trigger" || std::find(tables.begin(), tables.end(), object.table) != tables.end();
}

/// Calls `visit` for each object that matters. What it gets is valid during the call.
template <typename Visit> void each_object(SQLite::Database& database, Visit visit) {
  SQLite::Statement row(database, "SELECT type, name, tbl_name, sql FROM sqlite_schema");
  const auto text = [&row](int column) {
    const char* begin = row.getColumn(column).getText("");
    return std::string_view(begin, static_cast<std::size_t>(row.getColumn(column).getBytes()));
  };
  while (row.executeStep()) {
    const Object object{text(0), text(1), text(2), text(3)};
    if (matters(object)) visit(object);
  }
}

/// FNV-1a. Somebody who can write to the file can forge it: it only shows whether something was lost or changed.
std::uint64_t hash_of(const Object& object) {
  std::uint64_t hash = 0xcbf29ce484222325;
  const auto add = [&hash](std::uint8_t byte) { hash = (hash ^ byte) * 0x100000001b3; };
  for (const std::string_view part : {object.type, object.name, object.table, object.sql}) {
    for (const char c : part) add(static_cast<std::uint8_t>(c));
    add(0);
  }
  return hash;
}

using Objects = std::map<std::pair<std::string, std::string>, std::string>;  ///< the SQL text by type and name

Objects objects_of(SQLite::Database& database) {
  Objects objects;
  each_object(database, [&objects](const Object& object) {
    objects[{std::string(object.type), std::string(object.name)}] = object.sql;
  });
  return objects;
}

}  // namespace

std::uint64_t schema_digest(SQLite::Database& database) {
  std::uint64_t sum = 0;
  each_object(database, [&sum](const Object& object) { sum += hash_of(object); });
  return sum;
}

bool schema_as_made(SQLite::Database& database) { return schema_digest(database) == newest_schema_digest; }

std::vector<std::string> schema_problems(SQLite::Database& database) {
  if (schema_as_made(database)) return {};
  SQLite::Database made(":memory:", SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
  payment_file().register_functions(made);
  private_tx(made, SQLite::TransactionBehavior::DEFERRED,
             [&] { (void)apply_steps(made, 0, migrations::newest_version, 0); });
  const Objects wanted = objects_of(made);
  const Objects found = objects_of(database);
  std::vector<std::string> problems;
  for (const auto& [name, sql] : wanted) {
    const auto there = found.find(name);
    if (there == found.end()) {
      problems.push_back(fmt::format("schema: the {} {} is missing", name.first, name.second));
    } else if (there->second != sql) {
      problems.push_back(fmt::format("schema: the {} {} is not as paytower made it", name.first, name.second));
    }
  }
  for (const auto& [name, sql] : found) {
    if (wanted.find(name) == wanted.end())
      problems.push_back(fmt::format("schema: the {} {} was not made by paytower", name.first, name.second));
  }
  return problems;
}

}  // namespace paytower::db
