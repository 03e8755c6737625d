// Messages for people, on stderr: one line each, "warning: ...". Program output goes to stdout and not through here.
#pragma once

#include <fmt/format.h>

#include <string_view>

namespace sensorium {

enum class LogLevel { error = 0, warning = 1, info = 2, debug = 3 };

// Default: warning, or the environment's SENSORIUM_LOG (error, warning, info, debug).
void set_log_level(LogLevel level);
void log_line(LogLevel level, std::string_view message);

template <typename... Args>
void log_warning(fmt::format_string<Args...> format, Args&&... args) {
  log_line(LogLevel::warning, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void log_info(fmt::format_string<Args...> format, Args&&... args) {
  log_line(LogLevel::info, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace sensorium
