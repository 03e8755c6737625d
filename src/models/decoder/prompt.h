// Prompts of published chat models: the checkpoint's own chat template, or the built-in one that its model was trained with.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "models/checkpoint/checkpoint.h"
#include "models/model.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace sensorium::models {

class ChatPromptWriter {
 public:
  // How pictures stand in a prompt.
  struct Pictures {
    enum class Place : uint8_t {
      none,   // the model reads text only
      token,  // a special token of the tokenizer, inside a prompt that is read as one text (transformers)
      cut,    // the prompt is cut at "<image>" and every part is read by itself (the original LLaVA)
    };
    Place place = Place::none;
    std::string placeholder;        // what templates write: the special token's text
    std::string video_placeholder;  // the same for a video; "" if the model reads none
  };

  // `tokenizer` must outlive this object. Throws Error: what Checkpoint::chat_template() throws; not_found for a
  // LoadOptions::chat_template that is neither built in nor a file.
  ChatPromptWriter(const Checkpoint& checkpoint, const text::Tokenizer& tokenizer, const std::string& decoder_type,
                   Pictures pictures);

  // The token ids of the turns and of the beginning of the assistant's next one, with one id per picture or video: the
  // special token's, or text::kImageId and kVideoId. Where a picture stands in its turn is the template's to say. What users write never
  // becomes a control token or a picture. Throws Error: usage (an unknown role, a picture or video that the model does not
  // read), and what the template throws.
  std::vector<int32_t> write(std::span<const ChatMessage> messages) const;

  // A conversation with its answers, as a model learns it.
  struct Written {
    std::vector<int32_t> ids;   // as write() has them
    std::vector<uint8_t> said;  // of each id: 1 if it is the assistant's to say, its end included
  };
  // The whole conversation; an answer begins where the prompt before it ends. `end_tokens`: what ends an answer; where the
  // checkpoint's own template writes none of them behind the last answer, the first one is appended, since the model must learn
  // to stop. Throws Error: as write(); usage for a conversation without an answer; unsupported for a template that writes a
  // turn in another way once it has been answered.
  Written write_with_answers(std::span<const ChatMessage> messages, std::span<const int32_t> end_tokens) const;

  // "the checkpoint's own", the name of a built-in template, or a file.
  const std::string& name() const { return name_; }
  // The token that ends an answer in a built-in template.
  std::optional<int32_t> end_token() const { return end_token_; }

 private:
  enum class Content : uint8_t { text, parts };

  enum class Ending : uint8_t { answered, unanswered };

  bool takes(Content content) const;
  std::vector<int32_t> ids_of(std::span<const ChatMessage> messages, const std::string& marker, Ending ending) const;
  size_t end_of_answer(std::span<const int32_t> ids, size_t begin, size_t end,
                       std::span<const int32_t> end_tokens) const;
  OrderedJson write_messages(std::span<const ChatMessage> messages, const std::string& marker) const;
  void require_readable(const ChatPart& part) const;

  const text::Tokenizer& tokenizer_;
  Pictures pictures_;
  std::string name_;
  std::optional<int32_t> end_token_;
  std::optional<text::ChatTemplate> template_;
  Content content_ = Content::text;
  bool ends_answers_ = true;    // what the model says ends with a token
  bool adds_beginning_ = true;  // BOS, where the tokenizer puts one and the template has not
};

}  // namespace sensorium::models
