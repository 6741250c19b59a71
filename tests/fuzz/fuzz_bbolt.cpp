// libFuzzer target for channel.db: the input is opened, and all of it is read. A refusal is fine; anything else that is
// thrown, and whatever the sanitizers report, is a bug.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include <sys/mman.h>
#include <unistd.h>

#include "core/base/error.h"
#include "db/import/lnd/little_endian.h"
#include "tests/lnd/walk.h"

namespace {

constexpr std::size_t meta_end = 80, checksum_at = 72, summed_from = 16, page_size_at = 24, flags_at = 28;

/// A fuzzer does not find checksums. Both metas are given theirs, unless the unused flags of the first are odd: so that
/// wrong ones are tried as well.
void seal(std::vector<std::uint8_t>& file, std::size_t at) {
  if (at > file.size() || file.size() - at < meta_end) return;
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (std::size_t i = at + summed_from; i < at + checksum_at; ++i) hash = (hash ^ file[i]) * 0x100000001b3ULL;
  for (std::size_t i = 0; i < 8; ++i) file[at + checksum_at + i] = static_cast<std::uint8_t>(hash >> (8 * i));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::vector<std::uint8_t> input(data, data + size);
  if (size >= meta_end && (input[flags_at] & 1) == 0) {
    seal(input, 0);
    seal(input, paytower::db::lnd::little<std::uint32_t>(input, page_size_at));
  }
  const int file = ::memfd_create("channel.db", MFD_CLOEXEC);
  if (file < 0 || ::write(file, input.data(), input.size()) != static_cast<ssize_t>(input.size())) std::abort();
  try {
    (void)paytower::test::walk_file("/proc/self/fd/" + std::to_string(file));
  } catch (const paytower::RefusalError& refused) {
    if (refused.error().code != paytower::Errc::usage || refused.error().message.empty()) std::abort();
  }
  ::close(file);
  return 0;
}
