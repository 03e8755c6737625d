#include "models/sensorium/chat.h"

#include <algorithm>
#include <cmath>
#include <mutex>

#include "models/sensorium/shown_objects.h"

namespace sensorium::models {
namespace {

double log_sum_exp(std::span<const float> values) {
  const float most = *std::max_element(values.begin(), values.end());
  double sum = 0;
  for (const float value : values) sum += std::exp(static_cast<double>(value - most));
  return most + std::log(sum);
}

using SharedImage = std::shared_ptr<const media::Image>;
using SharedPerception = std::shared_ptr<const Perception>;

// Remembers what was perceived of the last pictures: the next question, or turn, about the same picture starts at once.
// Thread-safe.
class PerceptionCache {
 public:
  PerceptionCache(const SensoriumModel& model, DType compute) : model_(model), compute_(compute) {}

  SharedPerception get(const SharedImage& image) {
    std::lock_guard lock(mutex_);
    // An owner that still lives is the same picture, not another at the address of one that is gone.
    const auto found =
        std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.image.lock() == image; });
    if (found != entries_.end()) {
      std::rotate(entries_.begin(), found, found + 1);
      return entries_.front().perception;
    }
    auto perception = std::make_shared<const Perception>(model_.perceive(*image, compute_));
    std::erase_if(entries_, [](const Entry& e) { return e.image.expired(); });
    if (entries_.size() == kEntries) entries_.pop_back();
    entries_.insert(entries_.begin(), {image, perception});
    return perception;
  }

 private:
  static constexpr size_t kEntries = 16;
  struct Entry {
    std::weak_ptr<const media::Image> image;
    SharedPerception perception;
  };
  const SensoriumModel& model_;
  DType compute_;
  std::mutex mutex_;
  std::vector<Entry> entries_;  // last used first
};

class Session : public ChatSession {
 public:
  Session(const SensoriumModel& model, DType compute, PerceptionCache& perceptions,
          std::span<const ChatMessage> messages)
      : model_(model), compute_(compute) {
    const NoGrad no_grad;
    std::vector<int64_t> offsets = {0};  // of the pictures' tokens
    for (const ChatMessage& message : messages) {
      for (const ChatPart& part : message.parts) {
        if (!part.image) continue;
        pictures_.push_back({part.image, perceptions.get(part.image)});
        offsets.push_back(offsets.back() + pictures_.back().perception->image_tokens_TC.dim(0));
      }
    }
    const Tensor image_tokens_TC = Tensor::empty({offsets.back(), model.config().decoder.dim}, compute);
    for (size_t i = 0; i < pictures_.size(); ++i) {
      image_tokens_TC.slice(offsets[i], offsets[i + 1]).copy_from(pictures_[i].perception->image_tokens_TC);
    }
    const TokenSequence prompt = write_prompt(messages);
    prompt_tokens_ = static_cast<int64_t>(prompt.tokens.size());
    const int64_t context = model.config().decoder.context;
    require(prompt_tokens_ < context, ErrorKind::limit,
            "the prompt has {} tokens, the model's context only {}: shorten the text or give fewer pictures",
            prompt_tokens_, context);
    cache_ = nn::KvCache(model.decoder().cache_config(context, 1));
    ops::Sequences packed;
    const TokenSequence* pointer = &prompt;
    run(model.embed({&pointer, 1}, image_tokens_TC, offsets, compute, packed), packed);
  }

  int64_t prompt_tokens() const override { return prompt_tokens_; }
  int64_t room() const override { return model_.config().decoder.context - cache_.length(0); }
  std::span<const float> logits() const override { return logits_.span<float>(); }

  void accept(int32_t token) override {
    const NoGrad no_grad;
    require(room() > 0, ErrorKind::limit, "the context of {} tokens is full", model_.config().decoder.context);
    run(model_.decoder().embed(Tensor::from(std::vector<int32_t>{token}, {1}), compute_), ops::Sequences{{0, 1}});
  }

  bool is_end(int32_t token) const override {
    const SpecialTokens& special = model_.prompt().special();
    return token == special.end || token == special.bos || token == special.user;
  }

  ChatAnswer read(std::span<const int32_t> tokens) const override {
    const Answer answer = read_answer(tokens, model_.tokenizer(), model_.prompt().special());
    ChatAnswer result{.text = answer.text, .boxes = {}};
    const auto first = result.text.find_first_not_of(' ');
    result.text.erase(0, first == std::string::npos ? result.text.size() : first);
    const auto add = [&](const FoundObject& object, size_t picture) {
      const auto width = static_cast<float>(pictures_[picture].image->width);
      const auto height = static_cast<float>(pictures_[picture].image->height);
      result.boxes.push_back({object.label, object.score, static_cast<int>(picture), object.box.x0 * width,
                              object.box.y0 * height, object.box.x1 * width, object.box.y1 * height});
    };
    if (!answer.boxes.empty()) {
      for (const FoundObject& box : answer.boxes) {
        if (!pictures_.empty()) add(box, pictures_.size() - 1);
      }
      return result;
    }
    // No boxes in the words: the evidence for them.
    for (size_t i = 0; i < pictures_.size(); ++i) {
      const std::vector<FoundObject>& objects = pictures_[i].perception->evidence.objects;
      for (const size_t shown : shown_objects(question_, result.text, objects)) add(objects[shown], i);
    }
    return result;
  }

  std::vector<double> score(std::span<const std::string> answers) override {
    const NoGrad no_grad;
    const int64_t start = cache_.length(0);
    const Tensor first = logits_;
    std::vector<double> scores;
    for (const std::string& answer : answers) {
      std::vector<int32_t> tokens = model_.tokenizer().encode(answer);
      tokens.push_back(model_.prompt().special().end);
      double score = logits()[static_cast<size_t>(tokens[0])] - log_sum_exp(logits());
      if (tokens.size() > 1) {
        const auto steps = static_cast<int64_t>(tokens.size()) - 1;
        require(room() >= steps, ErrorKind::limit, "the answers to score do not fit the context");
        const std::vector<int32_t> inputs(tokens.begin(), tokens.end() - 1);
        const Tensor x = model_.decoder().embed(Tensor::from(inputs, {steps}), compute_);
        const ops::Sequences sequence{{0, static_cast<int32_t>(steps)}};
        const Tensor all = model_.decoder().logits(model_.decoder().cached(x, sequence, cache_));
        for (int64_t i = 0; i < steps; ++i) {
          const std::span<const float> row =
              all.span<float>().subspan(static_cast<size_t>(i * all.dim(1)), static_cast<size_t>(all.dim(1)));
          score += row[static_cast<size_t>(tokens[static_cast<size_t>(i) + 1])] - log_sum_exp(row);
        }
        cache_.truncate(0, start);
      }
      scores.push_back(score);
      logits_ = first;
    }
    return scores;
  }

 private:
  TokenSequence write_prompt(std::span<const ChatMessage> messages) {
    const PromptWriter& writer = model_.prompt();
    TokenSequence prompt;
    writer.begin(prompt);
    int picture = 0;
    for (const ChatMessage& message : messages) {
      writer.begin_turn(prompt, message.role);
      if (message.role == "user") question_.clear();
      for (const ChatPart& part : message.parts) {
        if (part.image) {
          const Perception& perception = *pictures_[static_cast<size_t>(picture)].perception;
          writer.image(prompt, picture++, perception.image_tokens_TC.dim(0));
          writer.evidence(prompt, perception.evidence);
        } else {
          writer.text(prompt, part.text);
          if (message.role == "user") question_ += part.text + " ";
        }
      }
      writer.end_turn(prompt);
    }
    writer.begin_turn(prompt, "assistant");
    return prompt;
  }

  void run(const Tensor& x_TC, const ops::Sequences& sequence) {
    const Tensor hidden_TC = model_.decoder().cached(x_TC, sequence, cache_);
    logits_ = model_.decoder().logits(hidden_TC.slice(hidden_TC.dim(0) - 1, hidden_TC.dim(0)));
  }

  struct Picture {
    SharedImage image;
    SharedPerception perception;
  };
  const SensoriumModel& model_;
  DType compute_;
  std::vector<Picture> pictures_;  // of the conversation, in order
  std::string question_;
  int64_t prompt_tokens_ = 0;
  nn::KvCache cache_;
  Tensor logits_;
};

class SensoriumChat : public Model {
 public:
  SensoriumChat(const SensoriumModel& model, DType compute, std::unique_ptr<SensoriumModel> owned)
      : model_(model), compute_(compute), owned_(std::move(owned)), perceptions_(model, compute) {}

  std::unique_ptr<ChatSession> start(std::span<const ChatMessage> messages) const override {
    return std::make_unique<Session>(model_, compute_, perceptions_, messages);
  }
  const text::Tokenizer& tokenizer() const override { return model_.tokenizer(); }
  const nn::ParameterStore& store() const override { return model_.store(); }

  OrderedJson describe() const override {
    const SensoriumConfig& config = model_.config();
    OrderedJson json;
    json["name"] = config.name;
    json["family"] = "sensorium";
    json["modalities_in"] = {"text", "image"};
    json["modalities_out"] = {"text", "boxes"};
    json["image_encoder"] = config.image.to_json();
    json["decoder"] = config.decoder.to_json();
    json["max_image_pixels"] = config.prepare.max_pixels;
    json["context_tokens"] = config.decoder.context;
    json["labels"] = config.heads.labels.size();
    json["objects"] = config.heads.objects;
    json["licence"] = config.licence;
    json["trained_on"] = config.trained_on;
    return json;
  }

  std::vector<AnswerBox> find_objects(const media::Image& image, std::span<const std::string> phrases) const override {
    const NoGrad no_grad;
    const std::vector<std::string> asked(phrases.begin(), phrases.end());
    const media::Image resized = modality::resize_for_model(image, model_.config().prepare);
    const media::Image* pointer = &resized;
    const modality::PreparedImages prepared = modality::pack_images({&pointer, 1}, compute_);
    const Queries queries = model_.queries(asked);
    // A low threshold: average precision wants the whole ranking.
    const std::vector<double> thresholds(asked.size(), 0.02);
    const auto found =
        model_.detector().detect(model_.detector()(model_.encode(prepared), queries), prepared.pictures, thresholds);
    const float sx = static_cast<float>(image.width) / static_cast<float>(resized.width);
    const float sy = static_cast<float>(image.height) / static_cast<float>(resized.height);
    std::vector<AnswerBox> boxes;
    for (const Detection& d : found[0]) {
      boxes.push_back({asked[static_cast<size_t>(d.query)], d.score, 0, d.box.x0 * sx, d.box.y0 * sy, d.box.x1 * sx,
                       d.box.y1 * sy});
    }
    return boxes;
  }

  std::vector<float> classify(const media::Image& image, std::span<const std::string> labels) const override {
    const NoGrad no_grad;
    const media::Image resized = modality::resize_for_model(image, model_.config().prepare);
    const media::Image* pointer = &resized;
    const modality::PreparedImages prepared = modality::pack_images({&pointer, 1}, compute_);
    const Queries queries = model_.queries({labels.begin(), labels.end()});
    const Tensor logits = model_.classifier()(model_.encode(prepared), queries);
    const double total = log_sum_exp(logits.span<float>());
    std::vector<float> probabilities;
    for (const float logit : logits.span<float>()) probabilities.push_back(static_cast<float>(std::exp(logit - total)));
    return probabilities;
  }

  std::pair<double, int64_t> text_nll(std::string_view text) const override {
    const NoGrad no_grad;
    std::vector<int32_t> tokens = model_.tokenizer().encode(text);
    tokens.insert(tokens.begin(), model_.prompt().special().bos);
    // Long texts are read in windows that overlap by half, each token scored once.
    const int64_t context = model_.config().decoder.context, total = static_cast<int64_t>(tokens.size());
    double sum = 0;
    int64_t counted = 0;
    for (int64_t begin = 0, scored = 1; scored < total; begin += context / 2) {
      const int64_t end = std::min(begin + context, total);
      const std::vector<int32_t> window(tokens.begin() + begin, tokens.begin() + end);
      const auto length = static_cast<int64_t>(window.size());
      std::vector<int32_t> targets(window.begin() + 1, window.end());
      targets.push_back(-1);
      for (int64_t i = 0; begin + i + 1 < scored; ++i) targets[static_cast<size_t>(i)] = -1;
      const Tensor hidden = model_.decoder()(model_.decoder().embed(Tensor::from(window, {length}), compute_),
                                             ops::Sequences{{0, static_cast<int32_t>(length)}});
      Tensor losses;
      ops::linear_cross_entropy(hidden, model_.decoder().embedding(), Tensor::from(targets, {length}), {}, 1, &losses);
      for (int64_t i = 0; i < length; ++i) {
        if (targets[static_cast<size_t>(i)] < 0) continue;
        sum += losses.data<float>()[i];
        ++counted;
      }
      scored = end;
    }
    return {sum, counted};
  }

 private:
  const SensoriumModel& model_;
  DType compute_;
  std::unique_ptr<SensoriumModel> owned_;
  mutable PerceptionCache perceptions_;
};

}  // namespace

std::unique_ptr<Model> load_sensorium(const std::filesystem::path& directory) {
  std::unique_ptr<SensoriumModel> model = SensoriumModel::load(directory);
  const SensoriumModel& reference = *model;
  return std::make_unique<SensoriumChat>(reference, DType::bf16, std::move(model));
}

std::unique_ptr<Model> wrap_sensorium(const SensoriumModel& model, DType compute) {
  return std::make_unique<SensoriumChat>(model, compute, nullptr);
}

}  // namespace sensorium::models
