// Filters on lists, dicts and other containers, and the look-up of all filters.
#include <algorithm>

#include "base/error.h"
#include "text/template/functions.h"
#include "text/template/machine.h"
#include "text/unicode.h"

namespace sensorium::text::jinja {
namespace {

Value length_filter(Machine&, const Value& value, Arguments& arguments) {
  arguments.done();
  return length_of(value);
}

Value default_filter(Machine&, const Value& value, Arguments& arguments) {
  const Value* fallback = arguments.find(0, "default_value");
  const bool if_false = arguments.flag(1, "boolean", false);
  arguments.done();
  if (!value.is_undefined() && (!if_false || value.truthy())) return value;
  return fallback == nullptr ? Value(Text()) : *fallback;
}

Value first_filter(Machine& machine, const Value& value, Arguments& arguments) {
  arguments.done();
  const Values items = iterate(machine, value);
  return items.empty() ? Value::undefined("there is no first item: the sequence is empty") : items.front();
}

Value last_filter(Machine& machine, const Value& value, Arguments& arguments) {
  arguments.done();
  const Values items = iterate(machine, value);
  return items.empty() ? Value::undefined("there is no last item: the sequence is empty") : items.back();
}

Value join_filter(Machine& machine, const Value& value, Arguments& arguments) {
  const Value* separator = arguments.find(0, "d");
  const Value* attribute = arguments.find(1, "attribute");
  arguments.done();
  const Text between = separator == nullptr ? Text() : to_text(*separator);
  Text out;
  bool first = true;
  for (const Value& item : iterate(machine, value)) {
    if (!std::exchange(first, false)) out.append(between);
    out.append(to_text(attribute == nullptr ? item : get_path(machine, item, *attribute)));
    machine.charge(1 + between.size() / 64);
    require(out.size() <= machine.options().max_bytes, ErrorKind::limit, "a text of more than {} bytes",
            machine.options().max_bytes);
  }
  return machine.text(std::move(out));
}

Value list_filter(Machine& machine, const Value& value, Arguments& arguments) {
  arguments.done();
  return machine.list(iterate(machine, value));
}

Value items_filter(Machine& machine, const Value& value, Arguments& arguments) {
  arguments.done();
  if (value.is_undefined()) return machine.list({});
  require(value.dict() != nullptr, ErrorKind::invalid_data, "items: needs a dict, found {}", value.type_name());
  return items_of(machine, *value.dict());
}

Value reverse_filter(Machine& machine, const Value& value, Arguments& arguments) {
  arguments.done();
  Values items = iterate(machine, value);
  std::reverse(items.begin(), items.end());
  if (!value.is_string()) return machine.list(std::move(items));
  Text out;
  for (const Value& item : items) out.append(*item.text());
  return machine.text(std::move(out));
}

Value map_filter(Machine& machine, const Value& value, Arguments& arguments) {
  Values out;
  if (arguments.positional().empty()) {
    const Value* attribute = arguments.find(std::nullopt, "attribute");
    const Value* fallback = arguments.find(std::nullopt, "default");
    arguments.done();
    require(attribute != nullptr, ErrorKind::invalid_data, "map: needs a filter or attribute=...");
    for (const Value& item : iterate(machine, value)) {
      out.push_back(get_path(machine, item, *attribute, fallback));
    }
    return machine.list(std::move(out));
  }
  const std::string name = arguments.text(0, "filter").bytes();
  const Arguments handed_on = arguments.rest(1, name);
  for (const Value& item : iterate(machine, value)) {
    Arguments each = handed_on;
    out.push_back(call_filter(machine, name, item, each));
  }
  return machine.list(std::move(out));
}

enum class Keep { passing, failing };

// select, reject and, with an attribute first, selectattr and rejectattr.
Value pick(Machine& machine, const Value& value, Arguments& arguments, bool by_attribute, Keep keep) {
  const size_t place = by_attribute ? 1 : 0;
  const Value attribute = by_attribute ? arguments.need(0, "attribute") : Value();
  const bool has_test = arguments.positional().size() > place;
  const std::string name = has_test ? arguments.text(place, "test").bytes() : std::string();
  const Arguments handed_on = arguments.rest(place + 1, name);
  Values out;
  for (const Value& item : iterate(machine, value)) {
    const Value tested = by_attribute ? get_path(machine, item, attribute) : item;
    Arguments each = handed_on;
    const bool passes = has_test ? call_test(machine, name, tested, each) : tested.truthy();
    if (passes == (keep == Keep::passing)) out.push_back(item);
  }
  return machine.list(std::move(out));
}

// What items are ordered by: an attribute, without regard to case unless asked for.
Value sort_key(Machine& machine, const Value& item, const Value* attribute, bool case_sensitive,
               const Value* fallback = nullptr) {
  Value key = attribute == nullptr || attribute->is_none() ? item : get_path(machine, item, *attribute, fallback);
  if (!case_sensitive && key.is_string()) key = machine.text(change_case(*key.text(), Case::lower));
  return key;
}

void sort_by(Machine& machine, std::vector<std::pair<Value, Value>>& keyed, bool reverse) {
  std::stable_sort(keyed.begin(), keyed.end(), [&](const auto& a, const auto& b) {
    return reverse ? compare(machine, Relation::less, b.first, a.first)
                   : compare(machine, Relation::less, a.first, b.first);
  });
}

Value sort_filter(Machine& machine, const Value& value, Arguments& arguments) {
  const bool reverse = arguments.flag(0, "reverse", false), case_sensitive = arguments.flag(1, "case_sensitive", false);
  const Value* attribute = arguments.find(2, "attribute");
  arguments.done();
  std::vector<std::pair<Value, Value>> keyed;
  for (const Value& item : iterate(machine, value)) {
    keyed.emplace_back(sort_key(machine, item, attribute, case_sensitive), item);
  }
  sort_by(machine, keyed, reverse);
  Values out;
  for (auto& entry : keyed) out.push_back(std::move(entry.second));
  return machine.list(std::move(out));
}

Value groupby_filter(Machine& machine, const Value& value, Arguments& arguments) {
  const Value& attribute = arguments.need(0, "attribute");
  const Value* fallback = arguments.find(1, "default");
  const bool case_sensitive = arguments.flag(2, "case_sensitive", false);
  arguments.done();
  std::vector<std::pair<Value, Value>> keyed;
  for (const Value& item : iterate(machine, value)) {
    keyed.emplace_back(sort_key(machine, item, &attribute, case_sensitive, fallback), item);
  }
  sort_by(machine, keyed, false);
  Values groups;
  for (size_t i = 0; i < keyed.size();) {
    // As its first member spells it.
    const Value grouper = get_path(machine, keyed[i].second, attribute, fallback), key = keyed[i].first;
    Values members;
    for (; i < keyed.size() && equal(keyed[i].first, key, machine.budget()); ++i) members.push_back(keyed[i].second);
    groups.push_back(make_group(grouper, machine.list(std::move(members))));
  }
  return machine.list(std::move(groups));
}

Value dictsort_filter(Machine& machine, const Value& value, Arguments& arguments) {
  const bool case_sensitive = arguments.flag(0, "case_sensitive", false);
  const Value* by = arguments.find(1, "by");
  const bool reverse = arguments.flag(2, "reverse", false);
  arguments.done();
  require(value.dict() != nullptr, ErrorKind::invalid_data, "dictsort: needs a dict, found {}", value.type_name());
  const Value place(int64_t{by != nullptr && to_text(*by).bytes() == "value"});
  std::vector<std::pair<Value, Value>> keyed;
  const Value pairs = items_of(machine, *value.dict());
  for (const Value& item : pairs.list()->items) {
    keyed.emplace_back(sort_key(machine, item, &place, case_sensitive), item);
  }
  sort_by(machine, keyed, reverse);
  Values out;
  for (auto& entry : keyed) out.push_back(std::move(entry.second));
  return machine.list(std::move(out));
}

Value unique_filter(Machine& machine, const Value& value, Arguments& arguments) {
  const bool case_sensitive = arguments.flag(0, "case_sensitive", false);
  const Value* attribute = arguments.find(1, "attribute");
  arguments.done();
  Values keys, out;
  for (const Value& item : iterate(machine, value)) {
    const Value key = sort_key(machine, item, attribute, case_sensitive);
    const bool seen =
        std::any_of(keys.begin(), keys.end(), [&](const Value& known) { return equal(known, key, machine.budget()); });
    if (seen) continue;
    keys.push_back(key);
    out.push_back(item);
  }
  return machine.list(std::move(out));
}

Value extreme(Machine& machine, const Value& value, Arguments& arguments, Relation better) {
  const bool case_sensitive = arguments.flag(0, "case_sensitive", false);
  const Value* attribute = arguments.find(1, "attribute");
  arguments.done();
  std::optional<Value> best_key;
  Value best = Value::undefined("there is no greatest or smallest item: the sequence is empty");
  for (const Value& item : iterate(machine, value)) {
    Value key = sort_key(machine, item, attribute, case_sensitive);
    if (best_key && !compare(machine, better, key, *best_key)) continue;
    best_key = std::move(key);
    best = item;
  }
  return best;
}

Value sum_filter(Machine& machine, const Value& value, Arguments& arguments) {
  const Value* attribute = arguments.find(0, "attribute");
  const Value* start = arguments.find(1, "start");
  arguments.done();
  Value total = start == nullptr ? Value(int64_t{0}) : *start;
  for (const Value& item : iterate(machine, value)) {
    const Value term = attribute == nullptr || attribute->is_none() ? item : get_path(machine, item, *attribute);
    require(total.is_number() && term.is_number(), ErrorKind::invalid_data, "sum: needs numbers, found {}",
            term.type_name());
    int64_t whole = 0;
    if (total.is_integer() && term.is_integer()) {
      require(!__builtin_add_overflow(total.integer(), term.integer(), &whole), ErrorKind::limit,
              "a whole number beyond 64 bits");
      total = whole;
    } else {
      total = total.number() + term.number();
    }
  }
  return total;
}

Value batch_filter(Machine& machine, const Value& value, Arguments& arguments) {
  const int64_t size = arguments.integer(0, "linecount", 0);
  const Value* fill = arguments.find(1, "fill_with");
  arguments.done();
  require(size > 0 && size <= 10'000, ErrorKind::invalid_data, "batch: a size of {}", size);
  Values rows, row;
  const auto flush = [&] {
    if (!row.empty()) rows.push_back(machine.list(std::exchange(row, {})));
  };
  for (const Value& item : iterate(machine, value)) {
    if (row.size() == static_cast<size_t>(size)) flush();
    row.push_back(item);
  }
  while (fill != nullptr && !fill->is_none() && !row.empty() && row.size() < static_cast<size_t>(size)) {
    row.push_back(*fill);
  }
  flush();
  return machine.list(std::move(rows));
}

// `count` columns, the first ones an item longer where they do not come out even.
Value slice_filter(Machine& machine, const Value& value, Arguments& arguments) {
  const int64_t count = arguments.integer(0, "slices", 0);
  const Value* fill = arguments.find(1, "fill_with");
  arguments.done();
  require(count > 0 && count <= 10'000, ErrorKind::invalid_data, "slice: {} slices", count);
  const Values items = iterate(machine, value);
  const auto each = items.size() / static_cast<size_t>(count), longer = items.size() % static_cast<size_t>(count);
  Values columns;
  auto next = items.begin();
  for (size_t i = 0; i < static_cast<size_t>(count); ++i) {
    const auto end = next + static_cast<std::ptrdiff_t>(each + (i < longer ? 1 : 0));
    Values column(next, end);
    if (fill != nullptr && !fill->is_none() && i >= longer) column.push_back(*fill);
    columns.push_back(machine.list(std::move(column)));
    next = end;
  }
  return machine.list(std::move(columns));
}

Value attr_filter(Machine& machine, const Value& value, Arguments& arguments) {
  const Text name = arguments.text(0, "name");
  arguments.done();
  return get_attribute(machine, value, name.bytes());
}

}  // namespace

Value items_of(Machine& machine, const Dict& dict) {
  Values pairs;
  for (const auto& [key, value] : dict.items) pairs.push_back(machine.list({key, value}, true));
  return machine.list(std::move(pairs));
}

std::span<const Filter> sequence_filters() {
  static constexpr Filter kFilters[] = {
      {"length", length_filter},
      {"count", length_filter},
      {"default", default_filter},
      {"d", default_filter},
      {"first", first_filter},
      {"last", last_filter},
      {"join", join_filter},
      {"list", list_filter},
      {"items", items_filter},
      {"reverse", reverse_filter},
      {"map", map_filter},
      {"select", [](Machine& m, const Value& v, Arguments& a) { return pick(m, v, a, false, Keep::passing); }},
      {"reject", [](Machine& m, const Value& v, Arguments& a) { return pick(m, v, a, false, Keep::failing); }},
      {"selectattr", [](Machine& m, const Value& v, Arguments& a) { return pick(m, v, a, true, Keep::passing); }},
      {"rejectattr", [](Machine& m, const Value& v, Arguments& a) { return pick(m, v, a, true, Keep::failing); }},
      {"sort", sort_filter},
      {"groupby", groupby_filter},
      {"dictsort", dictsort_filter},
      {"unique", unique_filter},
      {"min", [](Machine& m, const Value& v, Arguments& a) { return extreme(m, v, a, Relation::less); }},
      {"max", [](Machine& m, const Value& v, Arguments& a) { return extreme(m, v, a, Relation::greater); }},
      {"sum", sum_filter},
      {"batch", batch_filter},
      {"slice", slice_filter},
      {"attr", attr_filter},
  };
  return kFilters;
}

Value call_filter(Machine& machine, std::string_view name, const Value& operand, Arguments& arguments) {
  machine.charge(1);
  for (const std::span<const Filter> table : {text_filters(), sequence_filters()}) {
    for (const Filter& filter : table) {
      if (filter.name == name) return filter.call(machine, operand, arguments);
    }
  }
  fail(ErrorKind::unsupported, "there is no filter '{}'", name);
}

}  // namespace sensorium::text::jinja
