#include "text/grammar/json_containers.h"

#include <algorithm>
#include <bit>
#include <vector>

#include "base/json.h"

namespace sensorium::text::grammar {
namespace {

constexpr int64_t kIndentation = 20;

}  // namespace

Symbol JsonContainers::space() {
  if (!space_) {
    const Symbol one = builder_.literal(" ");
    space_ = builder_.choice(
        {builder_.empty(), one, builder_.sequence({builder_.literal("\n"), builder_.repeat(one, 0, kIndentation)})});
  }
  return *space_;
}

Symbol JsonContainers::comma() {
  if (!comma_) comma_ = builder_.sequence({builder_.literal(","), space()});
  return *comma_;
}

Symbol JsonContainers::pair(Symbol key, Symbol value) {
  if (!colon_) colon_ = builder_.sequence({builder_.literal(":"), builder_.optional(builder_.literal(" "))});
  return builder_.sequence({key, *colon_, value});
}

Symbol JsonContainers::array(std::span<const Symbol> first, Symbol item, int64_t least, int64_t most) {
  const auto before = static_cast<int64_t>(first.size());
  const Symbol another = builder_.sequence({comma(), item});
  const auto left = [&](int64_t used) {
    return most == GrammarBuilder::kUnlimited ? most : std::max<int64_t>(most - used, 0);
  };
  // From the end: what may follow when i items are there.
  Symbol rest;
  if (before > 0) {
    rest = builder_.repeat(another, std::max<int64_t>(least - before, 0), left(before));
  } else {
    std::vector<Symbol> choices;
    if (least == 0) choices.push_back(builder_.empty());
    if (most != 0) {
      choices.push_back(builder_.sequence({item, builder_.repeat(another, std::max<int64_t>(least - 1, 0), left(1))}));
    }
    rest = builder_.choice(choices);
  }
  for (int64_t i = before - 1; i >= 0; --i) {
    std::vector<Symbol> choices;
    if (i >= least) choices.push_back(builder_.empty());
    if (most == GrammarBuilder::kUnlimited || i < most) {
      const Symbol next = first[static_cast<size_t>(i)];
      choices.push_back(i == 0 ? builder_.sequence({next, rest}) : builder_.sequence({comma(), next, rest}));
    }
    rest = builder_.choice(choices);
  }
  return builder_.sequence({builder_.literal("["), space(), rest, space(), builder_.literal("]")});
}

Symbol JsonContainers::distinct(std::span<const Symbol> items, int64_t least, int64_t most) {
  // What may follow when the items of a set are there, for all sets, the larger ones first.
  std::vector<Symbol> rest(size_t{1} << items.size());
  for (size_t set = rest.size(); set-- > 0;) {
    const auto written = static_cast<int64_t>(std::popcount(set));
    std::vector<Symbol> choices;
    if (written >= least) choices.push_back(builder_.empty());
    for (size_t i = 0; i < items.size() && (most == GrammarBuilder::kUnlimited || written < most); ++i) {
      const size_t with = set | size_t{1} << i;
      if (with == set) continue;
      choices.push_back(set == 0 ? builder_.sequence({items[i], rest[with]})
                                 : builder_.sequence({comma(), items[i], rest[with]}));
    }
    rest[set] = builder_.choice(choices);
  }
  return builder_.sequence({builder_.literal("["), space(), rest[0], space(), builder_.literal("]")});
}

Symbol JsonContainers::others_behind(std::span<const Others> others, int64_t written, int64_t least, int64_t most) {
  const bool bounded = most != GrammarBuilder::kUnlimited;
  const int64_t missing = std::max<int64_t>(least - written, 0);
  if (missing > (others.empty() ? 0 : 1) || (bounded && written + missing > most)) return builder_.never();
  if (others.empty() || (bounded && written == most)) return builder_.empty();
  std::vector<Symbol> choices;
  for (const Others& other : others) choices.push_back(pair(other.name, other.value));
  const Symbol one = builder_.choice(choices), another = builder_.sequence({comma(), one});
  const auto left = [&](int64_t used) { return bounded ? most - written - used : most; };
  if (written > 0) return builder_.repeat(another, missing, left(0));
  return builder_.repeat(builder_.sequence({one, builder_.repeat(another, 0, left(1))}), missing, 1);
}

Symbol JsonContainers::object(std::span<const Property> properties, std::span<const Others> others, int64_t least,
                              int64_t most) {
  const bool bounded = most != GrammarBuilder::kUnlimited;
  // From the end: what may follow when so many properties are there. More than `told` need not be told apart.
  const auto told = std::min(bounded ? most : std::max<int64_t>(least, 1), static_cast<int64_t>(properties.size()));
  std::vector<Symbol> rest;
  for (int64_t written = 0; written <= told; ++written) rest.push_back(others_behind(others, written, least, most));
  for (size_t i = properties.size(); i-- > 0;) {
    const Property& property = properties[i];
    const Symbol one = pair(builder_.literal(OrderedJson(property.name).dump()), property.value);
    for (int64_t written = 0; written <= std::min(told, static_cast<int64_t>(i)); ++written) {
      Symbol& behind = rest[static_cast<size_t>(written)];
      std::vector<Symbol> choices;
      if (!bounded || written < most) {
        const Symbol next = rest[static_cast<size_t>(std::min(written + 1, told))];
        choices.push_back(written == 0 ? builder_.sequence({one, next}) : builder_.sequence({comma(), one, next}));
      }
      if (!property.required) choices.push_back(behind);
      behind = builder_.choice(choices);
    }
  }
  return builder_.sequence({builder_.literal("{"), space(), rest[0], space(), builder_.literal("}")});
}

}  // namespace sensorium::text::grammar
