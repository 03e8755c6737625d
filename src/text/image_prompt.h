// The ids of a prompt with images, as the original LLaVA makes them: the text is cut at the placeholders and every part
// is read by itself. Source: tokenizer_image_token() in mm_utils.py of LLaVA.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "text/span.h"
#include "text/tokenizer.h"

namespace sensorium::text {

struct Placeholder {
  std::string_view text;
  int32_t id;  // stands among the ids where embeddings go
};
inline constexpr std::string_view kImagePlaceholder = "<image>", kVideoPlaceholder = "<video>";
inline constexpr int32_t kImageId = -200;
// The original has one placeholder for both; by two it is known which is which.
inline constexpr int32_t kVideoId = -201;
inline constexpr std::array<Placeholder, 2> kPlaceholders = {
    {{kImagePlaceholder, kImageId}, {kVideoPlaceholder, kVideoId}}};
// Of models that read pictures only.
inline constexpr std::span<const Placeholder> kImagePlaceholders = std::span(kPlaceholders).first(1);

// The tokens that the model wants before a text (BOS) once in front, unless the prompt begins with them; then the ids of each part with a SentencePiece
// prefix of its own, and the placeholders' ids between them. Control tokens in the prompt are found. `user`: the bytes that a user
// wrote, sorted and disjoint; neither a placeholder nor a control token is found where it touches them.
std::vector<int32_t> encode_with_images(const Tokenizer& tokenizer, std::string_view prompt,
                                        std::span<const Span> user = {},
                                        std::span<const Placeholder> placeholders = kImagePlaceholders);

}  // namespace sensorium::text
