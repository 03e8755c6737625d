// .npy files, as NumPy writes and reads them.
#include "io/npy.h"

#include <gtest/gtest.h>

#include "base/file.h"

namespace sensorium::io {
namespace {

const std::filesystem::path kGolden = SENSORIUM_SOURCE_DIR "/tests/golden/io";

Result<Tensor> parse(const std::string& bytes) { return parse_npy(std::as_bytes(std::span(bytes))); }

TEST(GoldenNpy, ReadsWhatNumpyWrote) {
  EXPECT_EQ(read_npy(kGolden / "f4.npy").to_floats(), (std::vector<float>{0, 0.25f, 0.5f, 0.75f, 1, 1.25f}));
  EXPECT_EQ(read_npy(kGolden / "f4.npy").shape(), Shape({2, 3}));
  EXPECT_EQ(read_npy(kGolden / "f8.npy").to_floats(), (std::vector<float>{0.1f, -2.5f}));
  EXPECT_EQ(read_npy(kGolden / "f2.npy").dtype(), DType::f16);
  EXPECT_EQ(read_npy(kGolden / "f2.npy").rank(), 0);
  EXPECT_EQ(read_npy(kGolden / "i2.npy").data<int32_t>()[0], -32768);
  EXPECT_EQ(read_npy(kGolden / "u2.npy").data<int32_t>()[0], 65535);
  EXPECT_EQ(read_npy(kGolden / "bool.npy").data<uint8_t>()[2], 1);
  EXPECT_EQ(read_npy(kGolden / "version2.npy").data<int32_t>()[2], 3);
  EXPECT_EQ(read_npy(kGolden / "empty.npy").shape(), Shape({0, 3}));
}

TEST(GoldenNpy, WritesWhatNumpyWrote) {
  const Tensor quarters = Tensor::from(std::vector<float>{0, 0.25f, 0.5f, 0.75f, 1, 1.25f}, {2, 3});
  EXPECT_EQ(encode_npy(quarters), read_file(kGolden / "f4.npy"));
  EXPECT_EQ(encode_npy(Tensor::zeros({0, 3}, DType::i64)), read_file(kGolden / "empty.npy"));
  EXPECT_EQ(encode_npy(Tensor::from(std::vector<f16>{f16(1.5f)}, {})), read_file(kGolden / "f2.npy"));
  EXPECT_THROW(encode_npy(Tensor::zeros({1}, DType::bf16)), Error);
}

TEST(Npy, RefusesWhatItCannotRead) {
  EXPECT_THROW(read_npy(kGolden / "fortran.npy"), Error);
  EXPECT_THROW(read_npy(kGolden / "big_endian.npy"), Error);
  const std::string whole = read_file(kGolden / "f4.npy");
  for (size_t size = 0; size < whole.size(); ++size) EXPECT_FALSE(parse(whole.substr(0, size)).ok()) << size;
  EXPECT_FALSE(parse(whole + "x").ok());
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string bytes = whole;
    const size_t place = bytes.find(from);
    return bytes.replace(place, std::max(from.size(), to.size()),
                         to + std::string(from.size() > to.size() ? from.size() - to.size() : 0, ' '));
  };
  EXPECT_TRUE(parse(with("(2, 3)", "(3, 2)")).ok());
  for (const char* shape : {"(-2, 3)", "(9, 9)", "(2 3)", "2, 3", "(2, x)", "(,)", "(99999999999999999999,)",
                            "(4611686018427387904, 4)", "(0, 9223372036854775807)"}) {
    EXPECT_FALSE(parse(with("(2, 3), }", std::string(shape) + ", }")).ok()) << shape;
  }
  EXPECT_FALSE(parse(with("<f4", "<c8")).ok());
  EXPECT_FALSE(parse(with("descr", "dtype")).ok());
}

}  // namespace
}  // namespace sensorium::io
