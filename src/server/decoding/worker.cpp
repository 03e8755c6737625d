#include "server/decoding/worker.h"

#include <unistd.h>

#include <cstring>
#include <new>
#include <string>

#include "base/threads.h"
#include "server/decoding/decode.h"
#include "server/decoding/protocol.h"

namespace sensorium::server::decoding {
namespace {

// False: the other end has closed it.
bool read_all(void* data, size_t bytes) {
  auto* at = static_cast<char*>(data);
  while (bytes > 0) {
    const ssize_t got = ::read(STDIN_FILENO, at, bytes);
    if (got <= 0) return false;
    at += got;
    bytes -= static_cast<size_t>(got);
  }
  return true;
}

bool write_all(const void* data, size_t bytes) {
  const auto* at = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t put = ::write(STDIN_FILENO, at, bytes);
    if (put <= 0) return false;
    at += put;
    bytes -= static_cast<size_t>(put);
  }
  return true;
}

bool send(Reply head, const void* data, size_t bytes) {
  head.bytes = bytes;
  return write_all(&head, sizeof head) && write_all(data, bytes);
}

bool send_recording(const modality::Recording& recording) {
  std::string bytes;
  for (const Tensor& window : recording.windows) {
    const int64_t sizes[] = {window.dim(0), window.dim(1)};
    bytes.append(reinterpret_cast<const char*>(sizes), sizeof sizes);
    bytes.append(static_cast<const char*>(window.raw()), window.bytes());
  }
  return send({.a = static_cast<int32_t>(recording.windows.size()), .seconds = recording.seconds}, bytes.data(),
              bytes.size());
}

bool answer(const Question& question, const std::string& file) {
  switch (question.kind) {
    case Kind::picture: {
      const media::Image image = decode_picture(
          file, {.max_pixels = question.max_pixels, .max_side = question.max_side, .max_file_bytes = file.size()});
      return send({.a = image.width, .b = image.height, .c = image.channels}, image.pixels.data(), image.pixels.size());
    }
    case Kind::sound: {
      const media::Audio audio = decode_sound(file);
      return send({.a = audio.sample_rate_hz, .b = audio.channels}, audio.samples.data(),
                  audio.samples.size() * sizeof(float));
    }
    case Kind::recording:
      return send_recording(hear_sound(file));
  }
  return false;
}

bool send_fault(ErrorKind kind, const std::string& message) {
  return send({.fault = 1 + static_cast<uint32_t>(kind)}, message.data(), message.size());
}

bool serve_one() {
  Question question;
  if (!read_all(&question, sizeof question)) return false;
  allow_cpu_time(question.cpu_seconds);
  try {
    std::string file(question.bytes, '\0');
    if (!read_all(file.data(), file.size())) return false;
    return answer(question, file);
  } catch (const Error& error) {
    return send_fault(error.kind(), error.message());
  } catch (const std::bad_alloc&) {
    return send_fault(ErrorKind::limit, "decoding it needs more memory than a decoder may take");
  }
}

}  // namespace

void run_worker(const SandboxLimits& limits) {
  const SerialRegion alone;  // no thread can be started in the sandbox
  enter_sandbox(limits);
  while (serve_one()) {
  }
}

}  // namespace sensorium::server::decoding
