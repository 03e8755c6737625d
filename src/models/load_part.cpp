#include "models/load_part.h"

namespace sensorium::models {
namespace {

ChatPart of_picture(const modality::PictureKind& kind, const std::string& path) {
  return {.image = std::make_shared<media::Image>(kind.load(path)),
          .picture = &kind == &modality::picture_kinds().front() ? nullptr : &kind};
}

bool watches(const ModelFamily* family) { return family != nullptr && family->read_film != nullptr; }

}  // namespace

ChatPart load_part(const data::MessagePart& part) {
  const std::string_view name = data::field_name(part.kind);
  if (const modality::PictureKind* kind = modality::find_picture_kind(name)) return of_picture(*kind, part.value);
  return {.recording = std::make_shared<modality::Recording>(modality::sense_kind(name).load(part.value))};
}

std::vector<ChatPart> load_parts(const data::MessagePart& part, const ModelFamily* watcher) {
  if (part.kind == data::PartKind::video && watches(watcher)) return watcher->read_film(part.value, {});
  return {load_part(part)};
}

ChatPart load_picture(const data::Record& record) { return load_part({record.picture_kind, record.image}); }

std::vector<ChatPart> load_recordings(const std::string& path, const modality::SenseKind& sense,
                                      const modality::RecordingOptions& options, const ModelFamily* watcher) {
  if (sense.name == "video" && watches(watcher)) return watcher->read_film(path, options.ffmpeg);
  const auto recording = std::make_shared<const modality::Recording>(sense.load(path, options));
  std::vector<ChatPart> parts = {{.recording = recording}};
  if (sense.load_sound_track == nullptr) return parts;
  if (std::optional<modality::Recording> sound = sense.load_sound_track(path, *recording, options))
    parts.push_back({.recording = std::make_shared<const modality::Recording>(std::move(*sound))});
  return parts;
}

std::vector<ChatPart> load_percepts(const data::Record& record, const ModelFamily* watcher) {
  const data::MessagePart* media = record.image.empty() ? data::recording_of(record) : nullptr;
  const bool film = media != nullptr && media->kind == data::PartKind::video && !record.frames.empty();
  if (film && watcher != nullptr && watcher->read_frames != nullptr) return watcher->read_frames(record.frames);
  if (media != nullptr && record.frames.empty()) {
    return load_recordings(media->value, modality::sense_kind(data::field_name(media->kind)),
                           {.depth_unit_m = record.depth_unit_m}, watcher);
  }
  ChatPart part = load_percept(record);
  return part.image || part.recording ? std::vector<ChatPart>{std::move(part)} : std::vector<ChatPart>();
}

ChatPart load_percept(const data::Record& record) {
  if (!record.image.empty()) return load_picture(record);
  const data::MessagePart* media = data::recording_of(record);
  if (media == nullptr) return {};
  const modality::SenseKind& sense = modality::sense_kind(data::field_name(media->kind));
  if (record.frames.empty() || media->kind != data::PartKind::video) {
    return {.recording =
                std::make_shared<modality::Recording>(sense.load(media->value, {.depth_unit_m = record.depth_unit_m}))};
  }
  return {.recording = std::make_shared<modality::Recording>(sense.load_frames(record.frames))};
}

}  // namespace sensorium::models
