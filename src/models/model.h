// What every model family offers: a conversation in, the next token's logits out. Families are folders of this layer, found
// through the table in registry.cpp by the "model_type" of their configuration.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "media/image.h"
#include "modality/picture_kinds.h"
#include "modality/senses.h"
#include "models/checkpoint/options.h"
#include "nn/parameter_store.h"
#include "text/tokenizer.h"

namespace sensorium::models {

// A piece of a message: text, a picture, a video or a recording.
struct ChatPart {
  std::string text;
  std::shared_ptr<const media::Image> image;
  const modality::PictureKind* picture = nullptr;           // what the image is; null: a photograph
  std::vector<std::shared_ptr<const media::Image>> frames;  // of a video, in their order
  std::shared_ptr<const modality::Recording> recording;     // of a sense beside the eyes
};
struct ChatMessage {
  std::string role;  // system, user or assistant
  std::vector<ChatPart> parts;
};

// A box that belongs to an answer: in pixels of the picture as it was given.
struct AnswerBox {
  std::string label;
  float score = 1;
  int picture = 0;  // counts the conversation's pictures from 0
  float x0 = 0, y0 = 0, x1 = 0, y1 = 0;
};
struct ChatAnswer {
  std::string text;
  std::vector<AnswerBox> boxes;  // written by the model, or the evidence for what was asked
};

// The text of an answer while its tokens come: the pieces, put together, are what ChatSession::read() makes of the tokens. (Where
// they are no UTF-8, a tokenizer with tokens of single bytes may replace more of them once it sees them all.)
class AnswerStream {
 public:
  virtual ~AnswerStream() = default;
  // The text that is certain after this token, maybe ""; ends on a character boundary.
  virtual std::string push(int32_t token) = 0;
  // What is left at the end; an unfinished character becomes U+FFFD.
  virtual std::string finish() = 0;
};

// One prompt being answered. Not thread-safe; the model must outlive it.
class ChatSession {
 public:
  virtual ~ChatSession() = default;
  // Reads more of a prompt that Model::begin() has left unread: about `most_rows` tokens of it. True: all of it has been read; before,
  // nothing else may be asked of the session.
  virtual bool read_prompt(int64_t /*most_rows*/) { return true; }
  virtual int64_t prompt_tokens() const = 0;
  // How many of them an earlier prompt had computed.
  virtual int64_t reused_tokens() const { return 0; }
  // The prompt's token ids, -1 where something else than a token stands; empty if the session does not know them.
  virtual std::span<const int32_t> prompt_ids() const { return {}; }
  // Tokens that still fit.
  virtual int64_t room() const = 0;
  // f32, one per token of the vocabulary: of the token that comes next.
  virtual std::span<const float> logits() const = 0;
  // The token to say where `token` was chosen by its logits: the same, unless the session knows better (a box that its own
  // evidence holds exactly).
  virtual int32_t grounded(int32_t token) const { return token; }
  // Appends a token and computes the next logits. Throws Error(limit) if the context or the memory for it is full.
  virtual void accept(int32_t token) = 0;
  // The same for several sessions of one model at once, this one among them: tokens[i] to sessions[i]. One pass through the
  // model, where the model can.
  virtual void accept_all(std::span<ChatSession* const> sessions, std::span<const int32_t> tokens) {
    for (size_t i = 0; i < sessions.size(); ++i) sessions[i]->accept(tokens[i]);
  }
  // A session in the same state that goes on by itself; what both have read is not computed again.
  virtual std::unique_ptr<ChatSession> fork() const = 0;
  virtual bool is_end(int32_t token) const = 0;
  // The answer that the accepted tokens make.
  virtual ChatAnswer read(std::span<const int32_t> tokens) const = 0;
  // For an answer from its first token on; the session's model must outlive it.
  virtual std::unique_ptr<AnswerStream> stream() const = 0;
  // Log-probability of each text as the whole answer (its tokens and the end), without changing the session.
  virtual std::vector<double> score(std::span<const std::string> answers) = 0;
};

// What the sessions of a model remember of their tokens.
struct CacheOptions {
  // Of keys and values: f32, bf16, f16, or i8 (a scale per head and token: half the memory of bf16); none: the activations'.
  std::optional<DType> dtype;
  // Of all sessions, and of the prompts that are kept to be used again; 0: half of the machine's memory.
  size_t max_bytes = 0;
};

class Embedder;

class Model {
 public:
  virtual ~Model() = default;
  // The model as one that makes vectors of its inputs; null if it makes none.
  virtual const Embedder* embedder() const { return nullptr; }
  // For sessions that start from now on; without effect on a model that has none.
  virtual void configure_cache(const CacheOptions& /*options*/) {}
  // Prepares pictures and prompt and runs them through the model. Throws Error(limit) if the prompt is longer than the
  // context (the message says by how much), usage for roles that it does not know.
  virtual std::unique_ptr<ChatSession> start(std::span<const ChatMessage> messages) const = 0;
  // The same without running a long prompt at once: ChatSession::read_prompt() does that, a part in each call.
  virtual std::unique_ptr<ChatSession> begin(std::span<const ChatMessage> messages) const { return start(messages); }
  // The token ids of a prompt without turns: names of control tokens in it are those tokens, and what the model wants before every
  // text (BOS) stands in front, once.
  virtual std::vector<int32_t> encode_prompt(std::string_view prompt) const;
  // As begin(), for token ids that are gone on with as they stand. Throws Error: usage (none, one that is no token or a picture's
  // place), unsupported (the model answers nothing), limit.
  virtual std::unique_ptr<ChatSession> begin_tokens(std::span<const int32_t> ids) const;
  virtual const text::Tokenizer& tokenizer() const = 0;
  virtual const nn::ParameterStore& store() const = 0;
  // For `inspect`: family, modalities, layers, context, licence, trained on; the order is the order of the output.
  virtual OrderedJson describe() const = 0;
  // What the model finds in a picture without a question: {"labels": [[name, probability]..], "boxes": [..]}.
  virtual std::vector<AnswerBox> find_objects(const media::Image& image,
                                              std::span<const std::string> phrases) const = 0;
  // Probabilities of labels for a picture; they sum to 1.
  virtual std::vector<float> classify(const media::Image& image, std::span<const std::string> labels) const = 0;
  // The same for a picture or a recording. Throws Error(unsupported) for a sense that the model lacks.
  virtual std::vector<float> classify_part(const ChatPart& part, std::span<const std::string> labels) const;
  // Sum of the negative log-likelihoods (nats) of a text's tokens after the first, and how many.
  virtual std::pair<double, int64_t> text_nll(std::string_view text) const = 0;
};

// Throws Error(unsupported) if the part is a recording: for models that have no sense but sight.
void require_no_recording(const ChatPart& part);

class Checkpoint;
class Learner;
struct LearnerOptions;

enum class FamilyKind : uint8_t { answers, embeds };

// A line of the table of families.
struct ModelFamily {
  const char* model_type;
  const char* summary;
  // `compute`: dtype of the activations, f32 or bf16.
  std::unique_ptr<Model> (*load)(const Checkpoint& checkpoint, DType compute);
  FamilyKind kind = FamilyKind::answers;
  // For training on conversations (learner.h); none: the family does not train this way.
  std::unique_ptr<Learner> (*learn)(std::unique_ptr<Checkpoint> checkpoint, const LearnerOptions& options) = nullptr;
  // A film's file as the parts of a message that the family's models were trained with: so many frames a second, so many of them,
  // its sound. None: they watch no films. Throws Error with the path, as media::load_video.
  std::vector<ChatPart> (*read_film)(const std::filesystem::path& path, const media::FfmpegLimits& limits) = nullptr;
  // The same of a film that is kept as pictures, in order (at least one). None: as the sense of films takes it.
  std::vector<ChatPart> (*read_frames)(std::span<const std::string> pictures) = nullptr;
};
std::span<const ModelFamily> model_families();
// The family of a folder or file, without loading its weights. Throws as load_model.
const ModelFamily& family_of(const std::filesystem::path& path, const LoadOptions& options = {});

// Loads the model of a folder or file; docs/models.md lists the layouts. Throws Error: not_found, invalid_data, unsupported
// (a model_type that no family has), limit (more memory than there is).
std::unique_ptr<Model> load_model(const std::filesystem::path& path, const LoadOptions& options);
std::unique_ptr<Model> load_model(const std::filesystem::path& path, DType compute = DType::bf16);

}  // namespace sensorium::models
