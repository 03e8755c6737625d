#include "models/load_part.h"

namespace sensorium::models {
namespace {

ChatPart of_picture(const modality::PictureKind& kind, const std::string& path) {
  return {.image = std::make_shared<media::Image>(kind.load(path)),
          .picture = &kind == &modality::picture_kinds().front() ? nullptr : &kind};
}

}  // namespace

ChatPart load_part(const data::MessagePart& part) {
  const std::string_view name = data::field_name(part.kind);
  if (const modality::PictureKind* kind = modality::find_picture_kind(name)) return of_picture(*kind, part.value);
  return {.recording = std::make_shared<modality::Recording>(modality::sense_kind(name).load(part.value))};
}

ChatPart load_picture(const data::Record& record) { return load_part({record.picture_kind, record.image}); }

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
