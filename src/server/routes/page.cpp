#include "server/routes/page.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/file.h"
#include "base/sha256.h"
#include "server/routes/services.h"

namespace sensorium::server {
namespace {

constexpr size_t kMostPageBytes = size_t{16} << 20;

struct Type {
  std::string_view extension, type;
};
// What a page is made of; other files are not served.
constexpr std::array kTypes = std::to_array<Type>({
    {".html", "text/html; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".json", "application/json"},
    {".webmanifest", "application/manifest+json"},
    {".svg", "image/svg+xml"},
    {".png", "image/png"},
    {".jpg", "image/jpeg"},
    {".webp", "image/webp"},
    {".ico", "image/x-icon"},
    {".woff2", "font/woff2"},
    {".wav", "audio/wav"},
});

// Nothing from elsewhere, no script or style inside the page: what a message holds cannot run.
constexpr const char* kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' data: "
    "blob:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; worker-src 'self' blob:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'";

void send_file(Call& call, const std::string& name) {
  const ApiError missing(404, "there is no such file", "not_found");
  const std::filesystem::path& folder = call.services.web;
  if (folder.empty()) throw missing;
  const std::filesystem::path path = folder / name;
  const std::string extension = path.extension().string();
  std::string_view type;
  for (const Type& known : kTypes) {
    if (known.extension == extension) type = known.type;
  }
  std::error_code code;
  if (type.empty() || !std::filesystem::is_regular_file(path, code)) throw missing;
  // Links may not lead out of the folder.
  const std::filesystem::path real = std::filesystem::canonical(path, code),
                              root = std::filesystem::canonical(folder, code);
  const auto [end, ignored] = std::mismatch(root.begin(), root.end(), real.begin(), real.end());
  if (code || end != root.end()) throw missing;
  std::string bytes = read_file(real, kMostPageBytes);
  const std::string tag = fmt::format("\"{}\"", to_hex(sha256(bytes)).substr(0, 32));
  Response response{.content_type = std::string(type),
                    .headers = {{"ETag", tag},
                                {"Cache-Control", "no-cache"},
                                {"Content-Security-Policy", kPolicy},
                                {"Permissions-Policy", "camera=(self), microphone=(self), geolocation=()"},
                                {"Cross-Origin-Opener-Policy", "same-origin"}}};
  if (call.request().header("if-none-match").find(tag) != std::string_view::npos) {
    response.status = 304;
  } else {
    response.body = std::move(bytes);
  }
  call.exchange->send(std::move(response));
}

}  // namespace

void get_page(Call& call) { send_file(call, "index.html"); }
void get_web_file(Call& call) { send_file(call, call.values[0]); }

}  // namespace sensorium::server
