// What one record teaches: a picture or a recording and all that is known about it, a text, or a whole conversation. Every
// reader's records and the synthetic world's samples become lessons; the batches are built from these alone.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "media/image.h"
#include "models/model.h"
#include "models/sensorium/heads.h"

namespace sensorium::train {

struct Exchange {
  std::string question, answer;
  std::string find;  // not empty: the answer is the boxes of this kind of object, as the evidence tells them
};

struct Lesson {
  std::string where;                                     // "file:line", for messages; "": made up
  std::shared_ptr<const media::Image> image;             // none: text only
  const modality::PictureKind* picture = nullptr;        // what the image is; null: a photograph
  std::shared_ptr<const modality::Recording> recording;  // or this
  std::shared_ptr<const modality::Recording> sound;      // beside a film: its sound
  std::string label;                                     // class of the whole picture or recording; "": unknown
  std::vector<std::string> traits;                       // what is also true of it; at most the first is learned
  struct Object {
    std::string name;
    models::Box box;  // pixels of the picture
  };
  bool boxes_known = false;  // every object of the set's kinds is listed
  std::vector<Object> objects;
  std::vector<Exchange> exchanges;  // questions with their answers
  std::vector<std::string> captions;
  std::string text;  // running text, for language modelling
  // A conversation as it was held, with any number of pictures in any order. Such a lesson has nothing else.
  std::vector<models::ChatMessage> turns;

  // Whether there is anything to perceive in it: a picture or a recording.
  bool has_percept() const {
    const auto holds_one = [](const models::ChatMessage& turn) {
      return std::any_of(turn.parts.begin(), turn.parts.end(),
                         [](const auto& part) { return part.image != nullptr || part.recording != nullptr; });
    };
    return image != nullptr || recording != nullptr || std::any_of(turns.begin(), turns.end(), holds_one);
  }
};

}  // namespace sensorium::train
