// libFuzzer target for lnd's answers, its macaroon file and its lnd.conf. Invariants: everything is read or refused,
// "paid" has its proof, "not sent" has one of lnd's own sentences, and nothing that is read exceeds its bounds.
#include <array>
#include <string>

#include "core/base/limits.h"
#include "core/switch/lnd/address.h"
#include "core/switch/lnd/conclusions.h"
#include "core/switch/lnd/evidence.h"
#include "core/switch/lnd/macaroon.h"
#include "core/switch/lnd/reading.h"
#include "tests/fuzz/fuzz.h"

using namespace paytower;
using namespace paytower::test;

namespace {

constexpr std::array statuses = {200, 400, 404, 409, 499, 500, 501, 503};

void look_at(const lnd::Record& record, const PaymentHash& hash) {
  const StoreId store;
  lnd::Sight sight;
  sight.hash = hash;
  sight.record = record;
  sight.clock = record.created;
  const LookResult look = sight.about(store, {});
  must(look.rows.size() <= record.htlcs.size() + 1);
  must(!look.to_release || record.status == lnd::Record::Status::in_flight);
  must(!lnd::holds_behind(record, store, {}, {}) || record.value == lnd::fence_amount);
}

void read_answers(int status, std::string_view text) {
  const lnd::Mark mark{};
  const lnd::SendMeaning meaning = lnd::conclude_send(status, text, mark);
  const bool ended = meaning.word == lnd::SendMeaning::Word::settled || meaning.word == lnd::SendMeaning::Word::failed;
  must(!ended || status == 200);
  must(meaning.word != lnd::SendMeaning::Word::not_sent || status != 200);
  if (const auto line = lnd::read_stream_line(text)) {
    if (const auto* shown = std::get_if<lnd::PaymentShown>(&*line)) look_at(shown->record, shown->hash);
  }
  (void)lnd::conclude_track(status, text, PaymentHash{});
  (void)lnd::read_state(text);
  (void)lnd::read_node_info(text);
  if (const auto channels = lnd::read_channels(text)) must(channels->size() <= lnd::max_channels);
  if (const auto page = lnd::read_payments(text)) must(page->payments.size() <= page->rows);
  if (const auto routes = lnd::read_routes(text, PublicKey{}, 100)) {
    for (const Route& route : *routes) must(decode_route(encode_route(route)) == route);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text = text_of(bytes + 1, size - 1);
  read_answers(statuses[bytes[0] % statuses.size()], text);
  (void)lnd::read_lnd_conf(text);
  (void)lnd::read_host_port(text);
  if (const auto macaroon = lnd::Macaroon::read(std::span(bytes + 1, size - 1)))
    must(lnd::Macaroon::read(macaroon->limited(UnixNs{ns_per_second}).binary().span()).operator bool());
  return 0;
}
