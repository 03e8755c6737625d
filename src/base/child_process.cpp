#include "base/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "base/interrupt.h"

namespace sensorium {
namespace {

constexpr size_t kKeptComplaint = 4096;
constexpr std::chrono::milliseconds kLook{100};     // how often a waiting reader looks for Ctrl-C
constexpr std::chrono::milliseconds kSoonEnded{2};  // between the end of the output and that of the process

struct Pipe {
  int read = -1, write = -1;
  Pipe() {
    int ends[2];
    require(pipe2(ends, O_CLOEXEC) == 0, ErrorKind::io, "cannot make a pipe: {}", std::strerror(errno));
    read = ends[0], write = ends[1];
  }
  ~Pipe() {
    if (read >= 0) close(read);
    if (write >= 0) close(write);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  int take_read() { return std::exchange(read, -1); }
  void close_write() { close(std::exchange(write, -1)); }
};

// Between fork and exec: only calls that are safe there. Tells the parent the error number through `report` and ends.
[[noreturn]] void become(char* const* arguments, int output, int errors, int report, int64_t memory_bytes,
                         pid_t parent) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);  // it ended before the line above
  if (memory_bytes > 0) {
    const rlimit memory{static_cast<rlim_t>(memory_bytes), static_cast<rlim_t>(memory_bytes)};
    setrlimit(RLIMIT_AS, &memory);
  }
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (dup2(nothing, STDIN_FILENO) >= 0 && dup2(output, STDOUT_FILENO) >= 0 && dup2(errors, STDERR_FILENO) >= 0) {
    execvp(arguments[0], arguments);
  }
  const int error = errno;
  [[maybe_unused]] const ssize_t told = write(report, &error, sizeof(error));
  _exit(127);
}

}  // namespace

ChildProcess::ChildProcess(std::vector<std::string> arguments, const ProcessLimits& limits)
    : program_(arguments.at(0)), limits_(limits), deadline_(std::chrono::steady_clock::now() + limits.wall_time) {
  std::vector<char*> pointers;
  for (std::string& argument : arguments) {
    require(argument.find('\0') == std::string::npos, ErrorKind::usage, "an argument for {} has a zero byte", program_);
    pointers.push_back(argument.data());
  }
  pointers.push_back(nullptr);
  Pipe output, errors, report;
  const pid_t parent = getpid();
  pid_ = fork();
  require(pid_ >= 0, ErrorKind::io, "cannot start {}: {}", program_, std::strerror(errno));
  if (pid_ == 0) become(pointers.data(), output.write, errors.write, report.write, limits.memory_bytes, parent);
  setpgid(pid_, pid_);  // also here: whoever comes first
  output.close_write();
  errors.close_write();
  report.close_write();
  int error = 0;
  ssize_t told;
  do {
    told = ::read(report.read, &error, sizeof(error));
  } while (told < 0 && errno == EINTR);
  if (told == static_cast<ssize_t>(sizeof(error))) {  // exec closes the pipe: then nothing was told
    while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    require(error != ENOENT, ErrorKind::not_found, "the program {} is not installed (or not in PATH)", program_);
    fail(ErrorKind::io, "cannot start {}: {}", program_, std::strerror(error));
  }
  output_ = output.take_read();
  errors_ = errors.take_read();
  for (const int descriptor : {output_, errors_}) fcntl(descriptor, F_SETFL, O_NONBLOCK);
}

ChildProcess::~ChildProcess() {
  kill_group();
  if (output_ >= 0) close(output_);
  if (errors_ >= 0) close(errors_);
}

void ChildProcess::kill_group() {
  if (pid_ < 0) return;
  kill(-pid_, SIGKILL);
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
}

std::chrono::milliseconds ChildProcess::time_left() const {
  return std::chrono::duration_cast<std::chrono::milliseconds>(deadline_ - std::chrono::steady_clock::now());
}

void ChildProcess::poll_pipes(std::chrono::milliseconds at_most) {
  if (interrupted()) kill_group();
  check_interrupted();
  const std::chrono::milliseconds left = time_left();
  if (left.count() <= 0) {
    kill_group();
    fail(ErrorKind::limit, "{} took longer than the limit of {:.1f} s and was stopped", program_,
         std::chrono::duration<double>(limits_.wall_time).count());
  }
  pollfd pipes[2] = {{output_, POLLIN, 0}, {errors_, POLLIN, 0}};  // poll leaves out negative descriptors
  const int ready = poll(pipes, 2, static_cast<int>(std::min(left, at_most).count()));
  require(ready >= 0 || errno == EINTR, ErrorKind::io, "cannot wait for {}: {}", program_, std::strerror(errno));
  readable_ = ready > 0 && pipes[0].revents != 0;
  if (ready > 0 && pipes[1].revents != 0) {
    char text[1024];
    const ssize_t got = ::read(errors_, text, sizeof(text));
    if (got > 0) complaint_.append(text, static_cast<size_t>(got));
    if (complaint_.size() > kKeptComplaint) complaint_.erase(0, complaint_.size() - kKeptComplaint);
    if (got == 0) close(std::exchange(errors_, -1));
  }
}

size_t ChildProcess::read(std::span<std::byte> buffer) {
  size_t filled = 0;
  while (filled < buffer.size() && output_ >= 0) {
    poll_pipes(kLook);
    if (!readable_) continue;
    const ssize_t got = ::read(output_, buffer.data() + filled, buffer.size() - filled);
    if (got == 0) close(std::exchange(output_, -1));
    if (got < 0) {
      require(errno == EAGAIN || errno == EINTR, ErrorKind::io, "cannot read from {}: {}", program_,
              std::strerror(errno));
      continue;
    }
    filled += static_cast<size_t>(got);
    handed_out_ += got;
    if (handed_out_ > limits_.output_bytes) {
      kill_group();
      fail(ErrorKind::limit, "{} gave more than the limit of {} bytes and was stopped", program_, limits_.output_bytes);
    }
  }
  return filled;
}

std::string ChildProcess::read_all(size_t max_bytes) {
  std::string all;
  std::byte block[4096];
  while (const size_t got = read(block)) {
    require(all.size() + got <= max_bytes, ErrorKind::limit, "{} gave more than {} bytes", program_, max_bytes);
    all.append(reinterpret_cast<const char*>(block), got);
  }
  return all;
}

int ChildProcess::wait() {
  while (output_ >= 0 || errors_ >= 0) {
    poll_pipes(kLook);
    if (!readable_ || output_ < 0) continue;
    char dropped[4096];
    const ssize_t got = ::read(output_, dropped, sizeof(dropped));
    if (got == 0) close(std::exchange(output_, -1));
  }
  require(pid_ >= 0, ErrorKind::io, "{} was stopped", program_);
  int status = 0;
  while (true) {
    const pid_t ended = waitpid(pid_, &status, WNOHANG);
    if (ended == pid_) break;
    require(ended == 0 || errno == EINTR, ErrorKind::io, "cannot wait for {}: {}", program_, std::strerror(errno));
    poll_pipes(kSoonEnded);  // the pipes are closed: this sleeps, and minds the deadline
  }
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::string ChildProcess::complaint() const {
  const auto blank = [](char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; };
  const auto first = std::find_if_not(complaint_.begin(), complaint_.end(), blank);
  const auto last = std::find_if_not(complaint_.rbegin(), complaint_.rend(), blank).base();
  return first < last ? std::string(first, last) : std::string();
}

}  // namespace sensorium
