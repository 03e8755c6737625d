#include "server/routes/gemini_files.h"

#include <fmt/format.h>
#include <sys/random.h>

#include <array>
#include <charconv>

#include "base/sha256.h"
#include "server/routes/files.h"
#include "server/routes/services.h"

namespace sensorium::server {
namespace {

constexpr size_t kMostUploads = 64, kMostBytes = size_t{256} << 20, kMostBytesOfAll = size_t{1} << 30;
constexpr std::chrono::minutes kMostIdle{10};

}  // namespace

void UploadSessions::forget_old() {
  const auto now = std::chrono::steady_clock::now();
  std::erase_if(uploads_, [&](const auto& entry) { return now - entry.second.touched > kMostIdle; });
}

std::string UploadSessions::begin(Upload upload) {
  const std::lock_guard lock(mutex_);
  forget_old();
  if (uploads_.size() >= kMostUploads) throw ApiError(429, "too many uploads have begun; finish some").retry_after(10);
  std::array<uint8_t, 16> random{};
  require(getrandom(random.data(), random.size(), 0) == static_cast<ssize_t>(random.size()), ErrorKind::io,
          "no random bytes");
  upload.touched = std::chrono::steady_clock::now();
  return uploads_.emplace(to_hex(random), std::move(upload)).first->first;
}

std::optional<UploadSessions::Upload> UploadSessions::add(const std::string& id, int64_t offset, std::string_view piece,
                                                          bool last) {
  const std::lock_guard lock(mutex_);
  forget_old();
  const auto found = uploads_.find(id);
  if (found == uploads_.end()) throw ApiError(404, "there is no such upload, or it has waited too long", "not_found");
  Upload& upload = found->second;
  if (offset != static_cast<int64_t>(upload.bytes.size()))
    throw ApiError(400,
                   fmt::format("the upload has {} bytes so far, the piece begins at {}", upload.bytes.size(), offset));
  size_t all = piece.size();
  for (const auto& [other, held] : uploads_) all += held.bytes.size();
  if (upload.bytes.size() + piece.size() > kMostBytes || all > kMostBytesOfAll) {
    uploads_.erase(found);
    throw ApiError(413, "the upload is larger than this server takes", "file_too_large");
  }
  upload.bytes += piece;
  upload.touched = std::chrono::steady_clock::now();
  if (!last) return std::nullopt;
  Upload whole = std::move(upload);
  uploads_.erase(found);
  return whole;
}

void begin_upload(Call& call) {
  const OrderedJson* file = member(call.body, "file");
  const OrderedJson none = OrderedJson::object();
  const OrderedJson& described = file == nullptr ? none : *file;
  std::string type(call.request().header("x-goog-upload-header-content-type"));
  if (type.empty()) type = string_or(described, "mimeType", "application/octet-stream");
  const std::string id = call.services.uploads.begin({.owner = call.client,
                                                      .name = string_or(described, "displayName", "upload"),
                                                      .type = type.substr(0, 64),
                                                      .bytes = {},
                                                      .touched = {}});
  // Clients put the address that they know before the path.
  const std::string url = fmt::format("http://{}/upload/files/{}", call.request().header("host"), id);
  call.exchange->send({.body = "{}", .headers = {{"X-Goog-Upload-URL", url}, {"X-Goog-Upload-Status", "active"}}});
}

void continue_upload(Call& call) {
  const std::string_view offset_text = call.request().header("x-goog-upload-offset");
  int64_t offset = 0;
  const auto [end, error] = std::from_chars(offset_text.data(), offset_text.data() + offset_text.size(), offset);
  if (!offset_text.empty() && (error != std::errc() || end != offset_text.data() + offset_text.size()))
    throw ApiError(400, "X-Goog-Upload-Offset is no number");
  const bool last = call.request().header("x-goog-upload-command").find("finalize") != std::string_view::npos;
  const auto whole = call.services.uploads.add(call.values[0], offset, call.request().body, last);
  if (!whole) {
    call.exchange->send({.body = "{}", .headers = {{"X-Goog-Upload-Status", "active"}}});
    return;
  }
  if (whole->bytes.empty()) throw ApiError(400, "the file is empty");
  const StoredFile stored = call.services.files.add(whole->owner, whole->name, whole->type, whole->bytes);
  call.exchange->send(
      {.body = OrderedJson{{"file", file_json(stored)}}.dump(-1, ' ', false, OrderedJson::error_handler_t::replace),
       .headers = {{"X-Goog-Upload-Status", "final"}}});
}

}  // namespace sensorium::server
