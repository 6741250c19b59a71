// JSON for stdout and stderr, made in one of two ways, and never put together by hand. What holds payments or routes,
// or may be long, is written as it goes by JsonWriter, without a tree in between. The small document of one command is
// a tree (Json), which is as short to write and needs no closing; dump() makes the same bytes of it. Nothing is
// written, read back and written again.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "cli/output/exit_code.h"
#include "core/base/bytes.h"
#include "core/base/msat.h"
#include "core/base/types.h"

namespace paytower::cli {

using Json = nlohmann::ordered_json;

/// One line without its end, pure ASCII: text of strangers is written with \u escapes and cannot reach a terminal raw.
[[nodiscard]] std::string dump(const Json& document);

/// A key as it stands behind another value: `,"name":`. The compiler makes it, and refuses a name that needs escaping.
class JsonKey {
 public:
  consteval JsonKey(const char* name) {
    text_[size_++] = ',';
    text_[size_++] = '"';
    for (; *name != 0; ++name) {
      if (*name < ' ' || *name >= '\x7f' || *name == '"' || *name == '\\') throw "a key is plain ASCII";
      text_[size_++] = *name;
    }
    text_[size_++] = '"';
    text_[size_++] = ':';
  }
  [[nodiscard]] constexpr std::string_view behind_another() const { return {text_.data(), size_}; }

 private:
  std::array<char, 47> text_{};
  std::uint8_t size_ = 0;
};

/// Appends one document to a text: compact and pure ASCII, byte for byte what dump() makes of the same document. It
/// sets commas itself. The caller gives each key one value and closes what it opens. Borrows the text.
class JsonWriter {
 public:
  explicit JsonWriter(std::string& out) : out_(out) {}

  JsonWriter& key(const JsonKey& key);
  /// The next value of an array.
  JsonWriter& element();

  void begin_object() { out_ += '{'; }
  void end_object() { out_ += '}'; }
  void begin_array() { out_ += '['; }
  void end_array() { out_ += ']'; }

  void null() { out_ += "null"; }
  void boolean(bool value) { out_ += value ? "true" : "false"; }
  void number(std::uint64_t value);
  void number(ExitCode code) { number(static_cast<std::uint64_t>(code)); }
  void msat(Msat amount) { number(amount.value()); }
  /// A 64-bit number in quotes: readers that keep numbers in doubles would lose its last digits.
  void id(std::uint64_t id);
  void time(UnixNs time);
  /// Any bytes: escaped where they need it, U+FFFD for what is not UTF-8.
  void text(std::string_view text);
  template <std::size_t N, typename Tag> void hex(const FixedBytes<N, Tag>& bytes) {
    out_ += '"';
    append_hex(out_, bytes.bytes);
    out_ += '"';
  }

  /// A value that is JSON already, in the form of dump().
  void json(std::string_view value) { out_ += value; }

  // Null where there is nothing.
  void maybe_number(const std::optional<std::uint32_t>& value) { value ? number(*value) : null(); }
  void maybe_time(const std::optional<UnixNs>& value) { value ? time(*value) : null(); }
  void maybe_text(std::string_view value) { value.empty() ? null() : text(value); }
  template <std::size_t N, typename Tag> void maybe_hex(const std::optional<FixedBytes<N, Tag>>& bytes) {
    bytes ? hex(*bytes) : null();
  }

 private:
  std::string& out_;
};

class Output;

/// A document that is printed while it grows: a million elements need no more memory than one. The writer needs the
/// last byte to know whether a comma is due, so that byte is kept back.
class GrowingJson {
 public:
  explicit GrowingJson(Output& output) : output_(output) {}
  GrowingJson(const GrowingJson&) = delete;
  GrowingJson& operator=(const GrowingJson&) = delete;

  [[nodiscard]] JsonWriter& writer() { return writer_; }
  /// Prints what there is. Throws OutputError, as end().
  void pass_on();
  /// The document is complete: prints the rest, with a line end.
  void end();

 private:
  Output& output_;
  std::string text_;
  JsonWriter writer_{text_};
};

}  // namespace paytower::cli
