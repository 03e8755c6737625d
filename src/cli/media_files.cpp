#include "cli/media_files.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <vector>

#include "media/decode.h"
#include "modality/senses.h"

namespace sensorium::cli {
namespace {

constexpr std::string_view kPicture = "image";
constexpr std::array<std::string_view, 4> kPictureFiles = {".jpg", ".jpeg", ".png", ".webp"};

std::string extension_of(const std::filesystem::path& file) {
  std::string extension = file.extension().string();
  for (char& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return extension;
}

bool is_picture_name(const std::string& extension) {
  return std::find(kPictureFiles.begin(), kPictureFiles.end(), extension) != kPictureFiles.end();
}

std::vector<std::string> kinds() {
  std::vector<std::string> names = {std::string(kPicture)};
  for (const modality::SenseKind& sense : modality::sense_kinds()) names.emplace_back(sense.name);
  return names;
}

}  // namespace

void add_kind_option(CLI::App& command, std::string& as) {
  command.add_option("--as", as, "What the files are whose names do not say it, such as .npy")
      ->check(CLI::IsMember(kinds()));
}

models::ChatPart load_media_part(const std::string& file, const std::string& as) {
  const std::string extension = extension_of(file);
  const modality::SenseKind* sense = modality::sense_of_file(file);
  if (sense == nullptr && !is_picture_name(extension)) {
    require(extension != ".npy" || !as.empty(), ErrorKind::usage,
            "{}: an array of what? Say it with --as, for motion sensors: --as imu", file);
    sense = modality::find_sense(as);
  }
  if (sense != nullptr) return {.recording = std::make_shared<modality::Recording>(sense->load(file))};
  return {.image = std::make_shared<media::Image>(media::load_image(file))};
}

}  // namespace sensorium::cli
