// One whole training step: forward, backward, clipping by the global norm, AdamW. tools/bench/compare_training.py runs
// the same networks in PyTorch, from the traces written here.
#include <fstream>
#include <memory>

#include "base/file.h"
#include "base/json.h"
#include "cli/bench/cases.h"
#include "io/safetensors.h"
#include "models/decoder/decoder.h"
#include "train/optimizer.h"

namespace sensorium::cli {
namespace {

constexpr int64_t kBatch = 16;
constexpr double kLearningRate = 1e-4;
constexpr int kTracedSteps = 10;

struct StepResult {
  float loss = 0;
  double grad_norm = 0;  // before clipping
};

struct DecoderStep {
  static constexpr int64_t kContext = 256, kVocabulary = 8192;
  nn::ParameterStore store{uint64_t{1}};
  models::Decoder decoder;
  std::unique_ptr<train::AdamW> optimizer;
  Tensor tokens, targets;
  ops::Sequences sequences;

  DecoderStep() {
    const models::DecoderConfig config{.vocabulary = kVocabulary,
                                       .context = kContext,
                                       .dim = 384,
                                       .layers = 6,
                                       .heads = 6,
                                       .kv_heads = 6,
                                       .head_dim = 64,
                                       .mlp_width = 1024};
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

  StepResult run() {
    const Tensor hidden = decoder(decoder.embed(tokens, DType::bf16), sequences);
    const Tensor loss = ops::linear_cross_entropy(hidden, decoder.output_embedding(), targets);
    backward(loss);
    return {loss.item(), optimizer->step(kLearningRate)};
  }

  std::vector<io::NamedTensor> batch() const { return {{"batch.tokens", tokens}, {"batch.targets", targets}}; }
  OrderedJson network() const {
    const models::DecoderConfig& config = decoder.config();
    return {{"kind", "decoder"},
            {"batch", kBatch},
            {"context", kContext},
            {"vocabulary", kVocabulary},
            {"dim", config.dim},
            {"layers", config.layers},
            {"heads", config.heads},
            {"head_dim", config.head_dim},
            {"mlp_width", config.mlp_width},
            {"rope_theta", config.rope_theta},
            {"norm_eps", nn::RmsNorm().eps}};
  }
};

// ViT-S/16 (Dosovitskiy 2021, Touvron 2021: patches of 16, 384 channels, 12 layers, 6 heads) on 224 x 224 pixels, in
// the form of Beyer 2022: no class token, the mean of the patches goes to a linear classifier of 1000 classes. The
// blocks are the project's: RMSNorm for LayerNorm, no biases in them, and SwiGLU of width 1024 for the MLP of width
// 1536, which has as many weights (3 x 384 x 1024 = 2 x 384 x 1536) and products.
struct VitStep {
  static constexpr int64_t kSide = 224, kPatch = 16, kDim = 384, kLayers = 12, kHeads = 6, kMlpWidth = 1024,
                           kClasses = 1000, kTokens = (kSide / kPatch) * (kSide / kPatch);
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
    const nn::AttentionConfig attention{.dim = kDim,
                                        .heads = kHeads,
                                        .kv_heads = kHeads,
                                        .head_dim = kDim / kHeads,
                                        .causal = false,
                                        .qk_norm = false,
                                        .rope_theta = 0};
    for (int64_t i = 0; i < kLayers; ++i) blocks.emplace_back(store, fmt::format("layers.{}", i), attention, kMlpWidth);
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

  StepResult run() {
    ops::Pictures grid;
    Tensor x = embed(ops::space_to_depth(pixels, pictures, kPatch, grid));
    x = ops::add(x, ops::gather_rows(position, rows, DType::bf16));
    for (const nn::TransformerBlock& block : blocks) x = block(x, {}, sequences);
    const Tensor logits = head(ops::segment_mean(norm(x), offsets));
    const Tensor loss = ops::cross_entropy(logits, labels);
    backward(loss);
    return {loss.item(), optimizer->step(kLearningRate)};
  }

  std::vector<io::NamedTensor> batch() const { return {{"batch.pixels", pixels}, {"batch.labels", labels}}; }
  OrderedJson network() const {
    return {{"kind", "vit"},          {"batch", kBatch},     {"side", kSide},
            {"patch", kPatch},        {"classes", kClasses}, {"dim", kDim},
            {"layers", kLayers},      {"heads", kHeads},     {"head_dim", kDim / kHeads},
            {"mlp_width", kMlpWidth}, {"norm_eps", norm.eps}};
  }
};

// The most memory that this process has held, in MB (2^20 bytes); 0 where the system does not tell.
double peak_resident_mb() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::stod(line.substr(6)) / 1024;  // "VmHWM:   123456 kB"
  }
  return 0;
}

// <folder>/<name>.safetensors: the parameters before the first step, f32, and the batch. <folder>/<name>.json: the
// network, the optimizer, and the losses and gradient norms of the first steps.
template <typename Step>
std::function<void(const std::filesystem::path&)> trace_step(const std::string& name) {
  return [name](const std::filesystem::path& folder) {
    Step step;
    std::vector<io::NamedTensor> tensors = step.batch();
    OrderedJson decayed = OrderedJson::array();
    for (const nn::Parameter& parameter : step.store.parameters()) {
      tensors.push_back({parameter.name, parameter.value});
      if (parameter.decay) decayed.push_back(parameter.name);
    }
    io::write_safetensors(folder / (name + ".safetensors"), tensors, {});
    OrderedJson losses = OrderedJson::array(), norms = OrderedJson::array();
    for (int i = 0; i < kTracedSteps; ++i) {
      const StepResult result = step.run();
      losses.push_back(result.loss);
      norms.push_back(result.grad_norm);
    }
    const train::OptimizerOptions options;
    const OrderedJson json{{"network", step.network()},
                           {"optimizer",
                            {{"learning_rate", kLearningRate},
                             {"beta1", options.beta1},
                             {"beta2", options.beta2},
                             {"eps", options.eps},
                             {"weight_decay", options.weight_decay},
                             {"clip_norm", options.clip_norm},
                             {"decayed", decayed}}},
                           {"losses", losses},
                           {"grad_norms", norms},
                           {"peak_resident_mb", peak_resident_mb()}};
    write_file_atomic(folder / (name + ".json"), json.dump(1) + "\n");
  };
}

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
  const double decoder =
      decoder_tokens * (6.0 * (6 * (4 * 384 * 384 + 3 * 384 * 1024) + 384 * 8192) + 6.0 * 6 * 256 * 384);
  const double vit_tokens = static_cast<double>(kBatch * VitStep::kTokens);
  const double vit = vit_tokens * (6.0 * (12 * (4 * 384 * 384 + 3 * 384 * 1024) + 768 * 384) + 12.0 * 12 * 196 * 384);
  return {{.name = "train/decoder17m",
           .operations = decoder,
           .peak = Peak::bf16,
           .prepare = prepare_step<DecoderStep>(),
           .trace = trace_step<DecoderStep>("decoder17m")},
          {.name = "train/vit_s16",
           .operations = vit,
           .peak = Peak::bf16,
           .prepare = prepare_step<VitStep>(),
           .trace = trace_step<VitStep>("vit_s16")}};
}

}  // namespace sensorium::cli
