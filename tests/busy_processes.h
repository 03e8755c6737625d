// Other processes that keep processors busy, for tests of what a loaded machine does to the threads.
#pragma once

#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <vector>

namespace sensorium {

// Processes that compute without end. With `processor` >= 0 they stay on that one.
class BusyProcesses {
 public:
  explicit BusyProcesses(int count, int processor = -1) {
    for (int i = 0; i < count; ++i) {
      const pid_t child = ::fork();
      if (child == 0) {
        ::alarm(60);  // ends by itself should the test be killed
        if (processor >= 0) {
          cpu_set_t set;
          CPU_ZERO(&set);
          CPU_SET(static_cast<size_t>(processor), &set);
          ::sched_setaffinity(0, sizeof(set), &set);
        }
        for (std::atomic<unsigned> spin = 0;;) ++spin;
      }
      if (child > 0) children_.push_back(child);
    }
  }
  ~BusyProcesses() {
    for (const pid_t child : children_) ::kill(child, SIGKILL);
    for (const pid_t child : children_) ::waitpid(child, nullptr, 0);
  }
  BusyProcesses(const BusyProcesses&) = delete;
  BusyProcesses& operator=(const BusyProcesses&) = delete;

 private:
  std::vector<pid_t> children_;
};

}  // namespace sensorium
