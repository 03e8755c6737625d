// The process that decodes what clients send: reads questions from a socket and answers them, one after another.
#pragma once

#include "server/decoding/sandbox.h"

namespace sensorium::server::decoding {

// Enters the sandbox, then serves standard input until its other end is closed.
void run_worker(const SandboxLimits& limits = {});

}  // namespace sensorium::server::decoding
