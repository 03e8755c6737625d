// Model folders: single files and shards of both formats, and hostile indices.
#include "io/checkpoint_folder.h"

#include <gtest/gtest.h>

#include "io/checkpoint_files.h"

namespace sensorium::io {
namespace {
namespace fs = std::filesystem;

class CheckpointFolderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    path_ = fs::path(testing::TempDir()) / testing::UnitTest::GetInstance()->current_test_info()->name();
    fs::remove_all(path_);
    fs::create_directories(path_);
  }
  void TearDown() override { fs::remove_all(path_); }
  void expect_refused(const char* index, const char* content) {
    write_file_atomic(path_ / index, content);
    EXPECT_THROW(CheckpointFolder::open(path_), Error) << content;
  }
  fs::path path_;
};
class GoldenCheckpointFolder : public CheckpointFolderTest {};

TEST_F(CheckpointFolderTest, ReadsSafetensorsShards) {
  write_safetensors(path_ / "model-00001-of-00002.safetensors", {{"a", Tensor::full({2}, 1.0f)}}, {});
  write_safetensors(path_ / "model-00002-of-00002.safetensors", {{"b", Tensor::full({3}, 2.0f)}}, {});
  write_file_atomic(path_ / "model.safetensors.index.json",
                    R"({"metadata":{"total_size":20},"weight_map":)"
                    R"({"a":"model-00001-of-00002.safetensors","b":"model-00002-of-00002.safetensors"}})");
  const CheckpointFolder folder = CheckpointFolder::open(path_);
  EXPECT_EQ(folder.names(), (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(folder.contains("a"));
  EXPECT_FALSE(folder.contains("c"));
  EXPECT_EQ(folder.tensor("b").to_floats(), (std::vector<float>{2, 2, 2}));
  EXPECT_THROW(folder.tensor("c"), Error);
}

TEST_F(GoldenCheckpointFolder, ReadsPyTorchShards) {
  const CheckpointFolder folder = CheckpointFolder::open(kCheckpoints / "sharded");
  EXPECT_EQ(folder.names(), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(folder.tensor("a").to_floats(), (std::vector<float>{1, 2}));
  EXPECT_EQ(folder.tensor("b").shape(), Shape({1, 1}));
  EXPECT_EQ(folder.tensor("c").data<int64_t>()[0], 4);
}

TEST_F(GoldenCheckpointFolder, ReadsOnePyTorchFile) {
  fs::copy_file(kCheckpoints / "training.pth", path_ / "pytorch_model.bin");
  EXPECT_EQ(CheckpointFolder::open(path_).names(), (std::vector<std::string>{"bias", "weight"}));
  // Safetensors is preferred.
  write_safetensors(path_ / "model.safetensors", {{"only", Tensor::zeros({1})}}, {});
  EXPECT_EQ(CheckpointFolder::open(path_).names(), std::vector<std::string>{"only"});
}

TEST_F(GoldenCheckpointFolder, MissingShardsAreNamed) {
  fs::copy_file(kCheckpoints / "sharded" / "pytorch_model.bin.index.json", path_ / "pytorch_model.bin.index.json");
  fs::copy_file(kCheckpoints / "sharded" / "pytorch_model-00001-of-00002.bin",
                path_ / "pytorch_model-00001-of-00002.bin");
  try {
    CheckpointFolder::open(path_);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::not_found);
    expect_contains(error.message(), "pytorch_model-00002-of-00002.bin");
  }
}

TEST_F(CheckpointFolderTest, HostileIndices) {
  EXPECT_THROW(CheckpointFolder::open(path_), Error);  // empty
  EXPECT_THROW(CheckpointFolder::open(path_ / "absent"), Error);
  write_safetensors(path_ / "shard.safetensors", {{"b", Tensor::zeros({1})}}, {});
  fs::copy_file(kCheckpoints / "protocol4.pth", path_ / "shard.bin");
  fs::create_directory(path_ / "folder");
  for (const char* index : {"model.safetensors.index.json", "pytorch_model.bin.index.json"}) {
    for (const char* bad :
         {R"({"weight_map":{"a":"shard.safetensors"}})", R"({"weight_map":{"a":"shard.bin"}})",
          R"({"weight_map":{"a":"../secret.safetensors"}})", R"({"weight_map":{"a":"/etc/passwd"}})",
          R"({"weight_map":{"a":"./shard.bin"}})", R"({"weight_map":{"a":".."}})", R"({"weight_map":{"a":"."}})",
          R"({"weight_map":{"a":""}})", R"({"weight_map":{"a":"shard.bin\u0000x"}})",
          R"({"weight_map":{"a":"folder"}})", R"({"weight_map":{"a":7}})", R"({"weight_map":{"a":"missing"}})",
          R"({"weight_map":[]})", "{}", "[]", "{"}) {
      expect_refused(index, bad);
    }
    fs::remove(path_ / index);
  }
}

}  // namespace
}  // namespace sensorium::io
