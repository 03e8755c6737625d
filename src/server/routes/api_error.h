// Errors as clients see them: a status, and a body in the form that the API they speak has.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "base/error.h"
#include "server/http/message.h"
#include "server/scheduling/job.h"

namespace sensorium::server {

// Whose requests and answers a route understands.
enum class Dialect : uint8_t { openai, gemini, ollama };

class ApiError : public Error {
 public:
  ApiError(int status, std::string message, std::string code = {}, std::string param = {})
      : Error(ErrorKind::usage, std::move(message)),
        status_(status),
        code_(std::move(code)),
        param_(std::move(param)) {}

  int status() const { return status_; }
  const std::string& code() const { return code_; }    // "model_not_found"; "" for none
  const std::string& param() const { return param_; }  // the member of the request that is wrong; "" for none
  ApiError& retry_after(int64_t seconds) {
    retry_after_s_ = seconds;
    return *this;
  }
  std::optional<int64_t> retry_after_s() const { return retry_after_s_; }

 private:
  int status_;
  std::string code_, param_;
  std::optional<int64_t> retry_after_s_;
};

// Of a request's own fault the message is told; of the server's only that there was one, since it may name files.
ApiError to_api_error(const Error& error);
ApiError to_api_error(JobSink::Fault fault, const Error& error);

// The body alone, for streams that have begun.
std::string error_body(const ApiError& error, Dialect dialect);
Response error_response(const ApiError& error, Dialect dialect);

}  // namespace sensorium::server
