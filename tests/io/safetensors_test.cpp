// Safetensors files: equal to the reference implementation's, and hostile headers.
#include "io/safetensors.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>

#include "base/file.h"

namespace sensorium::io {
namespace {
namespace fs = std::filesystem;

const fs::path kGolden = SENSORIUM_SOURCE_DIR "/tests/golden/io";

class Folder : public ::testing::Test {
 protected:
  void SetUp() override {
    path_ = fs::path(testing::TempDir()) / testing::UnitTest::GetInstance()->current_test_info()->name();
    fs::remove_all(path_);
    fs::create_directories(path_);
  }
  void TearDown() override { fs::remove_all(path_); }
  fs::path path_;
};
class Safetensors : public Folder {};
class GoldenSafetensors : public Folder {};

std::string with_length(const std::string& header, const std::string& data) {
  const uint64_t length = header.size();
  return std::string(reinterpret_cast<const char*>(&length), 8) + header + data;
}

Result<SafetensorsFile> parse(const std::string& bytes) {
  auto owner = std::make_shared<std::string>(bytes);
  return SafetensorsFile::parse(std::as_bytes(std::span(*owner)), owner);
}

// The message of the error, or "ok".
std::string verdict(const std::string& header, const std::string& data) {
  const auto file = parse(with_length(header, data));
  return file ? "ok" : file.error().message();
}

std::string one(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return R"({"x":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}";
}

TEST_F(GoldenSafetensors, ReadsWhatHuggingFaceWrote) {
  const SafetensorsFile file = SafetensorsFile::open(kGolden / "hf.safetensors");
  EXPECT_EQ(file.metadata().at("note"), "naïve");
  EXPECT_EQ(file.names().size(), 9u);
  const Tensor a = file.tensor("a.f32");
  EXPECT_EQ(a.shape(), Shape({2, 3}));
  EXPECT_EQ(a.data<float>()[1], -2.0f);
  EXPECT_TRUE(std::isinf(a.data<float>()[5]));
  EXPECT_EQ(file.tensor("b.bf16").to_floats(), (std::vector<float>{1.0f, -0.5f, 100.0f}));
  EXPECT_EQ(file.tensor("c.f16").to_floats(), (std::vector<float>{0.5f, -65504.0f}));
  EXPECT_EQ(file.tensor("d.i8").data<int8_t>()[0], -128);
  EXPECT_EQ(file.tensor("e.u8").data<uint8_t>()[1], 255);
  EXPECT_EQ(file.tensor("f.i32").data<int32_t>()[0], INT32_MIN);
  EXPECT_EQ(file.tensor("g.i64").data<int64_t>()[1], INT64_MAX);
  EXPECT_EQ(file.tensor("scalar").rank(), 0);
  EXPECT_EQ(file.tensor("scalar").item(), 7.0f);
  EXPECT_EQ(file.tensor("empty").shape(), Shape({0, 4}));
}

// The script that made the file read it back with Hugging Face's library.
TEST_F(GoldenSafetensors, WritesWhatHuggingFaceReads) {
  const std::vector<NamedTensor> tensors = {{"second", Tensor::from(std::vector<float>{1, 2, 3, 4}, {2, 2})},
                                            {"first", Tensor::from(std::vector<uint8_t>{7, 8, 9}, {3})},
                                            {"odd.bf16", Tensor::from(std::vector<bf16>{bf16(1.5f)}, {1})}};
  write_safetensors(path_ / "x.safetensors", tensors, {{"format", "pt"}});
  EXPECT_EQ(read_file(path_ / "x.safetensors"), read_file(kGolden / "written.safetensors"));
}

TEST_F(Safetensors, MisalignedTensorsAreCopied) {
  const SafetensorsFile file = SafetensorsFile::open(kGolden / "written.safetensors");
  const Tensor odd = file.tensor("odd.bf16");  // at byte 19 of the data
  EXPECT_EQ(reinterpret_cast<uintptr_t>(odd.raw()) % 2, 0u);
  EXPECT_EQ(odd.to_floats(), std::vector<float>{1.5f});
  EXPECT_EQ(file.tensor("second").raw(), file.tensor("second").raw());  // views on one map
}

TEST_F(Safetensors, TensorsOutliveTheFile) {
  Tensor tensor;
  { tensor = SafetensorsFile::open(kGolden / "hf.safetensors").tensor("a.f32"); }
  EXPECT_EQ(tensor.data<float>()[0], 1.5f);
}

TEST_F(Safetensors, WriterRefusesNamesThatClash) {
  const Tensor x = Tensor::zeros({1});
  EXPECT_THROW(write_safetensors(path_ / "x", {{"a", x}, {"a", x}}, {}), Error);
  EXPECT_THROW(write_safetensors(path_ / "x", {{"__metadata__", x}}, {}), Error);
  EXPECT_FALSE(fs::exists(path_ / "x"));
}

TEST_F(Safetensors, EmptyFileOfNoTensors) {
  write_safetensors(path_ / "x", {}, {});
  EXPECT_TRUE(SafetensorsFile::open(path_ / "x").names().empty());
}

TEST_F(Safetensors, HostileHeaders) {
  const std::string four(4, '\0');
  EXPECT_EQ(verdict(one("F32", "[1]", "[0,4]"), four), "ok");
  const struct {
    std::string header, data, part;
  } cases[] = {
      {one("F32", "[1]", "[0,8]"), four, "not inside"},
      {one("F32", "[2]", "[0,4]"), four, "expected 8"},
      {one("F32", "[1]", "[4,0]"), four, "not inside"},
      {one("F32", "[-1]", "[0,4]"), four, "list of sizes"},
      {one("F32", "[1.5]", "[0,4]"), four, "list of sizes"},
      {one("F32", "1", "[0,4]"), four, "list of sizes"},
      {one("F32", "[1]", "[-4,0]"), four, "two sizes"},
      {one("F32", "[1]", "[0]"), four, "two sizes"},
      {one("F32", "[1]", "[18446744073709551612,18446744073709551616]"), four, "two sizes"},  // past 64 bits: a float
      {one("F32", "[1]", "[18446744073709551608,18446744073709551612]"), four, "not inside"},
      {one("F32", "[4611686018427387904,4]", "[0,0]"), "", "too large"},  // 2^64 bytes wrap to 0
      {one("F32", "[0,9223372036854775807,9223372036854775807]", "[0,0]"), "", "too large"},
      {one("F32", "[0,1099511627776,1099511627776]", "[0,0]"), "", "too large"},
      {one("F32", "[1,1,1,1,1,1,1]", "[0,4]"), four, "7 dimensions"},
      {one("F8_E4M3", "[4]", "[0,4]"), four, "tensor x: dtype F8_E4M3 is not supported"},
      {R"({"x":{"dtype":1,"shape":[1],"data_offsets":[0,4]}})", four, "expected a string"},
      {R"({"x":{"dtype":"F32","shape":[1]}})", four, "missing"},
      {R"({"x":[]})", four, "missing"},
      {R"({"__metadata__":{"a":1}})", "", "expected a string"},
      {R"({"__metadata__":[]})", "", "expected an object"},
      {R"([])", "", "'{'"},
      {R"( {})", "", "'{'"},
      {R"({"x":)", "", "invalid JSON"},
      {"{}", "left over", "cut off or overlong"},
      {one("F32", "[1]", "[0,4]"), four + "x", "cut off or overlong"},
      {one("F32", "[1]", "[4,8]"), four + four, "a hole of 4 bytes"},
      {R"({"x":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"y":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}})",
       four, "overlap"},
      {R"({"x":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"y":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})",
       four, "overlap"},
      {R"({"x":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"x":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})",
       four, "twice"},
      {std::string(200, '{'), "", "safetensors header"},
      {"{\"\xFF\":1}", "", "invalid JSON"},
  };
  for (const auto& c : cases)
    EXPECT_NE(verdict(c.header, c.data).find(c.part), std::string::npos) << c.header << "\n"
                                                                         << verdict(c.header, c.data);
}

TEST_F(Safetensors, HostileLengths) {
  for (const uint64_t length : {uint64_t{3}, uint64_t{100'000'001}, UINT64_MAX, UINT64_MAX - 7}) {
    std::string bytes = with_length("{}", "");
    std::memcpy(bytes.data(), &length, 8);
    EXPECT_FALSE(parse(bytes).ok()) << length;
  }
}

TEST_F(Safetensors, EveryTruncationIsAnError) {
  const std::string whole = read_file(kGolden / "hf.safetensors");
  for (size_t size = 0; size < whole.size(); ++size) EXPECT_FALSE(parse(whole.substr(0, size)).ok()) << size;
  EXPECT_TRUE(parse(whole).ok());
}

TEST_F(Safetensors, ErrorsNameTheFile) {
  write_file_atomic(path_ / "bad.safetensors", "nonsense, more than eight bytes");
  try {
    SafetensorsFile::open(path_ / "bad.safetensors");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::invalid_data);
    EXPECT_NE(error.message().find("bad.safetensors: "), std::string::npos);
  }
}

}  // namespace
}  // namespace sensorium::io
