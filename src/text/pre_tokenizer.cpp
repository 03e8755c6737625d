#include "text/pre_tokenizer.h"

#include <algorithm>
#include <utility>

#include "text/byte_alphabet.h"
#include "text/component.h"
#include "text/pattern.h"
#include "text/unicode.h"

namespace sensorium::text {
namespace {

// What becomes of the matches ("delimiters") and the text between them.
enum class Behavior { isolated, removed, contiguous, merged_with_previous, merged_with_next };

struct Part {
  Span span;
  bool is_match;
};

Behavior parse_behavior(std::string_view name) {
  static constexpr std::pair<std::string_view, Behavior> kNames[] = {
      {"Isolated", Behavior::isolated},
      {"Removed", Behavior::removed},
      {"Contiguous", Behavior::contiguous},
      {"MergedWithPrevious", Behavior::merged_with_previous},
      {"MergedWithNext", Behavior::merged_with_next},
  };
  for (const auto& [known, behavior] : kNames) {
    if (known == name) return behavior;
  }
  fail(ErrorKind::unsupported, "pre_tokenizer: behavior \"{}\" is not supported", name);
}

std::vector<Part> find_parts(const Pattern& pattern, std::string_view text) {
  std::vector<Part> parts;
  size_t end = 0;
  pattern.find_all(text, [&](Span match) {
    if (match.begin != end) parts.push_back({{end, match.begin}, false});
    parts.push_back({match, true});
    end = match.end;
  });
  if (end != text.size()) parts.push_back({{end, text.size()}, false});
  return parts;
}

// Each character that satisfies `is_match` is a match of its own.
template <typename Predicate>
std::vector<Part> find_parts(std::string_view text, Predicate is_match) {
  std::vector<Part> parts;
  for (size_t i = 0; i < text.size();) {
    const size_t begin = i;
    const bool match = is_match(next_char(text, i));
    if (!match && !parts.empty() && !parts.back().is_match) {
      parts.back().span.end = i;
    } else {
      parts.push_back({{begin, i}, match});
    }
  }
  return parts;
}

// The spans that remain; they may be empty.
std::vector<Span> join_parts(const std::vector<Part>& parts, Behavior behavior) {
  std::vector<Span> spans;
  bool previous_match = false;
  switch (behavior) {
    case Behavior::isolated:
      for (const Part& part : parts) spans.push_back(part.span);
      break;
    case Behavior::removed:
      for (const Part& part : parts) {
        if (!part.is_match) spans.push_back(part.span);
      }
      break;
    case Behavior::contiguous:
      for (const Part& part : parts) {
        if (part.is_match == previous_match && !spans.empty()) {
          spans.back().end = part.span.end;
        } else {
          spans.push_back(part.span);
        }
        previous_match = part.is_match;
      }
      break;
    case Behavior::merged_with_previous:
      for (const Part& part : parts) {
        if (part.is_match && !previous_match && !spans.empty()) {
          spans.back().end = part.span.end;
        } else {
          spans.push_back(part.span);
        }
        previous_match = part.is_match;
      }
      break;
    case Behavior::merged_with_next:
      for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
        if (part->is_match && !previous_match && !spans.empty()) {
          spans.back().begin = part->span.begin;
        } else {
          spans.push_back(part->span);
        }
        previous_match = part->is_match;
      }
      std::reverse(spans.begin(), spans.end());
      break;
  }
  return spans;
}

void append_spans(const Word& word, const std::vector<Span>& spans, WordList& out) {
  for (const Span span : spans) {
    if (span.begin >= span.end) continue;
    out.words.push_back({word.text.substr(span.begin, span.end - span.begin), word.at_start && span.begin == 0});
  }
}

class Split : public SplitStep {
 public:
  Split(Pattern pattern, Behavior behavior, bool invert)
      : pattern_(std::move(pattern)), behavior_(behavior), invert_(invert) {}

  void apply(const Word& word, WordList& out) const override {
    std::vector<Part> parts = find_parts(pattern_, word.text);
    if (invert_) {
      for (Part& part : parts) part.is_match = !part.is_match;
    }
    append_spans(word, join_parts(parts, behavior_), out);
  }

 private:
  Pattern pattern_;
  Behavior behavior_;
  bool invert_;
};

class SplitCharacters : public SplitStep {
 public:
  SplitCharacters(bool (*is_match)(char32_t), Behavior behavior) : is_match_(is_match), behavior_(behavior) {}

  void apply(const Word& word, WordList& out) const override {
    append_spans(word, join_parts(find_parts(word.text, is_match_), behavior_), out);
  }

 private:
  bool (*is_match_)(char32_t);
  Behavior behavior_;
};

// The matches of \w+|[^\w\s]+
class Whitespace : public SplitStep {
 public:
  void apply(const Word& word, WordList& out) const override {
    enum class Run { space, word_characters, other };
    Run previous = Run::space;
    std::vector<Span> spans;
    for (size_t i = 0; i < word.text.size();) {
      const size_t begin = i;
      const char32_t c = next_char(word.text, i);
      const Run run = is_word(c) ? Run::word_characters : is_white_space(c) ? Run::space : Run::other;
      if (run != Run::space) {
        if (run == previous) {
          spans.back().end = i;
        } else {
          spans.push_back({begin, i});
        }
      }
      previous = run;
    }
    append_spans(word, spans, out);
  }
};

enum class Prepend { always, first, never };

class Metaspace : public SplitStep {
 public:
  Metaspace(std::string mark, Prepend prepend, bool split) : mark_(std::move(mark)), prepend_(prepend), split_(split) {}

  void apply(const Word& word, WordList& out) const override {
    std::string marked;
    marked.reserve(word.text.size() * 3 / 2);
    for (const char c : word.text) {
      if (c == ' ') {
        marked += mark_;
      } else {
        marked += c;
      }
    }
    const bool prepend = prepend_ == Prepend::always || (prepend_ == Prepend::first && word.at_start);
    if (prepend && !marked.starts_with(mark_)) marked.insert(0, mark_);
    const Word whole{out.keep(std::move(marked)), word.at_start};
    if (!split_) {
      if (!whole.text.empty()) out.words.push_back(whole);
      return;
    }
    std::vector<Span> spans;
    for (size_t begin = 0; begin < whole.text.size();) {
      size_t end = whole.text.find(mark_, begin + 1);
      if (end == std::string_view::npos) end = whole.text.size();
      spans.push_back({begin, end});
      begin = end;
    }
    append_spans(whole, spans, out);
  }

 private:
  std::string mark_;
  Prepend prepend_;
  bool split_;
};

class RuleSplit : public SplitStep {
 public:
  explicit RuleSplit(SplitRule rule) : rule_(rule) {}
  SplitRule rule() const { return rule_; }

  void apply(const Word& word, WordList& out) const override {
    std::string_view rest = word.text;
    for (bool at_start = word.at_start; !rest.empty(); at_start = false) {
      const size_t length = first_word(rule_, rest);
      out.words.push_back({rest.substr(0, length), at_start});
      rest.remove_prefix(length);
    }
  }

 private:
  SplitRule rule_;
};

class PrefixSpace : public SplitStep {
 public:
  void apply(const Word& word, WordList& out) const override {
    const bool has_space = word.text.starts_with(' ');
    out.words.push_back({has_space ? word.text : out.keep(" " + std::string(word.text)), word.at_start});
  }
};

class ToByteAlphabet : public SplitStep {
 public:
  void apply(const Word& word, WordList& out) const override {
    out.words.push_back({out.keep(to_byte_alphabet(word.text)), word.at_start});
  }
};

using Made = std::unique_ptr<SplitStep>;

Made make_split(const Json& json) {
  const Json* pattern_json = find_member(json, "pattern");
  require(pattern_json != nullptr, ErrorKind::invalid_data, "\"pattern\" is missing");
  Pattern pattern = Pattern::parse(*pattern_json);
  const Behavior behavior = parse_behavior(get_string(json, "behavior"));
  const bool invert = get_flag(json, "invert", false);
  if (pattern.is_regex() && !invert && behavior == Behavior::isolated) {
    if (const auto rule = rule_for_pattern(pattern.source())) return std::make_unique<RuleSplit>(*rule);
  }
  return std::make_unique<Split>(std::move(pattern), behavior, invert);
}

Made make_metaspace(const Json& json) {
  static constexpr std::pair<std::string_view, Prepend> kSchemes[] = {
      {"always", Prepend::always}, {"first", Prepend::first}, {"never", Prepend::never}};
  const std::string scheme = get_string(json, "prepend_scheme", "always");
  const auto* found =
      std::find_if(std::begin(kSchemes), std::end(kSchemes), [&](const auto& known) { return known.first == scheme; });
  require(found != std::end(kSchemes), ErrorKind::unsupported, "Metaspace: prepend_scheme \"{}\" is not supported",
          scheme);
  const Prepend prepend = get_flag(json, "add_prefix_space", true) ? found->second : Prepend::never;
  return std::make_unique<Metaspace>(get_character(json, "replacement"), prepend, get_flag(json, "split", true));
}

bool is_number(char32_t c) { return char_class(c) == CharClass::number; }

Made make_digits(const Json& json) {
  const bool individual = get_flag(json, "individual_digits", false);
  return std::make_unique<SplitCharacters>(is_number, individual ? Behavior::isolated : Behavior::contiguous);
}

Made make_punctuation(const Json& json) {
  return std::make_unique<SplitCharacters>(is_punctuation, parse_behavior(get_string(json, "behavior", "Isolated")));
}

struct Kind {
  std::string_view type;
  Made (*make)(const Json&);
};

// Besides ByteLevel and Sequence, which the class itself handles.
constexpr Kind kKinds[] = {
    {"Split", make_split},
    {"Metaspace", make_metaspace},
    {"Digits", make_digits},
    {"Punctuation", make_punctuation},
    {"Whitespace", [](const Json&) -> Made { return std::make_unique<Whitespace>(); }},
    {"WhitespaceSplit",
     [](const Json&) -> Made { return std::make_unique<SplitCharacters>(is_white_space, Behavior::removed); }},
};

// The components of nested sequences in one list.
void flatten(const Json& json, int depth, std::vector<const Json*>& out) {
  if (component_type(json, "pre_tokenizer") != "Sequence") {
    out.push_back(&json);
    return;
  }
  require(depth < kMaxComponentDepth, ErrorKind::limit, "pre_tokenizer: sequences nested deeper than {}",
          kMaxComponentDepth);
  for (const Json& step : get_array(json, "pretokenizers")) flatten(step, depth + 1, out);
}

Made make_step(const Json& json) {
  const std::string type = component_type(json, "pre_tokenizer");
  for (const Kind& kind : kKinds) {
    if (kind.type == type) return kind.make(json);
  }
  unsupported_component("pre_tokenizer", type);
}

}  // namespace

PreTokenizer::PreTokenizer(const Json& json) {
  std::vector<const Json*> components;
  flatten(json, 0, components);
  const auto is_byte_level = [](const Json* component) { return component_type(*component, "") == "ByteLevel"; };
  const auto byte_levels = std::count_if(components.begin(), components.end(), is_byte_level);
  if (byte_levels == 1 && is_byte_level(components.back())) alphabet_ = Alphabet::bytes;

  for (const Json* component : components) {
    if (!is_byte_level(component)) {
      steps_.push_back(make_step(*component));
      continue;
    }
    const bool adds_space = get_flag(*component, "add_prefix_space", true);
    const bool splits = get_flag(*component, "use_regex", true);
    if (adds_space) steps_.push_back(std::make_unique<PrefixSpace>());
    if (splits) steps_.push_back(std::make_unique<RuleSplit>(SplitRule::gpt2));
    if (alphabet_ == Alphabet::utf8) steps_.push_back(std::make_unique<ToByteAlphabet>());
  }
  const bool prefixed = steps_.size() == 2 && dynamic_cast<const PrefixSpace*>(steps_[0].get()) != nullptr;
  const auto* split = steps_.empty() ? nullptr : dynamic_cast<const RuleSplit*>(steps_.back().get());
  if (alphabet_ == Alphabet::bytes && split != nullptr && (steps_.size() == 1 || prefixed)) {
    rule_ = split->rule();
    adds_prefix_space_ = prefixed;
  }
}

WordList PreTokenizer::split(std::string_view text, bool at_start) const {
  WordList list;
  if (!text.empty()) list.words.push_back({text, at_start});
  for (const auto& step : steps_) {
    const std::vector<Word> before = std::exchange(list.words, {});
    for (const Word& word : before) step->apply(word, list);
  }
  return list;
}

}  // namespace sensorium::text
