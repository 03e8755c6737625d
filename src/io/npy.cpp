#include "io/npy.h"

#include <array>
#include <charconv>
#include <cstring>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "io/errors.h"

namespace sensorium::io {
namespace {

constexpr std::string_view kMagic("\x93NUMPY", 6);
constexpr size_t kAlignment = 64;
constexpr size_t kMaxHeaderBytes = 10'000;  // as numpy.load, which evaluates the header

// Copies `count` elements stored as From, converted to To.
template <typename From, typename To>
void convert(const std::byte* from, void* to, int64_t count) {
  To* out = static_cast<To*>(to);
  for (int64_t i = 0; i < count; ++i) {
    From value;
    std::memcpy(&value, from + static_cast<size_t>(i) * sizeof(From), sizeof(From));
    out[i] = static_cast<To>(value);
  }
}
template <size_t bytes>
void copy(const std::byte* from, void* to, int64_t count) {
  if (count > 0) std::memcpy(to, from, static_cast<size_t>(count) * bytes);
}

struct ElementType {
  std::string_view descr;  // as NumPy writes it
  size_t bytes;            // in the file
  DType dtype;             // in memory
  void (*read)(const std::byte* from, void* to, int64_t count);
};
constexpr std::array<ElementType, 10> kTypes = {{{"<f4", 4, DType::f32, copy<4>},
                                                 {"<f2", 2, DType::f16, copy<2>},
                                                 {"|i1", 1, DType::i8, copy<1>},
                                                 {"|u1", 1, DType::u8, copy<1>},
                                                 {"<i4", 4, DType::i32, copy<4>},
                                                 {"<i8", 8, DType::i64, copy<8>},
                                                 {"|b1", 1, DType::u8, copy<1>},
                                                 {"<i2", 2, DType::i32, convert<int16_t, int32_t>},
                                                 {"<u2", 2, DType::i32, convert<uint16_t, int32_t>},
                                                 {"<f8", 8, DType::f32, convert<double, float>}}};

// The value of a key in the header, a Python dictionary literal: the text after "'key':" up to the comma or brace that
// ends it.
std::string_view value_of(std::string_view header, std::string_view key) {
  const size_t place = header.find(fmt::format("'{}':", key));
  if (place == std::string_view::npos) return {};
  std::string_view rest = header.substr(place + key.size() + 3);
  rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
  const size_t end = rest.starts_with('(') ? rest.find(')') : rest.find_first_of(",}");
  return end == std::string_view::npos ? std::string_view{} : rest.substr(0, rest.starts_with('(') ? end + 1 : end);
}

// "(3, 4)", "(5,)" or "()".
bool parse_shape(std::string_view text, std::vector<int64_t>& dims) {
  if (text.size() < 2 || text.front() != '(' || text.back() != ')') return false;
  text = text.substr(1, text.size() - 2);
  while (!text.empty()) {
    const size_t comma = std::min(text.find(','), text.size());
    std::string_view item = text.substr(0, comma);
    item.remove_prefix(std::min(item.find_first_not_of(' '), item.size()));
    int64_t dim = 0;
    const auto [stop, error] = std::from_chars(item.data(), item.data() + item.size(), dim);
    if (error != std::errc() || stop != item.data() + item.size() || dim < 0) return false;
    dims.push_back(dim);
    text.remove_prefix(std::min(comma + 1, text.size()));
    if (text.find_first_not_of(' ') == std::string_view::npos) break;
  }
  return true;
}

}  // namespace

Result<Tensor> parse_npy(std::span<const std::byte> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (!text.starts_with(kMagic) || text.size() < 12) return invalid("not an .npy file");
  const int version = static_cast<unsigned char>(text[6]);
  if (version < 1 || version > 3) return Error(ErrorKind::unsupported, fmt::format(".npy version {}", version));
  const size_t length_bytes = version == 1 ? 2 : 4;
  uint32_t header_bytes = 0;
  std::memcpy(&header_bytes, text.data() + 8, length_bytes);
  const size_t start = 8 + length_bytes;
  if (header_bytes > kMaxHeaderBytes || header_bytes > text.size() - start) {
    return invalid(".npy header of {} bytes in a file of {}", header_bytes, text.size());
  }
  const std::string_view header = text.substr(start, header_bytes);
  const std::string_view descr = value_of(header, "descr");
  const std::string_view order = value_of(header, "fortran_order");
  std::vector<int64_t> dims;
  if (descr.size() < 2 || order.empty() || !parse_shape(value_of(header, "shape"), dims)) {
    return invalid(".npy header without descr, fortran_order and shape");
  }
  if (order != "False") return Error(ErrorKind::unsupported, ".npy in Fortran order; save np.ascontiguousarray(x)");
  const std::string_view type_name = descr.substr(1, descr.size() - 2);
  for (const ElementType& type : kTypes) {
    if (type.descr != type_name) continue;
    if (dims.size() > Shape::kMaxRank) {
      return Error(ErrorKind::unsupported,
                   fmt::format(".npy of {} dimensions, supported are {}", dims.size(), +Shape::kMaxRank));
    }
    // Compared before anything is allocated: a header may promise any size.
    uint64_t size = type.bytes;
    for (const int64_t dim : dims) {
      if (dim > int64_t{1} << 40 || __builtin_mul_overflow(size, static_cast<uint64_t>(dim), &size)) {
        return invalid(".npy shape is too large");
      }
    }
    const size_t data_bytes = text.size() - start - header_bytes;
    if (size != data_bytes) return invalid(".npy with {} bytes of data, its shape needs {}", data_bytes, size);
    try {
      Tensor tensor = Tensor::empty(Shape(dims), type.dtype);
      type.read(bytes.data() + start + header_bytes, tensor.raw(), tensor.elements());
      return tensor;
    } catch (const Error& error) {
      return error.with_context(".npy");
    }
  }
  return Error(ErrorKind::unsupported,
               fmt::format(".npy dtype {} is not supported (f4, f2, f8, i1, i2, i4, i8, u1, u2, bool; "
                           "little-endian)",
                           type_name));
}

Tensor read_npy(const std::filesystem::path& path) {
  const MappedFile map(path);
  Result<Tensor> tensor = parse_npy(map.bytes());
  if (!tensor) throw tensor.error().with_context(path.string());
  return std::move(tensor).value();
}

std::string encode_npy(const Tensor& tensor) {
  for (const ElementType& type : kTypes) {
    if (type.dtype != tensor.dtype() || type.bytes != size_of(tensor.dtype())) continue;
    std::string shape;
    for (const int64_t dim : tensor.shape().dims()) shape += fmt::format("{}{}", shape.empty() ? "" : ", ", dim);
    if (tensor.rank() == 1) shape += ",";
    std::string header = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", type.descr, shape);
    const size_t prefix = kMagic.size() + 4;  // version and length
    header.resize((prefix + header.size() + 1 + kAlignment - 1) / kAlignment * kAlignment - prefix, ' ');
    header.back() = '\n';
    std::string bytes(kMagic);
    const auto length = static_cast<uint16_t>(header.size());
    bytes += {'\x01', '\x00', static_cast<char>(length & 0xFF), static_cast<char>(length >> 8)};
    bytes += header;
    bytes.append(static_cast<const char*>(tensor.raw()), tensor.bytes());
    return bytes;
  }
  fail(ErrorKind::unsupported, ".npy files cannot hold {}", name_of(tensor.dtype()));
}

}  // namespace sensorium::io
