// Keeps the store's memory in a layer of the node: finds it, makes it, ages it, fills it.
#include "core/switch/cln/advice_layer.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include <fmt/core.h>

#include "core/switch/cln/conclusions.h"
#include "core/switch/cln/reading.h"
#include "core/switch/cln/requests.h"

namespace paytower::cln {

namespace {

using nlohmann::json;

constexpr std::size_t most_layers = 10'000;
constexpr std::size_t most_constraints = 200'000;

const char* inform_word(Lesson::Kind kind) {
  switch (kind) {
    case Lesson::Kind::constrained: return "constrained";
    case Lesson::Kind::unconstrained: return "unconstrained";
    case Lesson::Kind::succeeded: return "succeeded";
  }
  return "constrained";
}

void ignore(const RpcReply& /*reply*/) {}

}  // namespace

std::string advice_layer_name(const StoreId& store) { return fmt::format("paytower-{}", store.hex()); }

std::string question_layer_name(const StoreId& store, UnixNs now, const std::string& random) {
  return fmt::format("{}-{}-{}", advice_layer_name(store), now.value / ns_per_second, random);
}

bool is_stale_question_layer(const std::string& name, const StoreId& store, UnixNs now) {
  const std::string start = fmt::format("{}-", advice_layer_name(store));
  if (name.rfind(start, 0) != 0) return false;
  std::int64_t made = 0;
  const char* end = name.data() + name.size();
  const auto [stop, problem] = std::from_chars(name.data() + start.size(), end, made);
  if (problem != std::errc{} || stop == end || *stop != '-') return false;
  return now.value / ns_per_second - made > question_life_seconds;
}

void AdviceLayer::forget() {
  state_ = State::unknown;
  ++round_;
  memory_.reset();
  waiting_.clear();
}

void AdviceLayer::prepare(const RouteQuestion& question, Ready ready) {
  if (!question.memory || client_.lacks("getroutes") || client_.lacks("askrene-listlayers")) return ready("");
  const bool same = memory_ == question.memory && store_ == question.store;
  now_ = question.now;
  if (state_ == State::standing && same) {
    for (const Lesson& lesson : memory_->lessons_since(std::exchange(told_, memory_->lessons()))) tell(lesson);
    if (now_.value - aged_.value > knowledge_half_life_ns) age();
    return ready(name_);
  }
  waiting_.push_back(std::move(ready));
  if (state_ == State::looked_for && same) return;
  memory_ = question.memory;
  store_ = question.store;
  name_ = question.leaves_nothing ? question_layer_name(store_, now_, client_.fresh_name()) : advice_layer_name(store_);
  state_ = State::looked_for;
  ++round_;
  question.leaves_nothing ? make() : look_for();
}

void AdviceLayer::take_away(std::function<void()> then) {
  if (state_ != State::standing) return then();
  state_ = State::unknown;
  client_.call("askrene-remove-layer", json{{"layer", name_}},
               [then = std::move(then)](const RpcReply& /*reply*/) { then(); });
}

bool AdviceLayer::offered(const RpcReply& reply, const char* method) {
  if (!no_such_method(reply)) return true;
  client_.note_lacking(method);
  return false;
}

/// Ask for the names alone first: other layers of the node may be large.
void AdviceLayer::look_for() {
  const json names{{"layers", json::array({json{{"layer", true}}})}};
  client_.call_filtered("askrene-listlayers", json::object(), names, [this, round = round_](const RpcReply& reply) {
    if (round != round_) return;
    if (!offered(reply, "askrene-listlayers") || !reply.result) return answer();
    take_names(*reply.result);
  });
}

void AdviceLayer::take_names(const json& result) {
  bool there = false;
  const json* layers = list(result, "layers", most_layers);
  for (const json& one : layers != nullptr ? *layers : json::array()) {
    const std::string name = text(one, "layer").value_or("");
    there = there || name == name_;
    if (is_stale_question_layer(name, store_, now_))
      client_.call("askrene-remove-layer", json{{"layer", name}}, ignore);
  }
  if (!there) return make();
  client_.call("askrene-listlayers", json{{"layer", name_}}, [this, round = round_](const RpcReply& reply) {
    if (round != round_) return;
    if (!reply.result) return answer();
    take_content(*reply.result);
  });
}

void AdviceLayer::take_content(const json& result) {
  const json* layers = list(result, "layers", 1);
  const json* constraints =
      layers != nullptr && !layers->empty() ? list(layers->front(), "constraints", most_constraints) : nullptr;
  const std::int64_t oldest = (now_.value - knowledge_half_life_ns) / ns_per_second;
  std::int64_t newest = 0;
  bool strange = constraints == nullptr;
  for (const json& one : constraints != nullptr ? *constraints : json::array()) {
    const auto channel = channel_and_direction(one, "short_channel_id_dir");
    const auto at = static_cast<std::int64_t>(number(one, "timestamp").value_or(0));
    newest = std::max(newest, at);
    strange = strange || !channel || (at > oldest && memory_->bounds(*channel) == nullptr);
  }
  if (!strange) return fill(newest);
  client_.call("askrene-remove-layer", json{{"layer", name_}}, ignore);
  make();
}

void AdviceLayer::make() {
  client_.call("askrene-create-layer", json{{"layer", name_}, {"persistent", false}},
               [this, round = round_](const RpcReply& reply) {
                 if (round != round_) return;
                 if (!offered(reply, "askrene-listlayers")) return answer();
                 fill(0);  // if this is refused, another process has just made the layer
               });
}

void AdviceLayer::fill(std::int64_t known_until) {
  state_ = State::standing;
  age();
  told_ = memory_->lessons();
  for (const Lesson& lesson : memory_->lessons_since(0)) {
    if (lesson.at.value / ns_per_second >= known_until && now_.value - lesson.at.value < knowledge_half_life_ns)
      tell(lesson);
  }
  answer();
}

/// The answer is not waited for: the node does what one connection asks in order.
void AdviceLayer::tell(const Lesson& lesson) {
  client_.call("askrene-inform-channel", inform_params(name_, lesson.channel, lesson.amount, inform_word(lesson.kind)),
               ignore);
}

void AdviceLayer::age() {
  aged_ = now_;
  const std::int64_t cutoff = std::max<std::int64_t>((now_.value - knowledge_half_life_ns) / ns_per_second, 0);
  client_.call("askrene-age", json{{"layer", name_}, {"cutoff", cutoff}}, ignore);
}

void AdviceLayer::answer() {
  const std::string layer = state_ == State::standing ? name_ : "";
  if (state_ == State::looked_for) state_ = State::unknown;
  for (const Ready& ready : std::exchange(waiting_, {})) ready(layer);
}

}  // namespace paytower::cln
