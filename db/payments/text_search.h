// Words that people look for in a payment, as a function for SQL.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <SQLiteCpp/Database.h>

#include "core/base/msat.h"

namespace paytower::db {

/// What is looked for: a payment fits that says `text`, or whose amount is one of these.
struct TextSearch {
  std::string text;           ///< found in the label or the description, whatever the case of the letters a to z, or at
                              ///< the beginning of the payment hash or the payee's key, when it is 6 hex digits or more
  std::vector<Msat> amounts;  ///< at most two
};

/// Makes says(text, label, invoice, destination, payment_hash) known: 1 or 0. REQUIRES: the text is lower case.
void register_says(SQLite::Database& database);

/// With a to z for A to Z.
[[nodiscard]] std::string lower_case(std::string_view text);

/// * and ? as people mean them, in SQLite's words: GLOB has [...] as well.
[[nodiscard]] std::string glob_of(std::string_view pattern);

}  // namespace paytower::db
