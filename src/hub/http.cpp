#include "hub/http.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <exception>
#include <memory>
#include <string_view>

#include "base/error.h"
#include "base/interrupt.h"

namespace sensorium::hub {
namespace {

using Handle = std::unique_ptr<CURL, decltype(&curl_easy_cleanup)>;
using Headers = std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)>;

constexpr std::array kTransient = {CURLE_COULDNT_RESOLVE_HOST,
                                   CURLE_COULDNT_CONNECT,
                                   CURLE_COULDNT_RESOLVE_PROXY,
                                   CURLE_PARTIAL_FILE,
                                   CURLE_OPERATION_TIMEDOUT,
                                   CURLE_SSL_CONNECT_ERROR,
                                   CURLE_GOT_NOTHING,
                                   CURLE_SEND_ERROR,
                                   CURLE_RECV_ERROR,
                                   CURLE_HTTP2,
                                   CURLE_HTTP2_STREAM};

std::optional<uint64_t> read_number(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

std::string_view trimmed(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

// "bytes 100-199/200": where the part begins, and the length of the whole.
void read_content_range(std::string_view value, HttpResponse& response) {
  if (!value.starts_with("bytes ")) return;
  value.remove_prefix(6);
  const size_t slash = value.find('/'), dash = value.find('-');
  if (slash == std::string_view::npos) return;
  response.total_bytes = read_number(value.substr(slash + 1));
  if (dash < slash) response.range_begin = read_number(value.substr(0, dash));
}

void read_header(std::string_view line, HttpResponse& response) {
  if (line.starts_with("HTTP/")) {  // the first line of this answer, or of the one that it redirected to
    response = HttpResponse();
    return;
  }
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return;
  std::string name(line.substr(0, colon));
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const std::string_view value = trimmed(line.substr(colon + 1));
  if (name == "content-length") response.content_length = read_number(value);
  if (name == "content-range") read_content_range(value, response);
  if (name == "etag" && value.starts_with('"')) response.etag = value;
  if (name == "retry-after") {
    if (const auto seconds = read_number(value)) response.retry_after_s = static_cast<double>(*seconds);
  }
}

struct Transfer {
  CURL* curl;
  const std::function<void(const HttpResponse&)>& on_response;
  const std::function<void(std::span<const std::byte>)>& on_bytes;
  HttpResponse response;
  bool announced = false;
  std::exception_ptr thrown;  // nothing may be thrown through the library

  void announce() {
    if (announced) return;
    announced = true;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &response.status);
    if (response.status == 200) response.total_bytes = response.content_length;
    on_response(response);
  }
};

size_t on_header_line(char* data, size_t size, size_t count, void* user) {
  read_header({data, size * count}, static_cast<Transfer*>(user)->response);
  return size * count;
}

size_t on_body(char* data, size_t size, size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  try {
    transfer.announce();
    transfer.on_bytes({reinterpret_cast<const std::byte*>(data), size * count});
    return size * count;
  } catch (...) {
    transfer.thrown = std::current_exception();
    return CURL_WRITEFUNC_ERROR;
  }
}

int on_tick(void*, curl_off_t, curl_off_t, curl_off_t, curl_off_t) { return interrupted() ? 1 : 0; }

void set_options(CURL* curl, const HttpRequest& request, Headers& headers, Transfer& transfer, char* message) {
  const auto add = [&](const std::string& line) {
    curl_slist* longer = curl_slist_append(headers.get(), line.c_str());
    if (longer == nullptr) throw std::bad_alloc();
    if (headers == nullptr) headers.reset(longer);  // the head of the list stays the same afterwards
  };
  add("Accept-Encoding: identity");  // sizes and ranges are those of the file itself
  if (request.offset > 0) add(fmt::format("Range: bytes={}-", request.offset));
  if (request.offset > 0 && !request.if_range.empty()) add("If-Range: " + request.if_range);
  curl_easy_setopt(curl, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "sensorium");
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(curl, CURLOPT_MAXREDIRS, static_cast<long>(request.max_redirects));
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, request.url.starts_with("https:") ? "https" : "http,https");
  if (!request.bearer_token.empty()) {
    curl_easy_setopt(curl, CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
    curl_easy_setopt(curl, CURLOPT_XOAUTH2_BEARER, request.bearer_token.c_str());
  }
  const long stall = std::max(1L, static_cast<long>(request.stall_timeout_s));
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, stall);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, stall);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header_line);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &transfer);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_tick);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, message);
}

}  // namespace

HttpOutcome http_get(const HttpRequest& request, const std::function<void(const HttpResponse&)>& on_response,
                     const std::function<void(std::span<const std::byte>)>& on_bytes) {
  const Handle curl(curl_easy_init(), &curl_easy_cleanup);
  require(curl != nullptr, ErrorKind::io, "libcurl does not start");
  Transfer transfer{.curl = curl.get(), .on_response = on_response, .on_bytes = on_bytes};
  std::array<char, CURL_ERROR_SIZE> message{};
  Headers headers(nullptr, &curl_slist_free_all);
  set_options(curl.get(), request, headers, transfer, message.data());
  const CURLcode code = curl_easy_perform(curl.get());
  if (transfer.thrown) std::rethrow_exception(transfer.thrown);
  check_interrupted();
  if (code == CURLE_OK) {
    transfer.announce();  // an answer without a body
    return {transfer.response, "", false};
  }
  const std::string failure = message[0] != '\0' ? message.data() : curl_easy_strerror(code);
  return {transfer.response, failure, std::ranges::find(kTransient, code) != kTransient.end()};
}

}  // namespace sensorium::hub
