// POST /v1/audio/transcriptions: what a model that hears says of a sound.
#pragma once

#include "server/routes/route.h"

namespace sensorium::server {

// multipart/form-data: file, model, prompt (the question instead of the sense's own), response_format (json, text, verbose_json),
// temperature, language, stream.
void transcribe(Call& call);

}  // namespace sensorium::server
