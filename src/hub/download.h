// Downloads of big files over connections that break: what has come stays in PATH.part and the next try goes on behind it;
// PATH appears when its size and hash are right.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

namespace sensorium::hub {

struct FileRequest {
  std::string url;
  std::filesystem::path path;     // where it goes; folders on the way are made
  std::optional<uint64_t> bytes;  // its size, if that is known
  std::string sha256;             // 64 lower-case hexadecimal digits; "": not known
};

struct DownloadOptions {
  // Tries in a row that bring no byte before it gives up; each waits twice as long as the one before, at most max_delay_s.
  int attempts = 6;
  double first_delay_s = 1, max_delay_s = 60;
  int max_redirects = 5;
  double stall_timeout_s = 60;
  std::string bearer_token;
  // Bytes that are there, and the size (0: not known). Called often.
  std::function<void(uint64_t done, uint64_t total)> progress;
};

struct Downloaded {
  bool was_there = false;   // the file stood there whole before
  uint64_t bytes = 0;       // its size
  uint64_t resumed_at = 0;  // bytes that an earlier run had left in the part
  int retries = 0;
  std::string sha256;  // of what is there now; "" if it was there and no hash is known
};

// A part goes on only if the server can tell that it is of the same file (ETag), or if the hash will tell. Throws Error; the
// part stays unless its hash is wrong:
//   not_found     404 or 410, naming the URL
//   io            no access (401, 403), the connection after all tries, no room on the disk, a file that another process is
//                 downloading
//   invalid_data  another size than expected, a wrong hash, an answer that fits no range; a file that stands there with
//                 another content
//   usage         an URL that is not http or https
//   interrupted
Downloaded download(const FileRequest& request, const DownloadOptions& options = {});

// A small answer as text, with the same tries. Throws Error as download(); limit for more than `max_bytes`.
std::string download_text(const std::string& url, size_t max_bytes, const DownloadOptions& options = {});

}  // namespace sensorium::hub
