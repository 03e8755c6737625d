#include "train/joint_items.h"

#include <algorithm>
#include <cstdio>
#include <tuple>

#include "base/interrupt.h"
#include "data/prefetch.h"
#include "models/embedding/vectors.h"
#include "train/augment.h"
#include "train/augment_recording.h"

namespace sensorium::train {
namespace {

constexpr size_t kComparedItems = 400;  // of a set, for the threshold
constexpr int64_t kLessonsAtOnce = 8;   // through an encoder
constexpr uint64_t kViews = 0x10;       // a stream of the seed that no other draws from

// The views of a lesson, before the encoder.
struct Views {
  Lesson lesson;
  std::vector<media::Image> pictures;     // of their prepared size
  std::vector<modality::Signal> signals;  // or these
};

Views make_views(const models::SensoriumModel& model, Lesson lesson, const SetRecipe& set, int64_t count, Rng rng) {
  Views views{.lesson = std::move(lesson), .pictures = {}, .signals = {}};
  const modality::ImagePrepareConfig& prepare = model.config().prepare;
  for (int64_t view = 0; view < count; ++view) {
    const bool changed = view > 0;
    if (views.lesson.image) {
      const media::Image& image = *views.lesson.image;
      views.pictures.push_back(changed ? augment(image, {}, augment_policy(set.augment), prepare, rng).image
                                       : modality::resize_for_model(image, prepare));
    } else if (views.lesson.recording) {
      const modality::Recording& recording = *views.lesson.recording;
      const Tensor window_TC = changed
                                   ? augment_recording(rng.pick(recording.windows), *recording.sense, set.augment, rng)
                                   : recording.windows.front();
      views.signals.push_back(recording.sense->signal(window_TC));
    }
  }
  // The encoders alone are asked from here on.
  views.lesson.image.reset();
  return views;
}

// [all views, encoder dim]
Tensor encode(const models::SensoriumModel& model, const std::vector<const Views*>& some, DType compute) {
  const NoGrad no_grad;
  std::vector<const media::Image*> pictures;
  std::vector<const modality::Signal*> signals;
  for (const Views* views : some) {
    for (const media::Image& picture : views->pictures) pictures.push_back(&picture);
    for (const modality::Signal& signal : views->signals) signals.push_back(&signal);
  }
  if (!pictures.empty()) return models::pooled(model.encode(modality::pack_images(pictures, compute)));
  return models::pooled(model.encode(model.sense(*some.front()->lesson.recording->sense), signals, compute));
}

// At most kComparedItems, evenly.
void thin_out(std::vector<const JointItem*>& items) {
  if (items.size() <= kComparedItems) return;
  for (size_t i = 0; i < kComparedItems; ++i) items[i] = items[i * items.size() / kComparedItems];
  items.resize(kComparedItems);
}

std::string sense_name(const Lesson& lesson) {
  return lesson.recording ? std::string(lesson.recording->sense->name) : "image";
}

}  // namespace

size_t JointItems::sense_index(const std::string& name) {
  const auto found = std::ranges::find(senses_, name, &SenseFeatures::name);
  if (found != senses_.end()) return static_cast<size_t>(found - senses_.begin());
  senses_.push_back({name, {}, {}});
  return senses_.size() - 1;
}

int32_t JointItems::text_index(const std::string& text) {
  const auto [found, is_new] = known_texts_.emplace(models::joint_text(text), static_cast<int32_t>(texts_.size()));
  if (is_new) texts_.push_back(found->first);
  return found->second;
}

void JointItems::describe(JointItem& item, const Lesson& lesson, const SetRecipe& set, const std::string& sense) {
  std::string name = lesson.label;
  if (const auto other = set.names.find(lesson.label); other != set.names.end()) name = other->second;
  if (name.empty()) name = set.scene;
  if (!name.empty()) {
    // As people write it: with and without an article, and in the sentences that classification uses.
    const std::vector<std::string> templates = models::prompt_templates(*models::find_sense(sense));
    for (const std::string& words : {name, lesson.label.empty() ? name : lesson.label}) {
      for (const char* article : {"", "a ", "the "}) {
        for (std::string pattern : templates)
          item.texts.push_back(text_index(pattern.replace(pattern.find("{}"), 2, article + words)));
      }
    }
  }
  for (const std::string& caption : lesson.captions) item.texts.push_back(text_index(caption));
  const std::string& key = name.empty() && !lesson.captions.empty() ? lesson.captions.front() : name;
  item.concept_id = concepts_.emplace(models::joint_text(key), static_cast<int32_t>(concepts_.size())).first->second;
}

void JointItems::add(const models::SensoriumModel& model, const LessonSource& source, const SetRecipe& set,
                     int64_t views, uint64_t seed, DType compute) {
  std::vector<JointItem>& items = sets_.emplace_back();
  const int64_t count = set.augment == "none" ? 1 : views;
  const int64_t lessons = set.limit > 0 ? std::min(set.limit, source.size()) : source.size();
  require(set.world.empty() || set.limit > 0, ErrorKind::usage,
          "data.sets: the world \"{}\" is endless: give the set a \"limit\"", set.world);
  const uint64_t stream = seed * 64 + kViews + sets_.size();
  data::Prefetcher<Views> prefetcher(
      [&](int64_t index) {
        if (index >= lessons) return Views{};
        return make_views(model, source.get(index), set, count, Rng::for_item(stream, static_cast<uint64_t>(index)));
      },
      2 * kLessonsAtOnce);
  std::vector<Views> waiting;
  const auto encode_waiting = [&] {
    if (waiting.empty()) return;
    std::vector<const Views*> some;
    for (const Views& one : waiting) some.push_back(&one);
    const Tensor rows_RC = encode(model, some, compute);
    const size_t sense = sense_index(sense_name(waiting.front().lesson));
    SenseFeatures& of_sense = senses_[sense];
    int64_t row = 0;
    for (const Tensor& known : of_sense.rows) row += known.dim(0);
    of_sense.rows.push_back(rows_RC);
    for (const Views& one : waiting) {
      JointItem item{.sense = sense, .row = row, .views = count, .concept_id = 0, .texts = {}};
      describe(item, one.lesson, set, of_sense.name);
      items.push_back(std::move(item));
      row += count;
    }
    waiting.clear();
  };
  for (int64_t i = 0; i < lessons; ++i) {
    check_interrupted();
    Views one = prefetcher.next();
    const Lesson& lesson = one.lesson;
    if (one.pictures.empty() && one.signals.empty()) continue;
    if (lesson.label.empty() && set.scene.empty() && lesson.captions.empty()) continue;
    if (!waiting.empty() && sense_name(waiting.front().lesson) != sense_name(lesson)) encode_waiting();
    waiting.push_back(std::move(one));
    if (static_cast<int64_t>(waiting.size()) * count >= kLessonsAtOnce) encode_waiting();
  }
  encode_waiting();
  require(!items.empty(), ErrorKind::invalid_data,
          "{}: no record holds a picture or a recording with a class or a caption", set.path + set.world);
  std::fputs(fmt::format("{}: {} records in {} views\n", set.path + set.world, items.size(), count).c_str(), stderr);
}

void JointItems::finish() {
  for (SenseFeatures& sense : senses_) {
    sense.features_RC = ops::concat_rows(sense.rows);
    sense.rows.clear();
  }
}

double best_same_cosine(const JointItems& items, const std::vector<Tensor>& vectors_RC, double fallback) {
  // Which two sets a pair's items are of, and whether they are of one concept.
  using Kind = std::tuple<size_t, size_t, bool>;
  struct Pair {
    float cosine;
    Kind kind;
  };
  std::map<std::pair<int32_t, size_t>, bool> known;  // concepts, by sense
  for (const std::vector<JointItem>& set : items.sets()) {
    for (const JointItem& item : set) known[{item.concept_id, item.sense}] = true;
  }
  std::vector<Pair> pairs;
  std::map<Kind, double> counts;
  for (size_t s = 0; s < items.sets().size(); ++s) {
    for (size_t t = s + 1; t < items.sets().size(); ++t) {
      const size_t a = items.sets()[s].front().sense, b = items.sets()[t].front().sense;
      if (a == b) continue;
      const auto comparable = [&](const std::vector<JointItem>& set, size_t other) {
        std::vector<const JointItem*> chosen;
        for (const JointItem& item : set) {
          if (item.sense == set.front().sense && known.contains({item.concept_id, other})) chosen.push_back(&item);
        }
        thin_out(chosen);
        return chosen;
      };
      const std::vector<const JointItem*> of_t = comparable(items.sets()[t], a);
      for (const JointItem* x : comparable(items.sets()[s], b)) {
        for (const JointItem* y : of_t) {
          const int64_t dim = vectors_RC[a].dim(1);
          const float *p = vectors_RC[a].data<float>() + x->row * dim, *q = vectors_RC[b].data<float>() + y->row * dim;
          float cosine = 0;
          for (int64_t c = 0; c < dim; ++c) cosine += p[c] * q[c];
          pairs.push_back({cosine, {s, t, x->concept_id == y->concept_id}});
          counts[pairs.back().kind] += 1;
        }
      }
    }
  }
  double same = 0, different = 0;  // kinds of pairs: each weighs the same among those of its answer
  for (const auto& [kind, count] : counts) (std::get<2>(kind) ? same : different) += 1;
  if (same == 0 || different == 0) return fallback;
  std::ranges::sort(pairs, [](const Pair& x, const Pair& y) { return x.cosine < y.cosine; });
  // Below the first pair everything is "same".
  double right = 0.5, best = 0, threshold = fallback;
  for (size_t i = 0; i < pairs.size(); ++i) {
    const bool is_same = std::get<2>(pairs[i].kind);
    const double weight = 0.5 / (counts.at(pairs[i].kind) * (is_same ? same : different));
    right += is_same ? -weight : weight;
    if (right > best && i + 1 < pairs.size()) {
      best = right;
      threshold = (static_cast<double>(pairs[i].cosine) + pairs[i + 1].cosine) / 2;
    }
  }
  return threshold;
}

}  // namespace sensorium::train
