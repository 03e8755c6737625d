#include "hub/plan.h"

#include <algorithm>
#include <set>

namespace sensorium::hub {
namespace {

bool is_hash(const std::string& text) {
  return text.size() == 64 &&
         std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

PlanFile parse_file(const Json& json, const std::string& where) {
  require(json.is_object(), ErrorKind::invalid_data, "{}: it is {}, expected an object", where, json.type_name());
  ConfigReader reader(json, where);
  PlanFile file{.path = reader.get<std::string>("path"), .url = reader.get<std::string>("url")};
  require_inner_path(file.path, where);
  require(file.url.starts_with("http://") || file.url.starts_with("https://"), ErrorKind::invalid_data,
          "{}: \"url\" is \"{}\", expected http:// or https://", where, file.url);
  if (reader.has("bytes")) {
    file.bytes = static_cast<uint64_t>(reader.get_int("bytes", 0, int64_t{1} << 50));
  }
  file.sha256 = reader.get_or<std::string>("sha256", "");
  require(file.sha256.empty() || is_hash(file.sha256), ErrorKind::invalid_data,
          "{}: \"sha256\" is \"{}\", expected 64 lower-case hexadecimal digits", where, file.sha256);
  reader.finish();
  return file;
}

}  // namespace

uint64_t FetchPlan::known_bytes() const {
  uint64_t total = 0;
  for (const PlanFile& file : files) total += file.bytes.value_or(0);
  return total;
}

void require_inner_path(const std::string& path, const std::string& where) {
  const std::filesystem::path parsed(path);
  bool inner = !path.empty() && !parsed.has_root_path() && parsed.has_filename() && !path.ends_with(".part") &&
               !path.ends_with(".part.etag") && path.find("//") == std::string::npos;
  for (const char c : path) inner = inner && static_cast<unsigned char>(c) >= 0x20 && c != '\\' && c != 0x7F;
  for (const std::filesystem::path& name : parsed) inner = inner && name != ".." && name != "." && !name.empty();
  require(inner, ErrorKind::invalid_data, "{}: \"{}\" is no path inside of the model's folder", where, path);
}

FetchPlan parse_plan(const Json& json, const std::string& where) {
  require(json.is_object(), ErrorKind::invalid_data, "{}: it is {}, expected an object", where, json.type_name());
  ConfigReader reader(json, where);
  FetchPlan plan{.model = reader.get<std::string>("model"), .licence = reader.get_or<std::string>("licence", "")};
  const Json& files = reader.child("files");
  reader.finish();
  require(files.is_array() && !files.empty(), ErrorKind::invalid_data, "{}: \"files\" is no list of files", where);
  std::set<std::string> seen;
  for (size_t i = 0; i < files.size(); ++i) {
    plan.files.push_back(parse_file(files[i], fmt::format("{}: files[{}]", where, i)));
    require(seen.insert(plan.files.back().path).second, ErrorKind::invalid_data, "{}: file {} stands twice", where,
            plan.files.back().path);
  }
  return plan;
}

OrderedJson to_json(const FetchPlan& plan) {
  OrderedJson json{{"model", plan.model}, {"licence", plan.licence}, {"files", OrderedJson::array()}};
  for (const PlanFile& file : plan.files) {
    OrderedJson entry{{"path", file.path}, {"url", file.url}};
    if (file.bytes) entry["bytes"] = *file.bytes;
    if (!file.sha256.empty()) entry["sha256"] = file.sha256;
    json["files"].push_back(std::move(entry));
  }
  return json;
}

}  // namespace sensorium::hub
