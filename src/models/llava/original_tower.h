// The vision tower of a model in the original LLaVA repository's layout: a folder of its own, which gives sizes, image processor
// and weights, unless the model's files hold the weights.
#pragma once

#include <array>
#include <filesystem>
#include <string>

#include "models/checkpoint/checkpoint.h"

namespace sensorium::models {

class OriginalTower {
 public:
  // `name`: "mm_vision_tower" of the model in `folder`. The tower's folder is `given`, else the last component of the name inside
  // the model's folder or beside it. Throws Error(not_found) for a `given` one that is not there, and where nothing says the
  // tower's sizes (naming the places).
  OriginalTower(std::filesystem::path folder, std::string name, const std::filesystem::path& given);

  // "vision_config" as Hugging Face's classes have it.
  const Json& config() const { return config_; }
  // Of SigLIP's towers the original takes the output of the last block but one: config() ends with it.
  bool is_siglip() const { return is_siglip_; }
  modality::LocatedJson image_processor(const std::string& where) const;
  // Adds the tensors of the tower's own folder. Throws Error(not_found) without one.
  void add_weights(TensorFiles& files) const;

 private:
  std::array<std::filesystem::path, 2> places() const;
  Json read_config() const;
  [[noreturn]] void fail_without(const char* lacks) const;

  std::filesystem::path model_, folder_;  // folder_: "" if there is none
  std::string name_;
  Json config_;
  bool is_siglip_ = false;
};

}  // namespace sensorium::models
