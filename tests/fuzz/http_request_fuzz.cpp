// Any bytes give a request within the limits or a refusal, and how they are cut into pieces changes nothing.
// Seeds: tests/server/requests
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "server/http/request_parser.h"

namespace {

using sensorium::server::RequestParser;

struct Outcome {
  RequestParser::State state = RequestParser::State::head;
  int status = 0;
  std::string path, body;
  size_t headers = 0, used = 0;
  bool operator==(const Outcome&) const = default;
};

Outcome parse(std::string_view bytes, size_t step) {
  RequestParser parser({.max_target_bytes = 256, .max_head_bytes = 2048, .max_headers = 20, .max_body_bytes = 4096});
  size_t at = 0;
  while (at < bytes.size() && parser.state() != RequestParser::State::failed &&
         parser.state() != RequestParser::State::complete) {
    const size_t used = parser.feed(bytes.substr(at, step));
    if (used == 0 && parser.state() != RequestParser::State::failed && parser.state() != RequestParser::State::complete)
      std::abort();
    at += used;
  }
  Outcome outcome{.state = parser.state()};
  if (parser.state() == RequestParser::State::failed) outcome.status = parser.status();
  if (parser.state() != RequestParser::State::complete) return outcome;
  outcome.used = at;
  const sensorium::server::Request request = parser.take();
  if (request.body.size() > 4096 || request.headers.size() > 20 || !request.path.starts_with('/')) std::abort();
  if (request.path.find("/../") != std::string::npos || request.path.find('\0') != std::string::npos) std::abort();
  (void)request.parameter("key");
  outcome.path = request.path;
  outcome.body = request.body;
  outcome.headers = request.headers.size();
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const Outcome whole = parse(bytes, size + 1);
  for (const size_t step : {size_t{1}, size_t{3}}) {
    const Outcome pieces = parse(bytes, step);
    // A request line that is too long is seen earlier in pieces than with the headers behind it.
    const bool both_failed = whole.state == RequestParser::State::failed && pieces.state == whole.state;
    if (!both_failed && pieces != whole) std::abort();
  }
  return 0;
}
