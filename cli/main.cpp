// Only the entry: everything else is in a library, for the tests.
#include <string>
#include <vector>

#include "cli/dispatch.h"

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
  return paytower::cli::run_call(arguments);
}
