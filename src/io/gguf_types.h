// The element types of GGUF files. Most are block types: a row (the innermost dimension) is cut into blocks of 32 or
// 256 elements that share scales.
// Source: the GGUF specification (ggml-org/ggml, docs/gguf.md) and the block layouts of ggml-common.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "tensor/dtype.h"

namespace sensorium::io {

// The values are those of the format.
enum class GgufType : uint32_t {
  f32 = 0,
  f16 = 1,
  q4_0 = 2,
  q4_1 = 3,
  q5_0 = 6,
  q5_1 = 7,
  q8_0 = 8,
  q4_k = 12,
  q5_k = 13,
  q6_k = 14,
  i8 = 24,
  i32 = 26,
  i64 = 27,
  bf16 = 30,
};

struct GgufTypeInfo {
  GgufType type;
  std::string_view name;  // as ggml writes it: "Q4_K"
  int64_t block_elements;
  size_t block_bytes;
  std::optional<DType> dtype;  // of a plain type, whose elements are those of a Tensor
};

// Every type that this build reads.
std::span<const GgufTypeInfo> gguf_types();
const GgufTypeInfo& info_of(GgufType type);
// nullptr for a number that is no type of gguf_types().
const GgufTypeInfo* find_gguf_type(uint32_t number);
const GgufTypeInfo* find_gguf_type(std::string_view name);
// The format's name of any type number, for messages: "Q2_K"; "?" if the format has none.
std::string_view gguf_type_name(uint32_t number);

}  // namespace sensorium::io
