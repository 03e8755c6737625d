// Reading the fields of one record: shared by the formats' parsers. Faults are thrown as Error(invalid_data) without
// the place; parse_record adds it.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "base/json.h"
#include "data/record.h"

namespace sensorium::data::detail {

[[noreturn]] void fault(const std::string& what);
// A string of valid UTF-8.
std::string text_of(const Json& value, const std::string& field);
// The string member of `object`, which messages call `of` ("a box").
std::string text_member(const Json& object, const char* field, const char* of);
// The same, and not only white space.
std::string filled_member(const Json& object, const char* field, const char* of);

// The members of a record's object; remembers which were asked for.
class RecordReader {
 public:
  RecordReader(const Json& object, const std::string& folder) : object_(object), folder_(folder) {}
  const Json& object() const { return object_; }
  // The member, or null if it is missing or null.
  const Json* find(const char* field);
  // The list under `field`, or null if there is none; a fault if it is no list.
  const Json* find_list(const char* field);
  // One path or a list of paths, relative to the data set's folder; empty if there is none.
  std::vector<std::string> media_paths(const char* field);
  std::string media_path(const std::string& path) const;
  // Fields that nobody asked for.
  std::vector<std::string> ignored() const;

 private:
  const Json& object_;
  const std::string& folder_;
  std::set<std::string> known_;
};

// One per family of formats. Each fills the record or throws a fault.
void parse_llava(RecordReader& reader, Record& record);
void parse_messages(RecordReader& reader, Record& record);
void parse_fields(RecordReader& reader, Record& record);

}  // namespace sensorium::data::detail
