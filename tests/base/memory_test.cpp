#include "base/memory.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace sensorium {
namespace {

namespace fs = std::filesystem;

class AvailableMemory : public testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::path(testing::TempDir()) /
            ("memory_" + std::string(testing::UnitTest::GetInstance()->current_test_info()->name()) + "_" +
             std::to_string(::getpid()));
    fs::remove_all(root_);
    write("proc/meminfo", "MemTotal:       32000000 kB\nMemFree: 1000 kB\nMemAvailable:   20000000 kB\n");
  }
  void TearDown() override { fs::remove_all(root_); }
  void write(const std::string& name, const std::string& text) const {
    fs::create_directories((root_ / name).parent_path());
    std::ofstream(root_ / name) << text;
  }
  fs::path root_;
};

TEST_F(AvailableMemory, IsWhatTheKernelSaysWithoutLimits) {
  EXPECT_EQ(available_memory(root_), 20'480'000'000);
  write("proc/self/cgroup", "0::/a/b\n");
  write("sys/fs/cgroup/a/memory.max", "max\n");
  write("sys/fs/cgroup/a/memory.current", "5\n");
  EXPECT_EQ(available_memory(root_), 20'480'000'000);
}

TEST_F(AvailableMemory, TheTightestGroupAroundTheProcessCounts) {
  write("proc/self/cgroup", "0::/a/b\n");
  write("sys/fs/cgroup/a/b/memory.max", "9000000\n");
  write("sys/fs/cgroup/a/b/memory.current", "1000000\n");
  EXPECT_EQ(available_memory(root_), 8'000'000);
  // A group around it leaves less; its caches of files do not count.
  write("sys/fs/cgroup/a/memory.max", "8000000\n");
  write("sys/fs/cgroup/a/memory.current", "6000000\n");
  write("sys/fs/cgroup/a/memory.stat", "anon 1\ninactive_file 1000000\nactive_file 500000\n");
  EXPECT_EQ(available_memory(root_), 3'500'000);
  write("sys/fs/cgroup/memory.max", "6000000\n");
  write("sys/fs/cgroup/memory.current", "7000000\n");
  EXPECT_EQ(available_memory(root_), 0);
}

TEST_F(AvailableMemory, VersionOneOfControlGroups) {
  write("proc/self/cgroup", "5:cpu,cpuacct:/x\n4:memory:/x\n");
  write("sys/fs/cgroup/memory/x/memory.limit_in_bytes", "4000000\n");
  write("sys/fs/cgroup/memory/x/memory.usage_in_bytes", "1500000\n");
  EXPECT_EQ(available_memory(root_), 2'500'000);
}

TEST_F(AvailableMemory, IsUnknownWhereNothingSaysIt) {
  EXPECT_EQ(available_memory(root_ / "nowhere"), std::nullopt);
  ASSERT_TRUE(available_memory().has_value());  // of this machine
  EXPECT_GT(*available_memory(), 0);
}

TEST(BytesText, HasThreeSizes) {
  EXPECT_EQ(bytes_text(13'500'000'000), "13.5 GB");
  EXPECT_EQ(bytes_text(512'400'000), "512 MB");
  EXPECT_EQ(bytes_text(900), "1 KB");
}

}  // namespace
}  // namespace sensorium
