#include "models/decoder/prompt_rows.h"

#include <span>

#include "base/error.h"

namespace sensorium::models {
namespace {

template <typename T>
void add(Sha256& hash, const T& value) {
  hash.update({reinterpret_cast<const uint8_t*>(&value), sizeof(value)});
}

}  // namespace

std::vector<nn::KvKey> prompt_keys(const PromptRows& prompt) {
  constexpr int64_t kRows = nn::KvLayout::kKeyTokens;
  const int64_t count = static_cast<int64_t>(prompt.tokens.size()) / kRows;
  std::vector<nn::KvKey> keys;
  size_t picture = 0;
  for (int64_t part = 0; part < count; ++part) {
    Sha256 hash;
    if (!keys.empty()) hash.update(keys.back());
    for (int64_t row = part * kRows; row < (part + 1) * kRows; ++row) {
      const int32_t token = prompt.tokens[static_cast<size_t>(row)];
      add(hash, token);
      if (token >= 0) continue;
      while (picture < prompt.pictures.size() && prompt.pictures[picture].end <= row) ++picture;
      require(picture < prompt.pictures.size() && prompt.pictures[picture].begin <= row, ErrorKind::shape,
              "row {} of the prompt has neither a token nor a picture", row);
      const PictureRows& shown = prompt.pictures[picture];
      // The content once for every part, then which of its rows this is.
      if (row == shown.begin || row % kRows == 0) hash.update(shown.content);
      add(hash, row - shown.begin);
    }
    keys.push_back(hash.digest());
  }
  return keys;
}

}  // namespace sensorium::models
