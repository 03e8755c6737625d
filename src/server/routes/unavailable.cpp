#include "server/routes/unavailable.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "server/routes/services.h"

namespace sensorium::server {
namespace {

[[noreturn]] void refuse(const char* what, const char* kind) {
  throw ApiError(400, fmt::format("no model of this server {}; that needs {}", what, kind), "unsupported_model",
                 "model");
}

[[noreturn]] void refuse_speech() { refuse("speaks", "a model with sound as output"); }
[[noreturn]] void refuse_pictures() { refuse("makes pictures", "a model with pictures as output"); }

}  // namespace

void require_text_output(const OrderedJson& modalities) {
  for (const OrderedJson& modality : modalities) {
    std::string name = modality.is_string() ? modality.get<std::string>() : "";
    std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (name == "audio") refuse_speech();
    if (name == "image") refuse_pictures();
    if (name != "text")
      throw ApiError(400, "a kind of output is none of text, audio, image", "invalid_value", "modalities");
  }
}

void no_speech(Call&) { refuse_speech(); }
void no_image_generation(Call&) { refuse_pictures(); }

}  // namespace sensorium::server
