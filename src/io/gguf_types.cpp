#include "io/gguf_types.h"

#include <algorithm>
#include <array>

namespace sensorium::io {
namespace {

// Bytes of a block: its f16 scales, then its packed bits.
constexpr std::array<GgufTypeInfo, 14> kTypes = {{
    {GgufType::f32, "F32", 1, 4, DType::f32},
    {GgufType::f16, "F16", 1, 2, DType::f16},
    {GgufType::bf16, "BF16", 1, 2, DType::bf16},
    {GgufType::i8, "I8", 1, 1, DType::i8},
    {GgufType::i32, "I32", 1, 4, DType::i32},
    {GgufType::i64, "I64", 1, 8, DType::i64},
    {GgufType::q8_0, "Q8_0", 32, 2 + 32, {}},
    {GgufType::q4_0, "Q4_0", 32, 2 + 16, {}},
    {GgufType::q4_1, "Q4_1", 32, 2 + 2 + 16, {}},
    {GgufType::q5_0, "Q5_0", 32, 2 + 4 + 16, {}},
    {GgufType::q5_1, "Q5_1", 32, 2 + 2 + 4 + 16, {}},
    {GgufType::q4_k, "Q4_K", 256, 2 + 2 + 12 + 128, {}},
    {GgufType::q5_k, "Q5_K", 256, 2 + 2 + 12 + 32 + 128, {}},
    {GgufType::q6_k, "Q6_K", 256, 128 + 64 + 16 + 2, {}},
}};

// Types of the format that this build does not read. Numbers that ggml has withdrawn are left out.
struct OtherType {
  uint32_t number;
  std::string_view name;
};
constexpr std::array<OtherType, 20> kOtherTypes = {{
    {9, "Q8_1"},   {10, "Q2_K"},   {11, "Q3_K"},  {15, "Q8_K"},  {16, "IQ2_XXS"}, {17, "IQ2_XS"}, {18, "IQ3_XXS"},
    {19, "IQ1_S"}, {20, "IQ4_NL"}, {21, "IQ3_S"}, {22, "IQ2_S"}, {23, "IQ4_XS"},  {25, "I16"},    {28, "F64"},
    {29, "IQ1_M"}, {34, "TQ1_0"},  {35, "TQ2_0"}, {39, "MXFP4"}, {40, "NVFP4"},   {41, "Q1_0"},
}};

}  // namespace

std::span<const GgufTypeInfo> gguf_types() { return kTypes; }

const GgufTypeInfo* find_gguf_type(uint32_t number) {
  const auto found = std::ranges::find_if(
      kTypes, [&](const GgufTypeInfo& info) { return static_cast<uint32_t>(info.type) == number; });
  return found == kTypes.end() ? nullptr : &*found;
}

const GgufTypeInfo* find_gguf_type(std::string_view name) {
  const auto found = std::ranges::find(kTypes, name, &GgufTypeInfo::name);
  return found == kTypes.end() ? nullptr : &*found;
}

const GgufTypeInfo& info_of(GgufType type) { return *find_gguf_type(static_cast<uint32_t>(type)); }

std::string_view gguf_type_name(uint32_t number) {
  if (const GgufTypeInfo* info = find_gguf_type(number)) return info->name;
  const auto found = std::ranges::find(kOtherTypes, number, &OtherType::number);
  return found == kOtherTypes.end() ? "?" : found->name;
}

}  // namespace sensorium::io
