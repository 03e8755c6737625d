#include "server/routes/unavailable.h"

#include <fmt/format.h>

#include "server/routes/services.h"

namespace sensorium::server {
namespace {

[[noreturn]] void refuse(const char* what, const char* kind) {
  throw ApiError(400, fmt::format("no model of this server {}; that needs {}", what, kind), "unsupported_model",
                 "model");
}

}  // namespace

void no_embeddings(Call&) {
  refuse("makes embeddings", "an embedding model such as CLIP, SigLIP or ImageBind behind this route");
}
void no_transcription(Call&) { refuse("writes down speech", "a model of speech with text as output, such as Whisper"); }
void no_speech(Call&) { refuse("speaks", "a model with sound as output"); }
void no_image_generation(Call&) { refuse("makes pictures", "a model with pictures as output"); }

}  // namespace sensorium::server
