// What a route asks of a model, and who hears of it.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "generate/generate.h"
#include "models/heat.h"
#include "models/model.h"
#include "text/grammar/grammar.h"

namespace sensorium::server {

using Clock = std::chrono::steady_clock;

// Hears how a job goes. Called on the scheduler's thread, which it must not hold up. After done() or failed(), which come once,
// nothing more is called.
class JobSink {
 public:
  virtual ~JobSink() = default;
  // False: nobody waits for the answer; the job is dropped, without done() or failed().
  virtual bool wanted() const = 0;
  // The prompt has been read.
  virtual void started(int64_t /*prompt_tokens*/, int64_t /*reused_tokens*/) {}
  // More of a sample's answer. `log_probabilities`: of the tokens since the last call, where asked for.
  virtual void text(int64_t /*sample*/, std::string_view /*piece*/,
                    std::span<const generate::TokenLogProbabilities> /*log_probabilities*/,
                    const text::Tokenizer& /*tokenizer*/) {}
  // Where a sample's answer has been found in its pictures; before finished(), if the job asks for it and the model can say it.
  virtual void heats(int64_t /*sample*/, const std::vector<models::AnswerHeat>& /*heats*/) {}
  virtual void finished(int64_t /*sample*/, const generate::Generated& /*answer*/,
                        const text::Tokenizer& /*tokenizer*/) {}
  virtual void done() = 0;
  enum class Fault : uint8_t { request, overload, deadline, shutdown, server };
  virtual void failed(Fault fault, const Error& error) = 0;
};

// Work on a model that makes no answer token by token.
class ModelTask {
 public:
  virtual ~ModelTask() = default;
  // Does a part of it, on the scheduler's thread, which runs the answers of others in between; true: nothing is left. Whoever keeps
  // the pointer keeps the model in memory. Throws Error.
  virtual bool step(const std::shared_ptr<const models::Model>& model) = 0;
};

// A prompt that is gone on with as it stands, without turns: a text, or token ids.
using RawPrompt = std::variant<std::string, std::vector<int32_t>>;

struct Job {
  std::string model;   // a name of the pool
  std::string client;  // clients take turns
  std::vector<models::ChatMessage> messages;
  std::optional<RawPrompt> prompt;    // instead of messages
  bool tell_heats = false;            // the sink wants to hear heats()
  bool mark_media = false;            // add the note of media_note.h for models with a chat template
  std::shared_ptr<ModelTask> task;    // instead of messages; done() says that it is over
  generate::GenerateOptions options;  // without constraint
  std::shared_ptr<const text::grammar::Grammar> grammar;  // what the answers must look like, or null
  int64_t samples = 1;                                    // 0: the prompt is only counted
  Clock::time_point deadline = Clock::time_point::max();
  std::shared_ptr<JobSink> sink;
};

}  // namespace sensorium::server
