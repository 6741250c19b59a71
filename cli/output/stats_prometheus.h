// Statistics in the text format that Prometheus and node_exporter's textfile collector read.
#pragma once

#include <string>

#include "db/payments/stats.h"

namespace paytower::cli {

/// Each metric with its HELP and TYPE, no timestamps, which that collector refuses. All are gauges: a delete or a
/// --since that moves makes them smaller, and a counter must not shrink.
/// `now`: for ages.
[[nodiscard]] std::string prometheus_text(const db::PaymentStats& stats, UnixNs now);

/// A label's value as it stands between quotes: backslash, quote and end of line escaped.
[[nodiscard]] std::string prometheus_label(std::string_view value);

}  // namespace paytower::cli
