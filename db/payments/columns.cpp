#include "db/payments/columns.h"

#include <span>

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
    parameters += (number == 0 ? "?" : ", ?") + std::to_string(number + 1);
    ++number;
  }
  return "INSERT INTO " + std::string(table) + " (" + names + ") VALUES (" + parameters + ")";
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
