#include "models/embedding/embedding_model.h"

#include <fmt/ranges.h>

#include "models/embedding/vectors.h"

namespace sensorium::models {
namespace {

constexpr std::array<std::string_view, kSenses.size()> kNames = {"text",  "image",   "video", "audio",
                                                                 "depth", "thermal", "imu"};

}  // namespace

std::string_view name_of(InputSense sense) { return kNames[static_cast<size_t>(sense)]; }

std::optional<InputSense> find_sense(std::string_view name) {
  for (const InputSense sense : kSenses) {
    if (name == name_of(sense)) return sense;
  }
  return std::nullopt;
}

void require_sense(const Embedder& embedder, const EmbedInput& input, const std::string& model) {
  std::vector<std::string_view> names;
  for (const InputSense sense : embedder.senses()) {
    if (sense == input.sense) return;
    names.push_back(name_of(sense));
  }
  fail(ErrorKind::unsupported, "{}{}{} is no sense of the model {}, which has: {}", input.name,
       input.name.empty() ? "" : ": ", name_of(input.sense), model, fmt::join(names, ", "));
}

std::vector<float> EmbeddingModel::classify(const media::Image& image, std::span<const std::string> labels) const {
  const EmbedInput picture{.sense = InputSense::image, .image = {std::shared_ptr<void>(), &image}};
  const std::string as_it_is = "{}";
  return classify_input(*this, picture, labels, {&as_it_is, 1});
}

std::unique_ptr<ChatSession> EmbeddingModel::start(std::span<const ChatMessage> /*messages*/) const {
  fail(ErrorKind::unsupported, "{}: a {} model compares pictures with texts; it answers no questions", name_, family_);
}

std::vector<AnswerBox> EmbeddingModel::find_objects(const media::Image& /*image*/,
                                                    std::span<const std::string> /*phrases*/) const {
  fail(ErrorKind::unsupported, "{}: a {} model classifies whole pictures; it finds no objects in them", name_, family_);
}

std::pair<double, int64_t> EmbeddingModel::text_nll(std::string_view /*text*/) const {
  fail(ErrorKind::unsupported, "{}: a {} model gives texts no probabilities", name_, family_);
}

bool cut_to_context(std::vector<int32_t>& ids, int64_t context) {
  const auto most = static_cast<size_t>(context);
  if (ids.size() <= most) return false;
  ids[most - 1] = ids.back();
  ids.resize(most);
  return true;
}

}  // namespace sensorium::models
