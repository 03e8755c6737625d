#include "text/normalizer.h"

#include <utility>
#include <vector>

#include "base/base64.h"
#include "text/character_map.h"
#include "text/component.h"
#include "text/pattern.h"
#include "text/unicode.h"

namespace sensorium::text {
namespace {

class UnicodeForm : public Normalizer {
 public:
  explicit UnicodeForm(NormalForm form) : form_(form) {}
  std::string apply(std::string_view text) const override { return normalize(text, form_); }

 private:
  NormalForm form_;
};

class Lowercase : public Normalizer {
 public:
  std::string apply(std::string_view text) const override { return lowercase(text); }
};

class Replace : public Normalizer {
 public:
  Replace(Pattern pattern, std::string content) : pattern_(std::move(pattern)), content_(std::move(content)) {}
  std::string apply(std::string_view text) const override { return pattern_.replace_all(text, content_); }

 private:
  Pattern pattern_;
  std::string content_;
};

class Prepend : public Normalizer {
 public:
  explicit Prepend(std::string prefix) : prefix_(std::move(prefix)) {}
  std::string apply(std::string_view text) const override {
    return text.empty() ? std::string() : prefix_ + std::string(text);
  }

 private:
  std::string prefix_;
};

class Strip : public Normalizer {
 public:
  Strip(bool left, bool right) : left_(left), right_(right) {}
  std::string apply(std::string_view text) const override {
    size_t begin = 0, end = text.size();
    while (left_ && begin < end) {
      size_t next = begin;
      if (!is_white_space(next_char(text, next))) break;
      begin = next;
    }
    while (right_ && end > begin) {
      const size_t last = previous_char(text, end);
      size_t next = last;
      if (!is_white_space(next_char(text, next))) break;
      end = last;
    }
    return std::string(text.substr(begin, end - begin));
  }

 private:
  bool left_, right_;
};

class Precompiled : public Normalizer {
 public:
  explicit Precompiled(std::string_view table) : map_(table) {}
  std::string apply(std::string_view text) const override { return map_.apply(text); }

 private:
  CharacterMap map_;
};

class Sequence : public Normalizer {
 public:
  explicit Sequence(std::vector<std::unique_ptr<Normalizer>> steps) : steps_(std::move(steps)) {}
  std::string apply(std::string_view text) const override {
    std::string out(text);
    for (const auto& step : steps_) out = step->apply(out);
    return out;
  }

 private:
  std::vector<std::unique_ptr<Normalizer>> steps_;
};

using Made = std::unique_ptr<Normalizer>;

Made make_sequence(const Json& json, int depth) {
  require(depth < kMaxComponentDepth, ErrorKind::limit, "normalizer: sequences nested deeper than {}",
          kMaxComponentDepth);
  std::vector<Made> steps;
  for (const Json& step : get_array(json, "normalizers")) steps.push_back(parse_normalizer(step, depth + 1));
  return std::make_unique<Sequence>(std::move(steps));
}

Made make_replace(const Json& json, int) {
  const Json* pattern = find_member(json, "pattern");
  require(pattern != nullptr, ErrorKind::invalid_data, "\"pattern\" is missing");
  return std::make_unique<Replace>(Pattern::parse(*pattern), get_string(json, "content"));
}

Made make_precompiled(const Json& json, int) {
  const Result<std::string> table = base64_decode(get_string(json, "precompiled_charsmap"));
  require(table.ok(), ErrorKind::invalid_data, "\"precompiled_charsmap\" is not valid base64");
  return std::make_unique<Precompiled>(table.value());
}

template <NormalForm form>
Made make_form(const Json&, int) {
  return std::make_unique<UnicodeForm>(form);
}

struct Kind {
  std::string_view type;
  Made (*make)(const Json&, int depth);
};

constexpr Kind kKinds[] = {
    {"NFC", make_form<NormalForm::nfc>},
    {"NFD", make_form<NormalForm::nfd>},
    {"NFKC", make_form<NormalForm::nfkc>},
    {"NFKD", make_form<NormalForm::nfkd>},
    {"Lowercase", [](const Json&, int) -> Made { return std::make_unique<Lowercase>(); }},
    {"Replace", make_replace},
    {"Prepend", [](const Json& json, int) -> Made { return std::make_unique<Prepend>(get_string(json, "prepend")); }},
    {"Strip",
     [](const Json& json, int) -> Made {
       return std::make_unique<Strip>(get_flag(json, "strip_left", true), get_flag(json, "strip_right", true));
     }},
    {"Precompiled", make_precompiled},
    {"Sequence", make_sequence},
};

}  // namespace

std::unique_ptr<Normalizer> parse_normalizer(const Json& json, int depth) {
  const std::string type = component_type(json, "normalizer");
  for (const Kind& kind : kKinds) {
    if (kind.type == type) return kind.make(json, depth);
  }
  unsupported_component("normalizer", type);
}

}  // namespace sensorium::text
