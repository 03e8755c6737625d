// One record of a data set, whatever format it came in: a conversation in messages with content parts, or a picture,
// recording or text with what is known about it.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "data/world/world.h"

namespace sensorium::data {

enum class PartKind : uint8_t { text, image, thermal, depth, audio, imu, video };
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
  std::string where;              // "file:line", for messages
  std::vector<Message> messages;  // conversations; empty for sets that are not
  // Every media file of a record that is no conversation, in the order of the table in record_fields.cpp. The frames of
  // a clip are one part each, of kind video.
  std::vector<MessagePart> media;
  std::string image;  // path of the picture that the rest is about, a thermal one if there is no other; "": none
  PartKind picture_kind = PartKind::image;      // of that picture: image or thermal
  std::vector<std::string> frames;              // paths of a clip that is given as pictures, in order
  int width = 0, height = 0;                    // of the picture, if the record says so
  std::string label;                            // class of the whole picture, recording or clip
  std::optional<double> depth_unit_m;           // of its depth pictures, if the record says so
  std::vector<std::string> traits;              // what is also true of it: "motion" or "no motion"
  std::optional<std::vector<MarkedBox>> boxes;  // none: nobody marked this picture
  std::map<std::string, int> count;
  std::vector<QuestionAnswer> questions;
  std::vector<std::string> captions;
  std::optional<StatementTruth> statement;
  std::string transcript;            // what is written in the picture or said in the recording
  std::string text;                  // running text
  std::vector<std::string> ignored;  // fields that no reader knows
};

// A record from one JSON value: the formats of docs/data.md, LLaVA's, and OpenAI-style messages, told apart by their
// fields. Paths become folder / path. Errors: invalid_data that says what is wrong with which field.
Result<Record> parse_record(const Json& json, const std::string& folder, const std::string& where);

// The recording that a record without a picture is about, by a sense that models may have (PartKind::audio, imu, depth, video: the
// film's file or the first of its frames); nullptr: none.
const MessagePart* recording_of(const Record& record);
// The name of a kind in records and content parts: "audio".
std::string_view field_name(PartKind kind);

// The question that asks whether a statement is true, as the sets put it.
std::string statement_question(const std::string& sentence);

}  // namespace sensorium::data
