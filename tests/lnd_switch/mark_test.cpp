// Marks: the bytes in lnd's records by which we know our HTLCs, and who can read them.
#include <doctest/doctest.h>

#include "core/switch/lnd/mark.h"
#include "core/switch/lnd/record.h"

using namespace paytower;
using namespace paytower::lnd;

namespace {

StoreId counted_store(std::uint8_t first) {
  StoreId store;
  for (std::size_t i = 0; i < StoreId::size; ++i) store.bytes[i] = static_cast<std::uint8_t>(first + i);
  return store;
}

Mark mark_of(std::string_view hex) {
  Mark mark{};
  REQUIRE(from_hex(hex, mark));
  return mark;
}

}  // namespace

TEST_CASE("marks: the bytes are those of another AES") {
  // python3 and `openssl enc -aes-128-ecb -nopad`, from the definition alone.
  const MarkCipher cipher(counted_store(0));
  CHECK(to_hex(cipher.make({AttemptId{0x0102030405060708}, 0x0a0b, MarkKind::fence})) ==
        "83df049a05b944244f7612b8f4abe05d");
  CHECK(to_hex(MarkCipher(counted_store(0xf0)).make({AttemptId{1}, 0, MarkKind::attempt})) ==
        "aca86879546ec719c7ea88099a1cbb48");
}

TEST_CASE("marks: what was written is read") {
  const MarkCipher cipher(counted_store(7));
  for (const std::uint64_t id : {std::uint64_t{0}, std::uint64_t{1}, (std::uint64_t{1} << 62U) - 1}) {
    for (const std::uint32_t part : {0U, 1U, 255U, 256U, most_marked_part}) {
      for (const MarkKind kind : {MarkKind::attempt, MarkKind::fence, MarkKind::release}) {
        const MarkParts parts{AttemptId{id}, part, kind};
        CHECK(cipher.read(cipher.make(parts)) == parts);
      }
    }
  }
}

TEST_CASE("marks: each kind and part has its own") {
  const MarkCipher cipher(counted_store(7));
  const Mark mark = cipher.make({AttemptId{9}, 1, MarkKind::attempt});
  CHECK(mark == cipher.make({AttemptId{9}, 1, MarkKind::attempt}));
  CHECK(mark != cipher.make({AttemptId{9}, 2, MarkKind::attempt}));
  CHECK(mark != cipher.make({AttemptId{9}, 1, MarkKind::fence}));
  CHECK(mark != cipher.make({AttemptId{10}, 1, MarkKind::attempt}));
}

TEST_CASE("marks: another store reads nothing, and neither does ours of what is none") {
  const MarkCipher ours(counted_store(7));
  const MarkCipher other(counted_store(8));
  StoreId same_beginning = counted_store(7);
  // The five bytes of the store's id in the block stay the same, but the key comes from all 16.
  same_beginning.bytes[15] ^= 1U;
  const MarkCipher twin(same_beginning);
  for (std::uint64_t id = 0; id < 200; ++id) {
    const Mark mark = ours.make({AttemptId{id}, 1, MarkKind::attempt});
    CHECK_FALSE(other.read(mark).has_value());
    CHECK_FALSE(twin.read(mark).has_value());
    for (std::size_t bit = 0; bit < 128; bit += 17) {
      Mark bent = mark;
      bent[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
      CHECK_FALSE(ours.read(bent).has_value());
    }
  }
  CHECK_FALSE(ours.read(Mark{}).has_value());
}

TEST_CASE("marks: a block of our store with an impossible kind or id is none of ours") {
  const MarkCipher cipher(counted_store(0));
  // {00 01 02 03 04, id, part, kind} under the key of the known answers.
  CHECK_FALSE(cipher.read(mark_of("e1ab64adb795310d532b474bb0af6d92")).has_value());
  CHECK_FALSE(cipher.read(mark_of("adb9da7ff8e56e44110effc7a7cd8300")).has_value());
  CHECK_FALSE(cipher.read(mark_of("f1e3d35b2c6b3d28f845acc4e8e8d40c")).has_value());
  CHECK(cipher.read(mark_of("c9923cfc2e72907080ca1b17d0a7e4e2")).has_value());
}
