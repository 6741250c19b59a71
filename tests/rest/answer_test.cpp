// What the bytes of an answer are read as, cut at every place, and what happens to what no server should send.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "core/switch/rest/answer.h"

using namespace paytower;

namespace {

using Form = AnswerReader::Form;
using State = AnswerReader::State;

const std::string good_head = "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n";

State read(AnswerReader& reader, const std::string& text) { return reader.feed(text); }

State read(const std::string& text, Form form = Form::whole, std::size_t bound = 1'000) {
  AnswerReader reader(form, bound);
  return reader.feed(text);
}

std::vector<std::string> lines(AnswerReader& reader) {
  std::vector<std::string> out;
  while (auto line = reader.next_line()) out.push_back(std::move(*line));
  return out;
}

}  // namespace

TEST_CASE("answer: wherever it is cut, it is whole only with its last byte") {
  const std::vector<std::string> answers = {
      good_head + "Content-Length: 7\r\n\r\n{\"a\":1}",
      good_head + "Transfer-Encoding: chunked\r\n\r\n3\r\n{\"a\r\n4;x=y\r\n\":1}\r\n0\r\nTrailer: 1\r\n\r\n",
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\nA: b\r\n\r\n" + good_head +
          "Content-Length: 7\r\n\r\n{\"a\":1}",
  };
  for (const std::string& text : answers) {
    for (std::size_t cut = 0; cut <= text.size(); ++cut) {
      AnswerReader reader(Form::whole, 7);
      const State first = read(reader, text.substr(0, cut));
      CHECK(first == (cut == text.size() ? State::complete : State::reading));
      if (cut < text.size()) {
        AnswerReader gone(Form::whole, 7);
        gone.feed(text.substr(0, cut));
        CHECK(gone.end(true) == State::refused);
        CHECK_FALSE(gone.reusable());
        CHECK(reader.feed(text.substr(cut)) == State::complete);
      }
      CHECK(reader.head().status == 200);
      CHECK(reader.head().date == UnixNs{784'111'777 * ns_per_second});
      CHECK(reader.reusable());
      CHECK(reader.take_body() == R"({"a":1})");
    }
  }
}

TEST_CASE("answer: a stream's lines come as they end, wherever it is cut") {
  const std::string body =
      "14\r\n{\"result\":1}\n{\"resul\r\n6\r\nt\":2}\n\r\n10\r\n\n\n{\"error\":\"e\"}\n\r\n5\r\nlast!\r\n0\r\n\r\n";
  const std::string text = good_head + "Transfer-Encoding: chunked\r\n\r\n" + body;
  const std::vector<std::string> all = {"{\"result\":1}", "{\"result\":2}", "{\"error\":\"e\"}", "last!"};
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    AnswerReader reader(Form::lines, 20);
    reader.feed(text.substr(0, cut));
    std::vector<std::string> told = lines(reader);
    const bool first_ended = cut >= text.find("}\n{") + 2;
    CHECK(told.empty() == !first_ended);
    if (cut < text.size()) CHECK(told.size() < all.size());
    CHECK(reader.feed(text.substr(cut)) == State::complete);
    for (std::string& line : lines(reader)) told.push_back(std::move(line));
    CHECK(told == all);
    CHECK(reader.reusable());
  }
}

TEST_CASE("answer: a stream without a length ends with the connection, and only TLS's word makes that an end") {
  for (const bool orderly : {false, true}) {
    AnswerReader reader(Form::lines, 100);
    CHECK(reader.feed(good_head + "\r\none\ntwo") == State::reading);
    CHECK(reader.end(orderly) == (orderly ? State::complete : State::refused));
    CHECK(lines(reader).size() == (orderly ? 2 : 1));
    CHECK_FALSE(reader.reusable());
  }
}

TEST_CASE("answer: R16, every bound holds on the byte, in one piece as in many") {
  const auto padded = [](std::size_t size) {
    std::string head = good_head + "Content-Length: 2\r\nPad: ";
    return head + std::string(size - head.size() - 4, 'x') + "\r\n\r\n";
  };
  const auto both = [](const std::string& text, Form form, std::size_t bound) {
    AnswerReader slow(form, bound);
    State state = State::reading;
    for (const char c : text) state = slow.feed(std::string_view(&c, 1));
    CHECK(state == read(text, form, bound));
    return state;
  };
  CHECK(both(padded(AnswerReader::max_head_bytes) + "ab", Form::whole, 2) == State::complete);
  CHECK(both(padded(AnswerReader::max_head_bytes + 1) + "ab", Form::whole, 2) == State::refused);
  CHECK(both(good_head + "Content-Length: 3\r\n\r\nabc", Form::whole, 3) == State::complete);
  CHECK(both(good_head + "Content-Length: 4\r\n\r\n", Form::whole, 3) == State::refused);
  const std::string chunked = good_head + "Transfer-Encoding: chunked\r\n\r\n";
  CHECK(both(chunked + "0\r\n\r\n", Form::whole, 0) == State::complete);
  CHECK(both(chunked + "2\r\nab\r\n2\r\ncd\r\n0\r\n\r\n", Form::whole, 4) == State::complete);
  CHECK(both(chunked + "2\r\nab\r\n2\r\ncd\r\n0\r\n\r\n", Form::whole, 3) == State::refused);
  CHECK(both(chunked + "5\r\nab\ncd\r\n0\r\n\r\n", Form::lines, 2) == State::complete);
  CHECK(both(chunked + "5\r\nab\ncd\r\n1\r\ne\r\n0\r\n\r\n", Form::lines, 2) == State::refused);
  CHECK(both(chunked + "ffffffffffffffff\r\n", Form::whole, 1'000) == State::refused);
  CHECK(both(chunked + "2;" + std::string(20'000, 'x') + "\r\nab\r\n0\r\n\r\n", Form::whole, 9) == State::refused);
  CHECK(both(chunked + "0\r\nA: " + std::string(20'000, 'x') + "\r\n\r\n", Form::whole, 9) == State::refused);
  std::string interim;
  for (unsigned i = 0; i < AnswerReader::max_interim_answers; ++i) interim += "HTTP/1.1 103 Early\r\n\r\n";
  CHECK(both(interim + padded(200) + "ab", Form::whole, 2) == State::complete);
  CHECK(both(interim + "HTTP/1.1 103 Early\r\n\r\n", Form::whole, 2) == State::refused);
}

TEST_CASE("answer: what no server should say is refused") {
  for (const char* text : {
           "HTTP/1.1 200 OK\r\n\r\n",                                                               // no length
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nxx",                                  //
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx",              //
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",        //
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n1\r\nx\r\n",  //
           "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",                    //
           "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nx",                                        //
           "HTTP/1.1 200 OK\r\nBad Field: 1\r\n\r\n",                                               //
           "HTTP/1.1 101 Switching Protocols\r\n\r\n",                                              //
           "HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n",                                         //
           "HTTP/2 200 OK\r\nContent-Length: 0\r\n\r\n",                                            //
           "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n\r\n",                                        //
           "\n\n\n\n{\"jsonrpc\":\"2.0\"}\n\n",                                                     //
       }) {
    CAPTURE(text);
    AnswerReader reader(Form::whole, 1'000);
    CHECK(reader.feed(text) == State::refused);
    CHECK_FALSE(reader.why().empty());
    CHECK(reader.feed("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") == State::refused);
  }
  CHECK(read("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nxx\n", Form::lines) == State::refused);
}

TEST_CASE("answer: a connection is used again only behind a clean end that the server calls none of the connection") {
  const auto reusable = [](const std::string& text, const std::string& later = "") {
    AnswerReader reader(Form::whole, 100);
    CHECK(reader.feed(text) == State::complete);
    reader.feed(later);
    return reader.reusable();
  };
  CHECK(reusable("HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}"));
  CHECK(reusable("HTTP/1.1 204 No Content\r\n\r\n"));
  CHECK_FALSE(reusable("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}x"));
  CHECK_FALSE(reusable("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "x"));
  CHECK_FALSE(reusable("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"));
  CHECK_FALSE(reusable("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}"));
}

TEST_CASE("answer: the server's time, in the one form that it may have") {
  CHECK(read_http_date("Thu, 01 Jan 1970 00:00:00 GMT") == UnixNs{0});
  CHECK(read_http_date("Thu, 29 Feb 2024 23:59:59 GMT") == UnixNs{1'709'251'199 * ns_per_second});
  CHECK(read_http_date("Sun, 29 Nov 2026 07:04:36 GMT") == UnixNs{1'795'935'876 * ns_per_second});
  for (const char* text :
       {"", "Thu, 30 Feb 2024 00:00:00 GMT", "Thu, 29 Feb 2023 00:00:00 GMT", "Thu, 29 Feb 2024 24:00:00 GMT",
        "Thu, 29 Feb 2024 00:00:60 GMT", "Thu, 29 Feb 2024 -1:00:00 GMT", "Thu, 29 anF 2024 00:00:00 GMT",
        "Thu, 29 Feb 2024 00:00:00 UTC", "Thursday, 29-Feb-24 00:00:00 GMT", "Thu Feb 29 00:00:00 2024",
        "Thu, 29 Feb 9999 00:00:00 GMT"})
    CHECK_FALSE(read_http_date(text));
  AnswerReader reader(Form::whole, 10);
  CHECK(reader.feed("HTTP/1.1 200 OK\r\nDate: soon\r\nContent-Length: 0\r\n\r\n") == State::complete);
  CHECK_FALSE(reader.head().date);
}
