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

void no_speech(Call&) { refuse("speaks", "a model with sound as output"); }
void no_image_generation(Call&) { refuse("makes pictures", "a model with pictures as output"); }

}  // namespace sensorium::server
