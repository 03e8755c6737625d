// A conversation that a client wants to be gone on with, whatever API it speaks.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/routes/route.h"
#include "server/routes/services.h"
#include "server/routes/tools.h"
#include "server/scheduling/job.h"

namespace sensorium::server {

struct Ask {
  Job job;
  bool stream = false;
  std::shared_ptr<const Tools> tools;  // null: none
};

// An Ask with the server's defaults for a model ("" or an unknown name: ApiError 404).
Ask begin_ask(const Call& call, const std::string& model);
// A seed of the request's own where it did not name one.
void choose_seed(Ask& ask, const OrderedJson* seed);
// The answers must be JSON: of a schema, or any object. Throws ApiError that names `param`.
void require_schema(Ask& ask, const OrderedJson& schema, const char* param);
void require_json(Ask& ask);
// Takes the functions into account: told in a system message, and enforced where a call is required.
void offer_tools(Ask& ask, std::shared_ptr<const Tools> tools);
// Adds a text, or media as the asked model takes them, to a message. Throws ApiError beyond the limit of media.
void add_text(models::ChatMessage& message, std::string text);
void add_media(const Call& call, const Ask& ask, models::ChatMessage& message, const SentMedia& media,
               size_t& media_count);

// Submits; answers 429 where too many wait. The sink must hold `call.exchange`.
void submit(Call& call, Ask ask, std::shared_ptr<JobSink> sink);

// What all answers do: they look whether the client is there, and tell errors in its dialect.
class AnswerSink : public JobSink {
 public:
  AnswerSink(const Call& call, Dialect dialect) : exchange_(call.exchange), dialect_(dialect) {}
  bool wanted() const override { return !exchange_->gone(); }
  void failed(Fault fault, const Error& error) override;

 protected:
  // Writes an error into a stream that has begun.
  virtual void stream_error(const ApiError& error);
  void event(std::string_view data) const;  // "data: ...\n\n"

  std::shared_ptr<Exchange> exchange_;
  Dialect dialect_;
  int64_t prompt_tokens_ = 0, reused_tokens_ = 0, generated_tokens_ = 0;
};

// The head of a stream of server-sent events.
Response event_stream();

// An answer, read by the functions that were offered.
struct SaidOrCalled {
  std::string text;
  std::optional<ToolCall> call;
  // "stop", "length" or "tool_calls", as OpenAI says it.
  const char* finish_reason = "stop";
};
SaidOrCalled read_answer(const generate::Generated& answer, const Tools* tools);

// The text of a streamed answer as far as it is certain that it is no call of a function.
class HeldText {
 public:
  explicit HeldText(const Tools* tools) : tools_(tools) {}
  std::string push(std::string_view piece);
  // At the end, if the answer is no call.
  std::string rest() { return std::exchange(held_, {}); }

 private:
  const Tools* tools_;
  std::string held_;
  bool free_ = false;
};

// The JSON of a text, quotes included; no byte of it can break a line.
std::string json_text(std::string_view text);
// [{label, picture, rows, columns, values [rows * columns]}], values in steps of 0.01.
OrderedJson heats_json(const std::vector<models::AnswerHeat>& heats);
// [{label, box [x0, y0, x1, y1] in pixels, score, picture}]
OrderedJson boxes_json(const std::vector<models::AnswerBox>& boxes);
std::string random_id(std::string_view prefix);
int64_t now_s();

}  // namespace sensorium::server
