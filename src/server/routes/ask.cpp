#include "server/routes/ask.h"

#include <fmt/format.h>

#include <cmath>
#include <ctime>
#include <random>

#include "text/grammar/json_schema.h"

namespace sensorium::server {
namespace {

uint64_t random_bits() {
  thread_local std::mt19937_64 generator = [] {
    std::random_device device;
    std::seed_seq seeds{device(), device(), device(), device()};
    return std::mt19937_64(seeds);
  }();
  return generator();
}

}  // namespace

Ask begin_ask(const Call& call, const std::string& model) {
  const ModelPool& pool = call.services.models;
  const std::string name = model == "default" && !pool.has(model) ? pool.names().front() : model;
  if (!pool.has(name)) {
    const std::string near = nearest_match(name, pool.names());
    throw ApiError(
        404,
        fmt::format("there is no model \"{}\" here{}", name,
                    near.empty() ? "; GET /v1/models lists them" : fmt::format("; did you mean \"{}\"?", near)),
        "model_not_found", "model");
  }
  Ask ask;
  ask.job.model = name;
  ask.job.client = call.client;
  ask.job.options = call.services.defaults;
  ask.job.mark_media = call.services.mark_media;
  ask.job.deadline = Clock::now() + call.services.request_timeout;
  return ask;
}

void choose_seed(Ask& ask, const OrderedJson* seed) {
  ask.job.options.sampling.seed =
      seed != nullptr && seed->is_number_integer() ? static_cast<uint64_t>(seed->get<int64_t>()) : random_bits();
}

void require_schema(Ask& ask, const OrderedJson& schema, const char* param) {
  Result<text::grammar::Grammar> grammar =
      text::grammar::parse_json_schema(schema.dump(-1, ' ', false, OrderedJson::error_handler_t::replace));
  if (!grammar) throw ApiError(400, "the schema cannot be used: " + grammar.error().message(), "invalid_schema", param);
  ask.job.grammar = std::make_shared<const text::grammar::Grammar>(std::move(grammar).value());
}

void require_json(Ask& ask) {
  ask.job.grammar = std::make_shared<const text::grammar::Grammar>(text::grammar::json_object_grammar());
}

void offer_tools(Ask& ask, std::shared_ptr<const Tools> tools) {
  if (!tools || !tools->offered()) return;
  std::vector<models::ChatMessage>& messages = ask.job.messages;
  if (messages.empty() || messages.front().role != "system") messages.insert(messages.begin(), {.role = "system"});
  std::vector<models::ChatPart>& parts = messages.front().parts;
  parts.push_back({.text = (parts.empty() ? "" : "\n\n") + tools->instructions()});
  if (auto grammar = tools->grammar()) ask.job.grammar = std::move(grammar);
  ask.tools = std::move(tools);
}

void add_text(models::ChatMessage& message, std::string text) {
  if (!text.empty()) message.parts.push_back({.text = std::move(text)});
}

void add_media(const Call& call, const Ask& ask, models::ChatMessage& message, const SentMedia& media,
               size_t& media_count) {
  if (++media_count > call.services.media.max_parts())
    throw ApiError(400,
                   fmt::format("there are more than {} pictures, sounds and films", call.services.media.max_parts()),
                   "too_many_media", "messages");
  const auto family = [&]() -> const models::ModelFamily& { return call.services.models.family(ask.job.model); };
  for (models::ChatPart& part : call.services.media.parts(media, family)) message.parts.push_back(std::move(part));
}

void submit(Call& call, Ask ask, std::shared_ptr<JobSink> sink) {
  try {
    generate::check_options(ask.job.options);
  } catch (const Error& error) {
    throw ApiError(400, error.message(), "invalid_value");
  }
  if (!ask.job.task && !ask.job.prompt && ask.job.messages.empty())
    throw ApiError(400, "the conversation is empty", "invalid_value", "messages");
  // The request's bytes have been read; its answer may take long.
  call.body = {};
  call.exchange->drop_body();
  ask.job.sink = std::move(sink);
  if (call.services.scheduler.submit(std::move(ask.job))) return;
  throw ApiError(429, "too many requests wait already; try again later", "rate_limit_exceeded")
      .retry_after(call.services.scheduler.retry_after_s());
}

void AnswerSink::failed(Fault fault, const Error& error) {
  const ApiError told = to_api_error(fault, error);
  if (!exchange_->started()) {
    exchange_->send(error_response(told, dialect_));
    return;
  }
  stream_error(told);
  exchange_->finish();
}

void AnswerSink::stream_error(const ApiError& error) { event(error_body(error, dialect_)); }

void AnswerSink::event(std::string_view data) const {
  std::string bytes;
  bytes.reserve(data.size() + 8);
  ((bytes += "data: ") += data) += "\n\n";
  exchange_->write(bytes);
}

Response event_stream() {
  // A proxy in between must not collect the pieces.
  return {.content_type = "text/event-stream; charset=utf-8",
          .headers = {{"Cache-Control", "no-cache"}, {"X-Accel-Buffering", "no"}}};
}

SaidOrCalled read_answer(const generate::Generated& answer, const Tools* tools) {
  SaidOrCalled said{.text = answer.answer.text,
                    .call = tools == nullptr ? std::nullopt : tools->read_call(answer.answer.text)};
  const bool cut = answer.stop == generate::StopReason::length;
  said.finish_reason = said.call ? "tool_calls" : cut ? "length" : "stop";
  return said;
}

std::string HeldText::push(std::string_view piece) {
  held_ += piece;
  free_ = free_ || tools_ == nullptr || !tools_->may_be_call(held_);
  return free_ ? std::exchange(held_, {}) : std::string();
}

std::string json_text(std::string_view text) {
  return Json(text).dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
}

OrderedJson heats_json(const std::vector<models::AnswerHeat>& heats) {
  OrderedJson list = OrderedJson::array();
  for (const models::AnswerHeat& heat : heats) {
    OrderedJson values = OrderedJson::array();
    for (const float value : heat.values) values.push_back(std::round(100.0 * value) / 100.0);
    list.push_back({{"label", heat.label},
                    {"picture", heat.picture},
                    {"rows", heat.rows},
                    {"columns", heat.columns},
                    {"values", std::move(values)}});
  }
  return list;
}

OrderedJson boxes_json(const std::vector<models::AnswerBox>& boxes) {
  OrderedJson list = OrderedJson::array();
  for (const models::AnswerBox& box : boxes) {
    list.push_back({{"label", box.label},
                    {"box", {box.x0, box.y0, box.x1, box.y1}},
                    {"score", box.score},
                    {"picture", box.picture}});
  }
  return list;
}

std::string random_id(std::string_view prefix) {
  return fmt::format("{}{:016x}{:08x}", prefix, random_bits(), random_bits() & 0xffffffff);
}

int64_t now_s() { return std::time(nullptr); }

}  // namespace sensorium::server
