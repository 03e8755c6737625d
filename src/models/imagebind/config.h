// ImageBind's sizes: from the configuration of a folder, or from the tensors of the released file, which has none.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "modality/patch_transformer.h"
#include "modality/patches.h"
#include "models/checkpoint/tensor_files.h"
#include "models/checkpoint/weights.h"
#include "models/dual_encoder/dual_encoder.h"
#include "models/embedding/embedder.h"

namespace sensorium::models {

// A sense with a tower over patches; text has a tower of tokens. Films go through the tower of images.
struct ImagebindTower {
  modality::PatchTransformerConfig transformer;
  Shape input;  // one prepared input: [channels, height, width]; of pictures the channels are 3 x frames
  modality::PatchWindow window;
  int64_t frames = 1;  // that one input of the vision tower has
};

struct ImagebindConfig {
  int64_t dim = 1024;                           // of the embeddings
  std::map<InputSense, ImagebindTower> towers;  // image, audio, depth, thermal, imu: those that the checkpoint has
  std::optional<TextTowerConfig> text;

  // Keys that are left out are those of ImageBind-Huge. Throws Error that names the key: invalid_data, unsupported.
  static ImagebindConfig from_json(const Json& json, const std::string& where);
};

// A config.json for the tensors of the original code. Its heads follow from the widths of the released model (any other width
// has heads of 64 channels), kernel steps and input sizes are those of the released model where no tensor tells them. Throws
// Error(invalid_data) that says which tensors are missing, or which sizes are not ImageBind's.
Json imagebind_config_of(const TensorFiles& files, const std::string& where);

// Where a sense's modules are in the files, and the parameters that the program gives them: "vision.", "audio." and so on.
struct ImagebindNames {
  InputSense sense;
  const char* name;  // as the original code has it
  std::vector<NameRule> rules;
};
std::vector<ImagebindNames> imagebind_names();

}  // namespace sensorium::models
