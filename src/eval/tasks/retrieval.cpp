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
    media_.push_back(models::unit_rows(media_vector(examiner).vector_1C));
    if (!texts.empty()) texts_.push_back(models::unit_rows(embedder.embed(texts)));
  }

  std::vector<EvalResult> results(const BootstrapOptions& bootstrap) const override {
    const NoGrad no_grad;
    const Tensor cosines_MT = ops::linear(ops::concat_rows(media_), ops::concat_rows(texts_));
    const int64_t media = cosines_MT.dim(0), texts = cosines_MT.dim(1);
    const auto cosine = [&](int64_t medium, int64_t text) { return cosines_MT.data<float>()[medium * texts + text]; };
    const auto belong = [&](int64_t medium, int64_t text) {
      return owners_[static_cast<size_t>(text)].contains(medium);
    };
    // How many wrong ones stand before the best right one. Equals count as wrong: a model that says the same to everything finds
    // nothing.
    std::vector<int64_t> by_text, by_medium;
    for (int64_t text = 0; text < texts; ++text) {
      float best = -2.0f;
      for (const int64_t own : owners_[static_cast<size_t>(text)]) best = std::max(best, cosine(own, text));
      int64_t before = 0;
      for (int64_t m = 0; m < media; ++m) before += !belong(m, text) && cosine(m, text) >= best;
      by_text.push_back(before);
    }
    for (int64_t medium = 0; medium < media; ++medium) {
      float best = -2.0f;
      for (int64_t t = 0; t < texts; ++t) {
        if (belong(medium, t)) best = std::max(best, cosine(medium, t));
      }
      int64_t before = 0;
      for (int64_t t = 0; t < texts; ++t) before += !belong(medium, t) && cosine(medium, t) >= best;
      by_medium.push_back(before);
    }
    return {recalls("media by caption", by_text, bootstrap), recalls("captions by medium", by_medium, bootstrap)};
  }

 private:
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
  std::map<std::string, size_t> known_;
  std::vector<std::set<int64_t>>
      owners_;  // of each text, the numbers of its media: captions of a template are many records'
};

}  // namespace

bool carries_retrieval(const data::Record& record) { return has_media(record) && !record.captions.empty(); }
std::unique_ptr<Task> make_retrieval(const Overview&) { return std::make_unique<RetrievalTask>(); }

}  // namespace sensorium::eval
