#include "models/checkpoint/repack.h"

#include <algorithm>
#include <cmath>

#include "base/threads.h"
#include "io/gguf_blocks.h"

namespace sensorium::models {
namespace {

using io::GgufType;

constexpr int64_t kGroup = 32;  // values of a block of Q4_0, Q5_0 and Q8_0

const TensorFiles::Entry& part_with(const MatrixParts& parts, int64_t& row) {
  for (const TensorFiles::Entry* part : parts) {
    if (row < part->shape[0]) return *part;
    row -= part->shape[0];
  }
  fail(ErrorKind::shape, "a row behind the last one");
}

bool has_levels(const TensorFiles::Entry* part) { return io::has_levels(part->blocks->type); }

// 4 bits hold levels only.
bool needs_offsets(const MatrixParts& parts, const kernels::PackedLayout& layout) {
  return layout.type == kernels::PackedType::q4 && std::ranges::any_of(parts, has_levels);
}

void drop_pages_of(const MatrixParts& parts) {
  for (const TensorFiles::Entry* part : parts) part->blocks->drop();
}

// One row as integers with a scale for 32.
void read_row(const TensorFiles::Entry& part, int64_t row, std::span<int8_t> values, std::span<f16> scales) {
  const std::span<const std::byte> blocks = part.blocks->blocks(row);
  if (io::has_integers(part.blocks->type)) return io::read_integers(part.blocks->type, blocks, values, scales);
  std::vector<float> floats(values.size());
  io::dequantize(part.blocks->type, blocks, floats);
  std::vector<std::byte> rounded(scales.size() * io::info_of(GgufType::q8_0).block_bytes);
  try {
    io::quantize(GgufType::q8_0, floats, rounded);
  } catch (const Error& error) {
    throw error.with_context("tensor " + part.file_name);
  }
  io::read_integers(GgufType::q8_0, rounded, values, scales);
}

}  // namespace

std::optional<kernels::PackedLayout> repacked_type(const MatrixParts& parts) {
  const auto has_blocks = [](const TensorFiles::Entry* part) { return part->blocks != nullptr; };
  if (parts.empty() || !std::ranges::all_of(parts, has_blocks)) return std::nullopt;
  const bool four = std::ranges::all_of(
      parts, [](const TensorFiles::Entry* part) { return part->blocks->type == GgufType::q4_0 || has_levels(part); });
  return kernels::PackedLayout{.type = four ? kernels::PackedType::q4 : kernels::PackedType::q8, .group = kGroup};
}

kernels::PackedLayout repacked_layout(const MatrixParts& parts, const Shape& shape) {
  kernels::PackedLayout layout = repacked_type(parts).value();
  layout.n = shape[0];
  layout.k = shape[1];
  return layout;
}

int64_t repacked_bytes(const MatrixParts& parts, const Shape& shape) {
  const kernels::PackedLayout layout = repacked_layout(parts, shape);
  return layout.bytes() + (needs_offsets(parts, layout) ? ops::offset_layout(layout).bytes() : 0);
}

ops::PackedWeight repack(const MatrixParts& parts, const Shape& shape) {
  const kernels::PackedLayout layout = repacked_layout(parts, shape);
  const auto k = static_cast<size_t>(layout.k), groups = static_cast<size_t>(layout.groups());
  const bool shifts = needs_offsets(parts, layout);
  const Tensor offsets_NG = shifts ? Tensor::zeros({layout.n, layout.groups()}) : Tensor();
  ops::PackedWeight packed = ops::pack_integers(
      [&](int64_t row, int8_t* values, f16* scales) {
        float* offsets = shifts ? offsets_NG.data<float>() + row * layout.groups() : nullptr;
        const TensorFiles::Entry& part = part_with(parts, row);
        if (!shifts || !has_levels(&part)) return read_row(part, row, {values, k}, {scales, groups});
        io::read_levels(part.blocks->type, part.blocks->blocks(row), {values, k}, {scales, groups}, {offsets, groups});
        const bool finite = std::all_of(offsets, offsets + groups, [](float offset) { return std::isfinite(offset); });
        require(finite, ErrorKind::numeric, "tensor {}: an offset that is no finite number", part.file_name);
      },
      layout);
  if (shifts) packed = ops::with_offsets(packed, offsets_NG);
  drop_pages_of(parts);
  return packed;
}

Tensor unpack_to_brain(const MatrixParts& parts, const Shape& shape) {
  const Tensor table = Tensor::empty(shape, DType::bf16);
  const auto columns = static_cast<size_t>(shape[1]);
  auto* out = static_cast<bf16*>(table.raw());
  parallel_for(shape[0], 16, [&](int64_t begin, int64_t end, int) {
    std::vector<float> floats(columns);
    for (int64_t i = begin; i < end; ++i) {
      int64_t row = i;
      const TensorFiles::Entry& part = part_with(parts, row);
      io::dequantize(part.blocks->type, part.blocks->blocks(row), floats);
      std::ranges::transform(floats, out + static_cast<size_t>(i) * columns, [](float value) { return bf16(value); });
    }
  });
  drop_pages_of(parts);
  return table;
}

}  // namespace sensorium::models
