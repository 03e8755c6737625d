#include "io/yaml.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>

#include "base/file.h"

namespace sensorium::io {
namespace {

constexpr size_t kMaxBytes = size_t{16} << 20;
constexpr int kMaxDepth = 64;
// Aliases can repeat a list exponentially often.
constexpr int64_t kMaxNodes = 1'000'000;

bool parse_integer(std::string_view digits, int base, int64_t& value) {
  const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  return error == std::errc() && stop == digits.data() + digits.size();
}

// The core schema of YAML 1.2 (10.3.2): "yes" and "on" are text, "012" is twelve, "0o14" and "0xC" are twelve too.
Json plain_scalar(const std::string& text) {
  if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL") return nullptr;
  if (text == "true" || text == "True" || text == "TRUE") return true;
  if (text == "false" || text == "False" || text == "FALSE") return false;
  int64_t integer = 0;
  const bool prefixed = text.size() > 2 && text[0] == '0' && text[2] != '-';
  if (prefixed && text[1] == 'x' && parse_integer(std::string_view(text).substr(2), 16, integer)) return integer;
  if (prefixed && text[1] == 'o' && parse_integer(std::string_view(text).substr(2), 8, integer)) return integer;
  std::string_view number = text;
  if (number.starts_with('+')) number.remove_prefix(1);
  // from_chars also takes "inf" and "nan", which the schema does not.
  const size_t first = number.starts_with('-') && number.size() == text.size() ? 1 : 0;
  if (first == number.size() || (number[first] != '.' && (number[first] < '0' || number[first] > '9'))) return text;
  if (parse_integer(number, 10, integer)) return integer;
  double value = 0;
  const auto [stop, error] = std::from_chars(number.data(), number.data() + number.size(), value);
  return error == std::errc() && stop == number.data() + number.size() ? Json(value) : Json(text);
}

class Converter {
 public:
  explicit Converter(const std::string& where) : where_(where) {}

  Json convert(const YAML::Node& node, int depth = 0) {
    require(depth <= kMaxDepth && ++nodes_ <= kMaxNodes, ErrorKind::limit, "{}: nested too deeply or too large",
            at(node));
    switch (node.Type()) {
      case YAML::NodeType::Map: {
        Json object = Json::object();
        for (const auto& entry : node) {
          require(entry.first.IsScalar(), ErrorKind::usage, "{}: a key is no plain word", at(entry.first));
          const std::string key = entry.first.Scalar();
          require(!object.contains(key), ErrorKind::usage, "{}: key \"{}\" stands twice", at(entry.first), key);
          object[key] = convert(entry.second, depth + 1);
        }
        return object;
      }
      case YAML::NodeType::Sequence: {
        Json list = Json::array();
        for (const auto& entry : node) list.push_back(convert(entry, depth + 1));
        return list;
      }
      case YAML::NodeType::Scalar:
        // The tag of quoted text is "!".
        return node.Tag() == "!" ? Json(node.Scalar()) : plain_scalar(node.Scalar());
      default:
        return nullptr;
    }
  }

 private:
  std::string at(const YAML::Node& node) const { return fmt::format("{}:{}", where_, node.Mark().line + 1); }

  std::string where_;
  int64_t nodes_ = 0;
};

}  // namespace

Json yaml_to_json(std::string_view text, const std::string& where) {
  try {
    const YAML::Node node = YAML::Load(std::string(text));
    return Converter(where).convert(node);
  } catch (const YAML::Exception& error) {
    fail(ErrorKind::usage, "{}:{}: {}", where, error.mark.line + 1, error.msg);
  }
}

Json yaml_file_to_json(const std::filesystem::path& path) {
  Json json = yaml_to_json(read_file(path, kMaxBytes), path.string());
  if (json.is_null()) return Json::object();  // empty, or comments alone
  require(json.is_object(), ErrorKind::usage, "{}: expected keys with values, found {}", path.string(),
          json.type_name());
  return json;
}

void apply_overrides(Json& json, const std::vector<std::string>& overrides) {
  for (const std::string& text : overrides) {
    const size_t equals = text.find('=');
    require(equals != std::string::npos && equals > 0, ErrorKind::usage, "override \"{}\": expected key=value", text);
    Json* place = &json;
    for (size_t begin = 0; begin <= equals;) {
      const size_t end = std::min(text.find('.', begin), equals);
      const std::string key = text.substr(begin, end - begin);
      require(!key.empty(), ErrorKind::usage, "override \"{}\": an empty key", text);
      begin = end + 1;
      if (place->is_array()) {
        size_t index = 0;
        const auto [stop, error] = std::from_chars(key.data(), key.data() + key.size(), index);
        require(error == std::errc() && stop == key.data() + key.size() && index < place->size(), ErrorKind::usage,
                "override \"{}\": the list has no entry {}", text, key);
        place = &(*place)[index];
        continue;
      }
      if (place->is_null()) *place = Json::object();
      require(place->is_object(), ErrorKind::usage, "override \"{}\": \"{}\" lies inside a value that is {}", text, key,
              place->type_name());
      place = &(*place)[key];
    }
    const std::string value = text.substr(equals + 1);
    // Only what starts like a list, an object or a quotation is read as YAML: paths with " #" or ": " need no quoting.
    const bool structured = !value.empty() && std::string_view("[{\"'").find(value[0]) != std::string_view::npos;
    if (structured) {
      *place = yaml_to_json(value, fmt::format("override \"{}\"", text));
    } else {
      *place = value.empty() ? Json("") : plain_scalar(value);
    }
  }
}

}  // namespace sensorium::io
