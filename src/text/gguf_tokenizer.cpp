#include "text/gguf_tokenizer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <vector>

#include "text/sentencepiece_tokenizer.h"
#include "text/tokenizer_json.h"
#include "text/tokenizer_json_steps.h"
#include "text/word_split.h"

namespace sensorium::text {
namespace {

using PieceType = SentencePieceModel::PieceType;  // the numbers of the format are SentencePiece's

constexpr size_t kMaxTokens = size_t{1} << 22;

struct GgufVocabulary {
  std::vector<std::string> tokens;
  std::vector<PieceType> types;
  std::optional<int32_t> bos, eos, unk;

  std::string text(const std::optional<int32_t>& id) const {
    return id ? tokens[static_cast<size_t>(*id)] : std::string();
  }
};

GgufVocabulary read_vocabulary(const io::GgufFile& file) {
  GgufVocabulary vocabulary;
  vocabulary.tokens = file.get<std::vector<std::string>>("tokenizer.ggml.tokens");
  const size_t size = vocabulary.tokens.size();
  require(size > 0 && size <= kMaxTokens, ErrorKind::invalid_data, "\"tokenizer.ggml.tokens\" has {} tokens", size);
  if (file.has("tokenizer.ggml.token_type")) {
    const auto types = file.get<std::vector<int64_t>>("tokenizer.ggml.token_type");
    require(types.size() == size, ErrorKind::invalid_data, "\"tokenizer.ggml.token_type\" has {} values for {} tokens",
            types.size(), size);
    for (const int64_t type : types) {
      require(type >= 1 && type <= 6, ErrorKind::invalid_data, "\"tokenizer.ggml.token_type\" holds {}", type);
      vocabulary.types.push_back(static_cast<PieceType>(type));
    }
  } else {
    vocabulary.types.assign(size, PieceType::normal);
  }
  const auto read_id = [&](const char* key) -> std::optional<int32_t> {
    if (!file.has(key)) return std::nullopt;
    const auto id = file.get<int64_t>(key);
    require(id >= 0 && static_cast<size_t>(id) < size, ErrorKind::invalid_data, "\"{}\" is {}, there are {} tokens",
            key, id, size);
    return static_cast<int32_t>(id);
  };
  vocabulary.bos = read_id("tokenizer.ggml.bos_token_id");
  vocabulary.eos = read_id("tokenizer.ggml.eos_token_id");
  vocabulary.unk = read_id("tokenizer.ggml.unknown_token_id");
  return vocabulary;
}

// Fields of a protocol buffer message.

void append_varint(std::string& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

void append_number(std::string& out, uint32_t field, uint64_t value) {
  append_varint(out, uint64_t{field} << 3);
  append_varint(out, value);
}

void append_bytes(std::string& out, uint32_t field, std::string_view bytes) {
  append_varint(out, uint64_t{field} << 3 | 2);
  append_varint(out, bytes.size());
  out += bytes;
}

void append_float(std::string& out, uint32_t field, double value) {
  const auto number = static_cast<float>(value);
  std::array<char, sizeof number> bytes;
  std::memcpy(bytes.data(), &number, sizeof number);
  append_varint(out, uint64_t{field} << 3 | 5);
  out.append(bytes.data(), bytes.size());
}

// The model file that the metadata was made from, as far as it matters. Field numbers: sentencepiece_model.proto.
std::string write_sentencepiece(const io::GgufFile& file, const GgufVocabulary& vocabulary) {
  const auto scores = file.get<std::vector<double>>("tokenizer.ggml.scores");
  require(scores.size() == vocabulary.tokens.size(), ErrorKind::invalid_data,
          "\"tokenizer.ggml.scores\" has {} values for {} tokens", scores.size(), vocabulary.tokens.size());
  std::string model;
  for (size_t id = 0; id < scores.size(); ++id) {
    require(std::isfinite(scores[id]), ErrorKind::invalid_data, "the score of token {} is {}", id, scores[id]);
    std::string piece;
    append_bytes(piece, 1, vocabulary.tokens[id]);
    append_float(piece, 2, scores[id]);
    // Rows that fill up the embedding are in no text, but a model may say them: then they add nothing.
    const PieceType type = vocabulary.types[id];
    append_number(piece, 3, static_cast<uint64_t>(type == PieceType::unused ? PieceType::control : type));
    append_bytes(model, 1, piece);
  }
  const bool has_bytes =
      std::find(vocabulary.types.begin(), vocabulary.types.end(), PieceType::byte) != vocabulary.types.end();
  std::string trainer;
  append_number(trainer, 3, static_cast<uint64_t>(SentencePieceModel::Type::bpe));
  append_number(trainer, 35, has_bytes ? 1 : 0);
  if (vocabulary.unk) append_bytes(trainer, 45, vocabulary.text(vocabulary.unk));
  if (vocabulary.bos) append_bytes(trainer, 46, vocabulary.text(vocabulary.bos));
  if (vocabulary.eos) append_bytes(trainer, 47, vocabulary.text(vocabulary.eos));
  append_bytes(model, 2, trainer);
  std::string normalizer;
  if (file.has("tokenizer.ggml.precompiled_charsmap")) {
    std::string map;
    for (const int64_t byte : file.get<std::vector<int64_t>>("tokenizer.ggml.precompiled_charsmap")) {
      map += static_cast<char>(byte);
    }
    append_bytes(normalizer, 2, map);
  }
  append_number(normalizer, 3, file.get_or<bool>("tokenizer.ggml.add_space_prefix", true) ? 1 : 0);
  append_number(normalizer, 4, file.get_or<bool>("tokenizer.ggml.remove_extra_whitespaces", false) ? 1 : 0);
  append_bytes(model, 3, normalizer);
  return model;
}

std::unique_ptr<Tokenizer> read_llama(const io::GgufFile& file) {
  const GgufVocabulary vocabulary = read_vocabulary(file);
  TokenizerConfig config;
  config.tokenizer_class = "LlamaTokenizer";
  config.add_bos_token = file.get_or<bool>("tokenizer.ggml.add_bos_token", true);
  config.add_eos_token = file.get_or<bool>("tokenizer.ggml.add_eos_token", false);
  for (const auto& [role, id] : {std::pair("bos_token", vocabulary.bos), std::pair("eos_token", vocabulary.eos)}) {
    if (!id) continue;
    config.tokens[role] = vocabulary.text(id);
    config.named.push_back(vocabulary.text(id));
  }
  return parse_sentencepiece(write_sentencepiece(file, vocabulary), config).value();
}

// What "tokenizer.ggml.pre" stands for: the steps before the merges, which the metadata leaves out.
struct PreTokenizer {
  std::string_view name;
  std::string_view pattern;
  bool nfc;
  bool ignore_merges;  // a word that is a token is not merged from its characters
  bool add_bos;        // unless the file says otherwise
};
constexpr PreTokenizer kPreTokenizers[] = {
    {"gpt-2", kGpt2Pattern, false, false, false},     {"qwen2", kQwen2Pattern, true, false, false},
    {"llama-bpe", kLlama3Pattern, false, true, true}, {"llama3", kLlama3Pattern, false, true, true},
    {"llama-v3", kLlama3Pattern, false, true, true},
};

const PreTokenizer& find_pre_tokenizer(const std::string& name) {
  std::string names;
  for (const PreTokenizer& known : kPreTokenizers) {
    if (known.name == name) return known;
    names += fmt::format("{}{}", names.empty() ? "" : ", ", known.name);
  }
  fail(ErrorKind::unsupported, "\"tokenizer.ggml.pre\" is \"{}\", supported are {}", name, names);
}

// As tokenizer.json.
Json gpt2_json(const io::GgufFile& file) {
  const GgufVocabulary vocabulary = read_vocabulary(file);
  const PreTokenizer& pre = find_pre_tokenizer(file.get_or<std::string>("tokenizer.ggml.pre", "default"));
  Json vocab = Json::object(), added = Json::array(), merges = Json::array();
  for (size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    const std::string& token = vocabulary.tokens[id];
    const auto number = static_cast<uint32_t>(id);
    switch (vocabulary.types[id]) {
      case PieceType::unused:  // rows that fill up the embedding
        break;
      case PieceType::control:
      case PieceType::user_defined:
      case PieceType::unknown:
        added.push_back({{"id", number},
                         {"content", token},
                         {"single_word", false},
                         {"lstrip", false},
                         {"rstrip", false},
                         {"normalized", false},
                         {"special", vocabulary.types[id] != PieceType::user_defined}});
        break;
      default:
        require(vocab.emplace(token, number).second, ErrorKind::invalid_data, "token '{}' stands twice", token);
    }
  }
  for (std::string& merge : file.get<std::vector<std::string>>("tokenizer.ggml.merges"))
    merges.push_back(std::move(merge));
  Json json = {{"version", "1.0"}, {"added_tokens", std::move(added)}};
  json["model"] = {{"type", "BPE"}, {"ignore_merges", pre.ignore_merges}, {"merges", std::move(merges)}};
  json["model"]["vocab"] = std::move(vocab);
  if (pre.nfc) json["normalizer"] = {{"type", "NFC"}};
  json["pre_tokenizer"] =
      step_sequence("pretokenizers", {split_step(pre.pattern, "Isolated"), byte_level_step(false, false)});
  json["decoder"] = byte_level_step(true, true);
  const auto affix = [&](const std::optional<int32_t>& id, bool wanted) {
    return wanted && id ? std::optional(AffixToken{vocabulary.text(id), *id}) : std::nullopt;
  };
  json["post_processor"] =
      affix_step(affix(vocabulary.bos, file.get_or<bool>("tokenizer.ggml.add_bos_token", pre.add_bos)),
                 affix(vocabulary.eos, file.get_or<bool>("tokenizer.ggml.add_eos_token", false)));
  return json;
}

std::unique_ptr<Tokenizer> read_gpt2(const io::GgufFile& file) { return tokenizer_from_json(gpt2_json(file)).value(); }

// Tokens with a role, and what the tokenizer puts around a text.
Json role_config(const io::GgufFile& file, const char* tokenizer_class, bool add_bos) {
  const GgufVocabulary vocabulary = read_vocabulary(file);
  Json config = {{"tokenizer_class", tokenizer_class},
                 {"add_bos_token", file.get_or<bool>("tokenizer.ggml.add_bos_token", add_bos)},
                 {"add_eos_token", file.get_or<bool>("tokenizer.ggml.add_eos_token", false)}};
  for (const auto& [role, id] : {std::pair("bos_token", vocabulary.bos), std::pair("eos_token", vocabulary.eos),
                                 std::pair("unk_token", vocabulary.unk)}) {
    if (id) config[role] = vocabulary.text(id);
  }
  return config;
}

TokenizerFiles llama_files(const io::GgufFile& file) {
  Json config = role_config(file, "LlamaTokenizer", true);
  const GgufVocabulary vocabulary = read_vocabulary(file);
  Json added = Json::object();  // control tokens, which the model file alone would not find in a prompt
  for (size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    if (vocabulary.types[id] != PieceType::control) continue;
    added[std::to_string(id)] = {{"content", vocabulary.tokens[id]},
                                 {"lstrip", false},
                                 {"normalized", false},
                                 {"rstrip", false},
                                 {"single_word", false},
                                 {"special", true}};
  }
  config["added_tokens_decoder"] = std::move(added);
  return {"tokenizer.model", write_sentencepiece(file, vocabulary), std::move(config)};
}

TokenizerFiles gpt2_files(const io::GgufFile& file) {
  return {"tokenizer.json", gpt2_json(file).dump(), role_config(file, "PreTrainedTokenizerFast", false)};
}

struct Kind {
  std::string_view model;
  std::unique_ptr<Tokenizer> (*read)(const io::GgufFile& file);
  TokenizerFiles (*files)(const io::GgufFile& file);
};
constexpr Kind kKinds[] = {{"llama", read_llama, llama_files}, {"gpt2", read_gpt2, gpt2_files}};

const Kind& find_kind(const io::GgufFile& file) {
  require(file.has("tokenizer.ggml.model"), ErrorKind::invalid_data, "the file has no tokenizer");
  const auto model = file.get<std::string>("tokenizer.ggml.model");
  std::string names;
  for (const Kind& kind : kKinds) {
    if (kind.model == model) return kind;
    names += fmt::format("{}{}", names.empty() ? "" : ", ", kind.model);
  }
  fail(ErrorKind::unsupported, "\"tokenizer.ggml.model\" is \"{}\", supported are {}", model, names);
}

}  // namespace

Result<std::unique_ptr<Tokenizer>> tokenizer_from_gguf(const io::GgufFile& file) {
  try {
    return find_kind(file).read(file);
  } catch (const Error& error) {
    return error.kind() == ErrorKind::not_found ? Error(ErrorKind::invalid_data, error.message()) : error;
  }
}

TokenizerFiles tokenizer_files_from_gguf(const io::GgufFile& file) { return find_kind(file).files(file); }

Result<std::unique_ptr<Tokenizer>> read_gguf_tokenizer(const std::filesystem::path& path) {
  try {
    auto tokenizer = tokenizer_from_gguf(io::GgufFile::open(path));
    if (!tokenizer) return tokenizer.error().with_context(path.string());
    return tokenizer;
  } catch (const Error& error) {
    return error;
  }
}

Result<std::optional<ChatTemplate>> chat_template_from_gguf(const io::GgufFile& file) {
  try {
    if (!file.has("tokenizer.chat_template")) return std::optional<ChatTemplate>();
    const GgufVocabulary vocabulary = read_vocabulary(file);
    auto parsed = ChatTemplate::parse(
        file.get<std::string>("tokenizer.chat_template"),
        {{"bos_token", vocabulary.text(vocabulary.bos)}, {"eos_token", vocabulary.text(vocabulary.eos)}});
    if (!parsed) return parsed.error();
    return std::optional(std::move(parsed).value());
  } catch (const Error& error) {
    return error;
  }
}

}  // namespace sensorium::text
