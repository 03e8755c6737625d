// Formatting with '%', as the operator and as the filter "format". Reference: Python's printf-style formatting of str.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "base/error.h"
#include "base/utf8.h"
#include "text/template/functions.h"
#include "text/template/machine.h"
#include "text/unicode.h"

namespace sensorium::text::jinja {
namespace {

constexpr int64_t kMaxWidth = 10'000;
constexpr int kMaxPrecision = 100;

// %(key)-08.3f
struct Conversion {
  std::string flags;
  int64_t width = 0;
  std::optional<int64_t> precision;
  char type = 's';

  bool has(char flag) const { return flags.find(flag) != std::string::npos; }
};

class Formatter {
 public:
  Formatter(Machine& machine, const Text& format, const Value& values)
      : machine_(machine), format_(format), values_(values) {
    const List* list = values.list();
    if (list != nullptr && list->is_tuple) {
      rest_ = list->items;
    } else {
      rest_ = {values};
    }
  }

  Value run() {
    const std::string& bytes = format_.bytes();
    while (at_ < bytes.size()) {
      const size_t percent = std::min(bytes.find('%', at_), bytes.size());
      out_.append_part(format_, at_, percent);
      at_ = percent;
      if (at_ < bytes.size()) convert();
      require(out_.size() <= machine_.options().max_bytes, ErrorKind::limit, "a text of more than {} bytes",
              machine_.options().max_bytes);
    }
    // Lists and dicts may be asked for keys, so that nothing of them needs to be used.
    const bool all_used = next_ == rest_.size() || (values_.list() != nullptr && !values_.list()->is_tuple);
    require(all_used || values_.dict() != nullptr, ErrorKind::invalid_data,
            "'%': not all values are used by the format '{}'", bytes);
    return machine_.text(std::move(out_));
  }

 private:
  char peek() const {
    require(at_ < format_.size(), ErrorKind::invalid_data, "'%': the format '{}' is incomplete", format_.bytes());
    return format_.bytes()[at_];
  }

  const Value& next_value() {
    require(next_ < rest_.size(), ErrorKind::invalid_data, "'%': the format '{}' needs more values", format_.bytes());
    return rest_[next_++];
  }

  // Digits, or '*' for the next value.
  int64_t number() {
    int64_t value = 0;
    if (peek() == '*') {
      ++at_;
      const Value& given = next_value();
      require(given.is_integer(), ErrorKind::invalid_data, "'%': '*' needs a whole number, found {}",
              given.type_name());
      value = given.integer();
    }
    while (peek() >= '0' && peek() <= '9' && value <= kMaxWidth) value = value * 10 + (format_.bytes()[at_++] - '0');
    require(value >= -kMaxWidth && value <= kMaxWidth, ErrorKind::limit, "'%': a width beyond {}", kMaxWidth);
    return value;
  }

  void convert() {
    ++at_;
    std::optional<Value> keyed;
    if (peek() == '(') {
      const size_t end = format_.bytes().find(')', at_);
      require(end != std::string::npos, ErrorKind::invalid_data, "'%': the format '{}' is incomplete", format_.bytes());
      require(values_.dict() != nullptr, ErrorKind::invalid_data, "'%': the format '{}' needs a dict, found {}",
              format_.bytes(), values_.type_name());
      const Text key = format_.part(at_ + 1, end);
      const Value* found = values_.dict()->find(key.bytes());
      require(found != nullptr, ErrorKind::invalid_data, "'%': there is no value '{}'", key.bytes());
      keyed = *found;
      at_ = end + 1;
    }
    Conversion conversion;
    while (std::string_view("-+ #0").find(peek()) != std::string_view::npos) conversion.flags += format_.bytes()[at_++];
    conversion.width = number();
    if (conversion.width < 0) {
      conversion.flags += '-';
      conversion.width = -conversion.width;
    }
    if (peek() == '.') {
      ++at_;
      conversion.precision = std::max<int64_t>(number(), 0);
    }
    while (std::string_view("hlL").find(peek()) != std::string_view::npos) ++at_;
    conversion.type = peek();
    ++at_;
    if (conversion.type == '%') return out_.append("%");
    write(conversion, keyed ? *keyed : next_value());
  }

  void write(const Conversion& conversion, const Value& value) {
    if (conversion.type == 's' || conversion.type == 'r' || conversion.type == 'a') {
      require(conversion.type != 'a', ErrorKind::unsupported, "'%': the conversion 'a' is not supported");
      Text text = conversion.type == 's' ? to_text(value) : to_repr(value);
      if (conversion.precision) {
        const auto most = static_cast<size_t>(*conversion.precision);
        if (most < text.size()) text = text.part(0, byte_of_character(text.bytes(), most));
      }
      return pad(conversion, text);
    }
    if (value.is_undefined()) fail(ErrorKind::invalid_data, "{}", value.why_undefined());
    if (conversion.type == 'c') return write_character(conversion, value);
    const bool is_real = std::string_view("eEfFgG").find(conversion.type) != std::string_view::npos;
    require(is_real || std::string_view("diuxXo").find(conversion.type) != std::string_view::npos,
            ErrorKind::invalid_data, "'%': unknown conversion '{}'", conversion.type);
    require(value.is_number() &&
                (value.is_integer() || std::string_view("xXo").find(conversion.type) == std::string_view::npos),
            ErrorKind::invalid_data, "'%{}' needs a number, found {}", conversion.type, value.type_name());
    write_number(conversion, value, is_real);
  }

  void write_character(const Conversion& conversion, const Value& value) {
    if (const Text* text = value.text()) {
      require(count_characters(text->bytes()) == 1, ErrorKind::invalid_data, "'%c' needs one character");
      return pad(conversion, *text);
    }
    require(value.is_integer() && value.integer() >= 0 && value.integer() < 0x110000, ErrorKind::invalid_data,
            "'%c' needs a character, found {}", value.type_name());
    std::string character;
    append_utf8(character, static_cast<char32_t>(value.integer()));
    pad(conversion, Text(character));
  }

  void write_number(const Conversion& conversion, const Value& value, bool is_real) {
    const int64_t precision = conversion.precision.value_or(is_real ? 6 : 1);
    require(precision <= kMaxPrecision, ErrorKind::limit, "'%': a precision of {}, at most {} is allowed", precision,
            kMaxPrecision);
    std::string digits;
    bool negative = false;
    if (is_real) {
      negative = std::signbit(value.number());
      const std::string form = fmt::format("%{}.*{}", conversion.has('#') ? "#" : "", conversion.type);
      std::array<char, 512> buffer;
      std::snprintf(buffer.data(), buffer.size(), form.c_str(), static_cast<int>(precision), std::abs(value.number()));
      digits = buffer.data();
    } else {
      const double real = value.is_float() ? std::trunc(value.number()) : 0;
      require(std::abs(real) < 9.2e18, ErrorKind::limit, "a whole number beyond 64 bits");
      const int64_t whole = value.is_float() ? static_cast<int64_t>(real) : value.integer();
      negative = whole < 0;
      const uint64_t magnitude = negative ? uint64_t{0} - static_cast<uint64_t>(whole) : static_cast<uint64_t>(whole);
      digits = conversion.type == 'x'   ? fmt::format("{:x}", magnitude)
               : conversion.type == 'X' ? fmt::format("{:X}", magnitude)
               : conversion.type == 'o' ? fmt::format("{:o}", magnitude)
                                        : std::to_string(magnitude);
      if (digits.size() < static_cast<size_t>(precision))
        digits.insert(0, static_cast<size_t>(precision) - digits.size(), '0');
    }
    std::string sign = negative ? "-" : conversion.has('+') ? "+" : conversion.has(' ') ? " " : "";
    if (conversion.has('#') && std::string_view("xXo").find(conversion.type) != std::string_view::npos) {
      sign += {'0', conversion.type};
    }
    const size_t size = sign.size() + digits.size();
    const bool zeros = conversion.has('0') && !conversion.has('-') && std::isfinite(value.number());
    if (zeros && size < static_cast<size_t>(conversion.width))
      digits.insert(0, static_cast<size_t>(conversion.width) - size, '0');
    pad(conversion, Text(sign + digits));
  }

  void pad(const Conversion& conversion, const Text& text) {
    const auto length = static_cast<int64_t>(count_characters(text.bytes()));
    const std::string space(static_cast<size_t>(std::max<int64_t>(conversion.width - length, 0)), ' ');
    if (!conversion.has('-')) out_.append(space);
    out_.append(text);
    if (conversion.has('-')) out_.append(space);
  }

  Machine& machine_;
  const Text& format_;
  const Value& values_;
  Values rest_;
  size_t next_ = 0, at_ = 0;
  Text out_;
};

}  // namespace

Value format_percent(Machine& machine, const Text& format, const Value& values) {
  machine.charge(format.size() / 16);
  return Formatter(machine, format, values).run();
}

}  // namespace sensorium::text::jinja
