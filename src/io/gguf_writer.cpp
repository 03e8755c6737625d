#include <algorithm>
#include <bit>
#include <set>

#include "base/file.h"
#include "base/threads.h"
#include "io/gguf.h"
#include "io/gguf_blocks.h"

namespace sensorium::io {
namespace {

constexpr size_t kDefaultAlignment = 32;
constexpr int64_t kPiece = 1 << 18;  // elements that are converted at a time: whole blocks of every type
constexpr int64_t kGrain = 1 << 13;  // of these, by one thread

template <typename T>
void append(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(T));
}
void append_string(std::string& out, std::string_view text) {
  append(out, static_cast<uint64_t>(text.size()));
  out.append(text);
}

size_t padding(uint64_t bytes, size_t alignment) { return (alignment - bytes % alignment) % alignment; }

const Shape& shape_of(const GgufOutput& output) {
  if (const auto* tensor = std::get_if<Tensor>(&output.data)) return tensor->shape();
  if (const auto* lazy = std::get_if<LazyTensor>(&output.data)) return lazy->shape;
  return std::get<GgufTensor>(output.data).shape;
}

uint64_t bytes_of(const GgufOutput& output) {
  const GgufTypeInfo& info = info_of(output.type);
  return static_cast<uint64_t>(shape_of(output).elements() / info.block_elements) * info.block_bytes;
}

void check(const GgufOutput& output) {
  const GgufTypeInfo& info = info_of(output.type);
  const Shape& shape = shape_of(output);
  require(shape.rank() <= 4, ErrorKind::shape, "tensor {}: shape {}, GGUF has at most 4 dimensions", output.name,
          shape);
  require((shape.rank() == 0 ? 1 : shape[-1]) % info.block_elements == 0, ErrorKind::shape,
          "tensor {}: shape {} has rows that are no whole number of {}'s blocks of {}", output.name, shape, info.name,
          info.block_elements);
  if (const auto* blocks = std::get_if<GgufTensor>(&output.data)) {
    require(blocks->type == output.type && blocks->blocks.size() == bytes_of(output), ErrorKind::usage,
            "tensor {}: {} bytes of {}, expected {} of {}", output.name, blocks->blocks.size(),
            info_of(blocks->type).name, bytes_of(output), info.name);
    return;
  }
  const auto* tensor = std::get_if<Tensor>(&output.data);
  const DType dtype = tensor != nullptr ? tensor->dtype() : std::get<LazyTensor>(output.data).dtype;
  require(info.dtype == dtype || (is_float(dtype) && can_quantize(output.type)), ErrorKind::unsupported,
          "tensor {}: {} cannot become {}", output.name, name_of(dtype), info.name);
}

void write_data(AtomicFile& file, const GgufOutput& output) {
  if (const auto* source = std::get_if<GgufTensor>(&output.data)) {
    file.write(source->blocks.data(), source->blocks.size());
    return;
  }
  const auto* lazy = std::get_if<LazyTensor>(&output.data);
  const Tensor tensor = lazy != nullptr ? lazy->get(output.name) : std::get<Tensor>(output.data);
  const GgufTypeInfo& info = info_of(output.type);
  if (info.dtype == tensor.dtype()) {
    file.write(tensor.raw(), tensor.bytes());
    return;
  }
  const Tensor flat = tensor.detach().reshape(Shape({tensor.elements()}));
  std::vector<std::byte> blocks;
  for (int64_t begin = 0; begin < tensor.elements(); begin += kPiece) {
    const Tensor piece = flat.slice(begin, std::min(begin + kPiece, tensor.elements())).to(DType::f32);
    const auto count = piece.elements() / info.block_elements;
    blocks.resize(static_cast<size_t>(count) * info.block_bytes);
    try {
      parallel_for(count, std::max<int64_t>(1, kGrain / info.block_elements), [&](int64_t from, int64_t to, int) {
        const auto first = static_cast<size_t>(from), n = static_cast<size_t>(to - from);
        const auto elements = static_cast<size_t>(info.block_elements);
        quantize(output.type, piece.span<float>().subspan(first * elements, n * elements),
                 std::span(blocks).subspan(first * info.block_bytes, n * info.block_bytes));
      });
    } catch (const Error& error) {
      throw error.with_context("tensor " + output.name);
    }
    file.write(blocks.data(), blocks.size());
  }
}

size_t alignment_of(const std::vector<GgufEntry>& metadata) {
  const auto found = std::ranges::find(metadata, "general.alignment", &GgufEntry::key);
  if (found == metadata.end()) return kDefaultAlignment;
  require(found->value.type() == GgufValueType::u32, ErrorKind::usage, "general.alignment must be a u32");
  const auto alignment = found->value.as<uint64_t>();
  require(std::has_single_bit(alignment) && alignment <= uint64_t{1} << 20, ErrorKind::usage,
          "general.alignment is {}, expected a power of two, at most 1 MiB", alignment);
  return alignment;
}

}  // namespace

void write_gguf(const std::filesystem::path& path, const std::vector<GgufEntry>& metadata,
                const std::vector<GgufOutput>& tensors) {
  const size_t alignment = alignment_of(metadata);
  std::string header = "GGUF";
  append(header, uint32_t{3});
  append(header, static_cast<uint64_t>(tensors.size()));
  append(header, static_cast<uint64_t>(metadata.size()));
  std::set<std::string_view> seen;
  for (const GgufEntry& entry : metadata) {
    require(seen.insert(entry.key).second, ErrorKind::usage, "{}: metadata {} stands twice", path.string(), entry.key);
    append_string(header, entry.key);
    append(header, static_cast<uint32_t>(entry.value.type()));
    header.append(reinterpret_cast<const char*>(entry.value.bytes().data()), entry.value.bytes().size());
  }
  seen.clear();
  uint64_t offset = 0;
  for (const GgufOutput& output : tensors) {
    require(seen.insert(output.name).second, ErrorKind::usage, "{}: tensor {} stands twice", path.string(),
            output.name);
    check(output);
    const Shape& shape = shape_of(output);
    append_string(header, output.name);
    append(header, static_cast<uint32_t>(shape.rank()));
    for (int i = shape.rank() - 1; i >= 0; --i) append(header, static_cast<uint64_t>(shape[i]));
    append(header, static_cast<uint32_t>(output.type));
    append(header, offset);
    offset += bytes_of(output);
    offset += padding(offset, alignment);
  }
  if (!tensors.empty()) header.append(padding(header.size(), alignment), '\0');

  AtomicFile file(path);
  file.write(header.data(), header.size());
  const std::string zeros(alignment, '\0');
  for (const GgufOutput& output : tensors) {
    write_data(file, output);
    file.write(zeros.data(), padding(bytes_of(output), alignment));
  }
  file.commit();
}

}  // namespace sensorium::io
