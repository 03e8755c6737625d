#include "server/routes/files.h"

#include "server/http/multipart.h"
#include "server/routes/services.h"

namespace sensorium::server {
OrderedJson file_json(const StoredFile& file) {
  const bool typed = file.purpose.find('/') != std::string::npos;  // Google's clients give a type, OpenAI's a purpose
  return {{"id", file.id},
          {"object", "file"},
          {"bytes", file.bytes},
          {"created_at", file.created_s},
          {"filename", file.name},
          {"purpose", typed ? "user_data" : file.purpose},
          {"status", "processed"},
          {"name", "files/" + file.id},
          {"displayName", file.name},
          {"mimeType", typed ? file.purpose : "application/octet-stream"},
          {"sizeBytes", std::to_string(file.bytes)},
          {"uri", "files/" + file.id},
          {"state", "ACTIVE"}};
}

void upload_file(Call& call) {
  const Result<std::vector<FormPart>> parts =
      parse_multipart(call.request().header("content-type"), call.request().body);
  if (!parts)
    throw ApiError(400, parts.error().message() + "; upload with multipart/form-data: file, purpose", "invalid_form");
  const FormPart* file = nullptr;
  std::string purpose = "user_data";
  for (const FormPart& part : parts.value()) {
    if (part.name == "file") file = &part;
    if (part.name == "purpose") purpose = part.body;
  }
  if (file == nullptr) throw ApiError(400, "the form has no part named \"file\"", "missing_required_parameter", "file");
  if (file->body.empty()) throw ApiError(400, "the file is empty", "invalid_value", "file");
  call.send_json(file_json(call.services.files.add(call.client, std::string(file->file_name), purpose, file->body)));
}

void list_files(Call& call) {
  OrderedJson data = OrderedJson::array();
  for (const StoredFile& file : call.services.files.list(call.client)) data.push_back(file_json(file));
  call.send_json({{"object", "list"}, {"data", data}, {"has_more", false}, {"files", data}});
}

void get_file(Call& call) { call.send_json(file_json(call.services.files.info(call.client, call.values[0]))); }

void get_file_content(Call& call) {
  // As a download: a browser must not show a page that somebody uploaded as one of this server's.
  call.exchange->send({.content_type = "application/octet-stream",
                       .body = call.services.files.read(call.client, call.values[0]),
                       .headers = {{"Content-Disposition", "attachment"}, {"Content-Security-Policy", "sandbox"}}});
}

void delete_file(Call& call) {
  call.services.files.remove(call.client, call.values[0]);
  call.send_json({{"id", call.values[0]}, {"object", "file"}, {"deleted", true}});
}

}  // namespace sensorium::server
