#include "train/mixture.h"

#include <algorithm>

namespace sensorium::train {
namespace {

// `stream`: a number of the mixture's own.
Mixture open_mixture(const std::vector<SetRecipe>& sets, const Recipe& recipe, uint64_t stream) {
  Mixture mixture;
  for (SetRecipe set : sets) {
    if (set.boxed_objects) set.objects = boxed_kinds(set, recipe);
    mixture.add(set, open_source(set, recipe, Part::train));
  }
  if (recipe.order == DataOrder::shuffled && !sets.empty()) {
    std::vector<data::MixtureSampler::Set> sizes;
    for (size_t i = 0; i < sets.size(); ++i) sizes.push_back({sets[i].weight, mixture.sources[i]->size()});
    mixture.shuffled.emplace(std::move(sizes), Rng::for_item(recipe.seed, stream).next());
  }
  return mixture;
}

}  // namespace

void Mixture::add(const SetRecipe& set, std::unique_ptr<LessonSource> source) {
  require(source->size() > 0, ErrorKind::invalid_data, "{}: the data set is empty", set.path + set.world);
  cumulative.push_back((cumulative.empty() ? 0 : cumulative.back()) + set.weight);
  sets.push_back(set);
  sources.push_back(std::move(source));
}

std::pair<size_t, int64_t> Mixture::pick(uint64_t number, Rng& rng) const {
  if (shuffled) {
    const data::MixtureSampler::Draw draw = shuffled->at(number);
    return {draw.set, draw.index};
  }
  const double point = rng.uniform() * cumulative.back();
  const auto set =
      static_cast<size_t>(std::upper_bound(cumulative.begin(), cumulative.end() - 1, point) - cumulative.begin());
  return {set, static_cast<int64_t>(rng.below(static_cast<uint64_t>(sources[set]->size())))};
}

Mixtures open_mixtures(const Recipe& recipe) {
  Mixtures mixtures{.pictures = open_mixture(recipe.sets, recipe, 0),
                    .readings = open_mixture(recipe.readings, recipe, 1),
                    .texts = open_mixture(recipe.texts, recipe, 2)};
  require(!mixtures.pictures.sets.empty() || !mixtures.readings.sets.empty() || !mixtures.texts.sets.empty(),
          ErrorKind::usage, "the recipe names no data: give data.train=FILE");
  return mixtures;
}

StepDraws draw_step(const Mixtures& mixtures, const Recipe& recipe, int64_t step, int64_t part) {
  StepDraws draws;
  const auto index = static_cast<uint64_t>(step * recipe.trainer.accumulate + part);
  const auto draw = [&](const Mixture& mixture, int64_t count, uint64_t stream, std::vector<Draw>& out) {
    for (int64_t i = 0; i < (mixture.sets.empty() ? 0 : count); ++i) {
      Rng rng = Rng::for_item(recipe.seed * 2 + stream, index * 65536 + static_cast<uint64_t>(i));
      const auto [set, item] = mixture.pick(index * static_cast<uint64_t>(count) + static_cast<uint64_t>(i), rng);
      out.push_back({set, mixture.sources[set]->get(item), rng});
    }
  };
  draw(mixtures.pictures, recipe.images_per_batch, 0, draws.pictures);
  draw(mixtures.texts, recipe.texts_per_batch, 1, draws.texts);
  draw(mixtures.readings, recipe.readings_per_batch, 2, draws.readings);
  return draws;
}

}  // namespace sensorium::train
