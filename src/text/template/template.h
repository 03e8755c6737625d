// Templates in the subset of Jinja that chat templates use. Reference: Jinja2 3.1 in the environment in which Hugging
// Face's transformers renders chat templates: ImmutableSandboxedEnvironment with trim_blocks, lstrip_blocks, break and
// continue, {% generation %}, tojson without HTML escapes, raise_exception() and strftime_now().
// Not there: include, import and extends (there is one template), formats behind a colon in str.format(), and generators, for
// which lists stand. Whole numbers have 64 bits.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "text/span.h"
#include "text/template/options.h"

namespace sensorium::text::jinja {

// Objects, or null. A name that is in both is the program's.
struct RenderVariables {
  OrderedJson user = OrderedJson::object();     // messages, tools: strings that somebody else wrote
  OrderedJson program = OrderedJson::object();  // bos_token, add_generation_prompt: the program's own
};

struct Rendered {
  std::string text;             // valid UTF-8
  std::vector<Span> user;       // the parts of `text` that come from strings of RenderVariables::user; sorted, disjoint
  std::vector<Span> generated;  // the parts inside {% generation %}
};

struct Program;  // the parsed template

// Immutable; may be used from several threads at once.
class Template {
 public:
  // Errors: invalid_data, unsupported (names the construct), limit (size, nesting). Each begins with "line N: ".
  static Result<Template> parse(std::string_view source);

  // Errors: invalid_data ("line N: ...": undefined variables, wrong types, what raise_exception() says), limit (a
  // template that does not end, too much output, too deep calls), unsupported.
  Result<Rendered> render(const RenderVariables& variables, const RenderOptions& options = {}) const;

 private:
  explicit Template(std::shared_ptr<const Program> program) : program_(std::move(program)) {}
  std::shared_ptr<const Program> program_;
};

}  // namespace sensorium::text::jinja
