#include "io/safetensors_writer.h"

#include <gtest/gtest.h>

#include "base/rng.h"
#include "temporary_folder.h"

namespace sensorium::io {
namespace {

class Writer : public ::testing::Test {
 protected:
  const TemporaryFolder temporary_;
  const std::filesystem::path folder_ = temporary_.path();
};

TEST_F(Writer, AnyOrderGivesTheFileOfAllAtOnce) {
  Rng rng(1);
  const std::vector<NamedTensor> tensors = {{"a", Tensor::randn({3, 5}, rng)},
                                            {"b", Tensor::randn({7}, rng, 1, DType::bf16)},
                                            {"none", Tensor::zeros({0, 4})},
                                            {"c", Tensor::zeros({2, 2, 2}, DType::u8)}};
  write_safetensors(folder_ / "whole", tensors, {{"format", "pt"}});
  std::vector<NamedShape> shapes;
  for (const NamedTensor& entry : tensors) shapes.push_back({entry.name, entry.tensor.dtype(), entry.tensor.shape()});
  SafetensorsWriter writer(folder_ / "pieces", shapes, {{"format", "pt"}});
  for (const size_t i : {2, 3, 0, 1}) writer.put(tensors[i].name, tensors[i].tensor);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "pieces"));
  writer.commit();
  const std::string whole = read_file(folder_ / "whole");
  EXPECT_EQ(read_file(folder_ / "pieces"), whole);
  EXPECT_EQ(writer.bytes(), whole.size());
}

TEST_F(Writer, RefusesWhatWasNotAnnounced) {
  const Tensor x = Tensor::zeros({2, 3});
  SafetensorsWriter writer(folder_ / "file", {{"x", DType::f32, {2, 3}}, {"y", DType::f32, {1}}}, {});
  EXPECT_THROW(writer.put("z", x), Error);
  EXPECT_THROW(writer.put("x", x.reshape({3, 2})), Error);
  EXPECT_THROW(writer.put("x", x.to(DType::bf16)), Error);
  writer.put("x", x);
  EXPECT_THROW(writer.put("x", x), Error);
  EXPECT_THROW(writer.commit(), Error);  // y has not come
  EXPECT_THROW(SafetensorsWriter(folder_ / "two", {{"x", DType::f32, {1}}, {"x", DType::f32, {1}}}, {}), Error);
}

TEST_F(Writer, LeavesNothingWithoutCommit) {
  { SafetensorsWriter writer(folder_ / "file", {{"x", DType::f32, {2, 3}}}, {}); }
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

}  // namespace
}  // namespace sensorium::io
