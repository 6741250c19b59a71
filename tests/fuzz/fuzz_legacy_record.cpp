// libFuzzer target for the frozen codec of lnd's outgoing payments. Invariants: what is read is inside the input and
// within its bounds, a refusal names the reason, a record is read the same again, and with one byte more or less it is
// refused.
#include "migrations/legacy_record.h"
#include "tests/fuzz/fuzz.h"

using namespace paytower;
using namespace paytower::migrations;
using namespace paytower::test;

namespace {

bool inside(std::span<const std::uint8_t> part, std::span<const std::uint8_t> whole) {
  return part.empty() || (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

void check(const LegacyRecord& record, std::span<const std::uint8_t> data) {
  must(inside(record.memo, data) && inside(record.receipt, data) && inside(record.path, data));
  must(record.memo.size() <= 1'024 && record.receipt.size() <= 1'024 && record.payment_request.size() <= 4'096);
  must(record.path.size() % PublicKey::size == 0 && record.hops() <= max_legacy_hops);
  must(record.value_msat <= max_legacy_msat && record.value_msat + record.fee_msat <= max_legacy_msat);
  must(record.preimage != Preimage{});
  must(std::holds_alternative<LegacyFlaw>(read_legacy_record(data.first(data.size() - 1))));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::span<const std::uint8_t> data(bytes, size);
  const auto outcome = read_legacy_record(data);
  if (const auto* record = std::get_if<LegacyRecord>(&outcome)) check(*record, data);
  if (const auto* flaw = std::get_if<LegacyFlaw>(&outcome)) must(!flaw->reason.empty());
  if (const auto wide = widen_v04_record(data)) must(wide->size() == size + 24);
  (void)invoice_payment_hash(text_of(bytes, size));
  return 0;
}
