#include "train/course.h"

#include <algorithm>
#include <array>
#include <span>

#include "models/learner.h"

namespace sensorium::train {
namespace {

constexpr int64_t kPatience = 20;

// Keys that mean something to one kind only: giving them to another is a mistake.
constexpr std::array kBindKeys = {"model",
                                  "reset",
                                  "tokenizer",
                                  "losses",
                                  "masking",
                                  "licence",
                                  "trained_on",
                                  "adapter",
                                  "chat_template",
                                  "data.readings",
                                  "data.texts",
                                  "data.order",
                                  "data.images_per_batch",
                                  "data.conversations_per_batch",
                                  "data.sense_dropout",
                                  "data.augment"};
constexpr std::array kJointKeys = {"model",
                                   "reset",
                                   "tokenizer",
                                   "losses",
                                   "masking",
                                   "trainable",
                                   "lora",
                                   "adapter",
                                   "chat_template",
                                   "data.readings",
                                   "data.texts",
                                   "data.order",
                                   "data.images_per_batch",
                                   "data.conversations_per_batch",
                                   "data.pairs_per_piece",
                                   "data.sense_dropout",
                                   "train.epochs"};
constexpr std::array kNativeKeys = {"model",
                                    "reset",
                                    "tokenizer",
                                    "losses",
                                    "masking",
                                    "licence",
                                    "trained_on",
                                    "data.readings",
                                    "data.texts",
                                    "data.text_tokens",
                                    "data.images_per_batch",
                                    "data.objects",
                                    "data.scene",
                                    "data.augment",
                                    "data.readings_per_batch",
                                    "data.texts_per_batch",
                                    "data.questions_per_image",
                                    "data.find_questions",
                                    "data.predicted_evidence",
                                    "data.sense_dropout",
                                    "data.pairs_per_batch",
                                    "data.pairs_per_piece"};
constexpr std::array kConversationKeys = {"lora",
                                          "adapter",
                                          "chat_template",
                                          "data.conversations_per_batch",
                                          "data.max_tokens",
                                          "train.epochs",
                                          "data.pairs_per_batch",
                                          "data.pairs_per_piece"};

bool is_published(const Recipe& recipe) { return !recipe.init.empty() && !models::is_native(recipe.init); }

struct Kind {
  const char* what;  // for messages
  bool (*fits)(const Recipe& recipe);
  std::unique_ptr<Course> (*open)(const Recipe& recipe);
  std::span<const char* const> foreign;  // keys of other kinds
};
constexpr std::array<Kind, 4> kKinds = {{
    {"the binding of a sense to the model", [](const Recipe& recipe) { return recipe.bind.has_value(); },
     open_bind_course, kBindKeys},
    {"the joint space of the native model", [](const Recipe& recipe) { return recipe.joint.has_value(); },
     open_joint_course, kJointKeys},
    {"a published model, which learns from conversations,", is_published, open_conversation_course, kNativeKeys},
    {"the native model", [](const Recipe&) { return true; }, open_native_course, kConversationKeys},
}};

}  // namespace

std::unique_ptr<Course> open_course(const Recipe& recipe) {
  const auto kind = std::ranges::find_if(kKinds, [&](const Kind& k) { return k.fits(recipe); });
  for (const char* key : kind->foreign) {
    require(!recipe.gives(key), ErrorKind::usage, "recipe: \"{}\" means nothing to {} that \"init\" names", key,
            kind->what);
  }
  return kind->open(recipe);
}

void Patience::silent(const Course::Fit& fit, const char* otherwise) {
  if (++silent_ < kPatience) return;
  require(fit.too_long > 0, ErrorKind::usage, "{} batches in a row had nothing to learn from: {}", silent_, otherwise);
  fail(ErrorKind::usage,
       "{} batches in a row had nothing to learn from: {} of {} conversations and texts are longer than the context of "
       "{} "
       "tokens; shorten them, or train a model with a larger context",
       silent_, fit.too_long, fit.all, fit.context);
}

}  // namespace sensorium::train
