#include "base/log.h"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace sensorium {
namespace {

LogLevel level_from_environment() {
  const char* text = std::getenv("SENSORIUM_LOG");
  const std::string_view name = text == nullptr ? "" : text;
  if (name == "error") return LogLevel::error;
  if (name == "info") return LogLevel::info;
  if (name == "debug") return LogLevel::debug;
  return LogLevel::warning;
}

std::atomic<LogLevel>& current_level() {
  static std::atomic<LogLevel> level{level_from_environment()};
  return level;
}

}  // namespace

void set_log_level(LogLevel level) { current_level() = level; }

void log_line(LogLevel level, std::string_view message) {
  if (level > current_level().load()) return;
  static constexpr const char* kPrefix[] = {"error: ", "warning: ", "", "debug: "};
  std::string line = fmt::format("{}{}\n", kPrefix[static_cast<int>(level)], message);
  std::fwrite(line.data(), 1, line.size(), stderr);
}

}  // namespace sensorium
