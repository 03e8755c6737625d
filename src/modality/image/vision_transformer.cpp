// Legend: N pictures, S side in pixels, P patches of all pictures, K values of a patch, T tokens of all pictures, C channels.
#include "modality/image/vision_transformer.h"

#include <algorithm>
#include <numeric>

#include "base/threads.h"

namespace sensorium::modality {
namespace {

// [N, 3, S, S] -> [P, K]: the values of each patch channel by channel, as the convolution's weight has them.
Tensor cut_patches(const Tensor& pixels_N3SS, int64_t patch, DType dtype) {
  const int64_t pictures = pixels_N3SS.dim(0), side = pixels_N3SS.dim(2), grid = side / patch;
  const int64_t width = 3 * patch * patch;
  const Tensor patches_PK = Tensor::empty({pictures * grid * grid, width});
  const float* from = pixels_N3SS.data<float>();
  float* to = patches_PK.data<float>();
  parallel_for(pictures * grid, 4, [&](int64_t begin, int64_t end, int) {
    for (int64_t line = begin; line < end; ++line) {  // a line of patches
      const int64_t picture = line / grid, top = line % grid * patch;
      for (int64_t column = 0; column < grid; ++column) {
        float* out = to + (line * grid + column) * width;
        for (int64_t c = 0; c < 3; ++c) {
          for (int64_t y = 0; y < patch; ++y, out += patch) {
            const float* row = from + ((picture * 3 + c) * side + top + y) * side + column * patch;
            std::copy(row, row + patch, out);
          }
        }
      }
    }
  });
  return patches_PK.to(dtype);
}

}  // namespace

VisionTransformer::VisionTransformer(nn::ParameterStore& store, const std::string& name,
                                     const VisionTransformerConfig& config)
    : config_(config) {
  require(config.patch > 0 && config.grid() > 0 && config.dim % config.heads == 0, ErrorKind::shape,
          "{}: pictures of {} pixels in patches of {}, {} channels in {} heads", name, config.image_size, config.patch,
          config.dim, config.heads);
  if (config.class_token) class_token_ = store.add(name + ".class_token", {config.dim}, nn::Init::normal, 0.02f);
  patch_ = nn::PatchEmbedding(store, name + ".patch", 3, config.patch, config.dim, config.patch_bias);
  position_ = store.add(name + ".position.weight", {config.tokens(), config.dim}, nn::Init::normal, 0.02f);
  if (config.pre_norm) pre_norm_ = nn::LayerNorm(store, name + ".pre_norm", config.dim, config.norm_eps);
  const nn::AttentionConfig attention{.dim = config.dim,
                                      .heads = config.heads,
                                      .kv_heads = config.heads,
                                      .head_dim = config.dim / config.heads,
                                      .causal = false,
                                      .qk_norm = false,
                                      .rope_theta = 0,
                                      .norm_eps = config.norm_eps,
                                      .qkv_bias = nn::Bias::zeros,
                                      .out_bias = nn::Bias::zeros};
  for (int64_t i = 0; i < config.layers; ++i) {
    blocks_.emplace_back(store, fmt::format("{}.layers.{}", name, i), attention, config.mlp_width, config.activation);
  }
  if (config.post_norm) post_norm_ = nn::LayerNorm(store, name + ".post_norm", config.dim, config.norm_eps);
}

ops::Sequences VisionTransformer::sequences(int64_t pictures) const {
  ops::Sequences result{{0}};
  for (int64_t i = 1; i <= pictures; ++i) result.offsets.push_back(static_cast<int32_t>(i * config_.tokens()));
  return result;
}

Tensor VisionTransformer::embed(const Tensor& pixels_N3SS, DType compute) const {
  const int64_t size = config_.image_size;
  require(pixels_N3SS.rank() == 4 && pixels_N3SS.dtype() == DType::f32 &&
              pixels_N3SS.shape() == Shape({pixels_N3SS.dim(0), 3, size, size}),
          ErrorKind::shape, "the vision tower takes f32 pixels [N, 3, {}, {}], not {}", size, size,
          pixels_N3SS.shape());
  const int64_t pictures = pixels_N3SS.dim(0), patches = config_.grid() * config_.grid(), tokens = config_.tokens();
  Tensor x_TC = patch_(cut_patches(pixels_N3SS, config_.patch, compute));
  if (config_.class_token) {
    const Tensor first = ops::cast(class_token_.reshape({1, config_.dim}), compute);
    std::vector<Tensor> parts;
    for (int64_t i = 0; i < pictures; ++i) {
      parts.push_back(first);
      parts.push_back(x_TC.slice(i * patches, (i + 1) * patches));
    }
    x_TC = ops::concat_rows(parts);
  }
  std::vector<int32_t> index(static_cast<size_t>(pictures * tokens));
  for (size_t i = 0; i < index.size(); ++i) index[i] = static_cast<int32_t>(static_cast<int64_t>(i) % tokens);
  x_TC = ops::add(x_TC, nn::look_up_rows(position_, Tensor::from(index, {pictures * tokens}), compute));
  return config_.pre_norm ? pre_norm_(x_TC) : x_TC;
}

std::vector<Tensor> VisionTransformer::states(const Tensor& pixels_N3SS, std::span<const int64_t> wanted,
                                              DType compute) const {
  std::vector<Tensor> found(wanted.size());
  const int64_t last = wanted.empty() ? 0 : *std::max_element(wanted.begin(), wanted.end());
  require(last <= config_.layers && std::all_of(wanted.begin(), wanted.end(), [](int64_t i) { return i >= 0; }),
          ErrorKind::shape, "state {} of a vision tower of {} layers", last, config_.layers);
  const ops::Sequences packed = sequences(pixels_N3SS.dim(0));
  Tensor x_TC = embed(pixels_N3SS, compute);
  for (int64_t i = 0;; ++i) {
    for (size_t k = 0; k < wanted.size(); ++k) {
      if (wanted[k] == i) found[k] = x_TC;
    }
    if (i >= last) return found;
    const nn::EncoderBlock& block = blocks_[static_cast<size_t>(i)];
    // A tower that does not train keeps nothing anyway.
    x_TC =
        checkpointing_ && x_TC.requires_grad()
            ? checkpoint([&block, packed](const std::vector<Tensor>& in) { return block(in[0], {}, packed); }, {x_TC})
            : block(x_TC, {}, packed);
  }
}

Tensor VisionTransformer::operator()(const Tensor& pixels_N3SS, DType compute) const {
  const int64_t last = config_.layers;
  return post_norm_(states(pixels_N3SS, {&last, 1}, compute)[0]);
}

}  // namespace sensorium::modality
