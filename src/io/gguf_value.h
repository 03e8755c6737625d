// Values of a GGUF file's metadata: numbers, booleans, strings and arrays of any of these, arrays included.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "io/byte_reader.h"

namespace sensorium::io {

// The numbers are those of the format.
enum class GgufValueType : uint32_t { u8, i8, u16, i16, u32, i32, f32, boolean, string, array, u64, i64, f64 };
std::string_view name_of(GgufValueType type);  // "u8", ..., "string", "array"

// A checked view of the value's bytes in the file, which it keeps alive: a vocabulary of 100,000 strings costs nothing
// until it is asked for. Copies share the bytes.
class GgufValue {
 public:
  // Reads one value and moves `reader` past it. Every length is checked before it is used; arrays nest at most 8 deep.
  // Errors: invalid_data.
  static Result<GgufValue> parse(ByteReader& reader, GgufValueType type, std::shared_ptr<const void> owner);

  // Values for a file that is written.
  static GgufValue of(bool value);
  static GgufValue of(uint8_t value);
  static GgufValue of(int8_t value);
  static GgufValue of(uint16_t value);
  static GgufValue of(int16_t value);
  static GgufValue of(uint32_t value);
  static GgufValue of(int32_t value);
  static GgufValue of(uint64_t value);
  static GgufValue of(int64_t value);
  static GgufValue of(float value);
  static GgufValue of(double value);
  static GgufValue of(std::string_view value);
  static GgufValue of(const char* value) { return of(std::string_view(value)); }
  static GgufValue of(const std::string& value) { return of(std::string_view(value)); }
  // Throws Error(usage) if an element is not of the type.
  static GgufValue array(GgufValueType element_type, std::span<const GgufValue> elements);
  template <typename T>
  static GgufValue array(const std::vector<T>& elements) {
    std::vector<GgufValue> values;
    for (const auto& element : elements) values.push_back(of(static_cast<const T&>(element)));
    return array(of(T{}).type(), values);
  }

  GgufValueType type() const { return type_; }
  // Of an array; throw Error(invalid_data) for another type.
  GgufValueType element_type() const;
  size_t size() const;
  // Throws Error(invalid_data) that names both types if the value is another, or a number that does not fit. T:
  //   bool; int64_t, uint64_t (from any integer); double (from any number); std::string
  //   std::vector of these (std::vector<double> also from integers); std::vector<GgufValue> from any array
  template <typename T>
  T as() const;
  // As a person reads it, cut to about `max_chars`: "32000", "\"llama\"", "[3 x string: "a", "b", ...]".
  std::string str(size_t max_chars = 60) const;

  // The bytes as in the file, without the type that stands before them.
  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  GgufValue(GgufValueType type, std::span<const std::byte> bytes, std::shared_ptr<const void> owner)
      : type_(type), bytes_(bytes), owner_(std::move(owner)) {}
  static GgufValue owning(GgufValueType type, std::string bytes);
  template <typename T>
  static GgufValue scalar(GgufValueType type, T value);

  GgufValueType type_;
  std::span<const std::byte> bytes_;
  std::shared_ptr<const void> owner_;
};

}  // namespace sensorium::io
