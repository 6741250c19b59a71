// A prepared statement in use: typed parameters in, typed columns out. It is reset at the end of its scope.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

#include <SQLiteCpp/Statement.h>
#include <fmt/core.h>

#include "core/base/bytes.h"
#include "core/base/msat.h"
#include "core/base/types.h"

namespace paytower::db {

/// A stored value that does not fit its column: the row is reported as bad, and hides no other row (R14).
class BadValue : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// One use of a statement that a Connection keeps. `bind` takes the parameters in order; after each `step` the columns
/// are read in the order of the SELECT list. Throws SQLite::Exception, and BadValue for a column of the wrong kind.
class Query {
 public:
  explicit Query(SQLite::Statement& statement) : statement_(&statement) {}
  Query(Query&& other) noexcept
      : statement_(other.statement_), next_parameter_(other.next_parameter_), next_column_(other.next_column_) {
    other.statement_ = nullptr;
  }
  Query& operator=(Query&&) = delete;
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;
  ~Query();

  /// Binds all arguments, in order, to ?1, ?2, ...
  template <typename... Values> Query& bind(const Values&... values) {
    (put(values), ...);
    return *this;
  }

  /// Goes to the next row. False at the end.
  bool step();
  /// Runs to the end, and returns how many rows it has changed itself (without those of triggers).
  int run();

  /// The next column to read is this one, counted from 0.
  void seek(int column) { next_column_ = column; }
  void skip() { ++next_column_; }
  /// Whether the next column is NULL; it stays the next one.
  [[nodiscard]] bool null() const;

  // The columns of the current row, from left to right. NULL is BadValue if the type cannot hold it.
  [[nodiscard]] std::int64_t integer();
  [[nodiscard]] std::optional<std::int64_t> maybe_integer();
  /// BadValue outside 0..max.
  [[nodiscard]] std::uint64_t number(std::uint64_t max);
  [[nodiscard]] std::optional<std::uint64_t> maybe_number(std::uint64_t max);
  /// The 64 bits of an INTEGER as an unsigned number.
  [[nodiscard]] std::optional<std::uint64_t> maybe_bits();
  [[nodiscard]] Msat msat();
  [[nodiscard]] UnixNs time() { return UnixNs{integer()}; }
  [[nodiscard]] std::optional<UnixNs> maybe_time();
  /// Empty for NULL.
  [[nodiscard]] std::string text();
  [[nodiscard]] std::optional<std::string> maybe_text();
  [[nodiscard]] std::optional<Bytes> maybe_blob();
  /// Exactly as many bytes as T has, or nothing for NULL.
  template <typename T> [[nodiscard]] std::optional<T> maybe_fixed() {
    const auto data = maybe_blob_span();
    if (!data) return std::nullopt;
    const auto value = T::from_span(*data);
    if (!value) throw BadValue(fmt::format("a value of {} bytes where {} belong", data->size(), T::size));
    return value;
  }
  template <typename T> [[nodiscard]] T fixed() {
    const auto value = maybe_fixed<T>();
    if (!value) throw BadValue("a value is missing");
    return *value;
  }

 private:
  void put(std::int64_t value);
  void put(int value) { put(std::int64_t{value}); }
  void put(std::uint32_t value) { put(std::int64_t{value}); }
  void put(bool value) { put(std::int64_t{value ? 1 : 0}); }
  void put(UnixNs value) { put(value.value); }
  void put(PaymentIndex value) { put(value.value); }
  void put(Msat value) { put(value.signed_value()); }
  void put(std::nullopt_t) { put_null(); }
  void put(std::string_view text);
  void put(const std::string& text) { put(std::string_view(text)); }
  void put(const char* text) { put(std::string_view(text)); }
  void put(const Bytes& bytes) { put_blob(bytes); }
  template <std::size_t N, typename Tag> void put(const FixedBytes<N, Tag>& bytes) { put_blob(bytes.span()); }
  template <typename T> void put(const std::optional<T>& value) {
    if (value) {
      put(*value);
    } else {
      put_null();
    }
  }
  void put_null();
  void put_blob(std::span<const std::uint8_t> bytes);
  [[nodiscard]] std::optional<std::span<const std::uint8_t>> maybe_blob_span();

  SQLite::Statement* statement_;
  int next_parameter_ = 1;
  int next_column_ = 0;
};

}  // namespace paytower::db
