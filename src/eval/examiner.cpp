#include "eval/examiner.h"

#include "generate/generate.h"
#include "media/decode.h"

namespace sensorium::eval {
namespace {

models::ChatPart load(const data::MessagePart& part, const std::string& where) {
  try {
    return load_part(part);
  } catch (const Error& error) {
    throw error.with_context(where);
  }
}

}  // namespace

models::ChatPart load_part(const data::MessagePart& part) {
  if (const modality::SenseKind* sense = modality::find_sense(data::field_name(part.kind)))
    return {.recording = std::make_shared<modality::Recording>(sense->load(part.value))};
  return {.image = std::make_shared<media::Image>(media::load_image(part.value))};
}

void Examiner::open(const data::Record& record) {
  record_ = &record;
  answers_.clear();
  recording_.reset();
}

std::shared_ptr<const media::Image> Examiner::picture() {
  if (!picture_ || picture_path_ != record_->image) {
    picture_ = load({data::PartKind::image, record_->image}, record_->where).image;
    picture_path_ = record_->image;
  }
  return picture_;
}

models::ChatPart Examiner::percept() {
  if (!record_->image.empty()) return {.image = picture()};
  const data::MessagePart* media = data::recording_of(*record_);
  if (media == nullptr) return {};
  if (!recording_) recording_ = load(*media, record_->where).recording;
  return {.recording = recording_};
}

std::unique_ptr<models::ChatSession> Examiner::start(const std::string& question) {
  models::ChatMessage message{.role = "user", .parts = {}};
  if (models::ChatPart seen = percept(); seen.image || seen.recording) message.parts.push_back(std::move(seen));
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
        turn.parts.push_back(load(part, record_->where));
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
