#include "train/lesson_source.h"

#include <algorithm>
#include <mutex>
#include <unordered_map>

#include "data/dataset.h"
#include "models/load_part.h"
#include "train/aligned_source.h"

namespace sensorium::train {
namespace {

constexpr int64_t kWorldLessons = int64_t{1} << 40;
constexpr int64_t kWorldValidation = 200;
constexpr int64_t kLooks = 200;  // enough to meet every topic and word of a kind
constexpr uint64_t kValidationSeed = 0x5EED;

void add_statement(Lesson& lesson, const std::string& sentence, bool truth) {
  lesson.exchanges.push_back({data::statement_question(sentence), truth ? "yes" : "no"});
}

// Decoded pictures and recordings, kept while they fit: training comes back to the same few thousand again and again.
class MediaCache {
 public:
  explicit MediaCache(int64_t megabytes) : room_(megabytes << 20) {}

  // `load` gives the part of a message that `key`, a sense and a path, names.
  template <typename Load>
  models::ChatPart get(const std::string& key, Load&& load) {
    {
      std::lock_guard lock(mutex_);
      if (const auto found = parts_.find(key); found != parts_.end()) return found->second;
    }
    models::ChatPart part = load();
    std::lock_guard lock(mutex_);
    const int64_t bytes = bytes_of(part);
    if (bytes <= room_ && parts_.emplace(key, part).second) room_ -= bytes;
    return part;
  }

 private:
  static int64_t bytes_of(const models::ChatPart& part) {
    size_t bytes = part.image ? part.image->pixels.size() : 0;
    if (part.recording) {
      for (const Tensor& window : part.recording->windows) bytes += window.bytes();
    }
    return static_cast<int64_t>(bytes);
  }

  std::mutex mutex_;
  int64_t room_;
  std::unordered_map<std::string, models::ChatPart> parts_;
};

// Records of a data set, or of the part of it that the hash of their content selects.
class RecordSource : public LessonSource {
 public:
  RecordSource(const SetRecipe& set, const Recipe& recipe, Part part)
      : set_(set), dataset_(data::open_dataset(recipe.data_root / set.path)), cache_(recipe.cache_megabytes) {
    for (int64_t i = 0; i < dataset_->size(); ++i) {
      const bool validation = data::in_validation_part(*dataset_, i, recipe.validation_fraction);
      if (validation == (part == Part::validation)) indices_.push_back(i);
    }
  }

  int64_t size() const override { return static_cast<int64_t>(indices_.size()); }

  Lesson get(int64_t index) const override { return lesson_of(record_at(index), Pictures::load); }
  Lesson get_words(int64_t index) const override { return lesson_of(record_at(index), Pictures::leave_out); }

  void collect_names(std::set<std::string>& labels, std::set<std::string>& objects) const override {
    objects.insert(set_.objects.begin(), set_.objects.end());
    for (int64_t i = 0; i < size(); ++i) {
      const data::Record record = record_at(i);
      const std::string label = label_of(record);
      if (!label.empty() && data::recording_of(record) == nullptr) labels.insert(label);
    }
  }

  void collect_recorded(std::map<std::string, std::set<std::string>>& labels) const override {
    for (int64_t i = 0; i < size(); ++i) {
      const data::Record record = record_at(i);
      const data::MessagePart* recording = data::recording_of(record);
      if (recording == nullptr) continue;
      std::set<std::string>& known = labels[std::string(data::field_name(recording->kind))];
      const std::string label = label_of(record);
      if (!label.empty()) known.insert(label);
      known.insert(record.traits.begin(), record.traits.end());
    }
  }

 private:
  enum class Pictures : uint8_t { load, leave_out };  // and recordings

  data::Record record_at(int64_t index) const { return dataset_->get(indices_[static_cast<size_t>(index)]); }

  // The class, or the answer to the question that the set's recipe names.
  std::string label_of(const data::Record& record) const {
    if (set_.label_question.empty()) return record.label;
    for (const data::QuestionAnswer& qa : record.questions) {
      if (qa.question == set_.label_question) return qa.answer;
    }
    return "";
  }

  // Of a film's file; null: it is silent.
  std::shared_ptr<const modality::Recording> sound_of(const data::Record& record,
                                                      const modality::Recording& film) const {
    const std::string& path = data::recording_of(record)->value;
    try {
      return cache_
          .get("sound track:" + path,
               [&] {
                 std::optional<modality::Recording> sound = film.sense->load_sound_track(path, film, {});
                 return models::ChatPart{
                     .recording = sound ? std::make_shared<const modality::Recording>(std::move(*sound)) : nullptr};
               })
          .recording;
    } catch (const Error& error) {
      throw error.with_context(record.where);
    }
  }

  Lesson lesson_of(const data::Record& record, Pictures pictures) const {
    Lesson lesson;
    lesson.where = record.where;
    // Puts what `read` makes of the file into a part of a conversation, or into the lesson, which has the same members.
    const auto load = [&](data::PartKind kind, const std::string& path, auto& into, auto&& read) {
      if (pictures == Pictures::leave_out) return;
      try {
        const models::ChatPart part = cache_.get(fmt::format("{}:{}", data::field_name(kind), path), read);
        into.image = part.image;
        into.picture = part.picture;
        into.recording = part.recording;
      } catch (const Error& error) {
        throw error.with_context(record.where);
      }
    };
    const auto read_percept = [&] { return models::load_percept(record); };
    if (!record.image.empty()) load(record.picture_kind, record.image, lesson, read_percept);
    if (const data::MessagePart* recording = data::recording_of(record))
      load(recording->kind, recording->value, lesson, read_percept);
    if (lesson.recording && record.frames.empty() && lesson.recording->sense->load_sound_track != nullptr)
      lesson.sound = sound_of(record, *lesson.recording);
    for (const data::Message& message : record.messages) {
      models::ChatMessage turn{.role = message.role, .parts = {}};
      for (const data::MessagePart& part : message.parts) {
        if (part.kind == data::PartKind::text) {
          turn.parts.push_back({.text = part.value});
        } else if (pictures == Pictures::load) {
          load(part.kind, part.value, turn.parts.emplace_back(), [&] { return models::load_part(part); });
        }
      }
      lesson.turns.push_back(std::move(turn));
    }
    lesson.label = label_of(record);
    lesson.traits = record.traits;
    lesson.text = record.text;
    lesson.captions = record.captions;
    lesson.boxes_known = record.boxes.has_value() && !set_.objects.empty();
    for (const data::MarkedBox& box : record.boxes.value_or(std::vector<data::MarkedBox>{})) {
      lesson.objects.push_back({box.label, {box.x0, box.y0, box.x1, box.y1}});
    }
    for (const data::QuestionAnswer& qa : record.questions) lesson.exchanges.push_back({qa.question, qa.answer});
    if (record.statement) add_statement(lesson, record.statement->sentence, record.statement->truth);
    return lesson;
  }

  SetRecipe set_;
  std::unique_ptr<data::Dataset> dataset_;
  std::vector<int64_t> indices_;
  mutable MediaCache cache_;
};

class WorldSource : public LessonSource {
 public:
  WorldSource(const SetRecipe& set, const Recipe& recipe, Part part)
      : set_(set),
        seed_(part == Part::train ? recipe.seed : recipe.seed ^ kValidationSeed),
        size_(part == Part::train ? kWorldLessons : kWorldValidation) {
    options_.kinds = {set.world};
    options_.statements = set.statements;
    (void)data::generate_world_sample(seed_, 0, options_);  // an unknown kind is an error now, not at step 1000
  }

  int64_t size() const override { return size_; }

  Lesson get(int64_t index) const override {
    data::WorldSample sample = data::generate_world_sample(seed_, static_cast<uint64_t>(index), options_);
    Lesson lesson;
    lesson.image = std::make_shared<const media::Image>(std::move(sample.image));
    if (set_.scene.empty()) lesson.label = sample.topic;
    lesson.captions = {sample.caption};
    lesson.boxes_known = !set_.objects.empty();
    for (const data::WorldBox& box : sample.boxes) {
      lesson.objects.push_back({box.label, {box.box[0], box.box[1], box.box[2], box.box[3]}});
    }
    for (const data::QuestionAnswer& qa : sample.qa) lesson.exchanges.push_back({qa.question, qa.answer});
    for (const data::Statement& statement : sample.statements) add_statement(lesson, statement.text, statement.truth);
    return lesson;
  }

  // What a scene says depends on what its picture shows, so the picture is drawn: a part of the endless must do.
  Lesson get_words(int64_t index) const override {
    Lesson lesson = get(index);
    lesson.image.reset();
    return lesson;
  }
  int64_t word_lessons() const override { return std::min(size_, kLooks); }

  void collect_names(std::set<std::string>& labels, std::set<std::string>& objects) const override {
    objects.insert(set_.objects.begin(), set_.objects.end());
    if (!set_.scene.empty()) return;
    for (int64_t i = 0; i < word_lessons(); ++i) {
      const std::string label = get_words(i).label;
      if (!label.empty()) labels.insert(label);
    }
  }

 private:
  SetRecipe set_;
  uint64_t seed_;
  int64_t size_;
  data::WorldOptions options_;
};

}  // namespace

std::unique_ptr<LessonSource> open_source(const SetRecipe& set, const Recipe& recipe, Part part) {
  const bool train = part == Part::train;
  if (set.world == kAlignedWorld || set.world == kTogetherWorld) {
    return open_aligned_source(set, train ? recipe.seed : recipe.seed ^ kValidationSeed,
                               train ? kWorldLessons : kWorldValidation);
  }
  if (!set.world.empty()) return std::make_unique<WorldSource>(set, recipe, part);
  return std::make_unique<RecordSource>(set, recipe, part);
}

std::vector<std::string> boxed_kinds(const SetRecipe& set, const Recipe& recipe) {
  const std::unique_ptr<LessonSource> source = open_source(set, recipe, Part::train);
  std::set<std::string> kinds;
  for (int64_t i = 0; i < source->word_lessons(); ++i) {
    for (const Lesson::Object& object : source->get_words(i).objects) kinds.insert(object.name);
  }
  return {kinds.begin(), kinds.end()};
}

}  // namespace sensorium::train
