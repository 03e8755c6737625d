#include "io/gguf_value.h"

#include <array>
#include <limits>
#include <optional>
#include <type_traits>

#include "base/utf8.h"
#include "io/errors.h"

namespace sensorium::io {
namespace {

constexpr int kMaxDepth = 8;
constexpr size_t kStringHeader = 8;     // its length
constexpr size_t kArrayHeader = 4 + 8;  // its element type and count
constexpr std::array<std::string_view, 13> kNames = {"u8",      "i8",     "u16",   "i16", "u32", "i32", "f32",
                                                     "boolean", "string", "array", "u64", "i64", "f64"};

// Bytes of a value whose size is fixed, 0 for strings and arrays.
size_t fixed_size(GgufValueType type) {
  switch (type) {
    case GgufValueType::u8:
    case GgufValueType::i8:
    case GgufValueType::boolean:
      return 1;
    case GgufValueType::u16:
    case GgufValueType::i16:
      return 2;
    case GgufValueType::u32:
    case GgufValueType::i32:
    case GgufValueType::f32:
      return 4;
    case GgufValueType::u64:
    case GgufValueType::i64:
    case GgufValueType::f64:
      return 8;
    case GgufValueType::string:
    case GgufValueType::array:
      break;
  }
  return 0;
}

bool read_type(ByteReader& reader, GgufValueType& type) {
  uint32_t number = 0;
  if (!reader.read(number) || number >= kNames.size()) return false;
  type = static_cast<GgufValueType>(number);
  return true;
}

// Moves past a value; says what is wrong with it.
std::optional<Error> skip_value(ByteReader& reader, GgufValueType type, int depth) {
  const auto cut_off = [&] { return invalid("a value of type {} is cut off", name_of(type)); };
  if (type == GgufValueType::boolean) {
    uint8_t value = 0;
    if (!reader.read(value)) return cut_off();
    if (value > 1) return invalid("a boolean is {}, expected 0 or 1", value);
    return {};
  }
  if (const size_t size = fixed_size(type)) {
    if (!reader.skip(size)) return cut_off();
    return {};
  }
  if (type == GgufValueType::string) {
    uint64_t length = 0;
    if (!reader.read(length)) return cut_off();
    if (!reader.skip(length)) return invalid("a string of {} bytes, the file has {} more", length, reader.remaining());
    return {};
  }
  if (depth == kMaxDepth) return invalid("arrays nest deeper than {}", kMaxDepth);
  GgufValueType element{};
  uint64_t count = 0;
  if (!read_type(reader, element)) return invalid("the type of an array's elements is missing or unknown");
  if (!reader.read(count)) return cut_off();
  const size_t size = fixed_size(element);
  const size_t least = size > 0 ? size : element == GgufValueType::string ? kStringHeader : kArrayHeader;
  if (count > reader.remaining() / least) {
    return invalid("an array of {} x {}, the file has {} more bytes", count, name_of(element), reader.remaining());
  }
  if (size > 0 && element != GgufValueType::boolean) {
    if (!reader.skip(count * size)) return cut_off();
    return {};
  }
  for (uint64_t i = 0; i < count; ++i) {
    if (std::optional<Error> error = skip_value(reader, element, depth + 1)) return error;
  }
  return {};
}

template <typename T>
T load(std::span<const std::byte> bytes) {
  T value{};
  std::memcpy(&value, bytes.data(), sizeof(T));
  return value;
}

// Calls `use` with the number, of its own type. False for what is no number.
template <typename Use>
bool with_number(GgufValueType type, std::span<const std::byte> bytes, Use&& use) {
  switch (type) {
    case GgufValueType::u8:
      return use(load<uint8_t>(bytes)), true;
    case GgufValueType::i8:
      return use(load<int8_t>(bytes)), true;
    case GgufValueType::u16:
      return use(load<uint16_t>(bytes)), true;
    case GgufValueType::i16:
      return use(load<int16_t>(bytes)), true;
    case GgufValueType::u32:
      return use(load<uint32_t>(bytes)), true;
    case GgufValueType::i32:
      return use(load<int32_t>(bytes)), true;
    case GgufValueType::u64:
      return use(load<uint64_t>(bytes)), true;
    case GgufValueType::i64:
      return use(load<int64_t>(bytes)), true;
    case GgufValueType::f32:
      return use(load<float>(bytes)), true;
    case GgufValueType::f64:
      return use(load<double>(bytes)), true;
    default:
      return false;
  }
}

template <typename T>
T integer_as(const GgufValue& value) {
  T result = 0;
  bool is_integer = false;
  with_number(value.type(), value.bytes(), [&](auto number) {
    if constexpr (std::is_integral_v<decltype(number)>) {
      is_integer = true;
      require(std::in_range<T>(number), ErrorKind::invalid_data, "{} is out of range", number);
      result = static_cast<T>(number);
    }
  });
  require(is_integer, ErrorKind::invalid_data, "it is {}, expected an integer", name_of(value.type()));
  return result;
}

double double_as(const GgufValue& value) {
  double result = 0;
  const bool is_number =
      with_number(value.type(), value.bytes(), [&](auto number) { result = static_cast<double>(number); });
  require(is_number, ErrorKind::invalid_data, "it is {}, expected a number", name_of(value.type()));
  return result;
}

// Calls `use(element)` until it returns false.
template <typename Use>
void for_each(const GgufValue& value, Use&& use) {
  const GgufValueType type = value.element_type();  // throws for what is no array
  ByteReader reader(value.bytes(), kArrayHeader);
  for (size_t i = 0, count = value.size(); i < count; ++i) {
    Result<GgufValue> element = GgufValue::parse(reader, type, nullptr);
    if (!use(element.value())) return;
  }
}

template <typename T>
std::vector<T> vector_of(const GgufValue& value) {
  std::vector<T> out;
  for_each(value, [&](const GgufValue& element) {
    out.push_back(element.as<T>());
    return true;
  });
  return out;
}

}  // namespace

std::string_view name_of(GgufValueType type) { return kNames[static_cast<size_t>(type)]; }

Result<GgufValue> GgufValue::parse(ByteReader& reader, GgufValueType type, std::shared_ptr<const void> owner) {
  const size_t begin = reader.position();
  if (std::optional<Error> error = skip_value(reader, type, 0)) return *std::move(error);
  return GgufValue(type, reader.since(begin), std::move(owner));
}

GgufValue GgufValue::owning(GgufValueType type, std::string bytes) {
  const auto owner = std::make_shared<const std::string>(std::move(bytes));
  return GgufValue(type, std::as_bytes(std::span(*owner)), owner);
}

template <typename T>
GgufValue GgufValue::scalar(GgufValueType type, T value) {
  return owning(type, std::string(reinterpret_cast<const char*>(&value), sizeof(T)));
}

GgufValue GgufValue::of(bool value) { return scalar(GgufValueType::boolean, static_cast<uint8_t>(value ? 1 : 0)); }
GgufValue GgufValue::of(uint8_t value) { return scalar(GgufValueType::u8, value); }
GgufValue GgufValue::of(int8_t value) { return scalar(GgufValueType::i8, value); }
GgufValue GgufValue::of(uint16_t value) { return scalar(GgufValueType::u16, value); }
GgufValue GgufValue::of(int16_t value) { return scalar(GgufValueType::i16, value); }
GgufValue GgufValue::of(uint32_t value) { return scalar(GgufValueType::u32, value); }
GgufValue GgufValue::of(int32_t value) { return scalar(GgufValueType::i32, value); }
GgufValue GgufValue::of(uint64_t value) { return scalar(GgufValueType::u64, value); }
GgufValue GgufValue::of(int64_t value) { return scalar(GgufValueType::i64, value); }
GgufValue GgufValue::of(float value) { return scalar(GgufValueType::f32, value); }
GgufValue GgufValue::of(double value) { return scalar(GgufValueType::f64, value); }
GgufValue GgufValue::of(std::string_view value) {
  const uint64_t length = value.size();
  std::string bytes(reinterpret_cast<const char*>(&length), kStringHeader);
  return owning(GgufValueType::string, bytes.append(value));
}

GgufValue GgufValue::array(GgufValueType element_type, std::span<const GgufValue> elements) {
  const auto type = static_cast<uint32_t>(element_type);
  const uint64_t count = elements.size();
  std::string bytes(reinterpret_cast<const char*>(&type), 4);
  bytes.append(reinterpret_cast<const char*>(&count), 8);
  for (const GgufValue& element : elements) {
    require(element.type() == element_type, ErrorKind::usage, "an element is {}, the array's type is {}",
            name_of(element.type()), name_of(element_type));
    bytes.append(reinterpret_cast<const char*>(element.bytes().data()), element.bytes().size());
  }
  return owning(GgufValueType::array, std::move(bytes));
}

GgufValueType GgufValue::element_type() const {
  require(type_ == GgufValueType::array, ErrorKind::invalid_data, "it is {}, expected an array", name_of(type_));
  return static_cast<GgufValueType>(load<uint32_t>(bytes_));
}

size_t GgufValue::size() const {
  (void)element_type();
  return load<uint64_t>(bytes_.subspan(4));
}

template <>
bool GgufValue::as<bool>() const {
  require(type_ == GgufValueType::boolean, ErrorKind::invalid_data, "it is {}, expected a boolean", name_of(type_));
  return load<uint8_t>(bytes_) == 1;
}
template <>
int64_t GgufValue::as<int64_t>() const {
  return integer_as<int64_t>(*this);
}
template <>
uint64_t GgufValue::as<uint64_t>() const {
  return integer_as<uint64_t>(*this);
}
template <>
double GgufValue::as<double>() const {
  return double_as(*this);
}
template <>
std::string GgufValue::as<std::string>() const {
  require(type_ == GgufValueType::string, ErrorKind::invalid_data, "it is {}, expected a string", name_of(type_));
  return {reinterpret_cast<const char*>(bytes_.data()) + kStringHeader, bytes_.size() - kStringHeader};
}
template <>
std::vector<bool> GgufValue::as<std::vector<bool>>() const {
  return vector_of<bool>(*this);
}
template <>
std::vector<int64_t> GgufValue::as<std::vector<int64_t>>() const {
  return vector_of<int64_t>(*this);
}
template <>
std::vector<uint64_t> GgufValue::as<std::vector<uint64_t>>() const {
  return vector_of<uint64_t>(*this);
}
template <>
std::vector<double> GgufValue::as<std::vector<double>>() const {
  return vector_of<double>(*this);
}
template <>
std::vector<std::string> GgufValue::as<std::vector<std::string>>() const {
  return vector_of<std::string>(*this);
}
template <>
std::vector<GgufValue> GgufValue::as<std::vector<GgufValue>>() const {
  std::vector<GgufValue> out;
  for_each(*this, [&](const GgufValue& element) {
    out.push_back(element);
    out.back().owner_ = owner_;
    return true;
  });
  return out;
}

std::string GgufValue::str(size_t max_chars) const {
  if (type_ == GgufValueType::boolean) return as<bool>() ? "true" : "false";
  if (type_ == GgufValueType::string) {
    const auto text =
        std::string_view(reinterpret_cast<const char*>(bytes_.data()), bytes_.size()).substr(kStringHeader);
    const bool cut = text.size() > max_chars;
    return fmt::format("\"{}{}\"", repair_utf8(text.substr(0, max_chars)), cut ? "..." : "");
  }
  if (type_ != GgufValueType::array) {
    std::string text;
    with_number(type_, bytes_, [&](auto number) { text = fmt::format("{}", number); });
    return text;
  }
  std::string text = fmt::format("[{} x {}:", size(), name_of(element_type()));
  bool first = true;
  for_each(*this, [&](const GgufValue& element) {
    const bool room = text.size() < max_chars;
    text += fmt::format("{} {}", first ? "" : ",", room ? element.str(max_chars - text.size()) : "...");
    first = false;
    return room;
  });
  return text + "]";
}

}  // namespace sensorium::io
