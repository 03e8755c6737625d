#include "server/http/request_parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <utility>

namespace sensorium::server {
namespace {

constexpr std::string_view kHeadEnd = "\r\n\r\n";
constexpr size_t kMaxAroundTarget = 32;  // method, version and blanks of a request line
constexpr size_t kMaxChunkLine = 256, kMaxTrailerBytes = 4096;

// RFC 9110, section 5.6.2.
bool is_token(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](unsigned char c) {
    return std::isalnum(c) != 0 ||
           std::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) != std::string_view::npos;
  });
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

std::string_view trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") + 1 - first);
}

// "." and ".." resolved; none if the path leads above its root.
std::optional<std::string> without_dots(std::string_view path) {
  std::vector<std::string_view> segments;
  bool ends_open = false;
  for (size_t at = 1; at <= path.size();) {
    const size_t end = std::min(path.find('/', at), path.size());
    const std::string_view segment = path.substr(at, end - at);
    ends_open = segment.empty() || segment == "." || segment == "..";
    if (segment == "..") {
      if (segments.empty()) return std::nullopt;
      segments.pop_back();
    } else if (segment != "." && !segment.empty()) {
      segments.push_back(segment);
    }
    at = end + 1;
  }
  std::string out;
  for (const std::string_view segment : segments) (out += '/') += segment;
  return ends_open || out.empty() ? out + "/" : out;
}

bool has_word(std::string_view list, std::string_view word) {
  while (!list.empty()) {
    const std::string_view item = list.substr(0, list.find(','));
    list.remove_prefix(std::min(list.size(), item.size() + 1));
    if (lower(trimmed(item)) == word) return true;
  }
  return false;
}

}  // namespace

bool RequestParser::fail(int status, std::string reason) {
  state_ = State::failed;
  status_ = status;
  reason_ = std::move(reason);
  return false;
}

size_t RequestParser::feed(std::string_view bytes) {
  size_t used = 0;
  if (state_ == State::head) used = feed_head(bytes);
  if (state_ != State::body) return used;
  if (chunked_) return used + feed_chunked(bytes.substr(used));
  const size_t some = std::min<uint64_t>(length_ - request_.body.size(), bytes.size() - used);
  request_.body += bytes.substr(used, some);
  if (request_.body.size() == length_) state_ = State::complete;
  return used + some;
}

size_t RequestParser::feed_head(std::string_view bytes) {
  size_t skipped = 0;
  // An empty line before a request is passed over (RFC 9112, section 2.2).
  while (head_.empty() && skipped < bytes.size() && (bytes[skipped] == '\r' || bytes[skipped] == '\n')) ++skipped;
  const size_t before = head_.size();
  const std::string_view rest = bytes.substr(skipped, limits_.max_head_bytes + 1 - before);
  head_ += rest;
  if (std::min(head_.find('\r'), head_.size()) > limits_.max_target_bytes + kMaxAroundTarget) {
    fail(414, fmt::format("the request line is longer than {} bytes", limits_.max_target_bytes));
    return skipped + rest.size();
  }
  const size_t end = head_.find(kHeadEnd, scanned_ < 3 ? 0 : scanned_ - 3);
  scanned_ = head_.size();
  if (end == std::string::npos) {
    if (head_.size() > limits_.max_head_bytes)
      fail(431, fmt::format("request line and headers are longer than {} bytes", limits_.max_head_bytes));
    return skipped + rest.size();
  }
  const size_t used = skipped + end + kHeadEnd.size() - before;
  head_.resize(end);
  parse_head();
  return used;
}

void RequestParser::parse_head() {
  size_t at = head_.find("\r\n");
  if (!parse_request_line(std::string_view(head_).substr(0, at))) return;
  while (at != std::string::npos) {
    const size_t begin = at + 2;
    at = head_.find("\r\n", begin);
    const size_t end = at == std::string::npos ? head_.size() : at;
    if (!parse_header(std::string_view(head_).substr(begin, end - begin))) return;
  }
  if (!choose_framing()) return;
  state_ = !chunked_ && length_ == 0 ? State::complete : State::body;
}

bool RequestParser::parse_request_line(std::string_view line) {
  const size_t first = line.find(' '), last = line.rfind(' ');
  if (first == std::string_view::npos || first == last)
    return fail(400, "the request line is no METHOD TARGET VERSION");
  const std::string_view method = line.substr(0, first), target = line.substr(first + 1, last - first - 1),
                         version = line.substr(last + 1);
  if (!is_token(method) || method.size() > 16) return fail(400, "the method is no word");
  if (version != "HTTP/1.1" && version != "HTTP/1.0") {
    return version.starts_with("HTTP/") ? fail(505, "only HTTP/1.1 and HTTP/1.0 are spoken here")
                                        : fail(400, "the request line is no METHOD TARGET VERSION");
  }
  if (target.size() > limits_.max_target_bytes)
    return fail(414, fmt::format("the target is longer than {} bytes", limits_.max_target_bytes));
  const bool printable = std::ranges::all_of(target, [](unsigned char c) { return c > 0x20 && c < 0x7f; });
  if (!printable || !target.starts_with('/')) return fail(400, "the target is no path");
  request_.method = method;
  request_.minor_version = version.back() - '0';
  request_.keep_alive = request_.minor_version == 1;
  const std::string_view fragmentless = target.substr(0, target.find('#'));
  const size_t question = fragmentless.find('?');
  if (question != std::string_view::npos) request_.query = fragmentless.substr(question + 1);
  const std::optional<std::string> decoded = percent_decode(fragmentless.substr(0, question));
  std::optional<std::string> path = decoded ? without_dots(*decoded) : std::nullopt;
  if (!path) return fail(400, "the path has a broken escape or leads above its root");
  request_.path = std::move(*path);
  return true;
}

bool RequestParser::parse_header(std::string_view line) {
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon)))
    return fail(400, "a header is no NAME: VALUE");
  const std::string_view value = trimmed(line.substr(colon + 1));
  const bool clean = std::ranges::all_of(value, [](unsigned char c) { return c == '\t' || (c >= 0x20 && c != 0x7f); });
  if (!clean) return fail(400, "a header's value has control characters");
  if (request_.headers.size() == limits_.max_headers)
    return fail(431, fmt::format("there are more than {} headers", limits_.max_headers));
  request_.headers.emplace_back(lower(line.substr(0, colon)), value);
  return true;
}

bool RequestParser::choose_framing() {
  int lengths = 0, codings = 0, hosts = 0;
  for (const auto& [name, value] : request_.headers) {
    if (name == "content-length") {
      const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), length_);
      const bool number = error == std::errc() && end == value.data() + value.size() && !value.empty();
      if (!number) return fail(400, "Content-Length is no number");
      ++lengths;
    } else if (name == "transfer-encoding") {
      if (lower(value) != "chunked") return fail(501, "the only transfer coding understood is chunked");
      ++codings;
    } else if (name == "host") {
      ++hosts;
    } else if (name == "connection") {
      if (has_word(value, "close")) request_.keep_alive = false;
      if (has_word(value, "keep-alive")) request_.keep_alive = true;
    } else if (name == "expect") {
      if (lower(value) != "100-continue") return fail(417, "the only expectation understood is 100-continue");
      wants_continue_ = true;
    }
  }
  if (lengths > 1 || codings > 1 || lengths + codings > 1)
    return fail(400, "the request says its length more than once");
  if (codings > 0 && request_.minor_version == 0) return fail(400, "HTTP/1.0 has no transfer codings");
  if (hosts > 1 || (hosts == 0 && request_.minor_version == 1)) return fail(400, "a request has exactly one Host");
  if (length_ > limits_.max_body_bytes) {
    return fail(413, fmt::format("the body has {} bytes, this server takes {}", length_, limits_.max_body_bytes));
  }
  chunked_ = codings > 0;
  return true;
}

size_t RequestParser::feed_chunked(std::string_view bytes) {
  size_t at = 0;
  while (at < bytes.size() && state_ == State::body) {
    if (chunk_ == Chunk::data) {
      const size_t some = std::min<uint64_t>(chunk_left_, bytes.size() - at);
      request_.body += bytes.substr(at, some);
      at += some;
      chunk_left_ -= some;
      if (chunk_left_ == 0) chunk_ = Chunk::data_end;
      continue;
    }
    const char c = bytes[at++];
    line_ += c;
    if (line_.size() > kMaxChunkLine || (chunk_ == Chunk::data_end && line_.size() > 2)) {
      fail(400, "a line of the chunked body is too long");
    } else if (c == '\n') {
      end_chunk_line();
    }
  }
  return at;
}

void RequestParser::end_chunk_line() {
  if (!line_.ends_with("\r\n")) {
    fail(400, "a line of the chunked body does not end in CR LF");
    return;
  }
  const std::string line = std::exchange(line_, {});
  const std::string_view text = std::string_view(line).substr(0, line.size() - 2);
  switch (chunk_) {
    case Chunk::data_end:
      chunk_ = Chunk::size;
      return;
    case Chunk::trailer:
      trailer_bytes_ += line.size();
      if (text.empty()) {
        state_ = State::complete;
      } else if (trailer_bytes_ > kMaxTrailerBytes) {
        fail(431, "the trailers are too long");
      }
      return;
    case Chunk::size:
    case Chunk::data: {
      const std::string_view digits = trimmed(text.substr(0, text.find(';')));
      const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), chunk_left_, 16);
      if (error != std::errc() || digits.empty() || end != digits.data() + digits.size()) {
        fail(400, "a chunk's size is no hexadecimal number");
      } else if (chunk_left_ > limits_.max_body_bytes - request_.body.size()) {
        fail(413, fmt::format("the body is larger than the {} bytes that this server takes", limits_.max_body_bytes));
      } else {
        chunk_ = chunk_left_ == 0 ? Chunk::trailer : Chunk::data;
      }
      return;
    }
  }
}

Request RequestParser::take() {
  Request request = std::move(request_);
  *this = RequestParser(limits_);
  return request;
}

}  // namespace sensorium::server
