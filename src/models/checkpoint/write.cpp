#include "models/checkpoint/write.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include "base/file.h"
#include "io/gguf.h"
#include "io/safetensors.h"
#include "models/decoder/published.h"
#include "models/gguf/checkpoint.h"
#include "text/gguf_tokenizer.h"

namespace sensorium::models {
namespace {
namespace fs = std::filesystem;

void write_json(const fs::path& path, const Json& json) { write_file_atomic(path, json.dump(2) + "\n"); }

// The class of transformers that a model_type belongs to.
enum class Kind : uint8_t { decoder, multimodal, embedding };
struct Architecture {
  std::string_view model_type, name;
  Kind kind;
};
constexpr std::array<Architecture, 9> kArchitectures = {{
    {"llama", "LlamaForCausalLM", Kind::decoder},
    {"mistral", "MistralForCausalLM", Kind::decoder},
    {"qwen2", "Qwen2ForCausalLM", Kind::decoder},
    {"llava", "LlavaForConditionalGeneration", Kind::multimodal},
    {"llava_next", "LlavaNextForConditionalGeneration", Kind::multimodal},
    {"llava_onevision", "LlavaOnevisionForConditionalGeneration", Kind::multimodal},
    {"clip", "CLIPModel", Kind::embedding},
    {"siglip", "SiglipModel", Kind::embedding},
    {"imagebind", "ImageBindModel", Kind::embedding},
}};

// Divisors of frequencies as transformers' "llama3": the largest is its factor; where the change begins and ends follows from the
// length of the first training, a power of two. (Every published model has the bounds 1 and 4.)
Json name_rope(const Json& rope, int64_t head_dim, const std::string& where) {
  if (rope.value("rope_type", "default") != "divisors") return rope;
  const auto theta = static_cast<float>(rope.at("rope_theta").get<double>());
  const Tensor wanted = read_rope_frequencies(rope, where, theta, head_dim);
  const auto divisors = rope.at("divisors").get<std::vector<double>>();
  for (int64_t original = 64; original <= 1 << 20; original *= 2) {
    const Json candidate = {{"rope_type", "llama3"},
                            {"rope_theta", rope.at("rope_theta")},
                            {"factor", *std::ranges::max_element(divisors)},
                            {"low_freq_factor", 1.0},
                            {"high_freq_factor", 4.0},
                            {"original_max_position_embeddings", original}};
    const Tensor made = read_rope_frequencies(candidate, where, theta, head_dim);
    bool same = true;
    for (int64_t c = 0; c < head_dim / 2; ++c) {
      const float a = made.data<float>()[c], b = wanted.data<float>()[c];
      same = same && std::fabs(a - b) <= 1e-5f * std::fabs(b);
    }
    if (same) return candidate;
  }
  fail(ErrorKind::unsupported, "{}: rope_freqs.weight is not what transformers' \"llama3\" makes", where);
}

Json decoder_config(Json config, const std::string& where) {
  if (!config.contains("rope_parameters")) return config;
  const int64_t head_dim = config.contains("head_dim") ? config.at("head_dim").get<int64_t>()
                                                       : config.at("hidden_size").get<int64_t>() /
                                                             config.at("num_attention_heads").get<int64_t>();
  const Json rope = name_rope(config.at("rope_parameters"), head_dim, where);
  config["rope_parameters"] = rope;
  // What versions before 5 of transformers read.
  config["rope_theta"] = rope.at("rope_theta");
  if (rope.value("rope_type", "default") != "default") {
    Json scaling = rope;
    scaling.erase("rope_theta");
    config["rope_scaling"] = scaling;
  }
  return config;
}

Json model_config(const Checkpoint& checkpoint) {
  Json config = checkpoint.config();
  const auto type = config.at("model_type").get<std::string>();
  for (const Architecture& known : kArchitectures) {
    if (known.model_type != type) continue;
    config["architectures"] = {known.name};
    if (known.kind == Kind::embedding) return config;
  }
  if (!config.contains("text_config")) return decoder_config(std::move(config), checkpoint.where());
  config["text_config"] = decoder_config(config.at("text_config"), checkpoint.where() + ": text_config");
  if (config.contains("image_token_index") || config.contains("image_token_id")) return config;
  const std::optional<int32_t> image = checkpoint.tokenizer()->token_id("<image>");
  require(image.has_value(), ErrorKind::unsupported,
          "{}: no token of the vocabulary stands for a picture, which Hugging Face's layout needs", checkpoint.where());
  config["image_token_index"] = *image;
  return config;
}

void write_gguf_tokenizer(const Checkpoint& checkpoint, const fs::path& folder) {
  const text::TokenizerFiles files =
      text::tokenizer_files_from_gguf(io::GgufFile::open(gguf_model_file(checkpoint.path())));
  write_file_atomic(folder / files.name, files.bytes);
  write_json(folder / "tokenizer_config.json", files.config);
  if (const auto chat = checkpoint.chat_template()) write_file_atomic(folder / "chat_template.jinja", chat->source());
}

// The tower's norm behind its last block, which GGUF files leave out as the model never reads it, and transformers wants to find: one
// that changes nothing.
void add_last_norm(std::vector<io::NamedLazyTensor>& tensors, const Json& config) {
  if (!config.contains("vision_config")) return;
  const int64_t dim = config.at("vision_config").at("hidden_size").get<int64_t>();
  for (const auto& [kind, value] : {std::pair("weight", 1.0f), std::pair("bias", 0.0f)}) {
    const std::string name = fmt::format("vision_tower.vision_model.post_layernorm.{}", kind);
    const bool there = std::ranges::any_of(tensors, [&](const io::NamedLazyTensor& t) { return t.name == name; });
    if (there) continue;
    tensors.push_back({name, {{dim}, DType::f32, [dim, fill = value] { return Tensor::full({dim}, fill); }}});
  }
}

}  // namespace

void write_huggingface(const Checkpoint& checkpoint, const fs::path& folder, std::optional<DType> dtype) {
  Json config = model_config(checkpoint);
  if (checkpoint.layout() == Checkpoint::Layout::gguf) {
    write_gguf_tokenizer(checkpoint, folder);
  } else {
    for (const fs::path& file : checkpoint.companions()) write_file_atomic(folder / file.filename(), read_file(file));
  }
  std::error_code code;
  const bool has_processor =
      fs::exists(folder / "preprocessor_config.json", code) || fs::exists(folder / "processor_config.json", code);
  // Only these layouts say it elsewhere than in a companion; ImageBind prepares pictures in one way.
  const bool says_elsewhere =
      checkpoint.layout() == Checkpoint::Layout::original_llava || checkpoint.layout() == Checkpoint::Layout::gguf;
  if (config.contains("vision_config") && says_elsewhere && !has_processor) {
    const Json processor = checkpoint.image_processor().json;
    if (!processor.empty()) write_json(folder / "preprocessor_config.json", processor);
  }
  std::vector<io::NamedLazyTensor> tensors;
  const TensorFiles files = checkpoint.weights();
  for (const auto& [name, entry] : files.entries()) {
    const DType target = dtype && is_float(entry.dtype) ? *dtype : entry.dtype;
    tensors.push_back({name, {entry.shape, target, [read = entry.read, target] { return read().to(target); }}});
  }
  if (checkpoint.layout() == Checkpoint::Layout::gguf) add_last_norm(tensors, config);
  if (dtype) {
    const char* name = *dtype == DType::f32 ? "float32" : *dtype == DType::f16 ? "float16" : "bfloat16";
    for (const char* key : {"dtype", "torch_dtype"}) config[key] = name;  // of versions from 4.56 on, and before
  }
  io::stream_safetensors(folder / "model.safetensors", tensors, {{"format", "pt"}});
  write_json(folder / "config.json", config);
}

}  // namespace sensorium::models
