// Reads HTTP/1.1 requests (RFC 9112) from bytes that come in pieces. It is strict where leniency lets two servers disagree
// about where a request ends: bare line feeds, folded headers, blanks before a colon, both Content-Length and
// Transfer-Encoding, several lengths, and codings other than "chunked" are refused.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "server/http/message.h"

namespace sensorium::server {

struct RequestLimits {
  size_t max_target_bytes = 8 << 10;
  size_t max_head_bytes = 32 << 10;  // request line and headers
  size_t max_headers = 100;
  size_t max_body_bytes = size_t{64} << 20;
};

class RequestParser {
 public:
  enum class State : uint8_t { head, body, complete, failed };

  explicit RequestParser(const RequestLimits& limits = {}) : limits_(limits) {}

  // Takes bytes up to the end of the request; returns how many. Call it until complete or failed.
  size_t feed(std::string_view bytes);
  State state() const { return state_; }
  // Whether any byte of a request has come.
  bool begun() const { return state_ != State::head || !head_.empty(); }
  // The client waits for "100 Continue" before it sends the body.
  bool wants_continue() const { return wants_continue_; }
  // Of the body, so far.
  size_t body_bytes() const { return request_.body.size(); }
  // Of a failed request: the status to answer with, and why.
  int status() const { return status_; }
  const std::string& reason() const { return reason_; }

  // The complete request; the parser is ready for the next one.
  Request take();

 private:
  enum class Chunk : uint8_t { size, data, data_end, trailer };

  size_t feed_head(std::string_view bytes);
  size_t feed_chunked(std::string_view bytes);
  void parse_head();
  bool parse_request_line(std::string_view line);
  bool parse_header(std::string_view line);
  bool choose_framing();
  // Ends a line of a chunked body: its size, or a trailer.
  void end_chunk_line();
  bool fail(int status, std::string reason);

  RequestLimits limits_;
  State state_ = State::head;
  Request request_;
  std::string head_;
  size_t scanned_ = 0;  // of head_, where the search for its end goes on
  uint64_t length_ = 0;
  bool chunked_ = false, wants_continue_ = false;
  Chunk chunk_ = Chunk::size;
  uint64_t chunk_left_ = 0;
  std::string line_;
  size_t trailer_bytes_ = 0;
  int status_ = 400;
  std::string reason_;
};

}  // namespace sensorium::server
