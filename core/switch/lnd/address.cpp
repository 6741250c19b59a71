// Finds lnd's address, certificate and macaroon, from a HOST:PORT or from lnd's folder.
#include "core/switch/lnd/address.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/core.h>

namespace paytower::lnd {

namespace {

constexpr std::uint16_t rest_port = 8080;  // if lnd.conf names no port
constexpr std::size_t max_host_chars = 253;
constexpr const char* any_ipv4 = "0.0.0.0";
constexpr const char* own_ipv4 = "127.0.0.1";
constexpr const char* own_ipv6 = "::1";

// --- text ---

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blank = " \t\r\v\f";
  const std::size_t first = text.find_first_not_of(blank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blank) - first + 1);
}

bool same_name(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [lower](char one, char other) { return lower(one) == lower(other); });
}

std::optional<std::uint16_t> read_port(std::string_view digits) {
  std::uint16_t port = 0;
  const char* const end = digits.data() + digits.size();
  const auto [stop, trouble] = std::from_chars(digits.data(), end, port);
  if (trouble != std::errc{} || stop != end || port == 0) return std::nullopt;
  return port;
}

bool is_ipv6(const std::string& text) {
  in6_addr address{};
  return text.size() <= max_host_chars && ::inet_pton(AF_INET6, text.c_str(), &address) == 1;
}

/// Only characters that may be in the Host line of a request.
bool is_host(std::string_view text) {
  constexpr std::string_view chars = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
  return !text.empty() && text.size() <= max_host_chars && text.find_first_not_of(chars) == std::string_view::npos;
}

bool all_digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

/// A host as it is written before a port: IPv6 in brackets, everything else without.
std::optional<std::string> read_host(std::string_view text) {
  const bool brackets = text.size() > 2 && text.front() == '[' && text.back() == ']';
  std::string host(brackets ? text.substr(1, text.size() - 2) : text);
  if (brackets ? is_ipv6(host) : is_host(host)) return host;
  return std::nullopt;
}

/// "tcp://x" and "tcp:x" become x. Nothing for a listener that is not a TCP port.
std::optional<std::string_view> without_network(std::string_view listener) {
  for (const std::string_view network : {"tcp", "tcp4", "tcp6"}) {
    if (listener.substr(0, listener.find(':')) != network || listener.size() == network.size()) continue;
    listener.remove_prefix(network.size() + 1);
    if (listener.substr(0, 2) == "//") listener.remove_prefix(2);
    return listener;
  }
  const bool other = listener.find("//") != std::string_view::npos || listener.substr(0, 4) == "unix";
  return other ? std::nullopt : std::optional(listener);
}

/// The host that a client connects to when a server listens on `host`.
std::string reachable(std::string host) {
  if (host.empty() || host == "::") return own_ipv6;
  return host == any_ipv4 ? own_ipv4 : host;
}

/// Like Go's strconv.Unquote, but without escapes: neither a path nor a listener needs them.
std::string_view unquoted(std::string_view value) {
  const bool quotes = value.size() >= 2 && value.front() == '"' && value.back() == '"';
  return quotes ? value.substr(1, value.size() - 2) : value;
}

// --- files ---

Error refusal(std::string message) { return Error{Errc::usage, std::move(message), "paytower config"}; }

std::string trouble_words(int error) { return std::generic_category().message(error); }

/// Why this file cannot be used, found out without opening it.
std::optional<std::string> objection_to(const std::string& path) {
  struct stat seen {};
  if (::stat(path.c_str(), &seen) != 0) return trouble_words(errno);
  if (!S_ISREG(seen.st_mode)) return "it is no file";
  if (::faccessat(AT_FDCWD, path.c_str(), R_OK, AT_EACCESS) != 0) return trouble_words(errno);
  return std::nullopt;
}

/// "It does not exist" and "we cannot reach it" are different: the operator has to see the latter.
bool is_missing(const std::string& path) {
  struct stat seen {};
  return ::stat(path.c_str(), &seen) != 0 && errno == ENOENT;
}

class Descriptor {
 public:
  explicit Descriptor(const std::string& path)
      : number_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int number() const { return number_; }

 private:
  int number_;
};

/// A regular file that is not too long. A pipe cannot make us wait.
Result<std::string> read_bounded(const std::string& path) {
  const Descriptor file(path);
  struct stat seen {};
  if (file.number() < 0 || ::fstat(file.number(), &seen) != 0)
    return refusal(fmt::format("cannot read {}: {}", path, trouble_words(errno)));
  if (!S_ISREG(seen.st_mode)) return refusal(fmt::format("cannot read {}: it is not a file", path));
  std::string text(max_conf_bytes + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = ::read(file.number(), text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return refusal(fmt::format("cannot read {}: {}", path, trouble_words(errno)));
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  if (size > max_conf_bytes) return refusal(fmt::format("{} is larger than {} bytes", path, max_conf_bytes));
  text.resize(size);
  return text;
}

/// The folders of networks inside lnd's folder. At most two: more would tell nothing more.
Result<std::vector<std::string>> networks_in(const std::string& folder) {
  std::error_code trouble;
  std::filesystem::directory_iterator entry(folder, trouble);
  std::vector<std::string> found;
  std::size_t seen = 0;
  while (!trouble && entry != std::filesystem::directory_iterator() && found.size() < 2) {
    if (++seen > max_network_entries)
      return refusal(fmt::format("{} holds too many entries; name lnd's macaroon with --macaroon", folder));
    std::error_code unknown;
    if (entry->is_directory(unknown)) found.push_back(entry->path().string());
    entry.increment(trouble);
  }
  if (trouble)
    return refusal(fmt::format("cannot read {}: {}; name lnd's macaroon with --macaroon", folder, trouble.message()));
  return found;
}

// --- one folder ---

/// Asks lnd's folder one thing after the other.
class Folder {
 public:
  Folder(std::string path, const LndFiles& files) : path_(std::move(path)), files_(files) {
    while (path_.size() > 1 && path_.back() == '/') path_.pop_back();
  }

  [[nodiscard]] Result<LndAddress> find() const {
    const auto conf = read_conf();
    if (!conf) return conf.error();
    const auto port = listening(*conf);
    if (!port) return port.error();
    const auto certificate = certificate_file(*conf);
    if (!certificate) return certificate.error();
    const auto macaroon = macaroon_file();
    if (!macaroon) return macaroon.error();
    return LndAddress{port->host, port->port, *certificate, *macaroon};
  }

 private:
  [[nodiscard]] std::string conf_line(const ConfLine& line) const {
    return fmt::format("{}/lnd.conf, line {}: ", path_, line.line);
  }

  [[nodiscard]] Result<LndConf> read_conf() const {
    const std::string path = fmt::format("{}/lnd.conf", path_);
    if (is_missing(path)) return LndConf{};
    const auto text = read_bounded(path);
    if (!text) return text.error();
    return read_lnd_conf(*text);
  }

  [[nodiscard]] Result<HostPort> listening(const LndConf& conf) const {
    if (!conf.listener) return HostPort{own_ipv4, rest_port};
    if (auto port = reach_listener(conf.listener->value)) return *std::move(port);
    return refusal(fmt::format(
        "{}this restlisten is not a TCP port that can be reached; write lnd:HOST:PORT with --tls-cert and --macaroon",
        conf_line(*conf.listener)));
  }

  [[nodiscard]] Result<std::string> certificate_file(const LndConf& conf) const {
    if (files_.certificate_file) return *files_.certificate_file;
    if (!conf.certificate) return fmt::format("{}/tls.cert", path_);
    const std::string& named = conf.certificate->value;
    if (named.find('$') == std::string::npos) {
      if (named.substr(0, 1) == "/") return named;
      if (named.substr(0, 2) == "~/" && !files_.home.empty()) return files_.home + named.substr(1);
    }
    return refusal(
        fmt::format("{}where this tlscertpath is depends on how lnd was started; name the file with --tls-cert",
                    conf_line(*conf.certificate)));
  }

  [[nodiscard]] Result<std::string> macaroon_file() const {
    if (files_.macaroon_file) return *files_.macaroon_file;
    const std::string chain = fmt::format("{}/data/chain/bitcoin", path_);
    const auto networks = networks_in(chain);
    if (!networks) return networks.error();
    if (networks->size() != 1) {
      return refusal(fmt::format("{}{}; name lnd's macaroon with --macaroon", chain,
                                 networks->empty() ? " holds no network" : " holds several networks"));
    }
    const std::string own = fmt::format("{}/paytower.macaroon", networks->front());
    return is_missing(own) ? fmt::format("{}/admin.macaroon", networks->front()) : own;
  }

  std::string path_;
  const LndFiles& files_;
};

/// What the system says about a path that is not a folder; 0 if it is one.
int trouble_with_folder(const std::string& path) {
  struct stat seen {};
  if (::stat(path.c_str(), &seen) != 0) return errno;
  return S_ISDIR(seen.st_mode) ? 0 : ENOTDIR;
}

Result<LndAddress> in_folder(const std::string& place, const LndFiles& files) {
  if (const int trouble = trouble_with_folder(place); trouble != 0) return refusal(trouble_words(trouble));
  return Folder(place, files).find();
}

Result<LndAddress> at_port(const HostPort& port, const LndFiles& files) {
  if (files.certificate_file && files.macaroon_file)
    return LndAddress{port.host, port.port, *files.certificate_file, *files.macaroon_file};
  const char* missing = files.certificate_file ? "its macaroon with --macaroon"
                        : files.macaroon_file  ? "its certificate with --tls-cert"
                                               : "its certificate with --tls-cert and its macaroon with --macaroon";
  return refusal(fmt::format("name {}, or lnd's folder in place of the port", missing));
}

Result<LndAddress> with_readable_files(LndAddress address) {
  if (const auto why = objection_to(address.certificate_file)) {
    return refusal(fmt::format("cannot read lnd's certificate {}: {}; name another with --tls-cert",
                               address.certificate_file, *why));
  }
  if (const auto why = objection_to(address.macaroon_file))
    return refusal(
        fmt::format("cannot read lnd's macaroon {}: {}; name another with --macaroon", address.macaroon_file, *why));
  return address;
}

}  // namespace

std::optional<HostPort> read_host_port(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  auto host = read_host(text.substr(0, colon));
  const auto port = read_port(text.substr(colon + 1));
  if (!host || !port) return std::nullopt;
  return HostPort{*std::move(host), *port};
}

std::optional<HostPort> reach_listener(std::string_view listener) {
  const auto text = without_network(listener);
  if (!text) return std::nullopt;
  if (auto whole = read_host_port(*text)) return HostPort{reachable(std::move(whole->host)), whole->port};
  if (text->empty() || *text == ":") return HostPort{own_ipv6, rest_port};
  if (all_digits(*text)) {
    const auto port = read_port(*text);
    return port ? std::optional(HostPort{own_ipv4, *port}) : std::nullopt;
  }
  if (text->front() == ':') {
    if (const auto port = read_port(text->substr(1))) return HostPort{own_ipv6, *port};
  }
  if (is_ipv6(std::string(*text))) return HostPort{reachable(std::string(*text)), rest_port};
  auto host = read_host(*text);
  return host ? std::optional(HostPort{reachable(*std::move(host)), rest_port}) : std::nullopt;
}

LndConf read_lnd_conf(std::string_view text) {
  LndConf conf;
  std::size_t number = 0;
  while (!text.empty()) {
    ++number;
    const std::size_t end = text.find('\n');
    const std::string_view line = trimmed(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    const std::size_t equals = line.find('=');
    if (line.empty() || line.front() == ';' || line.front() == '#' || equals == std::string_view::npos) continue;
    const std::string_view name = trimmed(line.substr(0, equals));
    const ConfLine value{std::string(unquoted(trimmed(line.substr(equals + 1)))), number};
    if (same_name(name, "restlisten") && !conf.listener) conf.listener = value;
    if (same_name(name, "tlscertpath")) conf.certificate = value;
  }
  return conf;
}

Result<LndAddress> find_lnd(const std::string& place, const LndFiles& files) {
  const bool slash = place.find('/') != std::string::npos;
  const auto port = slash ? std::nullopt : read_host_port(place);
  auto found = port ? at_port(*port, files) : in_folder(place, files);
  if (found) found = with_readable_files(*std::move(found));
  if (found) return found;
  const char* const understood =
      port    ? "HOST:PORT"
      : slash ? "lnd's folder, as it has a /"
              : "lnd's folder, as it is not HOST:PORT (IPv6 in brackets, and a port from 1 to 65535)";
  return refusal(fmt::format("lnd:{} is read as {}: {}", place, understood, found.error().message));
}

}  // namespace paytower::lnd
