// Runs the built program as a user would: another process, its own arguments, exit code and output.
#pragma once

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "base/file.h"

namespace sensorium::cli {

inline std::filesystem::path binary() { return std::filesystem::path(SENSORIUM_BINARY_DIR) / "sensorium"; }

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "sensorium_e2e_XXXXXX").string();
    require(mkdtemp(name.data()) != nullptr, ErrorKind::io, "no temporary folder");
    path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

struct Finished {
  int exit_code = -1;
  std::string out, err;
};

// The program with these arguments; standard input is empty. With `file_limit`, no file that it writes can grow beyond that
// many bytes: what a full disk does to it.
inline Finished run_binary(const std::vector<std::string>& arguments, rlim_t file_limit = RLIM_INFINITY) {
  const TemporaryFolder folder;
  const std::string out = folder / "out", err = folder / "err", program = binary().string();
  std::vector<char*> argv = {const_cast<char*>(program.c_str())};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    if (!std::freopen("/dev/null", "r", stdin) || !std::freopen(out.c_str(), "w", stdout) ||
        !std::freopen(err.c_str(), "w", stderr)) {
      _exit(126);
    }
    const rlimit limit{file_limit, file_limit};
    if (file_limit != RLIM_INFINITY && setrlimit(RLIMIT_FSIZE, &limit) != 0) _exit(126);
    execv(program.c_str(), argv.data());
    _exit(127);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, read_file(out), read_file(err)};
}

// Every failure is one line that starts with the program's name.
inline void expect_one_line_error(const Finished& finished, int exit_code, const std::string& part) {
  EXPECT_EQ(finished.exit_code, exit_code) << finished.err;
  EXPECT_TRUE(finished.err.starts_with("sensorium: ")) << finished.err;
  EXPECT_EQ(finished.err.find('\n'), finished.err.size() - 1) << finished.err;
  EXPECT_NE(finished.err.find(part), std::string::npos) << finished.err;
}

}  // namespace sensorium::cli
