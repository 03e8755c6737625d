#define PCRE2_CODE_UNIT_WIDTH 8
#include "text/regex.h"

#include <pcre2.h>

#include <cctype>
#include <utility>

#include "base/error.h"
#include "text/unicode.h"
#include "text/unicode_tables.h"

namespace sensorium::text {
namespace {

// Backtracking steps per match; the patterns of published tokenizers need a few per character.
constexpr uint32_t kMatchLimit = 50'000'000;
constexpr size_t kJitStackBytes = 32 << 10, kJitStackLimitBytes = 8 << 20;
constexpr size_t kMaxPatternBytes = 64 << 10;

struct FreePcre {
  void operator()(pcre2_code* code) const { pcre2_code_free(code); }
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
  void operator()(pcre2_match_context* context) const { pcre2_match_context_free(context); }
  void operator()(pcre2_compile_context* context) const { pcre2_compile_context_free(context); }
  void operator()(pcre2_jit_stack* stack) const { pcre2_jit_stack_free(stack); }
};
template <typename T>
using Pcre = std::unique_ptr<T, FreePcre>;

std::string pcre_message(int code) {
  PCRE2_UCHAR buffer[200] = {};
  pcre2_get_error_message(code, buffer, sizeof(buffer));
  return reinterpret_cast<const char*>(buffer);
}

// Oniguruma's \w: Alphabetic, Mark, Decimal_Number, Connector_Punctuation, and the superscripts and fractions of
// Latin-1.
std::string word_set() {
  std::string set = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\x{B2}\\x{B3}\\x{B9}\\x{BC}-\\x{BE}";
  for (const auto& [property, newer] : kGrownProperties) {
    if (property == "L" || property == "M" || property == "Nd") set += newer;
  }
  return set;
}

bool is_script(std::string_view name) {
  const std::string pattern = fmt::format("\\p{{sc:{}}}", name);
  int error = 0;
  PCRE2_SIZE offset = 0;
  return Pcre<pcre2_code>(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), PCRE2_UTF, &error,
                                        &offset, nullptr)) != nullptr;
}

class Translator {
 public:
  explicit Translator(std::string_view in) : in_(in) {}

  std::string run() {
    while (at_ < in_.size()) {
      const char c = in_[at_];
      if (c == '\\') {
        escape();
      } else if (in_class_) {
        class_character(c);
      } else {
        character(c);
      }
    }
    return std::move(out_);
  }

 private:
  [[noreturn]] void refuse(std::string_view what) const {
    fail(ErrorKind::unsupported, "regular expression '{}': {} is not supported", in_, what);
  }

  void copy(size_t count) {
    out_ += in_.substr(at_, count);
    at_ += count;
  }

  void character(char c) {
    if (const size_t length = interval_length()) {
      const bool repeated = in_.substr(at_ + length).starts_with('+');
      copy(length);
      if (repeated) {
        out_.insert(atom_, "(?:");
        out_ += ")";
      }
      return;
    }
    if (c == ')' && !groups_.empty()) {
      atom_ = groups_.back();
      groups_.pop_back();
    } else if (std::string_view("*+?").find(c) == std::string_view::npos) {
      atom_ = out_.size();
    }
    copy(1);
    if (c == '[') {
      in_class_ = true;
      if (at_ < in_.size() && in_[at_] == '^') copy(1);
      if (at_ < in_.size() && in_[at_] == ']') refuse("']' at the start of a character class");
    } else if (c == '(') {
      groups_.push_back(atom_);
      if (at_ < in_.size() && in_[at_] == '?') group_options();
    }
  }

  // Ruby's m lets '.' match newlines, PCRE2's changes ^ and $.
  void group_options() {
    copy(1);
    for (size_t i = at_; i < in_.size() && (std::isalpha(static_cast<unsigned char>(in_[i])) || in_[i] == '-'); ++i) {
      if (in_[i] == 'm') refuse("the option m");
    }
  }

  // Length of the {n}, {n,}, {,m} or {n,m} here, 0 if there is none.
  size_t interval_length() const {
    if (in_[at_] != '{') return 0;
    const size_t end = in_.find_first_not_of("0123456789,", at_ + 1);
    return end != std::string_view::npos && end > at_ + 1 && in_[end] == '}' ? end + 1 - at_ : 0;
  }

  void class_character(char c) {
    if (c == '[' && at_ + 1 < in_.size() && in_[at_ + 1] == ':') {
      const size_t end = in_.find(":]", at_);
      if (end == std::string_view::npos) refuse("an unclosed POSIX class");
      copy(end + 2 - at_);
    } else if (c == '[') {
      refuse("a class inside a class");
    } else if (in_.substr(at_).starts_with("&&")) {
      refuse("an intersection of classes");
    } else {
      if (c == ']') in_class_ = false;
      copy(1);
    }
  }

  // A set of characters, positive or negated, alone or inside a class.
  void set(std::string_view members, bool negated, size_t length) {
    if (in_class_) {
      if (negated) refuse(fmt::format("{} inside a class", in_.substr(at_, length)));
      out_ += members;
    } else {
      out_ += fmt::format("[{}{}]", negated ? "^" : "", members);
    }
    at_ += length;
  }

  void escape() {
    if (at_ + 1 >= in_.size()) refuse("a trailing backslash");
    if (!in_class_) atom_ = out_.size();
    const std::string_view rest = in_.substr(at_);
    switch (in_[at_ + 1]) {
      case 's':
        out_ += "\\p{White_Space}";
        at_ += 2;
        return;
      case 'S':
        out_ += "\\P{White_Space}";
        at_ += 2;
        return;
      case 'w':
        return set(word_set(), false, 2);
      case 'W':
        return set(word_set(), true, 2);
      case 'h':
        return set("0-9a-fA-F", false, 2);
      case 'H':
        return set("0-9a-fA-F", true, 2);
      case 'b':
        if (in_class_) break;
        out_ += fmt::format("(?:(?<=[{0}])(?![{0}])|(?<![{0}])(?=[{0}]))", word_set());
        at_ += 2;
        return;
      case 'B':
      case 'G':
      case 'K':
      case 'Q':
      case 'E':
      case 'C':
      case 'N':
      case 'g':
      case 'k':
        refuse(fmt::format("\\{}", in_[at_ + 1]));
      case 'p':
      case 'P':
        return property(rest);
      default:
        break;
    }
    copy(2);
  }

  // \pL, \p{Lu}, \P{Han}
  void property(std::string_view rest) {
    const bool negated = rest[1] == 'P';
    size_t length = 3;
    std::string_view name = rest.substr(2, 1);
    if (name == "{") {
      const size_t end = rest.find('}');
      if (end == std::string_view::npos) refuse("an unclosed property");
      name = rest.substr(3, end - 3);
      length = end + 1;
    }
    // PCRE2 takes a bare script name as the script's extensions.
    const std::string known = fmt::format("{{{}{}}}", is_script(name) ? "sc:" : "", name);
    if (!negated || !in_class_) {
      for (const auto& grown : kGrownProperties) {
        if (grown.name == name) return set(fmt::format("\\p{}{}", known, grown.newer), negated, length);
      }
    }
    out_ += fmt::format("\\{}{}", rest[1], known);
    at_ += length;
  }

  std::string_view in_;
  size_t at_ = 0;
  bool in_class_ = false;
  std::string out_;
  // Where in out_ the last atom (what a quantifier applies to) and the open groups start.
  size_t atom_ = 0;
  std::vector<size_t> groups_;
};

}  // namespace

struct Regex::Compiled {
  Pcre<pcre2_code> code;
};

std::string translate_oniguruma(std::string_view pattern) { return Translator(pattern).run(); }

Regex::Regex(std::string_view pattern) : pattern_(pattern), compiled_(std::make_unique<Compiled>()) {
  require(pattern.size() <= kMaxPatternBytes, ErrorKind::limit,
          "regular expression of {} bytes, at most {} are allowed", pattern.size(), kMaxPatternBytes);
  const std::string translated = translate_oniguruma(pattern);
  const Pcre<pcre2_compile_context> context(pcre2_compile_context_create(nullptr));
  require(context != nullptr, ErrorKind::limit, "out of memory for a regular expression");
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
  int error = 0;
  PCRE2_SIZE offset = 0;
  // MULTILINE: in Ruby's syntax ^ and $ always match at line ends.
  compiled_->code.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(),
                                      PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &error,
                                      &offset, context.get()));
  require(compiled_->code != nullptr, ErrorKind::invalid_data, "regular expression '{}': {}", pattern,
          pcre_message(error));
  pcre2_jit_compile(compiled_->code.get(), PCRE2_JIT_COMPLETE);  // without it the interpreter matches, more slowly
}

Regex::~Regex() = default;
Regex::Regex(Regex&&) noexcept = default;
Regex& Regex::operator=(Regex&&) noexcept = default;

void Regex::find_all(std::string_view text, const std::function<void(Span)>& found) const {
  if (text.empty()) return;
  const Pcre<pcre2_match_data> data(pcre2_match_data_create(1, nullptr));
  const Pcre<pcre2_match_context> context(pcre2_match_context_create(nullptr));
  const Pcre<pcre2_jit_stack> stack(pcre2_jit_stack_create(kJitStackBytes, kJitStackLimitBytes, nullptr));
  require(data && context && stack, ErrorKind::limit, "out of memory for a regular expression");
  pcre2_set_match_limit(context.get(), kMatchLimit);
  pcre2_jit_stack_assign(context.get(), nullptr, stack.get());

  size_t at = 0;
  size_t last_end = std::string_view::npos;
  while (at <= text.size()) {
    const int result = pcre2_match(compiled_->code.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), at,
                                   PCRE2_NO_UTF_CHECK, data.get(), context.get());
    if (result == PCRE2_ERROR_NOMATCH) return;
    require(result >= 0, ErrorKind::limit, "regular expression '{}' on {} bytes of text: {}", pattern_, text.size(),
            pcre_message(result));
    const PCRE2_SIZE* ends = pcre2_get_ovector_pointer(data.get());
    const Span match{ends[0], ends[1]};
    if (match.begin >= match.end) {
      // An empty match right behind the last match is passed over, and the search moves on by one character.
      const bool skipped = match.end == last_end;
      at = match.end;
      if (at < text.size()) {
        next_char(text, at);
      } else {
        ++at;
      }
      if (skipped) continue;
    } else {
      at = match.end;
    }
    last_end = match.end;
    found(match);
  }
}

}  // namespace sensorium::text
