// A grammar or schema of any bytes gives an error, or a grammar in which no way leads to a dead end; what a schema's grammar
// accepts is JSON. The first byte chooses the notation, the rest of the input after a NUL the way.
// Seeds: tests/golden/text/schemas
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "text/grammar/automaton.h"
#include "text/grammar/gbnf.h"
#include "text/grammar/json_schema.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sensorium::text::grammar;  // NOLINT
  if (size == 0) return 0;
  const bool schema = data[0] == '{' || data[0] == 't' || data[0] == '[';
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  const std::string_view text = all.substr(0, all.find('\0'));
  std::string_view way = all.substr(std::min(text.size() + 1, all.size()));
  auto grammar = schema ? parse_json_schema(text) : parse_gbnf(text);
  if (!grammar) return 0;
  try {
    Automaton automaton(std::make_shared<const Grammar>(std::move(grammar).value()));
    Automaton::State state = automaton.start();
    std::string written;
    for (int step = 0; step < 200; ++step) {
      std::vector<uint8_t> bytes;
      for (int byte = 0; byte < 256; ++byte) {
        if (automaton.next(state, static_cast<uint8_t>(byte)) != Automaton::kDead)
          bytes.push_back(static_cast<uint8_t>(byte));
      }
      if (automaton.accepts(state) && schema && !sensorium::parse_json(written).ok() && written.size() < 100)
        std::abort();
      if (bytes.empty()) {
        if (!automaton.accepts(state)) std::abort();
        return 0;
      }
      const uint8_t pick = way.empty() ? static_cast<uint8_t>(step * 37) : static_cast<uint8_t>(way.front());
      if (!way.empty()) way.remove_prefix(1);
      written += static_cast<char>(bytes[pick % bytes.size()]);
      state = automaton.next(state, bytes[pick % bytes.size()]);
    }
  } catch (const sensorium::Error& error) {
    if (error.kind() != sensorium::ErrorKind::limit) std::abort();
  }
  return 0;
}
