// Pictures and films of requests: from data URLs, uploaded files, allowed hosts or a folder of the server, checked before they
// are decoded.
#pragma once

#include <cstddef>
#include <filesystem>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/sha256.h"
#include "media/decode.h"
#include "media/video.h"
#include "models/embedding/embedder.h"
#include "models/model.h"
#include "server/decoding/media_decoder.h"
#include "server/routes/remote_fetch.h"
#include "server/routes/temporary_file.h"

namespace sensorium::server {

class FileStore;

struct MediaOptions {
  media::DecodeLimits image{.max_pixels = 50'000'000, .max_side = 32'768, .max_file_bytes = size_t{64} << 20};
  media::FrameSampling frames;
  media::FfmpegLimits film{.wall_time = std::chrono::milliseconds(60'000)};
  DecoderOptions decoder;                  // of pictures and sounds
  size_t max_parts = 100;                  // pictures and films of one request
  size_t cache_bytes = size_t{256} << 20;  // of decoded pictures that are kept
  std::filesystem::path media_path;        // file:// URLs may name files below it; "": none
  RemoteFetchOptions remote;
};

// Base64 as clients send it: the standard or the URL-safe alphabet, with or without padding, line breaks passed over. Throws
// ApiError.
std::string decode_base64(std::string_view text);

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
  std::string read_url(const std::string& url) const;
  const MediaDecoder& decoder() const { return decoder_; }
  // A picture or a film, told apart by their bytes. Throws ApiError: no such thing, too large, damaged.
  models::ChatPart part(const std::string& bytes);
  // A sound, whatever the bytes begin with: a film's container may hold one. Throws ApiError.
  models::ChatPart sound_part(const std::string& bytes);
  // The same as input of an embedder; a picture may be `sense` thermal. Throws ApiError also for another sense than the file's.
  MediaInput embed_input(const std::string& bytes, std::optional<models::InputSense> sense = std::nullopt);

 private:
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
