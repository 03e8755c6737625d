#include "text/template/value.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace sensorium::text::jinja {
namespace {

int deeper(int depth, const Value& item) { return std::max(depth, item.depth() + 1); }

bool equal_numbers(const Value& a, const Value& b) {
  return a.is_integer() && b.is_integer() ? a.integer() == b.integer() : a.number() == b.number();
}

// Without a budget: for keys, which are scalars.
bool equal_keys(const Value& a, const Value& b) {
  if (a.is_string() && b.is_string()) return a.text()->bytes() == b.text()->bytes();
  if (a.is_number() && b.is_number()) return equal_numbers(a, b);
  return a.is_none() && b.is_none();
}

}  // namespace

Value Value::undefined(std::string why) {
  Value value;
  value.data_ = Undefined{std::make_shared<const std::string>(std::move(why))};
  return value;
}

int64_t Value::integer() const {
  if (const bool* flag = std::get_if<bool>(&data_)) return *flag ? 1 : 0;
  return std::get<int64_t>(data_);
}

double Value::number() const { return is_float() ? std::get<double>(data_) : static_cast<double>(integer()); }

bool Value::truthy() const {
  if (is_undefined() || is_none()) return false;
  if (is_float()) return number() != 0.0;
  if (is_integer()) return integer() != 0;
  if (text() != nullptr) return !text()->empty();
  if (list() != nullptr) return !list()->items.empty();
  if (dict() != nullptr) return !dict()->items.empty();
  return true;
}

std::string_view Value::type_name() const {
  if (is_undefined()) return "undefined";
  if (is_none()) return "none";
  if (is_bool()) return "bool";
  if (is_integer()) return "int";
  if (is_float()) return "float";
  if (is_string()) return "str";
  if (list() != nullptr) return list()->is_tuple ? "tuple" : "list";
  if (dict() != nullptr) return "dict";
  if (function() != nullptr) return "function";
  return loop() != nullptr ? "loop" : "namespace";
}

int Value::depth() const {
  if (const List* values = list()) return values->depth;
  if (const Dict* values = dict()) return values->depth;
  if (const Function* called = function()) return called->depth;
  if (const Loop* counter = loop()) return counter->items->depth + 1;
  return 0;
}

const Value* Dict::find(const Value& key) const {
  for (const auto& [known, value] : items) {
    if (equal_keys(known, key)) return &value;
  }
  return nullptr;
}

const Value* Dict::find(std::string_view key) const {
  for (const auto& [known, value] : items) {
    if (known.is_string() && known.text()->bytes() == key) return &value;
  }
  return nullptr;
}

void check_depth(int depth) {
  require(depth <= kMaxValueDepth, ErrorKind::limit, "values nested deeper than {} levels", kMaxValueDepth);
}

Value make_list(Values items, bool is_tuple) {
  auto list = std::make_shared<List>();
  list->items = std::move(items);
  list->is_tuple = is_tuple;
  for (const Value& item : list->items) list->depth = deeper(list->depth, item);
  check_depth(list->depth);
  return std::shared_ptr<const List>(std::move(list));
}

Value make_group(Value grouper, Value members) {
  const Value pair = make_list({std::move(grouper), std::move(members)}, true);
  auto group = std::make_shared<List>(*pair.list());
  group->is_group = true;
  return std::shared_ptr<const List>(std::move(group));
}

Value make_dict(std::vector<std::pair<Value, Value>> items) {
  auto dict = std::make_shared<Dict>();
  dict->items.reserve(items.size());
  for (auto& [key, value] : items) {
    require(key.is_string() || key.is_number() || key.is_none(), ErrorKind::invalid_data,
            "a value of type {} cannot be a key", key.type_name());
    dict->depth = deeper(dict->depth, value);
    if (const Value* known = dict->find(key)) {
      *const_cast<Value*>(known) = std::move(value);
    } else {
      dict->items.emplace_back(std::move(key), std::move(value));
    }
  }
  check_depth(dict->depth);
  return std::shared_ptr<const Dict>(std::move(dict));
}

Value make_function(std::string name, std::function<Value(Machine&, Arguments&)> call, int depth) {
  check_depth(depth);
  return std::make_shared<const Function>(Function{std::move(name), std::move(call), depth});
}

bool equal(const Value& a, const Value& b, int64_t& budget) {
  require(--budget >= 0, ErrorKind::limit, "too many comparisons");
  if (a.is_number() && b.is_number()) return equal_numbers(a, b);
  if (a.is_string() && b.is_string()) return a.text()->bytes() == b.text()->bytes();
  if (a.is_undefined() || b.is_undefined()) return a.is_undefined() && b.is_undefined();
  if (a.is_none() || b.is_none()) return a.is_none() && b.is_none();
  if (a.list() != nullptr && b.list() != nullptr) {
    const List &left = *a.list(), &right = *b.list();
    if (left.is_tuple != right.is_tuple || left.items.size() != right.items.size()) return false;
    for (size_t i = 0; i < left.items.size(); ++i) {
      if (!equal(left.items[i], right.items[i], budget)) return false;
    }
    return true;
  }
  if (a.dict() != nullptr && b.dict() != nullptr) {
    const Dict &left = *a.dict(), &right = *b.dict();
    if (left.items.size() != right.items.size()) return false;
    for (const auto& [key, value] : left.items) {
      budget -= static_cast<int64_t>(right.items.size());
      const Value* other = right.find(key);
      if (other == nullptr || !equal(value, *other, budget)) return false;
    }
    return true;
  }
  return (a.function() != nullptr && a.function() == b.function()) || (a.loop() != nullptr && a.loop() == b.loop()) ||
         (a.space() != nullptr && a.space() == b.space());
}

}  // namespace sensorium::text::jinja
