// What a server and a decoder's process say to each other over a socket: a head of fixed size, then bytes. Both run the same
// program on the same machine, so values stand as they are in memory.
#pragma once

#include <cstdint>
#include <type_traits>

namespace sensorium::server::decoding {

enum class Kind : uint32_t { picture, sound, recording };

struct Question {
  Kind kind = Kind::picture;
  uint32_t cpu_seconds = 0;  // that this one may take
  int64_t max_pixels = 0, max_side = 0;
  uint64_t bytes = 0;  // of the file, which follow
};

// - picture: a, b, c are width, height, channels; the samples follow
// - sound: a, b are rate in Hz and channels; f32 samples follow
// - recording: a windows; each two int64 (steps, features) and f32 values
struct Reply {
  uint32_t fault = 0;  // 0: none; else 1 + ErrorKind, and the message follows
  int32_t a = 0, b = 0, c = 0;
  double seconds = 0;  // of a recording
  uint64_t bytes = 0;  // that follow
};

static_assert(std::is_trivially_copyable_v<Question> && std::is_trivially_copyable_v<Reply>);

}  // namespace sensorium::server::decoding
