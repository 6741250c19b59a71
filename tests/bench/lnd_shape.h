// The yardstick: the same lifecycle in the shape of lnd's own SQL schema.
#pragma once

#include <cstddef>
#include <string>

namespace paytower::bench {

/// Stores `payments` settled payments with one attempt of three hops and an invoice of 300 bytes in a new file `path`,
/// in three transactions a payment as lnd does it (init, register, settle), `together` payments sharing each of them.
/// WAL, synchronous=FULL. REQUIRES: `path` does not exist.
void store_in_lnd_shape(const std::string& path, std::size_t together, std::size_t payments);

}  // namespace paytower::bench
