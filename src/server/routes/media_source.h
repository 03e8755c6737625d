// Pictures, sounds and films of requests: from data URLs, uploaded files, allowed hosts or a folder of the server, checked before they
// are decoded.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/sha256.h"
#include "media/decode.h"
#include "media/ffmpeg.h"
#include "models/embedding/embedder.h"
#include "models/model.h"
#include "server/decoding/media_decoder.h"
#include "server/routes/remote_fetch.h"
#include "server/routes/temporary_file.h"

namespace sensorium::server {

class FileStore;

struct MediaOptions {
  media::DecodeLimits image{.max_pixels = 50'000'000, .max_side = 32'768, .max_file_bytes = size_t{64} << 20};
  media::FfmpegLimits ffmpeg{.wall_time = std::chrono::milliseconds(60'000)};
  DecoderOptions decoder;                  // of pictures, and of sounds in WAV and FLAC
  size_t max_parts = 100;                  // pictures and films of one request
  size_t cache_bytes = size_t{256} << 20;  // of decoded pictures that are kept
  std::filesystem::path media_path;        // file:// URLs may name files below it; "": none
  RemoteFetchOptions remote;
};

// Base64 as clients send it: the standard or the URL-safe alphabet, with or without padding, line breaks passed over. Throws
// ApiError.
std::string decode_base64(std::string_view text);

// What a client sent.
struct SentMedia {
  // By their bytes, or as the sound that the client calls them: of a film only its sound then.
  enum class Kind : uint8_t { any, sound };
  std::string bytes;
  Kind kind = Kind::any;
};
// What a media type says of them: "audio/mp4" begins as a film does.
SentMedia::Kind kind_of_type(std::string_view media_type);

// An input of an embedder, and the film's file that it names.
struct MediaInput {
  models::EmbedInput input;
  std::shared_ptr<const TemporaryFile> file;
};

// Thread-safe.
class MediaSource {
 public:
  explicit MediaSource(MediaOptions options) : options_(std::move(options)), decoder_(options_.decoder) {}

  size_t max_parts() const { return options_.max_parts; }
  // What a URL names: data:, http(s):, file:. Throws ApiError.
  SentMedia read_url(const std::string& url) const;
  const MediaDecoder& decoder() const { return decoder_; }
  // A picture, a sound, or a film as models of the family take it, which is asked for then alone. Throws ApiError: no such thing, too
  // large, damaged, a film that the family does not watch.
  std::vector<models::ChatPart> parts(const SentMedia& media,
                                      const std::function<const models::ModelFamily&()>& family);
  // A sound, whatever the bytes begin with. Throws ApiError.
  models::ChatPart sound_part(const std::string& bytes);
  // The same as input of an embedder; a picture may be `sense` thermal. Throws ApiError also for another sense than the file's.
  MediaInput embed_input(const SentMedia& media, std::optional<models::InputSense> sense = std::nullopt);

 private:
  struct Content;
  Content look(const SentMedia& media) const;
  models::ChatPart sound_part(const Content& content);
  template <typename InMemory, typename ByPath>
  auto read_sound(const Content& content, InMemory&& in_memory, ByPath&& by_path) const;
  std::shared_ptr<const media::Image> image(const std::string& bytes);
  std::string read_local(const std::string& url) const;

  struct Entry {
    Sha256Digest digest;
    std::shared_ptr<const media::Image> image;
  };
  MediaOptions options_;
  MediaDecoder decoder_;
  std::mutex mutex_;
  std::list<Entry> cache_;  // last used first
  size_t cached_bytes_ = 0;
};

}  // namespace sensorium::server
