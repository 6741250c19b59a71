// Writes a file of many records for the tests that run the program:  paytower_make_many version1|legacy|kv|sql FILE
// COUNT
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>

#include "tests/migrations/many_records.h"

int main(int count, char** arguments) {
  const std::string kind = count == 4 ? arguments[1] : "";
  const auto make = kind == "version1" ? paytower::test::make_many_version_one
                    : kind == "legacy" ? paytower::test::make_many_legacy
                    : kind == "kv"     ? paytower::test::make_many_kv
                    : kind == "sql"    ? paytower::test::make_many_native
                                       : nullptr;
  if (make == nullptr) {
    std::fprintf(stderr, "usage: paytower_make_many version1|legacy|kv|sql FILE COUNT\n");
    return 2;
  }
  try {
    make(arguments[2], std::strtoull(arguments[3], nullptr, 10));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
