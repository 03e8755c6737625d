// One record of a data set, whatever format it came in: a conversation in messages with content parts, and what is known about
// its picture.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "data/world/world.h"

namespace sensorium::data {

enum class PartKind : uint8_t { text, image };
// A piece of a message: text, or the path of a media file.
struct MessagePart {
  PartKind kind = PartKind::text;
  std::string value;
};
struct Message {
  std::string role;  // system, user or assistant
  std::vector<MessagePart> parts;
};

// x0, y0, x1, y1 in pixels of the stored picture.
struct MarkedBox {
  std::string label;
  float x0 = 0, y0 = 0, x1 = 0, y1 = 0;
};
struct StatementTruth {
  std::string sentence;
  bool truth = false;
};

struct Record {
  std::string where;                     // "file:line", for messages
  std::vector<Message> messages;         // conversations; empty for sets that are not
  std::string image;                     // path of the picture that the rest is about; "": none
  int width = 0, height = 0;             // of the picture, if the record says so
  std::string label;                     // class of the whole picture
  std::optional<std::vector<MarkedBox>> boxes;  // none: nobody marked this picture
  std::map<std::string, int> count;
  std::vector<QuestionAnswer> questions;
  std::vector<std::string> captions;
  std::optional<StatementTruth> statement;
  std::string text;                      // running text
};

// A record from one JSON value: the formats of docs/data.md, LLaVA's, and OpenAI-style messages, told apart by their fields.
// Paths become folder / path. Errors: invalid_data that says what is wrong with which field.
Result<Record> parse_record(const Json& json, const std::string& folder, const std::string& where);

// The question that asks whether a statement is true, as the sets put it.
std::string statement_question(const std::string& sentence);

}  // namespace sensorium::data
