// A native model small enough for unit tests: random weights, a tokenizer of bytes and a few merges, pictures of 32
// pixels.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/rng.h"
#include "media/image.h"
#include "models/sensorium/model.h"
#include "text/bpe_trainer.h"
#include "text/tokenizer_json.h"
#include "thrown.h"

namespace sensorium::models {

// The text of the tokenizer's file; learned once per process.
inline const std::string& tiny_tokenizer_json() {
  static const std::string json = [] {
    const std::vector<std::string> corpus(
        4, "how many red dogs and cats are there? three dogs, two cats; a helmet, a head");
    text::TrainOptions options;
    options.pattern = std::string(text::kQwen2Pattern);
    options.special_tokens = SpecialTokens::names();
    options.vocab_size = static_cast<int32_t>(options.special_tokens.size()) + 256 + 40;
    return text::to_tokenizer_json(*text::train_bpe(corpus, options));
  }();
  return json;
}

inline std::shared_ptr<const text::Tokenizer> tiny_tokenizer() {
  static const std::shared_ptr<const text::Tokenizer> tokenizer =
      text::parse_tokenizer_json(tiny_tokenizer_json()).value();
  return tokenizer;
}

// About 80,000 parameters, most of them embeddings: 1008 of the tokens are control tokens.
inline SensoriumConfig tiny_config() {
  SensoriumConfig config;
  config.prepare = {.max_pixels = 64 * 64, .min_side = 32, .max_aspect = 4};
  config.image.stem_channels = {8, 8, 16, 16};
  config.image.stem_blocks = {1, 1, 1};
  config.image.norm_groups = 2;
  config.image.dim = 16;
  config.image.layers = 1;
  config.image.heads = 2;
  config.image.mlp_width = 24;
  config.merge = 2;
  config.decoder = {.vocabulary = 1344,
                    .context = 96,
                    .dim = 16,
                    .layers = 2,
                    .heads = 2,
                    .kv_heads = 1,
                    .head_dim = 8,
                    .mlp_width = 24};
  config.heads.query_dim = 8;
  config.heads.labels = {"cat", "dog", "red dog"};
  config.heads.objects = {"head", "helmet"};
  return config;
}

inline std::unique_ptr<SensoriumModel> tiny_model(uint64_t seed = 1, const SensoriumConfig& config = tiny_config()) {
  return std::make_unique<SensoriumModel>(config, tiny_tokenizer(), nn::ParameterStore(seed));
}

// Smooth random patches: a picture in which neighbouring positions differ.
inline media::Image tiny_image(uint64_t seed, int width = 32, int height = 32) {
  media::Image image(width, height);
  Rng rng(seed);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (int c = 0; c < 3; ++c) {
        const bool corner = y % 8 == 0 && x % 8 == 0;
        const uint8_t* source = corner ? nullptr : y % 8 != 0 ? image.at(x, y - 1) : image.at(x - 1, y);
        image.at(x, y)[c] = corner ? static_cast<uint8_t>(rng.below(256)) : source[c];
      }
    }
  }
  return image;
}

inline void expect_contains(const std::string& text, const std::vector<std::string>& parts) {
  for (const std::string& part : parts)
    EXPECT_NE(text.find(part), std::string::npos) << "\"" << part << "\" in: " << text;
}

}  // namespace sensorium::models
