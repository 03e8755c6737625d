// The language decoders of published checkpoints (Llama and what follows its layout): sizes from their config.json, names of
// their tensors.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/json.h"
#include "models/checkpoint/weights.h"
#include "models/decoder/decoder.h"

namespace sensorium::models {

// What the configuration class of a family assumes where a config.json is silent.
struct DecoderDefaults {
  int64_t vocabulary = 32000, context = 2048, dim = 4096, layers = 32, heads = 32, mlp_width = 11008;
  int64_t kv_heads = 0;  // 0: as many as heads
  float rope_theta = 10000.0f, norm_eps = 1e-6f;
};

// Reads the keys that the families share: sizes, "rms_norm_eps", "rope_theta", "rope_scaling" or "rope_parameters",
// "tie_word_embeddings". No biases, no QK-norm. Throws Error that names `where` and the key: invalid_data, unsupported (an
// activation other than silu, a kind of stretched positions that is not known, a head size without kernels).
DecoderConfig read_decoder_sizes(const Json& config, const std::string& where, const DecoderDefaults& defaults);
// Attention that sees only the last `window` tokens is the same as full attention as long as there are no more: the context
// is cut to that.
void limit_to_window(DecoderConfig& config, const Json& json, const std::string& where);

// Frequencies of rotary positions, f32 [head_dim / 2], or undefined for the plain powers of theta. `scaling` is an object with
// "rope_type" (or "type"): default, linear, llama3, or this program's own divisors: {"rope_type": "divisors", "divisors": [..]},
// one for each frequency. Throws Error as read_decoder_sizes.
Tensor read_rope_frequencies(const Json& scaling, const std::string& where, float theta, int64_t head_dim);

// Names of a decoder's modules in the files, and of its output embedding beside it.
std::vector<NameRule> decoder_rules();
std::vector<NameRule> decoder_output_rules();

// The matrices of a decoder's blocks as the files have them, "layers.0.self_attn.q_proj": which of our matrices holds each, as its
// rows [first, first + rows).
void for_each_projection(
    Decoder& decoder,
    const std::function<void(const std::string& name, nn::Linear& linear, int64_t first, int64_t rows)>& visit);
// The last parts of those names: "q_proj", "k_proj", ...
std::vector<std::string> projection_names();

// A family of decoders that multimodal models build on, by the "model_type" of their "text_config".
struct DecoderFamily {
  const char* model_type;
  DecoderConfig (*read)(const Json& config, const std::string& where);
};
// registry.cpp holds the table. Throws Error(unsupported).
const DecoderFamily& decoder_family(const std::string& model_type, const std::string& where);

}  // namespace sensorium::models
