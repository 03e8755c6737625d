// Filters whose result is a text or a number.
#include <charconv>
#include <cmath>
#include <cstdio>
#include <limits>

#include "base/error.h"
#include "text/template/functions.h"
#include "text/template/machine.h"
#include "text/unicode.h"

namespace sensorium::text::jinja {
namespace {

constexpr size_t kAll = std::numeric_limits<size_t>::max();
constexpr int64_t kMaxWidth = 10'000;

Value with_case(Machine& machine, const Value& value, Arguments& arguments, Case to) {
  arguments.done();
  return machine.text(change_case(to_text(value), to));
}

Value trim_filter(Machine& machine, const Value& value, Arguments& arguments) {
  const Value* set = arguments.find(0, "chars");
  arguments.done();
  const Text text = to_text(value);
  if (set == nullptr || set->is_none()) return machine.text(strip(text));
  return machine.text(strip(text, Side::both, to_text(*set).bytes()));
}

Value replace_filter(Machine& machine, const Value& value, Arguments& arguments) {
  const Text from = to_text(arguments.need(0, "old")), to = to_text(arguments.need(1, "new"));
  const int64_t most = arguments.integer(2, "count", -1);
  arguments.done();
  return replace_text(machine, to_text(value), from, to, most);
}

Value indent_filter(Machine& machine, const Value& value, Arguments& arguments) {
  Text indentation;
  const Value* width = arguments.find(0, "width");
  if (width != nullptr && width->is_string()) {
    indentation = *width->text();
  } else {
    const int64_t count = arguments.integer(0, "width", 4);
    require(count <= kMaxWidth, ErrorKind::limit, "indent: a width of {}, at most {} is allowed", count, kMaxWidth);
    indentation.append(std::string(static_cast<size_t>(std::max<int64_t>(count, 0)), ' '));
  }
  const bool first = arguments.flag(1, "first", false), blank = arguments.flag(2, "blank", false);
  arguments.done();
  // A line end is added first: so the text after the last one counts as a line, if only an empty one.
  Text text = to_text(value);
  text.append("\n");
  const std::vector<Text> lines = split_lines(text, false);
  Text out;
  for (size_t i = 0; i < lines.size(); ++i) {
    if (i > 0) out.append("\n");
    if (i == 0 ? first : (blank || !lines[i].empty())) out.append(indentation);
    out.append(lines[i]);
    machine.charge(1 + indentation.size() / 64);
    require(out.size() <= machine.options().max_bytes, ErrorKind::limit, "a text of more than {} bytes",
            machine.options().max_bytes);
  }
  return machine.text(std::move(out));
}

Value format_filter(Machine& machine, const Value& value, Arguments& arguments) {
  Values positional = arguments.take_positional(0);
  std::vector<std::pair<Value, Value>> named;
  for (auto& [name, given] : arguments.take_named()) named.emplace_back(Value::string(name), std::move(given));
  require(positional.empty() || named.empty(), ErrorKind::invalid_data, "format: either values or names, not both");
  const Value values = named.empty() ? machine.list(std::move(positional), true) : make_dict(std::move(named));
  return format_percent(machine, to_text(value), values);
}

Value center_filter(Machine& machine, const Value& value, Arguments& arguments) {
  const int64_t width = arguments.integer(0, "width", 80);
  arguments.done();
  require(width <= kMaxWidth, ErrorKind::limit, "center: a width of {}, at most {} is allowed", width, kMaxWidth);
  const Text text = to_text(value);
  const int64_t space = std::max<int64_t>(width - static_cast<int64_t>(count_characters(text.bytes())), 0);
  // Python puts an odd space in front where the width is odd too.
  const int64_t before = space / 2 + (space & width & 1);
  Text out;
  out.append(std::string(static_cast<size_t>(before), ' '));
  out.append(text);
  out.append(std::string(static_cast<size_t>(space - before), ' '));
  return machine.text(std::move(out));
}

Value string_filter(Machine& machine, const Value& value, Arguments& arguments) {
  arguments.done();
  return machine.text(to_text(value));
}

Value escape_filter(Machine& machine, const Value& value, Arguments& arguments) {
  arguments.done();
  const Text text = to_text(value);
  Text out;
  for (size_t i = 0; i < text.size(); ++i) {
    static constexpr std::pair<char, std::string_view> kEscapes[] = {
        {'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'\'', "&#39;"}, {'"', "&#34;"}};
    std::string_view escaped;
    for (const auto& [character, name] : kEscapes) {
      if (text.bytes()[i] == character) escaped = name;
    }
    if (escaped.empty()) {
      out.append_part(text, i, i + 1);
    } else {
      out.append_changed(escaped, text, i, i + 1);
    }
  }
  return machine.text(std::move(out));
}

Value to_json_filter(Machine& machine, const Value& value, Arguments& arguments) {
  JsonStyle style;
  style.ascii_only = arguments.flag(0, "ensure_ascii", false);
  if (const Value* indent = arguments.find(1, "indent"); indent != nullptr && !indent->is_none()) {
    if (indent->is_string()) {
      style.indent = indent->text()->bytes();
    } else {
      const int64_t width = arguments.integer(1, "indent", 0);
      require(width <= kMaxWidth, ErrorKind::limit, "tojson: an indent of {}, at most {} is allowed", width, kMaxWidth);
      style.indent = std::string(static_cast<size_t>(std::max<int64_t>(width, 0)), ' ');
    }
    style.item_separator.assign(1, ',');  // GCC 12 warns of overlap in = ","
  }
  if (const Value* separators = arguments.find(2, "separators"); separators != nullptr && !separators->is_none()) {
    const Values pair = iterate(machine, *separators);
    require(pair.size() == 2, ErrorKind::invalid_data, "tojson: \"separators\" must be two strings");
    style.item_separator = to_text(pair[0]).bytes();
    style.key_separator = to_text(pair[1]).bytes();
  }
  style.sort_keys = arguments.flag(3, "sort_keys", false);
  arguments.done();
  return machine.text(to_json(value, style));
}

// What Python's int() and float() read; white space around it is allowed.
std::optional<int64_t> read_integer(std::string text, int base) {
  std::erase(text, '_');
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.erase(0, 1);
  if (base == 16 && (text.starts_with("0x") || text.starts_with("0X"))) text.erase(0, 2);
  int64_t value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (text.empty() || text[0] == '-' || parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) {
    return std::nullopt;
  }
  return negative ? -value : value;
}

std::optional<double> read_real(std::string text) {
  std::erase(text, '_');
  if (text.starts_with('+')) text.erase(0, 1);
  double value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

void refuse_undefined(const Value& value) {
  if (value.is_undefined()) fail(ErrorKind::invalid_data, "{}", value.why_undefined());
}

Value int_filter(Machine&, const Value& value, Arguments& arguments) {
  refuse_undefined(value);
  const Value* fallback = arguments.find(0, "default");
  const int64_t base = arguments.integer(1, "base", 10);
  arguments.done();
  require(base >= 2 && base <= 36, ErrorKind::invalid_data, "int: a base of {}", base);
  std::optional<double> real;
  if (value.is_integer()) return value.integer();
  if (value.is_float()) real = value.number();
  if (const Text* text = value.text()) {
    const std::string digits = strip(*text).bytes();
    if (const auto whole = read_integer(digits, static_cast<int>(base))) return *whole;
    real = read_real(digits);
  }
  if (real && std::abs(*real) < 9.2e18) return static_cast<int64_t>(*real);
  return fallback == nullptr ? Value(int64_t{0}) : *fallback;
}

Value float_filter(Machine&, const Value& value, Arguments& arguments) {
  refuse_undefined(value);
  const Value* fallback = arguments.find(0, "default");
  arguments.done();
  if (value.is_number()) return value.number();
  if (const Text* text = value.text()) {
    if (const auto real = read_real(strip(*text).bytes())) return *real;
  }
  return fallback == nullptr ? Value(0.0) : *fallback;
}

Value abs_filter(Machine&, const Value& value, Arguments& arguments) {
  arguments.done();
  require(value.is_number(), ErrorKind::invalid_data, "abs: needs a number, found {}", value.type_name());
  if (value.is_float()) return std::abs(value.number());
  require(value.integer() != std::numeric_limits<int64_t>::min(), ErrorKind::limit, "a whole number beyond 64 bits");
  return std::abs(value.integer());
}

Value round_filter(Machine&, const Value& value, Arguments& arguments) {
  const int64_t precision = arguments.integer(0, "precision", 0);
  const Value* method = arguments.find(1, "method");
  const std::string name = method == nullptr ? "common" : to_text(*method).bytes();
  arguments.done();
  require(value.is_number(), ErrorKind::invalid_data, "round: needs a number, found {}", value.type_name());
  require(precision >= 0 && precision <= 15, ErrorKind::unsupported, "round: a precision of {}", precision);
  require(name == "common" || name == "ceil" || name == "floor", ErrorKind::invalid_data, "round: unknown method '{}'",
          name);
  if (name != "common") {
    const double scale = std::pow(10.0, static_cast<double>(precision));
    const double scaled = value.number() * scale;
    return (name == "ceil" ? std::ceil(scaled) : std::floor(scaled)) / scale;
  }
  if (value.is_integer()) return value.integer();
  char buffer[400];
  std::snprintf(buffer, sizeof buffer, "%.*f", static_cast<int>(precision), value.number());
  return std::strtod(buffer, nullptr);
}

Value wordcount_filter(Machine& machine, const Value& value, Arguments& arguments) {
  arguments.done();
  const Text text = to_text(value);
  machine.charge(text.size() / 64);
  int64_t words = 0;
  bool inside = false;
  for (size_t i = 0; i < text.size();) {
    const bool is = is_word(next_char(text.bytes(), i));
    words += is && !inside;
    inside = is;
  }
  return words;
}

Value truncate_filter(Machine& machine, const Value& value, Arguments& arguments) {
  const int64_t length = arguments.integer(0, "length", 255);
  const bool cut_words = arguments.flag(1, "killwords", false);
  const Value* end = arguments.find(2, "end");
  const int64_t leeway = arguments.integer(3, "leeway", 5);
  arguments.done();
  const Text text = to_text(value), mark = end == nullptr ? Text("...") : to_text(*end);
  const auto mark_length = static_cast<int64_t>(count_characters(mark.bytes()));
  require(length >= mark_length && leeway >= 0, ErrorKind::invalid_data, "truncate: a length of {}", length);
  const auto characters = static_cast<int64_t>(count_characters(text.bytes()));
  if (leeway >= characters || length >= characters - leeway) return machine.text(text);
  Text out = text.part(0, byte_of_character(text.bytes(), static_cast<size_t>(length - mark_length)));
  const size_t space = out.bytes().rfind(' ');
  if (!cut_words && space != std::string::npos) out = out.part(0, space);
  out.append(mark);
  return machine.text(std::move(out));
}

}  // namespace

Value replace_text(Machine& machine, const Text& text, const Text& from, const Text& to, int64_t most) {
  const size_t limit = most < 0 ? kAll : static_cast<size_t>(most);
  const size_t places = from.empty() ? text.size() + 1 : text.size() / from.size();
  machine.charge(text.size() / 64 + std::min(places, limit) / 16);
  // The text may grow: its size is known before it is made.
  size_t found = 0;
  if (to.size() > from.size()) {
    if (from.empty()) {
      found = count_characters(text.bytes()) + 1;
    } else {
      for (size_t at = text.bytes().find(from.bytes()); at != std::string::npos;
           at = text.bytes().find(from.bytes(), at + from.size())) {
        ++found;
      }
    }
    found = std::min(found, limit);
    require(found == 0 || to.size() - from.size() <= machine.options().max_bytes / found, ErrorKind::limit,
            "a text of more than {} bytes", machine.options().max_bytes);
  }
  return machine.text(replace(text, from, to, limit));
}

std::span<const Filter> text_filters() {
  static constexpr Filter kFilters[] = {
      {"upper", [](Machine& m, const Value& v, Arguments& a) { return with_case(m, v, a, Case::upper); }},
      {"lower", [](Machine& m, const Value& v, Arguments& a) { return with_case(m, v, a, Case::lower); }},
      {"title", [](Machine& m, const Value& v, Arguments& a) { return with_case(m, v, a, Case::title_words); }},
      {"capitalize", [](Machine& m, const Value& v, Arguments& a) { return with_case(m, v, a, Case::capital); }},
      {"trim", trim_filter},
      {"replace", replace_filter},
      {"indent", indent_filter},
      {"format", format_filter},
      {"center", center_filter},
      {"string", string_filter},
      {"safe", string_filter},
      {"escape", escape_filter},
      {"e", escape_filter},
      {"forceescape", escape_filter},
      {"tojson", to_json_filter},
      {"int", int_filter},
      {"float", float_filter},
      {"abs", abs_filter},
      {"round", round_filter},
      {"wordcount", wordcount_filter},
      {"truncate", truncate_filter},
  };
  return kFilters;
}

}  // namespace sensorium::text::jinja
