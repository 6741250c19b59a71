// Every record at the node that a store of ours made: for databases restored from an old backup (R12).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "core/driver/ports.h"
#include "core/switch/cln/counters.h"
#include "core/switch/rpc/client.h"

namespace paytower::cln {

/// Reads all of listsendpays, page by page if the node can do that.
class OwnRowsSearch : public std::enable_shared_from_this<OwnRowsSearch> {
 public:
  using Done = std::function<void(OwnRowsAnswer)>;

  /// `done` is not called if the connection is lost first.
  OwnRowsSearch(RpcClient& client, const StoreId& store, Done done)
      : client_(client), store_(store), done_(std::move(done)) {}
  /// REQUIRES: owned by a shared_ptr, which the search keeps alive until its end.
  void start() { ask_page(1); }

 private:
  void ask_page(std::uint64_t start);
  void ask_all();
  /// The largest created_index in the answer, and how many rows it has. Nothing if it cannot be used.
  struct Taken {
    std::uint64_t last = 0;
    std::size_t count = 0;
  };
  std::optional<Taken> take(const RpcReply& reply);

  RpcClient& client_;
  StoreId store_;
  Done done_;
  OwnRowsAnswer found_;
};

/// Reads what listsendpays has since the trace; or goes backwards from the newest row until it meets a row of the
/// store, or one that is older than the store or known to it.
class NewestOwnSearch : public std::enable_shared_from_this<NewestOwnSearch> {
 public:
  using Done = std::function<void(NewestOwnAnswer)>;

  /// `done` is not called if the connection is lost first.
  NewestOwnSearch(RpcClient& client, const StoreTrace& trace, Done done)
      : client_(client), trace_(trace), since_(counters_of(trace.since.value_or(Marks{})).payments_created),
        done_(std::move(done)) {}
  /// REQUIRES: owned by a shared_ptr, which the search keeps alive until its end.
  void start();

 private:
  static constexpr std::uint64_t first_page = 20;  ///< usually the newest row of all is ours
  static constexpr std::int64_t clock_slack_ns = 86'400 * ns_per_second;

  void ask_since(std::uint64_t first);
  void ask_newest();
  void ask_back_from(std::uint64_t last, std::uint64_t count);
  /// True if a row is older than the store.
  bool take(const nlohmann::json& rows);

  RpcClient& client_;
  StoreTrace trace_;
  std::optional<std::uint64_t> since_;  ///< from the trace, if it says it
  Done done_;
  NewestOwnAnswer found_;
};

}  // namespace paytower::cln
