// What a hand-over says is what the stored payment says, each time the same (R4).
#include <doctest/doctest.h>

#include "core/driver/admission.h"
#include "core/invoice/bolt11/invoice.h"

using namespace paytower;

namespace {

std::string invoice_text(std::optional<std::string> description, std::optional<Sha256Digest> description_hash) {
  Invoice fields;
  fields.network = "regtest";
  fields.description = std::move(description);
  fields.description_hash = description_hash;
  fields.metadata = Bytes{7, 8};
  fields.features = Bytes{0x41, 0x00};
  std::array<std::uint8_t, 32> key{};
  key.fill(0x11);
  const auto text = encode_invoice(fields, key);
  REQUIRE(static_cast<bool>(text));
  return *text;
}

Handover handover_of(const std::string& invoice) {
  Payment payment;
  payment.request.invoice = invoice;
  payment.request.metadata = Bytes{7, 8};
  Attempt attempt;
  attempt.id = AttemptId{77};
  payment.attempts.push_back(attempt);
  return handover(payment, payment.attempts.front(), StoreId{}, false);
}

}  // namespace

TEST_CASE("a hand-over carries what the invoice demands") {
  const Handover told = handover_of(invoice_text("two coffees", {}));
  CHECK(told.description == "two coffees");
  CHECK(told.metadata == Bytes{7, 8});
  CHECK(handover_of(invoice_text({}, Sha256Digest{})).description.empty());
  CHECK(handover_of("").description.empty());
}
