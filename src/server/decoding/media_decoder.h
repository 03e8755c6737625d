// Decodes what clients send in processes of their own (worker.h), which are kept for the next file: a crash, or a file that wants
// more memory or time than it may have, costs an error and a new process.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "server/decoding/decode.h"
#include "server/decoding/protocol.h"

namespace sensorium::server {

struct DecoderOptions {
  std::vector<std::string> program;             // a worker and its arguments; empty: this process decodes
  std::chrono::seconds cpu_time{20};            // of one file
  std::chrono::milliseconds wall_time{60'000};  // with what else the machine does
  size_t most_kept = 4;                         // processes that wait for work
  int64_t files_of_process = 10'000;            // then it ends, and what its libraries may have lost with it
};

// Thread-safe.
class MediaDecoder {
 public:
  explicit MediaDecoder(DecoderOptions options);
  ~MediaDecoder();
  MediaDecoder(const MediaDecoder&) = delete;
  MediaDecoder& operator=(const MediaDecoder&) = delete;

  // As the functions of decode.h. Throw Error also: invalid_data (the process died of it), limit (time, memory), io (no process
  // can be started).
  media::Image picture(std::string_view bytes, const media::DecodeLimits& limits);
  media::Audio sound(std::string_view bytes);
  modality::Recording recording(std::string_view bytes);

  // Processes started so far.
  int64_t started() const { return started_; }

 private:
  class Process;
  // The reply's head, what follows it (at most `most_bytes`), and the process, to be given back once both make sense.
  struct Answered {
    decoding::Reply reply;
    std::vector<uint8_t> rest;
    std::unique_ptr<Process> process;
  };
  Answered ask(decoding::Question question, std::string_view file, uint64_t most_bytes);
  std::unique_ptr<Process> take();
  void give_back(std::unique_ptr<Process> process);

  const DecoderOptions options_;
  std::atomic<int64_t> started_{0};
  std::mutex mutex_;
  std::vector<std::unique_ptr<Process>> idle_;
};

}  // namespace sensorium::server
