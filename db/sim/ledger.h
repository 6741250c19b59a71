// The simulated network's ledger in one SQLite file.
#pragma once

#include <memory>
#include <string>

#include "core/base/error.h"
#include "core/sim/ledger.h"

namespace paytower::db {

/// Opens the network in the file `path`. Cheap: nothing is read before it is needed. Errc::usage for a name that a file
/// cannot have, Errc::switch_unavailable if there is no such file or it is not a simulated network.
[[nodiscard]] Result<std::unique_ptr<sim::Ledger>> open_sim_ledger(const std::string& path);

/// Makes an empty ledger in the new file `path` (0600), for SimAdmin::create_network to fill. A file in which that was
/// not finished is used again. Errc::usage if there is a network in it, Errc::switch_unavailable if it cannot be made.
/// Ask sim::check_network first, so that wrong parameters leave no empty file. `vfs` as in OpenOptions.
[[nodiscard]] Result<std::unique_ptr<sim::Ledger>> create_sim_ledger(const std::string& path,
                                                                     const std::string& vfs = {});

}  // namespace paytower::db
