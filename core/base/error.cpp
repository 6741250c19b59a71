#include "core/base/error.h"

namespace paytower {

std::string_view code_name(Errc code) {
  switch (code) {
    case Errc::usage: return "usage";
    case Errc::invoice_expired: return "invoice_expired";
    case Errc::wrong_network: return "wrong_network";
    case Errc::self_payment: return "self_payment";
    case Errc::clock: return "clock";
    case Errc::already_paid: return "already_paid";
    case Errc::in_flight: return "in_flight";
    case Errc::not_initiated: return "not_initiated";
    case Errc::already_succeeded: return "already_succeeded";
    case Errc::already_failed: return "already_failed";
    case Errc::already_ended: return "already_ended";
    case Errc::stopped: return "stopped";
    case Errc::guarded: return "guarded";
    case Errc::parameters_differ: return "parameters_differ";
    case Errc::still_at_switch: return "still_at_switch";
    case Errc::busy: return "busy";
    case Errc::switch_unavailable: return "switch_unavailable";
    case Errc::other_switch: return "other_switch";
    case Errc::not_found: return "not_found";
    case Errc::ambiguous: return "ambiguous";
    case Errc::not_confirmed: return "not_confirmed";
    case Errc::database: return "database";
    case Errc::schema_older: return "schema_older";
    case Errc::schema_newer: return "schema_newer";
    case Errc::database_old_copy: return "database_old_copy";
    case Errc::switch_old_copy: return "switch_old_copy";
    case Errc::attempt_doubled: return "attempt_doubled";
    case Errc::attempt_id_taken: return "attempt_id_taken";
    case Errc::conflict: return "conflict";
    case Errc::internal: return "internal";
  }
  return "internal";
}

}  // namespace paytower
