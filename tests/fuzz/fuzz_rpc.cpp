// libFuzzer target for the answers of a node. The first byte says how the stream is cut into reads. Invariants: cuts
// change nothing, no frame is longer than the bound, and whatever an answer contains is read or refused.
#include <string>
#include <vector>

#include "core/base/limits.h"
#include "core/switch/cln/reading.h"
#include "core/switch/rpc/json_rpc.h"
#include "tests/fuzz/fuzz.h"

using namespace paytower;
using namespace paytower::test;

namespace {

constexpr std::size_t bound = 1U << 16U;

struct Cut {
  std::vector<std::string> frames;
  bool whole = true;  ///< the stream stayed usable
};

Cut cut(std::string_view stream, std::size_t piece) {
  Cut out;
  FrameSplitter splitter(bound);
  for (std::size_t at = 0; at < stream.size(); at += piece) {
    if (!splitter.feed(stream.substr(at, piece))) {
      out.whole = false;
      break;
    }
    while (auto frame = splitter.next()) out.frames.push_back(std::move(*frame));
  }
  return out;
}

void read_everything(const nlohmann::json& result) {
  for (const char* key : {"payments", "htlcs", "channels", "income_events", "route"}) {
    const nlohmann::json* rows = cln::list(result, key, limits::max_rows_per_look);
    if (rows == nullptr) continue;
    for (const nlohmann::json& row : *rows) {
      if (const auto record = cln::read_record(row)) must(record->invoice.size() <= bound);
      bool broken = false;
      (void)cln::read_htlc(row, broken);
      (void)cln::read_debit(row, broken);
    }
  }
  (void)cln::read_own_channels(result);
  if (const auto route = cln::read_route(result)) {
    must(!route->hops.empty() && route->hops.size() <= limits::max_hops);
    must(decode_route(encode_route(*route)) == *route);
  }
  (void)cln::read_record(result);
  if (const auto amount = cln::amount(result, "amount_msat")) must(amount->value() <= Msat::max_value);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view stream = text_of(bytes + 1, size - 1);
  const Cut whole = cut(stream, std::size_t{bytes[0]} + 1);
  const Cut single = cut(stream, 1);
  // A read may hold more than one frame may; single bytes never do. Up to where one of them gives up they agree.
  if (whole.whole && single.whole) must(whole.frames == single.frames);
  for (const std::string& frame : single.frames) {
    must(frame.size() <= bound);
    const auto reply = read_reply(frame, bound);
    if (!reply) continue;
    must(reply->result.has_value() != reply->error.has_value());
    if (reply->result) read_everything(*reply->result);
  }
  return 0;
}
