// The yardstick: the same lifecycle in the shape of lnd's own SQL schema.
#pragma once

#include <cstddef>
#include <string>

namespace paytower::bench {

/// Stores `payments` settled payments, each with one attempt of three hops and an invoice of 300 bytes, in the new file
/// `path`. As in lnd, a payment takes three transactions (init, register, settle); `together` payments share each of
/// them. WAL, synchronous=FULL. REQUIRES: `path` does not exist.
void store_in_lnd_shape(const std::string& path, std::size_t together, std::size_t payments);

}  // namespace paytower::bench
