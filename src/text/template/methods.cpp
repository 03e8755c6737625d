// Methods of strings, lists and dicts.
#include <algorithm>
#include <limits>

#include "base/error.h"
#include "text/template/functions.h"
#include "text/template/machine.h"
#include "text/unicode.h"

namespace sensorium::text::jinja {
namespace {

constexpr size_t kAll = std::numeric_limits<size_t>::max();

size_t most_of(int64_t count) { return count < 0 ? kAll : static_cast<size_t>(count); }

Value texts(Machine& machine, std::vector<Text> parts) {
  Values values;
  for (Text& part : parts) values.push_back(machine.text(std::move(part)));
  return machine.list(std::move(values));
}

template <Side side>
Value strip_method(Machine& machine, const Value& value, Arguments& arguments) {
  const Value* set = arguments.find(0, "chars");
  arguments.done();
  if (set == nullptr || set->is_none()) return machine.text(strip(*value.text(), side));
  require(set->is_string(), ErrorKind::invalid_data, "strip: the characters must be a string");
  return machine.text(strip(*value.text(), side, set->text()->bytes()));
}

template <Side side>
Value split_method(Machine& machine, const Value& value, Arguments& arguments) {
  const Value* separator = arguments.find(0, "sep");
  const size_t most = most_of(arguments.integer(1, "maxsplit", -1));
  arguments.done();
  if (separator == nullptr || separator->is_none()) {
    require(side == Side::left || most == kAll, ErrorKind::unsupported, "rsplit() at white space with a limit");
    return texts(machine, split_at_space(*value.text(), most));
  }
  require(separator->is_string() && !separator->text()->empty(), ErrorKind::invalid_data,
          "split: the separator must be a string that is not empty");
  return texts(machine, side == Side::left ? split(*value.text(), *separator->text(), most)
                                           : split_from_right(*value.text(), *separator->text(), most));
}

// startswith() and endswith(): one string or a tuple of them.
template <Side side>
Value ends_method(Machine&, const Value& value, Arguments& arguments) {
  const Value& wanted = arguments.need(0, "prefix");
  arguments.done();
  const std::string_view text = value.text()->bytes();
  const auto fits = [&](const Value& end) {
    require(end.is_string(), ErrorKind::invalid_data, "{}: needs strings, found {}", arguments.callee(),
            end.type_name());
    return side == Side::left ? text.starts_with(end.text()->bytes()) : text.ends_with(end.text()->bytes());
  };
  if (wanted.list() == nullptr) return fits(wanted);
  return std::any_of(wanted.list()->items.begin(), wanted.list()->items.end(), fits);
}

template <Side side>
Value remove_method(Machine& machine, const Value& value, Arguments& arguments) {
  const Text end = arguments.text(0, "prefix");
  arguments.done();
  const Text& text = *value.text();
  if (side == Side::left && text.bytes().starts_with(end.bytes())) return machine.text(text.part(end.size()));
  if (side == Side::right && text.bytes().ends_with(end.bytes())) {
    return machine.text(text.part(0, text.size() - end.size()));
  }
  return value;
}

template <Case to>
Value case_method(Machine& machine, const Value& value, Arguments& arguments) {
  arguments.done();
  return machine.text(change_case(*value.text(), to));
}

Value replace_method(Machine& machine, const Value& value, Arguments& arguments) {
  const Text from = arguments.text(0, "old"), to = arguments.text(1, "new");
  const int64_t most = arguments.integer(2, "count", -1);
  arguments.done();
  return replace_text(machine, *value.text(), from, to, most);
}

template <Side side>
Value find_method(Machine& machine, const Value& value, Arguments& arguments) {
  const Text wanted = arguments.text(0, "sub");
  arguments.done();
  const std::string& text = value.text()->bytes();
  machine.charge(text.size() / 64);
  const size_t at = side == Side::left ? text.find(wanted.bytes()) : text.rfind(wanted.bytes());
  if (at == std::string::npos) return int64_t{-1};
  return static_cast<int64_t>(count_characters(std::string_view(text).substr(0, at)));
}

Value count_method(Machine& machine, const Value& value, Arguments& arguments) {
  const Text wanted = arguments.text(0, "sub");
  arguments.done();
  const std::string& text = value.text()->bytes();
  machine.charge(text.size() / 16);
  if (wanted.empty()) return static_cast<int64_t>(count_characters(text) + 1);
  int64_t count = 0;
  for (size_t at = text.find(wanted.bytes()); at != std::string::npos;
       at = text.find(wanted.bytes(), at + wanted.size())) {
    ++count;
  }
  return count;
}

Value join_method(Machine& machine, const Value& value, Arguments& arguments) {
  const Values items = iterate(machine, arguments.need(0, "iterable"));
  arguments.done();
  Text out;
  for (size_t i = 0; i < items.size(); ++i) {
    require(items[i].is_string(), ErrorKind::invalid_data, "join: item {} is no string but {}", i,
            items[i].type_name());
    if (i > 0) out.append(*value.text());
    out.append(*items[i].text());
    require(out.size() <= machine.options().max_bytes, ErrorKind::limit, "a text of more than {} bytes",
            machine.options().max_bytes);
  }
  return machine.text(std::move(out));
}

Value format_method(Machine& machine, const Value& value, Arguments& arguments) {
  return format_braces(machine, *value.text(), arguments);
}

Value lines_method(Machine& machine, const Value& value, Arguments& arguments) {
  const bool keep_ends = arguments.flag(0, "keepends", false);
  arguments.done();
  return texts(machine, split_lines(*value.text(), keep_ends));
}

template <Side side>
Value partition_method(Machine& machine, const Value& value, Arguments& arguments) {
  const Text separator = arguments.text(0, "sep");
  arguments.done();
  require(!separator.empty(), ErrorKind::invalid_data, "partition: the separator is empty");
  const Text& text = *value.text();
  const size_t at = side == Side::left ? text.bytes().find(separator.bytes()) : text.bytes().rfind(separator.bytes());
  if (at != std::string::npos) {
    return machine.list({text.part(0, at), text.part(at, at + separator.size()), text.part(at + separator.size())},
                        true);
  }
  if (side == Side::left) return machine.list({value, Text(), Text()}, true);
  return machine.list({Text(), Text(), value}, true);
}

// Whether all characters, at least one, pass.
template <bool (*check)(char32_t)>
Value all_method(Machine& machine, const Value& value, Arguments& arguments) {
  arguments.done();
  const std::string& text = value.text()->bytes();
  machine.charge(text.size() / 64);
  for (size_t i = 0; i < text.size();) {
    if (!check(next_char(text, i))) return false;
  }
  return !text.empty();
}

bool is_letter(char32_t c) { return char_class(c) == CharClass::letter; }
bool is_digit(char32_t c) { return char_class(c) == CharClass::number && is_word(c); }
bool is_letter_or_digit(char32_t c) { return is_letter(c) || is_digit(c); }

template <Case wanted>
Value has_case_method(Machine&, const Value& value, Arguments& arguments) {
  arguments.done();
  return has_case(value, wanted);
}

Value get_method(Machine& machine, const Value& value, Arguments& arguments) {
  const Value& key = arguments.need(0, "key");
  const Value* fallback = arguments.find(1, "default");
  arguments.done();
  machine.charge(value.dict()->items.size() / 16);
  const Value* found = value.dict()->find(key);
  if (found != nullptr) return *found;
  return fallback == nullptr ? Value() : *fallback;
}

Value items_method(Machine& machine, const Value& value, Arguments& arguments) {
  arguments.done();
  return items_of(machine, *value.dict());
}

Value keys_method(Machine& machine, const Value& value, Arguments& arguments) {
  arguments.done();
  return machine.list(iterate(machine, value));
}

Value values_method(Machine& machine, const Value& value, Arguments& arguments) {
  arguments.done();
  Values values;
  for (const auto& item : value.dict()->items) values.push_back(item.second);
  return machine.list(std::move(values));
}

Value copy_method(Machine&, const Value& value, Arguments& arguments) {
  arguments.done();
  return value;
}

Value index_method(Machine& machine, const Value& value, Arguments& arguments) {
  const Value& wanted = arguments.need(0, "value");
  arguments.done();
  const Values& items = value.list()->items;
  for (size_t i = 0; i < items.size(); ++i) {
    if (equal(items[i], wanted, machine.budget())) return static_cast<int64_t>(i);
  }
  fail(ErrorKind::invalid_data, "index: the value is not in the list");
}

Value count_items_method(Machine& machine, const Value& value, Arguments& arguments) {
  const Value& wanted = arguments.need(0, "value");
  arguments.done();
  const Values& items = value.list()->items;
  return static_cast<int64_t>(std::count_if(items.begin(), items.end(),
                                            [&](const Value& item) { return equal(item, wanted, machine.budget()); }));
}

// As in the reference's immutable sandbox.
Value refuse_change(Machine&, const Value& value, Arguments& arguments) {
  fail(ErrorKind::invalid_data, "{}() would change a {}: values cannot be changed", arguments.callee(),
       value.type_name());
}

constexpr Filter kStringMethods[] = {
    {"strip", strip_method<Side::both>},
    {"lstrip", strip_method<Side::left>},
    {"rstrip", strip_method<Side::right>},
    {"split", split_method<Side::left>},
    {"rsplit", split_method<Side::right>},
    {"startswith", ends_method<Side::left>},
    {"endswith", ends_method<Side::right>},
    {"removeprefix", remove_method<Side::left>},
    {"removesuffix", remove_method<Side::right>},
    {"upper", case_method<Case::upper>},
    {"lower", case_method<Case::lower>},
    {"title", case_method<Case::title>},
    {"capitalize", case_method<Case::capital>},
    {"replace", replace_method},
    {"find", find_method<Side::left>},
    {"rfind", find_method<Side::right>},
    {"count", count_method},
    {"join", join_method},
    {"splitlines", lines_method},
    {"format", format_method},
    {"partition", partition_method<Side::left>},
    {"rpartition", partition_method<Side::right>},
    {"isalpha", all_method<is_letter>},
    {"isdigit", all_method<is_digit>},
    {"isalnum", all_method<is_letter_or_digit>},
    {"isspace", all_method<is_python_space>},
    {"isupper", has_case_method<Case::upper>},
    {"islower", has_case_method<Case::lower>},
};

constexpr Filter kDictMethods[] = {
    {"get", get_method},           {"items", items_method},    {"keys", keys_method},     {"values", values_method},
    {"copy", copy_method},         {"pop", refuse_change},     {"update", refuse_change}, {"clear", refuse_change},
    {"setdefault", refuse_change}, {"popitem", refuse_change},
};

constexpr Filter kListMethods[] = {
    {"index", index_method},    {"count", count_items_method}, {"copy", copy_method},    {"append", refuse_change},
    {"extend", refuse_change},  {"insert", refuse_change},     {"pop", refuse_change},   {"remove", refuse_change},
    {"reverse", refuse_change}, {"sort", refuse_change},       {"clear", refuse_change},
};

}  // namespace

std::span<const Filter> methods_of(const Value& value) {
  if (value.is_string()) return kStringMethods;
  if (value.dict() != nullptr) return kDictMethods;
  if (value.list() != nullptr) return kListMethods;
  return {};
}

}  // namespace sensorium::text::jinja
