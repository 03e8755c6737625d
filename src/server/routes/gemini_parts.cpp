#include "server/routes/gemini_parts.h"

#include "server/routes/services.h"

namespace sensorium::server {

const OrderedJson* either(const OrderedJson& object, std::string_view camel) {
  if (const OrderedJson* found = member(object, camel)) return found;
  std::string snake;
  for (const char c : camel) {
    if (c >= 'A' && c <= 'Z') {
      snake += '_';
      snake += static_cast<char>(c - 'A' + 'a');
    } else {
      snake += c;
    }
  }
  return member(object, snake);
}

std::string text_of(const OrderedJson* value) {
  return value != nullptr && value->is_string() ? value->get<std::string>() : std::string();
}

std::optional<SentMedia> gemini_part_media(const Call& call, const OrderedJson& part) {
  if (const OrderedJson* data = either(part, "inlineData")) {
    return SentMedia{decode_base64(text_of(member(*data, "data"))), kind_of_type(text_of(either(*data, "mimeType")))};
  }
  const OrderedJson* file = either(part, "fileData");
  if (file == nullptr) return std::nullopt;
  const std::string uri = text_of(either(*file, "fileUri"));
  const size_t id = uri.rfind("file-");
  if (id == std::string::npos) return call.services.media.read_url(uri);
  return SentMedia{call.services.files.read(call.client, uri.substr(id)),
                   kind_of_type(text_of(either(*file, "mimeType")))};
}

}  // namespace sensorium::server
