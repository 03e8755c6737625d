#include "server/routes/media_source.h"

#include <fmt/format.h>
#include <stdlib.h>

#include <algorithm>

#include "base/base64.h"
#include "base/descriptor.h"
#include "base/file.h"
#include "media/audio.h"
#include "modality/senses.h"
#include "server/routes/api_error.h"

namespace sensorium::server {
namespace {

constexpr double kMostSoundSeconds = 3600;

ApiError bad_media(const std::string& message) { return {400, message, "invalid_image"}; }

// A file that is gone when its owner is: ffmpeg reads from a path.
class TemporaryFile {
 public:
  explicit TemporaryFile(std::string_view bytes) {
    std::string name = (std::filesystem::temp_directory_path() / "sensorium_media_XXXXXX").string();
    const Descriptor file(::mkstemp(name.data()));
    require(file.get() >= 0, ErrorKind::io, "no temporary file");
    path_ = name;
    while (!bytes.empty()) {
      const ssize_t n = ::write(file.get(), bytes.data(), bytes.size());
      if (n <= 0) {
        remove();
        fail(ErrorKind::io, "a temporary file cannot be written");
      }
      bytes.remove_prefix(static_cast<size_t>(n));
    }
  }
  ~TemporaryFile() { remove(); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  void remove() const {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  std::filesystem::path path_;
};

// An error's message without the name of the temporary file.
std::string without_path(const Error& error, const TemporaryFile& file) {
  const std::string prefix = file.path().string() + ": ";
  return error.message().starts_with(prefix) ? error.message().substr(prefix.size()) : std::string("it is damaged");
}

// ISO media ("ftyp" at 4) and Matroska, the containers that browsers and phones make.
bool looks_like_film(std::string_view bytes) {
  return bytes.substr(0, 12).find("ftyp") == 4 || bytes.starts_with("\x1a\x45\xdf\xa3") ||
         (bytes.starts_with("RIFF") && bytes.substr(0, 12).ends_with("AVI "));
}

// WAV, FLAC, Ogg, MP3 with and without a tag, AAC in its stream form.
bool looks_like_sound(std::string_view bytes) {
  const auto byte = [&](size_t i) { return i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0; };
  const bool frame = byte(0) == 0xff && (byte(1) & 0xe0) == 0xe0 && byte(1) != 0xff;
  // JPEG begins with ff d8.
  return (bytes.starts_with("RIFF") && bytes.substr(0, 12).ends_with("WAVE")) || bytes.starts_with("fLaC") ||
         bytes.starts_with("OggS") || bytes.starts_with("ID3") || (frame && byte(1) != 0xd8);
}

models::ChatPart sound_part(const std::string& bytes) {
  const TemporaryFile file(bytes);
  try {
    // Its length is looked at before it is decoded: compressed silence is long.
    const media::AudioInfo info = media::open_audio(file.path())->info();
    if (info.frames > 0 && static_cast<double>(info.frames) / info.sample_rate_hz > kMostSoundSeconds)
      throw ApiError(413, "the sound is longer than an hour", "sound_too_long");
    return {.recording = std::make_shared<modality::Recording>(modality::sense_kind("audio").load(file.path()))};
  } catch (const ApiError&) {
    throw;
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::interrupted || error.kind() == ErrorKind::not_found) throw;
    throw ApiError(400, "the sound cannot be read: " + without_path(error, file), "invalid_audio");
  }
}

}  // namespace

std::string decode_base64(std::string_view text) {
  std::string clean;
  clean.reserve(text.size() + 3);
  for (const char c : text) {
    if (c == '\r' || c == '\n') continue;
    clean += c == '-' ? '+' : c == '_' ? '/' : c;
  }
  while (clean.size() % 4 != 0 && clean.size() % 4 != 1) clean += '=';
  Result<std::string> bytes = base64_decode(clean);
  if (!bytes) throw ApiError(400, "the data is no base64", "invalid_base64");
  return std::move(bytes).value();
}

std::string MediaSource::read_url(const std::string& url) const {
  if (url.starts_with("data:")) {
    const size_t comma = url.find(',');
    if (comma == std::string::npos || !std::string_view(url).substr(0, comma).ends_with(";base64"))
      throw bad_media("the data URL is no data:TYPE;base64,DATA");
    return decode_base64(std::string_view(url).substr(comma + 1));
  }
  if (url.starts_with("file:")) return read_local(url);
  if (url.starts_with("http://") || url.starts_with("https://")) return fetch_remote(url, options_.remote);
  throw bad_media("the URL begins with none of data:, https:, http:");
}

std::string MediaSource::read_local(const std::string& url) const {
  const ApiError refused(400, "this server reads no local files; send the file as a data URL", "invalid_image_url");
  if (options_.media_path.empty() || !url.starts_with("file://")) throw refused;
  const std::optional<std::string> path = percent_decode(std::string_view(url).substr(7));
  if (!path) throw refused;
  // Both without links, so that none leads out of the folder.
  std::error_code code;
  const std::filesystem::path root = std::filesystem::canonical(options_.media_path, code);
  if (code) throw refused;
  const std::filesystem::path file =
      std::filesystem::canonical(root / std::filesystem::path(*path).relative_path(), code);
  const std::filesystem::path named = code ? std::filesystem::canonical(*path, code) : file;
  const auto [end, ignored] = std::mismatch(root.begin(), root.end(), named.begin(), named.end());
  if (code || end != root.end() || !std::filesystem::is_regular_file(named))
    throw ApiError(404, "there is no such file below the server's media folder", "file_not_found");
  return read_file(named, options_.image.max_file_bytes);
}

std::shared_ptr<const media::Image> MediaSource::image(const std::string& bytes) {
  const Sha256Digest digest = sha256(bytes);
  {
    const std::lock_guard lock(mutex_);
    const auto found = std::ranges::find_if(cache_, [&](const Entry& entry) { return entry.digest == digest; });
    if (found != cache_.end()) {
      cache_.splice(cache_.begin(), cache_, found);
      return found->image;
    }
  }
  Result<media::Image> decoded = media::decode_image(bytes, options_.image);
  if (!decoded) {
    const bool large = decoded.error().kind() == ErrorKind::limit;
    throw ApiError(large ? 413 : 400, "the picture cannot be read: " + decoded.error().message(),
                   large ? "image_too_large" : "invalid_image");
  }
  auto shared = std::make_shared<const media::Image>(std::move(decoded).value());
  const std::lock_guard lock(mutex_);
  cache_.push_front({digest, shared});
  cached_bytes_ += shared->pixels.size();
  while (cached_bytes_ > options_.cache_bytes) {
    cached_bytes_ -= cache_.back().image->pixels.size();
    cache_.pop_back();
  }
  return shared;
}

models::ChatPart MediaSource::part(const std::string& bytes) {
  if (bytes.empty()) throw bad_media("the file is empty");
  if (looks_like_sound(bytes)) return sound_part(bytes);
  if (!looks_like_film(bytes)) return {.image = image(bytes)};
  const TemporaryFile file(bytes);
  models::ChatPart part;
  try {
    media::Video video = media::load_video(file.path(), options_.frames, options_.film);
    for (media::VideoFrame& frame : video.frames) {
      part.frames.push_back(std::make_shared<const media::Image>(std::move(frame.image)));
    }
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::interrupted || error.kind() == ErrorKind::not_found) throw;
    throw ApiError(400, "the film cannot be read: " + without_path(error, file), "invalid_video");
  }
  return part;
}

}  // namespace sensorium::server
