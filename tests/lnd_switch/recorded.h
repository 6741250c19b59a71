// Conversations with a real lnd, as they were recorded.
#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace paytower::test {

/// One answer, or one line of a stream, with the request that it belongs to.
struct Exchange {
  std::string place;  ///< file and line
  std::string method;
  std::string path;
  std::string asked;  ///< the request's body
  int status = 0;
  std::string body;
};

inline std::string body_behind_head(const std::string& raw) {
  const auto end = raw.find("\r\n\r\n");
  return end == std::string::npos ? std::string() : raw.substr(end + 4);
}

/// The answers to all recorded requests whose path begins with `path`.
inline std::vector<Exchange> recorded(const std::string& path) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(std::string(PAYTOWER_TEST_DATA) + "/data/lndnode"))
    files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  std::vector<Exchange> found;
  for (const auto& file : files) {
    std::map<std::string, Exchange> open;  // by connection
    std::ifstream in(file);
    std::string line;
    for (int number = 1; std::getline(in, line); ++number) {
      const auto said = nlohmann::json::parse(line);
      const std::string kind = said.value("dir", "");
      Exchange& exchange = open[said.value("conn", "")];
      if (kind == "req")
        exchange = Exchange{
            "", said.value("method", ""), said.value("path", ""), body_behind_head(said.value("raw", "")), 0, ""};
      if (kind != "res" || exchange.path.rfind(path, 0) != 0) continue;
      exchange.place = file.filename().string() + ":" + std::to_string(number);
      exchange.status = said.value("status", 0);
      std::istringstream lines(said.value("raw", ""));  // several lines of a stream may have come at once
      while (std::getline(lines, exchange.body)) found.push_back(exchange);
    }
  }
  return found;
}

}  // namespace paytower::test
