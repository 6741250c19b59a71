// The names of oracle states.
#include "core/sim/records.h"

namespace paytower::sim {

std::string_view oracle_state_name(OracleState state) {
  switch (state) {
    case OracleState::held: return "held";
    case OracleState::settled: return "settled";
    case OracleState::failed: return "failed";
    case OracleState::fenced: return "fenced";
  }
  return "held";
}

}  // namespace paytower::sim
