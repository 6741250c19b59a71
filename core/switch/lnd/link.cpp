// Sends requests to lnd with our macaroon, and keeps track of its clock.
#include "core/switch/lnd/link.h"

#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include <fmt/core.h>

#include "core/switch/lnd/reading.h"

namespace paytower::lnd {

namespace {

constexpr std::int64_t question_patience_ns = 10 * ns_per_second;
/// Lnd never ends a stream that it serves.
constexpr std::int64_t stream_patience_ns = 365LL * 24 * 3'600 * ns_per_second;

Error unreadable(const std::string& path, const std::string& why) {
  return Error{Errc::switch_unavailable, fmt::format("the macaroon {} cannot be used: {}", path, why), {}};
}

/// The bytes of the file; one byte more than a macaroon may have if the file is longer.
Result<SecretBytes> read_secret(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return unreadable(path, std::strerror(errno));
  SecretBytes bytes(Macaroon::max_bytes + 1);
  std::uint8_t buffer[512];
  ssize_t got = 0;
  while ((got = ::read(file, buffer, std::min(sizeof buffer, bytes.room()))) > 0)
    bytes.append(std::span(buffer, static_cast<std::size_t>(got)));
  const int why = errno;
  ::explicit_bzero(buffer, sizeof buffer);
  ::close(file);
  if (got < 0) return unreadable(path, std::strerror(why));
  return bytes;
}

}  // namespace

Link::Link(LndAddress address, Clock& clock)
    : address_(std::move(address)), clock_(clock),
      client_(address_.host, address_.port, address_.certificate_file, clock) {}

Result<std::monostate> Link::open() {
  auto bytes = read_secret(address_.macaroon_file);
  if (!bytes) return bytes.error();
  auto macaroon = Macaroon::read(bytes->span());
  if (!macaroon) return unreadable(address_.macaroon_file, macaroon.error().message);
  macaroon_ = std::move(*macaroon);
  if (client_.is_open()) return std::monostate{};
  return client_.open();
}

UnixNs Link::lnd_clock() const {
  if (told_ == UnixNs{}) return {};
  return UnixNs{told_.value + (clock_.mono().value - told_at_.value)};
}

void Link::saw(const RestHead& head) {
  if (!head.date) return;
  told_ = *head.date;
  told_at_ = clock_.mono();
}

RestRequest Link::written(const Request& request, std::int64_t patience_ns, std::optional<UnixNs> dies_at) {
  RestRequest out;
  out.method = request.method;
  out.target = request.target;
  out.body = request.body;
  out.secret_name = "Grpc-Metadata-macaroon";
  out.secret = [this, dies_at] { return dies_at ? macaroon_->limited(*dies_at).hex() : macaroon_->hex(); };
  out.answer_by = MonoNs{clock_.mono().value + patience_ns};
  out.max_bytes = max_answer_bytes;
  return out;
}

std::uint64_t Link::question(RestRequest request) {
  const std::uint64_t id = client_.ask(std::move(request));
  questions_.insert(id);
  return id;
}

void Link::put(const Request& request, std::optional<UnixNs> dies_at, unsigned times, const Ended& ended) {
  RestRequest out = written(request, question_patience_ns, dies_at);
  auto id = std::make_shared<std::uint64_t>(0);
  out.end = [this, request, dies_at, times, ended, id](const RestEnd& end) {
    questions_.erase(*id);
    if (end.kind != RestEnd::Kind::answered && times > 1) return put(request, dies_at, times - 1, ended);
    if (end.kind == RestEnd::Kind::answered) saw(end.head);
    ended(end);
  };
  *id = question(std::move(out));
}

void Link::ask(const Request& request, Ended ended) { put(request, std::nullopt, 2, ended); }

void Link::ask_expired(const Request& request, Ended ended) {
  put(request, UnixNs{ns_per_second}, 2, ended);  // long ago by any clock
}

void Link::ask_first_line(const Request& request, FirstLine line, Ended ended) {
  RestRequest out = written(request, question_patience_ns, std::nullopt);
  struct Asked {
    std::uint64_t id = 0;
    bool told = false;
  };
  auto asked = std::make_shared<Asked>();
  out.line = [this, line = std::move(line), asked](const RestHead& head, const std::string& text) {
    if (std::exchange(asked->told, true)) return;
    saw(head);
    const bool last = line(head, text);
    if (last) return;
    questions_.erase(asked->id);
    client_.drop(asked->id);
  };
  out.end = [this, ended = std::move(ended), asked](const RestEnd& end) {
    questions_.erase(asked->id);
    if (!asked->told) ended(end);
  };
  asked->id = question(std::move(out));
}

void Link::follow(const Request& request, Line line, Ended ended) {
  RestRequest out = written(request, stream_patience_ns, std::nullopt);
  out.waits = true;
  out.line = std::move(line);
  auto id = std::make_shared<std::uint64_t>(0);
  out.end = [this, ended = std::move(ended), id](const RestEnd& end) {
    questions_.erase(*id);
    ended(end);
  };
  *id = question(std::move(out));
}

void Link::ask_once(const Request& request, const Once& how, Ended ended) {
  RestRequest out = written(request, how.patience_ns, how.dies_at);
  out.waits = how.waits;
  out.end = [this, ended = std::move(ended)](const RestEnd& end) {
    if (end.kind == RestEnd::Kind::answered) saw(end.head);
    ended(end);
  };
  client_.ask(std::move(out));
}

void Link::drop_questions() {
  for (const std::uint64_t id : std::exchange(questions_, {})) client_.drop(id);
}

}  // namespace paytower::lnd
