#include "data/record.h"

#include <algorithm>

#include "base/utf8.h"
#include "data/record_reader.h"

namespace sensorium::data {
namespace detail {

void fault(const std::string& what) { throw Error(ErrorKind::invalid_data, what); }

std::string text_of(const Json& value, const std::string& field) {
  if (!value.is_string()) fault(fmt::format("\"{}\" is {}, expected a string", field, value.type_name()));
  std::string text = value.get<std::string>();
  if (find_invalid_utf8(text) != std::string::npos) fault(fmt::format("\"{}\" is not valid UTF-8", field));
  return text;
}

std::string text_member(const Json& object, const char* field, const char* of) {
  if (!object.is_object() || !object.contains(field)) fault(fmt::format("{} without \"{}\"", of, field));
  return text_of(object.at(field), field);
}

std::string filled_member(const Json& object, const char* field, const char* of) {
  std::string text = text_member(object, field, of);
  if (text.find_first_not_of(" \t\r\n") == std::string::npos) fault(fmt::format("{} with an empty \"{}\"", of, field));
  return text;
}

const Json* RecordReader::find(const char* field) {
  known_.insert(field);
  const auto found = object_.find(field);
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

const Json* RecordReader::find_list(const char* field) {
  const Json* value = find(field);
  if (value != nullptr && !value->is_array())
    fault(fmt::format("\"{}\" is {}, expected a list", field, value->type_name()));
  return value;
}

std::vector<std::string> RecordReader::media_paths(const char* field) {
  std::vector<std::string> paths;
  const Json* value = find(field);
  if (value == nullptr) return paths;
  if (!value->is_array()) return {media_path(text_of(*value, field))};
  for (const Json& path : *value) paths.push_back(media_path(text_of(path, field)));
  return paths;
}

std::string RecordReader::media_path(const std::string& path) const {
  if (path.empty()) fault("an empty media path");
  if (path.find("://") != std::string::npos || path.starts_with("data:")) fault("media must be paths, not URLs");
  return folder_.empty() || path.front() == '/' ? path : folder_ + "/" + path;
}

std::vector<std::string> RecordReader::ignored() const {
  std::vector<std::string> names;
  for (const auto& [field, value] : object_.items()) {
    if (!known_.contains(field)) names.push_back(field);
  }
  return names;
}

}  // namespace detail

const MessagePart* recording_of(const Record& record) {
  if (!record.image.empty()) return nullptr;
  const auto found = std::find_if(record.media.begin(), record.media.end(), [](const MessagePart& part) {
    return part.kind == PartKind::audio || part.kind == PartKind::imu || part.kind == PartKind::depth ||
           part.kind == PartKind::video;
  });
  return found == record.media.end() ? nullptr : &*found;
}

std::string statement_question(const std::string& sentence) { return "Is this statement true? " + sentence; }

Result<Record> parse_record(const Json& json, const std::string& folder, const std::string& where) {
  Record record;
  record.where = where;
  try {
    if (!json.is_object()) detail::fault(fmt::format("a record is {}, expected an object", json.type_name()));
    detail::RecordReader reader(json, folder);
    if (json.contains("conversations")) {
      detail::parse_llava(reader, record);
    } else if (json.contains("messages")) {
      detail::parse_messages(reader, record);
    } else {
      detail::parse_fields(reader, record);
    }
    record.ignored = reader.ignored();
    const bool empty =
        record.messages.empty() && record.media.empty() && record.questions.empty() && record.text.empty();
    if (empty) detail::fault("a record without media, question, messages or text");
  } catch (const Error& error) {
    return error.with_context(where);
  } catch (const nlohmann::json::exception&) {
    return Error(ErrorKind::invalid_data, fmt::format("{}: a value has the wrong type", where));
  }
  return record;
}

}  // namespace sensorium::data
