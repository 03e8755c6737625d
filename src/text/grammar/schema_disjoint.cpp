#include "text/grammar/schema_disjoint.h"

#include <algorithm>

namespace sensorium::text::grammar {
namespace {

constexpr int kMostDepth = 16;

class Comparison {
 public:
  Comparison(SchemaDocument& document, SchemaReader& reader) : document_(document), reader_(reader) {}

  // Whether nothing that is written for `a` is valid under `b`.
  bool excludes(const SchemaParts& a, const SchemaParts& b) {
    if (a.never || b.never) return true;
    if (depth_ >= kMostDepth) return false;
    const Deeper deeper(depth_);
    for (const bool first : {true, false}) {
      const SchemaParts& open = first ? a : b;
      if (open.choices.empty()) continue;
      for (size_t i = 0; i < open.choices[0].list->size(); ++i) {
        const SchemaParts chosen = document_.choose(open, i);
        if (!(first ? excludes(chosen, b) : excludes(a, chosen))) return false;
      }
      return true;
    }
    if (const auto values = SchemaReader::listed(a.nodes)) return none_is(*values, b.nodes);
    if (const auto values = SchemaReader::listed(b.nodes)) return none_is(*values, a.nodes);
    const std::vector<JsonType> written = SchemaReader::written_types(a.nodes);
    const auto valid = SchemaReader::types(b.nodes);
    if (written.empty()) return valid && valid->empty();
    return std::all_of(written.begin(), written.end(), [&](JsonType type) {
      const bool meets = !valid || std::any_of(valid->begin(), valid->end(), [&](JsonType other) {
        const bool both_numbers = is_number(type) && is_number(other);
        return type == other || both_numbers;
      });
      return !meets || excludes(type, a.nodes, b.nodes);
    });
  }

 private:
  class Deeper {
   public:
    explicit Deeper(int& depth) : depth_(depth) { ++depth_; }
    ~Deeper() { --depth_; }
    Deeper(const Deeper&) = delete;
    Deeper& operator=(const Deeper&) = delete;

   private:
    int& depth_;
  };

  static bool is_number(JsonType type) { return type == JsonType::number || type == JsonType::integer; }

  bool none_is(const std::vector<const OrderedJson*>& values, const SchemaNodes& nodes) {
    return std::none_of(values.begin(), values.end(),
                        [&](const OrderedJson* value) { return reader_.may_be(*value, nodes); });
  }

  bool excludes(JsonType type, const SchemaNodes& a, const SchemaNodes& b) {
    switch (type) {
      case JsonType::integer:
      case JsonType::number:
        return numbers_exclude(SchemaReader::numbers(a), SchemaReader::numbers(b));
      case JsonType::string:
        return reader_.string_set(SchemaReader::strings(a))
            .intersection(reader_.string_set(SchemaReader::strings(b)))
            .empty();
      case JsonType::array:
        return arrays_exclude(SchemaReader::arrays(a), SchemaReader::arrays(b));
      case JsonType::object:
        return objects_exclude(a, b);
      default:
        return false;
    }
  }

  static bool numbers_exclude(const NumberBounds& a, const NumberBounds& b) {
    const auto below = [](const std::optional<Bound>& high, const std::optional<Bound>& low) {
      if (!high || !low) return false;
      const int order = compare(high->value, low->value);
      return order < 0 || (order == 0 && (high->exclusive || low->exclusive));
    };
    return below(a.high, b.low) || below(b.high, a.low);
  }

  bool arrays_exclude(const ArrayRule& a, const ArrayRule& b) {
    const auto below = [](const ArrayRule& few, const ArrayRule& many) {
      return few.most != GrammarBuilder::kUnlimited && few.most < many.least;
    };
    if (below(a, b) || below(b, a)) return true;
    // An item that both have.
    const size_t first = std::max(a.first.size(), b.first.size()) + 1;
    const auto item = [](const ArrayRule& rule, size_t i) { return i < rule.first.size() ? rule.first[i] : rule.rest; };
    for (size_t i = 0; i < first && static_cast<int64_t>(i) < std::max(a.least, b.least); ++i) {
      if (excludes(document_.parts(item(a, i)), document_.parts(item(b, i)))) return true;
    }
    return false;
  }

  bool objects_exclude(const SchemaNodes& a, const SchemaNodes& b) {
    const ObjectRule written = reader_.objects(a), valid = reader_.objects(b);
    for (const ObjectRule::Property& property : valid.properties) {
      // Something is asked for that is never written.
      if (property.required && !may_write(written, a, property.name)) return true;
      // Something is written, or asked for, that must be this for one and that for the other.
      const auto own = std::find_if(written.properties.begin(), written.properties.end(),
                                    [&](const auto& other) { return other.name == property.name; });
      const bool declared = own != written.properties.end();
      if (!property.required && !(declared && own->required)) continue;
      const SchemaNodes schemas = declared ? own->schemas : reader_.member(a, property.name);
      if (excludes(document_.parts(schemas), document_.parts(property.schemas))) return true;
    }
    // Something is always written that is not allowed.
    return std::any_of(written.properties.begin(), written.properties.end(), [&](const ObjectRule::Property& property) {
      return property.required &&
             excludes(document_.parts(property.schemas), document_.parts(reader_.member(b, property.name)));
    });
  }

  bool may_write(const ObjectRule& written, const SchemaNodes& nodes, const std::string& name) {
    for (const ObjectRule::Property& property : written.properties) {
      if (property.name == name) return !document_.parts(property.schemas).never;
    }
    const auto matches = [&](const std::string& pattern) { return reader_.matching(pattern).contains(name); };
    const bool named = std::any_of(written.patterns.begin(), written.patterns.end(), matches);
    return (written.open || named) && !document_.parts(reader_.member(nodes, name)).never;
  }

  SchemaDocument& document_;
  SchemaReader& reader_;
  int depth_ = 0;
};

}  // namespace

bool are_disjoint(SchemaDocument& document, SchemaReader& reader, const SchemaParts& a, const SchemaParts& b) {
  Comparison comparison(document, reader);
  return comparison.excludes(a, b) && comparison.excludes(b, a);
}

}  // namespace sensorium::text::grammar
