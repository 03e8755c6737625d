#include "eval/tasks/media_vectors.h"

#include <algorithm>

#include "models/embedding/load_input.h"
#include "ops/ops.h"

namespace sensorium::eval {
namespace {

using models::InputSense;

InputSense sense_of(const data::MessagePart& part) {
  switch (part.kind) {
    case data::PartKind::image:
      return InputSense::image;
    case data::PartKind::thermal:
      return InputSense::thermal;
    case data::PartKind::depth:
      return InputSense::depth;
    case data::PartKind::audio:
      return InputSense::audio;
    case data::PartKind::imu:
      return InputSense::imu;
    case data::PartKind::video:
      // A frame of a film, or the film's file.
      return models::sense_of_file(part.value).value_or(InputSense::video);
    case data::PartKind::text:
      break;
  }
  return InputSense::text;
}

}  // namespace

bool has_media(const data::Record& record) { return !record.media.empty(); }

bool perceives(const models::Embedder& embedder, const data::Record& record) {
  const std::vector<InputSense> senses = embedder.senses();
  return std::ranges::any_of(record.media, [&](const data::MessagePart& part) {
    return std::ranges::find(senses, sense_of(part)) != senses.end();
  });
}

std::vector<models::EmbedInput> media_inputs(const data::Record& record, const models::Embedder& embedder) {
  const std::vector<InputSense> senses = embedder.senses();
  const auto known = [&](InputSense sense) { return std::ranges::find(senses, sense) != senses.end(); };
  std::vector<models::EmbedInput> inputs;
  try {
    for (const data::MessagePart& part : record.media) {
      const bool more_frames = !inputs.empty() && part.kind == data::PartKind::video;
      if (!known(sense_of(part)) || (!inputs.empty() && !more_frames)) continue;
      inputs.push_back(models::load_input(part.value, sense_of(part)));
    }
  } catch (const Error& error) {
    throw error.with_context(record.where);
  }
  require(!inputs.empty(), ErrorKind::unsupported, "{}: {} is no sense of the model", record.where,
          record.media.empty() ? "text" : name_of(sense_of(record.media.front())));
  return inputs;
}

const Examiner::Placed& media_vector(Examiner& examiner) {
  std::optional<Examiner::Placed>& placed = examiner.placed();
  if (!placed) {
    const NoGrad no_grad;
    const models::Embedder& embedder = *examiner.model().embedder();
    const std::vector<models::EmbedInput> inputs = media_inputs(examiner.record(), embedder);
    const Tensor vectors = embedder.embed(inputs);
    const std::vector<int64_t> all = {0, vectors.dim(0)};
    placed = {inputs.front().sense, vectors.dim(0) == 1 ? vectors : ops::segment_mean(vectors, all)};
  }
  return *placed;
}

}  // namespace sensorium::eval
