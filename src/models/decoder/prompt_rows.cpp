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

std::vector<nn::KvKey> block_keys(const PromptRows& prompt, int64_t count) {
  constexpr int64_t kRows = nn::KvLayout::kBlockTokens;
  std::vector<nn::KvKey> keys;
  size_t picture = 0;
  for (int64_t block = 0; block < count; ++block) {
    Sha256 hash;
    if (!keys.empty()) hash.update(keys.back());
    for (int64_t row = block * kRows; row < (block + 1) * kRows; ++row) {
      const int32_t token = prompt.tokens[static_cast<size_t>(row)];
      add(hash, token);
      if (token >= 0) continue;
      while (picture < prompt.pictures.size() && prompt.pictures[picture].end <= row) ++picture;
      require(picture < prompt.pictures.size() && prompt.pictures[picture].begin <= row, ErrorKind::shape,
              "row {} of the prompt has neither a token nor a picture", row);
      const PictureRows& shown = prompt.pictures[picture];
      // The content once for every block, then which of its rows this is.
      if (row == shown.begin || row % kRows == 0) hash.update(shown.content);
      add(hash, row - shown.begin);
    }
    keys.push_back(hash.digest());
  }
  return keys;
}

}  // namespace sensorium::models
