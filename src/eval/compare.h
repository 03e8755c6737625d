// How far a model is from another one of the same vocabulary, a quantised one from its original: on the same prompts, token by
// token.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/json.h"
#include "models/model.h"

namespace sensorium::eval {

struct CompareOptions {
  std::string data;                                              // data set with questions, conversations or texts
  const models::ModelFamily* family = nullptr;                   // the models', which says how they watch films
  int64_t prompts = 100;                                         // at most; 0: all
  int64_t tokens = 32;                                           // of each continuation, at most
  std::function<void(int64_t done, int64_t total)> on_progress;  // in records; may be empty
};

// Over all tokens of the reference's greedy continuations, each read by both models after the same tokens.
struct Comparison {
  int64_t prompts = 0, tokens = 0;
  double mean_kl = 0, p99_kl = 0;  // nats, KL(reference || other) of the next token's distribution
  double same_token = 0;           // share of tokens that the other would have chosen too
  double same_continuation = 0;    // share of prompts where all of them are
  OrderedJson to_json() const;
};

// Throws Error: usage (no prompts; vocabularies of different sizes), and as data::open_dataset and Model::start.
Comparison compare_models(const models::Model& reference, const models::Model& other, const CompareOptions& options);

}  // namespace sensorium::eval
