#include "server/routes/media_source.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/base64.h"
#include "base/file.h"
#include "media/audio.h"
#include "modality/senses.h"
#include "server/routes/api_error.h"

namespace sensorium::server {
namespace {

ApiError bad_media(const std::string& message) { return {400, message, "invalid_image"}; }

// Not of the file that was sent.
bool is_own_fault(const Error& error) {
  return error.kind() == ErrorKind::interrupted || error.kind() == ErrorKind::not_found ||
         error.kind() == ErrorKind::io;
}

// ISO media ("ftyp" at 4), Matroska and AVI: films, or sounds alone.
bool is_container(std::string_view bytes) {
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

ApiError bad_film(const TemporaryFile& file, const Error& error) {
  return {400, "the film cannot be read: " + file.without_path(error), "invalid_video"};
}

}  // namespace

SentMedia::Kind kind_of_type(std::string_view media_type) {
  return media_type.starts_with("audio/") ? SentMedia::Kind::sound : SentMedia::Kind::any;
}

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

SentMedia MediaSource::read_url(const std::string& url) const {
  if (url.starts_with("data:")) {
    const size_t comma = url.find(',');
    if (comma == std::string::npos || !std::string_view(url).substr(0, comma).ends_with(";base64"))
      throw bad_media("the data URL is no data:TYPE;base64,DATA");
    return {decode_base64(std::string_view(url).substr(comma + 1)), kind_of_type(std::string_view(url).substr(5))};
  }
  if (url.starts_with("file:")) return {read_local(url)};
  if (url.starts_with("http://") || url.starts_with("https://")) return {fetch_remote(url, options_.remote)};
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
  std::shared_ptr<const media::Image> shared;
  try {
    shared = std::make_shared<const media::Image>(decoder_.picture(bytes, options_.image));
  } catch (const Error& error) {
    if (is_own_fault(error)) throw;
    const bool large = error.kind() == ErrorKind::limit;
    throw ApiError(large ? 413 : 400, "the picture cannot be read: " + error.message(),
                   large ? "image_too_large" : "invalid_image");
  }
  const std::lock_guard lock(mutex_);
  cache_.push_front({digest, shared});
  cached_bytes_ += shared->pixels.size();
  while (cached_bytes_ > options_.cache_bytes) {
    cached_bytes_ -= cache_.back().image->pixels.size();
    cache_.pop_back();
  }
  return shared;
}

// What was sent, and its kind.
struct MediaSource::Content {
  enum class Kind : uint8_t { picture, sound, film };
  Kind kind;
  const std::string& bytes;
  std::shared_ptr<const TemporaryFile> file;  // of a container that was looked into,
  media::MediaInfo info;                      // and what is in it
};

MediaSource::Content MediaSource::look(const SentMedia& media) const {
  using Kind = Content::Kind;
  if (media.bytes.empty()) throw bad_media("the file is empty");
  if (media.kind == SentMedia::Kind::sound || looks_like_sound(media.bytes))
    return {Kind::sound, media.bytes, nullptr, {}};
  if (!is_container(media.bytes)) return {Kind::picture, media.bytes, nullptr, {}};
  const auto file = std::make_shared<const TemporaryFile>(media.bytes);
  try {
    const media::MediaInfo info = media::probe_media(file->path(), options_.ffmpeg);
    return {info.has_video ? Kind::film : Kind::sound, media.bytes, file, info};
  } catch (const Error& error) {
    if (is_own_fault(error)) throw;
    throw bad_film(*file, error);
  }
}

std::vector<models::ChatPart> MediaSource::parts(const SentMedia& media,
                                                 const std::function<const models::ModelFamily&()>& family) {
  const Content content = look(media);
  if (content.kind == Content::Kind::picture) return {{.image = image(content.bytes)}};
  if (content.kind == Content::Kind::sound) return {sound_part(content)};
  const models::ModelFamily& watcher = family();
  if (watcher.read_film == nullptr)
    throw ApiError(400, fmt::format("a model of the family {} watches no films", watcher.model_type),
                   "unsupported_media");
  try {
    return watcher.read_film(content.file->path(), options_.ffmpeg);
  } catch (const Error& error) {
    if (is_own_fault(error)) throw;
    throw bad_film(*content.file, error);
  }
}

// What `in_memory` makes of a WAV or FLAC file and `by_path` of another one, which ffmpeg reads. Throws ApiError for one that is no
// sound, or too long.
template <typename InMemory, typename ByPath>
auto MediaSource::read_sound(const Content& content, InMemory&& in_memory, ByPath&& by_path) const {
  std::shared_ptr<const TemporaryFile> file = content.file;
  try {
    if (media::is_wav_or_flac(media::as_byte_span(content.bytes))) return in_memory();
    media::MediaInfo info = content.info;
    if (!file) {
      file = std::make_shared<const TemporaryFile>(content.bytes);
      info = media::probe_media(file->path(), options_.ffmpeg);
    }
    // Looked at before it is decoded: compressed silence is long.
    require(info.duration_s <= kMostSoundSeconds, ErrorKind::limit, "it is longer than {} minutes",
            kMostSoundSeconds / 60);
    return by_path(file->path());
  } catch (const Error& error) {
    if (is_own_fault(error)) throw;
    const bool large = error.kind() == ErrorKind::limit;
    throw ApiError(large ? 413 : 400,
                   "the sound cannot be read: " + (file ? file->without_path(error) : error.message()),
                   large ? "sound_too_large" : "invalid_audio");
  }
}

models::ChatPart MediaSource::sound_part(const Content& content) {
  const auto recording = [](modality::Recording made) {
    return models::ChatPart{.recording = std::make_shared<const modality::Recording>(std::move(made))};
  };
  return read_sound(
      content, [&] { return recording(decoder_.recording(content.bytes)); },
      [&](const std::filesystem::path& path) {
        return recording(modality::sense_kind("audio").load(path, {.ffmpeg = options_.ffmpeg}));
      });
}

models::ChatPart MediaSource::sound_part(const std::string& bytes) {
  return sound_part(Content{Content::Kind::sound, bytes, nullptr, {}});
}

MediaInput MediaSource::embed_input(const SentMedia& media, std::optional<models::InputSense> sense) {
  using models::InputSense;
  const Content content = look(media);
  const bool film = content.kind == Content::Kind::film, picture = content.kind == Content::Kind::picture;
  const InputSense found = film ? InputSense::video : picture ? InputSense::image : InputSense::audio;
  const InputSense read_as = sense.value_or(found);
  // A picture may show heat; of a film the sound may be meant.
  const bool fits =
      read_as == found || (read_as == InputSense::thermal && picture) || (read_as == InputSense::audio && film);
  if (!fits)
    throw ApiError(400, fmt::format("the file is no {} that can be sent here", name_of(read_as)), "invalid_value",
                   "input");
  MediaInput input{.input = {.sense = read_as, .name = fmt::format("the {}", name_of(read_as))}};
  if (read_as == InputSense::audio) {
    input.input.audio = std::make_shared<const media::Audio>(read_sound(
        content, [&] { return decoder_.sound(content.bytes); },
        [&](const std::filesystem::path& path) {
          return media::read_whole(*media::open_audio(path, {}, options_.ffmpeg));
        }));
  } else if (film) {
    input.file = content.file;
    input.input.video = content.file->path();
  } else {
    input.input.image = image(content.bytes);
  }
  return input;
}

}  // namespace sensorium::server
