// What each expression gives.
#include <cmath>
#include <limits>

#include "base/error.h"
#include "text/template/machine.h"
#include "text/unicode.h"

namespace sensorium::text::jinja {
namespace {

[[noreturn]] void wrong_types(std::string_view symbol, const Value& left, const Value& right) {
  for (const Value* value : {&left, &right}) {
    if (value->is_undefined()) fail(ErrorKind::invalid_data, "{}", value->why_undefined());
  }
  fail(ErrorKind::invalid_data, "'{}' does not work on {} and {}", symbol, left.type_name(), right.type_name());
}

[[noreturn]] void overflow() { fail(ErrorKind::limit, "a whole number beyond 64 bits"); }

int64_t floor_quotient(int64_t a, int64_t b) {
  if (b == -1 && a == std::numeric_limits<int64_t>::min()) overflow();
  const int64_t quotient = a / b;
  return a % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient;
}

int64_t power_of(int64_t base, int64_t exponent) {
  int64_t result = 1;
  while (exponent > 0) {
    if ((exponent & 1) != 0 && __builtin_mul_overflow(result, base, &result)) overflow();
    exponent >>= 1;
    if (exponent > 0 && __builtin_mul_overflow(base, base, &base)) overflow();
  }
  return result;
}

Value integer_result(Arithmetic::Operator op, int64_t a, int64_t b) {
  using Operator = Arithmetic::Operator;
  int64_t result = 0;
  bool fits = true;
  switch (op) {
    case Operator::add:
      fits = !__builtin_add_overflow(a, b, &result);
      break;
    case Operator::subtract:
      fits = !__builtin_sub_overflow(a, b, &result);
      break;
    case Operator::multiply:
      fits = !__builtin_mul_overflow(a, b, &result);
      break;
    case Operator::divide:
      return static_cast<double>(a) / static_cast<double>(b);
    case Operator::floor_divide:
      return floor_quotient(a, b);
    case Operator::modulo:
      if (b == -1) return int64_t{0};
      return a % b != 0 && (a < 0) != (b < 0) ? a % b + b : a % b;
    case Operator::power:
      if (b < 0) return std::pow(static_cast<double>(a), static_cast<double>(b));
      return power_of(a, b);
  }
  if (!fits) overflow();
  return result;
}

Value real_result(Arithmetic::Operator op, double a, double b) {
  using Operator = Arithmetic::Operator;
  switch (op) {
    case Operator::add:
      return a + b;
    case Operator::subtract:
      return a - b;
    case Operator::multiply:
      return a * b;
    case Operator::divide:
      return a / b;
    case Operator::floor_divide:
      return std::floor(a / b);
    case Operator::modulo: {
      const double rest = std::fmod(a, b);
      return rest != 0.0 && (rest < 0) != (b < 0) ? rest + b : rest;
    }
    default:
      return std::pow(a, b);
  }
}

constexpr std::string_view symbol_of(Arithmetic::Operator op) {
  constexpr std::string_view kSymbols[] = {"+", "-", "*", "/", "//", "%", "**"};
  return kSymbols[static_cast<size_t>(op)];
}

Value repeat(Machine& machine, const Value& value, int64_t count) {
  count = std::max<int64_t>(count, 0);
  if (const Text* text = value.text()) {
    const size_t most = machine.options().max_bytes;
    require(text->empty() || static_cast<uint64_t>(count) <= most / text->size(), ErrorKind::limit,
            "a text of more than {} bytes", most);
    machine.charge(static_cast<size_t>(text->empty() ? 0 : count));
    Text out;
    for (int64_t i = 0; i < count && !text->empty(); ++i) out.append(*text);
    return machine.text(std::move(out));
  }
  const List& list = *value.list();
  Values items;
  for (int64_t i = 0; i < count && !list.items.empty(); ++i) {
    machine.charge(list.items.size());
    items.insert(items.end(), list.items.begin(), list.items.end());
  }
  return make_list(std::move(items), list.is_tuple);
}

// The positions that a Python slice picks from `length` items.
std::vector<size_t> slice_positions(int64_t length, std::optional<int64_t> start, std::optional<int64_t> stop,
                                    int64_t step) {
  const auto place = [&](std::optional<int64_t> at, int64_t missing) {
    if (!at) return missing;
    const int64_t from_front = *at < 0 ? (*at < -length ? -1 : *at + length) : *at;
    return std::clamp<int64_t>(from_front, step < 0 ? -1 : 0, step < 0 ? length - 1 : length);
  };
  std::vector<size_t> positions;
  const int64_t end = place(stop, step < 0 ? -1 : length);
  for (int64_t i = place(start, step < 0 ? length - 1 : 0); step < 0 ? i > end : i < end;) {
    positions.push_back(static_cast<size_t>(i));
    if (__builtin_add_overflow(i, step, &i)) break;
  }
  return positions;
}

}  // namespace

Value Name::evaluate(Machine& machine) const { return machine.look_up(name); }

Value ListLiteral::evaluate(Machine& machine) const {
  Values values;
  values.reserve(items.size());
  for (const ExpressionPtr& item : items) values.push_back(machine.evaluate(*item));
  return machine.list(std::move(values), is_tuple);
}

Value DictLiteral::evaluate(Machine& machine) const {
  std::vector<std::pair<Value, Value>> values;
  for (const auto& [key, value] : items) {
    Value evaluated = machine.evaluate(*key);
    values.emplace_back(std::move(evaluated), machine.evaluate(*value));
  }
  machine.charge(values.size() * (1 + values.size() / 16));
  return make_dict(std::move(values));
}

Value Attribute::evaluate(Machine& machine) const { return get_attribute(machine, machine.evaluate(*object), name); }

Value Item::evaluate(Machine& machine) const {
  const Value from = machine.evaluate(*object);
  return get_item(machine, from, machine.evaluate(*index));
}

Value Slice::evaluate(Machine& machine) const {
  const Value from = machine.evaluate(*object);
  const auto number = [&](const ExpressionPtr& expression) -> std::optional<int64_t> {
    if (expression == nullptr) return std::nullopt;
    const Value value = machine.evaluate(*expression);
    if (value.is_none()) return std::nullopt;
    require(value.is_integer(), ErrorKind::invalid_data, "a slice needs whole numbers, found {}", value.type_name());
    return value.integer();
  };
  const auto begin = number(start), end = number(stop);
  const int64_t stride = number(step).value_or(1);
  require(stride != 0, ErrorKind::invalid_data, "a slice with a step of 0");
  if (from.is_undefined()) fail(ErrorKind::invalid_data, "{}", from.why_undefined());
  require(from.is_string() || from.list() != nullptr, ErrorKind::invalid_data, "a value of type {} has no slices",
          from.type_name());
  const auto length = length_of(from);
  machine.charge(static_cast<size_t>(from.is_string() ? length / 16 : length));
  const std::vector<size_t> positions = slice_positions(length, begin, end, stride);
  if (const List* list = from.list()) {
    Values picked;
    for (const size_t position : positions) picked.push_back(list->items[position]);
    return machine.list(std::move(picked), list->is_tuple);
  }
  const Text& text = *from.text();
  std::vector<size_t> starts;  // of each character
  for (size_t i = 0; i < text.size(); next_char(text.bytes(), i)) starts.push_back(i);
  starts.push_back(text.size());
  Text out;
  if (stride == 1 && !positions.empty()) {
    out = text.part(starts[positions.front()], starts[positions.back() + 1]);
  } else {
    for (const size_t position : positions) out.append_part(text, starts[position], starts[position + 1]);
  }
  return machine.text(std::move(out));
}

Arguments CallArguments::evaluate(Machine& machine, std::string_view callee) const {
  Values values;
  for (const ExpressionPtr& argument : positional) values.push_back(machine.evaluate(*argument));
  if (more_positional != nullptr) {
    for (Value& value : iterate(machine, machine.evaluate(*more_positional))) values.push_back(std::move(value));
  }
  std::vector<std::pair<std::string, Value>> by_name;
  for (const auto& [name, argument] : named) by_name.emplace_back(name, machine.evaluate(*argument));
  if (more_named != nullptr) {
    const Value more = machine.evaluate(*more_named);
    require(more.dict() != nullptr, ErrorKind::invalid_data, "{}: '**' needs a dict, found {}", callee,
            more.type_name());
    for (const auto& [name, value] : more.dict()->items) by_name.emplace_back(to_text(name).bytes(), value);
  }
  return Arguments(callee, std::move(values), std::move(by_name));
}

Value Call::evaluate(Machine& machine) const { return invoke(machine, nullptr); }

Value Call::invoke(Machine& machine, const Value* caller) const {
  const Value function = machine.evaluate(*callee);
  if (function.is_undefined()) fail(ErrorKind::invalid_data, "{}", function.why_undefined());
  if (const auto loop = function.loop() != nullptr ? function.shared_loop() : nullptr) {
    require(loop->call != nullptr, ErrorKind::invalid_data, "a loop is called that is not \"recursive\"");
    Arguments evaluated = arguments.evaluate(machine, "loop");
    const Value items = evaluated.need(0, "iterable");
    evaluated.done();
    return loop->call(machine, items);
  }
  require(function.function() != nullptr, ErrorKind::invalid_data, "a value of type {} cannot be called",
          function.type_name());
  Arguments evaluated = arguments.evaluate(machine, function.function()->name);
  if (caller != nullptr) evaluated.add_named("caller", *caller);
  machine.charge(1);
  return function.function()->call(machine, evaluated);
}

Value FilterCall::evaluate(Machine& machine) const {
  const Value value = machine.evaluate(*operand);
  Arguments evaluated = arguments.evaluate(machine, name);
  return call_filter(machine, name, value, evaluated);
}

Value TestCall::evaluate(Machine& machine) const {
  const Value value = machine.evaluate(*operand);
  Arguments evaluated = arguments.evaluate(machine, name);
  return call_test(machine, name, value, evaluated);
}

Value Not::evaluate(Machine& machine) const { return !machine.evaluate(*operand).truthy(); }

Value Sign::evaluate(Machine& machine) const {
  const Value value = machine.evaluate(*operand);
  if (value.is_undefined()) fail(ErrorKind::invalid_data, "{}", value.why_undefined());
  require(value.is_number(), ErrorKind::invalid_data, "a sign before a value of type {}", value.type_name());
  if (value.is_float()) return negative ? -value.number() : value.number();
  return negative ? integer_result(Arithmetic::Operator::subtract, 0, value.integer()) : Value(value.integer());
}

Value Arithmetic::evaluate(Machine& machine) const {
  const Value a = machine.evaluate(*left);
  const Value b = machine.evaluate(*right);
  if (a.is_number() && b.is_number()) {
    const bool divides = op == Operator::divide || op == Operator::floor_divide || op == Operator::modulo;
    require(!divides || b.number() != 0.0, ErrorKind::invalid_data, "division by zero");
    require(op != Operator::power || a.number() != 0.0 || b.number() >= 0, ErrorKind::invalid_data, "division by zero");
    if (a.is_integer() && b.is_integer()) return integer_result(op, a.integer(), b.integer());
    return real_result(op, a.number(), b.number());
  }
  if (op == Operator::add && a.is_string() && b.is_string()) {
    Text joined = *a.text();
    joined.append(*b.text());
    return machine.text(std::move(joined));
  }
  if (op == Operator::add && a.list() != nullptr && b.list() != nullptr && a.list()->is_tuple == b.list()->is_tuple) {
    Values joined = a.list()->items;
    joined.insert(joined.end(), b.list()->items.begin(), b.list()->items.end());
    return machine.list(std::move(joined), a.list()->is_tuple);
  }
  if (op == Operator::multiply) {
    const bool a_repeats = a.is_string() || a.list() != nullptr, b_repeats = b.is_string() || b.list() != nullptr;
    if (a_repeats && b.is_integer()) return repeat(machine, a, b.integer());
    if (b_repeats && a.is_integer()) return repeat(machine, b, a.integer());
  }
  if (op == Operator::modulo && a.is_string()) return format_percent(machine, *a.text(), b);
  wrong_types(symbol_of(op), a, b);
}

Value Concat::evaluate(Machine& machine) const {
  Text joined;
  for (const ExpressionPtr& part : parts) {
    joined.append(to_text(machine.evaluate(*part)));
    require(joined.size() <= machine.options().max_bytes, ErrorKind::limit, "a text of more than {} bytes",
            machine.options().max_bytes);
  }
  return machine.text(std::move(joined));
}

Value Logic::evaluate(Machine& machine) const {
  Value value = machine.evaluate(*left);
  return value.truthy() == is_and ? machine.evaluate(*right) : value;
}

Value Comparison::evaluate(Machine& machine) const {
  Value before = machine.evaluate(*first);
  for (const auto& [relation, expression] : rest) {
    Value next = machine.evaluate(*expression);
    if (!compare(machine, relation, before, next)) return false;
    before = std::move(next);
  }
  return true;
}

Value Conditional::evaluate(Machine& machine) const {
  if (machine.evaluate(*test).truthy()) return machine.evaluate(*yes);
  return no != nullptr ? machine.evaluate(*no) : Value::undefined("the value of an 'if' without 'else'");
}

}  // namespace sensorium::text::jinja
