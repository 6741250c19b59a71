// Reads an HTTP answer with Beast's parser, and checks what the parser does not.
#include "core/switch/rest/answer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <climits>
#include <deque>
#include <utility>

// Beast asserts more than is true: an empty body in chunks, cut after "0\r\n\r", would end the process if assertions
// were on. What its parser does without them is tested at every cut, and fuzzed.
#define BOOST_DISABLE_ASSERTS
#include <fmt/core.h>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>

#include "core/base/require.h"

namespace paytower {

namespace {

namespace http = boost::beast::http;
using Parser = http::response_parser<http::buffer_body>;

/// All of `text` as a number. UINT_MAX, which is above every bound, if it is not a number.
unsigned digits(std::string_view text) {
  unsigned value = 0;
  const auto [end, errc] = std::from_chars(text.data(), text.data() + text.size(), value);
  return errc == std::errc{} && end == text.data() + text.size() ? value : UINT_MAX;
}

/// 1 to 12; 0 if it is not a month.
unsigned month_number(std::string_view name) {
  constexpr std::string_view names = "JanFebMarAprMayJunJulAugSepOctNovDec";
  const std::size_t at = names.find(name);
  return name.size() != 3 || at == std::string_view::npos || at % 3 != 0 ? 0 : static_cast<unsigned>(at / 3 + 1);
}

}  // namespace

std::optional<UnixNs> read_http_date(std::string_view text) {
  constexpr std::string_view form = "???, ?? ??? ???? ??:??:?? GMT";
  if (text.size() != form.size()) return std::nullopt;
  for (std::size_t i = 0; i < form.size(); ++i)
    if (form[i] != '?' && text[i] != form[i]) return std::nullopt;
  const unsigned year = digits(text.substr(12, 4));
  const unsigned hour = digits(text.substr(17, 2));
  const unsigned minute = digits(text.substr(20, 2));
  const unsigned second = digits(text.substr(23, 2));
  if (year < 1970 || year > 2200 || hour > 23 || minute > 59 || second > 59) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year{static_cast<int>(year)},
                                         std::chrono::month{month_number(text.substr(8, 3))},
                                         std::chrono::day{digits(text.substr(5, 2))}};
  if (!date.ok()) return std::nullopt;
  const std::chrono::seconds since = std::chrono::sys_days{date}.time_since_epoch() + std::chrono::hours{hour} +
                                     std::chrono::minutes{minute} + std::chrono::seconds{second};
  return UnixNs{since.count() * ns_per_second};
}

struct AnswerReader::Parts {
  Parts(Form wanted, std::size_t bound) : form(wanted), max_bytes(bound) { begin(); }

  /// The parser takes one answer, and never a second one.
  void begin() {
    parser.emplace();
    head_bytes = 0;
    parser->header_limit(2 * max_head_bytes);  // put() enforces the exact bound
    if (form == Form::whole)
      parser->body_limit(max_bytes);
    else
      parser->body_limit(boost::none);  // the stream may last for hours; each line is bounded
  }

  void refuse(std::string reason) {
    state = State::refused;
    why = std::move(reason);
  }

  /// Parses what is there. What is left is the beginning of something longer.
  void parse() {
    std::size_t used = 0;
    while (state == State::reading && used < pending.size()) {
      const std::size_t step = put(std::string_view(pending).substr(used));
      if (step == 0) break;
      used += step;
    }
    pending.erase(0, used);
    const std::size_t open = parser->is_header_done() ? pending.size() : head_bytes + pending.size();
    if (state == State::reading && open >= max_head_bytes)
      refuse(fmt::format("its head is longer than {} bytes", max_head_bytes));
  }

  /// The parser's own bound does not hold for a head that comes in one piece. So it is given no more than it may read.
  std::size_t put(std::string_view bytes) {
    const bool in_head = !parser->is_header_done();
    if (in_head) bytes = bytes.substr(0, max_head_bytes - head_bytes);
    if (bytes.empty()) return 0;
    std::array<char, max_head_bytes> body;
    parser->get().body().data = body.data();
    parser->get().body().size = body.size();
    boost::beast::error_code error;
    const std::size_t used = parser->put(boost::asio::buffer(bytes), error);
    const std::size_t got = body.size() - parser->get().body().size;
    if (error && error != http::error::need_more) {
      refuse(error.message());
      return used;
    }
    if (in_head) head_bytes += used;
    if (in_head && parser->is_header_done()) check_head();
    if (state == State::reading) keep(std::string_view(body.data(), got));
    if (state == State::reading && parser->is_done()) finish();
    return used;
  }

  void check_head() {
    const auto& message = parser->get();
    const unsigned status = message.result_int();
    if (status / 100 == 1) return pass_interim(status);
    if (status < 200 || status > 599) return refuse(fmt::format("it has the status {}", status));
    // "gzip" without a length would read like a body up to the end of the connection, and "gzip, chunked" like a
    // chunked one.
    const auto codings = message.count(http::field::transfer_encoding);
    if (codings > 0 &&
        (codings > 1 || !boost::beast::iequals(message[http::field::transfer_encoding], std::string_view("chunked"))))
      return refuse("its body is encoded in a way that we did not ask for");
    if (parser->need_eof() && form == Form::whole) return refuse("it does not say how long it is");
    const auto date = message[http::field::date];
    head = RestHead{static_cast<int>(status), read_http_date(std::string_view(date.data(), date.size()))};
  }

  void pass_interim(unsigned status) {
    if (status == 101 || ++interim_answers > max_interim_answers) return refuse("its 1xx answers never end");
    begin();
  }

  void keep(std::string_view bytes) {
    while (!bytes.empty() && state == State::reading) {
      const std::size_t end = form == Form::lines ? bytes.find('\n') : std::string_view::npos;
      text.append(bytes.substr(0, end));
      if (text.size() > max_bytes) return refuse(fmt::format("it is longer than {} bytes", max_bytes));
      if (end == std::string_view::npos) return;
      bytes.remove_prefix(end + 1);
      end_line();
    }
  }

  void end_line() {
    if (!text.empty()) lines.push_back(std::exchange(text, {}));
  }

  void finish() {
    state = State::complete;
    if (form == Form::lines) end_line();
  }

  Form form;
  std::size_t max_bytes;
  State state = State::reading;
  std::string why;
  std::optional<Parser> parser;
  std::string pending;         ///< read, but not parsed yet
  std::size_t head_bytes = 0;  ///< how much of this head is parsed
  unsigned interim_answers = 0;
  RestHead head;
  std::string text;  ///< the body so far; in a stream, the unfinished line
  std::deque<std::string> lines;
  bool more_came = false;  ///< there are bytes after the answer
};

AnswerReader::AnswerReader(Form form, std::size_t max_bytes) : parts_(std::make_unique<Parts>(form, max_bytes)) {}
AnswerReader::~AnswerReader() = default;

AnswerReader::State AnswerReader::feed(std::string_view bytes) {
  Parts& in = *parts_;
  while (in.state == State::reading && !bytes.empty()) {
    const std::size_t piece = std::min(max_head_bytes - in.pending.size(), bytes.size());
    in.pending.append(bytes.substr(0, piece));
    bytes.remove_prefix(piece);
    in.parse();
  }
  in.more_came = in.more_came || !bytes.empty() || (in.state == State::complete && !in.pending.empty());
  return in.state;
}

AnswerReader::State AnswerReader::end(bool orderly) {
  Parts& in = *parts_;
  if (in.state != State::reading) return in.state;
  // Only a stream gets here with such an answer. Unless TLS says so, anybody may have ended it.
  if (in.head.status != 0 && in.parser->need_eof() && orderly)
    in.finish();
  else
    in.refuse(in.head.status == 0 ? "the connection ended before the answer"
                                  : "the connection ended within the answer");
  return in.state;
}

std::optional<std::string> AnswerReader::next_line() {
  if (parts_->lines.empty()) return std::nullopt;
  std::string line = std::move(parts_->lines.front());
  parts_->lines.pop_front();
  return line;
}

const RestHead& AnswerReader::head() const { return parts_->head; }

std::string AnswerReader::take_body() {
  require(parts_->state == State::complete && parts_->form == Form::whole, "the answer is there, and is no stream");
  return std::move(parts_->text);
}

bool AnswerReader::reusable() const {
  return parts_->state == State::complete && !parts_->more_came && parts_->parser->keep_alive();
}

const std::string& AnswerReader::why() const { return parts_->why; }

}  // namespace paytower
