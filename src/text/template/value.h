// The values of a template: Python's, as far as templates see them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "text/template/text.h"

namespace sensorium::text::jinja {

class Machine;
class Arguments;
class Value;
struct List;
struct Dict;
struct Function;
struct Loop;
struct Namespace;

// A name or member that does not exist: prints as "", is false and empty, and every other use is an error.
struct Undefined {
  std::shared_ptr<const std::string> why;  // "'x' is undefined"
};

// Cheap to copy. All but namespaces and the loop counter are immutable, and a namespace belongs to the machine: so
// values cannot own themselves.
class Value {
 public:
  using None = std::monostate;

  Value() : data_(None()) {}
  Value(bool value) : data_(value) {}                                           // NOLINT: implicit by design
  Value(int64_t value) : data_(value) {}                                        // NOLINT
  Value(double value) : data_(value) {}                                         // NOLINT
  Value(Text value) : data_(std::make_shared<const Text>(std::move(value))) {}  // NOLINT
  Value(std::shared_ptr<const List> value) : data_(std::move(value)) {}         // NOLINT
  Value(std::shared_ptr<const Dict> value) : data_(std::move(value)) {}         // NOLINT
  Value(std::shared_ptr<const Function> value) : data_(std::move(value)) {}     // NOLINT
  Value(std::shared_ptr<Loop> value) : data_(std::move(value)) {}               // NOLINT
  Value(Namespace* value) : data_(value) {}                                     // NOLINT
  Value(const void*) = delete;                                                  // a pointer is no bool
  static Value string(std::string_view bytes) { return Text(bytes); }
  static Value undefined(std::string why);

  bool is_undefined() const { return std::holds_alternative<Undefined>(data_); }
  bool is_none() const { return std::holds_alternative<None>(data_); }
  bool is_bool() const { return std::holds_alternative<bool>(data_); }
  bool is_float() const { return std::holds_alternative<double>(data_); }
  bool is_number() const { return is_bool() || is_float() || std::holds_alternative<int64_t>(data_); }
  bool is_integer() const { return is_bool() || std::holds_alternative<int64_t>(data_); }
  bool is_string() const { return text() != nullptr; }

  const Text* text() const { return get<const Text>(); }
  const List* list() const { return get<const List>(); }
  std::shared_ptr<const List> shared_list() const { return std::get<std::shared_ptr<const List>>(data_); }  // list()
  const Dict* dict() const { return get<const Dict>(); }
  const Function* function() const { return get<const Function>(); }
  Loop* loop() const { return get<Loop>(); }
  std::shared_ptr<Loop> shared_loop() const { return std::get<std::shared_ptr<Loop>>(data_); }  // loop()
  Namespace* space() const { return std::holds_alternative<Namespace*>(data_) ? std::get<Namespace*>(data_) : nullptr; }

  // Of a number.
  int64_t integer() const;  // is_integer()
  double number() const;    // is_number()
  const std::string& why_undefined() const { return *std::get<Undefined>(data_).why; }

  bool truthy() const;
  // How Python calls the type: "str", "int", "list", ...
  std::string_view type_name() const;
  // How deep the lists and dicts in it are nested; 0 for a scalar.
  int depth() const;

 private:
  template <typename T>
  T* get() const {
    const auto* pointer = std::get_if<std::shared_ptr<T>>(&data_);
    return pointer == nullptr ? nullptr : pointer->get();
  }

  std::variant<None, Undefined, bool, int64_t, double, std::shared_ptr<const Text>, std::shared_ptr<const List>,
               std::shared_ptr<const Dict>, std::shared_ptr<const Function>, std::shared_ptr<Loop>, Namespace*>
      data_;
};

using Values = std::vector<Value>;

struct List {
  Values items;
  bool is_tuple = false;
  int depth = 1;
  bool is_group = false;  // of groupby: its two items are also called "grouper" and "list"
};

struct Dict {
  std::vector<std::pair<Value, Value>> items;  // in the order of insertion; no key twice
  int depth = 1;

  // nullptr if there is no such key.
  const Value* find(const Value& key) const;
  const Value* find(std::string_view key) const;
};

struct Function {
  std::string name;
  std::function<Value(Machine&, Arguments&)> call;
  int depth = 1;
};

// The variable "loop".
struct Loop {
  std::shared_ptr<const List> items;
  int64_t index = 0;
  int64_t depth = 1;                                       // of recursive loops inside each other
  Value seen = {};                                         // what loop.changed() was given last
  std::function<Value(Machine&, const Value&)> call = {};  // of a recursive loop
};

struct Namespace {
  std::vector<std::pair<std::string, Value>> members;
};

// Nesting of lists and dicts that is allowed: what is built deeper is an error, so that walks may recurse.
inline constexpr int kMaxValueDepth = 120;

// Throws Error(limit).
void check_depth(int depth);

// Each throws Error(limit) if the value is nested too deep.
Value make_list(Values items, bool is_tuple = false);
Value make_group(Value grouper, Value members);               // an item of what groupby gives
Value make_dict(std::vector<std::pair<Value, Value>> items);  // a later key replaces an earlier one
Value make_function(std::string name, std::function<Value(Machine&, Arguments&)> call, int depth);

// Python's ==: numbers by value, lists and dicts by their members. `budget` is lowered by the comparisons made; throws
// Error(limit) when it is used up.
bool equal(const Value& a, const Value& b, int64_t& budget);

// str() and repr() of Python.
Text to_text(const Value& value);
Text to_repr(const Value& value);
// Shortest digits that give the number back, as Python writes them.
std::string format_float(double value);

struct JsonStyle {
  bool ascii_only = false;
  bool sort_keys = false;
  std::optional<std::string> indent;  // one level
  std::string item_separator = ", ", key_separator = ": ";
};
// json.dumps() of Python. Throws Error(invalid_data) for a value that JSON does not have.
Text to_json(const Value& value, const JsonStyle& style);

// The size of what to_text(), to_repr() and to_json() write grows with shared parts: they throw Error(limit) past this.
inline constexpr size_t kMaxPrintedBytes = size_t{32} << 20;

}  // namespace sensorium::text::jinja
