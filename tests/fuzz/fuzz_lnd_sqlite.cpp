// libFuzzer target for lnd's SQLite files: native tables, or the key-value tree. The input is opened as an import does,
// and read to its end: it gives records or a refusal. The file must not change, and no other file may appear beside it.
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <unistd.h>

#include "core/base/error.h"
#include "db/import/sources.h"

using namespace paytower;

namespace {

constexpr int most_records = 100'000;

/// Gone with the process.
class Folder {
 public:
  Folder() : path_(std::filesystem::exists("/dev/shm") ? "/dev/shm/fuzz-XXXXXX" : "/tmp/fuzz-XXXXXX") {
    if (::mkdtemp(path_.data()) == nullptr) std::abort();
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

const std::string& folder() {
  static const Folder one;
  return one.path();
}

void read_all(const std::string& path) {
  try {
    const auto source = db::open_lnd_source(path, {});
    (void)source->source_node();
    const auto records = source->records();
    int count = 0;
    while (records->next()) {
      if (++count > most_records) std::abort();
    }
    source->check_unchanged();
  } catch (const RefusalError& error) {
    if (error.error().hint.empty()) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string path = folder() + "/lnd.sqlite";
  std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
  read_all(path);
  std::string after(size, '\0');
  std::ifstream(path, std::ios::binary).read(after.data(), static_cast<std::streamsize>(size));
  if (std::filesystem::file_size(path) != size ||
      !std::equal(after.begin(), after.end(), data, [](char a, std::uint8_t b) { return a == static_cast<char>(b); }))
    std::abort();
  const auto entries =
      std::distance(std::filesystem::directory_iterator(folder()), std::filesystem::directory_iterator{});
  if (entries != 1) std::abort();
  return 0;
}
