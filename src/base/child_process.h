// Another program run under limits: its output comes through a pipe, its complaints are kept, and it never outlives its owner.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace sensorium {

struct ProcessLimits {
  std::chrono::milliseconds wall_time{60'000};  // from the start to the end of its output
  int64_t memory_bytes = int64_t{2} << 30;      // of its address space (RLIMIT_AS); 0: no limit
  int64_t output_bytes = int64_t{4} << 30;      // that read() hands out
};

// One run. Not thread-safe; move is not needed, so there is none.
class ChildProcess {
 public:
  // Looks `arguments[0]` up in PATH. Standard input is empty; the child has its own process group, ends with this process, and
  // inherits no file but its pipes. Throws Error: not_found (no such program), io.
  ChildProcess(std::vector<std::string> arguments, const ProcessLimits& limits);
  // Kills the process group if it still runs, and collects it: no zombie stays.
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  // The next bytes of standard output: as many as `buffer` holds, fewer only at its end; 0: the end. Throws Error: limit (time
  // or output beyond the limits; the process is killed), interrupted, io.
  size_t read(std::span<std::byte> buffer);
  // All that is left of standard output, at most `max_bytes`. Throws as read().
  std::string read_all(size_t max_bytes);
  // Waits for the end. The exit code; 128 + signal if a signal ended it. Throws Error: limit, interrupted.
  int wait();
  // The end of what it wrote on standard error so far (the last 4 KB), without blanks around it.
  std::string complaint() const;

 private:
  // Waits for one of the pipes; keeps what comes on standard error.
  void poll_pipes(std::chrono::milliseconds at_most);
  void kill_group();
  std::chrono::milliseconds time_left() const;

  std::string program_;
  ProcessLimits limits_;
  std::chrono::steady_clock::time_point deadline_;
  pid_t pid_ = -1;
  int output_ = -1, errors_ = -1;
  bool readable_ = false;
  int64_t handed_out_ = 0;
  std::string complaint_;
};

}  // namespace sensorium
