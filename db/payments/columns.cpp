// The SQL text of the column lists.
#include "db/payments/columns.h"

#include <span>

#include <fmt/core.h>

namespace paytower::db {

namespace {

std::string selected(std::span<const ColumnName> columns) {
  std::string list;
  for (const ColumnName& one : columns) {
    if (!list.empty()) list += ", ";
    list.append(one.table).append(".").append(one.column);
  }
  return list;
}

template <typename Column> std::string insert_sql(std::string_view table, std::initializer_list<Column> columns) {
  std::string names;
  std::string parameters;
  int number = 0;
  for (const Column column : columns) {
    if (number != 0) names += ", ";
    names += name_of(column);
    parameters += fmt::format("{}{}", number == 0 ? "?" : ", ?", number + 1);
    ++number;
  }
  return fmt::format("INSERT INTO {} ({}) VALUES ({})", table, names, parameters);
}

}  // namespace

const std::string& select_payment() {
  static const std::string list = selected(payment_columns);
  return list;
}

const std::string& select_attempt() {
  static const std::string list = selected(attempt_columns);
  return list;
}

std::string insert_payment(std::initializer_list<PaymentColumn> columns) { return insert_sql("payments", columns); }
std::string insert_attempt(std::initializer_list<AttemptColumn> columns) { return insert_sql("attempts", columns); }

}  // namespace paytower::db
