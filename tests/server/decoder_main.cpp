// A decoder's process for the tests of this layer: what `sensorium serve --as-decoder` runs, without the rest of the program.
#include "server/decoding/worker.h"

int main() { sensorium::server::decoding::run_worker(); }
