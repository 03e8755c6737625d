#include "text/grammar/json_containers.h"

#include <algorithm>
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

Symbol JsonContainers::object(std::span<const Property> properties, std::span<const Others> others) {
  // From the end: what may follow when nothing is there yet, and when something is.
  Symbol nothing_yet = builder_.empty(), something = nothing_yet;
  if (!others.empty()) {
    std::vector<Symbol> choices;
    for (const Others& other : others) choices.push_back(pair(other.name, other.value));
    const Symbol one = builder_.choice(choices);
    something = builder_.repeat(builder_.sequence({comma(), one}), 0, GrammarBuilder::kUnlimited);
    nothing_yet = builder_.optional(builder_.sequence({one, something}));
  }
  for (size_t i = properties.size(); i-- > 0;) {
    const Property& property = properties[i];
    const Symbol one = pair(builder_.literal(OrderedJson(property.name).dump()), property.value);
    std::vector<Symbol> first = {builder_.sequence({one, something})},
                        next = {builder_.sequence({comma(), one, something})};
    if (!property.required) {
      first.push_back(nothing_yet);
      next.push_back(something);
    }
    nothing_yet = builder_.choice(first);
    something = builder_.choice(next);
  }
  return builder_.sequence({builder_.literal("{"), space(), nothing_yet, space(), builder_.literal("}")});
}

}  // namespace sensorium::text::grammar
