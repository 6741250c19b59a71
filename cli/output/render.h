// Payments as JSON: one shape everywhere (paytower-json(5)). Keys keep their order and are always present.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "cli/output/json.h"
#include "core/driver/driver.h"
#include "core/payment/payment.h"
#include "core/payment/route.h"

namespace paytower::cli {

struct PaymentView {
  const Payment* payment = nullptr;
  bool omit_hops = false;
  std::span<const Payment> tries{};       ///< older tries of the hash, newest first
  std::span<const Payment> duplicates{};  ///< legacy duplicates
  std::string_view imported_raw = "[]";   ///< what is kept raw of it, as JSON (cli/output/imported_raw.h)
  std::optional<Msat> overpayment{};      ///< of show: adds "overpayment_msat"
  const DriveResult* sent = nullptr;      ///< of send: adds "joined" and "paid_before"
};

void write_payment(JsonWriter& out, const PaymentView& view);
/// The payment as JSON text, in the form of dump().
[[nodiscard]] std::string payment_text(const PaymentView& view);
/// Of a failed payment: null where its reason says it all.
void write_failure_detail(JsonWriter& out, const Payment& payment);
/// Of a route that nobody was given yet: expiry and total_time_lock are null.
void write_route(JsonWriter& out, const Route& route);
[[nodiscard]] Json guard_json(const Guard& guard);

/// Helpers for the documents of commands: null where there is nothing; 64-bit ids and times as strings.
[[nodiscard]] Json text_or_null(const std::string& text);
[[nodiscard]] Json id_json(std::uint64_t id);
[[nodiscard]] Json time_json(UnixNs time);
[[nodiscard]] Json time_json(const std::optional<UnixNs>& time);
[[nodiscard]] Json msat_json(Msat amount);

template <std::size_t N, typename Tag> [[nodiscard]] Json hex_json(const std::optional<FixedBytes<N, Tag>>& bytes) {
  return bytes ? Json(bytes->hex()) : Json();
}

/// What the payee says that the payment is for: the bytes of a stranger. Empty without an invoice, or where that has
/// only the hash of it.
[[nodiscard]] std::string description_of(const Payment& payment);

/// What the payment costs: the fees of its settled parts; while none has settled, of its open parts; else 0.
[[nodiscard]] Msat fee_of(const Payment& payment);

/// "IN_FLIGHT", "SUCCEEDED", "FAILED", and "UNKNOWN" for an attempt that was closed without proof.
[[nodiscard]] std::string_view htlc_status(const Attempt& attempt);

}  // namespace paytower::cli
