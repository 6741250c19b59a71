// Goal: every way to name an lnd leads to its port and its files, or is refused with the next step. Method: every form
// of the text as a row, and real folders laid out as lnd lays out its own. What listeners mean was tried with lnd
// 0.21.2.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <string>

#include <sys/stat.h>
#include <unistd.h>

#include "core/switch/lnd/address.h"

using namespace paytower;
using namespace paytower::lnd;
namespace fs = std::filesystem;

namespace {

std::string shown(const std::optional<HostPort>& port) {
  return port ? port->host + " " + std::to_string(port->port) : "none";
}

/// A folder as lnd leaves it, gone at the end.
struct LndFolder {
  LndFolder() {
    std::string name = (fs::temp_directory_path() / "lnd_address_XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name;
    write("tls.cert");
    write("data/chain/bitcoin/regtest/admin.macaroon");
  }
  ~LndFolder() { fs::remove_all(path); }
  LndFolder(const LndFolder&) = delete;
  LndFolder& operator=(const LndFolder&) = delete;

  void write(const std::string& name, const std::string& text = "x") const {
    fs::create_directories(fs::path(path + "/" + name).parent_path());
    std::ofstream(path + "/" + name) << text;
  }
  [[nodiscard]] Result<LndAddress> find(const LndFiles& files = {}) const { return find_lnd(path, files); }
  [[nodiscard]] LndAddress found(const LndFiles& files = {}) const {
    const auto address = find(files);
    if (address) return *address;
    FAIL(address.error().message);
    return {};
  }
  /// The refusal's message; empty when there is none.
  [[nodiscard]] std::string refusal(const LndFiles& files = {}) const {
    const auto address = find(files);
    if (address) return "";
    CHECK(address.error().code == Errc::usage);
    CHECK(address.error().hint == "paytower config");
    return address.error().message;
  }

  std::string path;
};

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a host and a port") {
  CHECK(shown(read_host_port("127.0.0.1:8080")) == "127.0.0.1 8080");
  CHECK(shown(read_host_port("node-1.example_x.org:1")) == "node-1.example_x.org 1");
  CHECK(shown(read_host_port("[::1]:65535")) == "::1 65535");
  CHECK(shown(read_host_port("[fd00::12:3]:443")) == "fd00::12:3 443");
  CHECK(shown(read_host_port(std::string(253, 'h') + ":1")) == std::string(253, 'h') + " 1");
  for (const char* bad : {"",
                          ":",
                          "host",
                          "host:",
                          ":8080",
                          "host:0",
                          "host:65536",
                          "host:99999999999999999999",
                          "host:+1",
                          "host:-1",
                          "host: 1",
                          "host:1 ",
                          "host:0x10",
                          "::1:8080",
                          "[::1]",
                          "[::1]:",
                          "[]:1",
                          "[host]:1",
                          "[::g]:1",
                          "[::1:1",
                          "::1]:1",
                          "[fe80::1%eth0]:1",
                          "ho st:1",
                          "host\r\nX: y:1",
                          "user@host:1",
                          "host/x:1",
                          "h\xc3\xb6st:1"})
    CHECK_MESSAGE(shown(read_host_port(bad)) == "none", bad);
  CHECK_FALSE(read_host_port(std::string(254, 'h') + ":1"));
  CHECK_FALSE(read_host_port(std::string("ho\0st:1", 7)));
}

TEST_CASE("what lnd listens at, as its own machine reaches it") {
  CHECK(shown(reach_listener("localhost:8081")) == "localhost 8081");
  CHECK(shown(reach_listener("192.168.1.2:80")) == "192.168.1.2 80");
  CHECK(shown(reach_listener("0.0.0.0:8082")) == "127.0.0.1 8082");
  CHECK(shown(reach_listener("8083")) == "127.0.0.1 8083");
  // lnd listens on ::1 there, and refuses 127.0.0.1.
  CHECK(shown(reach_listener("[::]:8084")) == "::1 8084");
  CHECK(shown(reach_listener(":8085")) == "::1 8085");
  CHECK(shown(reach_listener("[::1]:8086")) == "::1 8086");
  CHECK(shown(reach_listener("tcp://10.0.0.1:8087")) == "10.0.0.1 8087");
  CHECK(shown(reach_listener("tcp4:0.0.0.0:8088")) == "127.0.0.1 8088");
  CHECK(shown(reach_listener("tcp6://[::]:8089")) == "::1 8089");
  CHECK(shown(reach_listener("0.0.0.0")) == "127.0.0.1 8080");
  CHECK(shown(reach_listener("node")) == "node 8080");
  for (const char* ipv6 : {"::", "[::]", "::1", "[::1]", "", ":"})
    CHECK_MESSAGE(shown(reach_listener(ipv6)) == "::1 8080", ipv6);
  for (const char* bad : {"unix:///run/lnd.sock", "unixpacket:/run/lnd.sock", "udp://1.2.3.4:5", "host:0", "host:x",
                          "0", "99999", "ho st:1", ":99999", "[::]:0", "http://host:8080"})
    CHECK_MESSAGE(shown(reach_listener(bad)) == "none", bad);
}

TEST_CASE("lnd.conf: the first restlisten and the last tlscertpath, whatever stands around them") {
  const LndConf conf = read_lnd_conf(
      "; restlisten=1.1.1.1:1\n# restlisten=2.2.2.2:2\n\r\n[Application Options]\r\n"
      "  RESTListen =  3.3.3.3:3 \r\nrestlisten=4.4.4.4:4\nremotesigner.tlscertpath=/not/this\ntlscertpath=/a b/c\n"
      "tlscertpath=\"/quoted = path\"\nrpclisten=5.5.5.5:5\nnonsense\n=x\n[Bitcoin]\nbitcoin.active=1");
  REQUIRE(conf.listener);
  CHECK(conf.listener->value == "3.3.3.3:3");
  CHECK(conf.listener->line == 5);
  REQUIRE(conf.certificate);
  CHECK(conf.certificate->value == "/quoted = path");
  CHECK(conf.certificate->line == 9);
  CHECK_FALSE(read_lnd_conf("").listener);
  CHECK_FALSE(read_lnd_conf("restlistenx=1:1\nxrestlisten=1:1\nrestlisten").listener);
  CHECK(read_lnd_conf("restlisten=").listener->value.empty());
}

TEST_CASE("lnd.conf of any bytes is read to its end") {
  std::mt19937 random(7);
  const std::string alphabet = std::string("restlisten=tlscertpath=\n\"[];# :\r\xff") + '\0';
  for (int round = 0; round < 2'000; ++round) {
    std::string text = round % 2 == 0 ? "restlisten=" : "";
    for (std::size_t i = random() % 60; i > 0; --i) text += alphabet[random() % alphabet.size()];
    const LndConf conf = read_lnd_conf(text);
    if (!conf.listener) continue;
    CHECK(conf.listener->line >= 1);
    CHECK(conf.listener->line <= text.size());
    const auto port = reach_listener(conf.listener->value);
    CHECK((!port || (port->port != 0 && !port->host.empty())));
  }
}

TEST_CASE("a folder alone says all") {
  const LndFolder lnd;
  const std::string network = lnd.path + "/data/chain/bitcoin/regtest";
  const LndAddress plain = lnd.found();
  CHECK(plain.host == "127.0.0.1");
  CHECK(plain.port == 8080);
  CHECK(plain.certificate_file == lnd.path + "/tls.cert");
  CHECK(plain.macaroon_file == network + "/admin.macaroon");
  CHECK(find_lnd(lnd.path + "//", {})->certificate_file == lnd.path + "/tls.cert");
  lnd.write("data/chain/bitcoin/a file");
  lnd.write("data/chain/bitcoin/regtest/paytower.macaroon");
  lnd.write("lnd.conf", "restlisten=[::]:9000\ntlscertpath=" + lnd.path + "/moved/tls.cert\n");
  lnd.write("moved/tls.cert");
  const LndAddress told = lnd.found();
  CHECK(told.host == "::1");
  CHECK(told.port == 9000);
  CHECK(told.certificate_file == lnd.path + "/moved/tls.cert");
  CHECK(told.macaroon_file == network + "/paytower.macaroon");
}

TEST_CASE("a folder's name without a slash, and one that looks like a port") {
  const LndFolder lnd;
  const fs::path before = fs::current_path();
  fs::current_path(lnd.path);
  fs::create_directory_symlink(lnd.path, "node");
  const auto relative = find_lnd("node", {});
  const auto port = find_lnd("tls.cert:1", {});
  fs::current_path(before);
  REQUIRE(relative);
  CHECK(relative->certificate_file == "node/tls.cert");
  REQUIRE_FALSE(port);
  CHECK(has(port.error().message,
            "lnd:tls.cert:1 is read as HOST:PORT: name its certificate with --tls-cert and its "
            "macaroon with --macaroon"));
}

TEST_CASE("what is named beside the place wins") {
  const LndFolder lnd;
  lnd.write("other.cert");
  lnd.write("other.macaroon");
  lnd.write("data/chain/bitcoin/testnet/admin.macaroon");
  lnd.write("lnd.conf", "tlscertpath=relative/tls.cert\nrestlisten=7000");
  const LndFiles both{lnd.path + "/other.cert", lnd.path + "/other.macaroon", ""};
  const LndAddress address = lnd.found(both);
  CHECK(address.certificate_file == *both.certificate_file);
  CHECK(address.macaroon_file == *both.macaroon_file);
  CHECK(address.port == 7000);
  const auto port = find_lnd("[::1]:8080", both);
  REQUIRE(port);
  CHECK(port->host == "::1");
  CHECK(port->port == 8080);
  CHECK(port->certificate_file == *both.certificate_file);
  CHECK(port->macaroon_file == *both.macaroon_file);
}

TEST_CASE("a port without its files says which are missing") {
  const auto message = [](const LndFiles& files) { return find_lnd("h:1", files).error().message; };
  CHECK(message({}) ==
        "lnd:h:1 is read as HOST:PORT: name its certificate with --tls-cert and its macaroon with "
        "--macaroon, or lnd's folder in place of the port");
  CHECK(has(message({"/x", {}, ""}), ": name its macaroon with --macaroon, or"));
  CHECK(has(message({{}, "/x", ""}), ": name its certificate with --tls-cert, or"));
  CHECK(has(message({"/nonexistent", "/nonexistent", ""}), "cannot read lnd's certificate /nonexistent: No such file"));
}

TEST_CASE("a folder that is none says how the place was read") {
  CHECK(find_lnd("/nonexistent", {}).error().message ==
        "lnd:/nonexistent is read as lnd's folder, as it has a /: No such file or directory");
  for (const char* text : {"localhost", "::1:8080", "host:0", "nonexistent"}) {
    const std::string message = find_lnd(text, {}).error().message;
    CHECK_MESSAGE(has(message, "lnd:" + std::string(text) +
                                   " is read as lnd's folder, as it is not HOST:PORT (IPv6 in "
                                   "brackets, and a port from 1 to 65535): No such file"),
                  text);
  }
  const LndFolder lnd;
  CHECK(has(find_lnd(lnd.path + "/tls.cert", {}).error().message, "as it has a /: Not a directory"));
}

TEST_CASE("networks: the one there is, else the operator names the macaroon") {
  const LndFolder lnd;
  lnd.write("data/chain/bitcoin/mainnet/admin.macaroon");
  CHECK(has(lnd.refusal(), "/data/chain/bitcoin holds several networks; name lnd's macaroon with --macaroon"));
  CHECK(lnd.refusal({{}, lnd.path + "/tls.cert", ""}).empty());
  fs::remove_all(lnd.path + "/data/chain/bitcoin/mainnet");
  CHECK(lnd.refusal().empty());
  fs::remove(lnd.path + "/data/chain/bitcoin/regtest/admin.macaroon");
  CHECK(has(lnd.refusal(),
            "cannot read lnd's macaroon " + lnd.path + "/data/chain/bitcoin/regtest/admin.macaroon: No such"));
  fs::remove_all(lnd.path + "/data/chain/bitcoin/regtest");
  CHECK(has(lnd.refusal(), "/data/chain/bitcoin holds no network; name"));
  for (std::size_t i = 0; i <= max_network_entries; ++i) lnd.write("data/chain/bitcoin/" + std::to_string(i));
  CHECK(has(lnd.refusal(), "holds too many entries"));
  fs::remove_all(lnd.path + "/data");
  CHECK(has(lnd.refusal(), "cannot read " + lnd.path + "/data/chain/bitcoin: No such file or directory; name lnd's"));
}

TEST_CASE("a certificate's path that depends on how lnd was started") {
  const LndFolder lnd;
  lnd.write("lnd.conf", "\ntlscertpath=~/tls.cert\n");
  CHECK(lnd.found({{}, {}, lnd.path}).certificate_file == lnd.path + "/tls.cert");
  const std::string refused =
      ", line 2: where this tlscertpath is depends on how lnd was started; name the file with "
      "--tls-cert";
  CHECK(has(lnd.refusal(), lnd.path + "/lnd.conf" + refused));
  for (const char* path : {"tls.cert", "~root/tls.cert", "$HOME/tls.cert", "/x/$Y/tls.cert", ""}) {
    lnd.write("lnd.conf", std::string("\ntlscertpath=") + path + "\n");
    CHECK_MESSAGE(has(lnd.refusal({{}, {}, lnd.path}), refused), path);
  }
}

TEST_CASE("an lnd.conf that cannot be used") {
  const LndFolder lnd;
  lnd.write("lnd.conf", "x=y\nrestlisten=unix:///run/lnd.sock\n");
  CHECK(has(lnd.refusal(),
            "/lnd.conf, line 2: this restlisten is not a TCP port that can be reached; write lnd:HOST:PORT"));
  lnd.write("lnd.conf", std::string(max_conf_bytes, '\n'));
  CHECK(lnd.refusal().empty());
  lnd.write("lnd.conf", std::string(max_conf_bytes + 1, '\n'));
  CHECK(has(lnd.refusal(), "/lnd.conf is larger than 1048576 bytes"));
  fs::remove(lnd.path + "/lnd.conf");
  REQUIRE(::mkfifo((lnd.path + "/lnd.conf").c_str(), 0600) == 0);
  CHECK(has(lnd.refusal(), "/lnd.conf: it is not a file"));
  fs::remove(lnd.path + "/lnd.conf");
  fs::create_directory(lnd.path + "/lnd.conf");
  CHECK(has(lnd.refusal(), "/lnd.conf: it is not a file"));
}

TEST_CASE("the files that are named must be there and readable") {
  const LndFolder lnd;
  fs::create_directory(lnd.path + "/folder");
  CHECK(has(lnd.refusal({lnd.path + "/folder", {}, ""}), "/folder: it is no file; name another with --tls-cert"));
  CHECK(
      has(lnd.refusal({{}, lnd.path + "/none", ""}), "/none: No such file or directory; name another with --macaroon"));
  fs::permissions(lnd.path + "/data/chain/bitcoin/regtest/admin.macaroon", fs::perms::none);
  if (::geteuid() == 0) return;  // root reads all
  CHECK(has(lnd.refusal(), "admin.macaroon: Permission denied; name another with --macaroon"));
}
