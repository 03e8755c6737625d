#include "server/decoding/media_decoder.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <span>
#include <utility>

#include "base/descriptor.h"
#include "modality/audio/prepare.h"
#include "modality/senses.h"

namespace sensorium::server {
namespace {

using Clock = std::chrono::steady_clock;

// What a reply may have at most: a decoder that was taken over must not fill the server's memory.
constexpr uint64_t kMostSoundBytes = uint64_t{1} << 30, kMostRecordingBytes = uint64_t{16} << 20, kMostFaultText = 4096;

Error strange() { return {ErrorKind::invalid_data, "its decoder gave no sensible answer"}; }

}  // namespace

// One worker, seen from here.
class MediaDecoder::Process {
 public:
  explicit Process(const std::vector<std::string>& program);
  ~Process() { end(); }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  void set_deadline(Clock::time_point deadline) { deadline_ = deadline; }
  // Throw Error: limit (the deadline), invalid_data (it is gone; says of what).
  void write(const void* data, size_t bytes);
  void read(void* data, size_t bytes);
  int64_t files = 0;

 private:
  void wait_for(short events);
  // How it ended; kills it first if it lives.
  int end();
  [[noreturn]] void gone();

  pid_t pid_ = -1;
  std::unique_ptr<Descriptor> socket_;
  Clock::time_point deadline_{};
};

MediaDecoder::Process::Process(const std::vector<std::string>& program) {
  int ends[2];
  require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, ErrorKind::io, "cannot make a socket: {}",
          std::strerror(errno));
  socket_ = std::make_unique<Descriptor>(ends[0]);
  const Descriptor theirs(ends[1]);
  std::vector<char*> arguments;
  for (const std::string& argument : program) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  char* const environment[] = {nullptr};
  const pid_t parent = getpid();
  pid_ = fork();
  require(pid_ >= 0, ErrorKind::io, "cannot start a decoder: {}", std::strerror(errno));
  if (pid_ == 0) {
    // Only calls that are safe between fork and exec.
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(127);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    const int nothing = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (dup2(theirs.get(), STDIN_FILENO) >= 0 && dup2(nothing, STDOUT_FILENO) >= 0)
      execve(arguments[0], arguments.data(), environment);
    _exit(127);
  }
  fcntl(socket_->get(), F_SETFL, O_NONBLOCK);
}

int MediaDecoder::Process::end() {
  if (pid_ < 0) return 0;
  kill(-pid_, SIGKILL);
  kill(pid_, SIGKILL);  // also before it has a group of its own
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  return status;
}

void MediaDecoder::Process::gone() {
  // It has closed its end, so it is ending by itself; how is known in a moment.
  int status = 0;
  for (int i = 0; i < 100 && pid_ >= 0; ++i) {
    if (waitpid(pid_, &status, WNOHANG) == pid_) {
      pid_ = -1;
    } else {
      usleep(1000);
    }
  }
  if (pid_ >= 0) status = end();
  require(!WIFEXITED(status) || WEXITSTATUS(status) != 127, ErrorKind::io, "a decoder's process cannot be started");
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU)
    fail(ErrorKind::limit, "decoding it takes longer than this server allows");
  fail(ErrorKind::invalid_data, "its decoder broke down over it");
}

void MediaDecoder::Process::wait_for(short events) {
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline_ - Clock::now());
    require(left.count() > 0, ErrorKind::limit, "decoding it takes longer than this server allows");
    pollfd waiting{socket_->get(), events, 0};
    const int ready = poll(&waiting, 1, static_cast<int>(std::min<int64_t>(left.count(), 60'000)));
    if (ready > 0) return;
    require(ready == 0 || errno == EINTR, ErrorKind::io, "cannot wait for a decoder: {}", std::strerror(errno));
  }
}

void MediaDecoder::Process::write(const void* data, size_t bytes) {
  const auto* at = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t put = ::send(socket_->get(), at, bytes, MSG_NOSIGNAL);
    if (put < 0 && (errno == EAGAIN || errno == EINTR)) {
      wait_for(POLLOUT);
      continue;
    }
    if (put <= 0) gone();
    at += put;
    bytes -= static_cast<size_t>(put);
  }
}

void MediaDecoder::Process::read(void* data, size_t bytes) {
  auto* at = static_cast<char*>(data);
  while (bytes > 0) {
    const ssize_t got = ::recv(socket_->get(), at, bytes, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
      wait_for(POLLIN);
      continue;
    }
    if (got <= 0) gone();
    at += got;
    bytes -= static_cast<size_t>(got);
  }
}

MediaDecoder::MediaDecoder(DecoderOptions options) : options_(std::move(options)) {}
MediaDecoder::~MediaDecoder() = default;

std::unique_ptr<MediaDecoder::Process> MediaDecoder::take() {
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      std::unique_ptr<Process> process = std::move(idle_.back());
      idle_.pop_back();
      return process;
    }
  }
  ++started_;
  return std::make_unique<Process>(options_.program);
}

void MediaDecoder::give_back(std::unique_ptr<Process> process) {
  if (++process->files >= options_.files_of_process) return;
  const std::lock_guard lock(mutex_);
  if (idle_.size() < options_.most_kept) idle_.push_back(std::move(process));
}

MediaDecoder::Answered MediaDecoder::ask(decoding::Question question, std::string_view file, uint64_t most_bytes) {
  std::unique_ptr<Process> process = take();
  question.cpu_seconds = static_cast<uint32_t>(options_.cpu_time.count());
  question.bytes = file.size();
  process->set_deadline(Clock::now() + options_.wall_time);
  process->write(&question, sizeof question);
  process->write(file.data(), file.size());
  decoding::Reply reply;
  process->read(&reply, sizeof reply);
  if (reply.bytes > (reply.fault == 0 ? most_bytes : kMostFaultText)) throw strange();
  std::vector<uint8_t> rest(reply.bytes);
  process->read(rest.data(), rest.size());
  if (reply.fault == 0) return {reply, std::move(rest), std::move(process)};
  const uint32_t kind = reply.fault - 1;
  if (kind > static_cast<uint32_t>(ErrorKind::interrupted)) throw strange();
  give_back(std::move(process));
  throw Error(static_cast<ErrorKind>(kind), std::string(rest.begin(), rest.end()));
}

media::Image MediaDecoder::picture(std::string_view bytes, const media::DecodeLimits& limits) {
  if (options_.program.empty()) return decode_picture(bytes, limits);
  // Nothing is copied to another process that its own limit refuses.
  require(bytes.size() <= limits.max_file_bytes, ErrorKind::limit, "it has {} bytes, at most {} are allowed",
          bytes.size(), limits.max_file_bytes);
  auto [reply, samples, process] =
      ask({.kind = decoding::Kind::picture, .max_pixels = limits.max_pixels, .max_side = limits.max_side}, bytes,
          static_cast<uint64_t>(limits.max_pixels) * 3);
  const int64_t pixels = int64_t{reply.a} * reply.b;
  if (reply.a <= 0 || reply.b <= 0 || reply.a > limits.max_side || reply.b > limits.max_side ||
      pixels > limits.max_pixels || reply.c != 3 || samples.size() != static_cast<size_t>(pixels) * 3)
    throw strange();
  media::Image image;
  image.width = reply.a;
  image.height = reply.b;
  image.pixels = std::move(samples);
  give_back(std::move(process));
  return image;
}

media::Audio MediaDecoder::sound(std::string_view bytes) {
  if (options_.program.empty()) return decode_sound(bytes);
  auto [reply, samples, process] = ask({.kind = decoding::Kind::sound}, bytes, kMostSoundBytes);
  const media::AudioLimits limits;
  if (reply.a <= 0 || reply.a > limits.max_sample_rate_hz || reply.b <= 0 || reply.b > limits.max_channels ||
      samples.empty() || samples.size() % (sizeof(float) * static_cast<size_t>(reply.b)) != 0)
    throw strange();
  media::Audio audio{reply.a, reply.b, std::vector<float>(samples.size() / sizeof(float))};
  std::memcpy(audio.samples.data(), samples.data(), samples.size());
  give_back(std::move(process));
  return audio;
}

modality::Recording MediaDecoder::recording(std::string_view bytes) {
  if (options_.program.empty()) return hear_sound(bytes);
  auto [reply, windows, process] = ask({.kind = decoding::Kind::recording}, bytes, kMostRecordingBytes);
  modality::Recording recording{.sense = &modality::sense_kind("audio"), .windows = {}, .seconds = reply.seconds};
  if (!(reply.seconds > 0 && reply.seconds <= kMostSoundSeconds) || reply.a <= 0 ||
      reply.a > static_cast<int32_t>(modality::WindowSampler::kMost))
    throw strange();
  std::span<const uint8_t> rest = windows;
  for (int32_t i = 0; i < reply.a; ++i) {
    int64_t sizes[2];
    if (rest.size() < sizeof sizes) throw strange();
    std::memcpy(sizes, rest.data(), sizeof sizes);
    rest = rest.subspan(sizeof sizes);
    constexpr int64_t kMostSteps = 1 << 16;
    if (sizes[0] <= 0 || sizes[0] > kMostSteps || sizes[1] != modality::kSoundBands) throw strange();
    const auto size = static_cast<size_t>(sizes[0] * sizes[1]) * sizeof(float);
    if (rest.size() < size) throw strange();
    const Tensor window = Tensor::empty({sizes[0], sizes[1]});
    std::memcpy(window.data<float>(), rest.data(), size);
    rest = rest.subspan(size);
    recording.windows.push_back(window);
  }
  if (!rest.empty()) throw strange();
  give_back(std::move(process));
  return recording;
}

}  // namespace sensorium::server
