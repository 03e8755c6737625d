// Records whose fields say what is known: the formats of docs/data.md.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "data/record_reader.h"

namespace sensorium::data::detail {
namespace {

constexpr std::string_view kFrames = "frames";

// Fields with one path or a list of paths.
struct MediaField {
  const char* name;
  PartKind kind;
};
constexpr std::array<MediaField, 8> kMediaFields = {
    {{"image", PartKind::image},
     {"template", PartKind::image},  // the flawless part beside the inspected one
     {"thermal", PartKind::thermal},
     {"depth", PartKind::depth},
     {"audio", PartKind::audio},
     {"imu", PartKind::imu},
     {kFrames.data(), PartKind::video},
     {"video", PartKind::video}}};

int parse_int(const Json& value, const std::string& what, int low) {
  if (!value.is_number_integer() || value < low || value > std::numeric_limits<int>::max()) {
    fault(fmt::format("{} is {}, expected a whole number from {}", what, value.dump(), low));
  }
  return value.get<int>();
}

MarkedBox parse_box(const Json& json) {
  MarkedBox box{.label = filled_member(json, "class", "a box")};
  if (!json.contains("box") || !json.at("box").is_array() || json.at("box").size() != 4) {
    fault("a box needs \"box\": [x0, y0, x1, y1]");
  }
  float* const sides[4] = {&box.x0, &box.y0, &box.x1, &box.y1};
  for (size_t i = 0; i < 4; ++i) {
    const Json& side = json.at("box")[i];
    // Beyond a float's range is no pixel either.
    if (!side.is_number() || !std::isfinite(side.get<float>())) fault("a box has a side that is no number");
    *sides[i] = side.get<float>();
  }
  if (box.x1 < box.x0 || box.y1 < box.y0)
    fault(fmt::format("a box of \"{}\" whose right or lower side comes first", box.label));
  return box;
}

void parse_boxes_and_counts(RecordReader& reader, Record& record) {
  if (const Json* boxes = reader.find_list("boxes")) {
    record.boxes.emplace();
    for (const Json& box : *boxes) record.boxes->push_back(parse_box(box));
  }
  if (const Json* count = reader.find("count")) {
    if (!count->is_object()) fault(fmt::format("\"count\" is {}, expected an object", count->type_name()));
    for (const auto& [label, value] : count->items()) {
      record.count[label] = parse_int(value, fmt::format("the count of \"{}\"", label), 0);
    }
  }
  // Sets that mark only some pictures leave the list of the others empty.
  const bool counted =
      std::any_of(record.count.begin(), record.count.end(), [](const auto& entry) { return entry.second > 0; });
  if (record.boxes && record.boxes->empty() && counted) record.boxes.reset();
}

void parse_captions(RecordReader& reader, Record& record) {
  if (reader.find("caption") != nullptr)
    record.captions.push_back(filled_member(reader.object(), "caption", "a record"));
  if (const Json* captions = reader.find_list("captions")) {
    for (const Json& caption : *captions) record.captions.push_back(text_of(caption, "captions"));
  }
}

// "A. first\nB. second", and the answer in full.
QuestionAnswer parse_question(RecordReader& reader) {
  QuestionAnswer qa{filled_member(reader.object(), "question", "a record"), {}};
  // Worked solutions say more than the bare result, with which they end.
  const bool solved = reader.find("solution") != nullptr;
  (void)reader.find("answer");
  qa.answer = filled_member(reader.object(), solved ? "solution" : "answer", "a question");
  if (const Json* choices = reader.find_list("choices")) {
    if (choices->empty() || choices->size() > 26) fault(fmt::format("{} choices, expected 1 to 26", choices->size()));
    char letter = 'A';
    for (const Json& choice : *choices) qa.question += fmt::format("\n{}. {}", letter++, text_of(choice, "choices"));
    if (const Json* label = reader.find("label")) {
      const auto index = static_cast<size_t>(parse_int(*label, "\"label\"", 0));
      if (index >= choices->size()) fault(fmt::format("\"label\" is {} for {} choices", index, choices->size()));
      if (!solved && (*choices)[index] != qa.answer)
        fault(fmt::format("\"answer\" is not choice {}, which \"label\" names", index));
    }
  }
  return qa;
}

}  // namespace

void parse_fields(RecordReader& reader, Record& record) {
  for (const MediaField& field : kMediaFields) {
    for (std::string& path : reader.media_paths(field.name)) {
      if (field.name == kFrames) record.frames.push_back(path);
      record.media.push_back({field.kind, std::move(path)});
    }
  }
  for (const PartKind kind : {PartKind::image, PartKind::thermal}) {
    const auto picture =
        std::find_if(record.media.begin(), record.media.end(), [&](const MessagePart& m) { return m.kind == kind; });
    if (!record.image.empty() || picture == record.media.end()) continue;
    record.image = picture->value;
    record.picture_kind = kind;
  }
  // Which scene of the synthetic world it is: for people.
  for (const char* field : {"kind", "scene"}) (void)reader.find(field);
  if (const Json* width = reader.find("width")) record.width = parse_int(*width, "\"width\"", 1);
  if (const Json* height = reader.find("height")) record.height = parse_int(*height, "\"height\"", 1);
  if (reader.find("class") != nullptr) record.label = filled_member(reader.object(), "class", "a record");
  if (const Json* unit = reader.find("depth_unit")) {
    const std::string name = text_of(*unit, "depth_unit");
    if (name != "mm" && name != "m") fault(fmt::format("\"depth_unit\" is \"{}\", expected mm or m", name));
    record.depth_unit_m = name == "mm" ? 1e-3 : 1.0;
  }
  // Anything else than a truth value is not about whether something moves.
  if (const auto motion = reader.object().find("motion");
      motion != reader.object().end() && (motion->is_boolean() || motion->is_null())) {
    (void)reader.find("motion");
    if (motion->is_boolean()) record.traits.emplace_back(motion->get<bool>() ? "motion" : "no motion");
  }
  parse_boxes_and_counts(reader, record);
  if (const Json* questions = reader.find_list("qa")) {
    for (const Json& entry : *questions) {
      record.questions.push_back({filled_member(entry, "q", "a question"), filled_member(entry, "a", "a question")});
    }
  }
  parse_captions(reader, record);
  const Json* label = reader.find("label");
  if (label != nullptr && label->is_string() && record.label.empty()) record.label = text_of(*label, "label");
  if (reader.find("sentence") != nullptr) {
    if (label == nullptr || !label->is_boolean()) fault("\"sentence\" needs \"label\": true or false");
    record.statement = StatementTruth{filled_member(reader.object(), "sentence", "a record"), label->get<bool>()};
    // The statement's own question is asked as a statement, not twice.
    std::erase_if(record.questions, [&](const QuestionAnswer& qa) {
      return qa.question == statement_question(record.statement->sentence);
    });
  }
  if (reader.find("text") != nullptr) {
    const std::string text = filled_member(reader.object(), "text", "a record");
    if (record.media.empty()) {
      record.text = text;
    } else {
      record.transcript = text;
      // A number of the class comes with the class in words.
      if (record.label.empty() && label != nullptr) record.label = text;
    }
  }
  if (reader.find("instruction") != nullptr) {
    std::string instruction = filled_member(reader.object(), "instruction", "a record");
    // Alpaca's names: "input" goes with the instruction, "output" answers it.
    if (const Json* input = reader.find("input"); input != nullptr && *input != "")
      instruction += "\n" + text_of(*input, "input");
    const bool alpaca = reader.find("response") == nullptr && reader.find("output") != nullptr;
    record.questions.push_back(
        {instruction, filled_member(reader.object(), alpaca ? "output" : "response", "an instruction")});
  }
  if (reader.find("question") != nullptr) record.questions.push_back(parse_question(reader));
}

}  // namespace sensorium::data::detail
