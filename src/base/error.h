// Errors. One exception type ends a request, a training step or a command; it is caught in the CLI's main, the server's
// handler and the trainer's loop. Parsers of untrusted bytes return Result<T> instead of throwing.
#pragma once

#include <fmt/format.h>

#include <exception>
#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace sensorium {

enum class ErrorKind {
  usage,         // wrong command line or recipe: exit code 2
  not_found,     // a file, tensor, model or table entry that does not exist
  invalid_data,  // bytes that are not what they claim to be
  unsupported,   // valid, but beyond what this build can do
  shape,         // tensor shapes or dtypes that do not fit together
  limit,         // larger than a stated limit (pixels, tokens, memory)
  numeric,       // NaN or infinity where a number is needed
  io,            // the operating system refused (permissions, full disk)
  interrupted,   // Ctrl-C or SIGTERM: exit code 130
};

// What happened, in one line: what was given, what was expected, what to do.
class Error : public std::exception {
 public:
  Error(ErrorKind kind, std::string message) : kind_(kind), message_(std::move(message)) {}

  ErrorKind kind() const { return kind_; }
  const std::string& message() const { return message_; }
  const char* what() const noexcept override { return message_.c_str(); }

  // Prepends where it happened: "photo.jpg: truncated JPEG".
  Error with_context(const std::string& context) const { return Error(kind_, context + ": " + message_); }

 private:
  ErrorKind kind_;
  std::string message_;
};

template <typename... Args>
[[noreturn]] void fail(ErrorKind kind, fmt::format_string<Args...> format, Args&&... args) {
  throw Error(kind, fmt::format(format, std::forward<Args>(args)...));
}

// Throws Error(kind, formatted message) unless `condition` holds.
template <typename... Args>
void require(bool condition, ErrorKind kind, fmt::format_string<Args...> format, Args&&... args) {
  if (!condition) fail(kind, format, std::forward<Args>(args)...);
}

// A value or an Error: the return type of every parser of untrusted bytes.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: implicit by design
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: implicit by design

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }
  const Error& error() const { return std::get<1>(state_); }
  T& value() & { return throw_if_error(), std::get<0>(state_); }
  const T& value() const& { return throw_if_error(), std::get<0>(state_); }
  T&& value() && { return throw_if_error(), std::get<0>(std::move(state_)); }

 private:
  void throw_if_error() const {
    if (!ok()) throw error();
  }
  std::variant<T, Error> state_;
};

}  // namespace sensorium
