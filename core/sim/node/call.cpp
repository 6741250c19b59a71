// Reads requests and their parameters, and prints answers, with the node's own words.
#include "core/sim/node/call.h"

#include <algorithm>

#include <fmt/core.h>

#include "core/base/number.h"

namespace paytower::sim {

namespace {

constexpr std::string_view wrong_version = "jsonrpc: \"2.0\" must be specified in the request";
constexpr std::size_t longest_quote = 1'000;  ///< how much of a wrong value an error repeats

CallReply refusal(RpcCode code, std::string_view message) { return reply_of(CallError(code, std::string(message))); }

/// Keeps of `value` only what `filter` names: {"member":true}, objects inside objects, and [{...}] for every element.
void keep_wanted(Json& value, const nlohmann::json& filter) {
  if (filter.is_array() && filter.size() == 1 && value.is_array()) {
    for (Json& element : value) keep_wanted(element, filter[0]);
    return;
  }
  if (!filter.is_object() || !value.is_object()) return;
  Json kept = Json::object();
  for (auto& [name, content] : value.items()) {
    const auto wanted = filter.find(name);
    if (wanted == filter.end()) continue;
    kept[name] = std::move(content);
    if (!wanted->is_boolean()) keep_wanted(kept[name], *wanted);
  }
  value = std::move(kept);
}

std::string line_of(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

/// The client's own text, printed in one line.
std::string ascii(const nlohmann::json& json) { return json.dump(-1, ' ', true); }

std::optional<std::uint64_t> long_number(std::string_view digits) { return whole_number(digits); }

std::optional<std::uint32_t> short_number(std::string_view digits) {
  const auto number = whole_number(digits, UINT32_MAX);
  if (!number) return std::nullopt;
  return static_cast<std::uint32_t>(*number);
}

std::optional<bool> truth(std::string_view word) {
  if (word != "true" && word != "false") return std::nullopt;
  return word == "true";
}

std::optional<Msat> amount(std::string_view digits) {
  constexpr std::string_view unit = "msat";
  if (digits.size() > unit.size() && digits.ends_with(unit)) digits.remove_suffix(unit.size());
  const auto number = whole_number(digits);
  return number ? Msat::from(*number) : std::nullopt;
}

std::optional<PublicKey> node_id(std::string_view word) {
  const auto key = PublicKey::from_hex_text(word);
  return key && (key->bytes[0] == 2 || key->bytes[0] == 3) ? key : std::nullopt;
}

std::optional<ShortChannelId> channel_id(std::string_view word) {
  return word.find('x') == std::string_view::npos ? std::nullopt : ShortChannelId::parse(word);
}

}  // namespace

CallReply reply_of(const CallError& error) {
  CallReply reply;
  reply.failed = true;
  reply.body["code"] = static_cast<int>(error.code);
  reply.body["message"] = error.what();
  if (!error.data.is_null()) reply.body["data"] = error.data;
  return reply;
}

ReadCall read_call(nlohmann::json request) {
  ReadCall read;
  const auto refuse = [&read](RpcCode code, std::string_view why) {
    read.refused = refusal(code, why);
    return read;
  };
  const auto member = [&request](const char* name) {
    const auto found = request.find(name);
    return found == request.end() ? nullptr : &*found;
  };
  if (!request.is_object()) return refuse(RpcCode::invalid_request, "Expected {} for json command");
  const auto* const version = member("jsonrpc");
  if (!version || *version != "2.0") return refuse(RpcCode::invalid_request, wrong_version);
  const auto* const id = member("id");
  if (!id) return refuse(RpcCode::invalid_request, "No id");
  if (id->is_structured()) return refuse(RpcCode::invalid_request, "Expected string/primitive for id");
  read.call.id = ascii(*id);
  const auto* const method = member("method");
  if (!method) return refuse(RpcCode::invalid_request, "No method");
  if (!method->is_string()) return refuse(RpcCode::invalid_request, "Expected string for method");
  read.call.method = method->get<std::string>();
  auto* const params = member("params");
  if (!params) return refuse(RpcCode::invalid_request, "No params");
  if (!params->is_structured()) return refuse(RpcCode::invalid_params, "Expected array or object for params");
  read.call.params = std::move(*params);
  if (auto* const filter = member("filter")) read.call.filter = std::move(*filter);
  return read;
}

std::string answer_text(const std::string& id, CallReply reply, const nlohmann::json& filter) {
  if (filter.is_object() && !reply.failed) keep_wanted(reply.body, filter);
  return fmt::format("{{\"jsonrpc\":\"2.0\",\"id\":{}{}{}}}\n\n", id,
                     reply.failed ? ",\"error\":" : ",\"result\":", line_of(reply.body));
}

// --- parameters ---

Params::Params(const nlohmann::json& given, std::span<const ParamSpec> specs) {
  if (given.is_array() && given.size() > specs.size()) {
    throw CallError(RpcCode::invalid_params,
                    fmt::format("too many parameters: got {}, expected {}", given.size(), specs.size()));
  }
  std::size_t at = 0;
  for (auto value = given.begin(); value != given.end(); ++value, ++at) {
    const auto spec = given.is_array() ? specs.begin() + static_cast<std::ptrdiff_t>(at)
                                       : std::find_if(specs.begin(), specs.end(), [&value](const ParamSpec& known) {
                                           return known.name == value.key();
                                         });
    if (spec == specs.end()) {
      throw CallError(
          RpcCode::invalid_params,
          fmt::format("unknown parameter: {}, this may be caused by a failure to autodetect key=value-style "
                      "parameters. Please try using the -k flag and explicit key=value pairs of parameters.",
                      value.key().substr(0, longest_quote)));
    }
    if (!value->is_null()) values_.emplace_back(spec->name, &*value);
  }
  for (const ParamSpec& spec : specs) {
    if (spec.required && !has(spec.name))
      throw CallError(RpcCode::invalid_params, fmt::format("missing required parameter: {}", spec.name));
  }
}

const nlohmann::json* Params::raw(std::string_view name) const {
  for (const auto& [known, value] : values_) {
    if (known == name) return value;
  }
  return nullptr;
}

void Params::refuse(std::string_view name, const std::string& why) const {
  const auto* const value = raw(name);
  throw CallError(RpcCode::invalid_params, fmt::format("{}: {}: invalid token '{}'", name, why,
                                                       value ? ascii(*value).substr(0, longest_quote) : ""));
}

template <typename T>
std::optional<T> Params::read(std::string_view name, std::optional<T> (*of_text)(std::string_view),
                              const char* why) const {
  const auto given = text(name);
  if (!given) return std::nullopt;
  auto value = of_text(*given);
  if (!value) refuse(name, why);
  return value;
}

std::optional<std::string> Params::text(std::string_view name) const {
  const auto* const value = raw(name);
  if (!value) return std::nullopt;
  return value->is_string() ? value->get<std::string>() : ascii(*value);
}

std::optional<std::vector<std::string>> Params::texts(std::string_view name) const {
  const auto* const value = raw(name);
  if (!value) return std::nullopt;
  if (!value->is_array()) refuse(name, "should be an array");
  std::vector<std::string> all;
  for (const auto& element : *value) all.push_back(element.is_string() ? element.get<std::string>() : "");
  return all;
}

std::optional<std::uint64_t> Params::u64(std::string_view name) const {
  return read(name, long_number, "should be an unsigned 64 bit integer");
}
std::optional<std::uint32_t> Params::u32(std::string_view name) const {
  return read(name, short_number, "should be an unsigned 32 bit integer");
}
std::optional<bool> Params::boolean(std::string_view name) const {
  return read(name, truth, "should be 'true' or 'false'");
}
std::optional<Msat> Params::msat(std::string_view name) const {
  return read(name, amount, "should be a millisatoshi amount");
}
std::optional<PaymentHash> Params::hash(std::string_view name) const {
  return read(name, PaymentHash::from_hex_text, "should be a 32 byte hex value");
}
std::optional<PaymentSecret> Params::secret(std::string_view name) const {
  return read(name, PaymentSecret::from_hex_text, "should be a 32 byte hex value");
}
std::optional<PublicKey> Params::key(std::string_view name) const { return read(name, node_id, "should be a node id"); }
std::optional<ShortChannelId> Params::channel(std::string_view name) const {
  return read(name, channel_id, "should be a short_channel_id of form NxNxN");
}

}  // namespace paytower::sim
