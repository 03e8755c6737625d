#include "models/llama/llama.h"

#include "models/decoder/published.h"
#include "models/decoder/text_model.h"

namespace sensorium::models {
namespace {

nn::Bias read_bias(const Json& config, const std::string& where, const char* key) {
  const Json given = without_nulls(config);
  return ConfigReader(given, where).get_or<bool>(key, false) ? nn::Bias::zeros : nn::Bias::none;
}

}  // namespace

DecoderConfig read_llama_config(const Json& config, const std::string& where) {
  DecoderConfig result = read_decoder_sizes(config, where, {});
  result.qkv_bias = result.out_bias = read_bias(config, where, "attention_bias");
  result.mlp_bias = read_bias(config, where, "mlp_bias");
  return result;
}

DecoderConfig read_mistral_config(const Json& config, const std::string& where) {
  DecoderConfig result = read_decoder_sizes(config, where, {.context = 4096 * 32, .mlp_width = 14336, .kv_heads = 8});
  // null: none; absent: as the class has it.
  if (!config.contains("sliding_window")) {
    result.context = std::min<int64_t>(result.context, 4096);
  } else if (!config.at("sliding_window").is_null()) {
    limit_to_window(result, config, where);
  }
  return result;
}

std::unique_ptr<Model> load_llama(const Checkpoint& checkpoint, DType compute) {
  return load_text_model(checkpoint, compute, read_llama_config);
}

std::unique_ptr<Model> load_mistral(const Checkpoint& checkpoint, DType compute) {
  return load_text_model(checkpoint, compute, read_mistral_config);
}

}  // namespace sensorium::models
