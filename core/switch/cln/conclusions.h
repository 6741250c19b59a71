// What may be concluded about an attempt from each answer of the node. Pure. cln/README 3 and 4 have the tables, as
// measured on a real node. An answer that is not in them proves nothing (R3).
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "core/driver/ports.h"
#include "core/switch/cln/reading.h"
#include "core/switch/rpc/json_rpc.h"

namespace paytower::cln {

/// The node does not have this command: it is older, or newer and has dropped it, or lacks the plugin.
[[nodiscard]] inline bool no_such_method(const RpcReply& reply) {
  return reply.error && reply.error->code == method_not_found;
}

enum class SendpayWord {
  pending,   ///< there is a row with the asked ids and it may be in flight; its label tells whose it is
  complete,  ///< not sent by this request; some row of the hash settled: a look shows which one
  busy,      ///< 200: not sent by this request, because something of the hash is pending
  exists,    ///< 201: not sent by this request, a row is in its way; the text is never read
  no_row,    ///< 204 without a row, -32600 to -32602: not sent by this request, and no row was made
  not_sent,  ///< 203: not sent by this request; there may be a failed row
  unknown,   ///< everything else: sent, not sent, settled or orphaned
};
struct SendpayMeaning {
  SendpayWord word = SendpayWord::unknown;
  std::optional<Record> record;  ///< with pending and complete
  Failure failure{};             ///< with no_row, not_sent and busy
};
[[nodiscard]] SendpayMeaning conclude_sendpay(const RpcReply& reply);

enum class WaitWord {
  settled,  ///< the row is complete; its preimage has still to be checked
  failed,   ///< 202, 203, 204, 209: failed for certain
  pending,  ///< 200: nothing yet, keep waiting
  no_row,   ///< 208: there is no row with exactly these ids now, which proves nothing
  unknown,  ///< everything else
};
struct WaitMeaning {
  WaitWord word = WaitWord::unknown;
  std::optional<Record> record;  ///< with settled, and with failed if the node shows it
  Failure failure{};  ///< with failed: it counts only if no later failure of the same hash and part has replaced it
  Bytes message{};    ///< with failed: raw_message, if the node passes it on
};
[[nodiscard]] WaitMeaning conclude_waitsendpay(const RpcReply& reply);

/// All rows of the hash in the answer of listsendpays. Nothing if the answer as a whole cannot be used: then none of it
/// counts. A row without ids counts as pending and as somebody else's: the hash is not quiet.
[[nodiscard]] std::optional<std::vector<Record>> conclude_listsendpays(const RpcReply& reply, const PaymentHash& hash);

/// What the answer to a request says about the attempt: accepted only if the row has this attempt's ids and label.
[[nodiscard]] DispatchAnswer dispatch_answer(const SendpayMeaning& meaning, const Handover& handover);

/// True if the row with these ids was made by the fence, so that it is worth waiting for its end.
[[nodiscard]] bool fence_stands(const SendpayMeaning& meaning, const Handover& fence);

/// True if there is no row with these ids and there can be none: another part of the round is complete.
[[nodiscard]] bool bars(std::span<const Record> rows, const AttemptKey& key);

/// True if the row with these ids is an attempt that some store of ours sent: not a fence, and not another user's.
[[nodiscard]] bool is_attempt_row(const Record& record, const AttemptKey& key);

/// For each part number, newest first, at most `most`: failed attempts of ours whose details the node still has.
[[nodiscard]] std::vector<AttemptKey> explained_failures(std::span<const Record> records, std::size_t most);

/// The failed record of the part that ended last: only for this one the node still has the details, because each
/// failure overwrites those of all groups with the same hash and part. Nothing if that cannot be told.
[[nodiscard]] const Record* newest_failure(std::span<const Record> records, std::uint32_t part);

}  // namespace paytower::cln
