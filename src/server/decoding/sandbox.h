// Takes everything from this process that a decoder does not need, for ever: a hole in a library for pictures is then worth little.
#pragma once

#include <cstdint>

namespace sensorium::server::decoding {

struct SandboxLimits {
  int64_t memory_bytes = int64_t{2} << 30;  // of address space
};

// Whether memory is limited: not in a program whose sanitizer reserves more address space than any limit leaves.
bool limits_memory();

// No file can be opened or written, no process or thread started, no connection made: by limits of the system, and by a filter of
// system calls where it has that (Linux on x86-64 and Arm64). Memory is limited, no core is written, no new privileges come.
// Throws Error(io) if a limit cannot be set.
void enter_sandbox(const SandboxLimits& limits);

// From now on this process may compute for so many seconds; then the system ends it with SIGXCPU.
void allow_cpu_time(uint32_t seconds);

}  // namespace sensorium::server::decoding
