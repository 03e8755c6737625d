#include "base/child_process.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <fstream>
#include <functional>

#include "base/error.h"
#include "base/interrupt.h"

namespace sensorium {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

std::vector<std::string> shell(const std::string& script) { return {"sh", "-c", script}; }

ErrorKind kind_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.kind();
  }
  ADD_FAILURE() << "no error";
  return ErrorKind::usage;
}

TEST(ChildProcess, GivesOutputComplaintAndExitCode) {
  ChildProcess child(shell("printf 'one two'; echo ' bad thing ' >&2; exit 3"), {});
  EXPECT_EQ(child.read_all(100), "one two");
  EXPECT_EQ(child.wait(), 3);
  EXPECT_EQ(child.complaint(), "bad thing");
}

TEST(ChildProcess, ReadsInBlocksOfTheAskedSize) {
  ChildProcess child(shell("i=0; while [ $i -lt 500 ]; do printf 0123456789; i=$((i+1)); done"), {});
  std::vector<std::byte> block(1024);
  size_t total = 0;
  while (const size_t got = child.read(block)) {
    total += got;
    EXPECT_TRUE(got == block.size() || total == 5000) << got;
  }
  EXPECT_EQ(total, 5000u);
  EXPECT_EQ(child.wait(), 0);
}

TEST(ChildProcess, StandardInputIsEmpty) {
  ChildProcess child({"cat"}, {});
  EXPECT_EQ(child.read_all(10), "");
  EXPECT_EQ(child.wait(), 0);
}

TEST(ChildProcess, MuchOnStandardErrorDoesNotBlockIt) {
  ChildProcess child(
      shell("i=0; while [ $i -lt 20000 ]; do echo 'a long complaint number' $i >&2; i=$((i+1)); done; printf end"), {});
  EXPECT_EQ(child.read_all(10), "end");
  EXPECT_EQ(child.wait(), 0);
  EXPECT_LE(child.complaint().size(), 4096u);
  EXPECT_TRUE(child.complaint().ends_with("19999"));
}

TEST(ChildProcess, AMissingProgramIsNamed) {
  try {
    ChildProcess child({"no-such-program-here"}, {});
    FAIL() << "started";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::not_found);
    EXPECT_NE(error.message().find("no-such-program-here"), std::string::npos);
  }
}

TEST(ChildProcess, ASlowOneIsStoppedWithItsChildren) {
  const std::string mark = testing::TempDir() + "child_process_" + std::to_string(getpid());
  const auto begin = steady_clock::now();
  {
    ChildProcess child(shell("(sleep 1; : > '" + mark + "') & sleep 30"), {.wall_time = milliseconds(200)});
    EXPECT_EQ(kind_of([&] { (void)child.read_all(10); }), ErrorKind::limit);
  }
  EXPECT_LT(steady_clock::now() - begin, milliseconds(5000));
  usleep(1'500'000);
  EXPECT_FALSE(std::ifstream(mark).good());  // the grandchild was killed as well
}

TEST(ChildProcess, TooMuchOutputIsStopped) {
  ChildProcess child({"yes"}, {.output_bytes = 100'000});
  EXPECT_EQ(kind_of([&] { (void)child.read_all(size_t{1} << 30); }), ErrorKind::limit);
}

TEST(ChildProcess, TooMuchMemoryEndsIt) {
  // The shell doubles a string until it may not.
  ChildProcess child(shell("x=0123456789abcdef; while :; do x=$x$x; done"), {.memory_bytes = int64_t{64} << 20});
  EXPECT_NE(child.wait(), 0);
}

TEST(ChildProcess, ASignalShowsInTheCode) {
  ChildProcess child(shell("kill -TERM $$"), {});
  EXPECT_EQ(child.wait(), 128 + SIGTERM);
}

TEST(ChildProcess, CtrlCEndsTheWaiting) {
  ChildProcess child({"sleep", "30"}, {});
  set_interrupted(true);
  EXPECT_EQ(kind_of([&] { child.wait(); }), ErrorKind::interrupted);
  set_interrupted(false);
}

TEST(ChildProcess, LeavesNoZombie) {
  for (int i = 0; i < 20; ++i) ChildProcess({"sleep", "30"}, {});
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1);  // no child is left, dead or alive
  EXPECT_EQ(errno, ECHILD);
}

}  // namespace
}  // namespace sensorium
