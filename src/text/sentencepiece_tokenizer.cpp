#include "text/sentencepiece_tokenizer.h"

#include <sentencepiece_processor.h>

#include <algorithm>
#include <cctype>
#include <utility>

#include "base/file.h"
#include "base/strings.h"
#include "base/utf8.h"
#include "text/unicode.h"

namespace sensorium::text {
namespace {

using PieceType = SentencePieceModel::PieceType;

constexpr std::string_view kMark = "\xE2\x96\x81";  // U+2581, SentencePiece's space
constexpr size_t kMaxFileBytes = size_t{256} << 20;
constexpr size_t kMaxTextBytes = size_t{1} << 30;  // the library counts in 32 bits
constexpr int kAllSpaces = 1 << 20;

// Classes of tokenizers that give the model's own ids, and what they put around a text unless the files say otherwise.
struct Kind {
  std::string_view name;
  bool bos = true, eos = false;
  bool eos_once = false;       // an end that the text has is not doubled
  bool pad = false;            // the padding token has a role without being named
  bool never_legacy = false;   // whatever the files say
  bool canonicalizes = false;  // SigLIP's texts
};
constexpr Kind kKinds[] = {
    {.name = ""},
    {.name = "LlamaTokenizer"},
    {.name = "CodeLlamaTokenizer", .never_legacy = true},
    {.name = "GemmaTokenizer", .pad = true},
    {.name = "T5Tokenizer", .bos = false, .eos = true, .eos_once = true, .pad = true},
    {.name = "SiglipTokenizer",
     .bos = false,
     .eos = true,
     .eos_once = true,
     .pad = true,
     .never_legacy = true,
     .canonicalizes = true},
};

const Kind& kind_of(const std::string& tokenizer_class) {
  std::string names;
  for (const Kind& kind : kKinds) {
    if (kind.name == tokenizer_class) return kind;
    if (!kind.name.empty()) names += fmt::format("{}{}", names.empty() ? "" : ", ", kind.name);
  }
  fail(ErrorKind::unsupported, "a SentencePiece model for the class \"{}\" is not supported, only those for {}",
       tokenizer_class, names);
}

char byte_of(const std::string& piece) { return static_cast<char>(std::stoi(piece.substr(3, 2), nullptr, 16)); }

void require_ok(const sentencepiece::util::Status& status, std::string_view what) {
  require(status.ok(), ErrorKind::invalid_data, "{}: {}", what, status.message());
}

// A text as SigLIP was trained on: without ASCII punctuation, one space for a run of white space, none at the ends.
std::string canonicalize(std::string_view text) {
  std::string out;
  bool space = false;
  for (size_t i = 0; i < text.size();) {
    const size_t begin = i;
    const char32_t character = next_char(text, i);
    if (character < 0x80 && std::ispunct(static_cast<unsigned char>(character)) != 0) continue;
    if (is_python_space(character)) {
      space = !out.empty();
      continue;
    }
    if (std::exchange(space, false)) out += ' ';
    out += text.substr(begin, i - begin);
  }
  return out;
}

// One U+FFFD for each byte that is in no character.
void flush_bytes(std::string& run, std::string& out) {
  for (size_t i = 0; i < run.size();) {
    char32_t character = 0;
    const int length = decode_utf8(std::string_view(run).substr(i), character);
    if (length == 0) {
      out += "\xEF\xBF\xBD";
      ++i;
    } else {
      out.append(run, i, static_cast<size_t>(length));
      i += static_cast<size_t>(length);
    }
  }
  run.clear();
}

}  // namespace

SentencePieceTokenizer::~SentencePieceTokenizer() = default;

SentencePieceTokenizer::SentencePieceTokenizer(SentencePieceModel model, std::string_view bytes,
                                               const TokenizerConfig& config)
    : processor_(std::make_unique<sentencepiece::SentencePieceProcessor>()) {
  const Kind& kind = kind_of(config.tokenizer_class);
  legacy_ = !kind.never_legacy && config.legacy.value_or(true);
  canonicalizes_ = kind.canonicalizes;
  lowers_case_ = kind.canonicalizes && config.do_lower_case.value_or(true);
  add_prefix_space_ = config.add_prefix_space.value_or(true);
  pieces_.reserve(model.pieces.size(), model.pieces.size() * 8);
  for (size_t id = 0; id < model.pieces.size(); ++id) pieces_.add(model.pieces[id].text, static_cast<int32_t>(id));

  const auto find = [&](std::string_view token) -> std::optional<int32_t> {
    const int32_t id = pieces_.find(token);
    return id == Vocab::kNone ? std::nullopt : std::optional(id);
  };
  const std::vector<AddedToken> added = resolve_added_tokens(config, pieces_.size(), find);

  // Pieces that the files make control tokens must not be found in text by the library, nor may control pieces of one
  // character.
  std::vector<int32_t> hidden;
  for (int32_t id = 0; id < pieces_.size(); ++id) {
    const SentencePieceModel::Piece& piece = model.pieces[static_cast<size_t>(id)];
    char32_t character = 0;
    const bool is_one = decode_utf8(piece.text, character) == static_cast<int>(piece.text.size());
    if (piece.type == PieceType::control && is_one) hidden.push_back(id);
  }
  for (const AddedToken& token : added) {
    if (!token.special || token.id >= pieces_.size()) continue;
    SentencePieceModel::Piece& piece = model.pieces[static_cast<size_t>(token.id)];
    if (piece.type == PieceType::control || piece.type == PieceType::unknown) continue;
    require(piece.type != PieceType::byte, ErrorKind::invalid_data, "'{}' is a control token and a byte", piece.text);
    piece.type = PieceType::control;
    hidden.push_back(token.id);
  }
  std::string proto = with_hidden_pieces(bytes, hidden);
  if (!legacy_) proto = without_dummy_prefix(proto);
  try {
    require_ok(processor_->LoadFromSerializedProto(proto), "not a usable SentencePiece model");
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {  // the library's tries
    fail(ErrorKind::invalid_data, "not a usable SentencePiece model: {}", error.what());
  }
  require(processor_->GetPieceSize() == pieces_.size(), ErrorKind::invalid_data,
          "the SentencePiece library reads {} pieces, {} are in the file", processor_->GetPieceSize(), pieces_.size());

  list_tokens(model, added);
  const auto affix = [&](const char* role, const std::string& fallback, bool wanted) -> std::vector<int32_t> {
    const auto id = token_id(config.token(role, fallback));
    return wanted && id ? std::vector<int32_t>{*id} : std::vector<int32_t>{};
  };
  before_ = affix("bos_token", model.bos_piece, config.add_bos_token.value_or(kind.bos));
  after_ = affix("eos_token", model.eos_piece, config.add_eos_token.value_or(kind.eos));
  eos_once_ = kind.eos_once;
  std::vector<std::string> named = config.named;
  named.insert(named.end(),
               {unk_piece_, config.token("bos_token", model.bos_piece), config.token("eos_token", model.eos_piece)});
  if (kind.pad) named.push_back(config.token("pad_token", model.pad_piece));
  for (int64_t i = 0; i < config.extra_ids; ++i) named.push_back(fmt::format("<extra_id_{}>", i));
  for (const std::string& name : named) {
    if (const auto id = token_id(name); id && is_control(*id)) role_ids_.push_back(*id);
  }
  const bool has_prefix = legacy_ ? model.add_dummy_prefix : add_prefix_space_;
  leading_spaces_ = {model.remove_extra_whitespaces ? kAllSpaces : has_prefix ? 1 : 0, LeadingSpaces::Scope::text};
  if (!legacy_) {
    std::vector<int> ids;
    require_ok(processor_->Encode(unk_piece_, &ids), "SentencePiece");
    unk_length_ = ids.size();
  }
}

void SentencePieceTokenizer::list_tokens(const SentencePieceModel& model, const std::vector<AddedToken>& added) {
  size_t size = model.pieces.size();
  for (const AddedToken& token : added) size = std::max(size, static_cast<size_t>(token.id) + 1);
  bytes_.resize(size);
  is_control_.resize(size);
  is_byte_.resize(size);
  std::vector<bool> is_added(size);
  for (const AddedToken& token : added) {
    const auto id = static_cast<size_t>(token.id);
    is_added[id] = true;
    is_control_[id] = token.special;
    bytes_[id] = token.content;
    special_tokens_.push_back({token.id, token.content, token.special});
  }
  std::vector<AddedToken> matched = added;
  for (size_t id = 0; id < model.pieces.size(); ++id) {
    const SentencePieceModel::Piece& piece = model.pieces[id];
    const auto number = static_cast<int32_t>(id);
    if (piece.type == PieceType::unknown) {
      unk_id_ = number;
      unk_piece_ = piece.text;
    }
    if (piece.type == PieceType::byte && piece.text.size() == 6) {
      bytes_[id] = std::string(1, byte_of(piece.text));
      is_byte_[id] = true;
    }
    if (is_added[id] || is_byte_[id]) continue;
    const bool control = piece.type == PieceType::control || piece.type == PieceType::unknown;
    bytes_[id] = control ? piece.text : replace_all(piece.text, kMark, " ");
    is_control_[id] = control;
    if (control) {
      AddedToken token;
      token.id = number;
      token.content = piece.text;
      token.special = true;
      matched.push_back(std::move(token));
    }
    if (control || piece.type == PieceType::user_defined) special_tokens_.push_back({number, piece.text, control});
  }
  added_ = AddedTokens(std::move(matched), nullptr);
}

std::string_view SentencePieceTokenizer::token_bytes(int32_t id) const {
  return id >= 0 && id < vocab_size() ? std::string_view(bytes_[static_cast<size_t>(id)]) : std::string_view();
}

bool SentencePieceTokenizer::is_control(int32_t id) const {
  return id >= 0 && id < vocab_size() && is_control_[static_cast<size_t>(id)];
}

std::optional<int32_t> SentencePieceTokenizer::token_id(std::string_view token) const {
  for (const SpecialToken& special : special_tokens_) {
    if (special.text == token) return special.id;
  }
  const int32_t id = pieces_.find(token);
  return id == Vocab::kNone ? std::nullopt : std::optional(id);
}

std::vector<int32_t> SentencePieceTokenizer::encode(std::string_view text, const EncodeOptions& options) const {
  const CleanText clean(text, options.user);
  std::vector<int32_t> ids;
  if (options.affixes == Affixes::model) ids = before_;
  const size_t affixes = ids.size();
  const std::vector<Segment> segments = added_.split_raw(clean.text, options.specials, clean.user);
  for (size_t i = 0; i < segments.size(); ++i) {
    if (segments[i].id < 0) {
      encode_segment(segments[i].text, i == 0, ids);
      continue;
    }
    // The prefix of a text that starts with an added token is a segment of its own, unless the token has a role.
    if (i == 0 && !legacy_ && add_prefix_space_ && !has_role(segments[i].id)) append_pieces(kMark, 0, ids);
    ids.push_back(segments[i].id);
  }
  // A first segment of which only the prefix is left, before a control token with a role, loses that too.
  const bool before_role = segments.size() > 1 && segments[0].id < 0 && has_role(segments[1].id);
  if (!legacy_ && before_role && ids.size() > affixes + 1 && ids[affixes] == pieces_.find(kMark) &&
      ids[affixes + 1] == segments[1].id) {
    ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(affixes));
  }
  const bool ended = eos_once_ && !after_.empty() && !ids.empty() && ids.back() == after_.back();
  if (options.affixes == Affixes::model && !ended) ids.insert(ids.end(), after_.begin(), after_.end());
  return ids;
}

bool SentencePieceTokenizer::has_role(int32_t id) const {
  return std::find(role_ids_.begin(), role_ids_.end(), id) != role_ids_.end();
}

// Without "legacy", the model's own prefix is off: the first segment gets a space, the others stay as they are. A
// segment that starts with a space is read behind the unknown token, whose pieces are dropped, so that the normalizer
// sees no start of a text.
void SentencePieceTokenizer::encode_segment(std::string_view text, bool at_start, std::vector<int32_t>& ids) const {
  if (legacy_) return append_pieces(text, 0, ids);
  std::string changed = replace_all(text, kMark, " ");
  if (at_start && add_prefix_space_) changed.insert(0, kMark);
  if (canonicalizes_) {
    changed = canonicalize(lowers_case_ ? lowercase(changed) : changed);
    return append_pieces(unk_piece_ + changed, unk_length_, ids);
  }
  if (!changed.starts_with(' ') && !changed.starts_with(kMark)) return append_pieces(changed, 0, ids);
  append_pieces(unk_piece_ + changed, unk_length_, ids);
}

void SentencePieceTokenizer::append_pieces(std::string_view text, size_t skip, std::vector<int32_t>& ids) const {
  require(text.size() <= kMaxTextBytes, ErrorKind::limit, "a text of {} bytes, at most {} are encoded at once",
          text.size(), kMaxTextBytes);
  std::vector<int> found;
  require_ok(processor_->Encode(text, &found), "SentencePiece");
  ids.insert(ids.end(), found.begin() + static_cast<std::ptrdiff_t>(std::min(skip, found.size())), found.end());
}

std::string SentencePieceTokenizer::decode(std::span<const int32_t> ids, DecodeSpecials specials) const {
  std::string out, run;  // run: bytes that await the rest of their character
  LeadingSpaces leading = leading_spaces_;
  for (const int32_t id : ids) {
    if (id < 0 || id >= vocab_size() || (specials == DecodeSpecials::skip && is_control(id))) continue;
    std::string_view bytes = token_bytes(id);
    while (leading.count > 0 && bytes.starts_with(' ')) {
      bytes.remove_prefix(1);
      --leading.count;
    }
    if (!bytes.empty()) leading.count = 0;
    if (is_byte_[static_cast<size_t>(id)]) {
      run += bytes;
    } else {
      flush_bytes(run, out);
      out += bytes;
    }
  }
  flush_bytes(run, out);
  return out;
}

Result<std::unique_ptr<SentencePieceTokenizer>> parse_sentencepiece(std::string_view bytes,
                                                                    const TokenizerConfig& config) {
  auto model = parse_sentencepiece_model(bytes);
  if (!model) return model.error();
  try {
    return std::make_unique<SentencePieceTokenizer>(std::move(model).value(), bytes, config);
  } catch (const Error& error) {
    return error;
  }
}

Result<std::unique_ptr<Tokenizer>> read_sentencepiece(const std::filesystem::path& path) {
  try {
    const TokenizerConfig config = read_tokenizer_config(path.parent_path());
    auto tokenizer = parse_sentencepiece(read_file(path, kMaxFileBytes), config);
    if (!tokenizer) return tokenizer.error().with_context(path.string());
    return std::unique_ptr<Tokenizer>(std::move(tokenizer).value());
  } catch (const Error& error) {
    return error;
  }
}

}  // namespace sensorium::text
