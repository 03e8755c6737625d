#include "models/decoder/prompt.h"

#include <algorithm>
#include <array>

#include "base/file.h"
#include "text/image_prompt.h"

namespace sensorium::models {
namespace {

using Place = ChatPromptWriter::Pictures::Place;

constexpr size_t kMaxTemplateBytes = size_t{16} << 20;
// The last ids of a prompt may be others once an answer stands behind them: a space or new line becomes part of its first word.
constexpr size_t kMergedIds = 2;

// Which built-in template a checkpoint without one gets: the first row that fits; "" fits everything.
struct TemplateRow {
  const char* token;         // that the tokenizer has
  const char* decoder_type;  // model_type
  const char* text;          // template for conversations in text
  const char* pictures;      // and for those with pictures, as LLaVA was trained
};
constexpr std::array<TemplateRow, 5> kTemplates = {{
    {"<|start_header_id|>", "", "llama-3", "llava-llama-3"},
    {"<|im_start|>", "qwen2", "qwen", "qwen"},
    {"<|im_start|>", "", "chatml", "chatml-direct"},
    {"", "mistral", "mistral", "mistral"},
    {"", "", "vicuna", "llava-v1"},
}};

std::string builtin_for(const text::Tokenizer& tokenizer, const std::string& decoder_type, bool with_pictures) {
  for (const TemplateRow& row : kTemplates) {
    const bool has_token = *row.token == 0 || tokenizer.token_id(row.token).has_value();
    if (has_token && (*row.decoder_type == 0 || decoder_type == row.decoder_type)) {
      return with_pictures ? row.pictures : row.text;
    }
  }
  return "vicuna";
}

const text::BuiltinChatTemplate* find_builtin(const std::string& name) {
  const auto all = text::builtin_chat_templates();
  const auto found = std::find_if(all.begin(), all.end(), [&](const auto& known) { return known.name == name; });
  return found == all.end() ? nullptr : &*found;
}

text::ChatTemplate read_template_file(const std::string& path) {
  std::error_code code;
  std::string names;
  for (const auto& known : text::builtin_chat_templates()) names += fmt::format(", {}", known.name);
  require(std::filesystem::is_regular_file(path, code), ErrorKind::not_found,
          "chat template \"{}\" is neither a file nor built in{}", path, names);
  auto parsed = text::ChatTemplate::parse(read_file(path, kMaxTemplateBytes));
  if (!parsed) throw parsed.error().with_context(path);
  return std::move(parsed).value();
}

// A text that no message holds: it stands for a picture in templates that take texts only.
std::string unused_marker(std::span<const ChatMessage> messages) {
  for (int number = 0;; ++number) {
    const std::string marker = fmt::format("\xEE\x80\x80{}\xEE\x80\x80", number);  // U+E000, for private use
    const bool used = std::any_of(messages.begin(), messages.end(), [&](const ChatMessage& message) {
      return std::any_of(message.parts.begin(), message.parts.end(),
                         [&](const ChatPart& part) { return part.text.find(marker) != std::string::npos; });
    });
    if (!used) return marker;
  }
}

// Puts the program's placeholder where the marker stands, which is then no longer the user's text.
text::jinja::Rendered place_pictures(const text::jinja::Rendered& prompt, const std::string& marker,
                                     const std::string& placeholder) {
  text::jinja::Rendered result;
  size_t done = 0, span = 0;
  const auto copy_to = [&](size_t end) {
    for (; span < prompt.user.size() && prompt.user[span].begin < end; ++span) {
      const size_t from = std::max(prompt.user[span].begin, done), to = std::min(prompt.user[span].end, end);
      if (from < to) result.user.push_back({result.text.size() + from - done, result.text.size() + to - done});
      if (prompt.user[span].end > end) break;  // the rest stands behind the marker
    }
    result.text.append(prompt.text, done, end - done);
  };
  for (size_t at = prompt.text.find(marker); at != std::string::npos; at = prompt.text.find(marker, done)) {
    copy_to(at);
    result.text += placeholder;
    done = at + marker.size();
  }
  copy_to(prompt.text.size());
  return result;
}

std::string role_of(const ChatMessage& message) {
  constexpr std::array<std::pair<const char*, const char*>, 5> kRoles = {
      {{"system", "system"}, {"developer", "system"}, {"user", "user"}, {"tool", "user"}, {"assistant", "assistant"}}};
  for (const auto& [given, role] : kRoles) {
    if (message.role == given) return role;
  }
  fail(ErrorKind::usage, "unknown role \"{}\" (expected system, user or assistant)", message.role);
}

}  // namespace

ChatPromptWriter::ChatPromptWriter(const Checkpoint& checkpoint, const text::Tokenizer& tokenizer,
                                   const std::string& decoder_type, Pictures pictures)
    : tokenizer_(tokenizer), pictures_(std::move(pictures)) {
  const bool with_pictures = pictures_.place != Place::none;
  const std::string& wanted = checkpoint.options().chat_template;
  if (wanted.empty()) template_ = checkpoint.chat_template();
  if (template_) {
    name_ = "the checkpoint's own";
    // As transformers does: its processors add BOS where the template has not, its tokenizers leave it to the template.
    adds_beginning_ = with_pictures || checkpoint.layout() != Checkpoint::Layout::huggingface;
  } else {
    name_ = wanted.empty() ? builtin_for(tokenizer, decoder_type, with_pictures) : wanted;
    const text::BuiltinChatTemplate* builtin = find_builtin(name_);
    template_ = builtin != nullptr ? text::builtin_chat_template(name_) : read_template_file(name_);
    if (builtin != nullptr) end_token_ = tokenizer.token_id(builtin->eos_token);
    ends_answers_ = builtin == nullptr || !builtin->eos_token.empty();
  }
  const Content preferred = with_pictures ? Content::parts : Content::text,
                other = with_pictures ? Content::text : Content::parts;
  content_ = takes(preferred) || !takes(other) ? preferred : other;
}

// Whether the template writes a message of this kind, whose text and pictures must come out.
bool ChatPromptWriter::takes(Content content) const {
  constexpr const char* kProbe = "probe of a message";
  OrderedJson message = {{"role", "user"}, {"content", kProbe}};
  if (content == Content::parts) {
    message["content"] = OrderedJson::array();
    if (pictures_.place != Place::none) message["content"].push_back(OrderedJson::object({{"type", "image"}}));
    message["content"].push_back(OrderedJson::object({{"type", "text"}, {"text", kProbe}}));
  }
  const auto prompt = template_->render(OrderedJson::array({message}));
  if (!prompt || prompt.value().text.find(kProbe) == std::string::npos) return false;
  if (content == Content::text) return true;
  // A template for texts may print the list itself.
  const bool prints_list = prompt.value().text.find("'type'") != std::string::npos;
  return !prints_list && prompt.value().text.find(pictures_.placeholder) != std::string::npos;
}

void ChatPromptWriter::require_readable(const ChatPart& part) const {
  require_no_recording(part);
  require(!part.image || pictures_.place != Place::none, ErrorKind::usage,
          "this model reads text only, it was given a picture");
  require(part.frames.empty() || !pictures_.video_placeholder.empty(), ErrorKind::usage,
          "this model reads no videos, it was given one");
}

OrderedJson ChatPromptWriter::write_messages(std::span<const ChatMessage> messages, const std::string& marker) const {
  OrderedJson turns = OrderedJson::array();
  for (const ChatMessage& message : messages) {
    std::string text;
    OrderedJson parts = OrderedJson::array();
    for (const ChatPart& part : message.parts) {
      require_readable(part);
      const bool video = !part.frames.empty();
      require(!video || content_ == Content::parts, ErrorKind::usage, "the chat template ({}) has no place for a video",
              name_);
      text += part.image ? marker + "\n" : part.text;
      parts.push_back(part.image ? OrderedJson::object({{"type", "image"}})
                      : video    ? OrderedJson::object({{"type", "video"}})
                                 : OrderedJson::object({{"type", "text"}, {"text", part.text}}));
    }
    turns.push_back(OrderedJson::object({{"role", role_of(message)}}));
    turns.back()["content"] = content_ == Content::text ? OrderedJson(text) : std::move(parts);
  }
  return turns;
}

std::vector<int32_t> ChatPromptWriter::ids_of(std::span<const ChatMessage> messages, const std::string& marker,
                                              Ending ending) const {
  text::jinja::Rendered prompt =
      template_->render(write_messages(messages, marker), {.add_generation_prompt = ending == Ending::unanswered})
          .value();
  if (content_ == Content::text) prompt = place_pictures(prompt, marker, pictures_.placeholder);
  if (pictures_.place == Place::cut) {
    const std::span<const text::Placeholder> placeholders(text::kPlaceholders);
    return text::encode_with_images(tokenizer_, prompt.text, prompt.user,
                                    placeholders.first(pictures_.video_placeholder.empty() ? 1 : 2));
  }
  std::vector<int32_t> ids = text::encode_chat(tokenizer_, prompt);
  if (adds_beginning_) text::prepend_leading_ids(tokenizer_, ids);
  return ids;
}

std::vector<int32_t> ChatPromptWriter::write(std::span<const ChatMessage> messages) const {
  return ids_of(messages, unused_marker(messages), Ending::unanswered);
}

// Where what the assistant says ends, of ids [begin, end): behind the end token, after which nobody is asked for anything; where
// the template writes none, before the blanks that part turns.
size_t ChatPromptWriter::end_of_answer(std::span<const int32_t> ids, size_t begin, size_t end,
                                       std::span<const int32_t> end_tokens) const {
  const auto stop = std::find_first_of(ids.begin() + static_cast<int64_t>(begin),
                                       ids.begin() + static_cast<int64_t>(end), end_tokens.begin(), end_tokens.end());
  const auto found = static_cast<size_t>(stop - ids.begin());
  if (found < end) return found + 1;
  const auto is_blank = [&](int32_t id) {
    const std::string text = tokenizer_.decode(std::span(&id, 1));
    return !tokenizer_.is_control(id) && text.find_first_not_of(" \t\r\n") == std::string::npos;
  };
  while (ends_answers_ && end > begin + 1 && is_blank(ids[end - 1])) --end;
  return end;
}

ChatPromptWriter::Written ChatPromptWriter::write_with_answers(std::span<const ChatMessage> messages,
                                                               std::span<const int32_t> end_tokens) const {
  const std::string marker = unused_marker(messages);
  Written written{.ids = ids_of(messages, marker, Ending::answered), .said = {}};
  std::vector<int32_t>& ids = written.ids;
  written.said.resize(ids.size());
  // How many ids both begin with. Where an answer begins in the middle of a token, that token is the answer's.
  const auto shared = [&](const std::vector<int32_t>& beginning) {
    return static_cast<size_t>(std::ranges::mismatch(ids, beginning).in1 - ids.begin());
  };
  size_t answers = 0, last_end = 0;
  for (size_t i = 0; i < messages.size(); ++i) {
    if (role_of(messages[i]) != "assistant") continue;
    const std::vector<int32_t> prompt = ids_of(messages.first(i), marker, Ending::unanswered);
    const size_t begin = shared(prompt);
    const size_t end =
        i + 1 == messages.size() ? ids.size() : shared(ids_of(messages.first(i + 1), marker, Ending::answered));
    require(begin + kMergedIds >= prompt.size() && end > begin, ErrorKind::unsupported,
            "the chat template ({}) writes turns in another way once they are answered: which words are the "
            "assistant's cannot be told; give another template",
            name_);
    last_end = end_of_answer(ids, begin, end, end_tokens);
    std::fill(written.said.begin() + static_cast<int64_t>(begin), written.said.begin() + static_cast<int64_t>(last_end),
              1);
    ++answers;
  }
  require(answers > 0, ErrorKind::usage, "a conversation without an answer has nothing to learn");
  const bool stops = std::ranges::find(end_tokens, ids[last_end - 1]) != end_tokens.end();
  if (ends_answers_ && role_of(messages.back()) == "assistant" && !end_tokens.empty() && !stops) {
    ids.resize(last_end);
    written.said.resize(last_end);
    ids.push_back(end_tokens.front());
    written.said.push_back(1);
  }
  return written;
}

}  // namespace sensorium::models
