// Blocks of GGUF come into the kernels' layout: the same numbers where the layout has them, else within half a step of 8 bits.
#include "models/checkpoint/repack.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/rng.h"
#include "io/gguf_blocks.h"

namespace sensorium::models {
namespace {

using io::GgufType;

constexpr int64_t kColumns = 256;

struct Blocks {
  std::vector<std::byte> bytes;
  std::vector<float> values;  // what they stand for
  TensorFiles::Entry entry;

  Blocks(GgufType type, int64_t rows, uint64_t seed) : values(static_cast<size_t>(rows * kColumns)) {
    Rng rng(seed);
    for (float& value : values) value = static_cast<float>(rng.normal());
    const io::GgufTypeInfo& info = io::info_of(type);
    const size_t width = static_cast<size_t>(kColumns / info.block_elements) * info.block_bytes;
    bytes.resize(width * static_cast<size_t>(rows));
    io::quantize(type, values, bytes);
    io::dequantize(type, bytes, values);
    entry.shape = {rows, kColumns};
    entry.blocks = std::make_shared<BlockRows>(BlockRows{.type = type,
                                                         .blocks =
                                                             [this, width](int64_t row) {
                                                               return std::span<const std::byte>(bytes).subspan(
                                                                   static_cast<size_t>(row) * width, width);
                                                             },
                                                         .drop = [] {}});
  }
};

// The largest distance, in units of the largest magnitude in a group of 32.
double largest_error(const Tensor& made, const std::vector<float>& wanted) {
  const auto values = made.span<float>();
  EXPECT_EQ(values.size(), wanted.size());
  double largest = 0;
  for (size_t first = 0; first < wanted.size(); first += 32) {
    double most = 0, error = 0;
    for (size_t i = first; i < first + 32; ++i) {
      most = std::max(most, static_cast<double>(std::abs(wanted[i])));
      error = std::max(error, static_cast<double>(std::abs(values[i] - wanted[i])));
    }
    largest = std::max(largest, error / most);
  }
  return largest;
}

class Repack : public ::testing::TestWithParam<GgufType> {};

TEST_P(Repack, KeepsTheNumbersOfJoinedParts) {
  // Neither part is a whole number of panels of 64 rows.
  const Blocks first(GetParam(), 70, 1), second(GetParam(), 50, 2);
  const MatrixParts parts = {&first.entry, &second.entry};
  const ops::PackedWeight packed = repack(parts, {120, kColumns});
  const bool four = GetParam() == GgufType::q4_0, shifted = io::has_levels(GetParam());
  EXPECT_EQ(ops::name_of(packed), four ? "q4/32" : shifted ? "q4/32 + offsets" : "q8/32");
  EXPECT_EQ(repacked_bytes(parts, {120, kColumns}), static_cast<int64_t>(packed.bytes.bytes()));
  std::vector<float> wanted = first.values;
  wanted.insert(wanted.end(), second.values.begin(), second.values.end());
  const double error = largest_error(ops::unpack(packed, DType::f32), wanted);
  // Half a step (of the offsets: of the largest in 1024 values), and a scale that is rounded to f16.
  EXPECT_LE(error, io::has_integers(GetParam()) ? 0.0 : 0.5 / 127 + 1.0 / 2048);
  EXPECT_LE(largest_error(unpack_to_brain(parts, {120, kColumns}).to(DType::f32), wanted), 1.0 / 256);
}

INSTANTIATE_TEST_SUITE_P(Types, Repack,
                         ::testing::Values(GgufType::q4_0, GgufType::q4_1, GgufType::q5_0, GgufType::q5_1,
                                           GgufType::q8_0, GgufType::q4_k, GgufType::q5_k, GgufType::q6_k),
                         [](const auto& type) { return std::string(io::info_of(type.param).name); });

TEST(Repack, PartsOfSeveralTypesGetOneThatHoldsAll) {
  const Blocks four(GgufType::q4_0, 64, 3), six(GgufType::q6_k, 64, 4), eight(GgufType::q8_0, 64, 5);
  const MatrixParts exact = {&four.entry, &eight.entry};
  const ops::PackedWeight packed = repack(exact, {128, kColumns});
  EXPECT_EQ(ops::name_of(packed), "q8/32");
  std::vector<float> wanted = four.values;
  wanted.insert(wanted.end(), eight.values.begin(), eight.values.end());
  EXPECT_EQ(largest_error(ops::unpack(packed, DType::f32), wanted), 0.0);
  const Shape shape = {128, kColumns};
  EXPECT_EQ(kernels::name_of(repacked_type({&four.entry, &six.entry}).value()), "q8/32");
  const Blocks scaled(GgufType::q4_k, 64, 6);
  EXPECT_EQ(ops::name_of(repack({&six.entry, &scaled.entry}, shape)), "q8/32");
  const ops::PackedWeight mixed = repack({&four.entry, &scaled.entry}, shape);
  EXPECT_EQ(ops::name_of(mixed), "q4/32 + offsets");
  wanted.resize(four.values.size());
  wanted.insert(wanted.end(), scaled.values.begin(), scaled.values.end());
  EXPECT_LE(largest_error(ops::unpack(mixed, DType::f32), wanted), 0.5 / 127 + 1.0 / 2048);
  const TensorFiles::Entry plain{.shape = {64, kColumns}};
  EXPECT_FALSE(repacked_type({&four.entry, &plain}).has_value());
}

// An f16 scale can be infinite, or NaN in a damaged file; other types cannot be rounded then.
TEST(Repack, NumbersThatDoNotFitAreNamed) {
  Blocks blocks(GgufType::q6_k, 64, 6);
  blocks.entry.file_name = "blk.0.ffn_up.weight";
  const uint16_t infinity = 0x7C00;
  std::memcpy(blocks.bytes.data() + 208, &infinity, 2);
  try {
    repack({&blocks.entry}, {64, kColumns});
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::numeric);
    EXPECT_NE(error.message().find("blk.0.ffn_up.weight"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace sensorium::models
