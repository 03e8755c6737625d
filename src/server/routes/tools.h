// Functions that a model may call. Which there are is told to it in a system message; a call is the JSON object
// {"name": NAME, "arguments": {...}}, which a grammar enforces where a call is required.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "text/grammar/grammar.h"

namespace sensorium::server {

struct ToolFunction {
  std::string name, description;
  OrderedJson parameters;  // a JSON schema, or null
};

struct ToolCall {
  std::string name;
  std::string arguments;  // JSON
};

class Tools {
 public:
  enum class Choice : uint8_t { none, automatic, required };

  // `only`: the one that must be called; "": any. Throws ApiError for names that are none or twice the same.
  Tools(std::vector<ToolFunction> functions, Choice choice, const std::string& only);

  bool offered() const { return choice_ != Choice::none && !functions_.empty(); }
  bool required() const { return choice_ == Choice::required; }
  // What the model is told.
  std::string instructions() const;
  // Of answers where a call is required, else null. Throws ApiError for parameters that are no schema that can be met.
  std::shared_ptr<const text::grammar::Grammar> grammar() const;
  // The call that an answer is, if it is one of these functions'.
  std::optional<ToolCall> read_call(std::string_view answer) const;
  // Whether an answer that begins so may still become a call.
  bool may_be_call(std::string_view beginning) const;

 private:
  std::vector<ToolFunction> functions_;
  Choice choice_;
};

// How a call stands in the conversation that a model reads.
std::string call_text(const ToolCall& call);

}  // namespace sensorium::server
