// The token sequences of the native model: turns, pictures, and the evidence that the model's own eyes found in them.
//
//   <|bos|><|user|> <|image|>*n <|evidence|>dog, cat; 1 head; 2 helmet: helmet<box> head<box>, helmet<box><|end|> question <|end|>
//   <|assistant|> answer <|end|>
//
// After each picture stands its evidence: the likeliest labels of the whole picture, the count of every kind of object that the
// detector found, and the objects with their boxes, four location tokens each (x0 y0 x1 y1 in thousandths of the picture's
// width and height), column by column from left to right and from the bottom up, so that neighbours stand side by side. So an answer about a number can be checked against boxes, and the decoder reads what it reasons about.
#pragma once

#include <array>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "modality/picture_kinds.h"
#include "models/sensorium/config.h"
#include "models/sensorium/heads.h"
#include "text/tokenizer.h"

namespace sensorium::models {

constexpr int kLocationBins = 1000;

// The control tokens' ids, looked up by name once.
struct SpecialTokens {
  int32_t pad, bos, end, user, assistant, system, image, evidence, location0;

  // Names of all control tokens in the order in which the tokenizer is trained with them.
  static std::vector<std::string> names();
  // Throws Error(invalid_data) that names a token the tokenizer lacks.
  static SpecialTokens of(const text::Tokenizer& tokenizer);
};

// One found object, relative to the picture: coordinates in 0..1.
struct FoundObject {
  std::string label;
  float score = 1;
  Box box;
};
// What is known about one picture before the question is read.
struct Evidence {
  std::vector<std::string> labels;  // likeliest first; at most three are told
  std::vector<FoundObject> objects;
  std::vector<std::string> facts;  // measured: told as they are
  bool empty() const { return labels.empty() && objects.empty() && facts.empty(); }
};

// The objects as evidence tells them: columns from left to right, each from the bottom up.
std::vector<FoundObject> told_order(const std::vector<FoundObject>& objects);
// The four location tokens of a box in 0..1: x0, y0, x1, y1.
std::array<int32_t, 4> location_tokens(const SpecialTokens& special, const Box& relative);

// A sequence under construction. Every token has a weight in the training loss (0 for what is only read).
struct TokenSequence {
  std::vector<int32_t> tokens;  // image places hold SpecialTokens::image
  std::vector<float> weights;
  std::vector<int> images;  // the pictures and recordings whose tokens stand in the sequence, in order

  void push(int32_t token, float weight = 0);
  void push(std::span<const int32_t> ids, float weight = 0);
};

class PromptWriter {
 public:
  PromptWriter(const text::Tokenizer& tokenizer, const SensoriumConfig& config);

  const SpecialTokens& special() const { return special_; }
  // Whether a film's sound is to be written by film_with_sound().
  bool interleaves_sound() const { return interleaves_sound_; }
  void begin(TokenSequence& out) const;
  void begin_turn(TokenSequence& out, std::string_view role) const;  // user, assistant or system
  void end_turn(TokenSequence& out, float weight = 0) const;
  // The places of picture `index` (`tokens` of them); its evidence follows.
  void image(TokenSequence& out, int index, int64_t tokens) const;
  // The same after the word that leads pictures of this kind in (null: a photograph, which none does); that alone if there are no
  // tokens.
  void picture(TokenSequence& out, const modality::PictureKind* kind, int index, int64_t tokens) const;
  // The same of a recording, after the words that lead it in; these alone if it has no tokens.
  void recording(TokenSequence& out, const modality::SenseKind& sense, int index, int64_t tokens) const;
  // Nothing, for a model without evidence.
  void evidence(TokenSequence& out, const Evidence& evidence) const;
  // A film and its sound side by side: each window of the film before what is heard meanwhile (as many windows), then what was found
  // in both.
  struct Place {
    int index = 0;
    int64_t tokens = 0;
  };
  void film_with_sound(TokenSequence& out, std::span<const Place> film, std::span<const Place> sound,
                       const Evidence& seen, const Evidence& heard) const;
  // The evidence's objects of one kind with their boxes, as an answer: " helmet<box>, helmet<box>", or "none". At most
  // `most`, in the order of the evidence. The location tokens weigh `box_weight`.
  void found(TokenSequence& out, const Evidence& evidence, const std::string& label, size_t most, float weight,
             float box_weight) const;
  // Text; control tokens inside it stay text.
  void text(TokenSequence& out, std::string_view text, float weight = 0) const;
  void box(TokenSequence& out, const Box& relative, float weight = 0) const;

 private:
  const text::Tokenizer& tokenizer_;
  SpecialTokens special_;
  bool tells_evidence_, interleaves_sound_;
};

// Splits an answer's tokens into its text and its boxes: a label followed by four location tokens is a box with that
// label. In the text a box reads "[x0, y0, x1, y1]" in thousandths.
struct Answer {
  std::string text;
  std::vector<FoundObject> boxes;
};
// A box in the text of an answer: " [x0, y0, x1, y1]".
std::string box_text(std::span<const int32_t> bins);
Answer read_answer(std::span<const int32_t> tokens, const text::Tokenizer& tokenizer, const SpecialTokens& special);

}  // namespace sensorium::models
