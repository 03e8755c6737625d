// Bodies of forms with files: multipart/form-data (RFC 7578).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace sensorium::server {

// Views of the body.
struct FormPart {
  std::string_view name, file_name, body;
};

// Errors: invalid_data (no form, damaged), limit (more than 64 parts).
Result<std::vector<FormPart>> parse_multipart(std::string_view content_type, std::string_view body);

}  // namespace sensorium::server
