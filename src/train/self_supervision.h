// What the objectives without labels hide or shuffle.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "modality/signal.h"
#include "models/sensorium/prompt.h"

namespace sensorium::train {

// [begin, end) of the spans of a text of so many tokens that are hidden: a share of it (at least one token, never all), in spans of
// about `mean` tokens with at least one token between two of them (the span corruption of T5, Raffel 2020, section 3.1.4). Empty for
// texts of less than two tokens.
std::vector<std::pair<size_t, size_t>> hidden_spans(size_t tokens, double share, double mean, Rng& rng);

// Adds a text with its spans hidden behind <|pad|> each, to a user's turn that is open, and the assistant's turn that gives their
// tokens in order, <|pad|> between two of them (as Donahue 2020 lets a language model fill in blanks). Only this answer is learned.
void write_masked(models::TokenSequence& sequence, std::span<const int32_t> text,
                  std::span<const std::pair<size_t, size_t>> hidden, const models::PromptWriter& writer);

// For each of the encoder's tokens of a picture, row by row, whether its patch is hidden: a share of those whose patches lie in the
// picture completely, rounded down but at least one. Empty: there are none.
std::vector<uint8_t> hidden_patches(int height, int width, double share, Rng& rng);

// The order in which a film's frames are shown: as they are, or, as often, shuffled, but not just backwards. Empty where nothing moves
// (Misra 2016 asks about films with motion only), or for less than three frames.
std::vector<int> asked_order(const modality::Signal& film, Rng& rng);

}  // namespace sensorium::train
