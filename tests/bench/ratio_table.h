// The table that the benchmarks print: our figure, the one it is compared with, and the ratio.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

namespace paytower::bench {

/// Registers benchmarks with Google Benchmark, runs them, and prints the results as one table. Absolute times mean
/// little on shared machines. So the repetitions of all benchmarks are interleaved, a slow moment hits all of them
/// alike, and the result is the ratio of the medians, followed by the lowest and highest ratio of a repetition.
class RatioTable final : public benchmark::BenchmarkReporter {
 public:
  /// `work` runs all iterations, which make `payments` payments in all.
  void measure(const std::string& name, std::size_t iterations, std::size_t payments,
               const std::function<void(benchmark::State&)>& work);

  /// A line of the table: the benchmark `ours`, and its ratio to each benchmark of `beside`. No line if it was filtered
  /// out.
  void line(const std::string& title, const std::string& ours, const std::vector<std::string>& beside = {});

  bool ReportContext(const Context& context) override;
  void ReportRuns(const std::vector<Run>& runs) override;
  void Finalize() override;

 private:
  struct Line {
    std::string title;
    std::string ours;
    std::vector<std::string> beside;
  };
  /// All repetitions of a benchmark, in their order.
  struct Measured {
    std::vector<double> rates;   ///< payments a second
    std::vector<double> cpu_us;  ///< CPU time for each payment, of the whole process, in microseconds
    std::map<std::string, std::vector<double>> counters;
  };

  [[nodiscard]] const Measured* find(const std::string& name) const;

  std::map<std::string, double> payments_;  ///< of a run of each benchmark
  std::vector<Line> lines_;
  std::map<std::string, Measured> measured_;
};

}  // namespace paytower::bench
