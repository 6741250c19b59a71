// The simulated network's ledger in one SQLite file.
#pragma once

#include <memory>
#include <string>

#include "core/sim/ledger.h"

namespace paytower::db {

/// Opens the network in the file `path`. Cheap: nothing is read before it is asked for.
/// Throws SwitchError when there is no such file, or when it is not a simulated network, RefusalError (usage) for names
/// that no file has.
[[nodiscard]] std::unique_ptr<sim::Ledger> open_sim_ledger(const std::string& path);

/// Makes an empty ledger in a new file `path` (0600), to be filled by SimAdmin::create_network. A file in which that
/// was not finished is taken again. Throws RefusalError (usage) when there is a network in it, SwitchError when it
/// cannot be made. Ask sim::check_network first, so that wrong parameters leave no empty file. `vfs` as in OpenOptions.
[[nodiscard]] std::unique_ptr<sim::Ledger> create_sim_ledger(const std::string& path, const std::string& vfs = {});

}  // namespace paytower::db
