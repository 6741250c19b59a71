// libFuzzer target for the lines of send --batch. Invariants: every line is read, or refused with a message, whatever
// flags it has; and what is read is within the bounds of the flags.
#include <algorithm>
#include <string>
#include <vector>

#include "cli/commands/send_options.h"
#include "core/base/limits.h"
#include "tests/fuzz/fuzz.h"

using namespace paytower;
using namespace paytower::test;

namespace {

cli::BatchOptions batch() {
  cli::Surroundings surroundings;
  surroundings.environment = [](const char*) { return std::optional<std::string>(); };
  surroundings.now = UnixNs{1'700'000'000'000'000'000};
  const std::vector<std::string> call{"send", "--batch",  "-",     "--yes",    "--db",
                                      "x.db", "--switch", "sim:x", "--config", "none"};
  const auto read = cli::read_call(call, cli::commands(), surroundings);
  must(static_cast<bool>(read));
  return *static_cast<const cli::SendOptions*>(read->options.get())->batch;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static const cli::BatchOptions options = batch();
  std::string_view rest = text_of(bytes, size);
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    const auto send = options.read_line(line);
    if (!send) {
      must(!send.error().message.empty());
      continue;
    }
    must(send->label.size() <= limits::max_label_bytes);
    must(send->timeout_ns > 0);
  }
  return 0;
}
