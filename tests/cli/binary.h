// Runs the built program as a user would: another process, its own arguments, exit code and output.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "temporary_folder.h"

namespace sensorium::cli {

inline std::filesystem::path binary() { return std::filesystem::path(SENSORIUM_BINARY_DIR) / "sensorium"; }

struct Finished {
  int exit_code = -1;
  std::string out, err;
};

// What the program runs in.
struct Surroundings {
  // No file that it writes can grow beyond that many bytes: what a full disk does to it.
  rlim_t file_limit = RLIM_INFINITY;
  std::string input;                     // what it reads on standard input
  std::string output, errors;            // where standard output and error go; "": nowhere
  std::vector<std::string> environment;  // NAME=value, besides the test's own
  std::string folder;                    // the working directory; "": the test's own
  std::string program = binary().string();
};

// Starts the program and gives its process id.
inline pid_t start_binary(const std::vector<std::string>& arguments, const Surroundings& around = {}) {
  const TemporaryFolder folder;
  const std::string input = folder / "in";
  write_file_atomic(input, around.input);
  std::vector<char*> argv = {const_cast<char*>(around.program.c_str())};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  int ready[2];  // Closed when the child has its files and its program.
  require(pipe2(ready, O_CLOEXEC) == 0, ErrorKind::io, "no pipe");
  const pid_t child = fork();
  if (child == 0) {
    const auto name = [](const std::string& file) { return file.empty() ? "/dev/null" : file.c_str(); };
    if (!std::freopen(input.c_str(), "r", stdin) || !std::freopen(name(around.output), "w", stdout) ||
        !std::freopen(name(around.errors), "w", stderr)) {
      _exit(126);
    }
    const rlimit limit{around.file_limit, around.file_limit};
    if (around.file_limit != RLIM_INFINITY && setrlimit(RLIMIT_FSIZE, &limit) != 0) _exit(126);
    for (const std::string& variable : around.environment) putenv(const_cast<char*>(variable.c_str()));
    if (!around.folder.empty() && chdir(around.folder.c_str()) != 0) _exit(126);
    execv(around.program.c_str(), argv.data());
    _exit(127);
  }
  close(ready[1]);
  char none = 0;
  while (read(ready[0], &none, 1) < 0 && errno == EINTR) {
  }
  close(ready[0]);
  return child;
}

// Waits for its end: the exit code, -1 if a signal ended it.
inline int wait_for_exit(pid_t child) {
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// Runs the program to its end; output and errors are collected unless `around` sends them elsewhere.
inline Finished run_binary(const std::vector<std::string>& arguments, Surroundings around = {}) {
  const TemporaryFolder folder;
  const bool collect = around.output.empty();
  if (collect) around.output = folder / "out";
  around.errors = folder / "err";
  const int exit_code = wait_for_exit(start_binary(arguments, around));
  return {exit_code, collect ? read_file(around.output) : std::string(), read_file(around.errors)};
}

// Starts the program, sends it Ctrl-C as soon as it listens, and gives its exit code.
inline int interrupted_exit_code(const std::vector<std::string>& arguments) {
  const pid_t child = start_binary(arguments);
  for (int i = 0; i < 6000; ++i) {  // a minute
    std::ifstream status("/proc/" + std::to_string(child) + "/status");
    uint64_t caught = 0;
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with("SigCgt:")) caught = std::stoull(line.substr(7), nullptr, 16);
    }
    if ((caught >> (SIGINT - 1) & 1) != 0) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  kill(child, SIGINT);
  return wait_for_exit(child);
}

// Every failure is one line that starts with the program's name.
inline void expect_one_line_error(const Finished& finished, int exit_code, const std::string& part) {
  EXPECT_EQ(finished.exit_code, exit_code) << finished.err;
  EXPECT_TRUE(finished.err.starts_with("sensorium: ")) << finished.err;
  EXPECT_EQ(finished.err.find('\n'), finished.err.size() - 1) << finished.err;
  EXPECT_NE(finished.err.find(part), std::string::npos) << finished.err;
}

}  // namespace sensorium::cli
