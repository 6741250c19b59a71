// Collects the runs of all benchmarks, and prints medians and ratios.
#include "tests/bench/ratio_table.h"

#include <algorithm>

#include <fmt/format.h>

namespace paytower::bench {

namespace {

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

std::string notes_of(const std::map<std::string, std::vector<double>>& counters) {
  std::string notes;
  for (const auto& [name, values] : counters) {
    const double value = median(values);
    notes += fmt::format("{}{:.{}f} {}", notes.empty() ? "" : ", ", value, value < 10 ? 3 : 0, name);
  }
  return notes;
}

}  // namespace

void RatioTable::measure(const std::string& name, std::size_t iterations, std::size_t payments,
                         const std::function<void(benchmark::State&)>& work) {
  payments_[name] = static_cast<double>(payments);
  benchmark::RegisterBenchmark(name.c_str(), work)
      ->Iterations(static_cast<benchmark::IterationCount>(iterations))
      ->UseRealTime()
      ->MeasureProcessCPUTime();
}

void RatioTable::line(const std::string& title, const std::string& ours, const std::vector<std::string>& beside) {
  lines_.push_back({title, ours, beside});
}

bool RatioTable::ReportContext(const Context&) { return true; }

void RatioTable::ReportRuns(const std::vector<Run>& runs) {
  for (const Run& run : runs) {
    if (run.run_type != Run::RT_Iteration || run.error_occurred) continue;
    const std::string& name = run.run_name.function_name;
    Measured& measured = measured_[name];
    measured.rates.push_back(payments_.at(name) / run.real_accumulated_time);
    measured.cpu_us.push_back(1e6 * run.cpu_accumulated_time / payments_.at(name));
    for (const auto& [counter, value] : run.counters) measured.counters[counter].push_back(value.value);
  }
}

const RatioTable::Measured* RatioTable::find(const std::string& name) const {
  const auto found = measured_.find(name);
  return found == measured_.end() ? nullptr : &found->second;
}

void RatioTable::Finalize() {
  fmt::print("{:<60} {:>10} {:>9} {:>7}\n", "medians", "a second", "CPU each", "ratio");
  for (const Line& line : lines_) {
    const Measured* ours = find(line.ours);
    if (ours == nullptr) continue;
    fmt::print("{:<60} {:>10.0f} {:>6.1f} us {:>7}  {}\n", line.title, median(ours->rates), median(ours->cpu_us), "",
               notes_of(ours->counters));
    for (const std::string& name : line.beside) {
      const Measured* floor = find(name);
      if (floor == nullptr) continue;
      std::vector<double> ratios;
      for (std::size_t i = 0; i < std::min(ours->rates.size(), floor->rates.size()); ++i)
        ratios.push_back(ours->rates[i] / floor->rates[i]);
      const auto [lowest, highest] = std::minmax_element(ratios.begin(), ratios.end());
      fmt::print("{:<60} {:>10.0f} {:>6.1f} us {:>7.2f}  {:.2f} to {:.2f} in {} repetitions{}{}\n", "  beside " + name,
                 median(floor->rates), median(floor->cpu_us), median(ours->rates) / median(floor->rates), *lowest,
                 *highest, ratios.size(), floor->counters.empty() ? "" : "; ", notes_of(floor->counters));
    }
  }
}

}  // namespace paytower::bench
