// A payment of an invoice that the simulated network has made.
#pragma once

#include <stdexcept>

#include "core/invoice/bolt11/invoice.h"
#include "tests/support/test_admin.h"

namespace paytower::test {

[[nodiscard]] inline PaymentRequest invoice_request(sim::SimAdmin& admin, sim::InvoiceParams wanted, UnixNs now,
                                                    std::int64_t seconds) {
  if (!wanted.amount) wanted.amount = Msat::of(250'000);
  if (wanted.description.empty()) wanted.description = "test";
  const auto made = admin.make_invoice(wanted);
  if (!made) throw std::logic_error("no invoice");
  const auto read = decode_invoice(made->text);
  if (!read) throw std::logic_error("an invoice that cannot be read");
  PaymentRequest request;
  request.hash = read->payment_hash;
  request.demand.destination = read->payee;
  request.demand.amount = *read->amount;
  request.demand.fee_limit = Msat::of(50'000);
  request.payment_secret = read->payment_secret;
  request.invoice = made->text;
  request.network = "regtest";
  request.created = now;
  request.deadline = UnixNs{now.value + seconds * ns_per_second};
  return request;
}

}  // namespace paytower::test
