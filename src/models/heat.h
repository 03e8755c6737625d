// Where in its pictures a model finds what an answer speaks of, as maps for people to look at.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sensorium::models {

struct AnswerHeat {
  std::string label;  // what speaks for being there
  int picture = 0;    // counts the conversation's pictures from 0
  int rows = 0, columns = 0;
  // [rows, columns], 0..1, over the whole picture: from what speaks least for the label to what speaks most for it.
  std::vector<float> values;
};

// What sessions offer whose model can say that.
class HeatSource {
 public:
  virtual ~HeatSource() = default;
  virtual std::vector<AnswerHeat> heats(std::string_view answer) const = 0;
};

}  // namespace sensorium::models
