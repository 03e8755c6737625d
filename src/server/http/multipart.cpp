#include "server/http/multipart.h"

#include <algorithm>
#include <cctype>

namespace sensorium::server {
namespace {

constexpr size_t kMostParts = 64, kMaxBoundary = 70, kMaxPartHead = 4096;

Error damaged(const char* what) { return {ErrorKind::invalid_data, std::string("the form is damaged: ") + what}; }

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

// The value of ; name=value or ; name="value" in a header's value; a quoted one as it stands between its quotes.
std::string_view parameter(std::string_view header, std::string_view name) {
  for (size_t at = header.find(';'); at != std::string_view::npos; at = header.find(';', at)) {
    ++at;
    while (at < header.size() && (header[at] == ' ' || header[at] == '\t')) ++at;
    const size_t equals = header.find('=', at);
    if (equals == std::string_view::npos) return {};
    const bool quoted = equals + 1 < header.size() && header[equals + 1] == '"';
    const size_t begin = equals + (quoted ? 2 : 1);
    const size_t end = std::min(header.find(quoted ? '"' : ';', begin), header.size());
    if (equal_ignoring_case(header.substr(at, equals - at), name)) return header.substr(begin, end - begin);
    at = end;
  }
  return {};
}

// The value of the header `name` in a part's head.
std::string_view header_value(std::string_view head, std::string_view name) {
  while (!head.empty()) {
    const std::string_view line = head.substr(0, head.find("\r\n"));
    head.remove_prefix(std::min(head.size(), line.size() + 2));
    const size_t colon = line.find(':');
    if (colon != std::string_view::npos && equal_ignoring_case(line.substr(0, colon), name))
      return line.substr(colon + 1);
  }
  return {};
}

}  // namespace

Result<std::vector<FormPart>> parse_multipart(std::string_view content_type, std::string_view body) {
  constexpr std::string_view kType = "multipart/form-data";
  if (content_type.size() < kType.size() || !equal_ignoring_case(content_type.substr(0, kType.size()), kType))
    return Error(ErrorKind::invalid_data, "the body is no multipart/form-data");
  const std::string_view boundary = parameter(content_type, "boundary");
  if (boundary.empty() || boundary.size() > kMaxBoundary) return damaged("no boundary");
  const std::string line = "\r\n--" + std::string(boundary);
  // The first boundary has no line break before it where nothing stands in front.
  size_t at = body.starts_with(std::string_view(line).substr(2)) ? line.size() - 2 : std::string_view::npos;
  if (at == std::string_view::npos) {
    const size_t found = body.find(line);
    if (found == std::string_view::npos) return damaged("its boundary does not come");
    at = found + line.size();
  }
  std::vector<FormPart> parts;
  while (!body.substr(at).starts_with("--")) {
    if (!body.substr(at).starts_with("\r\n")) return damaged("a boundary's line does not end");
    if (parts.size() == kMostParts) return Error(ErrorKind::limit, "the form has more than 64 parts");
    const size_t head_end = body.find("\r\n\r\n", at);
    if (head_end == std::string_view::npos || head_end - at > kMaxPartHead) return damaged("a part has no head");
    const size_t end = body.find(line, head_end + 2);
    if (end == std::string_view::npos || end < head_end + 4) return damaged("a part does not end");
    const std::string_view disposition = header_value(body.substr(at + 2, head_end - at - 2), "content-disposition");
    parts.push_back({parameter(disposition, "name"), parameter(disposition, "filename"),
                     body.substr(head_end + 4, end - head_end - 4)});
    at = end + line.size();
  }
  return parts;
}

}  // namespace sensorium::server
