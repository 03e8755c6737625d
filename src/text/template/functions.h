// Filters, tests, methods and global functions: tables of names, and what they have in common.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/template/value.h"

namespace sensorium::text::jinja {

// The arguments of one call. Each is asked for by its place and name; done() refuses those that were not asked for.
class Arguments {
 public:
  Arguments(std::string_view callee, Values positional, std::vector<std::pair<std::string, Value>> named)
      : callee_(callee), positional_(std::move(positional)), named_(std::move(named)), used_(named_.size()) {}

  const std::string& callee() const { return callee_; }
  // nullptr if it was not given. The place counts from 0; no place: only by name.
  const Value* find(std::optional<size_t> place, std::string_view name);
  // Throws Error(invalid_data) if it was not given.
  const Value& need(size_t place, std::string_view name);
  bool flag(size_t place, std::string_view name, bool fallback);
  int64_t integer(size_t place, std::string_view name, int64_t fallback);
  Text text(size_t place, std::string_view name);  // must be a string
  // All places from `place` on, and all names: for a call that is handed on.
  Arguments rest(size_t place, std::string_view callee);
  std::vector<std::pair<std::string, Value>> take_named();
  // The positional ones from `place` on, which count as asked for.
  Values take_positional(size_t place);
  void add_named(std::string name, Value value);
  const Values& positional() const { return positional_; }
  void use_positional() { asked_ = positional_.size(); }
  // Throws Error(invalid_data) for an argument that nobody asked for.
  void done() const;

 private:
  std::string callee_;
  Values positional_;
  std::vector<std::pair<std::string, Value>> named_;
  std::vector<bool> used_;
  size_t asked_ = 0;  // places below this were asked for
};

using FilterFunction = Value (*)(Machine&, const Value& operand, Arguments& arguments);
using TestFunction = bool (*)(Machine&, const Value& operand, Arguments& arguments);

struct Filter {
  std::string_view name;
  FilterFunction call;
};
struct Test {
  std::string_view name;
  TestFunction call;
};

std::span<const Filter> text_filters();
std::span<const Filter> sequence_filters();
std::span<const Test> tests();
// The methods of str, list and dict; an empty span for another type.
std::span<const Filter> methods_of(const Value& value);
// range(), namespace(), dict(), raise_exception(), strftime_now(): their "operand" is none.
std::span<const Filter> global_functions();

// Each throws Error(invalid_data) for an unknown name.
Value call_filter(Machine& machine, std::string_view name, const Value& operand, Arguments& arguments);
bool call_test(Machine& machine, std::string_view name, const Value& operand, Arguments& arguments);

// object.name and object[index] as Jinja resolves them: an Undefined if there is none.
Value get_attribute(Machine& machine, const Value& object, std::string_view name);
Value get_item(Machine& machine, const Value& object, const Value& index);
// "user.name" or "0.x" of the filters' attribute=...; what is not there is `fallback`, unless that is null or none.
Value get_path(Machine& machine, const Value& object, const Value& path, const Value* fallback = nullptr);

enum class Relation { equal, not_equal, less, less_equal, greater, greater_equal, in, not_in };
bool compare(Machine& machine, Relation relation, const Value& left, const Value& right);

// What a loop goes over: items of a list, characters of a string, keys of a dict; nothing if undefined. Throws.
Values iterate(Machine& machine, const Value& value);

// Python's format % values: values are a tuple, a dict for %(name)s, or the only value. Throws Error: invalid_data, limit.
Value format_percent(Machine& machine, const Text& format, const Value& values);

// Python's format.format(...), with the fields {}, {0} and {name}. Throws Error: invalid_data, limit, unsupported (a format
// behind a colon, a conversion, a member).
Value format_braces(Machine& machine, const Text& format, Arguments& arguments);

// str.replace() with at most `most` replacements, all if it is negative.
Value replace_text(Machine& machine, const Text& text, const Text& from, const Text& to, int64_t most);
// The items of a dict as a list of pairs.
Value items_of(Machine& machine, const Dict& dict);
// str.isupper() and str.islower() of the value as text.
bool has_case(const Value& value, Case wanted);

// The number of items or characters. Throws Error(invalid_data) if it has none.
int64_t length_of(const Value& value);

}  // namespace sensorium::text::jinja
