#include "cli/options.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <memory>
#include <optional>
#include <string>

#include "base/file.h"
#include "text/grammar/gbnf.h"
#include "text/grammar/json_schema.h"

namespace sensorium::cli {

CLI::Validator whole_number(uint64_t low, uint64_t high) {
  const std::string range = high == std::numeric_limits<uint64_t>::max() ? fmt::format("from {}", low)
                                                                         : fmt::format("from {} to {}", low, high);
  return CLI::Validator(
      [low, high, range](std::string& text) {
        uint64_t value = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        const bool fits = error == std::errc() && end == text.data() + text.size() && value >= low && value <= high;
        return fits ? std::string() : fmt::format("\"{}\" is not a whole number {}", text, range);
      },
      range);
}

void add_load_options(CLI::App& command, models::LoadOptions& options) {
  command.add_option("--tower", options.tower,
                     "Folder of the vision tower, for checkpoints of the original LLaVA (default: looked for in the "
                     "model's folder and beside it)");
  command.add_option("--adapter", options.adapter,
                     "Folder of a PEFT adapter (LoRA) for the model; one for another base is refused");
  command.add_option("--mmproj", options.mmproj,
                     "GGUF file of vision tower and projector (default: *mmproj*.gguf beside the model)");
  command.add_option(
      "--chat-template", options.chat_template,
      "How conversations are written: a file, or the name of a built-in template such as vicuna or chatml "
      "(default: the model's own)");
}

namespace {

struct CacheType {
  const char* name;
  std::optional<DType> dtype;
};
constexpr std::array<CacheType, 5> kCacheTypes = {
    {{"auto", std::nullopt}, {"f32", DType::f32}, {"bf16", DType::bf16}, {"f16", DType::f16}, {"q8", DType::i8}}};

}  // namespace

models::CacheOptions cache_options(const GenerateFlags& flags) {
  models::CacheOptions options{.max_bytes = static_cast<size_t>(flags.cache_megabytes) * 1000 * 1000};
  for (const CacheType& type : kCacheTypes) {
    if (flags.cache_type == type.name) options.dtype = type.dtype;
  }
  return options;
}

void add_generate_options(CLI::App& command, GenerateFlags& flags) {
  generate::SamplingOptions& sampling = flags.options.sampling;
  command.add_option("--temperature", sampling.temperature, "0: always the likeliest token")->capture_default_str();
  command.add_option("--top-p", sampling.top_p, "Sample from the likeliest tokens of this total probability")
      ->capture_default_str();
  command.add_option("--top-k", sampling.top_k, "Sample from this many tokens; 0: all")
      ->capture_default_str()
      ->check(whole_number(0));
  command.add_option("--min-p", sampling.min_p, "Sample from tokens at least this times as likely as the likeliest")
      ->capture_default_str();
  command
      .add_option("--repetition-penalty", sampling.repetition_penalty,
                  "Above 1: tokens of prompt and answer become less likely")
      ->capture_default_str();
  command
      .add_option("--frequency-penalty", sampling.frequency_penalty,
                  "Taken from a token's logit for each time that the answer said it (-2..2)")
      ->capture_default_str();
  command
      .add_option("--presence-penalty", sampling.presence_penalty,
                  "Taken from the logits of all tokens that the answer has said (-2..2)")
      ->capture_default_str();
  command.add_option("--logit-bias", flags.logit_bias,
                     "TOKEN=BIAS: add -100..100 to the logit of a token, named by id or text; repeatable");
  command.add_option("--stop", flags.options.stop, "End the answer before this text; repeatable");
  std::vector<std::string> types;
  for (const CacheType& type : kCacheTypes) types.emplace_back(type.name);
  command
      .add_option(
          "--cache-type", flags.cache_type,
          "How keys and values are kept: f32, bf16, f16, q8 (half the memory of bf16); auto: as the model computes")
      ->capture_default_str()
      ->check(CLI::IsMember(types));
  command
      .add_option("--cache-mb", flags.cache_megabytes,
                  "Most memory for keys and values, in megabytes; 0: half of the machine's")
      ->capture_default_str()
      ->check(whole_number(0, uint64_t{1} << 40));
  command.add_option("--seed", sampling.seed, "The same seed gives the same answers")
      ->capture_default_str()
      ->check(whole_number(0));
  command.add_option("--max-tokens", flags.options.max_tokens, "Longest answer")
      ->capture_default_str()
      ->check(whole_number(1));
}

void add_constraint_options(CLI::App& command, GenerateFlags& flags) {
  CLI::Option* schema = command.add_option("--json-schema", flags.json_schema,
                                           "The answer is JSON that this schema allows: a file, or the schema itself");
  command.add_option("--grammar", flags.grammar, "The answer is a text of this grammar: a file in GBNF")
      ->excludes(schema);
}

namespace {

std::optional<text::grammar::Grammar> read_constraint(const GenerateFlags& flags) {
  constexpr size_t kMostBytes = size_t{1} << 20;
  if (!flags.json_schema.empty()) {
    const size_t first = flags.json_schema.find_first_not_of(" \t\r\n");
    const bool inline_text = first != std::string::npos && flags.json_schema[first] == '{';
    Result<text::grammar::Grammar> grammar =
        text::grammar::parse_json_schema(inline_text ? flags.json_schema : read_file(flags.json_schema, kMostBytes));
    if (!grammar) throw inline_text ? grammar.error() : grammar.error().with_context(flags.json_schema);
    return std::move(grammar).value();
  }
  if (flags.grammar.empty()) return std::nullopt;
  Result<text::grammar::Grammar> grammar = text::grammar::parse_gbnf(read_file(flags.grammar, kMostBytes));
  if (!grammar) throw grammar.error().with_context(flags.grammar);
  return std::move(grammar).value();
}

struct Bias {
  std::string token;
  float value = 0;
};

Bias read_bias(const std::string& text) {
  // The last sign: a token's text may hold one.
  const size_t sign = text.rfind('=');
  Bias bias;
  const char* end = text.data() + text.size();
  const bool number = sign != std::string::npos && sign > 0 &&
                      std::from_chars(text.data() + sign + 1, end, bias.value).ptr == end && sign + 1 < text.size();
  require(number, ErrorKind::usage, "--logit-bias \"{}\" is not TOKEN=BIAS, for example 42=-100", text);
  bias.token = text.substr(0, sign);
  return bias;
}

}  // namespace

void check_generate_flags(const GenerateFlags& flags) {
  generate::GenerateOptions options = flags.options;
  for (const std::string& text : flags.logit_bias) options.sampling.logit_bias.emplace_back(0, read_bias(text).value);
  generate::check_options(options);
  (void)read_constraint(flags);
}

generate::GenerateOptions generate_options(const GenerateFlags& flags, const text::Tokenizer& tokenizer) {
  generate::GenerateOptions options = flags.options;
  if (std::optional<text::grammar::Grammar> grammar = read_constraint(flags)) {
    options.constraint = std::make_shared<text::grammar::Constraint>(*std::move(grammar), tokenizer);
  }
  for (const std::string& text : flags.logit_bias) {
    const auto [token, value] = read_bias(text);
    int32_t id = -1;
    const char* end = token.data() + token.size();
    if (const auto [at, error] = std::from_chars(token.data(), end, id); at != end || error != std::errc()) {
      const std::vector<int32_t> ids = tokenizer.encode(token);
      const std::optional<int32_t> special = tokenizer.token_id(token);
      require(special || ids.size() == 1, ErrorKind::usage, "--logit-bias: \"{}\" is {} tokens of this model, not one",
              token, ids.size());
      id = special ? *special : ids[0];
    }
    require(id >= 0 && id < tokenizer.vocab_size(), ErrorKind::usage,
            "--logit-bias: token {} is outside the vocabulary of {}", token, tokenizer.vocab_size());
    options.sampling.logit_bias.emplace_back(id, value);
  }
  return options;
}

}  // namespace sensorium::cli
