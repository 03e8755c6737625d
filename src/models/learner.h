// What training needs of a published model: its parameters, conversations made ready, their loss, and the trained weights in the
// layout that they came in. (The native family has objectives of its own: models/sensorium/training.h.)
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "models/adapter/lora.h"
#include "models/checkpoint/options.h"
#include "models/model.h"

namespace sensorium::models {

struct LearnerOptions {
  LoadOptions load;                // `trained`: the parameters that train, beside an adapter's
  std::optional<LoraConfig> lora;  // trains an adapter of the decoder
  std::filesystem::path adapter;   // a saved one that it starts from; "": a new one
  bool checkpointing = false;      // blocks keep only their inputs and run again for the gradients
  uint64_t seed = 1;
};

// A conversation as a model learns it.
struct LearnedConversation {
  std::vector<int32_t> ids;    // a picture's as often as it has rows for the decoder
  std::vector<float> weights;  // of predicting each id from those before it; 0: it is only read
  struct Picture {
    Tensor pixels_N3SS;  // of its views
    int64_t width = 0, height = 0;
  };
  std::vector<Picture> pictures;

  bool teaches() const;  // anything at all
};

class Learner {
 public:
  virtual ~Learner() = default;
  // Parameters that require gradients train.
  virtual nn::ParameterStore& store() = 0;
  virtual int64_t context() const = 0;
  // Writes a conversation by the chat template and prepares its pictures; a longer one than `max_tokens` is cut at its end, and
  // without ids where the cut would go through a picture. The same for the same conversation; may run beside loss() on another
  // thread. Throws Error: usage, unsupported (ChatPromptWriter::write_with_answers).
  virtual LearnedConversation prepare(std::span<const ChatMessage> turns, int64_t max_tokens) const = 0;
  // Mean negative log-likelihood of the ids that have a weight, f32 [1] with its graph. `seed`: of what is dropped.
  virtual Tensor loss(std::span<const LearnedConversation> batch, uint64_t seed) = 0;
  // What save() writes: "model", a folder in the layout of the base, or "adapter", as PEFT has it.
  virtual std::string result() const = 0;
  // Writes it into a folder that is there. Throws Error(io).
  virtual void save(const std::filesystem::path& folder) const = 0;
};

// Whether the folder or file holds a model of the native family, which has no learner. Throws Error as load_model().
bool is_native(const std::filesystem::path& path);
// Throws Error: as load_model(); unsupported for a family that does not train, or a layout that cannot be saved; usage for
// patterns or targets that match nothing.
std::unique_ptr<Learner> load_learner(const std::filesystem::path& path, const LearnerOptions& options);

}  // namespace sensorium::models
