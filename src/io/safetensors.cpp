#include "io/safetensors.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <set>

#include "base/file.h"
#include "base/json.h"
#include "io/errors.h"

namespace sensorium::io {
namespace {

static_assert(std::endian::native == std::endian::little, "the format is little-endian");

constexpr size_t kMaxHeaderBytes = 100'000'000;  // as the reference implementation
constexpr size_t kAlignment = 64;                // of the first tensor's bytes in files that we write
constexpr const char* kMetadata = "__metadata__";

struct DTypeName {
  const char* name;
  DType dtype;
};
constexpr std::array<DTypeName, 7> kDTypes = {{{"F32", DType::f32},
                                               {"BF16", DType::bf16},
                                               {"F16", DType::f16},
                                               {"I8", DType::i8},
                                               {"U8", DType::u8},
                                               {"I32", DType::i32},
                                               {"I64", DType::i64}}};

// A parsed object no longer shows that a key stood twice.
bool has_duplicate_keys(std::string_view header) {
  std::vector<std::set<std::string>> open;
  bool twice = false;
  const Json::parser_callback_t check = [&](int, Json::parse_event_t event, Json& value) {
    if (event == Json::parse_event_t::object_start) open.emplace_back();
    if (event == Json::parse_event_t::object_end && !open.empty()) open.pop_back();
    if (event == Json::parse_event_t::key && !open.empty())
      twice |= !open.back().insert(value.get<std::string>()).second;
    return true;
  };
  return !Json::parse(header.begin(), header.end(), check, false).is_discarded() && twice;
}

// Integers that are not negative; the format knows no others.
bool is_size(const Json& value) { return value.is_number_unsigned(); }

// What the header says about one tensor.
struct TensorEntry {
  DType dtype = DType::f32;
  Shape shape;
  uint64_t begin = 0, end = 0;  // bytes after the header
};

Result<TensorEntry> parse_entry(const std::string& name, const Json& json, size_t data_bytes) {
  if (!json.is_object() || !json.contains("dtype") || !json.contains("shape") || !json.contains("data_offsets")) {
    return invalid("tensor {}: dtype, shape or data_offsets is missing", name);
  }
  const Json& dtype = json.at("dtype");
  const Json& shape = json.at("shape");
  const Json& offsets = json.at("data_offsets");
  if (!dtype.is_string()) return invalid("tensor {}: dtype is {}, expected a string", name, dtype.type_name());
  if (!shape.is_array() || !std::all_of(shape.begin(), shape.end(), is_size)) {
    return invalid("tensor {}: shape is {}, expected a list of sizes", name, shape.dump());
  }
  if (!offsets.is_array() || offsets.size() != 2 || !is_size(offsets[0]) || !is_size(offsets[1])) {
    return invalid("tensor {}: data_offsets is {}, expected two sizes", name, offsets.dump());
  }
  const std::string type = dtype.get<std::string>();
  const auto known = std::find_if(kDTypes.begin(), kDTypes.end(), [&](const DTypeName& d) { return type == d.name; });
  if (known == kDTypes.end()) {
    return unsupported("tensor {}: dtype {} is not supported (F32, BF16, F16, I8, U8, I32, I64)", name, type);
  }
  if (shape.size() > Shape::kMaxRank) {
    return unsupported("tensor {}: {} dimensions, supported are {}", name, shape.size(), +Shape::kMaxRank);
  }
  uint64_t size = size_of(known->dtype);
  std::vector<int64_t> dims;
  for (const Json& dim : shape) {
    const uint64_t extent = dim.get<uint64_t>();
    // A zero elsewhere must not hide an extent that no memory can have.
    if (extent > uint64_t{1} << 40 || __builtin_mul_overflow(size, extent, &size)) {
      return invalid("tensor {}: shape {} is too large", name, shape.dump());
    }
    dims.push_back(static_cast<int64_t>(extent));
  }
  const uint64_t begin = offsets[0].get<uint64_t>(), end = offsets[1].get<uint64_t>();
  if (begin > end || end > data_bytes) {
    return invalid("tensor {}: bytes {}..{} are not inside the file's {}", name, begin, end, data_bytes);
  }
  if (end - begin != size) {
    return invalid("tensor {}: {} bytes for {} of shape {}, expected {}", name, end - begin, type, shape.dump(), size);
  }
  try {
    return TensorEntry{known->dtype, Shape(dims), begin, end};
  } catch (const Error&) {
    return invalid("tensor {}: shape {} is too large", name, shape.dump());
  }
}

Result<std::map<std::string, std::string>> parse_metadata(const Json& json) {
  if (!json.is_object()) return invalid("__metadata__ is {}, expected an object", json.type_name());
  std::map<std::string, std::string> metadata;
  for (const auto& [key, value] : json.items()) {
    if (!value.is_string()) return invalid("__metadata__: \"{}\" is {}, expected a string", key, value.type_name());
    metadata[key] = value.get<std::string>();
  }
  return metadata;
}

}  // namespace

SafetensorsFile SafetensorsFile::open(const std::filesystem::path& path) {
  auto map = std::make_shared<MappedFile>(path);
  Result<SafetensorsFile> file = parse(map->bytes(), map);
  if (!file) throw file.error().with_context(path.string());
  return std::move(file).value();
}

Result<SafetensorsFile> SafetensorsFile::parse(std::span<const std::byte> bytes, std::shared_ptr<const void> owner) {
  if (bytes.size() < 8) return invalid("{} bytes are too few for a safetensors file", bytes.size());
  uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, bytes.data(), 8);
  if (header_bytes > kMaxHeaderBytes || header_bytes > bytes.size() - 8) {
    return invalid("not a safetensors file, or cut off: its header has {} bytes, the file {}", header_bytes,
                   bytes.size());
  }
  const std::string_view header(reinterpret_cast<const char*>(bytes.data()) + 8, header_bytes);
  if (!header.starts_with('{')) return invalid("not a safetensors file: its header does not start with '{{'");
  const Result<Json> json = parse_json(header);
  if (!json) return json.error().with_context("safetensors header");
  if (has_duplicate_keys(header)) return invalid("a name stands twice in the safetensors header");

  SafetensorsFile file;
  file.owner_ = std::move(owner);
  const std::span<const std::byte> data = bytes.subspan(8 + header_bytes);
  struct Range {
    uint64_t begin, end;
    std::string name;
  };
  std::vector<Range> ranges;
  for (const auto& [name, value] : json.value().items()) {
    if (name == kMetadata) {
      Result<std::map<std::string, std::string>> metadata = parse_metadata(value);
      if (!metadata) return metadata.error();
      file.metadata_ = std::move(metadata).value();
      continue;
    }
    const Result<TensorEntry> parsed = parse_entry(name, value, data.size());
    if (!parsed) return parsed.error();
    const TensorEntry& entry = parsed.value();
    ranges.push_back({entry.begin, entry.end, name});
    file.entries_.emplace(name, Entry{entry.dtype, entry.shape, data.data() + entry.begin});
  }
  std::sort(ranges.begin(), ranges.end(),
            [](const Range& a, const Range& b) { return a.begin != b.begin ? a.begin < b.begin : a.end < b.end; });
  uint64_t expected = 0;
  for (const Range& range : ranges) {
    if (range.begin < expected) return invalid("tensor {}: its bytes overlap those of another tensor", range.name);
    if (range.begin > expected)
      return invalid("tensor {}: a hole of {} bytes stands before it", range.name, range.begin - expected);
    expected = range.end;
    file.names_.push_back(range.name);
  }
  if (expected != data.size()) {
    return invalid("the tensors have {} bytes, the file holds {}: cut off or overlong", expected, data.size());
  }
  return file;
}

Tensor SafetensorsFile::tensor(const std::string& name) const {
  const auto found = entries_.find(name);
  require(found != entries_.end(), ErrorKind::not_found, "no tensor {} in the file", name);
  const Entry& entry = found->second;
  if (reinterpret_cast<uintptr_t>(entry.data) % size_of(entry.dtype) == 0) {
    return Tensor::borrow(entry.data, entry.shape, entry.dtype, owner_);
  }
  Tensor copy = Tensor::empty(entry.shape, entry.dtype);
  if (copy.bytes() > 0) std::memcpy(copy.raw(), entry.data, copy.bytes());
  return copy;
}

std::string safetensors_header(const std::string& where, const std::vector<NamedShape>& tensors,
                               const std::map<std::string, std::string>& metadata) {
  OrderedJson header = OrderedJson::object();
  if (!metadata.empty()) header[kMetadata] = metadata;
  uint64_t offset = 0;
  std::set<std::string> names = {kMetadata};
  for (const NamedShape& entry : tensors) {
    require(names.insert(entry.name).second, ErrorKind::usage, "{}: tensor {} stands twice", where, entry.name);
    const auto type = std::ranges::find(kDTypes, entry.dtype, &DTypeName::dtype);
    const auto dims = entry.shape.dims();
    const uint64_t end = offset + static_cast<uint64_t>(entry.shape.elements()) * size_of(entry.dtype);
    // push_back: operator[] of an ordered object looks through all earlier names.
    header.push_back({entry.name, OrderedJson{{"dtype", type->name},
                                              {"shape", std::vector<int64_t>(dims.begin(), dims.end())},
                                              {"data_offsets", {offset, end}}}});
    offset = end;
  }
  std::string text = header.dump();
  text.resize((text.size() + 8 + kAlignment - 1) / kAlignment * kAlignment - 8, ' ');
  const uint64_t length = text.size();
  return std::string(reinterpret_cast<const char*>(&length), 8) + text;
}

void write_safetensors(const std::filesystem::path& path, const std::vector<NamedTensor>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  std::vector<NamedLazyTensor> lazy;
  for (const NamedTensor& entry : tensors) {
    lazy.push_back({entry.name, {entry.tensor.shape(), entry.tensor.dtype(), [&entry] { return entry.tensor; }}});
  }
  stream_safetensors(path, lazy, metadata);
}

void stream_safetensors(const std::filesystem::path& path, const std::vector<NamedLazyTensor>& tensors,
                        const std::map<std::string, std::string>& metadata) {
  std::vector<NamedShape> shapes;
  for (const auto& [name, tensor] : tensors) shapes.push_back({name, tensor.dtype, tensor.shape});
  const std::string header = safetensors_header(path.string(), shapes, metadata);
  AtomicFile file(path);
  file.write(header.data(), header.size());
  for (const auto& [name, lazy] : tensors) {
    const Tensor tensor = lazy.get(name);
    file.write(tensor.raw(), tensor.bytes());
  }
  file.commit();
}

}  // namespace sensorium::io
