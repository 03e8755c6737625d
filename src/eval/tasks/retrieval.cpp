// Finding a medium by its caption among all of the set's, and a caption by its medium: recall at 1, 5 and 10, as on Flickr30k
// and COCO (Karpathy 2015).
#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "eval/tasks/media_vectors.h"
#include "eval/tasks/tasks.h"
#include "models/embedding/vectors.h"
#include "ops/ops.h"

namespace sensorium::eval {
namespace {

constexpr std::array<int64_t, 3> kDepths = {1, 5, 10};

class RetrievalTask : public Task {
 public:
  void add(Examiner& examiner) override {
    const models::Embedder& embedder = *examiner.model().embedder();
    const data::Record& record = examiner.record();
    const auto medium = static_cast<int64_t>(media_.size());
    std::vector<models::EmbedInput> texts;
    for (const std::string& caption : record.captions) {
      const auto [known, is_new] = known_.emplace(caption, owners_.size());
      if (is_new) {
        texts.push_back({.sense = models::InputSense::text, .text = caption, .name = record.where});
        owners_.emplace_back();
      }
      owners_[known->second].insert(medium);
    }
    const auto& [sense, vector_1C] = media_vector(examiner);
    media_.push_back(models::unit_rows(vector_1C));
    senses_.push_back(sense);
    if (!texts.empty()) texts_.push_back(models::unit_rows(embedder.embed(texts)));
  }

  // All media, or those of each sense where the set has several: sounds are no contrasts to pictures.
  std::vector<EvalResult> results(const BootstrapOptions& bootstrap) const override {
    const NoGrad no_grad;
    const std::set<models::InputSense> senses(senses_.begin(), senses_.end());
    const Tensor cosines_MT = ops::linear(ops::concat_rows(media_), ops::concat_rows(texts_));
    std::vector<EvalResult> all;
    for (const models::InputSense sense : senses) {
      const std::string name = senses.size() == 1 ? "media" : std::string(name_of(sense));
      const auto [by_text, by_medium] = ranks(cosines_MT, sense);
      all.push_back(recalls(name + " by caption", by_text, bootstrap));
      all.push_back(recalls("captions by " + (senses.size() == 1 ? "medium" : name), by_medium, bootstrap));
    }
    return all;
  }

 private:
  // How many wrong ones stand before the best right one, among the media of a sense and their captions. Equals count as wrong: a
  // model that says the same to everything finds nothing.
  std::pair<std::vector<int64_t>, std::vector<int64_t>> ranks(const Tensor& cosines_MT,
                                                              models::InputSense sense) const {
    const int64_t texts = cosines_MT.dim(1);
    const auto cosine = [&](int64_t medium, int64_t text) { return cosines_MT.data<float>()[medium * texts + text]; };
    const auto belong = [&](int64_t medium, int64_t text) {
      return owners_[static_cast<size_t>(text)].contains(medium);
    };
    std::vector<int64_t> media, captions;
    for (int64_t m = 0; m < cosines_MT.dim(0); ++m) {
      if (senses_[static_cast<size_t>(m)] == sense) media.push_back(m);
    }
    for (int64_t t = 0; t < texts; ++t) {
      if (std::ranges::any_of(media, [&](int64_t m) { return belong(m, t); })) captions.push_back(t);
    }
    const auto wrong_before = [](std::span<const int64_t> candidates, auto&& value, auto&& right) {
      float best = -2.0f;
      for (const int64_t c : candidates) {
        if (right(c)) best = std::max(best, value(c));
      }
      return std::ranges::count_if(candidates, [&](int64_t c) { return !right(c) && value(c) >= best; });
    };
    std::pair<std::vector<int64_t>, std::vector<int64_t>> result;
    for (const int64_t t : captions) {
      result.first.push_back(wrong_before(
          media, [&](int64_t m) { return cosine(m, t); }, [&](int64_t m) { return belong(m, t); }));
    }
    for (const int64_t m : media) {
      result.second.push_back(wrong_before(
          captions, [&](int64_t t) { return cosine(m, t); }, [&](int64_t t) { return belong(m, t); }));
    }
    return result;
  }
  static EvalResult recalls(const std::string& direction, const std::vector<int64_t>& before,
                            const BootstrapOptions& bootstrap) {
    EvalResult result{.task = "retrieval", .label = direction, .n = static_cast<int64_t>(before.size())};
    for (const int64_t depth : kDepths) {
      std::vector<EvalItem> items;
      for (const int64_t wrong : before)
        items.push_back({.prediction = wrong < depth ? "found" : "", .references = {"found"}});
      const EvalResult one = make_result("retrieval", items, std::array<std::string_view, 1>{"accuracy"}, bootstrap);
      result.metrics.emplace_back(fmt::format("recall@{}", depth), one.metrics.front().second);
    }
    return result;
  }

  std::vector<Tensor> media_, texts_;
  std::vector<models::InputSense> senses_;  // of the media
  std::map<std::string, size_t> known_;
  std::vector<std::set<int64_t>>
      owners_;  // of each text, the numbers of its media: captions of a template are many records'
};

}  // namespace

bool carries_retrieval(const data::Record& record) { return has_media(record) && !record.captions.empty(); }
std::unique_ptr<Task> make_retrieval(const Overview&) { return std::make_unique<RetrievalTask>(); }

}  // namespace sensorium::eval
