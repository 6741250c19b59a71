// What a client reports of each request, whatever a TLS server or the network does. "lost" is right for everything that
// the server may have read completely, "not written" only for what it can never read.
#include <doctest/doctest.h>

#include "tests/rest/server.h"

using namespace paytower;
using namespace paytower::test;

namespace {

using Kind = RestEnd::Kind;

const std::string good = answer_text(R"({"a":1})", "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n");

}  // namespace

TEST_CASE("rest: a request goes out in five lines, and its connection is used again") {
  RestWorld world;
  world.answer(good);
  auto told = std::make_shared<Told>();
  int asked = 0;
  RestRequest request = world.request(told);
  request.secret_name = "Grpc-Metadata-Macaroon";
  request.secret = [&asked] { return ++asked, std::string("0201beef"); };
  world.client.ask(std::move(request));
  CHECK(asked == 0);
  CHECK(world.run(told).answered());
  CHECK(asked == 1);
  CHECK(told->ends.front().head.status == 200);
  CHECK(told->ends.front().head.date == UnixNs{784'111'777 * ns_per_second});
  CHECK(told->ends.front().body == R"({"a":1})");
  REQUIRE(world.server.requests.size() == 1);
  CHECK(world.server.requests.front() ==
        "POST /v2/router/route/send HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(world.server.port) +
            "\r\nGrpc-Metadata-Macaroon: 0201beef\r\nContent-Type: application/json\r\n"
            "Content-Length: 7\r\n\r\n{\"a\":1}");
  for (int i = 0; i < 3; ++i) CHECK(world.run().answered());
  CHECK(world.server.visitors.size() == 1);
  CHECK(world.server.requests.size() == 4);
}

TEST_CASE("rest: an answer cut at every byte is lost, and the last byte makes it an answer") {
  const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk("{}") + "0\r\n\r\n";
  for (const std::string& text : {answer_text("{}"), chunked}) {
    RestWorld world;
    for (std::size_t cut = 0; cut <= text.size(); ++cut) {
      world.server.on_request = [&](Visitor& visitor, const std::string&) {
        visitor.say(text.substr(0, cut));
        if (cut % 2 == 0)
          visitor.close_orderly();
        else
          visitor.close_when_said();
      };
      const Told told = world.run();
      CHECK(told.is(cut == text.size() ? Kind::answered : Kind::lost));
      CHECK(told.ends.front().body.empty() == (cut < text.size()));
    }
    CHECK(world.server.requests.size() == text.size() + 1);  // each was written once
  }
}

TEST_CASE(
    "rest: TLS cut at every byte: what the server never heard is not written or lost, what it heard never unwritten") {
  // The server's first TLS messages, which our request answers, end between these two offsets.
  constexpr std::size_t in_flight = 500;
  constexpr std::size_t behind_it = 800;
  RestWorld world;
  world.answer(good);
  std::size_t answered = 0;
  for (std::size_t cut = 1; answered < 3; cut += cut < in_flight ? 5 : 1) {
    CAPTURE(cut);
    world.server.on_connect = [cut](Visitor& visitor) { visitor.gives = cut; };
    const std::size_t heard = world.server.requests.size();
    const Told told = world.run();
    REQUIRE(told.ends.size() == 1);
    if (world.server.requests.size() > heard)
      CHECK(told.is(world.server.visitors.back()->has_said_all() ? Kind::answered : Kind::lost));
    if (cut < in_flight) CHECK(told.not_written());
    if (cut > behind_it) CHECK_FALSE(told.not_written());
    if (told.answered()) ++answered;
  }
}

TEST_CASE("rest: each byte alone, of TLS and of HTTP") {
  RestWorld world;
  world.server.on_connect = [](Visitor& visitor) { visitor.at_once = 1; };
  world.server.on_request = [](Visitor& visitor, const std::string&) { visitor.say_slowly(good); };
  CHECK(world.run().answered());
  CHECK(world.run().answered());
  CHECK(world.server.visitors.size() == 1);
}

TEST_CASE("rest: exactly the certificates of the file, read at each connect") {
  RestWorld world;
  world.answer(good + "x");  // no connection is kept
  const TestCertificate other;
  int secrets = 0;
  const auto run = [&] {
    auto told = std::make_shared<Told>();
    RestRequest request = world.request(told);
    request.secret_name = "Macaroon";
    request.secret = [&secrets] { return ++secrets, std::string("00"); };
    world.client.ask(std::move(request));
    return world.run(told);
  };
  SUBCASE("another node") {
    world.server.show(other);
    CHECK(run().not_written());
    CHECK(run().why().find("is not in " + world.folder.file("tls.cert")) != std::string::npos);
    CHECK(world.server.requests.empty());
    CHECK(secrets == 0);
  }
  SUBCASE("one that ours has signed") {
    const TestCertificate child(&world.certificate);
    world.server.show(child);
    CHECK(run().not_written());
    CHECK(secrets == 0);
  }
  SUBCASE("the node replaces its own") {
    CHECK(run().answered());
    world.server.show(other);
    CHECK(run().not_written());
    world.trust(other.pem());
    CHECK(run().answered());
    world.trust(world.certificate.pem() + other.pem());
    CHECK(run().answered());
    CHECK(world.server.requests.size() == 3);
  }
  SUBCASE("a date says nothing against a pin") {
    const TestCertificate old(nullptr, -3'600);
    world.server.show(old);
    world.trust(old.pem());
    CHECK(run().answered());
  }
  SUBCASE("a file without one") {
    for (const char* text : {"", "-----BEGIN CERTIFICATE-----\n", "no PEM"}) {
      world.trust(text);
      CHECK(run().why() == "no certificate can be read from " + world.folder.file("tls.cert"));
    }
    CHECK(world.server.visitors.empty());
  }
  SUBCASE("TLS 1.2 will do, 1.1 will not") {
    world.server.newest_tls = TLS1_2_VERSION;
    CHECK(run().answered());
    world.server.newest_tls = TLS1_1_VERSION;
    CHECK(run().not_written());
  }
  SUBCASE("no TLS at all") {
    world.server.on_connect = [](Visitor& visitor) {
      visitor.say_raw("HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n");
    };
    CHECK(run().not_written());
    CHECK(secrets == 0);
  }
}

TEST_CASE("rest: nobody listens; a name has several addresses") {
  RestWorld world;
  world.answer(good);
  RestClient by_name("localhost", world.server.port, world.folder.file("tls.cert"), world.clock);
  REQUIRE(by_name.open());
  auto told = std::make_shared<Told>();
  by_name.ask(world.request(told));
  while (told->ends.empty())
    if (!by_name.pump()) world.server.wait(by_name.descriptor(), false, *by_name.deadline());
  CHECK(told->answered());
  CHECK(world.server.requests.front().find("Host: localhost:") != std::string::npos);

  world.server.stop_listening();
  CHECK(world.run().not_written());
  RestClient nowhere("no-such-host.invalid", 1, world.folder.file("tls.cert"), world.clock);
  const auto opened = nowhere.open();
  REQUIRE_FALSE(opened);
  CHECK(opened.error().code == Errc::switch_unavailable);
}

TEST_CASE("rest: time-outs") {
  RestWorld world;
  SUBCASE("no TLS comes up") {
    world.server.on_connect = [](Visitor& visitor) { visitor.deaf = true; };
    CHECK(world.run().not_written());
    CHECK(world.clock.at == RestClient::connect_patience_ns);
  }
  SUBCASE("no answer, or half of one") {
    CHECK(world.run().lost());
    CHECK(world.clock.at == 60 * ns_per_second);
    world.answer(good.substr(0, good.size() - 1));
    CHECK(world.run().lost());
    CHECK(world.server.requests.size() == 2);
    CHECK(world.server.visitors.size() == 2);  // a late request gets no connection any more
  }
  SUBCASE("quick ones wait for each other, and for no hand-over") {
    std::vector<std::shared_ptr<Told>> quick;
    for (int i = 0; i < 20; ++i) {
      quick.push_back(std::make_shared<Told>());
      RestRequest request = world.request(quick.back());
      request.waits = false;
      world.client.ask(std::move(request));
    }
    world.settle();
    CHECK(world.server.requests.size() == RestClient::max_quick);
    world.answer(good);
    CHECK(world.run().answered());
    for (const auto& told : quick) world.run(told);
    const auto lost = std::count_if(quick.begin(), quick.end(), [](const auto& told) { return told->lost(); });
    const auto unwritten =
        std::count_if(quick.begin(), quick.end(), [](const auto& told) { return told->not_written(); });
    CHECK(lost == RestClient::max_quick);
    CHECK(unwritten == 12);
  }
}

TEST_CASE("rest: a kept connection that was closed costs no request, and no request goes twice") {
  RestWorld world;
  world.answer(good);
  CHECK(world.run().answered());
  SUBCASE("closed while nobody used it, and seen") {
    world.server.visitors.front()->close_orderly();
    world.settle();
  }
  SUBCASE("closed, and not yet seen") { world.server.visitors.front()->hang_up(); }
  SUBCASE("words that nobody asked for") {
    world.server.visitors.front()->say(good);
    world.server.move();
  }
  CHECK(world.run().answered());
  CHECK(world.server.visitors.size() == 2);
  CHECK(world.server.requests.size() == 2);
  world.server.on_request = [](Visitor& visitor, const std::string&) { visitor.hang_up(); };
  CHECK(world.run().lost());
  CHECK(world.server.requests.size() == 3);
}

TEST_CASE("rest: what stands behind an answer ends the connection, not the answer") {
  RestWorld world;
  world.answer(good + "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  CHECK(world.run().answered());
  CHECK(world.run().answered());
  CHECK(world.server.visitors.size() == 2);
}

TEST_CASE("rest: a request that the kernel never took whole is not written, and one whose last byte is out is lost") {
  RestWorld world;
  auto told = std::make_shared<Told>();
  RestRequest request = world.request(told);
  request.body = "[\"" + std::string(1'000'000, 'x') + "\"]";
  world.server.on_connect = [](Visitor& visitor) { visitor.gives = 1U << 20U; };
  SUBCASE("the server reads a part and is gone") {
    world.client.ask(std::move(request));
    while (world.server.visitors.empty() || world.server.visitors.front()->heard.empty()) {
      world.client.pump();
      world.server.move();
    }
    world.server.visitors.front()->deaf = true;
    world.settle();
    CHECK(told->ends.empty());
    SUBCASE("closed") { world.server.visitors.front()->hang_up(); }
    SUBCASE("silent") {}
    SUBCASE("given up by us") { world.client.lose(); }
    CHECK(world.run(told).not_written());
    CHECK(world.server.requests.empty());
  }
  SUBCASE("it answers before it has read all") {
    world.client.ask(std::move(request));
    while (world.server.visitors.empty() || world.server.visitors.front()->heard.empty()) {
      world.client.pump();
      world.server.move();
    }
    world.server.visitors.front()->deaf = true;
    world.server.visitors.front()->say(answer_text("{}"));
    CHECK(world.run(told).answered());
    world.answer(good);
    CHECK(world.run().answered());
    CHECK(world.server.visitors.size() == 2);
  }
  SUBCASE("it reads all of it") {
    world.server.on_request = [](Visitor& visitor, const std::string&) { visitor.hang_up(); };
    world.client.ask(std::move(request));
    CHECK(world.run(told).lost());
    CHECK(world.server.requests.size() == 1);
  }
}

TEST_CASE("rest: 120 hand-overs wait for their answers at once, and each gets its own") {
  RestWorld world;
  std::vector<std::shared_ptr<Told>> told;
  for (int i = 0; i < 120; ++i) {
    told.push_back(std::make_shared<Told>());
    RestRequest request = world.request(told.back());
    request.target = "/" + std::to_string(i);
    world.client.ask(std::move(request));
  }
  world.settle();
  CHECK(world.server.requests.size() == 120);
  CHECK(world.server.visitors.size() == 120);
  for (std::size_t i = 120; i-- > 60;)
    world.server.visitors[i]->say(answer_text(world.server.requests[i].substr(5, 4)));
  for (std::size_t i = 0; i < 60; ++i) world.server.visitors[i]->hang_up();
  world.settle();
  CHECK(std::count_if(told.begin(), told.end(), [](const auto& one) { return one->lost(); }) == 60);
  for (std::size_t i = 0; i < 120; ++i) {
    if (!told[i]->answered()) continue;
    const std::string name = "/" + std::to_string(i) + " ";
    CHECK(told[i]->ends.front().body.substr(0, name.size()) == name.substr(0, 4));
  }
  world.answer(good);
  for (int i = 0; i < 20; ++i) world.ask();
  world.settle();
  CHECK(world.server.requests.size() == 140);
  CHECK(world.server.visitors.size() <= 120 + 20);
}

TEST_CASE("rest: what cannot be read, or is too long, is lost and never an answer") {
  RestWorld world;
  for (const std::string& text :
       {std::string("garbage\r\n\r\n"), std::string(20'000, 'x'), answer_text(std::string(1'001, 'x')),
        std::string("HTTP/1.1 200 OK\r\n\r\n{}"),
        std::string("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}")}) {
    world.answer(text);
    CHECK(world.run().lost());
    CHECK(world.run().why().find("the node's answer cannot be used: ") == 0);
  }
  world.answer(answer_text(std::string(1'000, 'x')));
  CHECK(world.run().answered());
}

TEST_CASE("rest: a stream's lines are told as they come, and its end") {
  RestWorld world;
  const std::string head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::string stream = head + chunk("{\"n\":1}\n{\"n") + chunk("\":2}\n") + "0\r\n\r\n";
  SUBCASE("line by line") {
    const auto told = world.ask(true);
    world.settle();
    Visitor& visitor = *world.server.visitors.front();
    visitor.say(head + chunk("{\"n\":1}\n{\"n"));
    world.settle();
    CHECK(told->lines == std::vector<std::string>{"{\"n\":1}"});
    visitor.say(chunk("\":2}\n"));
    world.settle();
    CHECK(told->lines.size() == 2);
    CHECK(told->ends.empty());
    visitor.say("0\r\n\r\n");
    CHECK(world.run(told).answered());
    world.answer(good);
    CHECK(world.run().answered());
    CHECK(world.server.visitors.size() == 1);
  }
  SUBCASE("cut at every byte") {
    for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
      world.server.on_request = [&](Visitor& visitor, const std::string&) {
        visitor.say(stream.substr(0, cut));
        visitor.close_orderly();
      };
      const Told told = world.run(true);
      CHECK(told.is(cut == stream.size() ? Kind::answered : Kind::lost));
      const std::size_t first = stream.find("}\n") + 2, second = stream.rfind("}\n") + 2;
      CHECK(told.lines.size() == (cut >= second ? 2 : cut >= first ? 1 : 0));
      CHECK(told.ends.front().head.status == (cut < head.size() ? 0 : 200));
    }
  }
  SUBCASE("up to the end of the connection") {
    for (const bool orderly : {true, false}) {
      world.server.on_request = [&](Visitor& visitor, const std::string&) {
        visitor.say("HTTP/1.1 200 OK\r\n\r\n{}\n{}");
        if (orderly)
          visitor.close_orderly();
        else
          visitor.close_when_said();
      };
      const Told told = world.run(true);
      CHECK(told.is(orderly ? Kind::answered : Kind::lost));
      CHECK(told.lines.size() == (orderly ? 2 : 1));
    }
  }
  SUBCASE("a line too long") {
    world.answer(head + chunk("{}\n") + "7d0\r\n" + std::string(1'500, 'x'));
    const Told told = world.run(true);
    CHECK(told.lost());
    CHECK(told.lines.size() == 1);
  }
  SUBCASE("it has a time, as everything has") {
    world.answer(head + chunk("{}\n"));
    CHECK(world.run(true).lost());
    CHECK(world.clock.at == 60 * ns_per_second);
  }
}

TEST_CASE("rest: whoever is told may ask, drop and give up") {
  RestWorld world;
  world.answer(good);
  auto second = std::make_shared<Told>();
  auto dropped = std::make_shared<Told>();
  auto told = std::make_shared<Told>();
  RestRequest request = world.request(told);
  std::uint64_t to_drop = 0;
  request.end = [&](const RestEnd& end) {
    told->ends.push_back(end);
    world.client.drop(to_drop);
    world.client.ask(world.request(second));
  };
  world.client.ask(std::move(request));
  to_drop = world.client.ask(world.request(dropped));
  CHECK(world.run(second).answered());
  world.settle();
  CHECK(told->answered());
  CHECK(dropped->ends.empty());

  world.server.on_request = [](Visitor&, const std::string&) {};
  const auto written = world.ask();
  world.settle();
  const auto unwritten = world.ask();
  auto last = std::make_shared<Told>();
  RestRequest ending = world.request(last);
  ending.end = [&](const RestEnd& end) {
    last->ends.push_back(end);
    world.client.lose();
  };
  world.client.ask(std::move(ending));
  world.client.lose();
  CHECK(written->lost());
  CHECK(unwritten->not_written());
  CHECK(last->not_written());
  CHECK(world.client.descriptor() < 0);
  CHECK_THROWS(world.ask());
  REQUIRE(world.client.open());
  world.answer(good);
  CHECK(world.run().answered());
}

TEST_CASE("rest: a stream that is dropped at its first line says nothing more, also of what has come already") {
  RestWorld world;
  world.answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk("1\n2\n3\n") + "0\r\n\r\n");
  const auto told = std::make_shared<Told>();
  RestRequest request = world.request(told);
  std::uint64_t stream = 0;
  request.line = [&](const RestHead&, const std::string& line) {
    told->lines.push_back(line);
    world.client.drop(stream);
  };
  stream = world.client.ask(std::move(request));
  world.settle();
  CHECK(told->lines == std::vector<std::string>{"1"});
  CHECK(told->ends.empty());
}

TEST_CASE("rest: a call that could write another header, or more than its bound, is a bug of the caller") {
  RestWorld world;
  for (const auto change : std::initializer_list<void (*)(RestRequest&)>{
           [](RestRequest& bad) { bad.target = "/a\r\nX: y"; }, [](RestRequest& bad) { bad.target = "/a b"; },
           [](RestRequest& bad) { bad.method = ""; }, [](RestRequest& bad) { bad.secret_name = "a\n"; },
           [](RestRequest& bad) { bad.body.resize(RestClient::max_request_bytes + 1); },
           [](RestRequest& bad) { bad.end = nullptr; }}) {
    RestRequest request = world.request(std::make_shared<Told>());
    change(request);
    CHECK_THROWS(world.client.ask(std::move(request)));
  }
  RestRequest request = world.request(std::make_shared<Told>());
  request.secret_name = "Macaroon";
  request.secret = [] { return std::string("00\r\nX: y"); };
  world.client.ask(std::move(request));
  CHECK_THROWS(world.settle());
  CHECK(world.server.requests.empty());
}
