#include "text/decoder.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/strings.h"
#include "base/utf8.h"
#include "text/byte_alphabet.h"
#include "text/component.h"
#include "text/pattern.h"
#include "text/unicode.h"

namespace sensorium::text {
namespace {

using Tokens = std::vector<std::string>;

constexpr std::string_view kReplacementCharacter = "\xEF\xBF\xBD";
constexpr int64_t kMaxStrip = 1 << 20;

std::string join(const Tokens& tokens) {
  std::string out;
  for (const std::string& token : tokens) out += token;
  return out;
}

class ByteLevel : public DecodeStep {
 public:
  void apply(Tokens& tokens) const override {
    for (std::string& token : tokens) apply_middle(token);
    tokens = {repair_utf8(join(tokens))};
  }
  // A token with a character outside the alphabet (an added one) stands for its own bytes.
  void apply_middle(std::string& token) const override {
    std::string bytes;
    if (from_byte_alphabet(token, bytes)) token = std::move(bytes);
  }
  bool fuses() const override { return true; }
};

// "<0x41>" is the byte 0x41.
std::optional<char> byte_of(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return std::nullopt;
  int value = 0;
  for (const char c : token.substr(3, 2)) {
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                             : -1;
    if (digit < 0) return std::nullopt;
    value = value * 16 + digit;
  }
  return static_cast<char>(value);
}

class ByteFallback : public DecodeStep {
 public:
  // A run of byte tokens that is not valid UTF-8 becomes one U+FFFD a byte.
  void apply(Tokens& tokens) const override {
    Tokens out;
    std::string run;
    const auto flush = [&] {
      if (find_invalid_utf8(run) == std::string_view::npos) {
        if (!run.empty()) out.push_back(run);
      } else {
        out.insert(out.end(), run.size(), std::string(kReplacementCharacter));
      }
      run.clear();
    };
    for (std::string& token : tokens) {
      if (const auto byte = byte_of(token)) {
        run += *byte;
      } else {
        flush();
        out.push_back(std::move(token));
      }
    }
    flush();
    tokens = std::move(out);
  }
  void apply_middle(std::string& token) const override {
    if (const auto byte = byte_of(token)) token = std::string(1, *byte);
  }
};

class Metaspace : public DecodeStep {
 public:
  Metaspace(std::string mark, bool prepends) : mark_(std::move(mark)), prepends_(prepends) {}

  void apply(Tokens& tokens) const override {
    for (size_t i = 0; i < tokens.size(); ++i) {
      tokens[i] = replace_all(tokens[i], mark_, i == 0 && prepends_ ? "" : " ");
    }
  }
  void apply_middle(std::string& token) const override { token = replace_all(token, mark_, " "); }
  LeadingSpaces leading_spaces() const override {
    return {prepends_ ? static_cast<int>(kMaxStrip) : 0, LeadingSpaces::Scope::first_token};
  }

 private:
  std::string mark_;
  bool prepends_;
};

class BpeSuffix : public DecodeStep {
 public:
  explicit BpeSuffix(std::string suffix) : suffix_(std::move(suffix)) {}

  void apply(Tokens& tokens) const override {
    for (size_t i = 0; i < tokens.size(); ++i) {
      tokens[i] = replace_all(tokens[i], suffix_, i + 1 == tokens.size() ? "" : " ");
    }
  }
  void apply_middle(std::string& token) const override { token = replace_all(token, suffix_, " "); }

 private:
  std::string suffix_;
};

class Replace : public DecodeStep {
 public:
  Replace(Pattern pattern, std::string content) : pattern_(std::move(pattern)), content_(std::move(content)) {}

  void apply(Tokens& tokens) const override {
    for (std::string& token : tokens) apply_middle(token);
  }
  void apply_middle(std::string& token) const override {
    // A byte of ByteFallback alone is no text that a regular expression may see.
    if (find_invalid_utf8(token) == std::string_view::npos) token = pattern_.replace_all(token, content_);
  }

 private:
  Pattern pattern_;
  std::string content_;
};

class Fuse : public DecodeStep {
 public:
  void apply(Tokens& tokens) const override { tokens = {join(tokens)}; }
  void apply_middle(std::string&) const override {}
  bool fuses() const override { return true; }
};

class Strip : public DecodeStep {
 public:
  Strip(std::string content, int64_t start, int64_t stop) : content_(std::move(content)), start_(start), stop_(stop) {}

  void apply(Tokens& tokens) const override {
    for (std::string& token : tokens) apply_middle(token);
  }
  void apply_middle(std::string& token) const override {
    std::string_view rest = token;
    for (int64_t i = 0; i < start_ && rest.starts_with(content_); ++i) rest.remove_prefix(content_.size());
    for (int64_t i = 0; i < stop_ && rest.ends_with(content_); ++i) rest.remove_suffix(content_.size());
    token = std::string(rest);
  }
  LeadingSpaces leading_spaces() const override { return {content_ == " " ? static_cast<int>(start_) : 0, {}}; }

 private:
  std::string content_;
  int64_t start_, stop_;
};

using Made = std::unique_ptr<DecodeStep>;

Made make_replace(const Json& json) {
  const Json* pattern = find_member(json, "pattern");
  require(pattern != nullptr, ErrorKind::invalid_data, "\"pattern\" is missing");
  return std::make_unique<Replace>(Pattern::parse(*pattern), get_string(json, "content"));
}

Made make_metaspace(const Json& json) {
  const bool prepends =
      get_string(json, "prepend_scheme", "always") != "never" && get_flag(json, "add_prefix_space", true);
  return std::make_unique<Metaspace>(get_character(json, "replacement"), prepends);
}

Made make_suffix(const Json& json) {
  std::string suffix = get_string(json, "suffix", "</w>");
  require(!suffix.empty(), ErrorKind::invalid_data, "\"suffix\" is empty");
  return std::make_unique<BpeSuffix>(std::move(suffix));
}

Made make_strip(const Json& json) {
  return std::make_unique<Strip>(get_character(json, "content"), get_count(json, "start", 0, kMaxStrip),
                                 get_count(json, "stop", 0, kMaxStrip));
}

struct Kind {
  std::string_view type;
  Made (*make)(const Json&);
};

// Besides Sequence.
constexpr Kind kKinds[] = {
    {"ByteLevel", [](const Json&) -> Made { return std::make_unique<ByteLevel>(); }},
    {"ByteFallback", [](const Json&) -> Made { return std::make_unique<ByteFallback>(); }},
    {"Metaspace", make_metaspace},
    {"BPEDecoder", make_suffix},
    {"Replace", make_replace},
    {"Fuse", [](const Json&) -> Made { return std::make_unique<Fuse>(); }},
    {"Strip", make_strip},
};

void append_steps(const Json& json, int depth, std::vector<Made>& steps) {
  const std::string type = component_type(json, "decoder");
  if (type == "Sequence") {
    require(depth < kMaxComponentDepth, ErrorKind::limit, "decoder: sequences nested deeper than {}",
            kMaxComponentDepth);
    for (const Json& step : get_array(json, "decoders")) append_steps(step, depth + 1, steps);
    return;
  }
  for (const Kind& kind : kKinds) {
    if (kind.type == type) {
      steps.push_back(kind.make(json));
      return;
    }
  }
  unsupported_component("decoder", type);
}

}  // namespace

Decoder::Decoder(const Json& json) {
  append_steps(json, 0, steps_);
  if (!steps_.empty()) leading_spaces_ = {};
  is_concatenation_ = steps_.size() == 1 && dynamic_cast<const ByteLevel*>(steps_[0].get()) != nullptr;
  bool fused = false;
  for (const auto& step : steps_) {
    const LeadingSpaces leading = step->leading_spaces();
    // A Strip before Fuse acts on every token, so that token_bytes() has it already.
    if (leading.count > 0 && (fused || leading.scope == LeadingSpaces::Scope::first_token)) leading_spaces_ = leading;
    fused = fused || step->fuses();
  }
}

std::string Decoder::decode(std::vector<std::string> tokens) const {
  if (tokens.empty()) return {};
  for (const auto& step : steps_) step->apply(tokens);
  if (!steps_.empty()) return join(tokens);
  std::string out = tokens[0];
  for (size_t i = 1; i < tokens.size(); ++i) out += " " + tokens[i];
  return out;
}

std::string Decoder::token_bytes(std::string_view token) const {
  std::string bytes(token);
  for (const auto& step : steps_) {
    step->apply_middle(bytes);
    if (step->fuses()) return bytes;
  }
  return steps_.empty() ? " " + bytes : bytes;
}

}  // namespace sensorium::text
