#include "core/sim/node/call.h"

#include <algorithm>
#include <charconv>

#include "core/base/json.h"
#include "core/base/limits.h"

namespace paytower::sim {

namespace {

constexpr std::string_view wrong_version = "jsonrpc: \"2.0\" must be specified in the request";
constexpr std::size_t longest_quote = 1'000;  ///< of a value that an error repeats

CallReply refusal(RpcCode code, std::string_view message) { return reply_of(CallError(code, std::string(message))); }

std::optional<std::string_view> member(const std::vector<RawMember>& members, std::string_view name) {
  for (const RawMember& found : members) {
    if (found.name == name) return found.value;
  }
  return std::nullopt;
}

/// Keeps of `value` what `filter` names: {"member":true}, objects inside objects, and [{...}] for every element.
void keep_wanted(Json& value, const Json& filter, std::size_t depth) {
  if (depth > limits::max_json_depth) return;
  if (filter.is_array() && filter.size() == 1 && value.is_array()) {
    for (Json& element : value) keep_wanted(element, filter[0], depth + 1);
    return;
  }
  if (!filter.is_object() || !value.is_object()) return;
  Json kept = Json::object();
  for (auto& [name, content] : value.items()) {
    const auto wanted = filter.find(name);
    if (wanted == filter.end()) continue;
    kept[name] = std::move(content);
    if (!wanted->is_boolean()) keep_wanted(kept[name], *wanted, depth + 1);
  }
  value = std::move(kept);
}

std::string line_of(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

/// Digits alone.
std::optional<std::uint64_t> whole_number(std::string_view digits) {
  std::uint64_t value = 0;
  const auto end = digits.data() + digits.size();
  const auto [stop, problem] = std::from_chars(digits.data(), end, value);
  if (digits.empty() || problem != std::errc() || stop != end) return std::nullopt;
  return value;
}

/// A number, or a string that holds one: the node takes both.
std::string_view unquoted(std::string_view raw) {
  if (raw.size() >= 2 && raw.front() == '"' && raw.back() == '"') return raw.substr(1, raw.size() - 2);
  return raw;
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

ReadCall read_call(std::string_view value) {
  ReadCall read;
  const auto refuse = [&read](RpcCode code, std::string_view why) {
    read.refused = refusal(code, why);
    return read;
  };
  if (value.empty() || value.front() != '{') return refuse(RpcCode::invalid_request, "Expected {} for json command");
  const std::vector<RawMember> members = members_of(value);
  const auto id = member(members, "id");
  const auto version = member(members, "jsonrpc");
  if (!version || *version != "\"2.0\"") return refuse(RpcCode::invalid_request, wrong_version);
  if (!id) return refuse(RpcCode::invalid_request, "No id");
  if (id->front() == '{' || id->front() == '[')
    return refuse(RpcCode::invalid_request, "Expected string/primitive for id");
  read.call.id = std::string(*id);
  const auto method = member(members, "method");
  if (!method) return refuse(RpcCode::invalid_request, "No method");
  const auto name = string_value(*method);
  if (!name) return refuse(RpcCode::invalid_request, "Expected string for method");
  read.call.method = *name;
  const auto params = member(members, "params");
  if (!params) return refuse(RpcCode::invalid_request, "No params");
  if (params->front() != '{' && params->front() != '[')
    return refuse(RpcCode::invalid_params, "Expected array or object for params");
  read.call.params = std::string(*params);
  if (const auto filter = member(members, "filter")) read.call.filter = std::string(*filter);
  return read;
}

std::string answer_text(const std::string& id, CallReply reply, const std::optional<std::string>& filter) {
  if (filter && !reply.failed) {
    const auto wanted = read_json(*filter, {limits::max_input_file_bytes});
    if (wanted && wanted->is_object()) keep_wanted(reply.body, Json(*wanted), 0);
  }
  return "{\"jsonrpc\":\"2.0\",\"id\":" + id + (reply.failed ? ",\"error\":" : ",\"result\":") + line_of(reply.body) +
         "}\n\n";
}

std::optional<std::string> string_value(std::string_view raw) {
  if (raw.empty() || raw.front() != '"') return std::nullopt;
  const auto value = read_json(raw, {max_request_bytes});
  if (!value || !value->is_string()) return std::nullopt;
  return value->get<std::string>();
}

// --- parameters ---

Params::Params(std::string_view raw, std::span<const ParamSpec> specs) {
  if (raw.front() == '{') {
    read_members(raw, specs);
  } else {
    read_elements(raw, specs);
  }
  for (const ParamSpec& spec : specs) {
    if (spec.required && !has(spec.name))
      throw CallError(RpcCode::invalid_params, "missing required parameter: " + std::string(spec.name));
  }
}

void Params::read_members(std::string_view raw, std::span<const ParamSpec> specs) {
  for (const RawMember& given : members_of(raw)) {
    const auto spec =
        std::find_if(specs.begin(), specs.end(), [&](const ParamSpec& known) { return known.name == given.name; });
    if (spec == specs.end()) {
      throw CallError(RpcCode::invalid_params,
                      "unknown parameter: " + std::string(given.name.substr(0, longest_quote)) +
                          ", this may be caused by a failure to autodetect key=value-style parameters. Please try "
                          "using the -k flag and explicit key=value pairs of parameters.");
    }
    const bool again =
        std::any_of(values_.begin(), values_.end(), [&](const auto& value) { return value.first == spec->name; });
    if (again) throw CallError(RpcCode::invalid_params, "duplicate json names: " + std::string(given.name));
    values_.emplace_back(spec->name, std::string(given.value));
  }
}

void Params::read_elements(std::string_view raw, std::span<const ParamSpec> specs) {
  const std::vector<std::string_view> elements = elements_of(raw);
  if (elements.size() > specs.size()) {
    throw CallError(RpcCode::invalid_params, "too many parameters: got " + std::to_string(elements.size()) +
                                                 ", expected " + std::to_string(specs.size()));
  }
  for (std::size_t i = 0; i < elements.size(); ++i) values_.emplace_back(specs[i].name, std::string(elements[i]));
}

std::optional<std::string_view> Params::raw(std::string_view name) const {
  for (const auto& [known, value] : values_) {
    if (known == name && value != "null") return value;
  }
  return std::nullopt;
}

void Params::refuse(std::string_view name, const std::string& why) const {
  const std::string shown(raw(name).value_or("").substr(0, longest_quote));
  throw CallError(RpcCode::invalid_params, std::string(name) + ": " + why + ": invalid token '" + shown + "'");
}

std::optional<std::string> Params::text(std::string_view name) const {
  const auto value = raw(name);
  if (!value) return std::nullopt;
  const auto string = string_value(*value);
  return string ? *string : std::string(*value);
}

std::optional<std::uint64_t> Params::u64(std::string_view name) const {
  const auto value = raw(name);
  if (!value) return std::nullopt;
  const auto number = whole_number(unquoted(*value));
  if (!number) refuse(name, "should be an unsigned 64 bit integer");
  return number;
}

std::optional<std::uint32_t> Params::u32(std::string_view name) const {
  const auto value = raw(name);
  if (!value) return std::nullopt;
  const auto number = whole_number(unquoted(*value));
  if (!number || *number > UINT32_MAX) refuse(name, "should be an unsigned 32 bit integer");
  return static_cast<std::uint32_t>(*number);
}

std::optional<bool> Params::boolean(std::string_view name) const {
  const auto value = raw(name);
  if (!value) return std::nullopt;
  const std::string_view word = unquoted(*value);
  if (word != "true" && word != "false") refuse(name, "should be 'true' or 'false'");
  return word == "true";
}

std::optional<Msat> Params::msat(std::string_view name) const {
  const auto value = raw(name);
  if (!value) return std::nullopt;
  std::string_view digits = unquoted(*value);
  constexpr std::string_view unit = "msat";
  const bool named = digits.size() > unit.size() && digits.substr(digits.size() - unit.size()) == unit;
  if (named) digits.remove_suffix(unit.size());
  const auto number = whole_number(digits);
  const auto amount = number ? Msat::from(*number) : std::nullopt;
  if (!amount) refuse(name, "should be a millisatoshi amount");
  return amount;
}

std::optional<PaymentHash> Params::hash(std::string_view name) const {
  const auto value = raw(name);
  if (!value) return std::nullopt;
  const auto hash = PaymentHash::from_hex_text(unquoted(*value));
  if (!hash) refuse(name, "should be a 32 byte hex value");
  return hash;
}

std::optional<PaymentSecret> Params::secret(std::string_view name) const {
  const auto value = raw(name);
  if (!value) return std::nullopt;
  const auto secret = PaymentSecret::from_hex_text(unquoted(*value));
  if (!secret) refuse(name, "should be a 32 byte hex value");
  return secret;
}

std::optional<PublicKey> Params::key(std::string_view name) const {
  const auto value = raw(name);
  if (!value) return std::nullopt;
  const auto key = PublicKey::from_hex_text(unquoted(*value));
  if (!key || (key->bytes[0] != 2 && key->bytes[0] != 3)) refuse(name, "should be a node id");
  return key;
}

std::optional<ShortChannelId> Params::channel(std::string_view name) const {
  const auto value = raw(name);
  if (!value) return std::nullopt;
  const std::string_view word = unquoted(*value);
  const auto id = word.find('x') == std::string_view::npos ? std::nullopt : ShortChannelId::parse(word);
  if (!id) refuse(name, "should be a short_channel_id of form NxNxN");
  return id;
}

}  // namespace paytower::sim
