#include "io/safetensors.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <set>

namespace sensorium::io {
namespace {

static_assert(std::endian::native == std::endian::little, "the format is little-endian");

constexpr size_t kMaxHeaderBytes = 100'000'000;  // as the reference implementation
constexpr size_t kAlignment = 64;                // of the first tensor's bytes in files that we write

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

template <typename... Args>
Error invalid(fmt::format_string<Args...> format, Args&&... args) {
  return Error(ErrorKind::invalid_data, fmt::format(format, std::forward<Args>(args)...));
}

// JSON text cannot say that a key stands twice once it is parsed.
bool has_duplicate_keys(std::string_view header) {
  std::vector<std::set<std::string>> open;
  bool twice = false;
  const nlohmann::json::parser_callback_t check = [&](int, nlohmann::json::parse_event_t event, nlohmann::json& value) {
    if (event == nlohmann::json::parse_event_t::object_start) open.emplace_back();
    if (event == nlohmann::json::parse_event_t::object_end && !open.empty()) open.pop_back();
    if (event == nlohmann::json::parse_event_t::key && !open.empty()) {
      twice |= !open.back().insert(value.get<std::string>()).second;
    }
    return true;
  };
  const nlohmann::json ignored = nlohmann::json::parse(header.begin(), header.end(), check, false);
  return twice && !ignored.is_discarded();
}

bool is_size(const Json& value) {
  return value.is_number_unsigned() || (value.is_number_integer() && value.get<int64_t>() >= 0);
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
    return invalid("not a safetensors file, or cut off: its header has {} bytes, the file {}", header_bytes, bytes.size());
  }
  const std::string_view header(reinterpret_cast<const char*>(bytes.data()) + 8, header_bytes);
  Result<Json> parsed = parse_json(header);
  if (!parsed) return parsed.error().with_context("safetensors header");
  const Json& json = parsed.value();
  if (!json.is_object()) return invalid("the safetensors header is {}, not an object", json.type_name());
  if (has_duplicate_keys(header)) return invalid("a name stands twice in the safetensors header");

  SafetensorsFile file;
  file.owner_ = std::move(owner);
  const std::span<const std::byte> data = bytes.subspan(8 + header_bytes);
  struct Range {
    uint64_t begin, end;
    std::string name;
  };
  std::vector<Range> ranges;
  for (const auto& [name, entry] : json.items()) {
    if (name == "__metadata__") {
      if (!entry.is_object()) return invalid("__metadata__ is {}, not an object", entry.type_name());
      for (const auto& [key, value] : entry.items()) {
        if (!value.is_string()) return invalid("__metadata__: \"{}\" is no string", key);
        file.metadata_[key] = value.get<std::string>();
      }
      continue;
    }
    if (!entry.is_object() || !entry.contains("dtype") || !entry.contains("shape") || !entry.contains("data_offsets")) {
      return invalid("tensor {}: dtype, shape or data_offsets is missing", name);
    }
    const Json& dtype = entry.at("dtype");
    const Json& shape = entry.at("shape");
    const Json& offsets = entry.at("data_offsets");
    if (!dtype.is_string() || !shape.is_array() || !offsets.is_array() || offsets.size() != 2 || !is_size(offsets[0]) ||
        !is_size(offsets[1]) || !std::all_of(shape.begin(), shape.end(), is_size)) {
      return invalid("tensor {}: dtype, shape or data_offsets has the wrong type", name);
    }
    const std::string type = dtype.get<std::string>();
    const auto known = std::find_if(kDTypes.begin(), kDTypes.end(), [&](const DTypeName& d) { return type == d.name; });
    if (known == kDTypes.end()) {
      return Error(ErrorKind::unsupported, fmt::format("tensor {}: dtype {} is not supported (F32, BF16, F16, I8, U8, I32, I64)",
                                                       name, type));
    }
    if (shape.size() > Shape::kMaxRank) {
      return Error(ErrorKind::unsupported, fmt::format("tensor {}: {} dimensions (at most {})", name, shape.size(), +Shape::kMaxRank));
    }
    uint64_t size = size_of(known->dtype);
    std::vector<int64_t> dims;
    for (const Json& dim : shape) {
      const uint64_t extent = dim.get<uint64_t>();
      if (extent > INT64_MAX || __builtin_mul_overflow(size, extent, &size)) return invalid("tensor {}: shape is too large", name);
      dims.push_back(static_cast<int64_t>(extent));
    }
    const uint64_t begin = offsets[0].get<uint64_t>(), end = offsets[1].get<uint64_t>();
    if (begin > end || end > data.size()) {
      return invalid("tensor {}: bytes {}..{} are not inside the file's {}", name, begin, end, data.size());
    }
    if (end - begin != size) {
      return invalid("tensor {}: {} bytes for {} of shape {}, expected {}", name, end - begin, type, shape.dump(), size);
    }
    ranges.push_back({begin, end, name});
    file.entries_.emplace(name, Entry{known->dtype, Shape(dims), data.data() + begin});
  }
  std::sort(ranges.begin(), ranges.end(), [](const Range& a, const Range& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
  });
  uint64_t expected = 0;
  for (const Range& range : ranges) {
    if (range.begin < expected) return invalid("tensor {}: its bytes overlap those of another tensor", range.name);
    if (range.begin > expected) return invalid("tensor {}: a hole of {} bytes stands before it", range.name, range.begin - expected);
    expected = range.end;
    file.names_.push_back(range.name);
  }
  if (expected != data.size()) return invalid("the tensors have {} bytes, the file holds {}: cut off or overlong", expected, data.size());
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
  std::memcpy(copy.raw(), entry.data, copy.bytes());
  return copy;
}

void write_safetensors(const std::filesystem::path& path, const std::vector<NamedTensor>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  OrderedJson header = OrderedJson::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  uint64_t offset = 0;
  for (const NamedTensor& entry : tensors) {
    require(!header.contains(entry.name), ErrorKind::usage, "{}: tensor {} stands twice", path.string(), entry.name);
    const auto name = std::find_if(kDTypes.begin(), kDTypes.end(), [&](const DTypeName& d) { return d.dtype == entry.tensor.dtype(); });
    const auto dims = entry.tensor.shape().dims();
    header[entry.name] = {{"dtype", name->name},
                          {"shape", std::vector<int64_t>(dims.begin(), dims.end())},
                          {"data_offsets", {offset, offset + entry.tensor.bytes()}}};
    offset += entry.tensor.bytes();
  }
  std::string text = header.dump();
  text.resize((text.size() + 8 + kAlignment - 1) / kAlignment * kAlignment - 8, ' ');
  const uint64_t length = text.size();
  AtomicFile file(path);
  file.write(&length, 8);
  file.write(text.data(), text.size());
  for (const NamedTensor& entry : tensors) file.write(entry.tensor.raw(), entry.tensor.bytes());
  file.commit();
}

}  // namespace sensorium::io
