// The proof that a lost request is dead (lnd/README 7). One proof for each hash at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "core/driver/ports.h"
#include "core/switch/lnd/conclusions.h"
#include "core/switch/lnd/evidence.h"
#include "core/switch/lnd/link.h"

namespace paytower::lnd {

/// A copy that passed lnd's check of its time may wait for lnd's database: a Go mutex is fair after 1 ms, and the SQL
/// store tries again some ten times, at most a second apart. A fence must be held for this long after such a copy.
inline constexpr std::int64_t fence_hold_ns = 5 * ns_per_second;
/// A fence or a release that was not accepted by then never will be: a late one could end a later record.
inline constexpr std::int64_t fence_life_ns = 5 * ns_per_second;

/// What a fence needs to know.
struct FenceGround {
  PublicKey node;            ///< any node that lnd can name
  std::uint32_t height = 0;  ///< of the chain
};

/// Look, end a record of ours that is in the way, fence, look, hold, look: the record must be the same fence all the
/// time, and one of our HTLCs must have joined it after the attempt's time was over. A fence that an earlier process
/// has left, and that comes after the attempt, is held without another one. If lnd says that the hash is paid, its
/// refusal of the fence is the write that comes after every copy.
class FenceProof : public std::enable_shared_from_this<FenceProof> {
 public:
  struct Guarded {
    AttemptKey key;
    UnixNs dies_at;
    Msat total;  ///< of the whole payment
  };
  /// `dead`: the attempts of which no copy is on its way. The others have to be looked at.
  using Done = std::function<void(std::vector<AttemptKey> dead)>;

  FenceProof(Link& link, Clock& clock, const StoreId& store, FenceGround ground, Guarded first, Done done);
  /// Adds another attempt of the same hash. Its time must be over too.
  void add(const Guarded& more);
  [[nodiscard]] const std::vector<Guarded>& guarded() const { return guarded_; }

  /// REQUIRES: owned by a shared_ptr. `done` is called once, unless the questions are dropped.
  void start();
  /// From now on nothing is reported and nothing more is asked.
  void abandon() { done_ = nullptr; }
  /// The time at which go_on() has something to do.
  [[nodiscard]] std::optional<MonoNs> due() const { return hold_until_; }
  void go_on();

 private:
  using Seen = std::function<void(const TrackMeaning&)>;
  void look(Seen seen);
  void first_look(const TrackMeaning& seen);
  void clear_own();
  void fence(bool paid);
  [[nodiscard]] bool take_standing(const Record& record);
  void second_look(const TrackMeaning& seen);
  void last_look(const TrackMeaning& seen);
  [[nodiscard]] bool is_in_way(const Record& record) const;
  void end_paid(const RestEnd& end);
  [[nodiscard]] std::vector<AttemptKey> guarded_by(const Record& record) const;
  void end(std::vector<AttemptKey> dead);

  Link& link_;
  Clock& clock_;
  StoreId store_;
  FenceGround ground_;
  std::vector<Guarded> guarded_;
  Done done_;
  UnixNs fenced_at_{};  ///< by lnd's clock the fence was not sent before this time
  UnixNs created_{};  ///< when the fence's record was made; if it has changed after the hold, it is not the same record
  std::optional<MonoNs> hold_until_;
};

/// Sends the fence, or the request that ends it. Each carries a mark of `store`. lnd accepts neither later than
/// fence_life_ns from now.
void send_fence(Link& link, const StoreId& store, const FenceGround& ground, const AttemptKey& key, Link::Ended ended);
void send_release(Link& link, const StoreId& store, const FenceGround& ground, const PaymentHash& hash,
                  Link::Ended ended);

}  // namespace paytower::lnd
