// Counts of 1- to 4-grams, shared by BLEU and CIDEr.
#pragma once

#include <array>
#include <string>
#include <unordered_map>
#include <vector>

namespace sensorium::eval {

constexpr size_t kMaxNgram = 4;

// counts[n - 1]: n-gram (its tokens, each ended by a space) -> how often it occurs.
using NgramCounts = std::array<std::unordered_map<std::string, int>, kMaxNgram>;

inline NgramCounts count_ngrams(const std::vector<std::string>& tokens) {
  NgramCounts counts;
  for (size_t begin = 0; begin < tokens.size(); ++begin) {
    std::string key;
    for (size_t n = 0; n < kMaxNgram && begin + n < tokens.size(); ++n) {
      key += tokens[begin + n];
      key += ' ';
      ++counts[n][key];
    }
  }
  return counts;
}

}  // namespace sensorium::eval
