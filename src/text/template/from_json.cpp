#include "text/template/from_json.h"

#include <algorithm>
#include <limits>

#include "base/error.h"

namespace sensorium::text::jinja {
namespace {

Value convert(const OrderedJson& json, Origin origin, int depth) {
  check_depth(depth);
  switch (json.type()) {
    case OrderedJson::value_t::boolean:
      return json.get<bool>();
    case OrderedJson::value_t::number_integer:
      return json.get<int64_t>();
    case OrderedJson::value_t::number_unsigned:
      require(json.get<uint64_t>() <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max()), ErrorKind::limit,
              "the number {} is too large for a template", json.get<uint64_t>());
      return json.get<int64_t>();
    case OrderedJson::value_t::number_float:
      return json.get<double>();
    case OrderedJson::value_t::string:
      return Text(json.get_ref<const std::string&>(), origin);
    case OrderedJson::value_t::array: {
      auto list = std::make_shared<List>();
      list->items.reserve(json.size());
      for (const OrderedJson& item : json) {
        list->items.push_back(convert(item, origin, depth + 1));
        list->depth = std::max(list->depth, list->items.back().depth() + 1);
      }
      return std::shared_ptr<const List>(std::move(list));
    }
    case OrderedJson::value_t::object: {
      auto dict = std::make_shared<Dict>();  // the keys differ: no search for each
      dict->items.reserve(json.size());
      for (const auto& [key, item] : json.items()) {
        dict->items.emplace_back(Text(key, origin), convert(item, origin, depth + 1));
        dict->depth = std::max(dict->depth, dict->items.back().second.depth() + 1);
      }
      return std::shared_ptr<const Dict>(std::move(dict));
    }
    default:
      return {};
  }
}

}  // namespace

Value from_json(const OrderedJson& json, Origin origin) { return convert(json, origin, 1); }

}  // namespace sensorium::text::jinja
