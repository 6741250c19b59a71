// The stable names of refusals, as error JSON shows them.
#include "core/base/error.h"

#include <algorithm>
#include <array>

#include <fmt/core.h>

namespace paytower {

namespace {

constexpr std::array kinds{
#define ERROR_CODE(name, exit_code, next_step, words) ErrorKind{#name, exit_code, next_step, words},
#include "core/base/error_codes.inc"
#undef ERROR_CODE
};

std::string with(std::string_view text, std::string_view word, const std::string& value) {
  std::string filled(text);
  if (const std::size_t at = filled.find(word); at != std::string::npos) filled.replace(at, word.size(), value);
  return filled;
}

bool has(std::string_view text, std::string_view word) { return text.find(word) != std::string_view::npos; }

}  // namespace

const ErrorKind& kind_of(Errc code) { return kinds.at(static_cast<std::size_t>(code)); }

Error refusal(Errc code, const PaymentHash& hash) {
  const ErrorKind& kind = kind_of(code);
  if (kind.words.empty())
    return {code, fmt::format("refused: {}; nothing was sent", kind.name), fmt::format("paytower show {}", hash.hex())};
  return {code, std::string(kind.words), with(kind.next_step, "HASH", hash.hex())};
}

std::string next_step(Errc code, std::string_view command) {
  const std::string_view step = kind_of(code).next_step;
  if (has(step, "HASH")) return {};  // refusal() gives this step, because it knows the hash
  return command.empty() ? with(step, "COMMAND ", "") : with(step, "COMMAND", std::string(command));
}

std::string shell_word(std::string_view text) {
  const auto plain = [](char c) {
    const bool letter_or_digit = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    return letter_or_digit || std::string_view("@%+=:,./_-").find(c) != std::string_view::npos;
  };
  if (!text.empty() && std::all_of(text.begin(), text.end(), plain)) return std::string(text);
  std::string word = "'";
  for (const char c : text) {
    if (c == '\'') {
      word += "'\\''";
    } else {
      word += c;
    }
  }
  return fmt::format("{}'", word);
}

}  // namespace paytower
