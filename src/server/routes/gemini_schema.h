// Gemini's own notation of schemas (a subset of OpenAPI 3.0) as JSON Schema.
#pragma once

#include "base/json.h"

namespace sensorium::server {

// {"type": "OBJECT", "nullable": true, "propertyOrdering": [..]} -> {"type": ["object", "null"], ..}, properties in that order.
OrderedJson json_schema_of_gemini(const OrderedJson& schema);

}  // namespace sensorium::server
