// The values that schemas allow, where they can be listed or told apart.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "text/grammar/schema_parts.h"
#include "text/grammar/schema_reader.h"
#include "text/grammar/string_set.h"

namespace sensorium::text::grammar {

// Runs `read`, whose errors do not know the place.
template <typename Read>
auto at_place(const std::string& where, const Read& read) {
  try {
    return read();
  } catch (const Error& error) {
    if (std::string_view(error.message()).starts_with("JSON schema")) throw;
    throw error.with_context("JSON schema, " + where);
  }
}

// `document` and `reader` must outlive this object. Throws Error as parse_json_schema.
class SchemaValues {
 public:
  SchemaValues(SchemaDocument& document, SchemaReader& reader) : document_(document), reader_(reader) {}

  // Those of "enum" or "const" that are valid.
  std::vector<OrderedJson> listed(const SchemaNodes& nodes);
  // All values that are written, each once; nullopt where they are not listed.
  std::optional<std::vector<OrderedJson>> all(const SchemaParts& parts);
  // Names of members that are valid.
  StringSet names(const SchemaParts& parts);
  // Whether no two items that are written can be the same, whatever they are.
  bool items_exclude_each_other(const ArrayRule& rule);

 private:
  SchemaDocument& document_;
  SchemaReader& reader_;
};

}  // namespace sensorium::text::grammar
