#include "models/decoder/continuation.h"

#include <algorithm>

namespace sensorium::models {

std::unique_ptr<ChatSession> continue_tokens(const Decoder& decoder, const text::Tokenizer& tokenizer,
                                             std::shared_ptr<nn::KvPool> pool, DecoderSession::Options options,
                                             std::span<const int32_t> ids, std::span<const int32_t> places) {
  const NoGrad no_grad;
  require(!ids.empty(), ErrorKind::usage, "the prompt is empty");
  for (const int32_t id : ids) {
    require(id >= 0 && id < decoder.config().vocabulary, ErrorKind::usage,
            "the prompt has token {}, which is outside the vocabulary of {}", id, decoder.config().vocabulary);
    require(
        std::ranges::find(places, id) == places.end(), ErrorKind::usage,
        "the prompt has a place for a picture (token {}) and no picture: pictures are asked about in a conversation",
        id);
  }
  options.form = DecoderSession::Form::continuation;
  auto session = std::make_unique<DecoderSession>(decoder, tokenizer, std::move(pool), std::move(options));
  const Tensor ids_T = Tensor::from(ids, {static_cast<int64_t>(ids.size())});
  session->set_prompt({decoder.embed(ids_T, session->compute()), {ids.begin(), ids.end()}, {}});
  return session;
}

}  // namespace sensorium::models
