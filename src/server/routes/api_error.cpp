#include "server/routes/api_error.h"

#include "base/json.h"
#include "base/log.h"

namespace sensorium::server {
namespace {

// OpenAI's word for the kind of a status.
const char* openai_type(int status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 403:
      return "permission_error";
    case 429:
      return "rate_limit_error";
    default:
      return status < 500 ? "invalid_request_error" : "server_error";
  }
}

// Google's canonical codes (google.rpc.Code).
const char* google_status(int status) {
  switch (status) {
    case 400:
    case 413:
    case 415:
    case 422:
      return "INVALID_ARGUMENT";
    case 401:
      return "UNAUTHENTICATED";
    case 403:
      return "PERMISSION_DENIED";
    case 404:
      return "NOT_FOUND";
    case 429:
      return "RESOURCE_EXHAUSTED";
    case 501:
      return "UNIMPLEMENTED";
    case 503:
      return "UNAVAILABLE";
    case 504:
      return "DEADLINE_EXCEEDED";
    default:
      return status < 500 ? "FAILED_PRECONDITION" : "INTERNAL";
  }
}

OrderedJson text_or_null(const std::string& text) { return text.empty() ? OrderedJson() : OrderedJson(text); }

}  // namespace

ApiError to_api_error(const Error& error) {
  if (const auto* const known = dynamic_cast<const ApiError*>(&error)) return *known;
  switch (error.kind()) {
    case ErrorKind::usage:
    case ErrorKind::invalid_data:
    case ErrorKind::unsupported:
      return {400, error.message()};
    case ErrorKind::not_found:
      return {404, error.message()};
    case ErrorKind::limit:
      return {400, error.message(), "limit_exceeded"};
    case ErrorKind::interrupted:
      return ApiError(503, "the server is being stopped", "shutting_down").retry_after(5);
    default:
      log_warning("request failed: {}", error.message());
      return {500, "the server could not do this; its log says why"};
  }
}

ApiError to_api_error(JobSink::Fault fault, const Error& error) {
  switch (fault) {
    case JobSink::Fault::request:
      if (error.kind() == ErrorKind::limit) return {400, error.message(), "context_length_exceeded", "messages"};
      return to_api_error(error);
    case JobSink::Fault::overload:
      log_warning("request failed: {}", error.message());
      return ApiError(503, "the server has no memory left for this answer; try again later", "overloaded")
          .retry_after(5);
    case JobSink::Fault::deadline:
      return {504, error.message(), "timeout"};
    case JobSink::Fault::shutdown:
      return ApiError(503, "the server is being stopped", "shutting_down").retry_after(5);
    case JobSink::Fault::server:
      break;
  }
  log_warning("request failed: {}", error.message());
  return {500, "the server could not do this; its log says why"};
}

std::string error_body(const ApiError& error, Dialect dialect) {
  OrderedJson body;
  switch (dialect) {
    case Dialect::openai:
      body["error"] = {{"message", error.message()},
                       {"type", openai_type(error.status())},
                       {"param", text_or_null(error.param())},
                       {"code", text_or_null(error.code())}};
      break;
    case Dialect::gemini:
      body["error"] = {
          {"code", error.status()}, {"message", error.message()}, {"status", google_status(error.status())}};
      break;
    case Dialect::ollama:
      body["error"] = error.message();
      break;
  }
  return body.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
}

Response error_response(const ApiError& error, Dialect dialect) {
  Response response{.status = error.status(), .body = error_body(error, dialect)};
  if (error.retry_after_s()) response.headers.emplace_back("Retry-After", std::to_string(*error.retry_after_s()));
  if (error.status() == 401) response.headers.emplace_back("WWW-Authenticate", "Bearer");
  return response;
}

}  // namespace sensorium::server
