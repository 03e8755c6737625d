#include "text/tokenizer_json.h"

#include <utility>

#include "base/file.h"
#include "base/json.h"
#include "text/component.h"
#include "text/pipeline_json.h"

namespace sensorium::text {
namespace {

// The largest published vocabularies have 262,144 tokens, in files of 35 MB.
constexpr size_t kMaxFileBytes = size_t{256} << 20;

Vocab parse_vocab(const Json& json) {
  require(json.is_object(), ErrorKind::invalid_data, "model: \"vocab\" must be an object, found {}", json.type_name());
  require(!json.empty(), ErrorKind::invalid_data, "model: \"vocab\" is empty");
  Vocab vocab;
  vocab.reserve(json.size(), json.size() * 8);
  for (const auto& [token, id] : json.items()) {
    require(id.is_number_unsigned() && id.get<uint64_t>() <= static_cast<uint64_t>(kMaxTokenId),
            ErrorKind::invalid_data, "model: the id of token '{}' is not a whole number up to {}", token, kMaxTokenId);
    require(token.size() <= kMaxTokenBytes, ErrorKind::limit, "model: a token of {} bytes, at most {} are allowed",
            token.size(), kMaxTokenBytes);
    require(vocab.add(token, static_cast<int32_t>(id.get<uint64_t>())), ErrorKind::invalid_data,
            "model: token '{}' has the id {} of another token", token, id.get<uint64_t>());
  }
  return vocab;
}

std::pair<std::string_view, std::string_view> parse_merge(const Json& json, size_t rank) {
  if (json.is_array() && json.size() == 2 && json[0].is_string() && json[1].is_string()) {
    return {json[0].get_ref<const std::string&>(), json[1].get_ref<const std::string&>()};
  }
  require(json.is_string(), ErrorKind::invalid_data, "model: merge {} is neither \"a b\" nor [\"a\", \"b\"]", rank);
  const std::string_view text = json.get_ref<const std::string&>();
  const size_t space = text.find(' ');
  require(space != std::string_view::npos && text.find(' ', space + 1) == std::string_view::npos,
          ErrorKind::invalid_data, "model: merge {} '{}' must be two tokens with one space between", rank, text);
  return {text.substr(0, space), text.substr(space + 1)};
}

std::vector<MergeRule> parse_merges(const Json& json, const Vocab& vocab, std::string_view prefix) {
  std::vector<MergeRule> merges;
  merges.reserve(json.size());
  std::string joined;
  const auto id_of = [&](std::string_view token) {
    const int32_t id = vocab.find(token);
    require(id != Vocab::kNone, ErrorKind::invalid_data,
            "model: merge {} needs the token '{}', which is not in \"vocab\"", merges.size(), token);
    return id;
  };
  for (const Json& entry : json) {
    if (entry.is_string() && entry.get_ref<const std::string&>().starts_with("#version")) continue;
    auto [left, right] = parse_merge(entry, merges.size());
    const int32_t left_id = id_of(left), right_id = id_of(right);
    require(right.size() >= prefix.size(), ErrorKind::invalid_data,
            "model: merge {}: '{}' is shorter than continuing_subword_prefix", merges.size(), right);
    right.remove_prefix(prefix.size());
    joined.assign(left).append(right);
    merges.push_back({left_id, right_id, id_of(joined)});
  }
  return merges;
}

BpeOptions parse_options(const Json& model) {
  BpeOptions options;
  if (find_member(model, "unk_token") != nullptr) options.unk_token = get_string(model, "unk_token");
  options.continuing_subword_prefix = get_string(model, "continuing_subword_prefix", "");
  options.end_of_word_suffix = get_string(model, "end_of_word_suffix", "");
  options.fuse_unk = get_flag(model, "fuse_unk", false);
  options.byte_fallback = get_flag(model, "byte_fallback", false);
  options.ignore_merges = get_flag(model, "ignore_merges", false);
  if (const Json* dropout = find_member(model, "dropout")) {
    require(dropout->is_number() && dropout->get<double>() == 0.0, ErrorKind::unsupported,
            "model: \"dropout\" other than 0 is not supported: its results are random");
  }
  return options;
}

BpeParts parse_parts(const Json& json) {
  const Json& model = model_of(json);
  const std::string type = model_type(model);
  if (type != "BPE") unsupported_component("model", type);
  const Json* vocab = find_member(model, "vocab");
  require(vocab != nullptr, ErrorKind::invalid_data, "model: \"vocab\" is missing");

  BpeParts parts;
  parts.vocab = parse_vocab(*vocab);
  parts.options = parse_options(model);
  parts.merges = parse_merges(get_array(model, "merges"), parts.vocab, parts.options.continuing_subword_prefix);
  parts.pipeline = parse_pipeline(json, parts.vocab);
  return parts;
}

OrderedJson text_or_null(const std::string& text) { return text.empty() ? OrderedJson() : OrderedJson(text); }

}  // namespace

Result<std::unique_ptr<BpeTokenizer>> parse_tokenizer_json(std::string_view text) {
  if (text.size() > kMaxFileBytes) {
    return Error(ErrorKind::limit,
                 fmt::format("tokenizer.json of {} bytes, at most {} are read", text.size(), kMaxFileBytes));
  }
  const Result<Json> json = parse_json(text);
  if (!json) return json.error();
  return tokenizer_from_json(json.value());
}

Result<std::unique_ptr<BpeTokenizer>> tokenizer_from_json(const Json& json) {
  try {
    return std::make_unique<BpeTokenizer>(parse_parts(json));
  } catch (const Error& error) {
    return error;
  }
}

Result<std::unique_ptr<Tokenizer>> any_from_json(const Json& json) {
  try {
    if (model_type(model_of(json)) == "Unigram") return make_unigram_tokenizer(json);
    return std::unique_ptr<Tokenizer>(std::make_unique<BpeTokenizer>(parse_parts(json)));
  } catch (const Error& error) {
    return error;
  }
}

Result<std::unique_ptr<Tokenizer>> read_tokenizer_json(const std::filesystem::path& path) {
  try {
    const Result<Json> json = parse_json(read_file(path, kMaxFileBytes));
    if (!json) return json.error().with_context(path.string());
    auto tokenizer = any_from_json(json.value());
    if (!tokenizer) return tokenizer.error().with_context(path.string());
    return std::move(tokenizer).value();
  } catch (const Error& error) {
    return error;
  }
}

std::string to_tokenizer_json(const BpeTokenizer& tokenizer) {
  const BpeModel& bpe = tokenizer.model();
  const BpeOptions& options = bpe.options();
  OrderedJson added = OrderedJson::array();
  for (const AddedToken& token : tokenizer.added_tokens()) {
    added.push_back({{"id", token.id},
                     {"content", token.content},
                     {"single_word", token.single_word},
                     {"lstrip", token.lstrip},
                     {"rstrip", token.rstrip},
                     {"normalized", token.normalized},
                     {"special", token.special}});
  }
  OrderedJson vocab = OrderedJson::object();
  auto& entries = vocab.get_ref<OrderedJson::object_t&>();  // push_back: operator[] would search all keys
  for (int32_t id = 0; id < bpe.vocab().size(); ++id) {
    if (bpe.vocab().has(id)) entries.push_back({std::string(bpe.vocab().token(id)), id});
  }
  OrderedJson merges = OrderedJson::array();
  for (const MergeRule& rule : bpe.merges()) {
    merges.push_back({std::string(bpe.vocab().token(rule.left)), std::string(bpe.vocab().token(rule.right))});
  }
  OrderedJson json = {{"version", "1.0"}, {"truncation", nullptr}, {"padding", nullptr}};
  json["added_tokens"] = std::move(added);
  json.update(tokenizer.components());
  json["model"] = {{"type", "BPE"},
                   {"dropout", nullptr},
                   {"unk_token", options.unk_token ? OrderedJson(*options.unk_token) : OrderedJson()},
                   {"continuing_subword_prefix", text_or_null(options.continuing_subword_prefix)},
                   {"end_of_word_suffix", text_or_null(options.end_of_word_suffix)},
                   {"fuse_unk", options.fuse_unk},
                   {"byte_fallback", options.byte_fallback},
                   {"ignore_merges", options.ignore_merges}};
  json["model"]["vocab"] = std::move(vocab);
  json["model"]["merges"] = std::move(merges);
  return json.dump() + "\n";
}

void write_tokenizer_json(const BpeTokenizer& tokenizer, const std::filesystem::path& path) {
  write_file_atomic(path, to_tokenizer_json(tokenizer));
}

}  // namespace sensorium::text
