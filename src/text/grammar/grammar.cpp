#include "text/grammar/grammar.h"

#include <algorithm>
#include <map>

#include "base/error.h"

namespace sensorium::text::grammar {
namespace {

bool is_rule(Symbol symbol) { return symbol.id >= 0; }
size_t index_of(Symbol symbol) { return static_cast<size_t>(is_rule(symbol) ? symbol.id : ~symbol.id); }

}  // namespace

Symbol GrammarBuilder::rule(std::string name) {
  require(++symbols_ <= kMostSymbols, ErrorKind::limit, "the grammar is too large: more than {} symbols", kMostSymbols);
  rules_.push_back({std::move(name), {}});
  return {static_cast<int32_t>(rules_.size()) - 1};
}

void GrammarBuilder::add_alternative(Symbol rule, std::span<const Symbol> symbols) {
  symbols_ += symbols.size() + 1;
  require(symbols_ <= kMostSymbols, ErrorKind::limit, "the grammar is too large: more than {} symbols", kMostSymbols);
  rules_[index_of(rule)].alternatives.emplace_back(symbols.begin(), symbols.end());
}

Symbol GrammarBuilder::bytes(const ByteSet& set) {
  const auto [at, made] = set_ids_.try_emplace(set.to_string(), Symbol{~static_cast<int32_t>(sets_.size())});
  if (made) sets_.push_back(set);
  return at->second;
}

Symbol GrammarBuilder::literal(std::string_view text) {
  std::vector<Symbol> symbols;
  for (const char c : text) symbols.push_back(bytes(ByteSet().set(static_cast<unsigned char>(c))));
  return symbols.size() == 1 ? symbols[0] : sequence(symbols);
}

Symbol GrammarBuilder::characters(const CodePointSet& set) {
  const auto known = characters_.find(set);
  if (known != characters_.end()) return known->second;
  ByteSet single;
  std::vector<Symbol> alternatives;
  for (const ByteRanges& ranges : utf8_ranges(set)) {
    std::vector<Symbol> encoded;
    for (const auto& [low, high] : ranges) {
      ByteSet some;
      for (int byte = low; byte <= high; ++byte) some.set(static_cast<size_t>(byte));
      if (ranges.size() == 1) {
        single |= some;
      } else {
        encoded.push_back(bytes(some));
      }
    }
    if (!encoded.empty()) alternatives.push_back(sequence(encoded));
  }
  if (single.any()) alternatives.insert(alternatives.begin(), bytes(single));
  const Symbol symbol = alternatives.size() == 1 ? alternatives[0] : choice(alternatives);
  characters_.emplace(set, symbol);
  return symbol;
}

Symbol GrammarBuilder::sequence(std::span<const Symbol> symbols) {
  const Symbol result = rule();
  add_alternative(result, symbols);
  return result;
}

Symbol GrammarBuilder::choice(std::span<const Symbol> symbols) {
  const Symbol result = rule();
  for (const Symbol symbol : symbols) add_alternative(result, {symbol});
  return result;
}

Symbol GrammarBuilder::repeat(Symbol symbol, int64_t least, int64_t most) {
  if (most != kUnlimited && most < least) return never();
  const auto steps = static_cast<uint64_t>(most == kUnlimited ? least : most);
  require(steps < kMostSymbols, ErrorKind::limit, "the grammar is too large: something comes {} times", steps);
  // From the end: what may follow, then one more in front of it.
  Symbol rest;
  if (most == kUnlimited) {
    rest = rule();
    add_alternative(rest, {symbol, rest});
    add_alternative(rest, {});
  } else {
    rest = empty();
    for (int64_t i = least; i < most; ++i) {
      const Symbol more = rule();
      add_alternative(more, {symbol, rest});
      add_alternative(more, {});
      rest = more;
    }
  }
  for (int64_t i = 0; i < least; ++i) rest = sequence({symbol, rest});
  return rest;
}

std::vector<bool> GrammarBuilder::rules_that_hold(bool bytes_hold) const {
  // How many symbols of each alternative do not hold yet, and where each rule is one of them.
  struct Alternative {
    size_t rule, open;
  };
  std::vector<Alternative> alternatives;
  std::vector<std::vector<size_t>> uses(rules_.size());
  std::vector<bool> holds(rules_.size());
  std::vector<size_t> found;
  const auto hold = [&](size_t rule) {
    if (holds[rule]) return;
    holds[rule] = true;
    found.push_back(rule);
  };
  for (size_t r = 0; r < rules_.size(); ++r) {
    for (const std::vector<Symbol>& symbols : rules_[r].alternatives) {
      size_t open = 0;
      for (const Symbol symbol : symbols) {
        if (is_rule(symbol)) uses[index_of(symbol)].push_back(alternatives.size());
        const bool held = !is_rule(symbol) && bytes_hold && sets_[index_of(symbol)].any();
        open += held ? 0 : 1;
      }
      alternatives.push_back({r, open});
      if (open == 0) hold(r);
    }
  }
  while (!found.empty()) {
    const size_t rule = found.back();
    found.pop_back();
    for (const size_t at : uses[rule]) {
      if (--alternatives[at].open == 0) hold(alternatives[at].rule);
    }
  }
  return holds;
}

// A rule begins with itself if it can be reached from itself through first symbols, and something is left to come behind it:
// then nothing bounds how much is left. (A rule at the end of its own alternative leaves nothing.)
void GrammarBuilder::refuse_left_recursion(const std::vector<bool>& complete) const {
  const std::vector<bool> nullable = rules_that_hold(false);
  struct Edge {
    int32_t to;
    bool last;
  };
  std::vector<std::vector<Edge>> edges(rules_.size());
  for (size_t r = 0; r < rules_.size(); ++r) {
    for (const std::vector<Symbol>& symbols : rules_[r].alternatives) {
      const bool possible =
          std::all_of(symbols.begin(), symbols.end(), [&](Symbol s) { return !is_rule(s) || complete[index_of(s)]; });
      for (size_t i = 0; possible && i < symbols.size() && is_rule(symbols[i]); ++i) {
        edges[r].push_back({symbols[i].id, i + 1 == symbols.size()});
        if (!nullable[index_of(symbols[i])]) break;
      }
    }
  }
  // Strongly connected components (Tarjan 1972), with an explicit stack: a grammar may be deep.
  constexpr int32_t kNone = -1;
  std::vector<int32_t> order(rules_.size(), kNone), low(rules_.size()), component(rules_.size(), kNone);
  struct Visit {
    size_t rule, edge;
  };
  std::vector<Visit> visits;
  std::vector<size_t> open;
  int32_t next = 0;
  for (size_t root = 0; root < rules_.size(); ++root) {
    if (order[root] != kNone) continue;
    visits.push_back({root, 0});
    while (!visits.empty()) {
      const size_t rule = visits.back().rule;
      if (visits.back().edge == 0 && order[rule] == kNone) {
        order[rule] = low[rule] = next++;
        open.push_back(rule);
      }
      if (visits.back().edge < edges[rule].size()) {
        const auto to = static_cast<size_t>(edges[rule][visits.back().edge++].to);
        if (order[to] == kNone) {
          visits.push_back({to, 0});
        } else if (component[to] == kNone) {
          low[rule] = std::min(low[rule], order[to]);
        }
        continue;
      }
      visits.pop_back();
      if (!visits.empty()) low[visits.back().rule] = std::min(low[visits.back().rule], low[rule]);
      if (low[rule] != order[rule]) continue;
      for (size_t member = rules_.size(); member != rule;) {
        member = open.back();
        open.pop_back();
        component[member] = order[rule];
      }
    }
  }
  for (size_t r = 0; r < rules_.size(); ++r) {
    for (const Edge& edge : edges[r]) {
      const auto to = static_cast<size_t>(edge.to);
      if (edge.last || component[to] != component[r]) continue;
      // A name of the cycle that the reader knows.
      std::string name = rules_[r].name;
      for (size_t other = 0; other < rules_.size() && name.empty(); ++other) {
        if (component[other] == component[r]) name = rules_[other].name;
      }
      fail(ErrorKind::usage, "the grammar is left-recursive: {} begins with itself",
           name.empty() ? "a rule" : fmt::format("\"{}\"", name));
    }
  }
}

Grammar GrammarBuilder::build(Symbol start) const {
  const std::vector<bool> complete = rules_that_hold(true);
  require(is_rule(start) ? complete[index_of(start)] : sets_[index_of(start)].any(), ErrorKind::usage,
          "no text at all meets the grammar");
  refuse_left_recursion(complete);
  Grammar grammar;
  // Classes of bytes: those in the same sets.
  std::map<std::string, uint8_t> classes;
  std::array<std::string, 256> members;
  for (const ByteSet& set : sets_) {
    for (size_t byte = 0; byte < 256; ++byte) members[byte] += set[byte] ? '1' : '0';
  }
  for (size_t byte = 0; byte < 256; ++byte) {
    grammar.classes_[byte] = classes.try_emplace(members[byte], static_cast<uint8_t>(classes.size())).first->second;
  }
  grammar.class_count_ = static_cast<int>(classes.size());
  grammar.sets_.resize(sets_.size());
  for (size_t i = 0; i < sets_.size(); ++i) {
    for (size_t byte = 0; byte < 256; ++byte) {
      if (sets_[i][byte]) grammar.sets_[i].set(grammar.classes_[byte]);
    }
  }
  const auto add = [&](std::span<const Symbol> symbols) {
    grammar.alternatives_.push_back(static_cast<int32_t>(grammar.elements_.size()));
    for (const Symbol symbol : symbols) grammar.elements_.push_back(symbol.id);
    grammar.elements_.push_back(Grammar::kEnd);
  };
  for (const Rule& rule : rules_) {
    grammar.first_.push_back(static_cast<int32_t>(grammar.alternatives_.size()));
    for (const std::vector<Symbol>& symbols : rule.alternatives) {
      const bool possible = std::all_of(symbols.begin(), symbols.end(), [&](Symbol symbol) {
        return is_rule(symbol) ? complete[index_of(symbol)] : sets_[index_of(symbol)].any();
      });
      if (possible) add(symbols);
    }
  }
  // One more rule, in case the start is a byte set.
  grammar.start_ = static_cast<int32_t>(rules_.size());
  grammar.first_.push_back(static_cast<int32_t>(grammar.alternatives_.size()));
  add({&start, 1});
  grammar.first_.push_back(static_cast<int32_t>(grammar.alternatives_.size()));
  return grammar;
}

}  // namespace sensorium::text::grammar
