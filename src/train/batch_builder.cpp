#include "train/batch_builder.h"

#include <algorithm>

#include "train/augment_recording.h"
#include "train/cutmix.h"
#include "train/questions.h"
#include "train/self_supervision.h"
#include "train/sense_dropout.h"

namespace sensorium::train {
namespace {

constexpr double kBoxNoise = 0.02;  // of evidence from the truth, as a share of a box's own sides
constexpr double kOneLabel = 0.5;   // how often evidence from the truth names no label but the right one

// Whether any token is predicted from those before it.
bool teaches(const models::TokenSequence& sequence) {
  return std::any_of(sequence.weights.begin() + 1, sequence.weights.end(), [](float weight) { return weight > 0; });
}

int index_of(const std::vector<std::string>& names, const std::string& name) {
  const auto found = std::find(names.begin(), names.end(), name);
  return found == names.end() ? -1 : static_cast<int>(found - names.begin());
}

}  // namespace

BatchBuilder::BatchBuilder(const models::SensoriumModel& model, const Recipe& recipe)
    : model_(model), recipe_(recipe) {}

int BatchBuilder::label_index(const std::string& label) const { return index_of(model_.config().heads.labels, label); }
int BatchBuilder::object_index(const std::string& object) const {
  return index_of(model_.config().heads.objects, object);
}

std::vector<int> BatchBuilder::unknown_objects(const SetRecipe& set) const {
  const std::vector<std::string>& objects = model_.config().heads.objects;
  const auto marked = [&](const std::string& name) {
    return std::find(set.objects.begin(), set.objects.end(), name) != set.objects.end();
  };
  std::vector<int> unknown;
  for (size_t i = 0; i < objects.size(); ++i) {
    if (marked(objects[i])) continue;
    const std::string ending = " " + objects[i];
    if (std::any_of(set.objects.begin(), set.objects.end(),
                    [&](const std::string& o) { return o.ends_with(ending); })) {
      unknown.push_back(static_cast<int>(i));
    }
  }
  return unknown;
}

const std::vector<std::string>& BatchBuilder::labels_for(const Lesson& lesson) const {
  return lesson.recording ? model_.sense(*lesson.recording->sense).labels() : model_.config().heads.labels;
}

models::Evidence BatchBuilder::told(const Lesson& lesson, const std::vector<models::Box>& boxes, int width, int height,
                                    const SetRecipe& set, Rng& rng) const {
  models::Evidence evidence;
  const std::string& label = lesson.label.empty() ? set.scene : lesson.label;
  const std::vector<std::string>& labels = labels_for(lesson);
  if (!label.empty()) evidence.labels.push_back(label);
  evidence.labels.insert(evidence.labels.end(), lesson.traits.begin(), lesson.traits.end());
  if (!evidence.labels.empty()) {
    const uint64_t further = rng.chance(kOneLabel) ? 0 : 1 + rng.below(2);
    for (uint64_t i = 0; i < further; ++i) {
      const std::string& other = labels[rng.below(labels.size())];
      if (std::find(evidence.labels.begin(), evidence.labels.end(), other) == evidence.labels.end()) {
        evidence.labels.push_back(other);
      }
    }
  }
  if (lesson.recording) evidence.facts = lesson.recording->facts;
  for (size_t i = 0; i < lesson.objects.size(); ++i) {
    const models::Box& box = boxes[i];
    if (object_index(lesson.objects[i].name) < 0 || box.area() <= 0) continue;
    const auto noise = [&](float side) { return static_cast<float>(rng.normal() * kBoxNoise) * side; };
    const float w = box.x1 - box.x0, h = box.y1 - box.y0;
    const auto x = static_cast<float>(width), y = static_cast<float>(height);
    evidence.objects.push_back(
        {lesson.objects[i].name,
         1.0f,
         {(box.x0 + noise(w)) / x, (box.y0 + noise(h)) / y, (box.x1 + noise(w)) / x, (box.y1 + noise(h)) / y}});
  }
  return evidence;
}

void BatchBuilder::add(models::TrainingBatch& batch, const Lesson& lesson, const SetRecipe& set, Rng& rng) {
  if (!lesson.has_percept()) {
    if (reads()) add_text(batch, lesson, rng);
    return;
  }
  if (!lesson.turns.empty()) {
    return add_conversation(batch, without_some_senses(lesson, recipe_.sense_dropout, rng), set, rng);
  }
  if (lesson.recording)
    return add_recorded_lesson(batch, without_some_senses(lesson, recipe_.sense_dropout, rng), set, rng);
  std::vector<models::Box> boxes;
  for (const Lesson::Object& object : lesson.objects) boxes.push_back(object.box);
  AugmentedImage augmented = augment(*lesson.image, boxes, augment_policy(set.augment), model_.config().prepare, rng);

  models::TrainingImage image;
  const std::string& label = lesson.label.empty() ? set.scene : lesson.label;
  image.label = label.empty() ? -1 : label_index(label);
  image.boxes_known = lesson.boxes_known;
  if (image.boxes_known) image.unknown_objects = unknown_objects(set);
  bool all_visible = true;
  for (size_t i = 0; i < lesson.objects.size(); ++i) {
    const models::Box& box = augmented.boxes[i];
    const int object = object_index(lesson.objects[i].name);
    if (object < 0) continue;
    if (box.area() <= 0) {
      all_visible = false;
    } else {
      image.objects.push_back({object, box});
    }
  }
  const int width = augmented.image.width, height = augmented.image.height;
  image.image = std::move(augmented.image);
  if (recipe_.losses.masked_patches > 0) image.hidden = hidden_patches(height, width, recipe_.masking.patches, rng);
  image.called = called(lesson, set, rng);
  batch.images.push_back(std::move(image));
  cutmix_.resize(batch.images.size());
  cutmix_.back() = set.cutmix;
  if (reads()) {
    models::Evidence truth = told(lesson, augmented.boxes, width, height, set, rng);
    pending_.push_back({{{false, batch.images.size() - 1, lesson.picture}},
                        std::move(truth),
                        choose_questions(lesson, all_visible, set, recipe_, rng),
                        {},
                        hidden_caption(lesson, rng)});
  }
}

models::Called BatchBuilder::called(const Lesson& lesson, const SetRecipe& set, Rng& rng) {
  if (recipe_.losses.contrastive == 0) return {};
  const std::string& label = lesson.label.empty() ? set.scene : lesson.label;
  std::vector<std::string> phrases = lesson.captions;
  if (!label.empty()) phrases.push_back(label);
  if (phrases.empty()) return {};
  const std::string phrase = models::joint_text(rng.pick(phrases));
  const auto [known, is_new] =
      concepts_.emplace(label.empty() ? phrase : label, static_cast<int32_t>(concepts_.size()));
  return {model_.tokenizer().encode(phrase), known->second};
}

std::vector<int32_t> BatchBuilder::hidden_caption(const Lesson& lesson, Rng& rng) const {
  if (recipe_.losses.masked_text == 0 || lesson.captions.empty()) return {};
  return model_.tokenizer().encode(rng.pick(lesson.captions));
}

void BatchBuilder::add_masked(models::TrainingBatch& batch, std::span<const View> views, std::span<const int32_t> text,
                              Rng& rng) {
  const auto hidden = hidden_spans(text.size(), recipe_.masking.text, recipe_.masking.span, rng);
  if (hidden.empty()) return;
  models::TokenSequence sequence;
  model_.prompt().begin(sequence);
  model_.prompt().begin_turn(sequence, "user");
  show(sequence, views, model_.prompt());
  write_masked(sequence, text, hidden, model_.prompt());
  if (static_cast<int64_t>(sequence.tokens.size()) <= model_.config().decoder.context)
    batch.masked.push_back(std::move(sequence));
}

BatchBuilder::Percept BatchBuilder::add_window(models::TrainingBatch& batch, const modality::Recording& recording,
                                               const Tensor& window_TC, const Lesson& about, std::string_view augment,
                                               Rng& rng) {
  const models::Sense& sense = model_.sense(*recording.sense);
  const Tensor changed_TC = augment_recording(window_TC, sense.kind(), augment, rng);
  models::TrainingRecording added{.sense = recording.sense,
                                  .signal = sense.kind().signal(changed_TC),
                                  .label = about.label.empty() ? -1 : index_of(sense.labels(), about.label),
                                  .trait = about.traits.empty() ? -1 : index_of(sense.labels(), about.traits.front()),
                                  .facts = recording.facts};
  const bool film = sense.kind().load_frames != nullptr;
  if (film && recipe_.losses.frame_order > 0) added.order = asked_order(added.signal, rng);
  if (!film && recipe_.losses.masked_patches > 0)
    added.hidden = hidden_patches(added.signal.height, added.signal.width, recipe_.masking.patches, rng);
  batch.recordings.push_back(std::move(added));
  return {true, batch.recordings.size() - 1, nullptr};
}

void BatchBuilder::add_recording(models::TrainingBatch& batch, const modality::Recording& recording,
                                 const modality::Recording* sound, const Lesson& about, const SetRecipe& set, Rng& rng,
                                 std::vector<Percept>& percepts) {
  const size_t window = rng.below(recording.windows.size());
  percepts.push_back(add_window(batch, recording, recording.windows[window], about, set.augment, rng));
  if (sound == nullptr || !model_.has(*sound->sense)) return;
  const bool beside = model_.prompt().interleaves_sound() && sound->beside_film.size() == recording.windows.size();
  const Tensor& heard_TC = beside ? sound->beside_film[window] : sound->windows[rng.below(sound->windows.size())];
  percepts.push_back(add_window(batch, *sound, heard_TC, {}, "none", rng));
  percepts.back().beside_film = beside;
}

void BatchBuilder::add_recorded_lesson(models::TrainingBatch& batch, const Lesson& lesson, const SetRecipe& set,
                                       Rng& rng) {
  std::vector<Percept> percepts;
  add_recording(batch, *lesson.recording, lesson.sound.get(), lesson, set, rng, percepts);
  batch.recordings[percepts.front().index].called = called(lesson, set, rng);
  if (!reads()) return;
  models::Evidence truth = told(lesson, {}, 0, 0, set, rng);
  pending_.push_back({std::move(percepts),
                      std::move(truth),
                      choose_questions(lesson, true, set, recipe_, rng),
                      {},
                      hidden_caption(lesson, rng)});
}

void BatchBuilder::add_conversation(models::TrainingBatch& batch, const Lesson& lesson, const SetRecipe& set,
                                    Rng& rng) {
  std::vector<Percept> percepts;
  std::vector<models::ChatMessage> turns = lesson.turns;
  for (models::ChatMessage& turn : turns) {
    // A model that does not hear learns from films without their sound.
    std::erase_if(turn.parts, [&](const models::ChatPart& part) {
      return part.recording && part.recording->sound_track && !model_.has(*part.recording->sense);
    });
    for (size_t i = 0; i < turn.parts.size(); ++i) {
      const models::ChatPart& part = turn.parts[i];
      if (part.recording) {
        const modality::Recording* next = i + 1 < turn.parts.size() ? turn.parts[i + 1].recording.get() : nullptr;
        const bool has_sound = next != nullptr && next->sound_track;
        add_recording(batch, *part.recording, has_sound ? next : nullptr, {}, set, rng, percepts);
        i += has_sound ? 1 : 0;
      }
      if (!part.image) continue;
      percepts.push_back({false, batch.images.size(), part.picture});
      AugmentedImage augmented = augment(*part.image, {}, augment_policy(set.augment), model_.config().prepare, rng);
      models::TrainingImage image;
      image.image = std::move(augmented.image);
      image.label = set.scene.empty() ? -1 : label_index(set.scene);
      batch.images.push_back(std::move(image));
    }
  }
  if (recipe_.losses.language > 0) pending_.push_back({std::move(percepts), {}, {}, std::move(turns)});
}

void BatchBuilder::add_reading(models::TrainingBatch& batch, const Lesson& lesson, const SetRecipe& set, Rng& rng) {
  require(lesson.has_percept(), ErrorKind::usage,
          "{}: has no picture, which a set of \"readings\" needs: list it under \"texts\"", lesson.where);
  if (!lesson.turns.empty()) {
    std::vector<View> views;
    for (const models::ChatMessage& turn : lesson.turns) {
      for (const models::ChatPart& part : turn.parts) {
        if (part.image || part.recording)
          views.push_back({.sense = part.recording ? part.recording->sense : nullptr,
                           .picture = part.picture,
                           .evidence = perceived(part)});
      }
    }
    return push_if_it_fits(batch, write_conversation(lesson.turns, views, model_.prompt()));
  }
  const bool complete = set.objects.empty() ? !lesson.label.empty() : lesson.boxes_known;
  std::vector<models::Box> boxes;
  for (const Lesson::Object& object : lesson.objects) boxes.push_back(object.box);
  const int width = lesson.image ? lesson.image->width : 0, height = lesson.image ? lesson.image->height : 0;
  View view{.sense = lesson.recording ? lesson.recording->sense : nullptr, .picture = lesson.picture, .evidence = {}};
  view.evidence = complete ? told(lesson, boxes, width, height, set, rng)
                           : perceived({.text = "", .image = lesson.image, .recording = lesson.recording});
  const std::vector<Exchange> exchanges = choose_questions(lesson, true, set, recipe_, rng);
  if (!exchanges.empty()) push_if_it_fits(batch, write_conversation(exchanges, {&view, 1}, model_.prompt()));
}

void BatchBuilder::push_if_it_fits(models::TrainingBatch& batch, models::TokenSequence sequence) {
  ++fit_.all;
  if (static_cast<int64_t>(sequence.tokens.size()) > model_.config().decoder.context) {
    ++fit_.too_long;
  } else if (teaches(sequence)) {
    batch.sequences.push_back(std::move(sequence));
  }
}

bool BatchBuilder::trains(std::initializer_list<std::string_view> modules) const {
  const auto& parameters = model_.store().parameters();
  return std::any_of(parameters.begin(), parameters.end(), [&](const nn::Parameter& parameter) {
    return parameter.value.requires_grad() &&
           std::any_of(modules.begin(), modules.end(), [&](auto module) { return parameter.name.starts_with(module); });
  });
}

models::Evidence BatchBuilder::seen(const std::shared_ptr<const media::Image>& image) {
  const auto look = [&] { return model_.perceive(*image, recipe_.compute).evidence; };
  if (trains({"image.", "classifier.", "detector."})) return look();
  // An owner that still lives is the same picture, not another at the address of one that is gone.
  Seen& entry = seen_[image.get()];
  if (entry.image.lock() != image) entry = {image, look()};
  return entry.evidence;
}

models::Evidence BatchBuilder::perceived(const models::ChatPart& part) {
  return part.recording ? model_.perceive(*part.recording, recipe_.compute).evidence : seen(part.image);
}

BatchBuilder::Found BatchBuilder::find_evidence(models::TrainingBatch& batch) const {
  const NoGrad no_grad;
  Found found;
  if (!batch.images.empty()) {
    const modality::PreparedImages prepared = models::pack_pictures(batch, recipe_.compute);
    modality::ImageFeatures features = model_.encode(prepared);
    found.pictures = model_.find_evidence(features, prepared.pictures);
    if (!trains({"image."})) batch.features = std::move(features);
  }
  for (const models::TrainingRecording& recording : batch.recordings) {
    const models::Sense& sense = model_.sense(*recording.sense);
    const modality::Signal* pointer = &recording.signal;
    found.recordings.push_back(model_.find_evidence(sense, model_.encode(sense, {&pointer, 1}, recipe_.compute)));
    found.recordings.back().facts = recording.facts;
  }
  return found;
}

View BatchBuilder::view_of(const models::TrainingBatch& batch, const Percept& percept,
                           models::Evidence evidence) const {
  if (percept.recorded) {
    const models::TrainingRecording& recording = batch.recordings[percept.index];
    return {static_cast<int>(batch.images.size() + percept.index),
            model_.places(model_.sense(*recording.sense).token_count(recording.signal)),
            recording.sense,
            nullptr,
            std::move(evidence),
            percept.beside_film};
  }
  const media::Image& image = batch.images[percept.index].image;
  return {static_cast<int>(percept.index), model_.places(model_.image_token_count(image.width, image.height)), nullptr,
          percept.picture, std::move(evidence)};
}

void BatchBuilder::finish(models::TrainingBatch& batch, Rng& rng) {
  if (!cutmix_.empty()) cut_mix(batch, cutmix_, rng);
  cutmix_.clear();
  if (pending_.empty()) return;
  std::vector<bool> use_predicted;
  for (size_t i = 0; i < pending_.size(); ++i) use_predicted.push_back(rng.chance(recipe_.predicted_evidence));
  Found predicted;
  // Nobody wrote down the truth about what stands in conversations, nor about a film's sound.
  const bool unknown = std::any_of(pending_.begin(), pending_.end(),
                                   [](const auto& p) { return !p.turns.empty() || p.percepts.size() > 1; });
  if (recipe_.predicted_evidence > 0 || unknown) predicted = find_evidence(batch);
  const auto found = [&](const Percept& percept) -> const models::Evidence& {
    return (percept.recorded ? predicted.recordings : predicted.pictures)[percept.index];
  };
  for (size_t i = 0; i < pending_.size(); ++i) {
    const Pending& pending = pending_[i];
    std::vector<View> views;
    for (const Percept& percept : pending.percepts) {
      const bool truth = pending.turns.empty() && views.empty() && !use_predicted[i];
      views.push_back(view_of(batch, percept, truth ? pending.truth : found(percept)));
    }
    if (!pending.turns.empty()) {
      push_if_it_fits(batch, write_conversation(pending.turns, views, model_.prompt()));
      continue;
    }
    if (!pending.exchanges.empty() && recipe_.losses.language > 0)
      push_if_it_fits(batch, write_conversation(pending.exchanges, views, model_.prompt()));
    if (!pending.caption.empty()) {
      for (View& view : views) view.evidence = {};  // the gaps are to be filled from what is perceived
      add_masked(batch, views, pending.caption, rng);
    }
  }
  pending_.clear();
}

void BatchBuilder::add_text(models::TrainingBatch& batch, const Lesson& lesson, Rng& rng) {
  require(!lesson.has_percept(), ErrorKind::usage,
          "{}: has a picture, a set of \"texts\" has none: list it under \"sets\"", lesson.where);
  models::TokenSequence sequence;
  const bool running_text = lesson.turns.empty() && lesson.exchanges.empty();
  if (!lesson.turns.empty()) {
    sequence = write_conversation(lesson.turns, std::span<const View>(), model_.prompt());
  } else if (!lesson.exchanges.empty()) {
    sequence = write_conversation(lesson.exchanges, std::span<const View>(), model_.prompt());
  } else {
    model_.prompt().begin(sequence);
    model_.prompt().text(sequence, lesson.text, 1.0f);
  }
  const auto limit = static_cast<size_t>(std::min(recipe_.text_tokens, model_.config().decoder.context));
  const bool cut_off = sequence.tokens.size() > limit;
  if (cut_off) {
    const size_t start = running_text ? rng.below(sequence.tokens.size() - limit + 1) : 0;
    const auto cut = [&](auto& values) {
      values.erase(values.begin(), values.begin() + static_cast<int64_t>(start));
      values.resize(limit);
    };
    cut(sequence.tokens);
    cut(sequence.weights);
  }
  ++fit_.all;
  if (running_text && recipe_.losses.masked_text > 0) add_masked(batch, {}, std::span(sequence.tokens).subspan(1), rng);
  if (teaches(sequence)) {
    batch.sequences.push_back(std::move(sequence));
  } else if (cut_off) {
    ++fit_.too_long;
  }
}

}  // namespace sensorium::train
