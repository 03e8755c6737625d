// Conversations: LLaVA's files and OpenAI-style messages.
#include <algorithm>
#include <array>

#include "data/record_reader.h"

namespace sensorium::data::detail {
namespace {

constexpr std::string_view kImageMark = "<image>";

// Content parts {"type": name, name: path} of messages.
struct PartType {
  const char* name;
  PartKind kind;
};
constexpr std::array<PartType, 6> kPartTypes = {{{"image", PartKind::image},
                                                 {"thermal", PartKind::thermal},
                                                 {"depth", PartKind::depth},
                                                 {"audio", PartKind::audio},
                                                 {"imu", PartKind::imu},
                                                 {"video", PartKind::video}}};

// "<image>" marks where a picture stands in the text. A part's text loses the line breaks next to a mark.
std::vector<MessagePart> split_at_marks(const std::string& text, const std::vector<std::string>& images, size_t& used) {
  std::vector<MessagePart> parts;
  const auto add_text = [&](const std::string& piece) {
    const size_t first = piece.find_first_not_of('\n');
    const size_t last = piece.find_last_not_of('\n');
    if (first != std::string::npos) parts.push_back({PartKind::text, piece.substr(first, last - first + 1)});
  };
  size_t begin = 0;
  for (size_t mark; (mark = text.find(kImageMark, begin)) != std::string::npos; begin = mark + kImageMark.size()) {
    add_text(text.substr(begin, mark - begin));
    if (used == images.size()) fault(fmt::format("more <image> marks than pictures ({})", images.size()));
    parts.push_back({PartKind::image, images[used++]});
  }
  add_text(text.substr(begin));
  return parts;
}

// Pictures that no mark places stand before the first message of the user.
void place_unmarked(const std::vector<std::string>& images, size_t used, Record& record) {
  if (used == images.size()) return;
  if (used != 0) fault(fmt::format("{} <image> marks for {} pictures", used, images.size()));
  const auto first =
      std::find_if(record.messages.begin(), record.messages.end(), [](const Message& m) { return m.role == "user"; });
  if (first == record.messages.end()) fault("pictures, but no message of the user");
  for (size_t i = 0; i < images.size(); ++i) {
    first->parts.insert(first->parts.begin() + static_cast<int64_t>(i), MessagePart{PartKind::image, images[i]});
  }
}

void check_turns(const Record& record) {
  for (const Message& message : record.messages) {
    const bool filled = std::any_of(message.parts.begin(), message.parts.end(), [](const MessagePart& part) {
      return part.kind != PartKind::text || part.value.find_first_not_of(" \t\r\n") != std::string::npos;
    });
    if (!filled) fault(message.role == "assistant" ? "an empty answer" : "an empty message");
  }
}

std::string role_of(const std::string& from) {
  if (from == "human" || from == "user") return "user";
  if (from == "gpt" || from == "assistant") return "assistant";
  if (from == "system") return "system";
  fault(fmt::format("a turn from \"{}\" (expected human, gpt or system)", from));
}

MessagePart parse_part(const Json& part, const RecordReader& reader) {
  const std::string type = text_member(part, "type", "a content part");
  if (type == "text") return {PartKind::text, text_member(part, "text", "a text part")};
  if (type == "image_url") {
    if (!part.contains("image_url")) fault("an image_url part without \"image_url\"");
    return {PartKind::image, reader.media_path(text_member(part.at("image_url"), "url", "an image_url"))};
  }
  for (const PartType& known : kPartTypes) {
    if (type == known.name) return {known.kind, reader.media_path(text_member(part, known.name, "a media part"))};
  }
  fault(fmt::format(
      "a content part of type \"{}\" (expected text, image, image_url, audio, video, thermal, depth or imu)", type));
}

}  // namespace

void parse_llava(RecordReader& reader, Record& record) {
  (void)reader.find("id");
  const std::vector<std::string> images = reader.media_paths("image");
  const Json* turns = reader.find_list("conversations");
  if (turns == nullptr || turns->empty()) fault("\"conversations\" has no turns");
  size_t used = 0;
  for (const Json& turn : *turns) {
    Message message;
    message.role = role_of(text_member(turn, "from", "a turn"));
    message.parts = split_at_marks(text_member(turn, "value", "a turn"), images, used);
    record.messages.push_back(std::move(message));
  }
  place_unmarked(images, used, record);
  check_turns(record);
}

void parse_messages(RecordReader& reader, Record& record) {
  (void)reader.find("id");
  // Pictures outside the messages, with marks in the text (ms-swift, LLaMA-Factory).
  const std::vector<std::string> images = reader.media_paths("images");
  const Json* messages = reader.find_list("messages");
  if (messages == nullptr || messages->empty()) fault("\"messages\" is empty");
  size_t used = 0;
  for (const Json& entry : *messages) {
    Message message{.role = text_member(entry, "role", "a message"), .parts = {}};
    if (message.role != "system" && message.role != "user" && message.role != "assistant") {
      fault(fmt::format("a message of role \"{}\" (expected system, user or assistant)", message.role));
    }
    if (!entry.contains("content")) fault("a message without \"content\"");
    const Json& content = entry.at("content");
    if (content.is_string() && !images.empty()) {
      message.parts = split_at_marks(text_of(content, "content"), images, used);
    } else if (content.is_string()) {
      message.parts.push_back({PartKind::text, text_of(content, "content")});
    } else if (content.is_array()) {
      for (const Json& part : content) message.parts.push_back(parse_part(part, reader));
    } else {
      fault("\"content\" is neither a string nor a list of parts");
    }
    record.messages.push_back(std::move(message));
  }
  place_unmarked(images, used, record);
  check_turns(record);
}

}  // namespace sensorium::data::detail

namespace sensorium::data {

std::string_view field_name(PartKind kind) {
  for (const detail::PartType& type : detail::kPartTypes) {
    if (type.kind == kind) return type.name;
  }
  return "text";
}

}  // namespace sensorium::data
