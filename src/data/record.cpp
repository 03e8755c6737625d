#include "data/record.h"

#include <algorithm>
#include <cmath>

#include "base/utf8.h"

namespace sensorium::data {
namespace {

// A fault in one field; parse_record turns it into its result.
[[noreturn]] void fault(const std::string& what) { throw Error(ErrorKind::invalid_data, what); }

std::string text_of(const Json& value, const char* field) {
  if (!value.is_string()) fault(fmt::format("\"{}\" is {}, expected a string", field, value.type_name()));
  std::string text = value.get<std::string>();
  if (find_invalid_utf8(text) != std::string::npos) fault(fmt::format("\"{}\" is not valid UTF-8", field));
  return text;
}

std::string text_member(const Json& object, const char* field, const char* of) {
  if (!object.is_object() || !object.contains(field)) fault(fmt::format("{} without \"{}\"", of, field));
  return text_of(object.at(field), field);
}

std::string media_path(const std::string& folder, const std::string& path) {
  if (path.empty()) fault("an empty media path");
  return folder.empty() || path.front() == '/' ? path : folder + "/" + path;
}

std::vector<MarkedBox> parse_boxes(const Json& json) {
  if (!json.is_array()) fault("\"boxes\" is no list");
  std::vector<MarkedBox> boxes;
  for (const Json& entry : json) {
    MarkedBox box{.label = text_member(entry, "class", "a box")};
    if (!entry.contains("box") || !entry.at("box").is_array() || entry.at("box").size() != 4) {
      fault("a box needs \"box\": [x0, y0, x1, y1]");
    }
    float* const sides[4] = {&box.x0, &box.y0, &box.x1, &box.y1};
    for (size_t i = 0; i < 4; ++i) {
      const Json& side = entry.at("box")[i];
      if (!side.is_number() || !std::isfinite(side.get<double>())) fault("a box has a side that is no number");
      *sides[i] = side.get<float>();
    }
    if (box.x1 < box.x0 || box.y1 < box.y0) fault("a box whose right or lower side comes first");
    boxes.push_back(std::move(box));
  }
  return boxes;
}

// "<image>" marks, in LLaVA's files, where a picture stands in the text.
std::vector<MessagePart> split_placeholders(const std::string& text, const std::vector<std::string>& images, size_t& used) {
  constexpr std::string_view kMark = "<image>";
  std::vector<MessagePart> parts;
  const auto add_text = [&](std::string piece) {
    const size_t first = piece.find_first_not_of('\n');
    const size_t last = piece.find_last_not_of('\n');
    if (first != std::string::npos) parts.push_back({PartKind::text, piece.substr(first, last - first + 1)});
  };
  size_t begin = 0;
  for (size_t mark; (mark = text.find(kMark, begin)) != std::string::npos; begin = mark + kMark.size()) {
    add_text(text.substr(begin, mark - begin));
    if (used == images.size()) fault(fmt::format("more <image> marks than pictures ({})", images.size()));
    parts.push_back({PartKind::image, images[used++]});
  }
  add_text(text.substr(begin));
  return parts;
}

void parse_llava(const Json& json, const std::string& folder, Record& record) {
  std::vector<std::string> images;
  if (json.contains("image") && !json.at("image").is_null()) {
    const Json& image = json.at("image");
    if (image.is_array()) {
      for (const Json& path : image) images.push_back(media_path(folder, text_of(path, "image")));
    } else {
      images.push_back(media_path(folder, text_of(image, "image")));
    }
  }
  size_t used = 0;
  if (!json.at("conversations").is_array() || json.at("conversations").empty()) fault("\"conversations\" is no list of turns");
  for (const Json& turn : json.at("conversations")) {
    const std::string from = text_member(turn, "from", "a turn");
    Message message;
    if (from == "human" || from == "user") {
      message.role = "user";
    } else if (from == "gpt" || from == "assistant") {
      message.role = "assistant";
    } else if (from == "system") {
      message.role = "system";
    } else {
      fault(fmt::format("a turn from \"{}\" (expected human or gpt)", from));
    }
    message.parts = split_placeholders(text_member(turn, "value", "a turn"), images, used);
    record.messages.push_back(std::move(message));
  }
  if (used == 0 && !images.empty()) {
    std::vector<MessagePart>& parts = record.messages.front().parts;
    for (size_t i = 0; i < images.size(); ++i) {
      parts.insert(parts.begin() + static_cast<int64_t>(i), MessagePart{PartKind::image, images[i]});
    }
  } else if (used != images.size()) {
    fault(fmt::format("{} <image> marks for {} pictures", used, images.size()));
  }
}

void parse_messages(const Json& json, const std::string& folder, Record& record) {
  if (!json.is_array() || json.empty()) fault("\"messages\" is no list");
  for (const Json& entry : json) {
    Message message{.role = text_member(entry, "role", "a message"), .parts = {}};
    if (message.role != "system" && message.role != "user" && message.role != "assistant") {
      fault(fmt::format("a message of role \"{}\" (expected system, user or assistant)", message.role));
    }
    if (!entry.contains("content")) fault("a message without \"content\"");
    const Json& content = entry.at("content");
    if (content.is_string()) {
      message.parts.push_back({PartKind::text, text_of(content, "content")});
    } else if (content.is_array()) {
      for (const Json& part : content) {
        const std::string type = text_member(part, "type", "a content part");
        if (type == "text") {
          message.parts.push_back({PartKind::text, text_member(part, "text", "a text part")});
        } else if (type == "image") {
          message.parts.push_back({PartKind::image, media_path(folder, text_member(part, "image", "an image part"))});
        } else if (type == "image_url") {
          if (!part.contains("image_url")) fault("an image_url part without \"image_url\"");
          const std::string url = text_member(part.at("image_url"), "url", "an image_url");
          if (url.find("://") != std::string::npos || url.starts_with("data:")) fault("image_url must be a path here, not a URL");
          message.parts.push_back({PartKind::image, media_path(folder, url)});
        } else {
          fault(fmt::format("a content part of type \"{}\" (expected text, image or image_url)", type));
        }
      }
    } else {
      fault("\"content\" is neither a string nor a list of parts");
    }
    record.messages.push_back(std::move(message));
  }
}

void parse_fields(const Json& json, const std::string& folder, Record& record) {
  const auto has = [&](const char* field) { return json.contains(field) && !json.at(field).is_null(); };
  if (has("image")) record.image = media_path(folder, text_of(json.at("image"), "image"));
  for (const auto& [field, value] : {std::pair{"width", &record.width}, std::pair{"height", &record.height}}) {
    if (has(field) && json.at(field).is_number_integer()) *value = json.at(field).get<int>();
  }
  if (has("class")) record.label = text_of(json.at("class"), "class");
  if (has("boxes")) record.boxes = parse_boxes(json.at("boxes"));
  if (has("count")) {
    if (!json.at("count").is_object()) fault("\"count\" is no object");
    for (const auto& [label, value] : json.at("count").items()) {
      if (!value.is_number_integer() || value.get<int64_t>() < 0) fault(fmt::format("the count of \"{}\" is no number", label));
      record.count[label] = value.get<int>();
    }
  }
  // Sets that mark only some pictures leave the list of the others empty.
  const bool counted = std::any_of(record.count.begin(), record.count.end(), [](const auto& entry) { return entry.second > 0; });
  if (record.boxes && record.boxes->empty() && counted) record.boxes.reset();
  if (has("qa")) {
    if (!json.at("qa").is_array()) fault("\"qa\" is no list");
    for (const Json& entry : json.at("qa")) {
      record.questions.push_back({text_member(entry, "q", "a question"), text_member(entry, "a", "a question")});
      if (record.questions.back().answer.empty()) fault("an empty answer");
    }
  }
  if (has("caption")) record.captions.push_back(text_of(json.at("caption"), "caption"));
  if (has("captions")) {
    if (!json.at("captions").is_array()) fault("\"captions\" is no list");
    for (const Json& caption : json.at("captions")) record.captions.push_back(text_of(caption, "captions"));
  }
  if (has("sentence")) {
    if (!json.contains("label") || !json.at("label").is_boolean()) fault("\"sentence\" needs \"label\": true or false");
    record.statement = StatementTruth{text_of(json.at("sentence"), "sentence"), json.at("label").get<bool>()};
    // The statement's own question is asked as a statement, not twice.
    std::erase_if(record.questions, [&](const QuestionAnswer& qa) { return qa.question == statement_question(record.statement->sentence); });
  }
  if (has("text")) {
    // With a picture, "text" is what is written in it.
    (record.image.empty() ? record.text : record.label) = text_of(json.at("text"), "text");
  }
  if (has("instruction")) {
    record.questions.push_back({text_of(json.at("instruction"), "instruction"), text_member(json, "response", "an instruction")});
  }
  if (has("question")) {
    std::string question = text_of(json.at("question"), "question");
    if (has("choices")) {
      if (!json.at("choices").is_array()) fault("\"choices\" is no list");
      char letter = 'A';
      for (const Json& choice : json.at("choices")) question += fmt::format("\n{}. {}", letter++, text_of(choice, "choices"));
    }
    const char* answer = has("solution") ? "solution" : "answer";
    record.questions.push_back({question, text_member(json, answer, "a question")});
  }
}

}  // namespace

std::string statement_question(const std::string& sentence) { return "Is this statement true? " + sentence; }

Result<Record> parse_record(const Json& json, const std::string& folder, const std::string& where) {
  Record record;
  record.where = where;
  try {
    if (!json.is_object()) fault(fmt::format("a record is {}, expected an object", json.type_name()));
    if (json.contains("conversations")) {
      parse_llava(json, folder, record);
    } else if (json.contains("messages")) {
      parse_messages(json.at("messages"), folder, record);
    } else {
      parse_fields(json, folder, record);
    }
    const bool empty = record.messages.empty() && record.image.empty() && record.questions.empty() && record.text.empty();
    if (empty) fault("a record without picture, question, messages or text");
  } catch (const Error& error) {
    return error.with_context(where);
  } catch (const nlohmann::json::exception&) {
    return Error(ErrorKind::invalid_data, fmt::format("{}: a value has the wrong type", where));
  }
  return record;
}

}  // namespace sensorium::data
