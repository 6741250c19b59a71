// Runs a step: SQL up to its mark, C++, the rest of the SQL, C++ again.
#include "migrations/migrations.h"

namespace paytower::migrations {

void run(SQLite::Database& database, const Step& step, StepContext& context) {
  const std::size_t mark = step.move == nullptr ? std::string_view::npos : step.sql.find("\n-- [");
  database.exec(std::string(step.sql.substr(0, mark)));
  if (step.move != nullptr) step.move(database, context);
  if (mark != std::string_view::npos) database.exec(std::string(step.sql.substr(mark)));
  if (step.finish != nullptr) step.finish(database, context);
}

}  // namespace paytower::migrations
