// libFuzzer target for the answers of an HTTP server. The first byte says the form, the bound, and how the bytes are
// cut into reads. Invariants: cuts do not change the result, no body or line is longer than its bound, and an answer
// that is refused or complete stays so.
#include <string>
#include <vector>

#include "core/switch/rest/answer.h"
#include "tests/fuzz/fuzz.h"

using namespace paytower;
using namespace paytower::test;

namespace {

using Form = AnswerReader::Form;
using State = AnswerReader::State;

struct Read {
  bool complete = false;  ///< before the connection ended; what is refused may be refused earlier or later
  State at_end = State::reading;
  int status = 0;
  std::optional<UnixNs> date;
  std::string body;
  std::vector<std::string> lines;
  bool reusable = false;
  bool operator==(const Read&) const = default;
};

Read read(std::string_view text, std::size_t piece, Form form, std::size_t bound) {
  AnswerReader reader(form, bound);
  Read out;
  State before = State::reading;
  for (std::size_t at = 0; at < text.size(); at += piece) {
    const State state = reader.feed(text.substr(at, piece));
    must(before == State::reading || before == state);
    before = state;
  }
  out.complete = before == State::complete;
  out.reusable = reader.reusable();
  must(!out.reusable || out.complete);
  out.at_end = reader.end(true);
  must(out.at_end != State::reading && (before == State::reading || before == out.at_end));
  must((out.at_end == State::refused) == !reader.why().empty());
  out.status = reader.head().status;
  out.date = reader.head().date;
  if (out.at_end == State::complete && form == Form::whole) out.body = reader.take_body();
  while (auto line = reader.next_line()) out.lines.push_back(std::move(*line));
  must(out.body.size() <= bound);
  for (const std::string& line : out.lines) must(!line.empty() && line.size() <= bound);
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size == 0) return 0;
  const Form form = (bytes[0] & 1U) != 0 ? Form::lines : Form::whole;
  const std::size_t bound = (bytes[0] & 2U) != 0 ? 16 : 1U << 16U;
  const std::string_view text = text_of(bytes + 1, size - 1);
  const Read whole = read(text, text.size() + 1, form, bound);
  must(whole == read(text, 1, form, bound));
  must(whole == read(text, (bytes[0] >> 2U) + 2U, form, bound));
  (void)read_http_date(text);
  return 0;
}
