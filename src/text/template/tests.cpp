// What may stand behind "is".
#include <cmath>

#include "base/error.h"
#include "text/template/functions.h"
#include "text/template/machine.h"
#include "text/unicode.h"

namespace sensorium::text::jinja {
namespace {

// A test without arguments.
template <bool (*check)(const Value&)>
bool plain(Machine&, const Value& value, Arguments& arguments) {
  arguments.done();
  return check(value);
}

template <Relation relation>
bool related(Machine& machine, const Value& value, Arguments& arguments) {
  const Value& other = arguments.need(0, "other");
  arguments.done();
  return compare(machine, relation, value, other);
}

bool is_defined(const Value& value) { return !value.is_undefined(); }
bool is_undefined(const Value& value) { return value.is_undefined(); }
bool is_none(const Value& value) { return value.is_none(); }
bool is_boolean(const Value& value) { return value.is_bool(); }
bool is_string(const Value& value) { return value.is_string(); }
bool is_number(const Value& value) { return value.is_number(); }
bool is_integer(const Value& value) { return value.is_integer() && !value.is_bool(); }
bool is_float(const Value& value) { return value.is_float(); }
bool is_mapping(const Value& value) { return value.dict() != nullptr; }
bool is_callable(const Value& value) { return value.function() != nullptr || value.loop() != nullptr; }
bool is_lower(const Value& value) { return has_case(value, Case::lower); }
bool is_upper(const Value& value) { return has_case(value, Case::upper); }

bool is_sequence(const Value& value) {
  return value.is_string() || value.list() != nullptr || value.dict() != nullptr || value.is_undefined();
}

bool is_iterable(const Value& value) { return is_sequence(value) || value.loop() != nullptr; }

bool is_true(const Value& value) { return value.is_bool() && value.truthy(); }
bool is_false(const Value& value) { return value.is_bool() && !value.truthy(); }

template <int64_t rest>
bool has_rest(const Value& value) {
  if (value.is_undefined()) fail(ErrorKind::invalid_data, "{}", value.why_undefined());
  require(value.is_number(), ErrorKind::invalid_data, "odd, even: need a number, found {}", value.type_name());
  if (value.is_float()) return std::abs(std::fmod(value.number(), 2.0)) == static_cast<double>(rest);
  return (value.integer() % 2 != 0) == (rest == 1);
}

bool divisible(Machine&, const Value& value, Arguments& arguments) {
  const int64_t divisor = arguments.integer(0, "num", 0);
  arguments.done();
  require(value.is_integer() && divisor != 0, ErrorKind::invalid_data, "divisibleby: needs whole numbers");
  return divisor == -1 || value.integer() % divisor == 0;
}

bool same(Machine& machine, const Value& value, Arguments& arguments) {
  const Value& other = arguments.need(0, "other");
  arguments.done();
  return value.type_name() == other.type_name() && equal(value, other, machine.budget());
}

}  // namespace

bool has_case(const Value& value, Case wanted) {
  const Text text = to_text(value);
  const std::string &bytes = text.bytes(), lower = change_case(text, Case::lower).bytes(),
                    upper = change_case(text, Case::upper).bytes();
  return lower != upper && bytes == (wanted == Case::lower ? lower : upper);
}

std::span<const Test> tests() {
  static constexpr Test kTests[] = {
      {"defined", plain<is_defined>},
      {"undefined", plain<is_undefined>},
      {"none", plain<is_none>},
      {"boolean", plain<is_boolean>},
      {"true", plain<is_true>},
      {"false", plain<is_false>},
      {"string", plain<is_string>},
      {"number", plain<is_number>},
      {"integer", plain<is_integer>},
      {"float", plain<is_float>},
      {"mapping", plain<is_mapping>},
      {"sequence", plain<is_sequence>},
      {"iterable", plain<is_iterable>},
      {"callable", plain<is_callable>},
      {"lower", plain<is_lower>},
      {"upper", plain<is_upper>},
      {"odd", plain<has_rest<1>>},
      {"even", plain<has_rest<0>>},
      {"divisibleby", divisible},
      {"sameas", same},
      {"in", related<Relation::in>},
      {"equalto", related<Relation::equal>},
      {"eq", related<Relation::equal>},
      {"==", related<Relation::equal>},
      {"ne", related<Relation::not_equal>},
      {"!=", related<Relation::not_equal>},
      {"lt", related<Relation::less>},
      {"lessthan", related<Relation::less>},
      {"<", related<Relation::less>},
      {"le", related<Relation::less_equal>},
      {"<=", related<Relation::less_equal>},
      {"gt", related<Relation::greater>},
      {"greaterthan", related<Relation::greater>},
      {">", related<Relation::greater>},
      {"ge", related<Relation::greater_equal>},
      {">=", related<Relation::greater_equal>},
  };
  return kTests;
}

bool call_test(Machine& machine, std::string_view name, const Value& operand, Arguments& arguments) {
  machine.charge(1);
  for (const Test& test : tests()) {
    if (test.name == name) return test.call(machine, operand, arguments);
  }
  fail(ErrorKind::unsupported, "there is no test '{}'", name);
}

}  // namespace sensorium::text::jinja
