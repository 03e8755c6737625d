// Puts questions about one record after the other to a model. What is asked twice about the same record is answered
// once: tasks overlap (the class of a picture is often also one of its questions), and answers take most of an
// evaluation's time.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/record.h"
#include "models/embedding/embedder.h"
#include "models/model.h"

namespace sensorium::eval {

class Examiner {
 public:
  // `family`: the model's, which says how it watches films; nullptr: as the sense of films does.
  Examiner(const models::Model& model, const models::ModelFamily* family, int64_t max_tokens)
      : model_(model), family_(family), max_tokens_(max_tokens) {}

  // The record that the following calls are about; it must stay alive until the next open().
  void open(const data::Record& record);
  const data::Record& record() const { return *record_; }
  const models::Model& model() const { return model_; }

  // The decoded picture of the record. Throws Error with the record's file and line.
  std::shared_ptr<const media::Image> picture();
  // The record's picture or recording as a part of a message; empty if it has neither. Throws the same.
  models::ChatPart percept();
  // Where the record's medium is in the model's joint space; media_vectors.h fills it in once it is asked for.
  struct Placed {
    models::InputSense sense;
    Tensor vector_1C;
  };
  std::optional<Placed>& placed() { return placed_; }
  // The greedy answer to a question about the record's picture or recording, or without one if it has none.
  const models::ChatAnswer& ask(const std::string& question);
  // The greedy answer to a conversation of texts, pictures and recordings that ends with a user's message.
  models::ChatAnswer answer(std::span<const data::Message> messages);
  // The boxes that the model gives as evidence when asked for these things, at its own thresholds.
  std::vector<models::AnswerBox> evidence(std::span<const std::string> labels);
  // Negative log-likelihood (nats) of the reference as the answer to a question, and its tokens with the end token.
  std::pair<double, int64_t> answer_nll(const std::string& question, const std::string& reference);

 private:
  const std::vector<models::ChatPart>& recordings();
  std::unique_ptr<models::ChatSession> start(const std::string& question);
  models::ChatAnswer run(models::ChatSession& session) const;

  const models::Model& model_;
  const models::ModelFamily* family_;
  int64_t max_tokens_;
  const data::Record* record_ = nullptr;
  std::string picture_path_;
  models::ChatPart picture_;
  std::vector<models::ChatPart> recordings_;           // of the open record, once they are needed: a film has its sound
  std::map<std::string, models::ChatAnswer> answers_;  // by question
  std::optional<Placed> placed_;
};

}  // namespace sensorium::eval
