// Goal: whoever types a word of lncli or lightning-cli is told paytower's, and nothing is done. Method: each row of the
// table is typed, and the call of its hint is read.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "cli/arguments/foreign.h"
#include "cli/commands/commands.h"

using namespace paytower;
using namespace paytower::cli;

namespace {

const std::string some_hash(64, 'a');

Surroundings bare() {
  Surroundings outside;
  outside.environment = [](const char* name) {
    return std::string(name) == "HOME" ? std::optional<std::string>("/home/u") : std::nullopt;
  };
  outside.config_file = [](const std::string& /*path*/) { return Result<std::optional<std::string>>(std::nullopt); };
  outside.now = UnixNs{1'764'000'000 * ns_per_second};
  return outside;
}

Result<Call> read(const std::vector<std::string>& arguments) { return read_call(arguments, commands(), bare()); }

Error refusal_to(const std::vector<std::string>& arguments) {
  const auto call = read(arguments);
  REQUIRE_FALSE(call);
  CHECK(call.error().code == Errc::usage);
  return call.error();
}

/// A hint as a person types it: with something for each word in capitals.
std::vector<std::string> typed(const std::string& hint) {
  static const std::map<std::string, std::string> stands_for{{"INVOICE", "lnbc1"},
                                                             {"HASH", some_hash},
                                                             {"FILE", "x"},
                                                             {"CHANNEL_DB", "channel.db"},
                                                             {"PUBKEY", "02" + std::string(64, 'b')},
                                                             {"H", some_hash},
                                                             {"S", some_hash},
                                                             {"A", "1sat"}};
  std::istringstream stream(hint);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) {
    const auto found = stands_for.find(word);
    words.push_back(found == stands_for.end() ? word : found->second);
  }
  REQUIRE(words.size() > 1);
  CHECK(words.front() == "paytower");
  words.erase(words.begin());
  return words;
}

/// What a person types who knows the other program.
std::vector<std::string> call_of(const ForeignWord& row) {
  if (row.where.substr(0, 2) == "--") return {"list", std::string(row.where), std::string(row.word)};
  if (row.word.front() != '-') return {std::string(row.word)};
  std::vector<std::string> call{row.where.empty() ? "resume" : std::string(row.where), std::string(row.word)};
  if (row.way.find("{}") != std::string_view::npos)
    call.push_back(row.word == "--payment_hash"                       ? some_hash
                   : row.way.find("config") == std::string_view::npos ? "5"
                                                                      : "/x");
  return call;
}

}  // namespace

TEST_CASE("every foreign word is answered with a call that can be made") {
  CHECK(foreign_words().size() > 100);
  for (const ForeignWord& row : foreign_words()) {
    CAPTURE(row.where);
    CAPTURE(row.word);
    const Error error = refusal_to(call_of(row));
    CAPTURE(error.hint);
    CHECK(error.message.find(row.ours) != std::string::npos);
    CHECK(error.hint.find('{') == std::string::npos);
    CHECK(error.hint.find("VALUE") == std::string::npos);
    const auto call = read(typed(error.hint));
    if (!call) CAPTURE(call.error().message);
    CHECK(call);
  }
}

TEST_CASE("no foreign word is one of ours, and none stands there twice") {
  for (const ForeignWord& row : foreign_words()) {
    CAPTURE(row.word);
    const auto same = [&row](const ForeignWord& other) { return other.where == row.where && other.word == row.word; };
    CHECK(std::count_if(foreign_words().begin(), foreign_words().end(), same) == 1);
    CHECK(find_command(commands(), row.word) == nullptr);
    if (row.word.front() != '-') continue;
    const Command* command = find_command(commands(), row.where);
    for (const auto flags : {command != nullptr ? command->flags : global_flags(), global_flags()}) {
      for (const Flag& flag : flags) {
        CHECK(row.word.substr(2) != flag.name);
        CHECK((row.word.size() > 2 || row.word[1] != flag.letter));
      }
    }
  }
}

TEST_CASE("the value that was typed keeps its meaning") {
  CHECK(refusal_to({"send", "lnbc1", "--maxfee", "5000"}).hint == "paytower send INVOICE --fee-limit 5000msat");
  CHECK(refusal_to({"send", "lnbc1", "--maxfee=5000"}).hint == "paytower send INVOICE --fee-limit 5000msat");
  CHECK(refusal_to({"send", "lnbc1", "--fee_limit", "5"}).hint == "paytower send INVOICE --fee-limit 5sat");
  CHECK(refusal_to({"send", "lnbc1", "--amount_msat", "5sat"}).hint == "paytower send INVOICE --amt 5sat");
  CHECK(refusal_to({"send", "--amount_msat"}).hint == "paytower send INVOICE --amt VALUE");
  CHECK(refusal_to({"list", "--limit", "a b"}).hint == "paytower list --max-payments 'a b'");
  CHECK(refusal_to({"list", "--limit", "3"}).message == "list: unknown option \"--limit\"; here it is --max-payments");
  CHECK(refusal_to({"list", "--status", "PAID"}).message == "--status: \"paid\" is succeeded here");
}

TEST_CASE("a hash goes over into the hint, a secret does not") {
  CHECK(refusal_to({"trackpayment", some_hash}).hint == "paytower show " + some_hash);
  CHECK(refusal_to({"delpay", some_hash, "complete"}).hint == "paytower delete " + some_hash);
  CHECK(refusal_to({"waitsendpay", "payment_hash=" + some_hash}).hint == "paytower resume " + some_hash);
  CHECK(refusal_to({"trackpayment", "--payment_secret", some_hash}).hint == "paytower show HASH");
  CHECK(refusal_to({"trackpayment"}).hint == "paytower show HASH");
}

TEST_CASE("a foreign command is answered before its own flags") {
  CHECK(refusal_to({"pay", "lnbc1", "--maxfee", "5"}).message == "unknown command \"pay\"; here it is send");
  CHECK(refusal_to({"help", "listpays"}).hint == "paytower list");
  CHECK(refusal_to({"--lnddir", "/x", "list"}).hint == "paytower --switch lnd:/x config");
  CHECK(refusal_to({"simulate", "pay"}).message.find("here it is") == std::string::npos);
}
