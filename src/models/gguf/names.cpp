#include "models/gguf/names.h"

#include <array>
#include <cstring>

#include "base/error.h"

namespace sensorium::models {
namespace {

constexpr std::array<NamePair, 12> kDecoder = {{
    {"model.embed_tokens", "token_embd"},
    {"model.layers.*.input_layernorm", "blk.*.attn_norm"},
    {"model.layers.*.self_attn.q_proj", "blk.*.attn_q"},
    {"model.layers.*.self_attn.k_proj", "blk.*.attn_k"},
    {"model.layers.*.self_attn.v_proj", "blk.*.attn_v"},
    {"model.layers.*.self_attn.o_proj", "blk.*.attn_output"},
    {"model.layers.*.post_attention_layernorm", "blk.*.ffn_norm"},
    {"model.layers.*.mlp.gate_proj", "blk.*.ffn_gate"},
    {"model.layers.*.mlp.up_proj", "blk.*.ffn_up"},
    {"model.layers.*.mlp.down_proj", "blk.*.ffn_down"},
    {"model.norm", "output_norm"},
    {"lm_head", "output"},
}};

constexpr std::array<NamePair, 16> kVision = {{
    {"vision_tower.vision_model.embeddings.class_embedding", "v.class_embd"},
    {"vision_tower.vision_model.embeddings.patch_embedding", "v.patch_embd"},
    {"vision_tower.vision_model.embeddings.position_embedding", "v.position_embd"},
    {"vision_tower.vision_model.pre_layrnorm", "v.pre_ln"},
    {"vision_tower.vision_model.post_layernorm", "v.post_ln"},
    {"vision_tower.vision_model.encoder.layers.*.layer_norm1", "v.blk.*.ln1"},
    {"vision_tower.vision_model.encoder.layers.*.self_attn.q_proj", "v.blk.*.attn_q"},
    {"vision_tower.vision_model.encoder.layers.*.self_attn.k_proj", "v.blk.*.attn_k"},
    {"vision_tower.vision_model.encoder.layers.*.self_attn.v_proj", "v.blk.*.attn_v"},
    {"vision_tower.vision_model.encoder.layers.*.self_attn.out_proj", "v.blk.*.attn_out"},
    {"vision_tower.vision_model.encoder.layers.*.layer_norm2", "v.blk.*.ln2"},
    {"vision_tower.vision_model.encoder.layers.*.mlp.fc1", "v.blk.*.ffn_up"},
    {"vision_tower.vision_model.encoder.layers.*.mlp.fc2", "v.blk.*.ffn_down"},
    {"multi_modal_projector.linear_1", "mm.0"},
    {"multi_modal_projector.linear_2", "mm.2"},
    {"image_newline", "model.image_newline"},
}};

}  // namespace

std::span<const NamePair> gguf_decoder_names() { return kDecoder; }
std::span<const NamePair> gguf_vision_names() { return kVision; }

int64_t source_row(int64_t row, int64_t size, HeadRows to) {
  const int64_t first = row / size * size, at = row % size, half = size / 2;
  if (to == HeadRows::halves) return first + at % half * 2 + at / half;
  return first + at % 2 * half + at / 2;
}

Tensor reorder_head_rows(const Tensor& weight, int64_t heads, HeadRows to) {
  require(weight.rank() > 0 && heads > 0 && weight.dim(0) > 0 && weight.dim(0) % (2 * heads) == 0, ErrorKind::shape,
          "rows of shape {} are no {} heads of an even size", weight.shape(), heads);
  const int64_t rows = weight.dim(0), size = rows / heads;
  const size_t width = weight.bytes() / static_cast<size_t>(rows);
  const Tensor result = Tensor::empty(weight.shape(), weight.dtype());
  const auto* from = static_cast<const std::byte*>(weight.raw());
  auto* out = static_cast<std::byte*>(result.raw());
  for (int64_t row = 0; row < rows; ++row) {
    std::memcpy(out + static_cast<size_t>(row) * width, from + static_cast<size_t>(source_row(row, size, to)) * width,
                width);
  }
  return result;
}

}  // namespace sensorium::models
