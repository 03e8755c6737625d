#include "text/grammar/json_numbers.h"

#include <algorithm>
#include <cstdint>

#include "base/error.h"
#include "text/grammar/json_multiples.h"

namespace sensorium::text::grammar {
namespace {

constexpr int64_t kDigits = 15;
constexpr int64_t kMost = 999'999'999'999'999;

Symbol digit(GrammarBuilder& builder, char low = '0', char high = '9') {
  ByteSet set;
  for (char c = low; c <= high; ++c) set.set(static_cast<unsigned char>(c));
  return builder.bytes(set);
}

// What may follow digits that are, so far, those of `low` (if `at_low`), of `high` (if `at_high`): strings of digits of the same
// length, from low to high.
Symbol digits_between(GrammarBuilder& builder, std::string_view low, std::string_view high, bool at_low, bool at_high) {
  if (low.empty()) return builder.empty();
  const auto left = static_cast<int64_t>(low.size()) - 1;
  if (!at_low && !at_high) return builder.repeat(digit(builder), left + 1, left + 1);
  const char first = at_low ? low[0] : '0', last = at_high ? high[0] : '9';
  if (first > last) return builder.never();
  const auto rest = [&](bool low_too, bool high_too) {
    return digits_between(builder, low.substr(1), high.substr(1), low_too, high_too);
  };
  if (first == last) return builder.sequence({digit(builder, first, first), rest(at_low, at_high)});
  std::vector<Symbol> choices;
  const char free_first = at_low ? static_cast<char>(first + 1) : first,
             free_last = at_high ? static_cast<char>(last - 1) : last;
  if (at_low) choices.push_back(builder.sequence({digit(builder, first, first), rest(true, false)}));
  if (free_first <= free_last) {
    choices.push_back(builder.sequence({digit(builder, free_first, free_last), rest(false, false)}));
  }
  if (at_high) choices.push_back(builder.sequence({digit(builder, last, last), rest(false, true)}));
  return builder.choice(choices);
}

// Integers 0 <= low..high without leading zeros.
Symbol whole_between(GrammarBuilder& builder, int64_t low, int64_t high) {
  if (low > high) return builder.never();
  std::vector<Symbol> choices;
  const std::string first = std::to_string(low), last = std::to_string(high);
  for (size_t size = first.size(); size <= last.size(); ++size) {
    // The shortest of one digit is 0, of more 10...0.
    const std::string least = size == first.size() ? first : "1" + std::string(size - 1, '0');
    const std::string most = size == last.size() ? last : std::string(size, '9');
    choices.push_back(digits_between(builder, least, most, true, true));
  }
  return builder.choice(choices);
}

bool all_zeros(std::string_view digits) { return digits.find_first_not_of('0') == std::string_view::npos; }

// Digits behind the point whose value lies between those of two fractions.
class Fraction {
 public:
  Fraction(GrammarBuilder& builder, const Bound& low, const Bound& high)
      : builder_(builder), low_(low), high_(high), low_digits_(low.value.fraction), high_digits_(high.value.fraction) {
    const size_t size = std::max(low_digits_.size(), high_digits_.size());
    low_digits_.resize(size, '0');
    high_digits_.resize(size, '0');
  }
  // Nothing, or a point and digits.
  Symbol symbol(bool at_low, bool at_high) {
    std::vector<Symbol> choices = {builder_.sequence({builder_.literal("."), digits(0, at_low, at_high, true)})};
    if (may_stop(0, at_low, at_high)) choices.push_back(builder_.empty());
    return builder_.choice(choices);
  }

 private:
  // With zeros for the digits that are left, the number is within the bounds.
  bool may_stop(size_t at, bool at_low, bool at_high) const {
    const bool above = !at_low || (all_zeros(std::string_view(low_digits_).substr(at)) && !low_.exclusive);
    const bool below = !at_high || !all_zeros(std::string_view(high_digits_).substr(at)) || !high_.exclusive;
    return above && below;
  }
  Symbol zeros(int64_t least) { return builder_.repeat(digit(builder_, '0', '0'), least, kDigits); }

  Symbol digits(size_t at, bool at_low, bool at_high, bool first) {
    const int64_t left = kDigits - static_cast<int64_t>(at);
    if (!at_low && !at_high) return builder_.repeat(digit(builder_), first ? 1 : 0, left);
    if (at == low_digits_.size()) {
      if (at_high) return may_stop(at, at_low, at_high) ? zeros(first ? 1 : 0) : builder_.never();
      const Symbol any = builder_.repeat(digit(builder_), 0, kDigits);
      if (!low_.exclusive) return first ? builder_.sequence({digit(builder_), any}) : any;
      return builder_.sequence({zeros(0), digit(builder_, '1', '9'), any});
    }
    std::vector<Symbol> choices;
    if (!first && may_stop(at, at_low, at_high)) choices.push_back(builder_.empty());
    const char low = at_low ? low_digits_[at] : '0', high = at_high ? high_digits_[at] : '9';
    const auto go_on = [&](char from, char to, bool low_too, bool high_too) {
      if (from <= to) {
        choices.push_back(builder_.sequence({digit(builder_, from, to), digits(at + 1, low_too, high_too, false)}));
      }
    };
    if (low == high) {
      go_on(low, low, at_low, at_high);
    } else if (low < high) {
      if (at_low) go_on(low, low, true, false);
      go_on(at_low ? static_cast<char>(low + 1) : low, at_high ? static_cast<char>(high - 1) : high, false, false);
      if (at_high) go_on(high, high, false, true);
    }
    return builder_.choice(choices);
  }

  GrammarBuilder& builder_;
  Bound low_, high_;
  std::string low_digits_, high_digits_;
};

int64_t whole_of(const Decimal& value) { return std::stoll(value.whole); }

// Numbers of a magnitude between low and high, neither negative.
Symbol magnitude_between(GrammarBuilder& builder, const Bound& low, const Bound& high) {
  const int64_t first = whole_of(low.value), last = whole_of(high.value);
  Fraction fraction(builder, low, high);
  if (first > last) return builder.never();
  if (first == last) return builder.sequence({whole_between(builder, first, first), fraction.symbol(true, true)});
  return builder.choice({builder.sequence({whole_between(builder, first, first), fraction.symbol(true, false)}),
                         builder.sequence({whole_between(builder, first + 1, last - 1), fraction.symbol(false, false)}),
                         builder.sequence({whole_between(builder, last, last), fraction.symbol(false, true)})});
}

Decimal magnitude(Decimal value) {
  value.negative = false;
  return value;
}

// The whole numbers within bounds, cut to 15 digits.
int64_t lowest_integer(const NumberBounds& bounds) {
  if (!bounds.low) return -kMost;
  const Decimal& value = bounds.low->value;
  const int64_t whole = value.negative ? -whole_of(value) : whole_of(value);
  if (!value.fraction.empty()) return value.negative ? whole : whole + 1;
  return bounds.low->exclusive ? whole + 1 : whole;
}
int64_t highest_integer(const NumberBounds& bounds) {
  if (!bounds.high) return kMost;
  const Decimal& value = bounds.high->value;
  const int64_t whole = value.negative ? -whole_of(value) : whole_of(value);
  if (!value.fraction.empty()) return value.negative ? whole - 1 : whole;
  return bounds.high->exclusive ? whole - 1 : whole;
}

}  // namespace

Decimal to_decimal(const OrderedJson& number) {
  std::string text = number.dump();
  Decimal result;
  if (text[0] == '-') {
    result.negative = true;
    text.erase(0, 1);
  }
  int64_t exponent = 0;
  if (const size_t at = text.find_first_of("eE"); at != std::string::npos) {
    exponent = std::stoll(text.substr(at + 1));
    text.resize(at);
  }
  const size_t point = std::min(text.find('.'), text.size());
  std::string digits = text.substr(0, point) + (point < text.size() ? text.substr(point + 1) : "");
  int64_t before = static_cast<int64_t>(point) + exponent;  // digits before the point
  constexpr int64_t kMostExponent = 400;                    // of a double, and more
  require(before <= kMostExponent && before >= -kMostExponent, ErrorKind::unsupported, "the bound {}", number.dump());
  if (before < 0) digits.insert(0, static_cast<size_t>(-before), '0'), before = 0;
  if (static_cast<int64_t>(digits.size()) < before) digits.resize(static_cast<size_t>(before), '0');
  result.whole = digits.substr(0, static_cast<size_t>(before));
  result.whole.erase(0, std::min(result.whole.find_first_not_of('0'), result.whole.size()));
  if (result.whole.empty()) result.whole = "0";
  result.fraction = digits.substr(static_cast<size_t>(before));
  while (!result.fraction.empty() && result.fraction.back() == '0') result.fraction.pop_back();
  if (result.whole.size() > static_cast<size_t>(kDigits)) {
    result.whole = std::to_string(kMost);
    result.fraction.clear();
    result.cut = true;
  }
  require(result.fraction.size() <= static_cast<size_t>(kDigits), ErrorKind::unsupported,
          "the bound {} has more than {} digits behind the point", number.dump(), kDigits);
  return result;
}

int compare(const Decimal& a, const Decimal& b) {
  const auto is_zero = [](const Decimal& value) { return value.whole == "0" && value.fraction.empty(); };
  const bool a_negative = a.negative && !is_zero(a), b_negative = b.negative && !is_zero(b);
  if (a_negative != b_negative) return a_negative ? -1 : 1;
  int order = 0;
  if (a.whole.size() != b.whole.size()) {
    order = a.whole.size() < b.whole.size() ? -1 : 1;
  } else if (a.whole != b.whole) {
    order = a.whole < b.whole ? -1 : 1;
  } else if (a.fraction != b.fraction) {
    order = a.fraction < b.fraction ? -1 : 1;  // without trailing zeros the shorter one of equal beginnings is less
  }
  return a_negative ? -order : order;
}

Symbol integer_grammar(GrammarBuilder& builder, const NumberBounds& bounds) {
  if (bounds.step) return multiples_grammar(builder, bounds, *bounds.step, Fractions::none);
  const int64_t low = lowest_integer(bounds), high = highest_integer(bounds);
  std::vector<Symbol> choices = {whole_between(builder, std::max<int64_t>(low, 0), std::min(high, kMost))};
  if (low < 0) {
    choices.push_back(builder.sequence(
        {builder.literal("-"), whole_between(builder, std::max<int64_t>(1, -high), std::min(-low, kMost))}));
  }
  return builder.choice(choices);
}

Symbol number_grammar(GrammarBuilder& builder, const NumberBounds& bounds) {
  if (bounds.step) return multiples_grammar(builder, bounds, *bounds.step, Fractions::allowed);
  const Bound zero, most{{.whole = std::to_string(kMost), .fraction = {}}, false}, above_zero{{}, true};
  if (!bounds.low && !bounds.high) {
    const Symbol exponent = builder.sequence({builder.bytes(ByteSet().set('e').set('E')),
                                              builder.optional(builder.bytes(ByteSet().set('+').set('-'))),
                                              builder.repeat(digit(builder), 1, 2)});
    return builder.sequence(
        {builder.optional(builder.literal("-")), magnitude_between(builder, zero, most), builder.optional(exponent)});
  }
  std::vector<Symbol> choices;
  if (!bounds.high || !bounds.high->value.negative) {
    const bool from_zero = !bounds.low || bounds.low->value.negative;
    choices.push_back(magnitude_between(builder, from_zero ? zero : *bounds.low, bounds.high.value_or(most)));
  }
  if (!bounds.low || bounds.low->value.negative) {
    // Below zero, from the larger magnitude to the smaller.
    const bool to_zero = !bounds.high || !bounds.high->value.negative;
    const Bound least = to_zero ? above_zero : Bound{magnitude(bounds.high->value), bounds.high->exclusive};
    const Bound largest = bounds.low ? Bound{magnitude(bounds.low->value), bounds.low->exclusive} : most;
    choices.push_back(builder.sequence({builder.literal("-"), magnitude_between(builder, least, largest)}));
  }
  return builder.choice(choices);
}

}  // namespace sensorium::text::grammar
