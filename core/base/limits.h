// Every bound of R16 that more than one file needs. Input beyond a bound is an error, never a larger buffer.
#pragma once

#include <cstddef>
#include <cstdint>

namespace paytower::limits {

/// Hops of a route (BOLT 4 onions hold 20 or a few more; lnd and we stop at 20).
inline constexpr std::size_t max_hops = 20;
inline constexpr std::size_t max_candidate_routes = 100;  ///< routes in one --routes file
inline constexpr std::size_t max_invoice_chars = 16'384;  ///< text of a BOLT 11 invoice; BOLT 11 itself sets no bound
/// What is pasted as an invoice: a BIP 21 URI, or blanks around it.
inline constexpr std::size_t max_pasted_bytes = 64 * 1'024;
inline constexpr std::size_t max_switch_run_chars = 128;         ///< name of one run of the switch's process
inline constexpr std::size_t max_metadata_bytes = 639;           ///< a BOLT 11 field holds 1023 x 5 bits
inline constexpr std::size_t max_label_bytes = 1'024;            ///< --label
inline constexpr std::size_t max_failure_message_bytes = 1'024;  ///< error text kept of a failure; the rest is cut
inline constexpr std::size_t max_outgoing_channels = 64;         ///< --outgoing-chan-id
inline constexpr std::uint32_t max_attempts = 1'000;             ///< --max-attempts
inline constexpr std::uint32_t max_parts = 100;                  ///< --max-parts
inline constexpr std::uint32_t max_cltv_delta = 0xFFFF;          ///< a delay of a hop, in blocks
inline constexpr std::size_t max_input_file_bytes = 1 << 20;     ///< a --routes file
inline constexpr std::size_t max_batch_line_bytes = 64 * 1'024;  ///< a line of send --batch: an invoice and a few keys
inline constexpr std::uint32_t max_batch_parallel = 483;         ///< BOLT 2: HTLCs that one channel direction holds
inline constexpr std::size_t max_json_depth = 32;
inline constexpr std::size_t max_payment_locks = 4'096;   ///< R11: payments locked at once by one process
inline constexpr std::size_t max_rows_per_look = 10'000;  ///< rows of one hash that a switch may show
inline constexpr std::size_t max_exclusions = 10'000;     ///< of one question for a route

}  // namespace paytower::limits
