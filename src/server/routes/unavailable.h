// Routes of what models can do that this server has none of. They say which kind of model is missing, in the client's own form.
#pragma once

#include "server/routes/route.h"

namespace sensorium::server {

void no_speech(Call& call);
void no_image_generation(Call& call);
// The kinds of output that an answer is asked to have, in any case of letters ("text", "AUDIO"). Throws ApiError for one that no
// model here makes.
void require_text_output(const OrderedJson& modalities);

}  // namespace sensorium::server
