// Shorthands for the errors that parsers of untrusted bytes return.
#pragma once

#include <utility>

#include "base/error.h"

namespace sensorium::io {

template <typename... Args>
Error invalid(fmt::format_string<Args...> format, Args&&... args) {
  return Error(ErrorKind::invalid_data, fmt::format(format, std::forward<Args>(args)...));
}

template <typename... Args>
Error unsupported(fmt::format_string<Args...> format, Args&&... args) {
  return Error(ErrorKind::unsupported, fmt::format(format, std::forward<Args>(args)...));
}

template <typename... Args>
Error over_limit(fmt::format_string<Args...> format, Args&&... args) {
  return Error(ErrorKind::limit, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace sensorium::io
