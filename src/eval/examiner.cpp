#include "eval/examiner.h"

#include "generate/generate.h"
#include "media/decode.h"

namespace sensorium::eval {
namespace {

std::shared_ptr<const media::Image> load(const std::string& path, const std::string& where) {
  try {
    return std::make_shared<media::Image>(media::load_image(path));
  } catch (const Error& error) {
    throw error.with_context(where);
  }
}

}  // namespace

void Examiner::open(const data::Record& record) {
  record_ = &record;
  answers_.clear();
}

std::shared_ptr<const media::Image> Examiner::picture() {
  if (!picture_ || picture_path_ != record_->image) {
    picture_ = load(record_->image, record_->where);
    picture_path_ = record_->image;
  }
  return picture_;
}

std::unique_ptr<models::ChatSession> Examiner::start(const std::string& question) {
  models::ChatMessage message{.role = "user", .parts = {}};
  if (!record_->image.empty()) message.parts.push_back({.text = {}, .image = picture()});
  message.parts.push_back({.text = question, .image = nullptr});
  try {
    return model_.start({&message, 1});
  } catch (const Error& error) {
    throw error.with_context(record_->where);
  }
}

models::ChatAnswer Examiner::run(models::ChatSession& session) const {
  generate::GenerateOptions options;
  options.max_tokens = max_tokens_;
  generate::Generated result = generate::generate(session, options);
  require(result.stop != generate::StopReason::interrupted, ErrorKind::interrupted, "interrupted");
  return std::move(result.answer);
}

const models::ChatAnswer& Examiner::ask(const std::string& question) {
  const auto known = answers_.find(question);
  if (known != answers_.end()) return known->second;
  const std::unique_ptr<models::ChatSession> session = start(question);
  return answers_.emplace(question, run(*session)).first->second;
}

models::ChatAnswer Examiner::answer(std::span<const data::Message> messages) {
  std::vector<models::ChatMessage> conversation;
  for (const data::Message& message : messages) {
    models::ChatMessage& turn = conversation.emplace_back();
    turn.role = message.role;
    for (const data::MessagePart& part : message.parts) {
      if (part.kind != data::PartKind::text) {
        turn.parts.push_back({.text = {}, .image = load(part.value, record_->where)});
      } else {
        turn.parts.push_back({.text = part.value, .image = nullptr});
      }
    }
  }
  try {
    return run(*model_.start(conversation));
  } catch (const Error& error) {
    throw error.with_context(record_->where);
  }
}

std::vector<models::AnswerBox> Examiner::evidence(std::span<const std::string> labels) {
  std::string question = "How many of each are there:";
  for (const std::string& label : labels) question += (&label == labels.data() ? " " : ", ") + label;
  // Nothing needs to be said: the evidence is known as soon as the picture and the question have been read.
  return start(question + "?")->read({}).boxes;
}

std::pair<double, int64_t> Examiner::answer_nll(const std::string& question, const std::string& reference) {
  const std::unique_ptr<models::ChatSession> session = start(question);
  const double log_probability = session->score({&reference, 1}).at(0);
  return {-log_probability, static_cast<int64_t>(model_.tokenizer().encode(reference).size()) + 1};
}

}  // namespace sensorium::eval
