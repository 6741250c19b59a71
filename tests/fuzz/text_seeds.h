// Seeds for the fuzz targets that read text.
#pragma once

#include <string>

namespace paytower::test {

/// Makes FOLDER/bolt11, channel_update, rpc, rest, lnd_answers, routes, batch, graph, words and config and fills them:
/// from the vectors and recorded answers of tests/data where there are any.
void write_text_seeds(const std::string& folder);

}  // namespace paytower::test
