#include "eval/examiner.h"

#include "generate/generate.h"
#include "models/load_part.h"

namespace sensorium::eval {
namespace {

// What `load` makes, or its error with the record's place.
template <typename Load>
auto load_at(const std::string& where, Load&& load) {
  try {
    return load();
  } catch (const Error& error) {
    throw error.with_context(where);
  }
}

}  // namespace

void Examiner::open(const data::Record& record) {
  record_ = &record;
  answers_.clear();
  recordings_.clear();
  placed_.reset();
}

std::shared_ptr<const media::Image> Examiner::picture() {
  if (!picture_.image || picture_path_ != record_->image) {
    picture_ = load_at(record_->where, [&] { return models::load_picture(*record_); });
    picture_path_ = record_->image;
  }
  return picture_.image;
}

models::ChatPart Examiner::percept() {
  if (!record_->image.empty()) {
    (void)picture();
    return picture_;
  }
  return recordings().empty() ? models::ChatPart() : recordings().front();
}

const std::vector<models::ChatPart>& Examiner::recordings() {
  if (recordings_.empty())
    recordings_ = load_at(record_->where, [&] { return models::load_percepts(*record_, family_); });
  return recordings_;
}

std::unique_ptr<models::ChatSession> Examiner::start(const std::string& question) {
  models::ChatMessage message{.role = "user", .parts = {}};
  if (record_->image.empty()) {
    message.parts = recordings();
  } else {
    message.parts.push_back(percept());
  }
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
      if (part.kind == data::PartKind::text) {
        turn.parts.push_back({.text = part.value, .image = nullptr});
        continue;
      }
      for (models::ChatPart& loaded : load_at(record_->where, [&] { return models::load_parts(part, family_); })) {
        turn.parts.push_back(std::move(loaded));
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
