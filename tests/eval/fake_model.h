// A model that knows the answers: it looks the picture up among those it was shown, and says what it was told to say.
#pragma once

#include <algorithm>
#include <array>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "data/record.h"
#include "media/decode.h"
#include "models/model.h"

namespace sensorium::eval {

// One token a byte, and 256 for the end.
class ByteTokenizer : public text::Tokenizer {
 public:
  static constexpr int32_t kEnd = 256;
  ByteTokenizer() {
    for (size_t i = 0; i < bytes_.size(); ++i) bytes_[i] = static_cast<char>(i);
  }
  std::vector<int32_t> encode(std::string_view text, const text::EncodeOptions&) const override {
    std::vector<int32_t> ids;
    for (const char c : text) ids.push_back(static_cast<unsigned char>(c));
    return ids;
  }
  using text::Tokenizer::encode;
  std::string decode(std::span<const int32_t> ids, text::DecodeSpecials) const override {
    std::string text;
    for (const int32_t id : ids) text += token_bytes(id);
    return text;
  }
  std::string_view token_bytes(int32_t id) const override {
    return id >= 0 && id < kEnd ? std::string_view(&bytes_[static_cast<size_t>(id)], 1) : std::string_view{};
  }
  text::LeadingSpaces leading_spaces() const override { return {}; }
  int32_t vocab_size() const override { return kEnd + 1; }
  std::optional<int32_t> token_id(std::string_view) const override { return std::nullopt; }
  const std::vector<text::SpecialToken>& special_tokens() const override { return none_; }
  bool is_control(int32_t id) const override { return id == kEnd; }

 private:
  std::array<char, 256> bytes_{};
  std::vector<text::SpecialToken> none_;
};

class FakeSession : public models::ChatSession {
 public:
  class Stream : public models::AnswerStream {
   public:
    std::string push(int32_t token) override { return utf8_.push(ByteTokenizer().token_bytes(token)); }
    std::string finish() override { return utf8_.finish(); }

   private:
    Utf8Stream utf8_;
  };
  FakeSession(models::ChatAnswer answer, double log_probability)
      : answer_(std::move(answer)), log_probability_(log_probability) {
    point();
  }
  int64_t prompt_tokens() const override { return 1; }
  int64_t room() const override { return 1 << 20; }
  std::span<const float> logits() const override { return logits_; }
  void accept(int32_t) override {
    ++said_;
    point();
  }
  bool is_end(int32_t token) const override { return token == ByteTokenizer::kEnd; }
  models::ChatAnswer read(std::span<const int32_t> tokens) const override {
    return {ByteTokenizer().decode(tokens, text::DecodeSpecials::skip), answer_.boxes};
  }
  std::unique_ptr<models::ChatSession> fork() const override { return std::make_unique<FakeSession>(*this); }
  std::unique_ptr<models::AnswerStream> stream() const override { return std::make_unique<Stream>(); }
  std::vector<double> score(std::span<const std::string> answers) override {
    return std::vector<double>(answers.size(), log_probability_);
  }

 private:
  void point() {
    logits_.assign(ByteTokenizer::kEnd + 1, 0.0f);
    const bool over = said_ >= answer_.text.size();
    logits_[over ? ByteTokenizer::kEnd : static_cast<unsigned char>(answer_.text[said_])] = 1.0f;
  }
  models::ChatAnswer answer_;
  double log_probability_;
  size_t said_ = 0;
  std::vector<float> logits_;
};

class FakeModel : public models::Model {
 public:
  // What it says to a question about a record (null: about no picture).
  std::function<std::string(const data::Record*, const std::string&)> say;
  // The boxes it sees in the record's picture.
  std::function<std::vector<models::AnswerBox>(const data::Record&)> see;
  // The class it recognises.
  std::function<std::string(const data::Record&)> recognise;
  mutable int sessions = 0;

  explicit FakeModel(const std::vector<data::Record>& records) : records_(records) {
    for (const data::Record& record : records_) {
      if (!record.image.empty()) pictures_.push_back({media::load_image(record.image), &record});
      if (const data::MessagePart* media = data::recording_of(record)) {
        const modality::SenseKind& sense = modality::sense_kind(data::field_name(media->kind));
        std::error_code missing;
        if (std::filesystem::exists(media->value, missing))
          recordings_.push_back({sense.load(media->value).windows.at(0).to_floats(), &record});
      }
    }
    say = [](const data::Record*, const std::string&) { return "nonsense"; };
    see = [](const data::Record&) { return std::vector<models::AnswerBox>{}; };
    recognise = [](const data::Record&) { return ""; };
  }
  // A move keeps the records where they are; a copy would not.
  FakeModel(FakeModel&&) = default;

  std::unique_ptr<models::ChatSession> start(std::span<const models::ChatMessage> messages) const override {
    ++sessions;
    const data::Record* record = nullptr;
    std::string question;
    for (const models::ChatPart& part : messages.back().parts) {
      if (part.image) record = find(*part.image);
      if (part.recording) record = find(*part.recording);
      question += part.text;
    }
    return std::make_unique<FakeSession>(
        models::ChatAnswer{say(record, question), record ? see(*record) : std::vector<models::AnswerBox>{}}, -2.0);
  }
  const text::Tokenizer& tokenizer() const override { return tokenizer_; }
  const nn::ParameterStore& store() const override { fail(ErrorKind::unsupported, "a fake has no weights"); }
  OrderedJson describe() const override { return {}; }
  std::vector<models::AnswerBox> find_objects(const media::Image& image, std::span<const std::string>) const override {
    return see(*find(image));
  }
  std::vector<float> classify(const media::Image& image, std::span<const std::string> labels) const override {
    std::vector<float> probabilities;
    for (const std::string& label : labels) probabilities.push_back(label == recognise(*find(image)) ? 1.0f : 0.0f);
    return probabilities;
  }
  std::vector<float> classify_part(const models::ChatPart& part, std::span<const std::string> labels) const override {
    if (!part.recording) return Model::classify_part(part, labels);
    std::vector<float> probabilities;
    for (const std::string& label : labels)
      probabilities.push_back(label == recognise(*find(*part.recording)) ? 1.0f : 0.0f);
    return probabilities;
  }
  // Half a nat a byte after the first.
  std::pair<double, int64_t> text_nll(std::string_view text) const override {
    const auto tokens = static_cast<int64_t>(text.size()) - 1;
    return {0.5 * static_cast<double>(tokens), tokens};
  }

 private:
  const data::Record* find(const media::Image& image) const {
    for (const auto& [picture, record] : pictures_) {
      if (picture == image) return record;
    }
    fail(ErrorKind::not_found, "a picture that was never shown");
  }
  const data::Record* find(const modality::Recording& recording) const {
    const std::vector<float> values = recording.windows.at(0).to_floats();
    for (const auto& [known, record] : recordings_) {
      if (known == values) return record;
    }
    fail(ErrorKind::not_found, "a recording that was never played");
  }
  std::vector<data::Record> records_;
  std::vector<std::pair<std::vector<float>, const data::Record*>> recordings_;
  std::vector<std::pair<media::Image, const data::Record*>> pictures_;
  ByteTokenizer tokenizer_;
};

}  // namespace sensorium::eval
