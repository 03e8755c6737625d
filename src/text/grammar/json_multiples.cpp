#include "text/grammar/json_multiples.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <tuple>

#include "base/error.h"

namespace sensorium::text::grammar {
namespace {

constexpr int kDigits = 15;
constexpr int64_t kMost = 999'999'999'999'999;

int64_t power_of_ten(int exponent) {
  int64_t power = 1;
  for (int i = 0; i < exponent; ++i) power *= 10;
  return power;
}

// A decimal times 10^digits, cut to kMost, and whether a fraction of it was lost.
struct Scaled {
  int64_t value = 0;
  bool exact = true;
};
Scaled scale(const Decimal& decimal, int digits) {
  std::string text = decimal.whole + decimal.fraction.substr(0, static_cast<size_t>(digits));
  const size_t behind = std::min(decimal.fraction.size(), static_cast<size_t>(digits));
  text.append(static_cast<size_t>(digits) - behind, '0');
  text.erase(0, std::min(text.find_first_not_of('0'), text.size() - 1));
  Scaled scaled;
  scaled.exact = decimal.fraction.size() <= static_cast<size_t>(digits);
  scaled.value = text.size() > static_cast<size_t>(kDigits) ? kMost + 1 : std::stoll(text);
  if (decimal.negative) scaled.value = -scaled.value;
  return scaled;
}

int64_t lowest(const std::optional<Bound>& bound, int digits) {
  if (!bound) return -kMost;
  const Scaled scaled = scale(bound->value, digits);
  if (!scaled.exact) return bound->value.negative ? scaled.value : scaled.value + 1;
  return bound->exclusive ? scaled.value + 1 : scaled.value;
}
int64_t highest(const std::optional<Bound>& bound, int digits) {
  if (!bound) return kMost;
  const Scaled scaled = scale(bound->value, digits);
  if (!scaled.exact) return bound->value.negative ? scaled.value - 1 : scaled.value;
  return bound->exclusive ? scaled.value - 1 : scaled.value;
}

// Multiples of `units`, written with the point before the last `behind` digits.
class Multiples {
 public:
  Multiples(GrammarBuilder& builder, int64_t units, int behind) : builder_(builder), units_(units), behind_(behind) {}

  // 0 <= low..high
  Symbol between(int64_t low, int64_t high) {
    std::vector<Symbol> choices;
    // At least one digit stands before the point.
    for (int size = behind_ + 1; size <= kDigits; ++size) {
      const int64_t first = std::max(low, size == behind_ + 1 ? 0 : power_of_ten(size - 1)),
                    last = std::min(high, power_of_ten(size) - 1);
      if (first > last) continue;
      low_ = padded(first, size);
      high_ = padded(last, size);
      choices.push_back(digits(size, 0, true, true));
    }
    return builder_.choice(choices);
  }

 private:
  static std::string padded(int64_t value, int size) {
    const std::string text = std::to_string(value);
    return std::string(static_cast<size_t>(size) - text.size(), '0') + text;
  }

  // The last `left` digits. `rest` is the remainder of the digits before them, with zeros for these: what matters of them.
  Symbol digits(int left, int64_t rest, bool at_low, bool at_high) {
    if (left == 0) return rest == 0 ? builder_.empty() : builder_.never();
    if (rest != 0 && rest + power_of_ten(left) <= units_) return builder_.never();
    const bool free = !at_low && !at_high;
    if (free) {
      const auto known = free_.find({left, rest});
      if (known != free_.end()) return known->second;
    }
    const size_t at = low_.size() - static_cast<size_t>(left);
    const char first = at_low ? low_[at] : '0', last = at_high ? high_[at] : '9';
    const int64_t weight = power_of_ten(left - 1) % units_;
    const Symbol rule = builder_.rule();
    if (free) free_.emplace(std::pair(left, rest), rule);
    for (char digit = first; digit <= last; ++digit) {
      const int64_t next = (rest + (digit - '0') * weight) % units_;
      const Symbol more = digits(left - 1, next, at_low && digit == first, at_high && digit == last);
      const bool point = behind_ > 0 && left == behind_;
      builder_.add_alternative(rule, {builder_.literal((point ? "." : "") + std::string(1, digit)), more});
    }
    return rule;
  }

  GrammarBuilder& builder_;
  int64_t units_;
  int behind_;
  std::string low_, high_;
  std::map<std::pair<int, int64_t>, Symbol> free_;  // digits without bounds, by how many are left and the remainder
};

}  // namespace

Symbol multiples_grammar(GrammarBuilder& builder, const NumberBounds& bounds, const Step& step, Fractions fractions) {
  std::vector<Symbol> choices;
  for (int behind = 0; behind <= (fractions == Fractions::none ? 0 : step.digits); ++behind) {
    // A number with fewer digits behind the point is a multiple if so many times 10 it is one.
    const int64_t units = step.units / std::gcd(step.units, power_of_ten(step.digits - behind));
    Multiples multiples(builder, units, behind);
    const int64_t low = lowest(bounds.low, behind), high = highest(bounds.high, behind);
    choices.push_back(multiples.between(std::max<int64_t>(low, 0), high));
    if (low < 0) {
      choices.push_back(builder.sequence({builder.literal("-"), multiples.between(std::max<int64_t>(1, -high), -low)}));
    }
  }
  return builder.choice(choices);
}

Step to_step(const OrderedJson& number) {
  const Decimal decimal = to_decimal(number);
  std::string digits = decimal.whole + decimal.fraction;
  digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size() - 1));
  require(!decimal.cut && digits.size() <= static_cast<size_t>(kDigits) && decimal.fraction.size() < kDigits,
          ErrorKind::unsupported, "\"multipleOf\" of {}: more than {} digits", number.dump(), kDigits);
  return {std::stoll(digits), static_cast<int>(decimal.fraction.size())};
}

Step common_multiple(const Step& a, const Step& b) {
  const int digits = std::max(a.digits, b.digits);
  int64_t first = 0, second = 0, units = 0;
  const bool fits = !__builtin_mul_overflow(a.units, power_of_ten(digits - a.digits), &first) &&
                    !__builtin_mul_overflow(b.units, power_of_ten(digits - b.digits), &second) &&
                    !__builtin_mul_overflow(first / std::gcd(first, second), second, &units) && units <= kMost;
  require(fits, ErrorKind::unsupported, "two \"multipleOf\" without a common multiple of {} digits", kDigits);
  return {units, digits};
}

bool within(const NumberBounds& bounds, const OrderedJson& number) {
  if (!bounds.low && !bounds.high && !bounds.step) return true;
  const Decimal decimal = to_decimal(number);
  const auto outside = [&](const std::optional<Bound>& bound, int side) {
    if (!bound) return false;
    const int order = compare(decimal, bound->value);
    return order == side || (order == 0 && bound->exclusive);
  };
  if (outside(bounds.low, -1) || outside(bounds.high, 1)) return false;
  if (!bounds.step) return true;
  if (decimal.fraction.size() > static_cast<size_t>(bounds.step->digits)) return false;
  int64_t rest = 0;
  std::string digits = decimal.whole + decimal.fraction;
  digits.append(static_cast<size_t>(bounds.step->digits) - decimal.fraction.size(), '0');
  for (const char digit : digits) rest = (rest * 10 + (digit - '0')) % bounds.step->units;
  return rest == 0;
}

}  // namespace sensorium::text::grammar
