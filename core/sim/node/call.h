// One JSON-RPC request as Core Lightning reads it, and the answer as it prints it. What is known about both is in
// 12_framing of the recorded talks.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/base/msat.h"
#include "core/base/types.h"

namespace paytower::sim {

/// Members keep their order, as in the node's answers.
using Json = nlohmann::ordered_json;

/// Core Lightning's error codes, as far as this server uses them (cln/README 3 and 4).
enum class RpcCode : int {
  invalid_request = -32600,
  method_not_found = -32601,
  invalid_params = -32602,
  in_progress = 200,
  already_used = 201,
  unreadable_onion = 202,
  destination_failed = 203,
  try_other_route = 204,
  route_not_found = 205,
  route_too_expensive = 206,
  unknown_payment = 208,
  no_details = 209,
};

/// An error answer, thrown by a method.
struct CallError : std::runtime_error {
  CallError(RpcCode code_in, const std::string& message, Json data_in = nullptr)
      : std::runtime_error(message), code(code_in), data(std::move(data_in)) {}
  RpcCode code;
  Json data;  ///< null: the answer has no such member
};

/// The answer to one request, before its id is added.
struct CallReply {
  bool failed = false;
  Json body{};  ///< the result, or {"code","message","data"}
};
[[nodiscard]] CallReply reply_of(const CallError& error);

struct RpcCall {
  std::string id = "null";  ///< as it goes back
  std::string method;
  nlohmann::json params = nlohmann::json::object();  ///< an object or an array
  nlohmann::json filter{};                           ///< which members of the result are wanted; null: all
};

/// A request, or what is wrong with it; and the id for the answer.
struct ReadCall {
  RpcCall call;
  std::optional<CallReply> refused{};
};
[[nodiscard]] ReadCall read_call(nlohmann::json request);

/// The answer on the wire: one line and "\n\n". `filter` as in RpcCall; a filter that makes no sense is ignored.
[[nodiscard]] std::string answer_text(const std::string& id, CallReply reply, const nlohmann::json& filter = nullptr);

/// A parameter's name. The parameters after the required ones may be missing.
struct ParamSpec {
  std::string_view name;
  bool required = false;
};

/// The parameters of one call by name, in whichever way they were given. If a value does not fit its name, a getter
/// throws CallError(invalid_params) with the node's words. Numbers may also be given as strings: the node accepts both.
class Params {
 public:
  /// `given`, an object or an array, must outlive this. Throws CallError: unknown, missing and too many parameters.
  Params(const nlohmann::json& given, std::span<const ParamSpec> specs);

  [[nodiscard]] bool has(std::string_view name) const { return raw(name) != nullptr; }
  /// nullptr if absent or null.
  [[nodiscard]] const nlohmann::json* raw(std::string_view name) const;
  /// The text of a string, or JSON for anything else.
  [[nodiscard]] std::optional<std::string> text(std::string_view name) const;
  /// The strings of an array; an empty one for any other element.
  [[nodiscard]] std::optional<std::vector<std::string>> texts(std::string_view name) const;
  [[nodiscard]] std::optional<std::uint64_t> u64(std::string_view name) const;
  [[nodiscard]] std::optional<std::uint32_t> u32(std::string_view name) const;
  [[nodiscard]] std::optional<bool> boolean(std::string_view name) const;
  /// A whole number of msat, or a string of digits that may end in "msat".
  [[nodiscard]] std::optional<Msat> msat(std::string_view name) const;
  [[nodiscard]] std::optional<PaymentHash> hash(std::string_view name) const;
  [[nodiscard]] std::optional<PaymentSecret> secret(std::string_view name) const;
  [[nodiscard]] std::optional<PublicKey> key(std::string_view name) const;
  [[nodiscard]] std::optional<ShortChannelId> channel(std::string_view name) const;
  /// "NAME: WHY: invalid token 'VALUE'"
  [[noreturn]] void refuse(std::string_view name, const std::string& why) const;

 private:
  template <typename T>
  std::optional<T> read(std::string_view name, std::optional<T> (*of_text)(std::string_view), const char* why) const;

  std::vector<std::pair<std::string_view, const nlohmann::json*>> values_;
};

}  // namespace paytower::sim
