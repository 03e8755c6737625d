#include "models/sensorium/chat.h"

#include <algorithm>
#include <cmath>

#include "models/decoder/continuation.h"
#include "models/decoder/session.h"
#include "models/heat.h"
#include "models/load_part.h"
#include "models/picture_cache.h"
#include "models/sensorium/answer_stream.h"
#include "models/sensorium/embedder.h"
#include "models/sensorium/grounding.h"
#include "models/sensorium/shown_objects.h"

namespace sensorium::models {
namespace {

using SharedImage = std::shared_ptr<const media::Image>;

Sha256Digest content_digest(const modality::Recording& recording) {
  Sha256 hash;
  for (const Tensor& window : recording.windows) {
    hash.update({static_cast<const uint8_t*>(window.raw()), window.bytes()});
  }
  return hash.digest();
}

// The map stretched to 0..1; 0 everywhere where nothing differs.
AnswerHeat answer_heat(const LabelHeat& heat, int picture) {
  AnswerHeat result{
      .label = heat.label, .picture = picture, .rows = heat.rows, .columns = heat.columns, .values = heat.values};
  const auto [low, high] = std::ranges::minmax(heat.values);
  const float least = low, range = high - low;
  for (float& value : result.values) value = range > 0 ? (value - least) / range : 0;
  return result;
}

// The turns with what is known of their pictures and recordings.
class Conversation {
 public:
  struct Percept {
    SharedImage image;  // none: a recording
    std::shared_ptr<const Perception> perception;
    Sha256Digest content;
  };

  Conversation(const SensoriumModel& model, DType compute, PictureCache<Perception>& perceptions,
               std::span<const ChatMessage> messages)
      : model_(model) {
    for (const ChatMessage& message : messages) {
      for (const ChatPart& part : message.parts) {
        if (part.image) {
          const auto known =
              perceptions.get(part.image, [&](const media::Image& image) { return model.perceive(image, compute); });
          percepts_.push_back({part.image, known.value, known.content});
        } else if (part.recording && perceives(*part.recording)) {
          const modality::Recording recording = perceived(*part.recording);
          percepts_.push_back({nullptr, std::make_shared<const Perception>(model.perceive(recording, compute)),
                               content_digest(recording)});
        }
      }
    }
    prompt_ = write_prompt(messages);
  }

  // The prompt as the decoder's input.
  PromptRows embed(DType compute) const {
    std::vector<int64_t> offsets = {0};
    for (const Piece& piece : pieces_) offsets.push_back(offsets.back() + piece.end - piece.begin);
    const Tensor image_tokens_TC = Tensor::empty({offsets.back(), model_.config().decoder.dim}, compute);
    for (size_t i = 0; i < pieces_.size(); ++i) {
      const Tensor& whole_TC = percepts_[pieces_[i].percept].perception->image_tokens_TC;
      image_tokens_TC.slice(offsets[i], offsets[i + 1]).copy_from(whole_TC.slice(pieces_[i].begin, pieces_[i].end));
    }
    ops::Sequences packed;
    const TokenSequence* pointer = &prompt_;
    PromptRows rows{.x_TC = model_.embed({&pointer, 1}, image_tokens_TC, offsets, compute, packed),
                    .tokens = prompt_.tokens};
    CrossMedia media = model_.media_of({&pointer, 1}, image_tokens_TC, offsets);
    if (!pieces_.empty() && media.rows_SC.defined()) {
      rows.media_SC = media.rows_SC;
      rows.media = std::move(media.spans.front());
    }
    const int32_t place = model_.prompt().special().image;
    for (size_t at = 0; at < rows.tokens.size(); ++at) {
      if (rows.tokens[at] != place) continue;
      const Piece& piece = pieces_[rows.pictures.size()];
      const auto begin = static_cast<int64_t>(at), end = begin + model_.places(piece.end - piece.begin);
      rows.pictures.push_back({begin, end, content_of(piece)});
      std::fill(rows.tokens.begin() + begin, rows.tokens.begin() + end, -1);
      at = static_cast<size_t>(end) - 1;
    }
    return rows;
  }
  // In order, without the recordings.
  std::vector<const Percept*> pictures() const {
    std::vector<const Percept*> pictures;
    for (const Percept& percept : percepts_) {
      if (percept.image) pictures.push_back(&percept);
    }
    return pictures;
  }
  // Of the picture that boxes in an answer belong to.
  Evidence last_evidence() const {
    const std::vector<const Percept*> seen = pictures();
    return seen.empty() ? Evidence() : seen.back()->perception->evidence;
  }
  const std::string& question() const { return question_; }

 private:
  // Rows of a percept that stand at one place of the prompt.
  struct Piece {
    size_t percept;
    int64_t begin, end;
  };
  Sha256Digest content_of(const Piece& piece) const {
    const Percept& percept = percepts_[piece.percept];
    if (piece.begin == 0 && piece.end == percept.perception->image_tokens_TC.dim(0)) return percept.content;
    Sha256 hash;
    hash.update(percept.content);
    hash.update({reinterpret_cast<const uint8_t*>(&piece.begin), sizeof(piece.begin)});
    return hash.digest();
  }
  PromptWriter::Place add_piece(size_t percept, int64_t begin, int64_t end) {
    pieces_.push_back({percept, begin, end});
    return {static_cast<int>(pieces_.size()) - 1, model_.places(end - begin)};
  }
  // A sound that stands beside a film is heard in the film's windows, where the model wants it so.
  bool is_beside_film(const modality::Recording& recording) const {
    return model_.prompt().interleaves_sound() && !recording.beside_film.empty();
  }
  modality::Recording perceived(const modality::Recording& recording) const {
    modality::Recording result = recording;
    if (is_beside_film(recording)) result.windows = recording.beside_film;
    return result;
  }
  // All but the sound of a film for a model that does not hear.
  bool perceives(const modality::Recording& recording) const {
    return !recording.sound_track || model_.has(*recording.sense);
  }
  TokenSequence write_prompt(std::span<const ChatMessage> messages) {
    const PromptWriter& writer = model_.prompt();
    TokenSequence prompt;
    writer.begin(prompt);
    size_t percept = 0;
    for (const ChatMessage& message : messages) {
      writer.begin_turn(prompt, message.role);
      if (message.role == "user") question_.clear();
      for (size_t i = 0; i < message.parts.size(); ++i) {
        const ChatPart& part = message.parts[i];
        require(part.frames.empty(), ErrorKind::usage, "this model reads no videos, it was given one");
        if (part.recording && !perceives(*part.recording)) continue;
        if (!part.image && !part.recording) {
          writer.text(prompt, part.text);
          if (message.role == "user") question_ += part.text + " ";
          continue;
        }
        const modality::Recording* next = i + 1 < message.parts.size() ? message.parts[i + 1].recording.get() : nullptr;
        if (part.recording && next != nullptr && perceives(*next) && is_beside_film(*next) &&
            next->beside_film.size() == part.recording->windows.size()) {
          write_film_with_sound(prompt, percept);
          percept += 2;
          ++i;
          continue;
        }
        const Perception& perception = *percepts_[percept].perception;
        const PromptWriter::Place place = add_piece(percept++, 0, perception.image_tokens_TC.dim(0));
        if (part.image) {
          writer.picture(prompt, part.picture, place.index, place.tokens);
        } else {
          writer.recording(prompt, *part.recording->sense, place.index, place.tokens);
        }
        writer.evidence(prompt, perception.evidence);
      }
      writer.end_turn(prompt);
    }
    writer.begin_turn(prompt, "assistant");
    return prompt;
  }
  // Two percepts: the film and the sound beside it.
  void write_film_with_sound(TokenSequence& prompt, size_t film) {
    const Perception& seen = *percepts_[film].perception;
    const Perception& heard = *percepts_[film + 1].perception;
    std::vector<PromptWriter::Place> frames, sounds;
    for (size_t w = 0; w + 1 < seen.token_offsets.size(); ++w) {
      frames.push_back(add_piece(film, seen.token_offsets[w], seen.token_offsets[w + 1]));
      sounds.push_back(add_piece(film + 1, heard.token_offsets[w], heard.token_offsets[w + 1]));
    }
    model_.prompt().film_with_sound(prompt, frames, sounds, seen.evidence, heard.evidence);
  }

  const SensoriumModel& model_;
  std::vector<Percept> percepts_;  // of the conversation, in order
  std::vector<Piece> pieces_;      // as the prompt's places count them
  TokenSequence prompt_;
  std::string question_;
};

DecoderSession::Options session_options(const SensoriumModel& model, DType compute) {
  const SpecialTokens& special = model.prompt().special();
  return {.compute = compute,
          .capacity = model.config().decoder.context,
          .end_tokens = {special.end, special.bos, special.user}};
}

class Session : public DecoderSession, public HeatSource {
 public:
  Session(const SensoriumModel& model, DType compute, std::shared_ptr<nn::KvPool> pool, Conversation conversation)
      : DecoderSession(model.decoder(), model.tokenizer(), std::move(pool), session_options(model, compute)),
        model_(model),
        conversation_(std::move(conversation)),
        grounding_(model.tokenizer(), model.prompt().special(), conversation_.last_evidence()) {
    const NoGrad no_grad;
    set_prompt(conversation_.embed(compute));
  }

  // The labels of the evidence that question and answer speak of; without such the likeliest one of a picture without objects.
  std::vector<AnswerHeat> heats(std::string_view answer) const override {
    std::vector<AnswerHeat> result;
    const std::vector<const Conversation::Percept*> pictures = conversation_.pictures();
    for (size_t i = 0; i < pictures.size(); ++i) {
      const std::vector<LabelHeat>& all = pictures[i]->perception->heats;
      std::vector<FoundObject> labels;
      for (const LabelHeat& heat : all) labels.push_back({.label = heat.label});
      std::vector<size_t> shown = shown_objects(conversation_.question(), answer, labels);
      const bool nothing_else = pictures[i]->perception->evidence.objects.empty();
      if (shown.empty() && !all.empty() && nothing_else) shown = {0};
      for (const size_t one : shown) result.push_back(answer_heat(all[one], static_cast<int>(i)));
    }
    return result;
  }

  int32_t grounded(int32_t token) const override { return grounding_.grounded(token); }
  std::unique_ptr<ChatSession> fork() const override { return std::make_unique<Session>(*this); }

  std::unique_ptr<AnswerStream> stream() const override {
    return std::make_unique<SensoriumAnswerStream>(model_.tokenizer(), model_.prompt().special());
  }
  ChatAnswer read(std::span<const int32_t> tokens) const override {
    const Answer answer = read_answer(tokens, model_.tokenizer(), model_.prompt().special());
    ChatAnswer result{.text = answer.text, .boxes = {}};
    const auto first = result.text.find_first_not_of(' ');
    result.text.erase(0, first == std::string::npos ? result.text.size() : first);
    const std::vector<const Conversation::Percept*> pictures = conversation_.pictures();
    const auto add = [&](const FoundObject& object, size_t picture) {
      const auto width = static_cast<float>(pictures[picture]->image->width);
      const auto height = static_cast<float>(pictures[picture]->image->height);
      result.boxes.push_back({object.label, object.score, static_cast<int>(picture), object.box.x0 * width,
                              object.box.y0 * height, object.box.x1 * width, object.box.y1 * height});
    };
    if (!answer.boxes.empty()) {
      for (const FoundObject& box : answer.boxes) {
        if (!pictures.empty()) add(box, pictures.size() - 1);
      }
      return result;
    }
    // No boxes in the words: the evidence for them.
    for (size_t i = 0; i < pictures.size(); ++i) {
      const std::vector<FoundObject>& objects = pictures[i]->perception->evidence.objects;
      for (const size_t shown : shown_objects(conversation_.question(), result.text, objects)) add(objects[shown], i);
    }
    return result;
  }

 protected:
  void accepted(int32_t token) override { grounding_.accept(token); }

 private:
  const SensoriumModel& model_;
  Conversation conversation_;
  Grounding grounding_;
};

class SensoriumChat : public Model {
 public:
  SensoriumChat(const SensoriumModel& model, DType compute, std::unique_ptr<SensoriumModel> owned)
      : model_(model), compute_(compute), owned_(std::move(owned)) {
    if (model.config().joint) embedder_.emplace(model, compute);
  }

  const Embedder* embedder() const override { return embedder_ ? &*embedder_ : nullptr; }

  std::unique_ptr<ChatSession> start(std::span<const ChatMessage> messages) const override {
    return with_prompt_read(begin(messages));
  }
  std::unique_ptr<ChatSession> begin(std::span<const ChatMessage> messages) const override {
    const NoGrad no_grad;
    return std::make_unique<Session>(model_, compute_, cache_.pool(model_.decoder(), compute_),
                                     Conversation(model_, compute_, perceptions_, messages));
  }
  // Its tokenizer's file names no BOS.
  std::vector<int32_t> encode_prompt(std::string_view prompt) const override {
    std::vector<int32_t> ids = Model::encode_prompt(prompt);
    const int32_t bos = model_.prompt().special().bos;
    if (ids.empty() || ids.front() != bos) ids.insert(ids.begin(), bos);
    return ids;
  }
  std::unique_ptr<ChatSession> begin_tokens(std::span<const int32_t> ids) const override {
    return continue_tokens(model_.decoder(), model_.tokenizer(), cache_.pool(model_.decoder(), compute_),
                           session_options(model_, compute_), ids, {&model_.prompt().special().image, 1});
  }
  void configure_cache(const CacheOptions& options) override { cache_.configure(options); }
  const text::Tokenizer& tokenizer() const override { return model_.tokenizer(); }
  const nn::ParameterStore& store() const override { return model_.store(); }

  OrderedJson describe() const override {
    const SensoriumConfig& config = model_.config();
    OrderedJson json;
    json["name"] = config.name;
    json["family"] = "sensorium";
    json["modalities_in"] = {"text", "image"};
    for (const Sense& sense : model_.senses()) json["modalities_in"].push_back(sense.kind().name);
    json["modalities_out"] = {"text", "boxes"};
    json["image_encoder"] = config.image.to_json();
    for (const SenseConfig& sense : config.senses)
      json["senses"][std::string(sense.kind->name)] = {{"encoder", sense.encoder->to_json()}, {"labels", sense.labels}};
    json["decoder"] = native_decoder_json(config.decoder);
    if (config.joint) {
      json["embedding_dim"] = config.joint->dim;
      json["joint"] = config.joint->to_json();
    }
    json["max_image_pixels"] = config.prepare.max_pixels;
    json["context_tokens"] = config.decoder.context;
    json["labels"] = config.heads.labels.size();
    json["objects"] = config.heads.objects;
    json["licence"] = config.licence;
    json["trained_on"] = config.trained_on;
    return json;
  }

  std::vector<AnswerBox> find_objects(const media::Image& image, std::span<const std::string> phrases) const override {
    const NoGrad no_grad;
    const std::vector<std::string> asked(phrases.begin(), phrases.end());
    const media::Image resized = modality::resize_for_model(image, model_.config().prepare);
    const media::Image* pointer = &resized;
    const modality::PreparedImages prepared = modality::pack_images({&pointer, 1}, compute_);
    const Queries queries = model_.queries(asked);
    // A low threshold: average precision wants the whole ranking.
    const std::vector<double> thresholds(asked.size(), 0.02);
    const auto found =
        model_.detector().detect(model_.detector()(model_.encode(prepared), queries), prepared.pictures, thresholds);
    const float sx = static_cast<float>(image.width) / static_cast<float>(resized.width);
    const float sy = static_cast<float>(image.height) / static_cast<float>(resized.height);
    std::vector<AnswerBox> boxes;
    for (const Detection& d : found[0]) {
      boxes.push_back({asked[static_cast<size_t>(d.query)], d.score, 0, d.box.x0 * sx, d.box.y0 * sy, d.box.x1 * sx,
                       d.box.y1 * sy});
    }
    return boxes;
  }

  std::vector<float> classify(const media::Image& image, std::span<const std::string> labels) const override {
    const NoGrad no_grad;
    const media::Image resized = modality::resize_for_model(image, model_.config().prepare);
    const media::Image* pointer = &resized;
    const modality::PreparedImages prepared = modality::pack_images({&pointer, 1}, compute_);
    const Queries queries = model_.queries({labels.begin(), labels.end()});
    const Tensor logits = model_.classifier()(model_.encode(prepared), queries);
    const double total = log_sum_exp(logits.span<float>());
    std::vector<float> probabilities;
    for (const float logit : logits.span<float>()) probabilities.push_back(static_cast<float>(std::exp(logit - total)));
    return probabilities;
  }

  std::vector<float> classify_part(const ChatPart& part, std::span<const std::string> labels) const override {
    if (!part.recording) return Model::classify_part(part, labels);
    const NoGrad no_grad;
    const Sense& sense = model_.sense(*part.recording->sense);
    const std::vector<modality::Signal> signals = signals_of(*part.recording);
    return sense.probabilities(model_.encode(sense, pointers_to(signals), compute_),
                               model_.queries({labels.begin(), labels.end()}));
  }

  std::pair<double, int64_t> text_nll(std::string_view text) const override {
    std::vector<int32_t> tokens = model_.tokenizer().encode(text);
    tokens.insert(tokens.begin(), model_.prompt().special().bos);
    return tokens_nll(model_.decoder(), tokens, compute_);
  }

 private:
  const SensoriumModel& model_;
  DType compute_;
  std::unique_ptr<SensoriumModel> owned_;
  std::optional<SensoriumEmbedder> embedder_;
  mutable PictureCache<Perception> perceptions_{
      [](const Perception& perception) { return perception.image_tokens_TC.bytes() + sizeof(Perception); }};
  mutable DecoderCache cache_;
};

}  // namespace

std::unique_ptr<Model> load_sensorium(const Checkpoint& checkpoint, DType compute) {
  std::unique_ptr<SensoriumModel> model = SensoriumModel::load(checkpoint.path());
  // Short prompts and answers in the making are a few rows at a time.
  if (compute == DType::bf16) model->decoder().pack();
  const SensoriumModel& reference = *model;
  return std::make_unique<SensoriumChat>(reference, compute, std::move(model));
}

std::vector<ChatPart> watch_film(const std::filesystem::path& path, const media::FfmpegLimits& limits) {
  return load_recordings(path, modality::sense_kind("video"), {.ffmpeg = limits});
}

std::unique_ptr<Model> wrap_sensorium(const SensoriumModel& model, DType compute) {
  return std::make_unique<SensoriumChat>(model, compute, nullptr);
}

}  // namespace sensorium::models
