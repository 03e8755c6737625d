// One HTTP GET, over libcurl. Nothing here retries or writes files: download.h does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>

namespace sensorium::hub {

struct HttpRequest {
  std::string url;              // http or https
  uint64_t offset = 0;          // asks for the bytes from here on; 0: for all
  std::string if_range;         // ETag: a server whose file is another one by now sends all of it
  std::string bearer_token;     // sent to the host of `url` only, not to where it redirects
  int max_redirects = 5;        // never from https to http
  double stall_timeout_s = 60;  // the longest time without a byte, and for connecting
};

// Of the last answer, after redirects.
struct HttpResponse {
  long status = 0;
  std::optional<uint64_t> content_length;  // of this answer's body
  std::optional<uint64_t> range_begin;     // Content-Range of a 206
  std::optional<uint64_t> total_bytes;     // of the whole file: Content-Range, or the length of a 200
  std::string etag;                        // strong ones only: a weak one promises no equal bytes
  std::optional<double> retry_after_s;
};

// How the transfer ended, beside the status.
struct HttpOutcome {
  HttpResponse response;
  std::string failure;     // "" if the whole answer came
  bool transient = false;  // a failure that another try may not meet: no route, cut off, timed out
};

// `on_response` is called once, before the first byte of a body; `on_bytes` for each piece of it. What they throw ends the
// transfer and is thrown on. Looks at interrupted(), and throws Error(interrupted).
HttpOutcome http_get(const HttpRequest& request, const std::function<void(const HttpResponse&)>& on_response,
                     const std::function<void(std::span<const std::byte>)>& on_bytes);

}  // namespace sensorium::hub
