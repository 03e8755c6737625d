#include "models/qwen2/qwen2.h"

#include "models/decoder/published.h"
#include "models/decoder/text_model.h"

namespace sensorium::models {

DecoderConfig read_qwen2_config(const Json& config, const std::string& where) {
  DecoderConfig result =
      read_decoder_sizes(config, where, {.vocabulary = 151936, .context = 32768, .mlp_width = 22016, .kv_heads = 32});
  result.qkv_bias = nn::Bias::zeros;
  const Json given = without_nulls(config);
  if (ConfigReader(given, where).get_or<bool>("use_sliding_window", false)) limit_to_window(result, config, where);
  return result;
}

std::unique_ptr<Model> load_qwen2(const Checkpoint& checkpoint, DType compute) {
  return load_text_model(checkpoint, compute, read_qwen2_config);
}

}  // namespace sensorium::models
