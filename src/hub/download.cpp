#include "hub/download.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "base/error.h"
#include "base/interrupt.h"
#include "hub/http.h"
#include "hub/part_file.h"

namespace sensorium::hub {
namespace {
namespace fs = std::filesystem;

void sleep_for(double seconds) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  while (Clock::now() < end) {
    check_interrupted();
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now());
    std::this_thread::sleep_for(std::clamp(left, std::chrono::milliseconds(1), std::chrono::milliseconds(50)));
  }
}

bool is_file(long status) { return status == 200 || status == 206; }
bool is_transient(long status) { return status == 408 || status == 425 || status == 429 || status >= 500; }

[[noreturn]] void refuse(long status, const std::string& url) {
  if (status == 401 || status == 403) {
    fail(ErrorKind::io, "{}: access denied ({}): the file may ask for a licence to be accepted and a token", url,
         status);
  }
  fail(status == 404 || status == 410 ? ErrorKind::not_found : ErrorKind::io, "{}: the server answers {}", url, status);
}

// The file that stands there already: the one that is wanted, or an error.
Downloaded check_existing(const FileRequest& request) {
  const uint64_t size = fs::file_size(request.path);
  require(!request.bytes || *request.bytes == size, ErrorKind::invalid_data,
          "{}: stands there with {} bytes, expected {}: move it away to download it anew", request.path.string(), size,
          request.bytes.value_or(0));
  Downloaded result{.was_there = true, .bytes = size};
  if (request.sha256.empty()) return result;
  result.sha256 = hash_of_file(request.path);
  require(result.sha256 == request.sha256, ErrorKind::invalid_data,
          "{}: stands there with another content (sha256 {}, expected {}): move it away to download it anew",
          request.path.string(), result.sha256, request.sha256);
  return result;
}

// Counts the tries in a row that brought nothing, and waits between them.
class Patience {
 public:
  Patience(const std::string& url, const DownloadOptions& options) : url_(url), options_(options) {}

  // Throws Error where no other try would help, or when there were enough.
  void wait(const HttpOutcome& outcome, bool progress) {
    fruitless_ = progress ? 0 : fruitless_ + 1;
    const std::string why = fault_of(outcome);
    require(fruitless_ < options_.attempts, ErrorKind::io, "{}: {}, {} times in a row", url_, why, options_.attempts);
    double delay = options_.first_delay_s;
    for (int i = 1; i < fruitless_; ++i) delay *= 2;
    sleep_for(std::min(std::max(delay, outcome.response.retry_after_s.value_or(0)), options_.max_delay_s));
  }

 private:
  std::string fault_of(const HttpOutcome& outcome) const {
    if (!outcome.failure.empty()) {
      require(outcome.transient, ErrorKind::io, "{}: {}", url_, outcome.failure);
      return outcome.failure;
    }
    const long status = outcome.response.status;
    if (is_file(status)) return "the answer ends early";
    if (status != 416 && !is_transient(status)) refuse(status, url_);
    return fmt::format("the server answers {}", status);
  }

  const std::string& url_;
  const DownloadOptions& options_;
  int fruitless_ = 0;
};

class Download {
 public:
  Download(const FileRequest& request, const DownloadOptions& options)
      : request_(request), options_(options), part_(request.path) {}

  Downloaded run() {
    if (cannot_go_on()) part_.restart();
    result_.resumed_at = part_.size();
    if (request_.bytes) part_.require_room(*request_.bytes);
    for (;;) {
      fetch();
      result_.bytes = part_.size();
      result_.sha256 = part_.hash();
      if (request_.sha256.empty() || result_.sha256 == request_.sha256) break;
      const bool resumed = result_.resumed_at > 0;
      if (!resumed) part_.remove();
      require(resumed, ErrorKind::invalid_data, "{}: sha256 is {}, expected {}: damaged on the way or another file",
              request_.url, result_.sha256, request_.sha256);
      restart();  // the part that an earlier run had left may be the wrong one
    }
    part_.commit();
    return result_;
  }

 private:
  bool cannot_go_on() const {
    const bool telling = !request_.sha256.empty() || !part_.etag().empty();
    return !telling || (request_.bytes && part_.size() > *request_.bytes);
  }

  // The whole answer of an unknown length has come, or as many bytes as are expected.
  bool is_complete() const { return whole_ || (request_.bytes && part_.size() == *request_.bytes); }

  void restart() {
    part_.restart();
    result_.resumed_at = 0;
    whole_ = false;
  }

  // Goes on until the part is as long as the file.
  void fetch() {
    Patience patience(request_.url, options_);
    while (!is_complete()) {
      const uint64_t before = part_.size();
      const HttpOutcome outcome = get();
      if (is_complete()) return;
      const bool progress = part_.size() > before;
      if (outcome.failure.empty() && outcome.response.status == 416) restart();  // the part is longer than the file
      patience.wait(outcome, progress);
      ++result_.retries;
    }
  }

  HttpOutcome get() {
    bool wanted = false;  // the body is of the file, not of an error page
    const HttpOutcome outcome = http_get(
        {.url = request_.url,
         .offset = part_.size(),
         .if_range = part_.etag(),
         .bearer_token = options_.bearer_token,
         .max_redirects = options_.max_redirects,
         .stall_timeout_s = options_.stall_timeout_s},
        [&](const HttpResponse& response) {
          wanted = is_file(response.status);
          if (wanted) begin(response);
        },
        [&](std::span<const std::byte> bytes) {
          if (!wanted) return;
          const uint64_t after = part_.size() + bytes.size();
          require(total_ == 0 || after <= total_, ErrorKind::invalid_data, "{}: more than its {} bytes come",
                  request_.url, total_);
          part_.append(bytes);
          if (options_.progress) options_.progress(after, total_);
        });
    whole_ = wanted && outcome.failure.empty() && (total_ == 0 || part_.size() == total_);
    return outcome;
  }

  void begin(const HttpResponse& response) {
    if (response.status == 206) {
      require(response.range_begin == part_.size(), ErrorKind::invalid_data,
              "{}: the server sends bytes from {} on, asked for were those from {} on", request_.url,
              response.range_begin.value_or(0), part_.size());
    } else if (part_.size() > 0) {  // it knows no ranges, or the file is another one by now
      restart();
    }
    const uint64_t before = std::exchange(total_, response.total_bytes.value_or(request_.bytes.value_or(0)));
    require(response.status == 200 || before == 0 || before == total_, ErrorKind::invalid_data,
            "{}: the file changes on the server: it had {} bytes, now {}", request_.url, before, total_);
    require(!request_.bytes || total_ == *request_.bytes, ErrorKind::invalid_data,
            "{}: the server's file has {} bytes, expected {}", request_.url, total_, request_.bytes.value_or(0));
    if (total_ > 0) part_.require_room(total_);
    part_.set_etag(response.etag);
  }

  const FileRequest& request_;
  const DownloadOptions& options_;
  PartFile part_;
  Downloaded result_;
  uint64_t total_ = 0;
  bool whole_ = false;
};

}  // namespace

Downloaded download(const FileRequest& request, const DownloadOptions& options) {
  require(request.url.starts_with("http://") || request.url.starts_with("https://"), ErrorKind::usage,
          "\"{}\" is no http or https address", request.url);
  if (fs::exists(request.path)) return check_existing(request);
  if (request.path.has_parent_path()) {
    std::error_code code;
    fs::create_directories(request.path.parent_path(), code);
    require(!code, ErrorKind::io, "{}: cannot make the folder: {}", request.path.parent_path().string(),
            code.message());
  }
  return Download(request, options).run();
}

std::string download_text(const std::string& url, size_t max_bytes, const DownloadOptions& options) {
  for (Patience patience(url, options);;) {
    std::string text;
    const HttpOutcome outcome = http_get(
        {.url = url,
         .bearer_token = options.bearer_token,
         .max_redirects = options.max_redirects,
         .stall_timeout_s = options.stall_timeout_s},
        [](const HttpResponse&) {},
        [&](std::span<const std::byte> bytes) {
          require(text.size() + bytes.size() <= max_bytes, ErrorKind::limit, "{}: more than {} bytes", url, max_bytes);
          text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        });
    if (outcome.failure.empty() && outcome.response.status == 200) return text;
    patience.wait(outcome, false);
  }
}

}  // namespace sensorium::hub
