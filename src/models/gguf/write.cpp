#include "models/gguf/write.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>
#include <string_view>

#include "io/gguf.h"
#include "io/gguf_blocks.h"
#include "models/checkpoint/canonical_name.h"
#include "models/decoder/published.h"
#include "models/gguf/names.h"
#include "models/gguf/write_vision.h"
#include "models/gguf/written_tensors.h"
#include "text/gguf_vocabulary.h"

namespace sensorium::models {
namespace {

using io::GgufEntry;
using io::GgufType;
using io::GgufValue;

// llama.cpp's number for "mostly of this type" (general.file_type).
struct FileType {
  GgufType type;
  uint32_t number;
};
constexpr std::array<FileType, 11> kFileTypes = {{{GgufType::f32, 0},
                                                  {GgufType::f16, 1},
                                                  {GgufType::q4_0, 2},
                                                  {GgufType::q4_1, 3},
                                                  {GgufType::q8_0, 7},
                                                  {GgufType::q5_0, 8},
                                                  {GgufType::q5_1, 9},
                                                  {GgufType::q4_k, 14},
                                                  {GgufType::q5_k, 16},
                                                  {GgufType::q6_k, 18},
                                                  {GgufType::bf16, 32}}};

// The type of most elements.
uint32_t file_type(const std::vector<io::GgufOutput>& tensors) {
  std::map<GgufType, int64_t> elements;
  for (const io::GgufOutput& tensor : tensors) {
    elements[tensor.type] += std::get<io::LazyTensor>(tensor.data).shape.elements();
  }
  const auto most = std::ranges::max_element(elements, {}, [](const auto& entry) { return entry.second; });
  const auto found = std::ranges::find(kFileTypes, most->first, &FileType::type);
  require(found != kFileTypes.end(), ErrorKind::unsupported, "a model of {} weights", io::info_of(most->first).name);
  return found->number;
}

// Tables of values that the program computes itself.
bool is_buffer(const std::string& name) {
  return name.ends_with(".rotary_emb.inv_freq") || name.ends_with(".position_ids");
}

// What the frequencies are divided by, one for each; empty for plain powers of theta.
std::vector<float> divisors_of(const DecoderConfig& config) {
  std::vector<float> divisors;
  if (!config.rope_frequencies.defined()) return divisors;
  for (int64_t c = 0; c < config.head_dim / 2; ++c) {
    const double plain = std::pow(static_cast<double>(config.rope_theta),
                                  -2.0 * static_cast<double>(c) / static_cast<double>(config.head_dim));
    divisors.push_back(static_cast<float>(plain / config.rope_frequencies.data<float>()[c]));
  }
  return divisors;
}

bool all_equal(const std::vector<float>& values) {
  return std::ranges::all_of(values, [&](float v) { return std::fabs(v - values[0]) <= 1e-6f * values[0]; });
}

std::optional<int64_t> first_id(const Json& config, const char* key) {
  if (!config.contains(key)) return std::nullopt;
  const Json& value = config.at(key);
  const Json& id = value.is_array() && !value.empty() ? value[0] : value;
  return id.is_number_integer() ? std::optional(id.get<int64_t>()) : std::nullopt;
}

struct TextPart {
  Json config;
  std::string where, type;  // model_type
  DecoderConfig sizes;
};
TextPart text_part(const Checkpoint& checkpoint, bool multimodal) {
  TextPart text{.config = checkpoint.config(), .where = checkpoint.where()};
  if (multimodal) {
    text.config = without_nulls(text.config.value("text_config", Json::object()));
    text.where += ": text_config";
  }
  text.type = text.config.value("model_type", "llama");
  text.sizes = decoder_family(text.type, text.where).read(text.config, text.where);
  if (multimodal && checkpoint.config().value("tie_word_embeddings", false)) text.sizes.tied_embeddings = true;
  return text;
}

// "llama": llama, mistral; "qwen2".
std::string architecture_of(const TextPart& text) { return text.type == "qwen2" ? "qwen2" : "llama"; }

std::vector<GgufEntry> decoder_metadata(const Checkpoint& checkpoint, const TextPart& text) {
  const DecoderConfig& sizes = text.sizes;
  const std::string architecture = architecture_of(text), prefix = architecture + ".";
  const auto number = [](int64_t value) { return GgufValue::of(static_cast<uint32_t>(value)); };
  std::vector<GgufEntry> entries = {{"general.architecture", GgufValue::of(architecture)},
                                    {"general.type", GgufValue::of("model")},
                                    {"general.name", GgufValue::of(checkpoint.name())},
                                    {prefix + "vocab_size", number(sizes.vocabulary)},
                                    {prefix + "context_length", number(sizes.context)},
                                    {prefix + "embedding_length", number(sizes.dim)},
                                    {prefix + "block_count", number(sizes.layers)},
                                    {prefix + "feed_forward_length", number(sizes.mlp_width)},
                                    {prefix + "attention.head_count", number(sizes.heads)},
                                    {prefix + "attention.head_count_kv", number(sizes.kv_heads)},
                                    {prefix + "attention.key_length", number(sizes.head_dim)},
                                    {prefix + "attention.value_length", number(sizes.head_dim)},
                                    {prefix + "attention.layer_norm_rms_epsilon", GgufValue::of(sizes.norm_eps)},
                                    {prefix + "rope.dimension_count", number(sizes.head_dim)},
                                    {prefix + "rope.freq_base", GgufValue::of(sizes.rope_theta)}};
  if (const std::vector<float> divisors = divisors_of(sizes); !divisors.empty()) {
    if (all_equal(divisors)) {
      entries.push_back({prefix + "rope.scaling.type", GgufValue::of("linear")});
      entries.push_back({prefix + "rope.scaling.factor", GgufValue::of(divisors[0])});
    } else {
      require(architecture == "llama", ErrorKind::unsupported,
              "{}: llama.cpp stretches positions frequency by frequency for the architecture llama only", text.where);
    }
  }
  return entries;
}

io::LazyTensor lazy(const TensorFiles::Entry& entry) { return {entry.shape, entry.dtype, entry.read}; }

// Rows of queries and keys in llama.cpp's order.
io::LazyTensor in_pairs(const TensorFiles::Entry& entry, int64_t heads) {
  return {entry.shape, entry.dtype,
          [read = entry.read, heads] { return reorder_head_rows(read(), heads, HeadRows::pairs); }};
}

void add_decoder_tensor(WrittenTensors& tensors, const TextPart& text, const std::string& name,
                        const TensorFiles::Entry& entry) {
  if (name == "lm_head.weight" && text.sizes.tied_embeddings) return;
  const std::optional<std::string> theirs = to_theirs(gguf_decoder_names(), name);
  require(theirs.has_value(), ErrorKind::unsupported, "tensor {} {}: GGUF's architecture {} has none of that kind",
          entry.file_name, entry.shape, architecture_of(text));
  const bool rotated = architecture_of(text) == "llama";
  const bool queries = rotated && name.find(".self_attn.q_proj.") != std::string::npos,
             keys = rotated && name.find(".self_attn.k_proj.") != std::string::npos;
  tensors.add(*theirs,
              queries || keys ? in_pairs(entry, queries ? text.sizes.heads : text.sizes.kv_heads) : lazy(entry));
}

std::vector<std::string> expected_decoder_tensors(const TextPart& text) {
  std::vector<std::string> names;
  for (const NamePair& pair : gguf_decoder_names()) {
    const std::string theirs = pair.theirs;
    if (theirs == "output" && text.sizes.tied_embeddings) continue;
    const size_t star = theirs.find('*');
    for (int64_t i = 0; i < (star == std::string::npos ? 1 : text.sizes.layers); ++i) {
      std::string name = theirs + ".weight";
      if (star != std::string::npos) name.replace(star, 1, std::to_string(i));
      names.push_back(std::move(name));
    }
  }
  return names;
}

}  // namespace

void write_gguf_model(const Checkpoint& checkpoint, const std::filesystem::path& folder, std::optional<GgufType> type) {
  const bool multimodal = checkpoint.config().contains("vision_config");
  const TextPart text = text_part(checkpoint, multimodal);
  const std::optional<WrittenVision> vision = multimodal ? std::optional(WrittenVision::of(checkpoint)) : std::nullopt;
  const TensorFiles files = checkpoint.weights();
  WrittenTensors decoder(type, WrittenTensors::Smallest::any), tower(type, WrittenTensors::Smallest::q8_0);
  for (const auto& [file_name, entry] : files.entries()) {
    if (is_buffer(file_name)) continue;
    const std::string name = canonical_name(file_name);
    if (!is_vision_name(name)) {
      add_decoder_tensor(decoder, text, name, entry);
      continue;
    }
    require(vision.has_value(), ErrorKind::invalid_data, "tensor {} {} is not part of a text model", entry.file_name,
            entry.shape);
    vision->add(tower, name, entry);
  }
  decoder.require_all(expected_decoder_tensors(text), checkpoint.path().string());
  if (const std::vector<float> divisors = divisors_of(text.sizes); !divisors.empty() && !all_equal(divisors)) {
    const Tensor values = Tensor::from(divisors, {static_cast<int64_t>(divisors.size())});
    decoder.add("rope_freqs.weight", {values.shape(), DType::f32, [values] { return values; }});
  }
  std::vector<GgufEntry> metadata = decoder_metadata(checkpoint, text);
  metadata.push_back({"general.file_type", GgufValue::of(file_type(decoder.outputs()))});
  metadata.push_back({"general.quantization_version", GgufValue::of(uint32_t{2})});
  for (GgufEntry& entry : text::gguf_vocabulary(checkpoint.path(), {.rows = text.sizes.vocabulary,
                                                                   .bos = first_id(text.config, "bos_token_id"),
                                                                   .eos = first_id(text.config, "eos_token_id"),
                                                                   .pad = first_id(text.config, "pad_token_id")})) {
    metadata.push_back(std::move(entry));
  }
  if (const std::optional<text::ChatTemplate> chat = checkpoint.chat_template()) {
    metadata.push_back({"tokenizer.chat_template", GgufValue::of(chat->source())});
  }
  io::write_gguf(folder / "model.gguf", metadata, decoder.outputs());
  if (!vision) return;
  tower.require_all(vision->expected(), checkpoint.path().string());
  std::vector<GgufEntry> more = vision->metadata();
  more.push_back({"general.file_type", GgufValue::of(file_type(tower.outputs()))});
  more.push_back({"general.quantization_version", GgufValue::of(uint32_t{2})});
  io::write_gguf(folder / "mmproj.gguf", more, tower.outputs());
}

}  // namespace sensorium::models
