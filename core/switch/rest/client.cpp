// A pool of connections: gives requests to them, and reports how each request ended.
#include "core/switch/rest/client.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <deque>
#include <map>
#include <utility>
#include <vector>

#include <sys/epoll.h>
#include <unistd.h>

#include <fmt/core.h>

#include "core/base/require.h"
#include "core/switch/rest/tls_socket.h"

namespace paytower {

namespace {

constexpr int events_at_once = 64;
constexpr int rounds_a_pump = 16;  ///< then other work gets its turn

/// Nothing that could end a header or begin another one.
bool is_plain(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

void wipe(std::string& text) { ::explicit_bzero(text.data(), text.size()); }

/// The whole request. The caller wipes its memory. It never grows, so no copy is left behind.
std::string request_text(const RestRequest& request, const std::string& host) {
  std::string secret = request.secret ? request.secret() : std::string{};
  require(is_plain(secret), "a secret has no blanks");
  std::string text;
  text.reserve(256 + request.method.size() + request.target.size() + host.size() + request.secret_name.size() +
               secret.size() + request.body.size());
  text.append(request.method).append(" ").append(request.target).append(" HTTP/1.1\r\nHost: ").append(host);
  if (!secret.empty()) text.append("\r\n").append(request.secret_name).append(": ").append(secret);
  wipe(secret);
  if (!request.body.empty())
    text.append(fmt::format("\r\nContent-Type: application/json\r\nContent-Length: {}", request.body.size()));
  return text.append("\r\n\r\n").append(request.body);
}

}  // namespace

struct RestClient::Pool {
  struct Asked {
    std::uint64_t id = 0;
    std::shared_ptr<const RestRequest> request;
  };
  struct Connection {
    Connection(const TlsPeer& peer, MonoNs until) : socket(peer), connect_by(until) {}
    TlsSocket socket;
    MonoNs connect_by;
    std::optional<Asked> asked;
    std::optional<AnswerReader> reader;  ///< set from the moment when the request is given to TLS
    bool kept = false;                   ///< it has given a whole answer before
  };
  struct Word {  ///< what is to be reported once nothing of ours is in use any more: the receiver may call us
    std::uint64_t id = 0;
    std::function<void()> tell;
  };

  Pool(std::string host, std::uint16_t port, std::string certificate_file, Clock& its_clock)
      : clock(its_clock), peer{std::move(host), port, std::move(certificate_file), {}, {}},
        // If a port follows, an IPv6 address is put into brackets.
        host_header(peer.host.find(':') == std::string::npos ? fmt::format("{}:{}", peer.host, port)
                                                             : fmt::format("[{}]:{}", peer.host, port)) {}
  ~Pool() { shut(); }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  void shut() {
    connections.clear();
    idle.clear();
    if (epoll >= 0) ::close(std::exchange(epoll, -1));
  }

  // --- what is told ---

  void say_end(const Asked& asked, RestEnd end) {
    words.push_back(Word{asked.id, [request = asked.request, end = std::move(end)] { request->end(end); }});
  }

  void say_lines(Connection& connection) {
    while (auto line = connection.reader->next_line()) {
      words.push_back(Word{connection.asked->id, [request = connection.asked->request, head = connection.reader->head(),
                                                  text = std::move(*line)] { request->line(head, text); }});
    }
  }

  bool tell() {
    const bool any = !words.empty();
    while (!words.empty()) {
      const Word word = std::move(words.front());
      words.pop_front();
      word.tell();
    }
    return any;
  }

  // --- connections ---

  [[nodiscard]] std::size_t busy(bool waits) const {
    const auto counts = [waits](const auto& one) {
      return one.second->asked && one.second->asked->request->waits == waits;
    };
    return static_cast<std::size_t>(std::count_if(connections.begin(), connections.end(), counts));
  }

  /// Gives queued requests to connections, first to idle ones.
  void start() {
    for (const bool waits : {false, true}) {
      std::deque<Asked>& line = queue[waits ? 1 : 0];
      for (std::size_t taken = busy(waits); !line.empty() && taken < (waits ? max_waiting_long : max_quick);
           taken = busy(waits)) {
        const std::uint64_t id = idle.empty() ? connect() : idle.back();
        if (!idle.empty()) idle.pop_back();
        connections.at(id)->asked = std::move(line.front());
        line.pop_front();
        step(id);
      }
    }
  }

  std::uint64_t connect() {
    const MonoNs until{clock.mono().value + connect_patience_ns};
    connections[++last_id] = std::make_unique<Connection>(peer, until);
    return last_id;
  }

  /// Moves what one connection can move, until its request ends.
  void step(std::uint64_t id) {
    const auto found = connections.find(id);
    if (found == connections.end()) return;  // closed since its event was seen
    Connection& connection = *found->second;
    std::string plain;
    bool alive = connection.socket.move(plain);
    if (!connection.reader && !plain.empty()) return fail(id, "the node answers what nobody asked");
    if (alive && connection.asked && !connection.reader && connection.socket.established()) {
      write(connection);
      alive = connection.socket.move(plain);
    }
    if (connection.reader && take(id, connection, plain, alive)) return;
    if (!alive) return fail(id, connection.socket.why());
    if (!watch(id, connection)) fail(id, "no descriptor can be waited for");
  }

  void write(Connection& connection) {
    const RestRequest& request = *connection.asked->request;
    std::string text = request_text(request, host_header);
    connection.socket.write(text);
    wipe(text);
    connection.reader.emplace(request.line ? AnswerReader::Form::lines : AnswerReader::Form::whole, request.max_bytes);
  }

  /// True if the request has ended.
  bool take(std::uint64_t id, Connection& connection, const std::string& plain, bool alive) {
    AnswerReader& reader = *connection.reader;
    auto state = reader.feed(plain);
    if (state == AnswerReader::State::reading && !alive) state = reader.end(connection.socket.ended_orderly());
    say_lines(connection);
    if (state == AnswerReader::State::reading) return false;
    if (state == AnswerReader::State::refused) {
      // A connection that has ended says why.
      fail(id, alive ? fmt::format("the node's answer cannot be used: {}", reader.why()) : connection.socket.why());
      return true;
    }
    const bool whole = !connection.asked->request->line;
    say_end(*connection.asked, RestEnd{RestEnd::Kind::answered, reader.head(), whole ? reader.take_body() : "", ""});
    keep(id, connection, alive && reader.reusable() && connection.socket.all_written());
    return true;
  }

  /// The request has its answer. May the connection get another request?
  void keep(std::uint64_t id, Connection& connection, bool reusable) {
    connection.asked.reset();
    connection.reader.reset();
    connection.kept = true;
    if (!reusable || idle.size() >= max_idle || !watch(id, connection)) return close(id);
    idle.push_back(id);
  }

  void close(std::uint64_t id) {
    idle.erase(std::remove(idle.begin(), idle.end(), id), idle.end());
    connections.erase(id);
  }

  /// The connection cannot be used any more.
  void fail(std::uint64_t id, const std::string& why) {
    Connection& connection = *connections.at(id);
    if (connection.asked) {
      // A kept connection may be closed at any time. Nothing of the request was executed, so this is not a second copy.
      if (connection.kept && !connection.reader)
        queue[connection.asked->request->waits ? 1 : 0].push_front(*connection.asked);
      else
        say_failure(connection, why);
    }
    close(id);
  }

  void say_failure(const Connection& connection, const std::string& why) {
    const bool lost = connection.reader && connection.socket.last_byte_may_be_out();
    say_end(*connection.asked, RestEnd{lost ? RestEnd::Kind::lost : RestEnd::Kind::not_written,
                                       connection.reader ? connection.reader->head() : RestHead{}, "", why});
  }

  bool watch(std::uint64_t id, const Connection& connection) const {
    epoll_event event{};
    event.events = EPOLLIN | (connection.socket.wants_to_write() ? EPOLLOUT : 0U);
    event.data.u64 = id;
    const int file = connection.socket.descriptor();
    if (::epoll_ctl(epoll, EPOLL_CTL_MOD, file, &event) == 0) return true;
    return errno == ENOENT && ::epoll_ctl(epoll, EPOLL_CTL_ADD, file, &event) == 0;
  }

  /// One event for each connection that has any.
  bool step_ready() {
    std::array<epoll_event, events_at_once> events;
    const int count = ::epoll_wait(epoll, events.data(), events_at_once, 0);
    for (int i = 0; i < count; ++i) {
      step(events[static_cast<std::size_t>(i)].data.u64);
      tell();
    }
    return count > 0;
  }

  // --- time ---

  /// When this connection is given up. We wait for nothing from an idle one.
  static std::optional<MonoNs> give_up_at(const Connection& connection) {
    if (!connection.asked) return std::nullopt;
    const MonoNs answer_by = connection.asked->request->answer_by;
    return connection.socket.established() ? answer_by : std::min(answer_by, connection.connect_by);
  }

  void give_up() {
    const MonoNs now = clock.mono();
    std::vector<std::uint64_t> late;
    for (const auto& [id, connection] : connections)
      if (const auto until = give_up_at(*connection); until && *until <= now) late.push_back(id);
    for (const std::uint64_t id : late) {
      say_failure(*connections.at(id), "the node does not answer");
      close(id);
    }
    for (auto& line : queue) {
      const auto begin = std::stable_partition(line.begin(), line.end(),
                                               [now](const Asked& one) { return now < one.request->answer_by; });
      for (auto one = begin; one != line.end(); ++one) say_unwritten(*one, "no connection was free in time");
      line.erase(begin, line.end());
    }
  }

  void say_unwritten(const Asked& asked, const std::string& why) {
    say_end(asked, RestEnd{RestEnd::Kind::not_written, {}, "", why});
  }

  Clock& clock;
  TlsPeer peer;
  std::string host_header;
  int epoll = -1;
  std::uint64_t last_id = 0;  ///< the last number given to a request or a connection
  std::map<std::uint64_t, std::unique_ptr<Connection>> connections;
  std::vector<std::uint64_t> idle;
  std::array<std::deque<Asked>, 2> queue;  ///< quick ones, and those that may wait long
  std::deque<Word> words;
};

RestClient::RestClient(std::string host, std::uint16_t port, std::string certificate_file, Clock& clock)
    : pool_(std::make_unique<Pool>(std::move(host), port, std::move(certificate_file), clock)) {}
RestClient::~RestClient() = default;

Result<std::monostate> RestClient::open() {
  lose();
  auto found = tls_peer(pool_->peer.host, pool_->peer.port, pool_->peer.certificate_file);
  if (!found) return found.error();
  pool_->peer = std::move(*found);
  pool_->epoll = ::epoll_create1(EPOLL_CLOEXEC);
  if (pool_->epoll < 0)
    return Error{Errc::switch_unavailable, fmt::format("cannot wait for connections: {}", std::strerror(errno)), {}};
  return std::monostate{};
}

bool RestClient::is_open() const { return pool_->epoll >= 0; }
int RestClient::descriptor() const { return pool_->epoll; }

std::uint64_t RestClient::ask(RestRequest request) {
  require(is_open(), "the client is open");
  require(!request.method.empty() && is_plain(request.method) && !request.target.empty() && is_plain(request.target) &&
              is_plain(request.secret_name),
          "a request's head has no blanks");
  require(request.body.size() + request.target.size() <= max_request_bytes && request.end,
          "a request is bounded and told of");
  const std::size_t line = request.waits ? 1 : 0;
  pool_->queue[line].push_back(Pool::Asked{++pool_->last_id, std::make_shared<const RestRequest>(std::move(request))});
  return pool_->last_id;
}

void RestClient::drop(std::uint64_t request) {
  const auto is_it = [request](const auto& one) { return one.id == request; };
  std::erase_if(pool_->words, is_it);
  for (auto& line : pool_->queue) std::erase_if(line, is_it);
  const auto open = std::find_if(pool_->connections.begin(), pool_->connections.end(), [&](const auto& one) {
    return one.second->asked && one.second->asked->id == request;
  });
  if (open != pool_->connections.end()) pool_->close(open->first);
}

bool RestClient::pump() {
  pool_->start();
  bool moved = pool_->tell();
  for (int round = 0; round < rounds_a_pump && pool_->step_ready(); ++round) {
    moved = true;
    pool_->start();  // what the answers led to
    pool_->tell();
  }
  pool_->give_up();
  return pool_->tell() || moved;
}

void RestClient::lose() {
  for (const auto& [id, connection] : pool_->connections)
    if (connection->asked) pool_->say_failure(*connection, "the connection was given up");
  for (auto& line : pool_->queue) {
    for (const Pool::Asked& one : line) pool_->say_unwritten(one, "the connection was given up");
    line.clear();
  }
  pool_->shut();
  pool_->tell();
}

std::optional<MonoNs> RestClient::deadline() const {
  std::optional<MonoNs> first;
  const auto note = [&first](MonoNs at) { first = first ? std::min(*first, at) : at; };
  for (const auto& [id, connection] : pool_->connections)
    if (const auto until = Pool::give_up_at(*connection)) note(*until);
  for (const auto& line : pool_->queue)
    for (const Pool::Asked& one : line) note(one.request->answer_by);
  return first;
}

}  // namespace paytower
