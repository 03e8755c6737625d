// Following grammars in tests: whether a text meets one, and random texts that do.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/rng.h"
#include "text/grammar/automaton.h"

namespace sensorium::text::grammar {

class Walker {
 public:
  explicit Walker(Grammar grammar) : automaton_(std::make_shared<const Grammar>(std::move(grammar))) {}

  bool matches(std::string_view text) { return automaton_.accepts(after(text)); }
  // Whether some text of the grammar begins like this.
  bool begins(std::string_view text) { return after(text) != Automaton::kDead; }

  // A text of the grammar, every byte drawn from those that may come; "" and false if it is not complete after `most` bytes.
  // Asserts nothing: `stuck` is set if a state has no way on and no end.
  bool random_text(Rng& rng, size_t most, std::string& text, bool& stuck) {
    text.clear();
    stuck = false;
    Automaton::State state = automaton_.start();
    while (text.size() < most) {
      std::vector<uint8_t> bytes;
      for (int byte = 0; byte < 256; ++byte) {
        if (automaton_.next(state, static_cast<uint8_t>(byte)) != Automaton::kDead)
          bytes.push_back(static_cast<uint8_t>(byte));
      }
      const bool end = automaton_.accepts(state);
      if (bytes.empty() || (end && rng.chance(0.3))) {
        stuck = !end;
        return end;
      }
      // What closes a string, list or object is drawn more often, or texts would seldom end.
      uint8_t byte = rng.pick(bytes);
      for (const uint8_t closing : {'"', '}', ']'}) {
        const bool there = std::find(bytes.begin(), bytes.end(), closing) != bytes.end();
        if (there && rng.chance(0.25)) byte = closing;
      }
      text += static_cast<char>(byte);
      state = automaton_.next(state, byte);
    }
    return false;
  }
  size_t states() const { return automaton_.states(); }

 private:
  Automaton::State after(std::string_view text) {
    Automaton::State state = automaton_.start();
    for (const char c : text) state = automaton_.next(state, static_cast<uint8_t>(c));
    return state;
  }
  Automaton automaton_;
};

}  // namespace sensorium::text::grammar
