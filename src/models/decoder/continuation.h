// Prompts that are gone on with as they stand, without turns: what an API of text completions asks.
#pragma once

#include <memory>
#include <span>

#include "models/decoder/session.h"

namespace sensorium::models {

// The session of a prompt's token ids; its answer keeps the spaces that it begins with. `places`: tokens that stand for pictures.
// Throws Error: usage for no ids, one outside the vocabulary, or a place, since there is no picture for it; limit as
// DecoderSession::set_prompt().
std::unique_ptr<ChatSession> continue_tokens(const Decoder& decoder, const text::Tokenizer& tokenizer,
                                             std::shared_ptr<nn::KvPool> pool, DecoderSession::Options options,
                                             std::span<const int32_t> ids, std::span<const int32_t> places = {});

}  // namespace sensorium::models
