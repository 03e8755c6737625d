#include "models/decoder/prompt.h"

#include <algorithm>
#include <array>

namespace sensorium::models {
namespace {

constexpr PromptStyle kVicuna = {"vicuna", "", " ", "USER: ", " ", "ASSISTANT:", "</s>", ""};
constexpr PromptStyle kMistral = {"mistral", "", "\n\n", "[INST] ", " [/INST]", "", " </s>", "", true};
constexpr PromptStyle kLlama3 = {"llama3",     "<|start_header_id|>system<|end_header_id|>\n\n",
                                 "<|eot_id|>", "<|start_header_id|>user<|end_header_id|>\n\n",
                                 "<|eot_id|>", "<|start_header_id|>assistant<|end_header_id|>\n\n",
                                 "<|eot_id|>", ""};
constexpr PromptStyle kChatMl = {
    "chatml",       "<|im_start|>system\n",    "<|im_end|>\n", "<|im_start|>user\n",
    "<|im_end|>\n", "<|im_start|>assistant\n", "<|im_end|>\n", "You are a helpful assistant."};
// As LLaVA 1.6 was trained with Yi: no line feed behind a turn.
constexpr PromptStyle kChatMlDirect = {"chatml_direct",      "<|im_start|>system\n", "<|im_end|>",
                                       "<|im_start|>user\n", "<|im_end|>",           "<|im_start|>assistant\n",
                                       "<|im_end|>",         "Answer the questions."};

// The first row that fits counts; "" fits everything.
struct StyleRow {
  const char* token;         // that the tokenizer has
  const char* decoder_type;  // model_type
  const PromptStyle* style;
};
constexpr std::array<StyleRow, 5> kStyles = {{
    {"<|start_header_id|>", "", &kLlama3},
    {"<|im_start|>", "llama", &kChatMlDirect},
    {"<|im_start|>", "", &kChatMl},
    {"", "mistral", &kMistral},
    {"", "", &kVicuna},
}};

enum class Origin : uint8_t { program, user };
struct Piece {
  std::string text;
  Origin origin;
};

std::vector<Piece> write_pieces(const PromptStyle& style, std::span<const ChatMessage> messages,
                                const std::string& image_token) {
  std::vector<Piece> pieces, waiting;  // waiting: what the system says, for the next user turn
  std::vector<Piece>* target = &pieces;
  const auto say = [&](std::string text, Origin origin = Origin::program) {
    if (!text.empty()) target->push_back({std::move(text), origin});
  };
  const bool has_system = std::any_of(messages.begin(), messages.end(),
                                      [](const ChatMessage& m) { return m.role == "system" || m.role == "developer"; });
  if (!has_system && *style.default_system != 0) {
    say(std::string(style.system_begin) + style.default_system + style.system_end);
  }
  for (const ChatMessage& message : messages) {
    const bool user = message.role == "user" || message.role == "tool", assistant = message.role == "assistant";
    require(user || assistant || message.role == "system" || message.role == "developer", ErrorKind::usage,
            "unknown role \"{}\" (expected system, user or assistant)", message.role);
    target = !user && !assistant && style.system_inside_user ? &waiting : &pieces;
    say(user ? style.user_begin : assistant ? style.assistant_begin : style.system_begin);
    if (user) {
      pieces.insert(pieces.end(), waiting.begin(), waiting.end());
      waiting.clear();
    }
    for (const ChatPart& part : message.parts) {
      if (part.image) {
        require(!image_token.empty(), ErrorKind::usage, "this model reads text only, it was given a picture");
        say(image_token + "\n");
      } else {
        // Styles whose turns begin without a space put one between "ASSISTANT:" and the answer.
        const bool spaced =
            assistant && (*style.assistant_begin == 0 || std::string_view(style.assistant_begin).ends_with(':'));
        say((spaced ? " " : "") + part.text, Origin::user);
      }
    }
    say(user ? style.user_end : assistant ? style.assistant_end : style.system_end);
  }
  target = &pieces;
  say(style.assistant_begin);
  return pieces;
}

}  // namespace

const PromptStyle& prompt_style(const text::Tokenizer& tokenizer, const std::string& decoder_type) {
  for (const StyleRow& row : kStyles) {
    const bool has_token = *row.token == 0 || tokenizer.token_id(row.token).has_value();
    if (has_token && (*row.decoder_type == 0 || decoder_type == row.decoder_type)) return *row.style;
  }
  return kVicuna;
}

std::vector<int32_t> write_prompt(const text::Tokenizer& tokenizer, const PromptStyle& style,
                                  std::span<const ChatMessage> messages, const std::string& image_token) {
  const std::vector<Piece> pieces = write_pieces(style, messages, image_token);
  const auto holds_special = [&](const Piece& piece) {
    return piece.origin == Origin::user &&
           std::any_of(tokenizer.special_tokens().begin(), tokenizer.special_tokens().end(),
                       [&](const text::SpecialToken& special) {
                         return special.control && piece.text.find(special.text) != std::string::npos;
                       });
  };
  // In one piece, as the reference encodes it: words may cross the borders of turns.
  if (std::none_of(pieces.begin(), pieces.end(), holds_special)) {
    std::string prompt;
    for (const Piece& piece : pieces) prompt += piece.text;
    return tokenizer.encode(prompt, {.specials = text::Specials::parse, .affixes = text::Affixes::model});
  }
  std::vector<int32_t> ids = tokenizer.encode("", {.affixes = text::Affixes::model});
  for (const Piece& piece : pieces) {
    const text::Specials specials = piece.origin == Origin::user ? text::Specials::as_text : text::Specials::parse;
    const std::vector<int32_t> more = tokenizer.encode(piece.text, {.specials = specials});
    ids.insert(ids.end(), more.begin(), more.end());
  }
  return ids;
}

}  // namespace sensorium::models
