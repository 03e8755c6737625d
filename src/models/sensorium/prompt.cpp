#include "models/sensorium/prompt.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

namespace sensorium::models {
namespace {

constexpr size_t kToldLabels = 3;
constexpr size_t kToldObjects = 40;  // with their boxes; the counts tell of more

int32_t location_token(const SpecialTokens& special, float relative) {
  const int bin = static_cast<int>(std::lround(std::clamp(relative, 0.0f, 1.0f) * (kLocationBins - 1)));
  return special.location0 + bin;
}

// Columns from left to right, each from the bottom up. An object belongs to the column of the one at its left if its middle
// is not beyond that one's right side.
std::vector<std::vector<FoundObject>> columns_of(std::vector<FoundObject> objects) {
  std::sort(objects.begin(), objects.end(),
            [](const FoundObject& a, const FoundObject& b) { return a.box.x0 + a.box.x1 < b.box.x0 + b.box.x1; });
  std::vector<std::vector<FoundObject>> columns;
  float right = 0;
  for (FoundObject& object : objects) {
    if (columns.empty() || object.box.x0 + object.box.x1 > 2 * right) {
      columns.emplace_back();
      right = object.box.x1;
    }
    columns.back().push_back(std::move(object));
  }
  for (std::vector<FoundObject>& column : columns) {
    std::sort(column.begin(), column.end(),
              [](const FoundObject& a, const FoundObject& b) { return a.box.y0 + a.box.y1 > b.box.y0 + b.box.y1; });
  }
  return columns;
}

}  // namespace

std::vector<FoundObject> told_order(const std::vector<FoundObject>& objects) {
  std::vector<FoundObject> told;
  for (std::vector<FoundObject>& column : columns_of(objects)) {
    told.insert(told.end(), std::make_move_iterator(column.begin()), std::make_move_iterator(column.end()));
  }
  return told;
}

std::array<int32_t, 4> location_tokens(const SpecialTokens& special, const Box& relative) {
  return {location_token(special, relative.x0), location_token(special, relative.y0),
          location_token(special, relative.x1), location_token(special, relative.y1)};
}

std::vector<std::string> SpecialTokens::names() {
  std::vector<std::string> names = {"<|pad|>",       "<|bos|>",    "<|end|>",   "<|user|>",
                                    "<|assistant|>", "<|system|>", "<|image|>", "<|evidence|>"};
  for (int i = 0; i < kLocationBins; ++i) names.push_back(fmt::format("<|loc_{}|>", i));
  return names;
}

SpecialTokens SpecialTokens::of(const text::Tokenizer& tokenizer) {
  const auto id = [&](const char* name) {
    const auto found = tokenizer.token_id(name);
    require(found.has_value(), ErrorKind::invalid_data, "the tokenizer lacks the control token {}", name);
    return *found;
  };
  SpecialTokens tokens{.pad = id("<|pad|>"),
                       .bos = id("<|bos|>"),
                       .end = id("<|end|>"),
                       .user = id("<|user|>"),
                       .assistant = id("<|assistant|>"),
                       .system = id("<|system|>"),
                       .image = id("<|image|>"),
                       .evidence = id("<|evidence|>"),
                       .location0 = id("<|loc_0|>")};
  require(id("<|loc_999|>") == tokens.location0 + kLocationBins - 1, ErrorKind::invalid_data,
          "the tokenizer's {} location tokens do not have consecutive ids", +kLocationBins);
  return tokens;
}

void TokenSequence::push(int32_t token, float weight) {
  tokens.push_back(token);
  weights.push_back(weight);
}

void TokenSequence::push(std::span<const int32_t> ids, float weight) {
  for (const int32_t id : ids) push(id, weight);
}

PromptWriter::PromptWriter(const text::Tokenizer& tokenizer, const SensoriumConfig& config)
    : tokenizer_(tokenizer),
      special_(SpecialTokens::of(tokenizer)),
      tells_evidence_(config.evidence),
      interleaves_sound_(config.interleaves_sound) {
  require(tokenizer.vocab_size() <= config.decoder.vocabulary, ErrorKind::invalid_data,
          "the tokenizer has {} tokens, the model's embedding only {} rows", tokenizer.vocab_size(),
          config.decoder.vocabulary);
}

void PromptWriter::begin(TokenSequence& out) const { out.push(special_.bos); }

void PromptWriter::begin_turn(TokenSequence& out, std::string_view role) const {
  if (role == "user" || role == "tool") {
    out.push(special_.user);
  } else if (role == "assistant") {
    out.push(special_.assistant);
  } else if (role == "system" || role == "developer") {
    out.push(special_.system);
  } else {
    fail(ErrorKind::usage, "unknown role \"{}\" (expected system, user or assistant)", role);
  }
}

void PromptWriter::end_turn(TokenSequence& out, float weight) const { out.push(special_.end, weight); }

void PromptWriter::image(TokenSequence& out, int index, int64_t tokens) const {
  out.images.push_back(index);
  for (int64_t i = 0; i < tokens; ++i) out.push(special_.image);
}

void PromptWriter::picture(TokenSequence& out, const modality::PictureKind* kind, int index, int64_t tokens) const {
  if (kind != nullptr && !kind->lead.empty()) text(out, kind->lead);
  if (tokens > 0) image(out, index, tokens);
}

void PromptWriter::recording(TokenSequence& out, const modality::SenseKind& sense, int index, int64_t tokens) const {
  text(out, sense.lead);
  if (tokens > 0) image(out, index, tokens);
}

void PromptWriter::film_with_sound(TokenSequence& out, std::span<const Place> film, std::span<const Place> sound,
                                   const Evidence& seen, const Evidence& heard) const {
  for (size_t window = 0; window < film.size(); ++window) {
    recording(out, modality::sense_kind("video"), film[window].index, film[window].tokens);
    recording(out, modality::sense_kind("audio"), sound[window].index, sound[window].tokens);
  }
  evidence(out, seen);
  evidence(out, heard);
}

void PromptWriter::evidence(TokenSequence& out, const Evidence& evidence) const {
  if (!tells_evidence_) return;
  out.push(special_.evidence);
  for (size_t i = 0; i < std::min(kToldLabels, evidence.labels.size()); ++i) {
    text(out, (i == 0 ? "" : ", ") + evidence.labels[i]);
  }
  for (size_t i = 0; i < evidence.facts.size(); ++i)
    text(out, (i == 0 && evidence.labels.empty() ? "" : "; ") + evidence.facts[i]);
  // First how many of each kind, in the order of their names; then the objects in the order in which one reads a picture of
  // columns. One picture has one description.
  std::map<std::string, int> kinds;
  for (const FoundObject& object : evidence.objects) ++kinds[object.label];
  for (const auto& [label, count] : kinds) text(out, fmt::format("; {} {}", count, label));
  if (!kinds.empty()) text(out, ":");
  size_t told = 0;
  for (const std::vector<FoundObject>& column : columns_of(evidence.objects)) {
    if (told > 0) text(out, ",");
    for (const FoundObject& object : column) {
      if (told++ >= kToldObjects) break;
      text(out, " " + object.label);
      box(out, object.box);
    }
    if (told >= kToldObjects) break;
  }
  out.push(special_.end);
}

void PromptWriter::found(TokenSequence& out, const Evidence& evidence, const std::string& label, size_t most,
                         float weight, float box_weight) const {
  size_t told = 0;
  for (const FoundObject& object : told_order(evidence.objects)) {
    if (object.label != label || told == most) continue;
    text(out, (told++ == 0 ? " " : ", ") + label, weight);
    box(out, object.box, box_weight);
  }
  if (told == 0) text(out, "none", weight);
}

void PromptWriter::text(TokenSequence& out, std::string_view text, float weight) const {
  out.push(tokenizer_.encode(text), weight);
}

void PromptWriter::box(TokenSequence& out, const Box& relative, float weight) const {
  for (const int32_t token : location_tokens(special_, relative)) out.push(token, weight);
}

std::string box_text(std::span<const int32_t> bins) { return fmt::format(" [{}]", fmt::join(bins, ", ")); }

Answer read_answer(std::span<const int32_t> tokens, const text::Tokenizer& tokenizer, const SpecialTokens& special) {
  Answer answer;
  const auto bin = [&](size_t i) {
    const int32_t value = tokens[i] - special.location0;
    return value >= 0 && value < kLocationBins ? value : -1;
  };
  std::vector<int32_t> words;  // since the last box or separator
  std::string label;
  const auto flush = [&] {
    if (words.empty()) return;
    const std::string text = tokenizer.decode(words);
    answer.text += text;
    words.clear();
    // The label of a box is what was written last, after punctuation and numbers: "; 2 helmet" -> "helmet".
    const size_t start = text.find_last_of(";:,.");
    std::string name = start == std::string::npos ? text : text.substr(start + 1);
    name.erase(0, name.find_first_not_of(" 0123456789\n"));
    while (!name.empty() && name.back() == ' ') name.pop_back();
    if (!name.empty()) label = name;
  };
  for (size_t i = 0; i < tokens.size();) {
    if (i + 4 <= tokens.size() && bin(i) >= 0 && bin(i + 1) >= 0 && bin(i + 2) >= 0 && bin(i + 3) >= 0) {
      flush();
      const auto relative = [&](size_t k) { return static_cast<float>(bin(k)) / (kLocationBins - 1); };
      const auto [x0, x1] = std::minmax({relative(i), relative(i + 2)});
      const auto [y0, y1] = std::minmax({relative(i + 1), relative(i + 3)});
      answer.boxes.push_back({label, 1.0f, {x0, y0, x1, y1}});
      answer.text += box_text(std::array{bin(i), bin(i + 1), bin(i + 2), bin(i + 3)});
      i += 4;
    } else {
      if (bin(i) < 0) words.push_back(tokens[i]);
      ++i;
    }
  }
  flush();
  return answer;
}

}  // namespace sensorium::models
