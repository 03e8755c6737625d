#include "io/gguf.h"

#include <algorithm>
#include <bit>

#include "base/file.h"
#include "base/threads.h"
#include "base/utf8.h"
#include "io/checked_shape.h"
#include "io/errors.h"
#include "io/gguf_blocks.h"

namespace sensorium::io {
namespace {

constexpr std::string_view kMagic = "GGUF";
constexpr size_t kMaxNameBytes = 65535;                // as the specification says of keys
constexpr int kMaxRank = 4;                            // GGML_MAX_DIMS
constexpr uint64_t kMaxAlignment = uint64_t{1} << 20;  // no reason for more, and room for sums
constexpr size_t kLeastEntryBytes = 8 + 4 + 1;         // of a key, its value's type and the value
constexpr size_t kLeastTensorBytes = 8 + 4 + 4 + 8;    // of a name, the rank, the type and the offset
constexpr const char* kAlignmentKey = "general.alignment";

Result<std::string> read_name(ByteReader& reader, const char* what) {
  uint64_t length = 0;
  std::string_view text;
  if (!reader.read(length)) return invalid("cut off before {}", what);
  if (length > kMaxNameBytes) return invalid("{} has {} bytes, at most {} are allowed", what, length, kMaxNameBytes);
  if (!reader.read(length, text)) return invalid("cut off within {}", what);
  if (find_invalid_utf8(text) != std::string_view::npos) return invalid("{} is not UTF-8", what);
  return std::string(text);
}

struct TensorEntry {
  std::string name;
  const GgufTypeInfo* type;
  Shape shape;
  uint64_t offset, bytes;  // after the start of the data
};

Result<TensorEntry> parse_entry(ByteReader& reader) {
  Result<std::string> name = read_name(reader, "a tensor's name");
  if (!name) return name.error();
  uint32_t rank = 0, type_number = 0;
  if (!reader.read(rank)) return invalid("tensor {}: cut off", name.value());
  if (rank > kMaxRank) return invalid("tensor {}: {} dimensions, at most {} are allowed", name.value(), rank, kMaxRank);
  std::vector<uint64_t> extents(rank);
  for (uint64_t& extent : extents) {
    if (!reader.read(extent)) return invalid("tensor {}: cut off", name.value());
  }
  TensorEntry entry{std::move(name).value(), nullptr, {}, 0, 0};
  if (!reader.read(type_number) || !reader.read(entry.offset)) return invalid("tensor {}: cut off", entry.name);
  entry.type = find_gguf_type(type_number);
  if (entry.type == nullptr) {
    return unsupported("tensor {}: type {} (number {}) is not supported", entry.name, gguf_type_name(type_number),
                       type_number);
  }
  // The innermost dimension stands first.
  std::ranges::reverse(extents);
  const std::optional<Shape> shape = checked_shape(extents);
  if (!shape) return invalid("tensor {}: shape [{}] is too large", entry.name, fmt::join(extents, ", "));
  const int64_t row = shape->rank() == 0 ? 1 : (*shape)[-1], block = entry.type->block_elements;
  if (row % block != 0) {
    return invalid("tensor {}: rows of {} elements are no whole number of {}'s blocks of {}", entry.name, row,
                   entry.type->name, block);
  }
  entry.shape = *shape;
  entry.bytes = static_cast<uint64_t>(shape->elements() / block) * entry.type->block_bytes;
  return entry;
}

Result<size_t> parse_alignment(const GgufValue& value) {
  if (value.type() != GgufValueType::u32) {
    return invalid("{} is {}, expected u32", kAlignmentKey, name_of(value.type()));
  }
  const auto alignment = value.as<uint64_t>();
  if (!std::has_single_bit(alignment) || alignment > kMaxAlignment) {
    return invalid("{} is {}, expected a power of two, at most {}", kAlignmentKey, alignment, kMaxAlignment);
  }
  return static_cast<size_t>(alignment);
}

}  // namespace

GgufFile GgufFile::open(const std::filesystem::path& path) {
  auto map = std::make_shared<MappedFile>(path);
  Result<GgufFile> file = parse(map->bytes(), map);
  if (!file) throw file.error().with_context(path.string());
  try {
    file.value().add_splits(path);
  } catch (const Error& error) {
    throw error.with_context(path.string());
  }
  return std::move(file).value();
}

Result<GgufFile> GgufFile::parse(std::span<const std::byte> bytes, std::shared_ptr<const void> owner) {
  ByteReader reader(bytes);
  std::string_view magic;
  GgufFile file;
  file.owner_ = std::move(owner);
  uint64_t tensor_count = 0, entry_count = 0;
  if (!reader.read(kMagic.size(), magic) || magic != kMagic) return invalid("not a GGUF file");
  if (!reader.read(file.version_)) return invalid("cut off within the header");
  if (file.version_ != 0 && (file.version_ & 0xFFFF) == 0) return unsupported("a big-endian GGUF file");
  if (file.version_ < 2 || file.version_ > 3) {
    return unsupported("GGUF version {}, supported are 2 and 3", file.version_);
  }
  if (!reader.read(tensor_count) || !reader.read(entry_count)) return invalid("cut off within the header");
  if (entry_count > reader.remaining() / kLeastEntryBytes || tensor_count > reader.remaining() / kLeastTensorBytes) {
    return invalid("{} tensors and {} metadata entries cannot stand in the file's {} bytes", tensor_count, entry_count,
                   bytes.size());
  }

  for (uint64_t i = 0; i < entry_count; ++i) {
    Result<std::string> key = read_name(reader, "a metadata key");
    if (!key) return key.error();
    uint32_t type = 0;
    if (!reader.read(type)) return invalid("metadata {}: cut off", key.value());
    if (type > static_cast<uint32_t>(GgufValueType::f64)) {
      return invalid("metadata {}: unknown value type {}", key.value(), type);
    }
    Result<GgufValue> value = GgufValue::parse(reader, static_cast<GgufValueType>(type), file.owner_);
    if (!value) return value.error().with_context("metadata " + key.value());
    if (!file.metadata_.emplace(key.value(), std::move(value).value()).second) {
      return invalid("metadata {} stands twice", key.value());
    }
    file.keys_.push_back(std::move(key).value());
  }
  if (const auto found = file.metadata_.find(kAlignmentKey); found != file.metadata_.end()) {
    const Result<size_t> alignment = parse_alignment(found->second);
    if (!alignment) return alignment.error();
    file.alignment_ = alignment.value();
  }

  std::vector<TensorEntry> entries;
  for (uint64_t i = 0; i < tensor_count; ++i) {
    Result<TensorEntry> entry = parse_entry(reader);
    if (!entry) return entry.error();
    entries.push_back(std::move(entry).value());
  }
  const size_t start = (reader.position() + file.alignment_ - 1) / file.alignment_ * file.alignment_;
  const std::span<const std::byte> data = start < bytes.size() ? bytes.subspan(start) : std::span<const std::byte>{};
  for (const TensorEntry& entry : entries) {
    if (entry.offset % file.alignment_ != 0) {
      return invalid("tensor {}: offset {} is no multiple of {}", entry.name, entry.offset, file.alignment_);
    }
    if (entry.offset > data.size() || entry.bytes > data.size() - entry.offset) {
      return invalid("tensor {}: {} bytes at {} are not inside the file's {}: cut off?", entry.name, entry.bytes,
                     entry.offset, data.size());
    }
    const GgufTensor tensor{entry.type->type, entry.shape, data.subspan(entry.offset, entry.bytes)};
    if (!file.tensors_.emplace(entry.name, tensor).second) return invalid("tensor {} stands twice", entry.name);
    file.names_.push_back(entry.name);
  }
  std::ranges::sort(entries, {}, [](const TensorEntry& entry) { return std::pair(entry.offset, entry.bytes); });
  uint64_t end = 0;
  for (const TensorEntry& entry : entries) {
    if (entry.offset < end) return invalid("tensor {}: its bytes overlap those of another tensor", entry.name);
    end = entry.offset + entry.bytes;
  }
  return file;
}

const GgufValue& GgufFile::value(const std::string& key) const {
  const auto found = metadata_.find(key);
  require(found != metadata_.end(), ErrorKind::not_found, "no metadata {} in the file", key);
  return found->second;
}

const GgufTensor& GgufFile::blocks(const std::string& name) const {
  const auto found = tensors_.find(name);
  require(found != tensors_.end(), ErrorKind::not_found, "no tensor {} in the file", name);
  return found->second;
}

Tensor GgufFile::tensor(const std::string& name) const {
  const GgufTensor& source = blocks(name);
  const GgufTypeInfo& info = info_of(source.type);
  if (info.dtype) {
    if (reinterpret_cast<uintptr_t>(source.blocks.data()) % size_of(*info.dtype) == 0) {
      return Tensor::borrow(source.blocks.data(), source.shape, *info.dtype, owner_);
    }
    Tensor copy = Tensor::empty(source.shape, *info.dtype);
    if (copy.bytes() > 0) std::memcpy(copy.raw(), source.blocks.data(), copy.bytes());
    return copy;
  }
  Tensor tensor = Tensor::empty(source.shape);
  const std::span<float> values = tensor.span<float>();
  constexpr int64_t kGrain = 256;  // blocks
  const auto count = static_cast<int64_t>(source.blocks.size() / info.block_bytes);
  parallel_for(count, kGrain, [&](int64_t begin, int64_t end, int) {
    const auto first = static_cast<size_t>(begin), n = static_cast<size_t>(end - begin);
    const auto elements = static_cast<size_t>(info.block_elements);
    dequantize(source.type, source.blocks.subspan(first * info.block_bytes, n * info.block_bytes),
               values.subspan(first * elements, n * elements));
  });
  return tensor;
}

}  // namespace sensorium::io
