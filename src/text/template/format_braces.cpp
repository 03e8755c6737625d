// str.format() of Python, as far as its fields stand for whole arguments.
#include <algorithm>

#include "base/error.h"
#include "text/template/functions.h"
#include "text/template/machine.h"

namespace sensorium::text::jinja {
namespace {

enum class Numbering { none, automatic, given };

// "" takes the next argument, digits one by its place, anything else one by its name.
const Value& field_value(Arguments& arguments, const std::string& field, size_t& next, Numbering& numbering) {
  const bool is_place = field.find_first_not_of("0123456789") == std::string::npos;
  if (!is_place) {
    const Value* named = arguments.find(std::nullopt, field);
    require(named != nullptr, ErrorKind::invalid_data, "format: the argument '{}' is missing", field);
    return *named;
  }
  const Numbering now = field.empty() ? Numbering::automatic : Numbering::given;
  require(numbering == Numbering::none || numbering == now, ErrorKind::invalid_data,
          "format: fields with and without a number");
  require(field.size() < 9, ErrorKind::limit, "format: the field {}", field);
  numbering = now;
  const size_t place = field.empty() ? next++ : std::stoul(field);
  const Values& values = arguments.positional();
  require(place < values.size(), ErrorKind::invalid_data, "format: there is no argument {}", place);
  return values[place];
}

}  // namespace

Value format_braces(Machine& machine, const Text& format, Arguments& arguments) {
  machine.charge(format.size() / 16);
  arguments.use_positional();
  const std::string& bytes = format.bytes();
  Text out;
  size_t next = 0;
  Numbering numbering = Numbering::none;
  for (size_t at = 0; at < bytes.size();) {
    const size_t brace = std::min(bytes.find_first_of("{}", at), bytes.size());
    out.append_part(format, at, brace);
    at = brace + 1;
    if (brace == bytes.size()) break;
    if (at < bytes.size() && bytes[at] == bytes[brace]) {
      out.append_part(format, at, at + 1);
      ++at;
      continue;
    }
    const size_t end = bytes.find('}', at);
    require(bytes[brace] == '{' && end != std::string::npos, ErrorKind::invalid_data,
            "format: a '{}' without the other", bytes[brace]);
    const std::string field = bytes.substr(at, end - at);
    require(field.find_first_of(":!.[{") == std::string::npos, ErrorKind::unsupported,
            "format: the field '{}' is not supported, only {{}}, {{0}} and {{name}}", field);
    out.append(to_text(field_value(arguments, field, next, numbering)));
    require(out.size() <= machine.options().max_bytes, ErrorKind::limit, "a text of more than {} bytes",
            machine.options().max_bytes);
    at = end + 1;
  }
  arguments.take_named();  // more than the fields ask for is no error
  return machine.text(std::move(out));
}

}  // namespace sensorium::text::jinja
