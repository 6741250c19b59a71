// What people paste where an invoice is wanted: takes the bare invoice out of it, and names everything else as what it
// is.
#pragma once

#include <string>
#include <string_view>

#include "core/base/error.h"

namespace paytower::cli {

/// The BOLT 11 text in `pasted`: without blanks and line ends around it and `lightning:` or `lightning://` before it;
/// of a BIP 21 URI the value of lightning=. The text itself is not checked here; decode_invoice does that. A usage
/// refusal says what else it is (an offer, an LNURL, an address, ...) and what to do next. No message repeats the text:
/// it may hold secrets.
[[nodiscard]] Result<std::string> payable_text(std::string_view pasted);

}  // namespace paytower::cli
