#include "text/pipeline_tokenizer.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/utf8.h"
#include "text/unicode.h"

namespace sensorium::text {

PipelineTokenizer::PipelineTokenizer(PipelineParts parts)
    : components_(OrderedJson::object()),
      normalizer_(parts.normalizer.is_null() ? nullptr : parse_normalizer(parts.normalizer)),
      added_(std::move(parts.added), normalizer_.get()),
      pre_tokenizer_(parts.pre_tokenizer.is_null() ? PreTokenizer() : PreTokenizer(parts.pre_tokenizer)),
      affixes_(parts.post_processor.is_null() ? AffixIds{} : parse_post_processor(parts.post_processor)),
      decoder_(parts.decoder.is_null() ? Decoder() : Decoder(parts.decoder)) {
  components_["normalizer"] = parts.normalizer;
  components_["pre_tokenizer"] = parts.pre_tokenizer;
  components_["post_processor"] = parts.post_processor;
  components_["decoder"] = parts.decoder;
}

void PipelineTokenizer::list_tokens() {
  int32_t size = vocab().size();
  for (const AddedToken& token : added_.tokens()) size = std::max(size, token.id + 1);
  bytes_.resize(static_cast<size_t>(size));
  is_control_.resize(static_cast<size_t>(size));
  for (const AddedToken& token : added_.tokens()) {
    special_tokens_.push_back({token.id, token.content, token.special});
    is_control_[static_cast<size_t>(token.id)] = token.special;
  }
  for (int32_t id = 0; id < size; ++id) {
    if (vocab().has(id) || added_.shown_form(id) != nullptr) {
      bytes_[static_cast<size_t>(id)] = decoder_.token_bytes(token_text(id));
    }
  }
  for (const auto* list : {&affixes_.before, &affixes_.after}) {
    for (const int32_t id : *list) {
      require(id < size, ErrorKind::invalid_data, "post_processor: token id {} is outside the vocabulary of {}", id,
              size);
    }
  }
}

std::vector<int32_t> PipelineTokenizer::control_ids() const {
  std::vector<int32_t> ids;
  for (const AddedToken& token : added_.tokens()) {
    if (token.special) ids.push_back(token.id);
  }
  return ids;
}

std::string_view PipelineTokenizer::token_text(int32_t id) const {
  const std::string* added = added_.shown_form(id);
  return added != nullptr ? std::string_view(*added) : vocab().token(id);
}

std::string_view PipelineTokenizer::token_bytes(int32_t id) const {
  return id >= 0 && id < vocab_size() ? std::string_view(bytes_[static_cast<size_t>(id)]) : std::string_view();
}

bool PipelineTokenizer::is_control(int32_t id) const {
  return id >= 0 && id < vocab_size() && is_control_[static_cast<size_t>(id)];
}

std::optional<int32_t> PipelineTokenizer::token_id(std::string_view token) const {
  for (const SpecialToken& special : special_tokens_) {
    if (special.text == token) return special.id;
  }
  const int32_t id = vocab().find(token);
  return id == Vocab::kNone ? std::nullopt : std::optional(id);
}

std::vector<int32_t> PipelineTokenizer::encode(std::string_view text, const EncodeOptions& options) const {
  const CleanText clean(text, options.user);
  text = clean.text;
  std::span<const Span> user = clean.user;
  std::vector<int32_t> ids;
  if (options.affixes == Affixes::model) ids = affixes_.before;
  for (const Segment& raw : added_.split_raw(text, options.specials, user)) {
    if (raw.id >= 0) {
      ids.push_back(raw.id);
      continue;
    }
    std::string normal;
    std::string_view piece = raw.text;
    if (normalizer_) piece = normal = normalizer_->apply(raw.text);
    const bool first = raw.text.data() == text.data();
    // Where the user's bytes are in the normalized text is not known: a segment that has some is all text.
    const auto begin = static_cast<size_t>(raw.text.data() - text.data());
    while (!user.empty() && user.front().end <= begin) user = user.subspan(1);
    const bool has_user = !user.empty() && user.front().begin < begin + raw.text.size();
    const Specials specials = has_user ? Specials::as_text : options.specials;
    for (const Segment& segment : added_.split_normalized(piece, specials)) {
      if (segment.id >= 0) {
        ids.push_back(segment.id);
      } else {
        encode_segment(segment.text, first && segment.text.data() == piece.data(), ids);
      }
    }
  }
  if (options.affixes == Affixes::model) ids.insert(ids.end(), affixes_.after.begin(), affixes_.after.end());
  return ids;
}

std::string PipelineTokenizer::decode(std::span<const int32_t> ids, DecodeSpecials specials) const {
  const auto shown = [&](int32_t id) {
    return id >= 0 && id < vocab_size() && !(specials == DecodeSpecials::skip && is_control_[static_cast<size_t>(id)]);
  };
  if (decoder_.is_concatenation()) {
    std::string bytes;
    for (const int32_t id : ids) {
      if (shown(id)) bytes += bytes_[static_cast<size_t>(id)];
    }
    return is_valid_utf8(bytes) ? bytes : repair_utf8(bytes);
  }
  std::vector<std::string> tokens;
  for (const int32_t id : ids) {
    if (shown(id) && (vocab().has(id) || added_.shown_form(id) != nullptr)) tokens.emplace_back(token_text(id));
  }
  return decoder_.decode(std::move(tokens));
}

}  // namespace sensorium::text
