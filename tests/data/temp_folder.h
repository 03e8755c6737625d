// A folder of its own for each test.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "base/file.h"
#include "media/encode.h"

namespace sensorium::data {

class TempFolder : public ::testing::Test {
 protected:
  void SetUp() override {
    const testing::TestInfo* info = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = std::filesystem::path(testing::TempDir()) / (std::string(info->test_suite_name()) + "_" + info->name());
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path write(const std::string& name, const std::string& bytes) {
    const std::filesystem::path path = folder_ / name;
    std::filesystem::create_directories(path.parent_path());
    write_file_atomic(path, bytes);
    return path;
  }
  std::filesystem::path write_picture(const std::string& name, int width = 40, int height = 30) {
    return write(name, media::encode_png(media::Image(width, height)));
  }

  std::filesystem::path folder_;
};

}  // namespace sensorium::data
