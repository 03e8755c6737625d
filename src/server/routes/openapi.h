// The API's description, made from the table of routes.
#pragma once

#include <string>

#include "base/json.h"

namespace sensorium::server {

// OpenAPI 3.1.
OrderedJson openapi_document();
// docs/api.md.
std::string api_markdown();

}  // namespace sensorium::server
