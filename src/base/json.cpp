#include "base/json.h"

#include <algorithm>
#include <numeric>

#include "base/file.h"

namespace sensorium {
namespace {

constexpr int kMaxDepth = 100;

// nlohmann's parser keeps its nesting on the heap, but destruction and our own walks recurse.
bool too_deep(std::string_view text) {
  int depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        in_string = false;
      }
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kMaxDepth) return true;
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return false;
}

template <typename T>
struct Typed;
template <>
struct Typed<bool> {
  static constexpr const char* name = "true or false";
  static bool matches(const Json& value) { return value.is_boolean(); }
};
template <>
struct Typed<int64_t> {
  static constexpr const char* name = "an integer";
  static bool matches(const Json& value) {
    return value.is_number_integer() && (!value.is_number_unsigned() || value.get<uint64_t>() <= INT64_MAX);
  }
};
template <>
struct Typed<double> {
  static constexpr const char* name = "a number";
  static bool matches(const Json& value) { return value.is_number(); }
};
template <>
struct Typed<std::string> {
  static constexpr const char* name = "a string";
  static bool matches(const Json& value) { return value.is_string(); }
};
template <typename T>
struct Typed<std::vector<T>> {
  static constexpr const char* name = "a list";
  static bool matches(const Json& value) {
    return value.is_array() &&
           std::all_of(value.begin(), value.end(), [](const Json& v) { return Typed<T>::matches(v); });
  }
};

}  // namespace

Result<Json> parse_json(std::string_view text) {
  if (too_deep(text)) return Error(ErrorKind::limit, fmt::format("JSON nested deeper than {} levels", kMaxDepth));
  try {
    return Json::parse(text.begin(), text.end());
  } catch (const nlohmann::json::parse_error& error) {
    return Error(ErrorKind::invalid_data, fmt::format("invalid JSON at byte {}", error.byte));
  } catch (const nlohmann::json::exception&) {
    return Error(ErrorKind::invalid_data, "invalid JSON: a number is out of range");
  }
}

Json read_json_file(const std::filesystem::path& path) {
  Result<Json> parsed = parse_json(read_file(path, size_t{256} << 20));
  if (!parsed) throw parsed.error().with_context(path.string());
  return std::move(parsed).value();
}

Json without_nulls(Json object) {
  for (auto it = object.begin(); object.is_object() && it != object.end();) {
    it = it->is_null() ? object.erase(it) : std::next(it);
  }
  return object;
}

ConfigReader::ConfigReader(const Json& object, std::string where, ErrorKind fault)
    : object_(object), where_(std::move(where)), fault_(fault) {
  require(object.is_object(), fault_, "{}: expected keys with values, found {}", where_, object.type_name());
}

bool ConfigReader::has(std::string_view key) {
  known_.emplace_back(key);
  return object_.contains(key);
}

template <typename T>
T ConfigReader::get(std::string_view key) {
  require(has(key), fault_, "{}: key \"{}\" is missing (expected {})", where_, key, Typed<T>::name);
  const Json& value = object_.at(std::string(key));
  require(Typed<T>::matches(value), fault_, "{}: \"{}\" is {}, expected {}", where_, key, value.dump(), Typed<T>::name);
  return value.get<T>();
}

template bool ConfigReader::get<bool>(std::string_view);
template int64_t ConfigReader::get<int64_t>(std::string_view);
template double ConfigReader::get<double>(std::string_view);
template std::string ConfigReader::get<std::string>(std::string_view);
template std::vector<std::string> ConfigReader::get<std::vector<std::string>>(std::string_view);
template std::vector<int64_t> ConfigReader::get<std::vector<int64_t>>(std::string_view);
template std::vector<double> ConfigReader::get<std::vector<double>>(std::string_view);

int64_t ConfigReader::get_int(std::string_view key, int64_t low, int64_t high) {
  const int64_t value = get<int64_t>(key);
  require(value >= low && value <= high, fault_, "{}: \"{}\" is {}, expected {}..{}", where_, key, value, low, high);
  return value;
}

const Json& ConfigReader::child(std::string_view key) {
  static const Json empty = Json::object();
  return has(key) ? object_.at(std::string(key)) : empty;
}

void ConfigReader::finish() const {
  for (const auto& [key, value] : object_.items()) {
    if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
    const std::string near = nearest_match(key, known_);
    fail(fault_, "{}: unknown key \"{}\"{}", where_, key,
         near.empty() ? std::string() : fmt::format("; did you mean \"{}\"?", near));
  }
}

std::string nearest_match(std::string_view word, const std::vector<std::string>& candidates) {
  std::string best;
  size_t best_distance = std::max<size_t>(2, word.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    std::vector<size_t> row(candidate.size() + 1);
    std::iota(row.begin(), row.end(), size_t{0});
    for (size_t i = 0; i < word.size(); ++i) {
      size_t diagonal = std::exchange(row[0], i + 1);
      for (size_t j = 0; j < candidate.size(); ++j) {
        const size_t substituted = diagonal + (word[i] == candidate[j] ? 0 : 1);
        diagonal = std::exchange(row[j + 1], std::min({row[j] + 1, row[j + 1] + 1, substituted}));
      }
    }
    if (row.back() < best_distance) {
      best_distance = row.back();
      best = candidate;
    }
  }
  return best;
}

}  // namespace sensorium
