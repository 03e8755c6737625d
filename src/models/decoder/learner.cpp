// Legend: T rows of all sequences, C channels of the decoder.
#include "models/decoder/learner.h"

#include <algorithm>

#include "models/checkpoint/canonical_name.h"
#include "models/checkpoint/trained.h"
#include "models/checkpoint/write.h"
#include "models/decoder/loss.h"

namespace sensorium::models {

DecoderLearner::DecoderLearner(std::unique_ptr<Checkpoint> checkpoint, const Parts& parts,
                               const LearnerOptions& options)
    : checkpoint_(std::move(checkpoint)), parts_(parts), names_(*checkpoint_) {
  require(checkpoint_->layout() == Checkpoint::Layout::huggingface, ErrorKind::unsupported,
          "{}: training starts from a folder in Hugging Face's layout (sensorium convert makes one)",
          checkpoint_->path().string());
  parts_.map_names(names_);
  const int64_t matched = parts_.store.set_trainable(options.load.trained, true);
  require(matched > 0 || options.load.trained.empty(), ErrorKind::usage,
          "\"trainable\" matches no parameter of the model");
  require(matched > 0 || options.lora, ErrorKind::usage, "nothing trains: give \"trainable\" or \"lora\"");
  require(options.adapter.empty() || options.lora, ErrorKind::usage,
          "{}: an adapter to go on from needs the recipe's \"lora\"", options.adapter.string());
  if (!options.lora) return;
  const std::string whole = parts_.whole;
  for (const nn::Parameter& parameter : parts_.store.parameters()) {
    if (!parameter.value.requires_grad()) continue;
    require(!whole.empty() && parameter.name.starts_with(whole), ErrorKind::usage,
            "{} trains beside an adapter, whose file holds low-rank changes of the decoder{}: change \"trainable\"",
            parameter.name, whole.empty() ? "" : fmt::format(" and {}* alone", whole));
  }
  parts_.store.set_seed(options.seed);
  lora_ = std::make_unique<Lora>(parts_.store, parts_.decoder, *options.lora);
  if (!options.adapter.empty()) start_from(options.adapter);
}

void DecoderLearner::start_from(const std::filesystem::path& folder) {
  const Adapter adapter = Adapter::read(folder);
  lora_->start_from(adapter);
  for (const auto& [name, tensor] : adapter.whole()) {
    const auto found =
        std::ranges::find_if(parts_.store.parameters(), [&, &name = name](const nn::Parameter& parameter) {
          return parameter.value.requires_grad() && parameter.name.starts_with(parts_.whole) &&
                 canonical_name(names_.published_names_of(parameter.name)[0]) == name;
        });
    require(found != parts_.store.parameters().end(), ErrorKind::usage,
            "{}: holds {}, which \"trainable\" does not name", adapter.where(), name);
    require(found->value.shape() == tensor.shape(), ErrorKind::invalid_data,
            "{}: {} has the shape {}, the base's is {}", adapter.where(), name, tensor.shape(), found->value.shape());
    found->value.copy_from(tensor);
  }
}

Tensor DecoderLearner::loss(std::span<const LearnedConversation> batch, uint64_t seed) {
  if (lora_) lora_->draw_dropout(seed);
  ops::Sequences packed{{0}};
  std::vector<int32_t> ids;
  NextTokens next;
  for (const LearnedConversation& conversation : batch) {
    next.add(packed.offsets.back(), conversation.ids, conversation.weights);
    ids.insert(ids.end(), conversation.ids.begin(), conversation.ids.end());
    packed.offsets.push_back(static_cast<int32_t>(ids.size()));
  }
  require(!next.empty(), ErrorKind::usage, "the batch has no answers to learn");
  return next.loss(parts_.decoder, parts_.decoder(embed(ids, batch), packed));
}

void DecoderLearner::save(const std::filesystem::path& folder) const {
  if (!lora_) {
    write_huggingface(*with_trained(*checkpoint_, names_, parts_.store), folder, {});
    return;
  }
  Lora::Place place{
      .base = checkpoint_->path().string(), .prefix = parts_.decoder_modules, .whole_modules = {}, .whole = {}};
  for (const nn::Parameter& parameter : parts_.store.parameters()) {
    if (*parts_.whole == 0 || !parameter.value.requires_grad() || !parameter.name.starts_with(parts_.whole)) continue;
    const std::string name = "model." + canonical_name(names_.published_names_of(parameter.name)[0]);
    place.whole.push_back({name, parameter.value.detach()});
    place.whole_modules = {parts_.whole_module};
  }
  lora_->save(folder, place);
}

}  // namespace sensorium::models
