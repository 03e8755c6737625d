#include "models/decoder/published.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "models/checkpoint/names.h"

namespace sensorium::models {
namespace {

// Frequencies that Llama 3.1 lowers by `factor`: those whose wave is long against the texts it was first trained on; between
// the two bounds the change is gradual.
struct Llama3Scaling {
  double factor, low_factor, high_factor, original_context;

  double apply(double frequency) const {
    const double turns = original_context * frequency / (2 * std::numbers::pi);  // in a text of the original length
    if (turns > high_factor) return frequency;
    if (turns < low_factor) return frequency / factor;
    const double keep = (turns - low_factor) / (high_factor - low_factor);
    return (1 - keep) * frequency / factor + keep * frequency;
  }
};

double read_positive(ConfigReader& reader, const char* key, const std::string& where) {
  const double value = reader.get<double>(key);
  require(value > 0, ErrorKind::invalid_data, "{}: \"{}\" is {}, expected a positive number", where, key, value);
  return value;
}

double plain_frequency(float theta, int64_t component, int64_t head_dim) {
  return std::pow(static_cast<double>(theta), -2.0 * static_cast<double>(component) / static_cast<double>(head_dim));
}

// What GGUF files store of Llama 3's positions: the number that each frequency is divided by.
Tensor divided_frequencies(const std::vector<double>& divisors, const std::string& where, float theta,
                           int64_t head_dim) {
  require(static_cast<int64_t>(divisors.size()) == head_dim / 2, ErrorKind::invalid_data,
          "{}: {} divisors of frequencies for heads of size {}", where, divisors.size(), head_dim);
  const Tensor frequencies = Tensor::empty({head_dim / 2});
  for (int64_t c = 0; c < head_dim / 2; ++c) {
    const double divisor = divisors[static_cast<size_t>(c)];
    require(divisor > 0, ErrorKind::invalid_data, "{}: a frequency is divided by {}", where, divisor);
    frequencies.data<float>()[c] = static_cast<float>(plain_frequency(theta, c, head_dim) / divisor);
  }
  return frequencies;
}

}  // namespace

Tensor read_rope_frequencies(const Json& scaling, const std::string& where, float theta, int64_t head_dim) {
  ConfigReader reader(scaling, where);
  const std::string type = reader.get_or<std::string>("rope_type", reader.get_or<std::string>("type", "default"));
  if (type == "default") return {};
  if (type == "divisors")
    return divided_frequencies(reader.get<std::vector<double>>("divisors"), where, theta, head_dim);
  require(type == "linear" || type == "llama3", ErrorKind::unsupported,
          "{}: positions of type \"{}\" (known are default, linear, llama3)", where, type);
  Llama3Scaling llama3{.factor = read_positive(reader, "factor", where)};
  if (type == "llama3") {
    llama3.low_factor = read_positive(reader, "low_freq_factor", where);
    llama3.high_factor = read_positive(reader, "high_freq_factor", where);
    llama3.original_context = read_positive(reader, "original_max_position_embeddings", where);
    require(llama3.low_factor < llama3.high_factor, ErrorKind::invalid_data,
            "{}: \"low_freq_factor\" {} is not below \"high_freq_factor\" {}", where, llama3.low_factor,
            llama3.high_factor);
  }
  const Tensor frequencies = Tensor::empty({head_dim / 2});
  for (int64_t c = 0; c < head_dim / 2; ++c) {
    const double plain = plain_frequency(theta, c, head_dim);
    frequencies.data<float>()[c] = static_cast<float>(type == "linear" ? plain / llama3.factor : llama3.apply(plain));
  }
  return frequencies;
}

DecoderConfig read_decoder_sizes(const Json& json, const std::string& where, const DecoderDefaults& defaults) {
  const Json given = without_nulls(json);
  ConfigReader reader(given, where);
  DecoderConfig config;
  config.vocabulary = reader.get_int_or("vocab_size", defaults.vocabulary, 16, 1 << 22);
  config.context = reader.get_int_or("max_position_embeddings", defaults.context, 16, 1 << 24);
  config.dim = reader.get_int_or("hidden_size", defaults.dim, 8, 1 << 16);
  config.layers = reader.get_int_or("num_hidden_layers", defaults.layers, 1, 1024);
  config.heads = reader.get_int_or("num_attention_heads", defaults.heads, 1, 1024);
  config.kv_heads =
      reader.get_int_or("num_key_value_heads", defaults.kv_heads == 0 ? config.heads : defaults.kv_heads, 1, 1024);
  config.mlp_width = reader.get_int_or("intermediate_size", defaults.mlp_width, 8, 1 << 18);
  require(config.heads % config.kv_heads == 0, ErrorKind::invalid_data,
          "{}: \"num_attention_heads\" {} is no multiple of \"num_key_value_heads\" {}", where, config.heads,
          config.kv_heads);
  require(reader.has("head_dim") || config.dim % config.heads == 0, ErrorKind::invalid_data,
          "{}: \"hidden_size\" {} is no multiple of \"num_attention_heads\" {}", where, config.dim, config.heads);
  config.head_dim = reader.get_int_or("head_dim", config.dim / config.heads, 1, 1 << 16);
  require(config.head_dim % 8 == 0 && config.head_dim <= 256, ErrorKind::unsupported,
          "{}: heads of size {}; attention is made for multiples of 8 up to 256", where, config.head_dim);
  config.norm_eps = static_cast<float>(reader.get_or<double>("rms_norm_eps", defaults.norm_eps));
  config.qk_norm = false;
  config.tied_embeddings = reader.get_or<bool>("tie_word_embeddings", false);
  const std::string activation = reader.get_or<std::string>("hidden_act", "silu");
  require(activation == "silu", ErrorKind::unsupported, "{}: \"hidden_act\" is \"{}\"; the decoder has silu", where,
          activation);

  // Older files have "rope_theta" and "rope_scaling", newer ones "rope_parameters" with all of it.
  const char* key = reader.has("rope_parameters") ? "rope_parameters" : "rope_scaling";
  const Json rope = without_nulls(reader.child(key));
  const std::string rope_where = where + ": " + key;
  ConfigReader rope_reader(rope, rope_where);
  const double theta =
      rope_reader.get_or<double>("rope_theta", reader.get_or<double>("rope_theta", defaults.rope_theta));
  require(theta > 0, ErrorKind::invalid_data, "{}: \"rope_theta\" is {}, expected a positive number", where, theta);
  config.rope_theta = static_cast<float>(theta);
  config.rope_frequencies = read_rope_frequencies(rope, rope_where, config.rope_theta, config.head_dim);
  return config;
}

void limit_to_window(DecoderConfig& config, const Json& json, const std::string& where) {
  const Json given = without_nulls(json);
  ConfigReader reader(given, where);
  config.context = std::min(config.context, reader.get_int("sliding_window", 1, 1 << 24));
}

std::vector<NameRule> decoder_rules() {
  return {{"embedding", {"embed_tokens"}},
          {"layers.*.norm1", {"layers.*.input_layernorm"}},
          {"layers.*.attention.qkv",
           {"layers.*.self_attn.q_proj", "layers.*.self_attn.k_proj", "layers.*.self_attn.v_proj"}},
          {"layers.*.attention.out", {"layers.*.self_attn.o_proj"}},
          {"layers.*.norm2", {"layers.*.post_attention_layernorm"}},
          {"layers.*.mlp.gate_up", {"layers.*.mlp.gate_proj", "layers.*.mlp.up_proj"}},
          {"layers.*.mlp.down", {"layers.*.mlp.down_proj"}},
          {"norm", {"norm"}}};
}

void for_each_projection(
    Decoder& decoder,
    const std::function<void(const std::string& name, nn::Linear& linear, int64_t first, int64_t rows)>& visit) {
  const std::vector<NameRule> rules = decoder_rules();
  const DecoderConfig& config = decoder.config();
  const int64_t queries = config.heads * config.head_dim, keys = config.kv_heads * config.head_dim;
  const auto rows_of = [&](const NameRule& rule, size_t part, const nn::Linear& linear) {
    if (rule.theirs.size() == 3) return part == 0 ? queries : keys;  // queries, keys and values
    return linear.outputs() / static_cast<int64_t>(rule.theirs.size());
  };
  decoder.for_each_linear([&](const std::string& name, nn::Linear& linear) {
    const std::string ours = name.substr(name.find('.') + 1);
    for (const NameRule& rule : rules) {
      int64_t first = 0;
      for (size_t part = 0; part < rule.theirs.size(); ++part) {
        const auto theirs = rename(rule.ours, rule.theirs[part], ours);
        if (!theirs) break;
        const int64_t rows = rows_of(rule, part, linear);
        visit(*theirs, linear, first, rows);
        first += rows;
      }
    }
  });
}

std::vector<std::string> projection_names() {
  std::vector<std::string> names;
  for (const NameRule& rule : decoder_rules()) {
    for (const std::string& theirs : rule.theirs) {
      if (theirs.ends_with("_proj")) names.push_back(theirs.substr(theirs.rfind('.') + 1));
    }
  }
  return names;
}

std::vector<NameRule> decoder_output_rules() { return {{"output", {"lm_head"}}}; }

}  // namespace sensorium::models
