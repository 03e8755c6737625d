// What Gemini's requests are made of. Names of members are read as camelCase and snake_case.
#pragma once

#include <optional>
#include <string>

#include "server/routes/media_source.h"
#include "server/routes/route.h"

namespace sensorium::server {

// A member by its camelCase name, or that in snake_case; null without either.
const OrderedJson* either(const OrderedJson& object, std::string_view camel);
// "" for what is no text.
std::string text_of(const OrderedJson* value);
// What a part holds or names (inlineData, fileData); none if it is of another kind. Throws ApiError.
std::optional<SentMedia> gemini_part_media(const Call& call, const OrderedJson& part);

}  // namespace sensorium::server
