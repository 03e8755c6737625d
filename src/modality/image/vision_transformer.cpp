// Legend: N pictures, S side in pixels.
#include "modality/image/vision_transformer.h"

#include "modality/patches.h"

namespace sensorium::modality {
namespace {

PatchTransformerConfig tower_config(const std::string& name, const VisionTransformerConfig& config) {
  require(config.patch > 0 && config.grid() > 0, ErrorKind::shape, "{}: pictures of {} pixels in patches of {}", name,
          config.image_size, config.patch);
  return {.stem = {config.dim, 3, config.patch, config.patch},
          .patches = config.grid() * config.grid(),
          .layers = config.layers,
          .heads = config.heads,
          .mlp_width = config.mlp_width,
          .activation = config.activation,
          .norm_eps = config.norm_eps,
          .class_token = config.class_token,
          .pre_norm = config.pre_norm,
          .post_norm = config.post_norm,
          .patch_bias = config.patch_bias};
}

}  // namespace

VisionTransformer::VisionTransformer(nn::ParameterStore& store, const std::string& name,
                                     const VisionTransformerConfig& config)
    : config_(config), tower_(store, name, tower_config(name, config)) {}

Tensor VisionTransformer::cut(const Tensor& pixels_N3SS, DType compute) const {
  const int64_t size = config_.image_size;
  require(pixels_N3SS.rank() == 4 && pixels_N3SS.dtype() == DType::f32 &&
              pixels_N3SS.shape() == Shape({pixels_N3SS.dim(0), 3, size, size}),
          ErrorKind::shape, "the vision tower takes f32 pixels [N, 3, {}, {}], not {}", size, size,
          pixels_N3SS.shape());
  return cut_patches(pixels_N3SS, {.height = config_.patch, .width = config_.patch, .stride = config_.patch}, compute);
}

std::vector<Tensor> VisionTransformer::states(const Tensor& pixels_N3SS, std::span<const int64_t> wanted,
                                              DType compute) const {
  return tower_.states(cut(pixels_N3SS, compute), wanted);
}

Tensor VisionTransformer::operator()(const Tensor& pixels_N3SS, DType compute) const {
  return tower_(cut(pixels_N3SS, compute));
}

Tensor VisionTransformer::class_states(const Tensor& pixels_N3SS, DType compute) const {
  return tower_.class_states(cut(pixels_N3SS, compute));
}

}  // namespace sensorium::modality
