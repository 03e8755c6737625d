// A template of any bytes gives an error, or a prompt that is valid UTF-8 and whose spans lie inside it.
// Seeds: tests/golden/text/templates
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/json.h"
#include "base/utf8.h"
#include "text/template/template.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sensorium::text::jinja;  // NOLINT
  const auto parsed = Template::parse(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!parsed) return 0;
  static const RenderVariables variables = [] {
    RenderVariables all;
    all.user = sensorium::OrderedJson::parse(R"({
      "messages": [{"role": "system", "content": " be brief "},
                   {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "\u00e9 <s> 'a' \"b\"\n"}]},
                   {"role": "assistant", "content": "x", "tool_calls": [{"function": {"name": "f", "arguments": {"n": 1.5}}}]}],
      "tools": [{"type": "function", "function": {"name": "f", "parameters": {"properties": {"n": {"type": "number"}}}}}]
    })");
    all.program = {{"bos_token", "<s>"}, {"eos_token", "</s>"}, {"add_generation_prompt", true}};
    return all;
  }();
  RenderOptions options;
  options.max_steps = 100'000;
  options.max_bytes = 1 << 20;
  options.now_s = 0;
  const auto rendered = parsed.value().render(variables, options);
  if (!rendered) return 0;
  const Rendered& prompt = rendered.value();
  if (sensorium::find_invalid_utf8(prompt.text) != std::string_view::npos) std::abort();
  size_t done = 0;
  for (const auto span : prompt.user) {
    if (span.begin < done || span.end <= span.begin || span.end > prompt.text.size()) std::abort();
    done = span.end;
  }
  return 0;
}
