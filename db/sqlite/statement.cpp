// Binds parameters and reads columns.
#include "db/sqlite/statement.h"

#include <SQLiteCpp/Column.h>
#include <fmt/core.h>

namespace paytower::db {

Query::~Query() {
  if (statement_ == nullptr) return;
  statement_->tryReset();
  try {
    statement_->clearBindings();
  } catch (const SQLite::Exception&) {
    // Old parameters do no harm: the next use binds all of its own.
  }
}

bool Query::step() {
  next_column_ = 0;
  return statement_->executeStep();
}

int Query::run() {
  while (step()) {}
  return statement_->getChanges();
}

bool Query::null() const { return statement_->getColumn(next_column_).isNull(); }

std::int64_t Query::integer() {
  const auto value = maybe_integer();
  if (!value) throw BadValue("a number is missing");
  return *value;
}

std::optional<std::int64_t> Query::maybe_integer() {
  const SQLite::Column column = statement_->getColumn(next_column_++);
  if (column.isNull()) return std::nullopt;
  if (!column.isInteger()) throw BadValue("a value that is no integer");
  return column.getInt64();
}

std::uint64_t Query::number(std::uint64_t max) {
  const auto value = maybe_number(max);
  if (!value) throw BadValue("a number is missing");
  return *value;
}

std::optional<std::uint64_t> Query::maybe_number(std::uint64_t max) {
  const auto value = maybe_integer();
  if (!value) return std::nullopt;
  if (*value < 0 || static_cast<std::uint64_t>(*value) > max)
    throw BadValue(fmt::format("a number outside its range: {}", *value));
  return static_cast<std::uint64_t>(*value);
}

std::optional<std::uint64_t> Query::maybe_bits() {
  const auto value = maybe_integer();
  if (!value) return std::nullopt;
  return static_cast<std::uint64_t>(*value);
}

Msat Query::msat() { return Msat::of(number(Msat::max_value)); }

std::optional<UnixNs> Query::maybe_time() {
  const auto value = maybe_integer();
  if (!value) return std::nullopt;
  return UnixNs{*value};
}

std::string Query::text() { return maybe_text().value_or(std::string()); }

std::optional<std::string> Query::maybe_text() {
  const SQLite::Column column = statement_->getColumn(next_column_++);
  if (column.isNull()) return std::nullopt;
  if (!column.isText()) throw BadValue("a value that is no text");
  return column.getString();
}

std::optional<std::span<const std::uint8_t>> Query::maybe_blob_span() {
  const SQLite::Column column = statement_->getColumn(next_column_++);
  if (column.isNull()) return std::nullopt;
  if (!column.isBlob()) throw BadValue("a value that is no blob");
  const auto* data = static_cast<const std::uint8_t*>(column.getBlob());
  return std::span(data, static_cast<std::size_t>(column.getBytes()));
}

std::optional<Bytes> Query::maybe_blob() {
  const auto data = maybe_blob_span();
  if (!data) return std::nullopt;
  return Bytes(data->begin(), data->end());
}

void Query::put(std::int64_t value) { statement_->bind(next_parameter_++, value); }
void Query::put(std::string_view text) { statement_->bind(next_parameter_++, std::string(text)); }
void Query::put_null() { statement_->bind(next_parameter_++); }
void Query::put_blob(std::span<const std::uint8_t> bytes) {
  // An empty blob must stay a blob: SQLite would take a null pointer for NULL.
  statement_->bind(next_parameter_++, bytes.empty() ? static_cast<const void*>("") : bytes.data(),
                   static_cast<int>(bytes.size()));
}

}  // namespace paytower::db
