// The fastest durable writes that this disk allows: bare SQLite tables, and a plain file.
#include "tests/bench/floors.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <deque>

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>
#include <SQLiteCpp/Transaction.h>

namespace paytower::bench {

const Floor bare_floor{"CREATE TABLE p (id INTEGER PRIMARY KEY, body BLOB, proof BLOB)",
                       {"INSERT INTO p (id, body) VALUES (?1, randomblob(900))"},
                       {"UPDATE p SET proof = randomblob(32) WHERE id = ?1"}};

const Floor rows_floor{R"(
  CREATE TABLE p (id INTEGER PRIMARY KEY AUTOINCREMENT, hash BLOB, created INTEGER, request BLOB, proof BLOB, ended INTEGER);
  CREATE UNIQUE INDEX p_hash ON p (hash);
  CREATE INDEX p_created ON p (created);
  CREATE INDEX p_open ON p (id) WHERE ended IS NULL;
  CREATE TABLE a (id INTEGER PRIMARY KEY, payment INTEGER, attempt INTEGER, route BLOB, proof BLOB, ended INTEGER);
  CREATE INDEX a_payment ON a (payment);
  CREATE UNIQUE INDEX a_attempt ON a (attempt);
  CREATE UNIQUE INDEX a_open ON a (payment) WHERE ended IS NULL)",
                       {"INSERT INTO p (id, hash, created, request) VALUES (?1, randomblob(32), ?1, randomblob(400))",
                        "INSERT INTO a (payment, attempt, route) VALUES (?1, ?1, randomblob(190))"},
                       {"UPDATE a SET proof = randomblob(32), ended = ?1 WHERE attempt = ?1",
                        "UPDATE p SET proof = randomblob(32), ended = ?1 WHERE id = ?1"}};

void two_commits(benchmark::State& state, const Floor& floor, const std::string& path, std::size_t together) {
  SQLite::Database database(path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
  database.exec(floor.schema);
  const auto prepared = [&database](const std::vector<const char*>& texts) {
    std::deque<SQLite::Statement> statements;
    for (const char* text : texts) statements.emplace_back(database, text);
    return statements;
  };
  auto init = prepared(floor.init);
  auto settle = prepared(floor.settle);
  std::int64_t first = 1;
  const auto commit = [&](std::deque<SQLite::Statement>& statements) {
    SQLite::Transaction transaction(database, SQLite::TransactionBehavior::IMMEDIATE);
    for (std::size_t i = 0; i < together; ++i) {
      for (SQLite::Statement& statement : statements) {
        statement.bind(1, first + static_cast<std::int64_t>(i));
        statement.exec();
        statement.reset();
      }
    }
    transaction.commit();
  };
  for (auto _ : state) {
    commit(init);
    commit(settle);
    first += static_cast<std::int64_t>(together);
  }
}

void overwrite_and_sync(benchmark::State& state, const std::string& path) {
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  const std::string page(4'096, 'x');
  if (file < 0 || ::pwrite(file, page.data(), page.size(), 0) != static_cast<ssize_t>(page.size())) std::abort();
  for (auto _ : state) {
    if (::pwrite(file, page.data(), page.size(), 0) < 0 || ::fdatasync(file) != 0) std::abort();
  }
  ::close(file);
}

}  // namespace paytower::bench
