#include "train/batch_builder.h"

#include <algorithm>

namespace sensorium::train {
namespace {

constexpr const char* kCaptionQuestions[] = {"Describe the picture.", "What does the picture show?", "Write a caption."};
// Evidence from the truth is never quite what a detector gives: boxes move a little, now and then one is missing.
constexpr double kBoxNoise = 0.02, kMissing = 0.02;

int index_of(const std::vector<std::string>& names, const std::string& name) {
  const auto found = std::find(names.begin(), names.end(), name);
  return found == names.end() ? -1 : static_cast<int>(found - names.begin());
}

}  // namespace

std::vector<Exchange> derived_exchanges(const Lesson& lesson, const std::vector<std::string>& objects) {
  std::vector<Exchange> result;
  for (const std::string& caption : lesson.captions) {
    result.push_back({kCaptionQuestions[result.size() % std::size(kCaptionQuestions)], caption});
  }
  if (!lesson.boxes_known) return result;
  for (const std::string& object : objects) {
    const auto count = std::count_if(lesson.objects.begin(), lesson.objects.end(),
                                     [&](const Lesson::Object& o) { return o.name == object; });
    result.push_back({fmt::format("How many {}s are there?", object), fmt::format("{}", count)});
  }
  return result;
}

BatchBuilder::BatchBuilder(const models::SensoriumModel& model, const Recipe& recipe) : model_(model), recipe_(recipe) {}

int BatchBuilder::label_index(const std::string& label) const { return index_of(model_.config().heads.labels, label); }
int BatchBuilder::object_index(const std::string& object) const { return index_of(model_.config().heads.objects, object); }

std::vector<int> BatchBuilder::unknown_objects(const SetRecipe& set) const {
  const std::vector<std::string>& objects = model_.config().heads.objects;
  const auto marked = [&](const std::string& name) {
    return std::find(set.objects.begin(), set.objects.end(), name) != set.objects.end();
  };
  std::vector<int> unknown;
  for (size_t i = 0; i < objects.size(); ++i) {
    if (marked(objects[i])) continue;
    const std::string ending = " " + objects[i];
    if (std::any_of(set.objects.begin(), set.objects.end(), [&](const std::string& o) { return o.ends_with(ending); })) {
      unknown.push_back(static_cast<int>(i));
    }
  }
  return unknown;
}

void BatchBuilder::add(models::TrainingBatch& batch, const Lesson& lesson, const SetRecipe& set, Rng& rng) {
  std::vector<models::Box> boxes;
  for (const Lesson::Object& object : lesson.objects) boxes.push_back(object.box);
  AugmentedImage augmented = augment(*lesson.image, boxes, augment_policy(set.augment), model_.config().prepare, rng);

  models::TrainingImage image;
  const std::string& label = lesson.label.empty() ? set.scene : lesson.label;
  image.label = label.empty() ? -1 : label_index(label);
  image.boxes_known = lesson.boxes_known;
  if (image.boxes_known) image.unknown_objects = unknown_objects(set);
  Pending pending;
  if (!label.empty()) pending.truth.labels.push_back(label);
  const float width = static_cast<float>(augmented.image.width), height = static_cast<float>(augmented.image.height);
  bool all_visible = true;
  for (size_t i = 0; i < lesson.objects.size(); ++i) {
    const models::Box& box = augmented.boxes[i];
    const int object = object_index(lesson.objects[i].name);
    if (object < 0) continue;
    if (box.area() <= 0) {
      all_visible = false;
      continue;
    }
    image.objects.push_back({object, box});
    if (rng.chance(kMissing)) continue;
    const auto noise = [&](float side) { return static_cast<float>(rng.normal() * kBoxNoise) * side; };
    const float w = box.x1 - box.x0, h = box.y1 - box.y0;
    pending.truth.objects.push_back({lesson.objects[i].name, 1.0f,
                                     {(box.x0 + noise(w)) / width, (box.y0 + noise(h)) / height,
                                      (box.x1 + noise(w)) / width, (box.y1 + noise(h)) / height}});
  }
  image.image = std::move(augmented.image);
  batch.images.push_back(std::move(image));

  if (recipe_.losses.language > 0) {
    // Questions about numbers are only right while every object is still in the picture.
    if (all_visible) pending.exchanges = lesson.exchanges;
    std::vector<Exchange> derived = derived_exchanges(lesson, set.objects);
    if (!all_visible) derived.resize(std::min(derived.size(), lesson.captions.size()));
    pending.exchanges.insert(pending.exchanges.end(), derived.begin(), derived.end());
    rng.shuffle(pending.exchanges);
    pending.exchanges.resize(std::min(pending.exchanges.size(), static_cast<size_t>(recipe_.questions_per_image)));
    pending_.push_back(std::move(pending));
  }
}

models::TokenSequence BatchBuilder::conversation(const std::vector<Exchange>& exchanges, int picture, int64_t picture_tokens,
                                                 const models::Evidence& evidence) const {
  const models::PromptWriter& writer = model_.prompt();
  models::TokenSequence sequence;
  writer.begin(sequence);
  for (size_t i = 0; i < exchanges.size(); ++i) {
    writer.begin_turn(sequence, "user");
    if (i == 0 && picture >= 0) writer.image(sequence, picture, picture_tokens, evidence);
    writer.text(sequence, exchanges[i].question);
    writer.end_turn(sequence);
    writer.begin_turn(sequence, "assistant");
    writer.text(sequence, exchanges[i].answer, 1.0f);
    writer.end_turn(sequence, 1.0f);
  }
  return sequence;
}

std::vector<models::Evidence> BatchBuilder::find_evidence(models::TrainingBatch& batch) const {
  const NoGrad no_grad;
  const modality::PreparedImages prepared = models::pack_pictures(batch, recipe_.compute);
  modality::ImageFeatures features = model_.encode(prepared);
  std::vector<models::Evidence> evidence = model_.find_evidence(features, prepared.pictures);
  const auto& parameters = model_.store().parameters();
  const bool encoder_trains = std::any_of(parameters.begin(), parameters.end(), [](const nn::Parameter& parameter) {
    return parameter.name.starts_with("image.") && parameter.value.requires_grad();
  });
  if (!encoder_trains) batch.features = std::move(features);
  return evidence;
}

void BatchBuilder::finish(models::TrainingBatch& batch, Rng& rng) {
  if (pending_.empty()) return;
  const size_t first = batch.images.size() - pending_.size();
  std::vector<bool> use_predicted;
  for (size_t i = 0; i < pending_.size(); ++i) use_predicted.push_back(rng.chance(recipe_.predicted_evidence));
  std::vector<models::Evidence> predicted(batch.images.size());
  if (recipe_.predicted_evidence > 0) predicted = find_evidence(batch);
  for (size_t i = 0; i < pending_.size(); ++i) {
    const Pending& pending = pending_[i];
    if (pending.exchanges.empty()) continue;
    const media::Image& image = batch.images[first + i].image;
    models::TokenSequence sequence = conversation(pending.exchanges, static_cast<int>(first + i),
                                                  model_.image_token_count(image.width, image.height),
                                                  use_predicted[i] ? predicted[first + i] : pending.truth);
    if (static_cast<int64_t>(sequence.tokens.size()) <= model_.config().decoder.context) {
      batch.sequences.push_back(std::move(sequence));
    }
  }
  pending_.clear();
}

void BatchBuilder::add_text(models::TrainingBatch& batch, const Lesson& lesson, Rng& rng) const {
  models::TokenSequence sequence;
  if (!lesson.exchanges.empty()) {
    sequence = conversation(lesson.exchanges, -1, 0, {});
  } else {
    model_.prompt().begin(sequence);
    model_.prompt().text(sequence, lesson.text, 1.0f);
  }
  const auto limit = static_cast<size_t>(std::min(recipe_.text_tokens, model_.config().decoder.context));
  if (sequence.tokens.size() > limit) {
    const size_t start = lesson.exchanges.empty() ? rng.below(sequence.tokens.size() - limit + 1) : 0;
    const auto cut = [&](auto& values) {
      values.erase(values.begin(), values.begin() + static_cast<int64_t>(start));
      values.resize(limit);
    };
    cut(sequence.tokens);
    cut(sequence.weights);
  }
  const bool learns = std::any_of(sequence.weights.begin() + 1, sequence.weights.end(), [](float w) { return w > 0; });
  if (learns) batch.sequences.push_back(std::move(sequence));
}

}  // namespace sensorium::train
