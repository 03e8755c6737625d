#include "cli/media_files.h"

#include <filesystem>

#include "base/log.h"
#include "media/decode.h"
#include "modality/picture_kinds.h"
#include "modality/senses.h"
#include "models/load_part.h"

namespace sensorium::cli {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> kind_names() {
  std::vector<std::string> names;
  for (const modality::PictureKind& kind : modality::picture_kinds()) names.emplace_back(kind.name);
  for (const modality::SenseKind& sense : modality::sense_kinds()) names.emplace_back(sense.name);
  return names;
}

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

// Depth and thermal cameras write grey of 16 bits; photographs are nearly black or white in it.
void warn_of_counts(const std::string& file) {
  const media::ImageInfo info = media::load_image_info(file);
  if (info.bits_per_channel != 16 || info.file_channels != 1) return;
  log_warning(
      "{}: is grey of 16 bits, as thermal and depth cameras write it, and is taken for a photograph; say --as thermal "
      "or "
      "--as depth if it is not",
      file);
}

models::ChatPart load_picture(const std::string& file, const modality::PictureKind& kind) {
  const bool photo = &kind == &modality::picture_kinds().front();
  models::ChatPart part{.image = std::make_shared<media::Image>(kind.load(file)), .picture = photo ? nullptr : &kind};
  if (photo) warn_of_counts(file);
  return part;
}

// As what the name says, or as `kind` where that is a name of one.
std::vector<models::ChatPart> load_as(const std::string& file, const std::string& kind,
                                      const modality::RecordingOptions& options, const models::ModelFamily* family) {
  if (const modality::SenseKind* sense = modality::find_sense(kind))
    return models::load_recordings(file, *sense, options, family);
  if (const modality::PictureKind* picture = modality::find_picture_kind(kind)) return {load_picture(file, *picture)};
  if (const modality::SenseKind* sense = modality::sense_of_file(file))
    return models::load_recordings(file, *sense, options, family);
  require(modality::lower_extension(file) != ".npy", ErrorKind::usage,
          "{}: an array of what? Say it with --as, for motion sensors: --as imu, for distances: --as depth", file);
  return {load_picture(file, modality::picture_kinds().front())};
}

// Whether a file of this name may be what --as says: files of other known endings keep what their names say.
bool allows(const std::string& file, const std::string& as) {
  const bool named = modality::sense_of_file(file) != nullptr || modality::is_picture_file(file);
  if (!named) return true;
  const modality::SenseKind* sense = modality::find_sense(as);
  return sense != nullptr ? modality::may_be(*sense, file) : modality::is_picture_file(file);
}

}  // namespace

void add_media_options(CLI::App& command, MediaFlags& flags) {
  command
      .add_option(
          "--as", flags.as,
          "What the files are whose names leave it open: pictures of thermal and depth cameras, .npy; FILE:KIND "
          "says it of one file")
      ->check(CLI::IsMember(kind_names()));
  command
      .add_option("--depth-unit", flags.depth_unit,
                  "Unit of the distances in depth pictures (default: mm in PNG, m in .npy)")
      ->check(CLI::IsMember({"mm", "m"}));
}

std::vector<models::ChatPart> load_media_parts(const std::string& word, const MediaFlags& flags) {
  modality::RecordingOptions options;
  if (!flags.depth_unit.empty()) options.depth_unit_m = flags.depth_unit == "mm" ? 1e-3 : 1.0;
  const size_t colon = word.rfind(':');
  if (!is_there(word) && colon != std::string::npos) {
    const std::string file = word.substr(0, colon), kind = word.substr(colon + 1);
    if (modality::find_sense(kind) != nullptr || modality::find_picture_kind(kind) != nullptr)
      return load_as(file, kind, options, flags.family);
  }
  return load_as(word, allows(word, flags.as) ? flags.as : "", options, flags.family);
}

}  // namespace sensorium::cli
