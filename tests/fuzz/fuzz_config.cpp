// libFuzzer target for the config file. Invariants: it is read, or refused with the line that is wrong, and no value
// that is kept contains a newline.
#include "cli/commands/commands.h"
#include "core/base/refuse.h"
#include "tests/fuzz/fuzz.h"

using namespace paytower;
using namespace paytower::test;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const auto config = result_of([&] { return cli::parse_config(text_of(bytes, size), "config", cli::commands()); });
  if (!config) {
    must(config.error().message.find("line ") != std::string::npos ||
         config.error().message.find("larger") != std::string::npos);
    return 0;
  }
  for (const auto& [name, setting] : *config) {
    must(!name.empty() && setting.name == name && setting.where.find("line ") != std::string::npos);
    must(setting.value && setting.value->find('\n') == std::string::npos);
  }
  return 0;
}
