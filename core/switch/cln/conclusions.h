// What each answer of the node lets us conclude about an attempt. Pure; cln/README 3 and 4 have the tables, as
// measured on a real node. An answer that is not named here concludes nothing (R3).
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "core/driver/ports.h"
#include "core/switch/cln/reading.h"
#include "core/switch/rpc/json_rpc.h"

namespace paytower::cln {

// JSON-RPC's own codes.
inline constexpr std::int64_t method_not_found = -32601;
inline constexpr std::int64_t invalid_params = -32602;

/// The node has no such command: an older one, a newer one that has dropped it, or one without the plugin.
[[nodiscard]] inline bool no_such_method(const RpcReply& reply) {
  return reply.error && reply.error->code == method_not_found;
}

enum class SendpayWord {
  pending,   ///< a row of the asked ids exists and may be in flight; whose it is its label tells
  complete,  ///< not sent by this request; some row of the hash settled it: a look shows which
  busy,      ///< 200: not sent by this request, something of the hash may be in flight
  exists,    ///< 201: not sent by this request, a row stands in its way; its text is never read
  no_row,    ///< 204 without a row, -32600 to -32602: not sent by this request, and no row was made
  not_sent,  ///< 203: not sent by this request; a failed row may stand there
  unknown,   ///< everything else: sent, not sent, settled or orphaned
};
struct SendpayMeaning {
  SendpayWord word = SendpayWord::unknown;
  std::optional<Record> record;  ///< of pending and complete
  Failure failure{};             ///< of no_row and not_sent
};
[[nodiscard]] SendpayMeaning conclude_sendpay(const RpcReply& reply);

enum class WaitWord {
  settled,  ///< the row is complete; the preimage is to be checked
  failed,   ///< 202, 203, 204, 209: certainly failed
  pending,  ///< 200: nothing, wait on
  no_row,   ///< 208: no row of exactly these ids now, which proves nothing
  unknown,  ///< everything else
};
struct WaitMeaning {
  WaitWord word = WaitWord::unknown;
  std::optional<Record> record;  ///< of settled, and of failed where the node tells of it
  Failure failure{};  ///< of failed: evidence only when no later failure of the same hash and part replaced it
  Bytes message{};    ///< and raw_message, where the node hands it on
};
[[nodiscard]] WaitMeaning conclude_waitsendpay(const RpcReply& reply);

/// All rows of the hash in listsendpays' answer. Nothing when the answer cannot be taken as a whole: then nothing of it
/// counts. A row without ids counts as somebody's pending one: the hash is not quiet.
[[nodiscard]] std::optional<std::vector<Record>> conclude_listsendpays(const RpcReply& reply, const PaymentHash& hash);

/// What a hand-over's answer says of the attempt: accepted only for a row with this attempt's ids and label.
[[nodiscard]] DispatchAnswer dispatch_answer(const SendpayMeaning& meaning, const Handover& handover);

/// True when the fence made the row of these ids, so that its end is worth waiting for.
[[nodiscard]] bool fence_stands(const SendpayMeaning& meaning, const Handover& fence);

/// True when no row of these ids is there, and none can be made any more: another part of the round is complete.
[[nodiscard]] bool bars(std::span<const Record> rows, const AttemptKey& key);

/// True when the row at these ids is an attempt that some store of ours handed over, not a fence and not another
/// user's.
[[nodiscard]] bool is_attempt_row(const Record& record, const AttemptKey& key);

/// For each part number, the newest first, at most `most`: failed attempts of ours whose details the node still has.
[[nodiscard]] std::vector<AttemptKey> explained_failures(std::span<const Record> records, std::size_t most);

/// The failed record of the part whose end is the newest, the only one whose failure's details the node still has: each
/// failure overwrites those of all groups of the same hash and part. Nothing when that cannot be told.
[[nodiscard]] const Record* newest_failure(std::span<const Record> records, std::uint32_t part);

}  // namespace paytower::cln
