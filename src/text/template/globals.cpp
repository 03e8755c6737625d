// Functions that every template may call.
#include <chrono>
#include <ctime>

#include "base/error.h"
#include "text/template/functions.h"
#include "text/template/machine.h"

namespace sensorium::text::jinja {
namespace {

Value range_function(Machine& machine, const Value&, Arguments& arguments) {
  constexpr uint64_t kMaxRange = 100'000;  // the reference's limit
  arguments.use_positional();
  arguments.done();
  const size_t count = arguments.positional().size();
  require(count >= 1 && count <= 3, ErrorKind::invalid_data, "range: 1 to 3 numbers are expected, found {}", count);
  const int64_t first = arguments.integer(0, "start", 0);
  const int64_t start = count == 1 ? 0 : first, stop = count == 1 ? first : arguments.integer(1, "stop", 0);
  const int64_t step = arguments.integer(2, "step", 1);
  require(step != 0, ErrorKind::invalid_data, "range: a step of 0");
  const bool empty = step > 0 ? start >= stop : start <= stop;
  const uint64_t distance = step > 0 ? static_cast<uint64_t>(stop) - static_cast<uint64_t>(start)
                                     : static_cast<uint64_t>(start) - static_cast<uint64_t>(stop);
  const uint64_t width = step > 0 ? static_cast<uint64_t>(step) : uint64_t{0} - static_cast<uint64_t>(step);
  const uint64_t items = empty ? 0 : (distance - 1) / width + 1;
  require(items <= kMaxRange, ErrorKind::limit, "range: {} numbers, at most {} are allowed", items, kMaxRange);
  Values values;
  for (uint64_t i = 0; i < items; ++i) values.push_back(start + static_cast<int64_t>(i) * step);
  return machine.list(std::move(values));
}

Value dict_function(Machine&, const Value&, Arguments& arguments) {
  std::vector<std::pair<Value, Value>> items;
  if (const Value* other = arguments.find(0, "")) {
    require(other->dict() != nullptr, ErrorKind::unsupported, "dict() of a {}", other->type_name());
    items = other->dict()->items;
  }
  for (auto& [name, value] : arguments.take_named()) items.emplace_back(Value::string(name), std::move(value));
  arguments.done();
  return make_dict(std::move(items));
}

Value namespace_function(Machine& machine, const Value&, Arguments& arguments) {
  Namespace* space = machine.make_namespace();
  const Value members = dict_function(machine, {}, arguments);
  for (const auto& [name, value] : members.dict()->items) space->members.emplace_back(to_text(name).bytes(), value);
  return space;
}

Value raise_function(Machine&, const Value&, Arguments& arguments) {
  const Text message = to_text(arguments.need(0, "message"));
  arguments.done();
  fail(ErrorKind::invalid_data, "the template refuses the conversation: {}", message.bytes());
}

Value strftime_function(Machine& machine, const Value&, Arguments& arguments) {
  const Text format = arguments.text(0, "format");
  arguments.done();
  require(format.size() <= 256, ErrorKind::limit, "strftime_now: a format of {} bytes", format.size());
  std::tm calendar{};
  if (const auto now = machine.options().now_s) {
    const auto seconds = static_cast<std::time_t>(*now);
    gmtime_r(&seconds, &calendar);
  } else {
    const std::time_t seconds = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
    localtime_r(&seconds, &calendar);
  }
  char buffer[4096];
  const size_t size = std::strftime(buffer, sizeof buffer, format.bytes().c_str(), &calendar);
  return machine.string(std::string_view(buffer, size));
}

constexpr Filter kGlobals[] = {
    {"range", range_function},           {"dict", dict_function},
    {"namespace", namespace_function},   {"raise_exception", raise_function},
    {"strftime_now", strftime_function},
};

}  // namespace

std::span<const Filter> global_functions() { return kGlobals; }

}  // namespace sensorium::text::jinja
