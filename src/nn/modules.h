// Building blocks: small values that hold handles on their parameters; forward functions are const. The dtype of the
// activations decides how products are computed (see ops::linear).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "nn/kv_cache.h"
#include "nn/parameter_store.h"
#include "ops/ops.h"

namespace sensorium::nn {

enum class Bias : uint8_t { none, zeros };

// Dropout that several modules share; whoever trains draws a new seed for every batch, so that a pass that runs again for its
// gradients (activation checkpointing) drops the same.
struct SharedDropout {
  float probability = 0;
  uint64_t seed = 0;
};

// A low-rank change of a Linear (LoRA, Hu 2021): scale * b a x, added to its outputs [first, first + M).
struct LowRank {
  Tensor a_RK, b_MR;
  int64_t first = 0;
  float scale = 1;
  std::shared_ptr<const SharedDropout> dropout;  // of x; none: nothing is dropped
  uint64_t stream = 0;                           // which of the dropout's masks is its own
};

// y_TN = x_TK w_NK^T + b_N. Parameters: <name>.weight (which a checkpoint may hold packed), <name>.bias.
struct Linear {
  Linear() = default;
  Linear(ParameterStore& store, const std::string& name, int64_t in, int64_t out, Bias bias, float init_scale = 1.0f);
  Tensor operator()(const Tensor& x_TK) const;
  // activation(linear(x)): in one pass where the weight is packed.
  Tensor activated(const Tensor& x_TK, kernels::Unary activation) const;
  // Products with bf16 activations read a copy in the kernels' order from now on, and `weight` is let go of. For a constant
  // weight that few rows at a time are multiplied with: they would bring it into that order anew every time.
  void pack();
  int64_t inputs() const { return packed.defined() ? packed.layout.k : weight.dim(1); }
  int64_t outputs() const { return packed.defined() ? packed.layout.n : weight.dim(0); }
  Tensor weight;             // undefined where the weight is packed
  ops::PackedWeight packed;  // undefined where it is not
  Tensor bias;
  std::vector<LowRank> changes;  // an adapter's
};

// Rows of a table by index (i32 [T]; -1: zeros), in `dtype` (f32 or bf16). As ops::gather_rows, but the table may also be
// f16, as published checkpoints store it (then outside autograd).
Tensor look_up_rows(const Tensor& table_RC, const Tensor& index_T, DType dtype);

struct RmsNorm {
  RmsNorm() = default;
  RmsNorm(ParameterStore& store, const std::string& name, int64_t channels, float epsilon = 1e-6f);
  Tensor operator()(const Tensor& x_TC) const { return ops::rms_norm(x_TC, weight, eps); }
  Tensor weight;
  float eps = 1e-6f;
};

struct LayerNorm {
  LayerNorm() = default;
  LayerNorm(ParameterStore& store, const std::string& name, int64_t channels, float epsilon = 1e-6f);
  Tensor operator()(const Tensor& x_TC) const { return ops::layer_norm(x_TC, weight, bias, eps); }
  Tensor weight, bias;
  float eps = 1e-6f;
};

// Convolution with standardised filters (if asked), then GroupNorm and an activation; padding kernel / 2. Parameters:
// <name>.weight [out, kernel, kernel, in], <name>.gain [out] (standardised filters only), <name>.norm.weight,
// <name>.norm.bias [out].
enum class WeightStandardization : uint8_t { off, on };
struct ConvNorm {
  ConvNorm() = default;
  ConvNorm(ParameterStore& store, const std::string& name, int64_t in, int64_t out, int64_t kernel, int64_t stride,
           int64_t groups, kernels::NormActivation activation, WeightStandardization standardization);
  // `pictures` is replaced by the sizes of the result.
  Tensor operator()(const Tensor& x_PC, ops::Pictures& pictures) const;
  Tensor weight, gain, norm_weight, norm_bias;  // gain: of filters that every pass standardises, since they learn
  int64_t kernel = 3, stride = 1, groups = 1;
  kernels::NormActivation activation = kernels::NormActivation::relu;
};

struct AttentionConfig {
  int64_t dim = 0, heads = 0, kv_heads = 0, head_dim = 0;
  bool causal = true;
  bool qk_norm = true;
  float rope_theta = 10000.0f;  // 0: no rotary positions
  // f32 [head_dim / 2], or undefined: takes the place of the powers of theta.
  Tensor rope_frequencies;
  float norm_eps = 1e-6f;
  Bias qkv_bias = Bias::none, out_bias = Bias::none;
  // Every sequence has one more key and value, learned and the same for all, behind its own ("add_bias_kv" of PyTorch's
  // MultiheadAttention). Not with `causal`, nor with a cache.
  bool extra_key = false;
};
// Parameters: <name>.qkv.weight [(H + 2G) D, dim], <name>.out.weight [dim, H D], their biases if the configuration has
// them, <name>.q_norm.weight, <name>.k_norm.weight [D], <name>.extra_key, <name>.extra_value [G D].
struct SelfAttention {
  SelfAttention() = default;
  SelfAttention(ParameterStore& store, const std::string& name, const AttentionConfig& config, float out_scale = 1.0f);
  // positions: i32 [T] (text) or [T, 2] (pictures: row, column).
  Tensor operator()(const Tensor& x_TC, const Tensor& positions, const ops::Sequences& sequences) const;
  // The same for the first row of each sequence alone, which attends to all rows of it: x [T, C] -> [N, C]. Not if `causal`.
  Tensor first_rows(const Tensor& x_TC, const Tensor& positions, const ops::Sequences& sequences) const;
  // Appends the keys and values of x to the caches at `layer` and attends to all of each sequence so far; x holds the new
  // tokens of every sequence of the batch.
  Tensor cached(const Tensor& x_TC, const Tensor& positions, KvBatch& batch, int64_t layer) const;
  AttentionConfig config;
  Linear qkv, out;
  Tensor q_norm, k_norm, extra_key, extra_value;
};

// Attention of rows to the rows of something else, without positions. Parameters: <name>.q.weight [H D, dim], <name>.kv.weight
// [2 H D, source_dim] (keys first), <name>.out.weight [dim, H D].
struct CrossAttention {
  struct Source {
    Tensor keys_SD, values_SD;  // [S, H D]
  };
  CrossAttention() = default;
  CrossAttention(ParameterStore& store, const std::string& name, int64_t dim, int64_t source_dim, int64_t heads,
                 int64_t head_dim, float out_scale = 1.0f);
  // source [S, source_dim] -> what any number of rows can be compared with.
  Source read(const Tensor& source_SC) const;
  // x [T, dim]; the rows of sequence i of `queries` attend to all rows of sequence i of `sources`. -> [T, dim].
  Tensor operator()(const Tensor& x_TC, const ops::Sequences& queries, const Source& source,
                    const ops::Sequences& sources) const;
  int64_t heads = 0, head_dim = 0;
  Linear q, kv, out;
};

// down(silu(gate(x)) * up(x)); gate and up are one matrix <name>.gate_up.weight [2F, dim]; <name>.down.weight [dim, F].
struct SwigluMlp {
  SwigluMlp() = default;
  SwigluMlp(ParameterStore& store, const std::string& name, int64_t dim, int64_t width, float out_scale = 1.0f,
            Bias bias = Bias::none);
  Tensor operator()(const Tensor& x_TC) const;
  Linear gate_up, down;
};

// fc2(activation(fc1(x))), with biases by default. Parameters: <name>.fc1, <name>.fc2.
struct Mlp {
  Mlp() = default;
  Mlp(ParameterStore& store, const std::string& name, int64_t in, int64_t width, int64_t out, float out_scale = 1.0f,
      kernels::Unary activation = kernels::Unary::gelu_erf, Bias bias = Bias::zeros);
  Tensor operator()(const Tensor& x_TC) const { return fc2(fc1.activated(x_TC, activation)); }
  Linear fc1, fc2;
  kernels::Unary activation = kernels::Unary::gelu_erf;
};

// Pre-norm transformer block: x += attention(norm1(x)); x += mlp(norm2(x)), with RMSNorm and SwiGLU.
// Parameters: <name>.norm1, <name>.attention, <name>.norm2, <name>.mlp.
struct TransformerBlock {
  TransformerBlock() = default;
  TransformerBlock(ParameterStore& store, const std::string& name, const AttentionConfig& config, int64_t mlp_width,
                   float out_scale = 1.0f, Bias mlp_bias = Bias::none);
  Tensor operator()(const Tensor& x_TC, const Tensor& positions, const ops::Sequences& sequences) const;
  Tensor cached(const Tensor& x_TC, const Tensor& positions, KvBatch& batch, int64_t layer) const;
  RmsNorm norm1, norm2;
  SelfAttention attention;
  SwigluMlp mlp;
};

// What the rows of a block's two branches are multiplied by before they are added, f32 [T]; undefined: 1.
struct BranchFactors {
  Tensor attention_T, mlp_T;
};

// The same with LayerNorm and an MLP, both with biases: the block of ViT (Dosovitskiy 2021), CLIP and SigLIP.
struct EncoderBlock {
  EncoderBlock() = default;
  EncoderBlock(ParameterStore& store, const std::string& name, const AttentionConfig& config, int64_t mlp_width,
               kernels::Unary activation);
  Tensor operator()(const Tensor& x_TC, const Tensor& positions, const ops::Sequences& sequences,
                    const BranchFactors& factors = {}) const;
  // The same for one row of each sequence alone, the first: x [T, C] -> [N, C]. What the others become is not computed.
  Tensor first_rows(const Tensor& x_TC, const ops::Sequences& sequences, const BranchFactors& factors = {}) const;
  LayerNorm norm1, norm2;
  SelfAttention attention;
  Mlp mlp;
};

// A convolution as one matrix product over patches that were cut out before. Parameters: <name>.weight, of the shape that the
// convolution's has ([out, channels, height, width]; of any rank), <name>.bias [out].
struct PatchEmbedding {
  PatchEmbedding() = default;
  PatchEmbedding(ParameterStore& store, const std::string& name, const Shape& weight_shape, Bias bias);
  // [patches, values], in the order of the weight's dimensions behind the first -> [patches, out].
  Tensor operator()(const Tensor& patches_PK) const;
  Tensor weight, bias;
};

}  // namespace sensorium::nn
