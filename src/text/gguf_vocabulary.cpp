#include "text/gguf_vocabulary.h"

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "base/file.h"
#include "base/json.h"
#include "text/registry.h"
#include "text/sentencepiece_model.h"
#include "text/tokenizer_config.h"
#include "text/word_split.h"

namespace sensorium::text {
namespace {
namespace fs = std::filesystem;

using PieceType = SentencePieceModel::PieceType;  // the numbers of the format are SentencePiece's

// Of tokens that no text is merged to: what llama.cpp's converters write.
constexpr float kAddedScore = -1000.0f, kUnusedScore = -10000.0f;

struct Vocabulary {
  std::string model, pre;
  std::vector<std::string> tokens, merges;
  std::vector<float> scores;  // of "llama"
  std::vector<PieceType> types;
  bool add_space_prefix = true;

  void put(int64_t id, std::string token, PieceType type, float score, const std::string& where) {
    const auto at = static_cast<size_t>(id);
    require(id >= 0 && at < tokens.size(), ErrorKind::invalid_data, "{}: token {} has the id {}, the model has {} rows",
            where, token, id, tokens.size());
    tokens[at] = std::move(token);
    types[at] = type;
    scores[at] = score;
  }
};

Vocabulary empty_vocabulary(std::string model, std::string pre, int64_t rows) {
  Vocabulary vocabulary{.model = std::move(model), .pre = std::move(pre)};
  for (int64_t id = 0; id < rows; ++id) vocabulary.tokens.push_back(fmt::format("[PAD{}]", id));
  vocabulary.types.assign(static_cast<size_t>(rows), PieceType::unused);
  vocabulary.scores.assign(static_cast<size_t>(rows), kUnusedScore);
  return vocabulary;
}

Vocabulary from_sentencepiece(const fs::path& file, int64_t rows) {
  const Result<SentencePieceModel> parsed = parse_sentencepiece_model(read_file(file));
  if (!parsed) throw parsed.error().with_context(file.string());
  const SentencePieceModel& model = parsed.value();
  require(model.type == SentencePieceModel::Type::bpe, ErrorKind::unsupported,
          "{}: a unigram model; GGUF's tokenizer \"llama\" holds BPE", file.string());
  require(!model.normalizes, ErrorKind::unsupported, "{}: it replaces characters, which GGUF's \"llama\" does not",
          file.string());
  Vocabulary vocabulary = empty_vocabulary("llama", "default", rows);
  vocabulary.add_space_prefix = model.add_dummy_prefix;
  std::unordered_map<std::string_view, int32_t> ids;
  for (size_t id = 0; id < model.pieces.size(); ++id) {
    const SentencePieceModel::Piece& piece = model.pieces[id];
    vocabulary.put(static_cast<int64_t>(id), piece.text, piece.type, piece.score, file.string());
    ids.emplace(piece.text, static_cast<int32_t>(id));
  }
  const auto find = [&](std::string_view token) -> std::optional<int32_t> {
    const auto found = ids.find(token);
    return found == ids.end() ? std::nullopt : std::optional(found->second);
  };
  const auto added =
      resolve_added_tokens(read_tokenizer_config(file.parent_path()), static_cast<int32_t>(model.pieces.size()), find);
  for (const AddedToken& token : added) {
    const bool unknown = token.content == model.unk_piece;
    vocabulary.put(token.id, token.content,
                   unknown         ? PieceType::unknown
                   : token.special ? PieceType::control
                                   : PieceType::user_defined,
                   kAddedScore, file.string());
  }
  return vocabulary;
}

// The two sides of a merge: "a b" or ["a", "b"].
std::pair<std::string, std::string> sides_of(const Json& merge, const std::string& where) {
  if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
    return {merge[0].get<std::string>(), merge[1].get<std::string>()};
  }
  const std::string text = merge.is_string() ? merge.get<std::string>() : "";
  const size_t space = text.find(' ');
  require(space != std::string::npos, ErrorKind::invalid_data, "{}: a merge is {}, expected \"left right\"", where,
          merge.dump());
  return {text.substr(0, space), text.substr(space + 1)};
}

// A step of this type in a field that holds one step, a sequence of steps or null; nullptr without one.
const Json* find_step(const Json& step, std::string_view type) {
  if (!step.is_object()) return nullptr;
  if (step.value("type", "") == type) return &step;
  for (const char* list : {"normalizers", "pretokenizers"}) {
    if (!step.contains(list)) continue;
    for (const Json& inner : step.at(list)) {
      if (const Json* found = find_step(inner, type)) return found;
    }
  }
  return nullptr;
}

bool is_byte_token(std::string_view token) {
  const auto digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F'); };
  return token.size() == 6 && token.starts_with("<0x") && token[5] == '>' && digit(token[3]) && digit(token[4]);
}

// SentencePiece merges any two neighbours that make a piece, the piece of the highest score first: the same as a list of
// merges only if every way to make a piece is in it, and the ways to one piece stand together.
void score_pieces(const Json& merges, const std::string& where, Vocabulary& vocabulary) {
  std::unordered_map<std::string, size_t> ids, rank;
  for (size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    if (vocabulary.types[id] == PieceType::normal) ids.emplace(vocabulary.tokens[id], id);
  }
  std::unordered_map<std::string, size_t> ways;
  std::string last;
  for (size_t i = 0; i < merges.size(); ++i) {
    const auto [left, right] = sides_of(merges[i], where);
    const std::string piece = left + right;
    const bool is_new = rank.emplace(piece, i).second;
    require(is_new || piece == last, ErrorKind::unsupported,
            "{}: the merges to \"{}\" do not stand together: not those of a SentencePiece model", where, piece);
    ++ways[piece];
    last = piece;
  }
  for (const auto& [piece, id] : ids) {
    const auto found = rank.find(piece);
    vocabulary.scores[id] = found == rank.end() ? kUnusedScore : -static_cast<float>(found->second);
    size_t possible = 0;
    for (size_t cut = 1; cut < piece.size(); ++cut) {
      if ((static_cast<unsigned char>(piece[cut]) & 0xC0) == 0x80) continue;  // inside a character
      possible += ids.contains(piece.substr(0, cut)) && ids.contains(piece.substr(cut));
    }
    const auto listed = ways.find(piece);
    require(possible == (listed == ways.end() ? 0 : listed->second), ErrorKind::unsupported,
            "{}: \"{}\" can be made of two tokens in {} ways, the merges list {}: not those of a SentencePiece model",
            where, piece, possible, listed == ways.end() ? 0 : listed->second);
  }
}

struct PreTokenizer {
  std::string_view pattern, name;
};
constexpr std::array<PreTokenizer, 3> kPreTokenizers = {
    {{kGpt2Pattern, "gpt-2"}, {kQwen2Pattern, "qwen2"}, {kLlama3Pattern, "llama-bpe"}}};

// What llama.cpp calls the steps before the merges.
std::string name_pre_tokenizer(const Json& json, const std::string& where) {
  const Json steps = json.value("pre_tokenizer", Json());
  std::string pattern(kGpt2Pattern);  // of the byte-level step itself
  if (const Json* split = find_step(steps, "Split")) {
    const Json given = split->value("pattern", Json::object());
    pattern = given.is_object() ? given.value("Regex", "") : "";
  }
  for (const PreTokenizer& known : kPreTokenizers) {
    if (pattern == known.pattern) return std::string(known.name);
  }
  fail(ErrorKind::unsupported, "{}: llama.cpp has no name for the pre-tokenizer with the pattern {}", where, pattern);
}

Vocabulary from_json(const fs::path& file, int64_t rows) {
  const std::string where = file.string();
  const Json json = read_json_file(file);
  require(json.is_object() && json.contains("model") && json.at("model").is_object(), ErrorKind::invalid_data,
          "{}: \"model\" is missing", where);
  const Json& model = json.at("model");
  require(model.value("type", "BPE") == "BPE" && model.contains("vocab") && model.at("vocab").is_object() &&
              model.contains("merges") && model.at("merges").is_array(),
          ErrorKind::unsupported, "{}: GGUF holds BPE tokenizers; this is \"{}\"", where, model.value("type", ""));
  const bool byte_level = find_step(json.value("pre_tokenizer", Json()), "ByteLevel") != nullptr;
  const bool byte_fallback = model.contains("byte_fallback") && model.at("byte_fallback") == true;
  require(byte_level || byte_fallback, ErrorKind::unsupported,
          "{}: neither byte-level nor with byte fallback, which GGUF's tokenizers are", where);
  Vocabulary vocabulary = byte_level ? empty_vocabulary("gpt2", name_pre_tokenizer(json, where), rows)
                                     : empty_vocabulary("llama", "default", rows);
  for (const auto& [token, id] : model.at("vocab").items()) {
    require(id.is_number_integer(), ErrorKind::invalid_data, "{}: the id of \"{}\" is {}", where, token, id.dump());
    const bool is_byte = byte_fallback && is_byte_token(token);
    vocabulary.put(id.get<int64_t>(), token, is_byte ? PieceType::byte : PieceType::normal, kUnusedScore, where);
  }
  const std::string unknown =
      model.contains("unk_token") && model.at("unk_token").is_string() ? model.at("unk_token").get<std::string>() : "";
  for (const Json& token : json.value("added_tokens", Json::array())) {
    ConfigReader reader(token, where + ": added_tokens");
    const auto content = reader.get<std::string>("content");
    vocabulary.put(reader.get<int64_t>("id"), content,
                   content == unknown                      ? PieceType::unknown
                   : reader.get_or<bool>("special", false) ? PieceType::control
                                                           : PieceType::user_defined,
                   kAddedScore, where);
  }
  if (byte_level) {
    for (const Json& merge : model.at("merges")) {
      const auto [left, right] = sides_of(merge, where);
      vocabulary.merges.push_back(left + " " + right);
    }
  } else {
    const Json normalizer = json.value("normalizer", Json()), steps = json.value("pre_tokenizer", Json());
    const Json* metaspace = find_step(steps, "Metaspace");
    vocabulary.add_space_prefix = find_step(normalizer, "Prepend") != nullptr ||
                                  (metaspace != nullptr && metaspace->value("prepend_scheme", "always") != "never");
    score_pieces(model.at("merges"), where, vocabulary);
  }
  return vocabulary;
}

std::optional<int64_t> role_of(const Vocabulary& vocabulary, const TokenizerConfig& config, const char* role,
                               std::optional<int64_t> fallback) {
  const std::string token = config.token(role, "");
  const auto found = std::ranges::find(vocabulary.tokens, token);
  return token.empty() || found == vocabulary.tokens.end() ? fallback
                                                           : std::optional<int64_t>(found - vocabulary.tokens.begin());
}

}  // namespace

std::vector<io::GgufEntry> gguf_vocabulary(const fs::path& folder, const GgufVocabularyOptions& options) {
  const fs::path pieces = folder / "tokenizer.model";
  const Vocabulary vocabulary = fs::exists(pieces) ? from_sentencepiece(pieces, options.rows)
                                                   : from_json(folder / "tokenizer.json", options.rows);
  std::vector<int32_t> types;
  for (const PieceType type : vocabulary.types) types.push_back(static_cast<int32_t>(type));
  using io::GgufValue;
  std::vector<io::GgufEntry> entries = {{"tokenizer.ggml.model", GgufValue::of(vocabulary.model)},
                                        {"tokenizer.ggml.pre", GgufValue::of(vocabulary.pre)},
                                        {"tokenizer.ggml.tokens", GgufValue::array(vocabulary.tokens)}};
  if (vocabulary.model == "llama") {
    entries.push_back({"tokenizer.ggml.scores", GgufValue::array(vocabulary.scores)});
  } else {
    entries.push_back({"tokenizer.ggml.merges", GgufValue::array(vocabulary.merges)});
  }
  entries.push_back({"tokenizer.ggml.token_type", GgufValue::array(types)});
  const TokenizerConfig config = read_tokenizer_config(folder);
  const auto unknown = std::ranges::find(vocabulary.types, PieceType::unknown);
  const std::optional<int64_t> bos = role_of(vocabulary, config, "bos_token", options.bos),
                               eos = role_of(vocabulary, config, "eos_token", options.eos),
                               pad = role_of(vocabulary, config, "pad_token", options.pad);
  const auto put_id = [&](const char* key, std::optional<int64_t> id) {
    if (id && *id >= 0 && *id < options.rows) entries.push_back({key, GgufValue::of(static_cast<uint32_t>(*id))});
  };
  put_id("tokenizer.ggml.bos_token_id", bos);
  put_id("tokenizer.ggml.eos_token_id", eos);
  if (unknown != vocabulary.types.end()) put_id("tokenizer.ggml.unknown_token_id", unknown - vocabulary.types.begin());
  put_id("tokenizer.ggml.padding_token_id", pad);
  // What the tokenizer itself puts around a text.
  const std::vector<int32_t> around = load_tokenizer(folder)->encode("a", {.affixes = Affixes::model});
  const bool begins = !around.empty() && bos && around.front() == *bos,
             ends = !around.empty() && eos && around.back() == *eos;
  entries.push_back({"tokenizer.ggml.add_bos_token", GgufValue::of(begins)});
  entries.push_back({"tokenizer.ggml.add_eos_token", GgufValue::of(ends)});
  if (vocabulary.model == "llama") {
    entries.push_back({"tokenizer.ggml.add_space_prefix", GgufValue::of(vocabulary.add_space_prefix)});
  }
  return entries;
}

}  // namespace sensorium::text
