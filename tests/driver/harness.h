// A driver with a scripted switch, a virtual clock and the real SQLite store. Everything that happens is one line of a
// log, so that a test reads like the protocol.
#pragma once

#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "core/base/hash.h"
#include "core/base/refuse.h"
#include "core/driver/driver.h"
#include "core/payment/lifecycle.h"
#include "tests/lifecycle/states.h"
#include "tests/support/lists.h"

namespace paytower::test {

using Log = std::vector<std::string>;

/// Time passes only while somebody sleeps.
class VirtualClock final : public Clock {
 public:
  UnixNs wall() override { return UnixNs{created.value + elapsed_ + wall_shift}; }
  MonoNs mono() override { return MonoNs{elapsed_}; }
  void sleep_until(MonoNs until) override { elapsed_ = std::max(elapsed_, until.value); }
  int stop_signal() override { return signal; }

  int signal = 0;
  std::int64_t wall_shift = 0;  ///< somebody sets the wall clock

 private:
  std::int64_t elapsed_ = 0;
};

/// Drawn from a seed; continues after a process has died.
class SeededRandomness final : public Randomness {
 public:
  explicit SeededRandomness(std::uint64_t seed) : engine_(seed) {}
  void fill(std::span<std::uint8_t> out) override {
    for (std::uint8_t& byte : out) byte = static_cast<std::uint8_t>(engine_());
  }

 private:
  std::mt19937_64 engine_;
};

class CountingRandomness final : public Randomness {
 public:
  void fill(std::span<std::uint8_t> out) override {
    for (std::uint8_t& byte : out) byte = repeats ? 7 : next_++;
  }

  bool repeats = false;  ///< always the same number: the worst case

 private:
  std::uint8_t next_ = 1;
};

/// The process ends here: thrown by a step "crash".
struct Crash {};

/// Answers questions as scripted, in order: each step names the question that it expects.
class ScriptedSwitch final : public Switch {
 public:
  using Reply = std::function<std::vector<SwitchEvent>(ScriptedSwitch&)>;
  struct Step {
    std::string question;
    Reply reply;
  };

  ScriptedSwitch(VirtualClock& clock, Log& log) : clock_(clock), log_(log) {}

  void expect(std::string question, Reply reply) { steps_.push_back(Step{std::move(question), std::move(reply)}); }
  [[nodiscard]] bool done() const { return steps_.empty(); }
  [[nodiscard]] std::string next() const { return steps_.empty() ? "(end)" : steps_.front().question; }

  void identify() override { ask("identify"); }
  void look(const PaymentHash& hash, std::span<const Marks> since) override {
    last_hash = hash;
    last_since = cln::oldest(since);
    ask("look");
  }
  void ask_route(const RouteQuestion& question) override {
    last_question = question;
    ask("route");
  }
  void dispatch(const Handover& handover) override {
    handovers.push_back(handover);
    ask("send");
  }
  void query(const AttemptKey& key) override {
    last_key = key;
    ask("query");
  }
  void fence(const Handover& handover) override {
    fences.push_back(handover);
    ask("fence");
  }
  void release(const PaymentHash& hash, const StoreId&) override {
    releases.push_back(hash);
    ask("release");
  }
  std::optional<HandoverTerms> terms() const override { return bound_by; }
  std::uint32_t base_height() const override { return height; }

  void list_own(const StoreId&) override { ask("list-own"); }
  /// Not part of the script: each connection begins with this question.
  void newest_own(const StoreTrace&) override { ++traces_asked_; }

  std::vector<SwitchEvent> poll(MonoNs until) override {
    std::vector<SwitchEvent> events;
    for (; traces_asked_ > 0; --traces_asked_) events.push_back(NewestOwnAnswer{newest_own_ids});
    while (!asked_.empty()) {
      const std::string question = std::move(asked_.front());
      asked_.pop_front();
      if (steps_.empty() || steps_.front().question != question) {
        log_.push_back("unexpected " + question + ", script wants " + next());
        throw Crash{};
      }
      const Step step = std::move(steps_.front());
      steps_.pop_front();
      for (SwitchEvent& event : step.reply(*this)) events.push_back(std::move(event));
    }
    while (!later.empty() && later.front().first <= clock_.mono().value) {
      events.push_back(std::move(later.front().second));
      later.pop_front();
    }
    if (events.empty()) {
      MonoNs wake = until;
      if (!later.empty()) wake = std::min(wake, MonoNs{later.front().first});
      clock_.sleep_until(wake);
    }
    return events;
  }

  [[nodiscard]] AttemptKey sent() const { return handovers.back().key; }

  PaymentHash last_hash;
  std::optional<cln::Counters> last_since;
  RouteQuestion last_question;
  AttemptKey last_key;
  std::vector<Handover> handovers;
  std::vector<Handover> fences;
  std::vector<PaymentHash> releases;
  std::uint32_t height = 0;
  std::optional<HandoverTerms> bound_by;  ///< nothing: copies of a hand-over do no harm
  std::vector<AttemptId> newest_own_ids;
  std::deque<std::pair<std::int64_t, SwitchEvent>> later;  ///< answers that come by time, in order

 private:
  void ask(std::string question) {
    log_.push_back(question);
    asked_.push_back(std::move(question));
  }

  VirtualClock& clock_;
  Log& log_;
  std::deque<Step> steps_;
  std::deque<std::string> asked_;
  unsigned traces_asked_ = 0;
};

[[nodiscard]] std::string write_name(const Write& write);

/// Writes down what is committed, and can die before or after any commit.
class RecordingStore final : public PaymentStore {
 public:
  RecordingStore(PaymentStore& inner, Log& log) : inner_(inner), log_(log) {}

  std::vector<Result<Stored>> commit(std::span<const PaymentWrites> tick) override {
    if (crash_before_commit && commits == *crash_before_commit) throw Crash{};
    if (fail_commit && commits == *fail_commit) throw StoreError("the disk is gone");
    if (busy_from && commits >= *busy_from) {
      return std::vector<Result<Stored>>(
          tick.size(), Error{Errc::busy, "another paytower is writing to the database; nothing was changed", {}});
    }
    auto results = inner_.commit(tick);
    ++commits;
    for (std::size_t i = 0; i < tick.size(); ++i) {
      std::string line;
      for (const Write& write : tick[i].writes) line += (line.empty() ? "" : "+") + write_name(write);
      log_.push_back(results[i] ? line : "refused " + line + ": " + std::string(code_name(results[i].error().code)));
    }
    if (crash_after_commit && commits == *crash_after_commit) throw Crash{};
    return results;
  }
  Result<HashState> find(const PaymentHash& hash) override { return inner_.find(hash); }
  Result<std::optional<Payment>> load(PaymentIndex index) override { return inner_.load(index); }
  Result<std::vector<PaymentIndex>> fetch_in_flight(PaymentIndex after, std::size_t limit) override {
    return inner_.fetch_in_flight(after, limit);
  }
  Result<std::vector<PastResult>> recent_results(std::size_t most) override {
    return unless_refused([&] { return inner_.recent_results(most); });
  }
  Result<StoreTrace> trace_at(const SwitchKey& here) override {
    return unless_refused([&] { return inner_.trace_at(here); });
  }
  Result<bool> accounts_for(AttemptId id) override {
    return unless_refused([&] { return inner_.accounts_for(id); });
  }
  Result<std::uint64_t> change_counter() override {
    return unless_refused([&] { return inner_.change_counter(); });
  }
  void spool(const AttemptKey& key, const Preimage& preimage) noexcept override { inner_.spool(key, preimage); }

  unsigned reads = 0;                   ///< of what is no single payment's
  std::optional<unsigned> refuse_read;  ///< this one of them
  unsigned commits = 0;
  std::optional<unsigned> crash_before_commit;
  std::optional<unsigned> crash_after_commit;
  std::optional<unsigned> fail_commit;
  std::optional<unsigned> busy_from;  ///< from this commit on another process holds the write lock, for ever

 private:
  template <typename Read> auto unless_refused(Read read) -> decltype(read()) {
    if (refuse_read == reads++) return Error{Errc::busy, "another program holds the database", {}};
    return read();
  }

  PaymentStore& inner_;
  Log& log_;
};

inline std::string write_name(const Write& write) {
  static constexpr const char* names[] = {"init",          "register",     "settle",         "foreign",  "succeed",
                                          "late-preimage", "fail-attempt", "close",          "set-stop", "fail",
                                          "end-unknown",   "move",         "close-imported", "accept"};
  return names[write.index()];
}

class RecordingObserver final : public Observer {
 public:
  explicit RecordingObserver(Log& log) : log_(log) {}
  void warn(const PaymentHash&, std::string_view message) override { log_.push_back("warn: " + std::string(message)); }
  void handing_over(const AttemptKey&) override { ++told_handovers; }
  void driving(std::span<const Payment* const> now) override {
    ++told_driving;
    for (const Payment* payment : now) told_open += payment->has_open_attempt() ? 1U : 0U;
  }

  std::size_t told_handovers = 0;
  unsigned told_driving = 0;  ///< how often
  unsigned told_open = 0;     ///< over all these times: payments with an open attempt

 private:
  Log& log_;
};

// --- answers ---

inline const SwitchKey our_switch{node_key(9), "regtest"};

inline ScriptedSwitch::Reply identity() {
  return [](ScriptedSwitch&) { return std::vector<SwitchEvent>{IdentityAnswer{our_switch}}; };
}
/// The identity, with a run of the switch's process.
inline ScriptedSwitch::Reply identity_of_run(std::string run) {
  return [run = std::move(run)](ScriptedSwitch&) { return std::vector<SwitchEvent>{IdentityAnswer{our_switch, run}}; };
}
inline ScriptedSwitch::Reply nothing() {
  return [](ScriptedSwitch&) { return std::vector<SwitchEvent>{}; };
}
inline cln::NodeLists quiet_look() {
  cln::NodeLists look;
  look.hash = fresh_payment().request.hash;
  look.now = cln::Counters{10, 10, 0, 10};
  look.htlcs.emplace();
  look.debits.emplace();
  return look;
}
inline ScriptedSwitch::Reply shows(cln::NodeLists look) {
  return [answer = answer_of(std::move(look))](ScriptedSwitch&) { return std::vector<SwitchEvent>{answer}; };
}
inline ScriptedSwitch::Reply quiet() { return shows(quiet_look()); }
/// The row of the newest hand-over, as the switch would show it.
inline ScriptedSwitch::Reply shows_row(RowState state, std::optional<Failure> failure = {}) {
  return [state, failure](ScriptedSwitch& node) {
    cln::NodeLists look = quiet_look();
    SwitchRow row;
    row.id = node.sent().id;
    row.state = state;
    row.label = node.handovers.back().label;
    row.failure = failure;
    if (state == RowState::complete) row.preimage = right_preimage();
    look.rows.push_back(row);
    return std::vector<SwitchEvent>{answer_of(std::move(look))};
  };
}
inline ScriptedSwitch::Reply route(std::uint64_t channel) {
  return [channel](ScriptedSwitch& node) {
    return std::vector<SwitchEvent>{routes_answer(node.last_question.ticket, {simple_route(channel)})};
  };
}
inline ScriptedSwitch::Reply no_route(FailureReason why = FailureReason::no_route) {
  return [why](ScriptedSwitch& node) {
    return std::vector<SwitchEvent>{RouteAnswer{node.last_question.ticket, {}, why}};
  };
}
inline ScriptedSwitch::Reply accepted() {
  return [](ScriptedSwitch& node) {
    return std::vector<SwitchEvent>{DispatchAnswer{node.sent(), DispatchAnswer::Kind::accepted, {}}};
  };
}
inline ScriptedSwitch::Reply not_sent() {
  return [](ScriptedSwitch& node) {
    return std::vector<SwitchEvent>{DispatchAnswer{node.sent(), DispatchAnswer::Kind::not_sent,
                                                   Failure{FailureCode::local_refusal, 0, {}, {}, "no peer"}}};
  };
}
inline ScriptedSwitch::Reply settled() {
  return [](ScriptedSwitch& node) {
    return std::vector<SwitchEvent>{QueryAnswer{node.last_key, QueryAnswer::Kind::settled, right_preimage(), {}}};
  };
}
inline ScriptedSwitch::Reply failed(FailureCode code, std::uint32_t source) {
  return [code, source](ScriptedSwitch& node) {
    return std::vector<SwitchEvent>{
        QueryAnswer{node.last_key, QueryAnswer::Kind::failed, {}, Failure{code, source, {}, {}, {}}}};
  };
}
inline ScriptedSwitch::Reply fenced() {
  return [](ScriptedSwitch& node) {
    return std::vector<SwitchEvent>{FenceAnswer{node.fences.back().key, FenceAnswer::Kind::fenced}};
  };
}
inline ScriptedSwitch::Reply crash() {
  return [](ScriptedSwitch&) -> std::vector<SwitchEvent> { throw Crash{}; };
}
inline ScriptedSwitch::Reply disconnect() {
  return [](ScriptedSwitch&) { return std::vector<SwitchEvent>{Disconnected{"connection lost"}}; };
}
/// The switch was there, and the connection was lost.
inline ScriptedSwitch::Reply lost_again() {
  return [](ScriptedSwitch&) { return std::vector<SwitchEvent>{Disconnected{"no answer that can be read", true}}; };
}

}  // namespace paytower::test
