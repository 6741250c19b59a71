// Payments as JSON: one shape everywhere (paytower-json(5)). Keys keep their order and are always present.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/driver.h"
#include "core/payment.h"
#include "core/route.h"

namespace paytower::cli {

using Json = nlohmann::ordered_json;

/// One line without its end, pure ASCII: whatever strangers wrote stands there as \u escapes and cannot reach a terminal raw.
[[nodiscard]] std::string dump(const Json& document);

struct PaymentView {
  const Payment* payment = nullptr;
  bool omit_hops = false;
  std::vector<Json> tries{};               ///< older tries of the hash, newest first, already rendered
  std::vector<Json> duplicates{};          ///< legacy duplicates, already rendered
};

[[nodiscard]] Json payment_json(PaymentView view);
[[nodiscard]] Json payment_json(const Payment& payment);
/// `absolute` is null until a switch has told heights, so expiry and total_time_lock are null here.
[[nodiscard]] Json route_json(const Route& route, bool omit_hops = false);
[[nodiscard]] Json guard_json(const Guard& guard);

/// Helpers for the documents of commands: null where there is nothing; 64-bit ids and times as strings.
[[nodiscard]] Json text_or_null(const std::string& text);
[[nodiscard]] Json id_json(std::uint64_t id);
[[nodiscard]] Json time_json(UnixNs time);
[[nodiscard]] Json time_json(const std::optional<UnixNs>& time);
[[nodiscard]] Json msat_json(Msat amount);

template <std::size_t N, typename Tag>
[[nodiscard]] Json hex_json(const std::optional<FixedBytes<N, Tag>>& bytes) {
  return bytes ? Json(bytes->hex()) : Json();
}

/// "IN_FLIGHT", "SUCCEEDED", "FAILED", and "UNKNOWN" for an attempt that was closed without proof.
[[nodiscard]] std::string htlc_status(const Attempt& attempt);

}  // namespace paytower::cli
