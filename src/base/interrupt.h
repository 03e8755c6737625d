// Ctrl-C and SIGTERM: the handler only sets a flag; long loops look at it, save, and leave.
#pragma once

namespace sensorium {

// Installs the handlers. A second signal ends the process at once with exit code 130.
void install_interrupt_handlers();
bool interrupted();
// For tests and embedders: sets or clears the flag.
void set_interrupted(bool value);
// Throws Error(interrupted) if the flag is set.
void check_interrupted();

}  // namespace sensorium
