// Values as text: str(), repr() and json.dumps() of Python.
#include <utf8proc.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/error.h"
#include "text/template/value.h"
#include "text/unicode.h"

namespace sensorium::text::jinja {
namespace {

void check_size(const Text& text) {
  require(text.size() <= kMaxPrintedBytes, ErrorKind::limit, "a value of more than {} bytes of text", kMaxPrintedBytes);
}

// str.isprintable() of Python.
bool is_printable(char32_t c) {
  if (c == ' ') return true;
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
    case UTF8PROC_CATEGORY_ZS:
      return false;
    default:
      return true;
  }
}

void append_quoted(const Text& text, Text& out) {
  const std::string& bytes = text.bytes();
  const char quote = bytes.find('\'') != std::string::npos && bytes.find('"') == std::string::npos ? '"' : '\'';
  out.append(std::string_view(&quote, 1));
  for (size_t i = 0; i < bytes.size();) {
    const size_t begin = i;
    const char32_t c = next_char(bytes, i);
    std::string escaped;
    if (c == static_cast<char32_t>(quote) || c == '\\') {
      escaped = {'\\', static_cast<char>(c)};
    } else if (c == '\n') {
      escaped = "\\n";
    } else if (c == '\r') {
      escaped = "\\r";
    } else if (c == '\t') {
      escaped = "\\t";
    } else if (!is_printable(c)) {
      escaped = c < 0x100     ? fmt::format("\\x{:02x}", static_cast<uint32_t>(c))
                : c < 0x10000 ? fmt::format("\\u{:04x}", static_cast<uint32_t>(c))
                              : fmt::format("\\U{:08x}", static_cast<uint32_t>(c));
    } else {
      out.append_part(text, begin, i);
      continue;
    }
    out.append_changed(escaped, text, begin, i);
  }
  out.append(std::string_view(&quote, 1));
}

void append_repr(const Value& value, Text& out) {
  check_size(out);
  if (const Text* text = value.text()) return append_quoted(*text, out);
  if (const List* list = value.list()) {
    out.append(list->is_tuple ? "(" : "[");
    for (size_t i = 0; i < list->items.size(); ++i) {
      if (i > 0) out.append(", ");
      append_repr(list->items[i], out);
    }
    if (list->is_tuple && list->items.size() == 1) out.append(",");
    return out.append(list->is_tuple ? ")" : "]");
  }
  if (const Dict* dict = value.dict()) {
    out.append("{");
    for (size_t i = 0; i < dict->items.size(); ++i) {
      if (i > 0) out.append(", ");
      append_repr(dict->items[i].first, out);
      out.append(": ");
      append_repr(dict->items[i].second, out);
    }
    return out.append("}");
  }
  if (value.is_undefined()) return out.append("Undefined");
  out.append(to_text(value));
}

class JsonWriter {
 public:
  explicit JsonWriter(const JsonStyle& style) : style_(style) {}

  Text take() { return std::move(out_); }

  void write(const Value& value, int level) {
    check_size(out_);
    if (value.is_none()) return out_.append("null");
    if (value.is_bool()) return out_.append(value.truthy() ? "true" : "false");
    if (value.is_integer()) return out_.append(std::to_string(value.integer()));
    if (value.is_float()) return out_.append(number(value.number()));
    if (const Text* text = value.text()) return write_string(*text);
    if (const List* list = value.list()) {
      if (list->items.empty()) return out_.append("[]");
      out_.append("[");
      for (size_t i = 0; i < list->items.size(); ++i) {
        if (i > 0) out_.append(style_.item_separator);
        new_line(level + 1);
        write(list->items[i], level + 1);
      }
      new_line(level);
      return out_.append("]");
    }
    if (const Dict* dict = value.dict()) return write_dict(*dict, level);
    fail(ErrorKind::invalid_data, "a value of type {} cannot be written as JSON", value.type_name());
  }

 private:
  static std::string number(double value) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
    return format_float(value);
  }

  void new_line(int level) {
    if (!style_.indent) return;
    out_.append("\n");
    for (int i = 0; i < level; ++i) out_.append(*style_.indent);
  }

  void write_dict(const Dict& dict, int level) {
    if (dict.items.empty()) return out_.append("{}");
    std::vector<const std::pair<Value, Value>*> items;
    for (const auto& item : dict.items) items.push_back(&item);
    if (style_.sort_keys) {
      std::stable_sort(items.begin(), items.end(), [](const auto* a, const auto* b) {
        return to_text(a->first).bytes() < to_text(b->first).bytes();
      });
    }
    out_.append("{");
    for (size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out_.append(style_.item_separator);
      new_line(level + 1);
      const Value& key = items[i]->first;
      if (key.text() != nullptr) {
        write_string(*key.text());
      } else {
        out_.append("\"");
        write(key, level + 1);
        out_.append("\"");
      }
      out_.append(style_.key_separator);
      write(items[i]->second, level + 1);
    }
    new_line(level);
    out_.append("}");
  }

  std::string escape(char32_t c) const {
    switch (c) {
      case '"':
        return "\\\"";
      case '\\':
        return "\\\\";
      case '\n':
        return "\\n";
      case '\r':
        return "\\r";
      case '\t':
        return "\\t";
      case '\b':
        return "\\b";
      case '\f':
        return "\\f";
      default:
        break;
    }
    const auto code = static_cast<uint32_t>(c);
    if (code < 0x20 || (style_.ascii_only && code >= 0x7F && code < 0x10000)) {
      return code == 0x7F ? std::string() : fmt::format("\\u{:04x}", code);
    }
    if (style_.ascii_only && code >= 0x10000) {
      return fmt::format("\\u{:04x}\\u{:04x}", 0xD800 + ((code - 0x10000) >> 10), 0xDC00 + ((code - 0x10000) & 0x3FF));
    }
    return {};
  }

  void write_string(const Text& text) {
    const std::string& bytes = text.bytes();
    out_.append("\"");
    for (size_t i = 0; i < bytes.size();) {
      const size_t begin = i;
      const std::string escaped = escape(next_char(bytes, i));
      if (escaped.empty()) {
        out_.append_part(text, begin, i);
      } else {
        out_.append_changed(escaped, text, begin, i);
      }
    }
    out_.append("\"");
  }

  const JsonStyle& style_;
  Text out_;
};

}  // namespace

std::string format_float(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  char buffer[40];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific).ptr;
  const std::string_view all(buffer, static_cast<size_t>(end - buffer));
  const size_t mark = all.find('e');
  const int exponent = std::stoi(std::string(all.substr(mark + 1)));
  if (exponent < -4 || exponent >= 16) {
    return fmt::format("{}e{}{:02d}", all.substr(0, mark), exponent < 0 ? '-' : '+', std::abs(exponent));
  }
  const auto fixed = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::fixed).ptr;
  std::string out(buffer, fixed);
  if (out.find('.') == std::string::npos) out += ".0";
  return out;
}

Text to_text(const Value& value) {
  if (const Text* text = value.text()) return *text;
  if (value.is_undefined()) return {};
  if (value.is_none()) return Text("None");
  if (value.is_bool()) return Text(value.truthy() ? "True" : "False");
  if (value.is_integer()) return Text(std::to_string(value.integer()));
  if (value.is_float()) return Text(format_float(value.number()));
  if (value.list() != nullptr || value.dict() != nullptr) return to_repr(value);
  return Text(fmt::format("<{}>", value.type_name()));
}

Text to_repr(const Value& value) {
  Text out;
  append_repr(value, out);
  check_size(out);
  return out;
}

Text to_json(const Value& value, const JsonStyle& style) {
  JsonWriter writer(style);
  writer.write(value, 0);
  return writer.take();
}

}  // namespace sensorium::text::jinja
