#include "text/template/functions.h"

#include <algorithm>

#include "base/error.h"
#include "text/template/machine.h"
#include "text/unicode.h"

namespace sensorium::text::jinja {

const Value* Arguments::find(std::optional<size_t> place, std::string_view name) {
  if (place) asked_ = std::max(asked_, *place + 1);
  const Value* found = place && *place < positional_.size() ? &positional_[*place] : nullptr;
  for (size_t i = 0; i < named_.size(); ++i) {
    if (named_[i].first != name) continue;
    require(found == nullptr, ErrorKind::invalid_data, "{}: the argument '{}' is given twice", callee_, name);
    used_[i] = true;
    found = &named_[i].second;
  }
  return found;
}

const Value& Arguments::need(size_t place, std::string_view name) {
  const Value* value = find(place, name);
  require(value != nullptr, ErrorKind::invalid_data, "{}: the argument '{}' is missing", callee_, name);
  return *value;
}

bool Arguments::flag(size_t place, std::string_view name, bool fallback) {
  const Value* value = find(place, name);
  return value == nullptr ? fallback : value->truthy();
}

int64_t Arguments::integer(size_t place, std::string_view name, int64_t fallback) {
  const Value* value = find(place, name);
  if (value == nullptr || value->is_none()) return fallback;
  require(value->is_integer(), ErrorKind::invalid_data, "{}: the argument '{}' must be a whole number, found {}",
          callee_, name, value->type_name());
  return value->integer();
}

Text Arguments::text(size_t place, std::string_view name) {
  const Value& value = need(place, name);
  require(value.is_string(), ErrorKind::invalid_data, "{}: the argument '{}' must be a string, found {}", callee_, name,
          value.type_name());
  return *value.text();
}

Values Arguments::take_positional(size_t place) {
  use_positional();
  if (place >= positional_.size()) return {};
  return Values(positional_.begin() + static_cast<std::ptrdiff_t>(place), positional_.end());
}

void Arguments::add_named(std::string name, Value value) {
  named_.emplace_back(std::move(name), std::move(value));
  used_.push_back(false);
}

Arguments Arguments::rest(size_t place, std::string_view callee) {
  return Arguments(callee, take_positional(place), take_named());
}

std::vector<std::pair<std::string, Value>> Arguments::take_named() {
  std::vector<std::pair<std::string, Value>> taken;
  for (size_t i = 0; i < named_.size(); ++i) {
    if (used_[i]) continue;
    used_[i] = true;
    taken.push_back(named_[i]);
  }
  return taken;
}

void Arguments::done() const {
  require(positional_.size() <= asked_, ErrorKind::invalid_data, "{}: {} arguments, at most {} are expected", callee_,
          positional_.size(), asked_);
  for (size_t i = 0; i < named_.size(); ++i) {
    require(used_[i], ErrorKind::invalid_data, "{}: unknown argument '{}'", callee_, named_[i].first);
  }
}

namespace {

Value loop_member(Machine&, const Value& value, std::string_view name) {
  const Loop& loop = *value.loop();
  const auto length = static_cast<int64_t>(loop.items->items.size());
  const auto item = [&](int64_t i) {
    return i >= 0 && i < length
               ? loop.items->items[static_cast<size_t>(i)]
               : Value::undefined(fmt::format("there is no {} item", name == "previtem" ? "previous" : "next"));
  };
  if (name == "index") return loop.index + 1;
  if (name == "index0") return loop.index;
  if (name == "revindex") return length - loop.index;
  if (name == "revindex0") return length - loop.index - 1;
  if (name == "first") return loop.index == 0;
  if (name == "last") return loop.index + 1 == length;
  if (name == "length") return length;
  if (name == "depth") return loop.depth;
  if (name == "depth0") return loop.depth - 1;
  if (name == "previtem") return item(loop.index - 1);
  if (name == "nextitem") return item(loop.index + 1);
  if (name == "changed") {
    const auto changed = [shared = value.shared_loop()](Machine& machine, Arguments& arguments) {
      arguments.use_positional();
      arguments.done();
      const Value now = machine.list(arguments.positional(), true);
      const bool same = equal(now, shared->seen, machine.budget());
      shared->seen = now;
      return Value(!same);
    };
    return make_function("changed", changed, 1);
  }
  if (name == "cycle") {
    const auto cycle = [index = static_cast<size_t>(loop.index)](Machine&, Arguments& arguments) {
      arguments.use_positional();
      arguments.done();
      require(!arguments.positional().empty(), ErrorKind::invalid_data, "loop.cycle() needs values");
      return arguments.positional()[index % arguments.positional().size()];
    };
    return make_function("cycle", cycle, 1);
  }
  return Value::undefined(fmt::format("'loop' has no attribute '{}'", name));
}

Value no_attribute(const Value& object, std::string_view name) {
  return Value::undefined(fmt::format("a {} has no attribute '{}'", object.type_name(), name));
}

std::optional<Value> find_method(const Value& object, std::string_view name) {
  for (const Filter& method : methods_of(object)) {
    if (method.name != name) continue;
    const auto call = method.call;
    const auto bound = [object, call](Machine& machine, Arguments& arguments) {
      return call(machine, object, arguments);
    };
    return make_function(std::string(name), bound, object.depth() + 1);
  }
  return std::nullopt;
}

const Value* find_key(Machine& machine, const Value& object, const Value& key) {
  const Dict* dict = object.dict();
  if (dict == nullptr) return nullptr;
  machine.charge(dict->items.size() / 16);
  return dict->find(key);
}

}  // namespace

Value get_attribute(Machine& machine, const Value& object, std::string_view name) {
  if (object.is_undefined()) fail(ErrorKind::invalid_data, "{}", object.why_undefined());
  if (auto method = find_method(object, name)) return *method;
  if (const Dict* dict = object.dict()) {
    machine.charge(dict->items.size() / 16);
    if (const Value* value = dict->find(name)) return *value;
  }
  if (const List* list = object.list(); list != nullptr && list->is_group) {
    if (name == "grouper") return list->items[0];
    if (name == "list") return list->items[1];
  }
  if (object.loop() != nullptr) return loop_member(machine, object, name);
  if (const Namespace* space = object.space()) {
    for (const auto& [known, value] : space->members) {
      if (known == name) return value;
    }
  }
  return no_attribute(object, name);
}

Value get_item(Machine& machine, const Value& object, const Value& index) {
  if (object.is_undefined()) fail(ErrorKind::invalid_data, "{}", object.why_undefined());
  if (object.dict() != nullptr) {
    if (const Value* value = find_key(machine, object, index)) return *value;
  }
  if ((object.list() != nullptr || object.is_string()) && index.is_integer()) {
    const int64_t length = length_of(object);
    const int64_t place = index.integer() < 0 ? index.integer() + length : index.integer();
    if (place < 0 || place >= length) {
      return Value::undefined(fmt::format("a {} has no item {}", object.type_name(), index.integer()));
    }
    const auto position = static_cast<size_t>(place);
    if (object.list() != nullptr) return object.list()->items[position];
    const Text& text = *object.text();
    machine.charge(text.size() / 64);
    size_t end = byte_of_character(text.bytes(), position);
    const size_t begin = end;
    next_char(text.bytes(), end);
    return text.part(begin, end);
  }
  if (index.is_string()) return get_attribute(machine, object, index.text()->bytes());
  return Value::undefined(fmt::format("a {} has no item of type {}", object.type_name(), index.type_name()));
}

Value get_path(Machine& machine, const Value& object, const Value& path, const Value* fallback) {
  const bool replaces = fallback != nullptr && !fallback->is_none();
  const auto step = [&](const Value& from, const Value& key) {
    Value found = get_item(machine, from, key);
    return replaces && found.is_undefined() ? *fallback : found;
  };
  if (!path.is_string()) return step(object, path);
  Value value = object;
  for (const Text& part : split(*path.text(), Text("."), path.text()->size())) {
    const std::string& name = part.bytes();
    const bool is_number =
        !name.empty() && name.size() < 18 && name.find_first_not_of("0123456789") == std::string::npos;
    value = step(value, is_number ? Value(int64_t{std::stoll(name)}) : Value(part));
  }
  return value;
}

namespace {

// -1, 0, 1; throws for values without an order. `depth` of nested lists is bounded by kMaxValueDepth.
int order(Machine& machine, const Value& a, const Value& b) {
  machine.charge(1);
  if (a.is_number() && b.is_number()) {
    if (a.is_integer() && b.is_integer()) return a.integer() < b.integer() ? -1 : a.integer() > b.integer();
    return a.number() < b.number() ? -1 : a.number() > b.number();
  }
  if (a.is_string() && b.is_string()) {  // UTF-8 has the order of its characters
    const int result = a.text()->bytes().compare(b.text()->bytes());
    return result < 0 ? -1 : result > 0;
  }
  if (a.list() != nullptr && b.list() != nullptr && a.list()->is_tuple == b.list()->is_tuple) {
    const Values &left = a.list()->items, &right = b.list()->items;
    for (size_t i = 0; i < std::min(left.size(), right.size()); ++i) {
      if (!equal(left[i], right[i], machine.budget())) return order(machine, left[i], right[i]);
    }
    return left.size() < right.size() ? -1 : left.size() > right.size();
  }
  for (const Value* value : {&a, &b}) {
    if (value->is_undefined()) fail(ErrorKind::invalid_data, "{}", value->why_undefined());
  }
  fail(ErrorKind::invalid_data, "a {} and a {} cannot be ordered", a.type_name(), b.type_name());
}

bool contains(Machine& machine, const Value& container, const Value& item) {
  if (container.is_undefined()) return false;
  if (const Text* text = container.text()) {
    require(item.is_string(), ErrorKind::invalid_data, "'in' a string needs a string, found {}", item.type_name());
    machine.charge(text->size() / 64);
    return text->bytes().find(item.text()->bytes()) != std::string::npos;
  }
  if (const List* list = container.list()) {
    return std::any_of(list->items.begin(), list->items.end(),
                       [&](const Value& known) { return equal(known, item, machine.budget()); });
  }
  require(container.dict() != nullptr, ErrorKind::invalid_data, "'in' does not work on a value of type {}",
          container.type_name());
  return find_key(machine, container, item) != nullptr;
}

}  // namespace

bool compare(Machine& machine, Relation relation, const Value& left, const Value& right) {
  switch (relation) {
    case Relation::equal:
      return equal(left, right, machine.budget());
    case Relation::not_equal:
      return !equal(left, right, machine.budget());
    case Relation::less:
      return order(machine, left, right) < 0;
    case Relation::less_equal:
      return order(machine, left, right) <= 0;
    case Relation::greater:
      return order(machine, left, right) > 0;
    case Relation::greater_equal:
      return order(machine, left, right) >= 0;
    case Relation::in:
      return contains(machine, right, left);
    case Relation::not_in:
      return !contains(machine, right, left);
  }
  return false;
}

Values iterate(Machine& machine, const Value& value) {
  if (value.is_undefined()) return {};
  machine.charge(static_cast<size_t>(length_of(value)));
  if (const List* list = value.list()) return list->items;
  Values items;
  if (const Dict* dict = value.dict()) {
    for (const auto& item : dict->items) items.push_back(item.first);
    return items;
  }
  require(value.is_string(), ErrorKind::invalid_data, "a value of type {} cannot be iterated", value.type_name());
  const Text& text = *value.text();
  for (size_t i = 0; i < text.size();) {
    const size_t begin = i;
    next_char(text.bytes(), i);
    items.push_back(text.part(begin, i));
  }
  return items;
}

int64_t length_of(const Value& value) {
  if (value.is_undefined()) return 0;
  if (const Text* text = value.text()) return static_cast<int64_t>(count_characters(text->bytes()));
  if (const List* list = value.list()) return static_cast<int64_t>(list->items.size());
  if (const Dict* dict = value.dict()) return static_cast<int64_t>(dict->items.size());
  require(value.loop() != nullptr, ErrorKind::invalid_data, "a value of type {} has no length", value.type_name());
  return static_cast<int64_t>(value.loop()->items->items.size());
}

}  // namespace sensorium::text::jinja
