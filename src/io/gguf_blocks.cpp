#include "io/gguf_blocks.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "io/gguf_k_blocks.h"

namespace sensorium::io {
namespace {

// Block layouts (all fields little-endian, scales f16):
//   Q8_0  d, 32 x i8                              value = q d
//   Q4_0  d, 16 bytes                             value = (q - 8) d
//   Q4_1  d, m, 16 bytes                          value = q d + m
//   Q5_0  d, 4 bytes of high bits, 16 bytes       value = (q - 16) d
//   Q5_1  d, m, 4 bytes of high bits, 16 bytes    value = q d + m
//   Q4_K  d, dmin, 12 bytes of scales, 128 bytes  value = (d scale) q - (dmin min), per 32 elements
//   Q5_K  d, dmin, 12 bytes of scales, 32 bytes of high bits, 128 bytes; as Q4_K
//   Q6_K  128 bytes of low bits, 64 bytes of high bits, 16 x i8 scales, d; value = (d scale) (q - 32), per 16 elements
// In the blocks of 32, byte i holds element i in its low half and element i + 16 in its high half.
constexpr int kBlock = 32, kHalf = kBlock / 2, kSuperBlock = 256;

float load_f16(const uint8_t* bytes) {
  f16 value;
  std::memcpy(&value.bits, bytes, 2);
  return static_cast<float>(value);
}

int nibble(const uint8_t* qs, int i) { return i < kHalf ? qs[i] & 0x0F : qs[i - kHalf] >> 4; }

uint32_t load_u32(const uint8_t* bytes) {
  uint32_t value = 0;
  std::memcpy(&value, bytes, 4);
  return value;
}

void decode_q8_0(const uint8_t* block, float* out) {
  const float d = load_f16(block);
  for (int i = 0; i < kBlock; ++i) out[i] = static_cast<float>(static_cast<int8_t>(block[2 + i])) * d;
}

void decode_q4_0(const uint8_t* block, float* out) {
  const float d = load_f16(block);
  for (int i = 0; i < kBlock; ++i) out[i] = d * static_cast<float>(nibble(block + 2, i) - 8);
}

void decode_q4_1(const uint8_t* block, float* out) {
  const float d = load_f16(block), m = load_f16(block + 2);
  for (int i = 0; i < kBlock; ++i) out[i] = d * static_cast<float>(nibble(block + 4, i)) + m;
}

int five_bits(const uint8_t* qs, uint32_t high, int i) {
  return nibble(qs, i) | static_cast<int>((high >> i) & 1u) << 4;
}

void decode_q5_0(const uint8_t* block, float* out) {
  const float d = load_f16(block);
  const uint32_t high = load_u32(block + 2);
  for (int i = 0; i < kBlock; ++i) out[i] = d * static_cast<float>(five_bits(block + 6, high, i) - 16);
}

void decode_q5_1(const uint8_t* block, float* out) {
  const float d = load_f16(block), m = load_f16(block + 2);
  const uint32_t high = load_u32(block + 4);
  for (int i = 0; i < kBlock; ++i) out[i] = d * static_cast<float>(five_bits(block + 8, high, i)) + m;
}

void integers_q8_0(const uint8_t* block, int8_t* out) { std::memcpy(out, block + 2, kBlock); }

void integers_q4_0(const uint8_t* block, int8_t* out) {
  for (int i = 0; i < kBlock; ++i) out[i] = static_cast<int8_t>(nibble(block + 2, i) - 8);
}

void integers_q5_0(const uint8_t* block, int8_t* out) {
  const uint32_t high = load_u32(block + 2);
  for (int i = 0; i < kBlock; ++i) out[i] = static_cast<int8_t>(five_bits(block + 6, high, i) - 16);
}

// The 6-bit scale and min of eight sub-blocks in 12 bytes: bytes 0..3 and 4..7 hold those of sub-blocks 0..3 in their
// low six bits; bytes 8..11 hold the low halves of sub-blocks 4..7 (scale low, min high), whose upper two bits are the
// upper bits of bytes 0..3 and 4..7.
struct ScaleAndMin {
  float scale, min;
};
ScaleAndMin scale_and_min(const uint8_t* packed, int j) {
  if (j < 4) return {static_cast<float>(packed[j] & 0x3F), static_cast<float>(packed[4 + j] & 0x3F)};
  const int scale = (packed[4 + j] & 0x0F) | ((packed[j - 4] >> 2) & 0x30);
  const int min = (packed[4 + j] >> 4) | ((packed[j] >> 2) & 0x30);
  return {static_cast<float>(scale), static_cast<float>(min)};
}

// Q4_K, and Q5_K where `high` is given. Sub-blocks 2k and 2k+1 are the low and high halves of bytes 32k..32k+31; bit j
// of high byte l belongs to element l of sub-block j.
void decode_scaled_subblocks(const uint8_t* block, const uint8_t* high, const uint8_t* qs, float* out) {
  const float d = load_f16(block), dmin = load_f16(block + 2);
  for (int j = 0; j < kSuperBlock / kBlock; ++j) {
    const ScaleAndMin packed = scale_and_min(block + 4, j);
    const float scale = d * packed.scale, min = dmin * packed.min;
    const uint8_t* bytes = qs + j / 2 * kBlock;
    for (int l = 0; l < kBlock; ++l) {
      int q = j % 2 == 0 ? bytes[l] & 0x0F : bytes[l] >> 4;
      if (high != nullptr) q |= ((high[l] >> j) & 1) << 4;
      out[j * kBlock + l] = scale * static_cast<float>(q) - min;
    }
  }
}

void decode_q4_k(const uint8_t* block, float* out) { decode_scaled_subblocks(block, nullptr, block + 16, out); }
void decode_q5_k(const uint8_t* block, float* out) { decode_scaled_subblocks(block, block + 16, block + 48, out); }

// Each half of 128 elements has 64 bytes of low nibbles (elements 0..63 low, 64..127 high) and 32 bytes of two high
// bits (elements 32k..32k+31 at bit 2k).
void decode_q6_k(const uint8_t* block, float* out) {
  const uint8_t *ql = block, *qh = block + 128, *scales = block + 192;
  const float d = load_f16(block + 208);
  for (int e = 0; e < kSuperBlock; ++e) {
    const int half = e / 128, r = e % 128;
    const int low = (ql[half * 64 + r % 64] >> (r / 64 * 4)) & 0x0F;
    const int high = (qh[half * 32 + r % 32] >> (r / 32 * 2)) & 0x03;
    const float scale = d * static_cast<float>(static_cast<int8_t>(scales[e / 16]));
    out[e] = scale * static_cast<float>((low | high << 4) - 32);
  }
}

void store_f16(uint8_t* bytes, float value) {
  const f16 half(value);
  std::memcpy(bytes, &half.bits, 2);
}

// 1 / d, and 0 where that is no number: a scale of 0, or one so small that its f16 is 0 as well.
float inverse(float d) {
  const float id = d == 0 ? 0 : 1 / d;
  return std::isfinite(id) ? id : 0;
}

// Cut to a whole level within 0..max.
int level(float value, int max) {
  if (!(value > 0)) return 0;
  return value >= static_cast<float>(max) ? max : static_cast<int>(value);
}

bool encode_q8_0(const float* values, uint8_t* block) {
  float largest = 0;
  for (int i = 0; i < kBlock; ++i) largest = std::max(largest, std::fabs(values[i]));
  const float d = largest / 127, id = inverse(d);
  store_f16(block, d);
  for (int i = 0; i < kBlock; ++i) {
    block[2 + i] = static_cast<uint8_t>(static_cast<int8_t>(std::round(values[i] * id)));
  }
  return std::isfinite(load_f16(block));
}

// Levels to bytes; `high` receives the fifth bits.
void pack(const std::array<int, kBlock>& levels, uint8_t* qs, uint8_t* high) {
  uint32_t bits = 0;
  for (int i = 0; i < kHalf; ++i) {
    const auto at = static_cast<size_t>(i);
    qs[i] = static_cast<uint8_t>((levels[at] & 0x0F) | (levels[at + kHalf] & 0x0F) << 4);
  }
  if (high == nullptr) return;
  for (int i = 0; i < kBlock; ++i) bits |= static_cast<uint32_t>(levels[static_cast<size_t>(i)] >> 4) << i;
  std::memcpy(high, &bits, 4);
}

// Q4_0 (middle 8) and Q5_0 (middle 16): the value of largest magnitude becomes level 0, so that its sign has one level
// more than the other.
bool encode_symmetric(const float* values, int middle, uint8_t* block, uint8_t* qs, uint8_t* high) {
  float extreme = values[0];
  for (int i = 1; i < kBlock; ++i) {
    if (std::fabs(values[i]) > std::fabs(extreme)) extreme = values[i];
  }
  const float d = extreme / static_cast<float>(-middle), id = inverse(d);
  std::array<int, kBlock> levels;
  for (int i = 0; i < kBlock; ++i) {
    levels[static_cast<size_t>(i)] = level(values[i] * id + (static_cast<float>(middle) + 0.5f), 2 * middle - 1);
  }
  store_f16(block, d);
  pack(levels, qs, high);
  return std::isfinite(load_f16(block));
}

// Q4_1 (max_level 15) and Q5_1 (31): levels from the least value to the largest.
bool encode_from_min(const float* values, int max_level, uint8_t* block, uint8_t* qs, uint8_t* high) {
  const auto [least, largest] = std::minmax_element(values, values + kBlock);
  const float m = *least, d = (*largest - m) / static_cast<float>(max_level), id = inverse(d);
  std::array<int, kBlock> levels;
  for (int i = 0; i < kBlock; ++i) {
    levels[static_cast<size_t>(i)] = level((values[i] - m) * id + 0.5f, max_level);
  }
  store_f16(block, d);
  store_f16(block + 2, m);
  pack(levels, qs, high);
  return std::isfinite(load_f16(block)) && std::isfinite(load_f16(block + 2));
}

bool encode_q4_0(const float* values, uint8_t* block) { return encode_symmetric(values, 8, block, block + 2, nullptr); }
bool encode_q4_1(const float* values, uint8_t* block) { return encode_from_min(values, 15, block, block + 4, nullptr); }
bool encode_q5_0(const float* values, uint8_t* block) {
  return encode_symmetric(values, 16, block, block + 6, block + 2);
}
bool encode_q5_1(const float* values, uint8_t* block) {
  return encode_from_min(values, 31, block, block + 8, block + 4);
}

template <typename T>
void decode_plain(const uint8_t* element, float* out) {
  T value;
  std::memcpy(&value, element, sizeof(T));
  *out = static_cast<float>(value);
}
template <typename T>
bool encode_plain(const float* value, uint8_t* element) {
  const T converted(*value);
  std::memcpy(element, &converted, sizeof(T));
  return true;
}

struct Codec {
  GgufType type;
  void (*decode)(const uint8_t* block, float* values);
  bool (*encode)(const float* values, uint8_t* block);  // false: the scale does not fit; nullptr: not supported
};
constexpr std::array<Codec, 11> kCodecs = {{
    {GgufType::f32, decode_plain<float>, encode_plain<float>},
    {GgufType::f16, decode_plain<f16>, encode_plain<f16>},
    {GgufType::bf16, decode_plain<bf16>, encode_plain<bf16>},
    {GgufType::q8_0, decode_q8_0, encode_q8_0},
    {GgufType::q4_0, decode_q4_0, encode_q4_0},
    {GgufType::q4_1, decode_q4_1, encode_q4_1},
    {GgufType::q5_0, decode_q5_0, encode_q5_0},
    {GgufType::q5_1, decode_q5_1, encode_q5_1},
    {GgufType::q4_k, decode_q4_k, encode_q4_k},
    {GgufType::q5_k, decode_q5_k, encode_q5_k},
    {GgufType::q6_k, decode_q6_k, encode_q6_k},
}};

struct IntegerCodec {
  GgufType type;
  void (*decode)(const uint8_t* block, int8_t* integers);
};
constexpr std::array<IntegerCodec, 3> kIntegerCodecs = {
    {{GgufType::q8_0, integers_q8_0}, {GgufType::q4_0, integers_q4_0}, {GgufType::q5_0, integers_q5_0}}};

const Codec* codec_of(GgufType type) {
  const auto found = std::ranges::find(kCodecs, type, &Codec::type);
  return found == kCodecs.end() ? nullptr : &*found;
}

// The number of blocks, where both sides agree on it.
size_t count_blocks(const GgufTypeInfo& info, size_t elements, size_t bytes) {
  const size_t blocks = bytes / info.block_bytes;
  require(bytes % info.block_bytes == 0 && elements == blocks * static_cast<size_t>(info.block_elements),
          ErrorKind::shape, "{} bytes of {} for {} elements; a block of {} bytes has {}", bytes, info.name, elements,
          info.block_bytes, info.block_elements);
  return blocks;
}

}  // namespace

void dequantize(GgufType type, std::span<const std::byte> blocks, std::span<float> values) {
  const GgufTypeInfo& info = info_of(type);
  const Codec* codec = codec_of(type);
  require(codec != nullptr, ErrorKind::unsupported, "{} is no float type", info.name);
  const size_t count = count_blocks(info, values.size(), blocks.size());
  const auto* bytes = reinterpret_cast<const uint8_t*>(blocks.data());
  for (size_t b = 0; b < count; ++b) {
    codec->decode(bytes + b * info.block_bytes, values.data() + b * static_cast<size_t>(info.block_elements));
  }
}

bool has_integers(GgufType type) {
  return std::ranges::find(kIntegerCodecs, type, &IntegerCodec::type) != kIntegerCodecs.end();
}

void read_integers(GgufType type, std::span<const std::byte> blocks, std::span<int8_t> values, std::span<f16> scales) {
  const GgufTypeInfo& info = info_of(type);
  const auto codec = std::ranges::find(kIntegerCodecs, type, &IntegerCodec::type);
  require(codec != kIntegerCodecs.end(), ErrorKind::unsupported, "{} has no integers with one scale", info.name);
  const size_t count = count_blocks(info, values.size(), blocks.size());
  require(scales.size() == count, ErrorKind::shape, "{} scales for {} blocks", scales.size(), count);
  const auto* bytes = reinterpret_cast<const uint8_t*>(blocks.data());
  for (size_t b = 0; b < count; ++b) {
    const uint8_t* block = bytes + b * info.block_bytes;
    std::memcpy(&scales[b].bits, block, 2);
    codec->decode(block, values.data() + b * kBlock);
  }
}

bool has_levels(GgufType type) { return type == GgufType::q4_1 || type == GgufType::q4_k; }

void read_levels(GgufType type, std::span<const std::byte> blocks, std::span<int8_t> values, std::span<f16> scales,
                 std::span<float> offsets) {
  const GgufTypeInfo& info = info_of(type);
  require(has_levels(type), ErrorKind::unsupported, "{} has no levels of 4 bits with an offset", info.name);
  const size_t count = count_blocks(info, values.size(), blocks.size()),
               groups = values.size() / static_cast<size_t>(kBlock);
  require(scales.size() == groups && offsets.size() == groups, ErrorKind::shape,
          "{} scales and {} offsets for {} groups", scales.size(), offsets.size(), groups);
  const auto set = [&](size_t group, float scale, float least, const auto& level) {
    for (int i = 0; i < kBlock; ++i)
      values[group * kBlock + static_cast<size_t>(i)] = static_cast<int8_t>(level(i) - 8);
    scales[group] = f16(scale);
    offsets[group] = 8 * scale + least;
  };
  const auto* block = reinterpret_cast<const uint8_t*>(blocks.data());
  for (size_t b = 0; b < count; ++b, block += info.block_bytes) {
    const float d = load_f16(block), second = load_f16(block + 2);
    if (type == GgufType::q4_1) {
      set(b, d, second, [&](int i) { return nibble(block + 4, i); });
      continue;
    }
    for (int j = 0; j < kSuperBlock / kBlock; ++j) {
      const ScaleAndMin packed = scale_and_min(block + 4, j);
      const uint8_t* bytes = block + 16 + j / 2 * kBlock;
      set(b * (kSuperBlock / kBlock) + static_cast<size_t>(j), d * packed.scale, -second * packed.min,
          [&](int i) { return j % 2 == 0 ? bytes[i] & 0x0F : bytes[i] >> 4; });
    }
  }
}

bool can_quantize(GgufType type) {
  const Codec* codec = codec_of(type);
  return codec != nullptr && codec->encode != nullptr;
}

void quantize(GgufType type, std::span<const float> values, std::span<std::byte> blocks) {
  const GgufTypeInfo& info = info_of(type);
  require(can_quantize(type), ErrorKind::unsupported, "quantising to {} is not supported", info.name);
  const size_t count = count_blocks(info, values.size(), blocks.size());
  const auto elements = static_cast<size_t>(info.block_elements);
  auto* bytes = reinterpret_cast<uint8_t*>(blocks.data());
  const Codec* codec = codec_of(type);
  for (size_t b = 0; b < count; ++b) {
    const std::span<const float> from = values.subspan(b * elements, elements);
    if (!info.dtype) {
      const auto bad = std::ranges::find_if(from, [](float value) { return !std::isfinite(value); });
      require(bad == from.end(), ErrorKind::numeric, "{} cannot hold {}", info.name, bad == from.end() ? 0 : *bad);
    }
    require(codec->encode(from.data(), bytes + b * info.block_bytes), ErrorKind::numeric,
            "element {} or a neighbour is too large for {}", b * elements, info.name);
  }
}

}  // namespace sensorium::io
