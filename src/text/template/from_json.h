// JSON as values of a template.
#pragma once

#include "base/json.h"
#include "text/template/value.h"

namespace sensorium::text::jinja {

// Strings and keys get the origin. Throws Error(limit) for nesting past kMaxValueDepth and numbers past 64 bits.
Value from_json(const OrderedJson& json, Origin origin);

}  // namespace sensorium::text::jinja
