// One seed of the soak: a world in which everything goes wrong at rates that the seed draws, and in which, once the
// faults have stopped, every payment must end.
#pragma once

#include <algorithm>
#include <array>
#include <bitset>
#include <cstdint>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "tests/crash/crash_world.h"

namespace paytower::test {

/// What payments in parts went through, counted once for each payment.
enum class Met : std::uint8_t {
  in_parts,          ///< a round of several
  replaced,          ///< a part failed beside the others, and another one took its place in the round
  later_round,       ///< all of a round failed, and another one followed
  given_back,        ///< the payee waited for the rest in vain
  fenced,            ///< a part without a record
  proof_beside,      ///< a part settled, and the end of another one was not known
  lost_preimage,     ///< a part's record went, and another part had the proof
  stopped_beside,    ///< cancel, deadline or a final failure while parts were open
  closed,            ///< by a decision by hand
  half_handed_over,  ///< the process died between the hand-overs of a round
  theirs,            ///< another user of the node paid the hash
  count
};
inline constexpr std::size_t met_count = static_cast<std::size_t>(Met::count);

/// How the payments of a run ended, and what was done to them.
struct Tally {
  std::size_t payments = 0;
  std::size_t paid = 0;
  std::size_t failed = 0;
  std::size_t unknown = 0;  ///< paid or written off without a preimage
  std::size_t deleted = 0;
  std::uint64_t disk_faults = 0;  ///< how many were reached
  std::uint64_t deaths = 0;       ///< of processes and machines, counted in disk_faults too
  std::uint64_t network_faults = 0;
  std::uint64_t words = 0;  ///< decisions by hand, where nothing else could end a payment
  std::size_t paid_in_parts = 0;
  std::uint64_t parts = 0;       ///< HTLCs of payments that had several in one round
  std::uint64_t most_parts = 0;  ///< the most that settled one payment
  std::array<std::uint64_t, met_count> met{};

  Tally& operator+=(const Tally& other) {
    payments += other.payments;
    paid += other.paid;
    failed += other.failed;
    unknown += other.unknown;
    deleted += other.deleted;
    disk_faults += other.disk_faults;
    deaths += other.deaths;
    network_faults += other.network_faults;
    words += other.words;
    paid_in_parts += other.paid_in_parts;
    parts += other.parts;
    most_parts = std::max(most_parts, other.most_parts);
    for (std::size_t i = 0; i < met_count; ++i) met[i] += other.met[i];
    return *this;
  }
};

inline constexpr const char* another = "another wallet";

class Run {
 public:
  Run(std::uint64_t seed, std::uint64_t payments);
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  /// Runs the seed, up to the first step that breaks a rule. A line for each broken rule.
  std::vector<std::string> play();
  /// Same seed, same payments, same hash.
  [[nodiscard]] std::string trace_hash() const;
  [[nodiscard]] const Tally& tally() const { return tally_; }

 private:
  enum class Memory : std::uint8_t { late_copies, erased_rows, erased_lists };

  // Only the engine's own numbers are used: the standard distributions differ from library to library.
  std::uint64_t below(std::uint64_t end) { return random_() % end; }
  bool percent(std::uint64_t chance) { return below(100) < chance; }
  template <std::size_t n> static std::uint64_t any_of(Run& run, const std::array<std::uint64_t, n>& of) {
    return of[run.below(n)];
  }

  // --- the phase in which everything goes wrong ---
  void step();
  void act();
  [[nodiscard]] std::vector<PaymentRequest> make_invoices();
  [[nodiscard]] PaymentRequest make_invoice();
  void move_money();
  void send_again();
  void delete_one();
  void decide_by_hand();
  /// What another process does between two steps of this one.
  void interfere();
  void let_go();
  void judge();

  // --- faults ---
  void arm_disk();
  void spoil_network(const PaymentHash& hash);
  void erase_records();
  void pay_as_another();
  [[nodiscard]] const PaymentHash& somebody();

  // --- the end ---
  void calm();
  void end_all();
  void send_the_rest();
  void old_node();
  void use_words();
  void check_ends();
  [[nodiscard]] bool may_need_a_decision(const Payment& payment);
  [[nodiscard]] bool beside_anothers_payment(const Payment& payment);
  void careful_decision(const PaymentHash& hash);
  void count_ends();
  void count_end(const Payment& payment);

  // --- what was reached ---
  void listen(const Payment& payment);
  void look_for_halves();
  void reach(const Payment& payment, Met what, bool reached);

  void note(const char* what, bool well);
  void broken(std::string what) { broken_.push_back(std::move(what)); }
  [[nodiscard]] std::vector<Payment> unfinished();

  std::mt19937_64 random_;
  std::uint64_t wanted_;
  CrashWorld world_;
  Tally tally_;

  std::uint64_t kills_ = 0;  ///< percentage of processes that are killed
  std::uint64_t errors_ = 0;
  std::uint64_t network_ = 0;
  std::uint64_t shells_ = 0;
  std::uint64_t company_ = 0;  ///< per ten thousand steps of a process
  Memory memory_ = Memory::late_copies;
  bool liars_ = false;     ///< payees give preimages that prove nothing
  bool orphans_ = false;   ///< some rows stay pending for ever
  bool thin_ = false;      ///< our channels hold little each, and their balances change
  bool restored_ = false;  ///< at the end the node starts from an old copy, or with a new store

  std::vector<PaymentHash> open_;  ///< judged after each step
  std::vector<PaymentHash> held_;  ///< by their payees, for ever if nobody lets them go
  std::map<PaymentHash, std::bitset<met_count>> met_;
  std::set<PaymentHash> stalled_;  ///< have settled or failed already: a release cannot change that any more
  std::set<PaymentHash> excused_;  ///< because of what was done to them, only the operator may be able to end them
  unsigned unjudged_ = 0;
  std::vector<std::string> broken_;
};

}  // namespace paytower::test
