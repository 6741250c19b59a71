// What people paste where an invoice is wanted: the bare invoice is taken out of it, and what is none is named as what
// it is.
#pragma once

#include <string>
#include <string_view>

#include "core/base/error.h"

namespace paytower::cli {

/// The BOLT 11 text in `pasted`: blanks and line ends around it go, `lightning:` and `lightning://` before it too, and
/// of a BIP 21 URI its lightning= is taken. The text itself is not read; decode_invoice does that. A usage refusal says
/// what something else is (an offer, an LNURL, an address, ...) and what to do next. No message repeats any of the
/// text: it may hold secrets.
[[nodiscard]] Result<std::string> payable_text(std::string_view pasted);

}  // namespace paytower::cli
