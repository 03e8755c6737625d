// Block types: limits of what can be quantised. (gguf_test.cpp compares values with the reference.)
#include "io/gguf_blocks.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "base/error.h"
#include "base/rng.h"
#include "io/safetensors.h"

namespace sensorium::io {
namespace {

std::vector<float> round_trip(GgufType type, const std::vector<float>& values) {
  const GgufTypeInfo& info = info_of(type);
  std::vector<std::byte> blocks(values.size() / static_cast<size_t>(info.block_elements) * info.block_bytes);
  quantize(type, values, blocks);
  std::vector<float> back(values.size());
  dequantize(type, blocks, back);
  return back;
}

ErrorKind error_of(GgufType type, const std::vector<float>& values) {
  try {
    round_trip(type, values);
  } catch (const Error& error) {
    return error.kind();
  }
  return ErrorKind::io;
}

TEST(GgufBlocks, TableIsConsistent) {
  for (const GgufTypeInfo& info : gguf_types()) {
    EXPECT_EQ(find_gguf_type(info.name), &info);
    EXPECT_EQ(find_gguf_type(static_cast<uint32_t>(info.type)), &info);
    EXPECT_EQ(gguf_type_name(static_cast<uint32_t>(info.type)), info.name);
    EXPECT_TRUE(!info.dtype || info.block_bytes == size_of(*info.dtype)) << info.name;
    EXPECT_EQ(info.dtype.has_value(), info.block_elements == 1) << info.name;
  }
  EXPECT_EQ(find_gguf_type("Q2_K"), nullptr);
  EXPECT_EQ(gguf_type_name(10), "Q2_K");
  EXPECT_EQ(gguf_type_name(999), "?");
}

// The error of a level is at most half a step, and the scale itself is rounded to 11 bits.
TEST(GgufBlocks, RoundTripWithinAStep) {
  Rng rng(5);
  std::vector<float> values(64 * 32);
  for (float& value : values) value = static_cast<float>(rng.normal());
  const struct {
    GgufType type;
    float steps;  // of the range of a block, at most 2 x 5 here
  } cases[] = {
      {GgufType::q8_0, 254}, {GgufType::q4_0, 15}, {GgufType::q4_1, 15}, {GgufType::q5_0, 31}, {GgufType::q5_1, 31}};
  for (const auto& c : cases) {
    const std::vector<float> back = round_trip(c.type, values);
    for (size_t i = 0; i < values.size(); ++i) {
      ASSERT_NEAR(back[i], values[i], 10.0f / c.steps + 0.01f) << info_of(c.type).name << " " << i;
    }
  }
}

// Scale x integer + offset is the block's value, but for a scale of Q4_K that is rounded to f16.
TEST(GgufBlocks, LevelsAndOffsetsGiveTheValues) {
  Rng rng(8);
  std::vector<float> values(512);
  for (float& value : values) value = static_cast<float>(0.3 + rng.normal());
  for (const GgufTypeInfo& info : gguf_types()) {
    std::vector<int8_t> levels(values.size());
    std::vector<f16> scales(values.size() / 32);
    std::vector<float> offsets(values.size() / 32);
    if (!has_levels(info.type)) {
      EXPECT_THROW(read_levels(info.type, {}, levels, scales, offsets), Error) << info.name;
      continue;
    }
    std::vector<std::byte> blocks(values.size() / static_cast<size_t>(info.block_elements) * info.block_bytes);
    quantize(info.type, values, blocks);
    std::vector<float> wanted(values.size());
    dequantize(info.type, blocks, wanted);
    read_levels(info.type, blocks, levels, scales, offsets);
    for (size_t i = 0; i < wanted.size(); ++i) {
      ASSERT_TRUE(levels[i] >= -8 && levels[i] <= 7);
      const float scale = static_cast<float>(scales[i / 32]);
      ASSERT_NEAR(scale * static_cast<float>(levels[i]) + offsets[i / 32], wanted[i], 0.005f * scale) << info.name << i;
    }
    EXPECT_THROW(read_levels(info.type, blocks, levels, scales, std::span(offsets).first(3)), Error);
  }
}

TEST(GgufBlocks, ExtremesOfFloats) {
  constexpr float kTiny = std::numeric_limits<float>::denorm_min(), kMax = std::numeric_limits<float>::max();
  for (const GgufType type : {GgufType::q8_0, GgufType::q4_0, GgufType::q4_1, GgufType::q5_0, GgufType::q5_1}) {
    SCOPED_TRACE(info_of(type).name);
    EXPECT_EQ(round_trip(type, std::vector<float>(32, 0.0f)), std::vector<float>(32, 0.0f));
    EXPECT_EQ(round_trip(type, std::vector<float>(32, kTiny)), std::vector<float>(32, 0.0f));
    std::vector<float> mixed(32, -1e-41f);  // 1 / scale is infinite
    mixed[3] = 2e-41f;
    EXPECT_EQ(round_trip(type, mixed), std::vector<float>(32, 0.0f));
    EXPECT_EQ(error_of(type, std::vector<float>(32, kMax)), ErrorKind::numeric);
    mixed.assign(32, -kMax);
    mixed[0] = kMax;  // the range overflows
    EXPECT_EQ(error_of(type, mixed), ErrorKind::numeric);
    mixed[0] = NAN;
    EXPECT_EQ(error_of(type, mixed), ErrorKind::numeric);
  }
}

TEST(GgufBlocks, SizesMustFit) {
  EXPECT_EQ(error_of(GgufType::q8_0, std::vector<float>(31, 0.0f)), ErrorKind::shape);
  EXPECT_EQ(error_of(GgufType::q4_k, std::vector<float>(255, 0.0f)), ErrorKind::shape);
  EXPECT_EQ(error_of(GgufType::i8, std::vector<float>(256, 0.0f)), ErrorKind::unsupported);
  std::vector<std::byte> blocks(34);
  std::vector<float> values(64);
  EXPECT_THROW(dequantize(GgufType::q8_0, blocks, values), Error);
  EXPECT_THROW(dequantize(GgufType::i8, blocks, std::span(values).first(34)), Error);
  EXPECT_TRUE(can_quantize(GgufType::q6_k));
  EXPECT_FALSE(can_quantize(GgufType::i32));
  EXPECT_TRUE(can_quantize(GgufType::q5_1));
}

// ggml's reference makes the same bytes, except for levels under a scale of zero, which mean nothing.
TEST(GoldenGgufBlocks, KTypesAsTheReference) {
  const SafetensorsFile golden =
      SafetensorsFile::open(std::string(SENSORIUM_SOURCE_DIR) + "/tests/golden/io/checkpoints/k_quants.safetensors");
  const Tensor source = golden.tensor("source");
  const std::span<const float> values = source.span<float>();
  for (const auto& [name, type] : std::vector<std::pair<const char*, GgufType>>{
           {"q4_k", GgufType::q4_k}, {"q5_k", GgufType::q5_k}, {"q6_k", GgufType::q6_k}}) {
    SCOPED_TRACE(name);
    const GgufTypeInfo& info = info_of(type);
    const Tensor expected = golden.tensor(name);
    std::vector<std::byte> blocks(expected.bytes());
    quantize(type, values, blocks);
    const auto* reference = static_cast<const std::byte*>(expected.raw());
    std::vector<float> ours(values.size()), theirs(values.size());
    dequantize(type, blocks, ours);
    dequantize(type, std::span(reference, expected.bytes()), theirs);
    EXPECT_EQ(ours, theirs);
    size_t equal = 0;
    const size_t count = blocks.size() / info.block_bytes;
    for (size_t b = 0; b < count; ++b) {
      equal += std::equal(reference + b * info.block_bytes, reference + (b + 1) * info.block_bytes,
                          blocks.begin() + static_cast<int64_t>(b * info.block_bytes));
    }
    EXPECT_EQ(equal, count);
  }
}

TEST(GgufBlocks, KTypesOfExtremes) {
  constexpr float kTiny = std::numeric_limits<float>::denorm_min(), kMax = std::numeric_limits<float>::max();
  for (const GgufType type : {GgufType::q4_k, GgufType::q5_k, GgufType::q6_k}) {
    SCOPED_TRACE(info_of(type).name);
    EXPECT_EQ(round_trip(type, std::vector<float>(256, 0.0f)), std::vector<float>(256, 0.0f));
    EXPECT_EQ(round_trip(type, std::vector<float>(256, kTiny)), std::vector<float>(256, 0.0f));
    std::vector<float> mixed(256, -1e-41f);
    mixed[3] = 2e-41f;
    EXPECT_EQ(round_trip(type, mixed), std::vector<float>(256, 0.0f));
    EXPECT_EQ(error_of(type, std::vector<float>(256, kMax)), ErrorKind::numeric);
    mixed.assign(256, -kMax);
    mixed[0] = kMax;
    EXPECT_EQ(error_of(type, mixed), ErrorKind::numeric);
    mixed[0] = NAN;
    EXPECT_EQ(error_of(type, mixed), ErrorKind::numeric);
  }
}

}  // namespace
}  // namespace sensorium::io
