// libFuzzer target for `simulate network --import`: lncli's describegraph and Core Lightning's listchannels.
// Invariants: channels have two nodes in order and at least one policy, and a graph that is accepted makes a network or
// is refused.
#include <nlohmann/json.hpp>

#include "cli/input/graph.h"
#include "core/base/json.h"
#include "core/sim/network.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/test_ledger.h"

using namespace paytower;
using namespace paytower::test;

namespace {

struct Undone {};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  JsonRules rules;
  rules.max_bytes = 1U << 16U;
  const auto document = read_json(text_of(bytes, size), rules);
  if (!document) return 0;
  const auto graph = cli::read_graph(*document);
  if (!graph) {
    must(!graph.error().message.empty());
    return 0;
  }
  for (const sim::ImportedChannel& channel : graph->channels) {
    must(channel.nodes[0] < channel.nodes[1]);
    must(channel.policies[0].has_value() || channel.policies[1].has_value());
  }
  sim::NetworkParams params;
  params.graph = &*graph;
  if (!sim::check_network(params)) return 0;
  static TestLedger ledger;  // each input's network is undone with its transaction
  try {
    ledger.write([&](sim::LedgerTx& tx) {
      (void)sim::build_network(tx, params);
      throw Undone();
    });
  } catch (const Undone&) {}
  return 0;
}
