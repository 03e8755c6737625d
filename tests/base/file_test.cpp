#include "base/file.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <optional>

#include "base/error.h"

namespace sensorium {
namespace {

namespace fs = std::filesystem;

class File : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) / fmt::format("sensorium_file_{}", ::getpid());
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  size_t entries() const { return static_cast<size_t>(std::distance(fs::directory_iterator(folder_), {})); }
  template <typename Fn>
  static ErrorKind kind_of(Fn&& fn) {
    try {
      fn();
    } catch (const Error& error) {
      return error.kind();
    }
    ADD_FAILURE() << "no error";
    return ErrorKind::usage;
  }

  fs::path folder_;
};

TEST_F(File, WritesAndReadsBytes) {
  std::string bytes = "line\n";
  bytes.push_back('\0');
  bytes += std::string(100000, '\xFF');
  write_file_atomic(folder_ / "a", bytes);
  EXPECT_EQ(read_file(folder_ / "a"), bytes);
  write_file_atomic(folder_ / "a", "");
  EXPECT_EQ(read_file(folder_ / "a"), "");
  EXPECT_EQ(entries(), 1u);
}

TEST_F(File, PiecesAppearOnlyAfterCommit) {
  write_file_atomic(folder_ / "a", "old");
  {
    AtomicFile file(folder_ / "a");
    file.write("new", 3);
    file.write(" bytes", 6);
    EXPECT_EQ(read_file(folder_ / "a"), "old");
    file.commit();
  }
  EXPECT_EQ(read_file(folder_ / "a"), "new bytes");
  EXPECT_EQ(entries(), 1u);
}

TEST_F(File, AbandonedWriteLeavesTheOldFile) {
  write_file_atomic(folder_ / "a", "old");
  {
    AtomicFile file(folder_ / "a");
    file.write("half", 4);
  }
  EXPECT_EQ(read_file(folder_ / "a"), "old");
  EXPECT_EQ(entries(), 1u);
}

TEST_F(File, TargetThatCannotBeReplaced) {
  fs::create_directories(folder_ / "folder" / "inner");
  EXPECT_EQ(kind_of([&] { write_file_atomic(folder_ / "folder", "x"); }), ErrorKind::io);
  EXPECT_EQ(kind_of([&] { write_file_atomic(folder_ / "absent" / "a", "x"); }), ErrorKind::io);
  EXPECT_EQ(entries(), 1u);
  // Nor may what is no file be replaced by one; a link to a pipe is a pipe.
  ASSERT_EQ(::mkfifo((folder_ / "pipe").c_str(), 0600), 0);
  fs::create_symlink("pipe", folder_ / "link");
  for (const char* name : {"folder", "pipe", "link"})
    EXPECT_EQ(kind_of([&] { AtomicFile file(folder_ / name); }), ErrorKind::io) << name;
  EXPECT_TRUE(fs::is_fifo(folder_ / "pipe"));
  EXPECT_TRUE(fs::is_symlink(folder_ / "link"));
  EXPECT_EQ(entries(), 3u);
}

// A disk that takes no more bytes, by the limit on file sizes: write() fails half way through.
TEST_F(File, FailingWriteLeavesTheOldFile) {
  write_file_atomic(folder_ / "a", "old");
  rlimit outer{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &outer), 0);
  rlimit small = outer;
  small.rlim_cur = 8192;
  const auto handler = ::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const ErrorKind kind = kind_of([&] { write_file_atomic(folder_ / "a", std::string(100000, 'x')); });
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &outer), 0);
  ::signal(SIGXFSZ, handler);
  EXPECT_EQ(kind, ErrorKind::io);
  EXPECT_EQ(read_file(folder_ / "a"), "old");
  EXPECT_EQ(entries(), 1u);
}

TEST_F(File, FullDiskLeavesTheOldFile) {
  const fs::path disk = folder_ / "disk";
  fs::create_directories(disk);
  if (::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=64k") != 0) GTEST_SKIP() << "needs the right to mount";
  write_file_atomic(disk / "a", "old");
  const ErrorKind kind = kind_of([&] { write_file_atomic(disk / "a", std::string(200000, 'x')); });
  const std::string kept = read_file(disk / "a");
  const auto left = std::distance(fs::directory_iterator(disk), {});
  ::umount(disk.c_str());
  EXPECT_EQ(kind, ErrorKind::io);
  EXPECT_EQ(kept, "old");
  EXPECT_EQ(left, 1);
}

TEST_F(File, OneHolderAtATimeHasTheLock) {
  const fs::path path = folder_ / "lock";
  {
    const FileLock first(path), second(path);
    EXPECT_TRUE(first.held());
    EXPECT_FALSE(second.held());
  }
  EXPECT_TRUE(FileLock(path).held());
  EXPECT_EQ(entries(), 1u);
  EXPECT_EQ(kind_of([&] { FileLock lock(folder_ / "missing" / "lock"); }), ErrorKind::io);
}

TEST_F(File, FoldersCanBeFlushed) {
  EXPECT_NO_THROW(sync_folder(folder_));
  EXPECT_NO_THROW(sync_folder(""));  // the working directory
  EXPECT_EQ(kind_of([&] { sync_folder(folder_ / "missing"); }), ErrorKind::io);
}

TEST_F(File, ReadErrorsHaveKinds) {
  EXPECT_EQ(kind_of([&] { read_file(folder_ / "absent"); }), ErrorKind::not_found);
  EXPECT_EQ(kind_of([&] { read_file(folder_); }), ErrorKind::io);
  write_file_atomic(folder_ / "a", std::string(100, 'x'));
  EXPECT_EQ(kind_of([&] { read_file(folder_ / "a", 99); }), ErrorKind::limit);
  EXPECT_EQ(read_file(folder_ / "a", 100).size(), 100u);
  EXPECT_EQ(kind_of([&] { read_file("/dev/zero", 10000); }), ErrorKind::limit);
  EXPECT_EQ(read_file("/dev/null"), "");
}

// Standard input may be anything that can be read, a socket too, which has no name to open.
TEST_F(File, ReadsStandardInput) {
  const std::string bytes(10000, 'x');
  const auto read_from_socket = [&](size_t max_bytes) {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    EXPECT_EQ(::write(ends[0], bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
    ::close(ends[0]);
    const int own = ::dup(STDIN_FILENO);
    ::dup2(ends[1], STDIN_FILENO);
    ::close(ends[1]);
    std::string got;
    std::optional<ErrorKind> kind;
    try {
      got = read_standard_input(max_bytes);
    } catch (const Error& error) {
      kind = error.kind();
    }
    ::dup2(own, STDIN_FILENO);
    ::close(own);
    if (kind) throw Error(*kind, "");
    return got;
  };
  EXPECT_EQ(read_from_socket(bytes.size()), bytes);
  EXPECT_EQ(kind_of([&] { read_from_socket(bytes.size() - 1); }), ErrorKind::limit);
}

TEST_F(File, MapsWholeFiles) {
  write_file_atomic(folder_ / "a", "mapped");
  MappedFile first(folder_ / "a");
  const MappedFile second(std::move(first));
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(second.bytes().data()), second.bytes().size()), "mapped");
  // The map outlives the name.
  fs::remove(folder_ / "a");
  EXPECT_EQ(static_cast<char>(second.bytes()[5]), 'd');
  write_file_atomic(folder_ / "empty", "");
  EXPECT_TRUE(MappedFile(folder_ / "empty").bytes().empty());
  EXPECT_EQ(kind_of([&] { MappedFile file(folder_ / "absent"); }), ErrorKind::not_found);
  EXPECT_EQ(kind_of([&] { MappedFile file(folder_); }), ErrorKind::io);
}

}  // namespace
}  // namespace sensorium
