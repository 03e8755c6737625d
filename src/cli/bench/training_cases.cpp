// One whole training step: forward, backward, clipping by the global norm, AdamW. tools/bench/compare_training.py runs the same
// networks in PyTorch.
#include <memory>
#include <numeric>

#include "cli/bench/cases.h"
#include "models/sensorium/decoder.h"
#include "train/optimizer.h"

namespace sensorium::cli {
namespace {

constexpr int64_t kBatch = 16;

struct DecoderStep {
  static constexpr int64_t kContext = 256, kVocabulary = 8192;
  nn::ParameterStore store{uint64_t{1}};
  models::Decoder decoder;
  std::unique_ptr<train::AdamW> optimizer;
  Tensor tokens, targets;
  ops::Sequences sequences;

  DecoderStep() {
    const models::DecoderConfig config{.vocabulary = kVocabulary, .context = kContext, .dim = 384, .layers = 6, .heads = 6,
                                       .kv_heads = 6, .head_dim = 64, .mlp_width = 1024};
    decoder = models::Decoder(store, "decoder", config);
    store.set_trainable({"*"}, true);
    optimizer = std::make_unique<train::AdamW>(store, train::OptimizerOptions{});
    Rng rng(2);
    std::vector<int32_t> ids;
    for (int64_t i = 0; i < kBatch * kContext + 1; ++i) ids.push_back(static_cast<int32_t>(rng.below(kVocabulary)));
    const int64_t rows = kBatch * kContext;
    tokens = Tensor::from(std::vector<int32_t>(ids.begin(), ids.end() - 1), {rows});
    targets = Tensor::from(std::vector<int32_t>(ids.begin() + 1, ids.end()), {rows});
    for (int64_t i = 0; i <= kBatch; ++i) sequences.offsets.push_back(static_cast<int32_t>(i * kContext));
  }

  void run() {
    const Tensor hidden = decoder(decoder.embed(tokens, DType::bf16), sequences);
    backward(ops::linear_cross_entropy(hidden, decoder.embedding(), targets));
    optimizer->step(1e-4);
  }
};

// ViT-S/16 (Dosovitskiy 2021; 384 channels, 12 layers, 6 heads) on 224 x 224 pixels, with the project's blocks; the mean of
// the patches goes to a classifier of 1000 classes.
struct VitStep {
  static constexpr int64_t kSide = 224, kPatch = 16, kDim = 384, kClasses = 1000, kTokens = (kSide / kPatch) * (kSide / kPatch);
  nn::ParameterStore store{uint64_t{1}};
  nn::Linear embed, head;
  std::vector<nn::TransformerBlock> blocks;
  nn::RmsNorm norm;
  Tensor position;
  std::unique_ptr<train::AdamW> optimizer;
  Tensor pixels, labels, rows;
  ops::Pictures pictures;
  ops::Sequences sequences;
  std::vector<int64_t> offsets;

  VitStep() {
    embed = nn::Linear(store, "embed", kPatch * kPatch * 3, kDim, nn::Bias::zeros);
    position = store.add("position", {kTokens, kDim}, nn::Init::normal, 0.02f);
    const nn::AttentionConfig attention{.dim = kDim, .heads = 6, .kv_heads = 6, .head_dim = 64, .causal = false,
                                        .qk_norm = false, .rope_theta = 0};
    for (int i = 0; i < 12; ++i) blocks.emplace_back(store, fmt::format("layers.{}", i), attention, 1024);
    norm = nn::RmsNorm(store, "norm", kDim);
    head = nn::Linear(store, "head", kDim, kClasses, nn::Bias::zeros);
    store.set_trainable({"*"}, true);
    optimizer = std::make_unique<train::AdamW>(store, train::OptimizerOptions{});
    Rng rng(2);
    pixels = Tensor::randn({kBatch * kSide * kSide, 3}, rng, 1, DType::bf16);
    std::vector<int32_t> classes, repeat;
    for (int64_t i = 0; i < kBatch; ++i) {
      classes.push_back(static_cast<int32_t>(rng.below(kClasses)));
      for (int64_t t = 0; t < kTokens; ++t) repeat.push_back(static_cast<int32_t>(t));
      pictures.heights.push_back(kSide);
      pictures.widths.push_back(kSide);
    }
    labels = Tensor::from(classes, {kBatch});
    rows = Tensor::from(repeat, {kBatch * kTokens});
    for (int64_t i = 0; i <= kBatch; ++i) {
      sequences.offsets.push_back(static_cast<int32_t>(i * kTokens));
      offsets.push_back(i * kTokens);
    }
  }

  void run() {
    ops::Pictures grid;
    Tensor x = embed(ops::space_to_depth(pixels, pictures, kPatch, grid));
    x = ops::add(x, ops::gather_rows(position, rows, DType::bf16));
    for (const nn::TransformerBlock& block : blocks) x = block(x, {}, sequences);
    const Tensor logits = head(ops::segment_mean(norm(x), offsets));
    backward(ops::cross_entropy(logits, labels));
    optimizer->step(1e-4);
  }
};

template <typename Step>
std::function<std::function<void()>()> prepare_step() {
  return [] {
    auto step = std::make_shared<Step>();
    return [step] { step->run(); };
  };
}

}  // namespace

std::vector<BenchCase> training_cases() {
  // 6 operations per weight and token, attention apart (12 * tokens * width a layer and token, half of it causal).
  const double decoder_tokens = static_cast<double>(kBatch * DecoderStep::kContext);
  const double decoder = decoder_tokens * (6.0 * (6 * (4 * 384 * 384 + 3 * 384 * 1024) + 384 * 8192) + 6.0 * 6 * 256 * 384);
  const double vit_tokens = static_cast<double>(kBatch * VitStep::kTokens);
  const double vit = vit_tokens * (6.0 * (12 * (4 * 384 * 384 + 3 * 384 * 1024) + 768 * 384) + 12.0 * 12 * 196 * 384);
  return {{.name = "train/decoder17m", .operations = decoder, .peak = Peak::bf16, .prepare = prepare_step<DecoderStep>()},
          {.name = "train/vit_s16", .operations = vit, .peak = Peak::bf16, .prepare = prepare_step<VitStep>()}};
}

}  // namespace sensorium::cli
