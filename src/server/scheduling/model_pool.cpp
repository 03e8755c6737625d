#include "server/scheduling/model_pool.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "base/log.h"
#include "models/embedding/embedder.h"

namespace sensorium::server {
namespace {

// Kept for later requests; bytes of one.
constexpr size_t kMostConstraints = 8, kMostConstraintBytes = size_t{16} << 20;

}  // namespace

LoadedModel::LoadedModel(std::unique_ptr<models::Model> model_)
    : model(std::move(model_)), description(model->describe()) {
  if (const models::Embedder* embedder = model->embedder()) {
    for (const models::InputSense sense : embedder->senses()) description["embeds"].push_back(name_of(sense));
  }
}

std::shared_ptr<text::grammar::Constraint> LoadedModel::constraint(
    const std::shared_ptr<const text::grammar::Grammar>& grammar) {
  std::erase_if(constraints_, [](const auto& known) { return known->bytes() > kMostConstraintBytes; });
  const auto found =
      std::ranges::find_if(constraints_, [&](const auto& known) { return known->grammar() == *grammar; });
  if (found != constraints_.end()) {
    std::rotate(constraints_.begin(), found, found + 1);
    return constraints_.front();
  }
  if (!tokens_) tokens_ = std::make_shared<const text::grammar::TokenTrie>(model->tokenizer());
  constraints_.push_front(std::make_shared<text::grammar::Constraint>(grammar, tokens_, model->tokenizer()));
  if (constraints_.size() > kMostConstraints) constraints_.pop_back();
  return constraints_.front();
}

ModelPool::ModelPool(std::vector<ModelSource> sources, const Options& options, Load load)
    : options_(options), load_(std::move(load)) {
  require(!sources.empty(), ErrorKind::usage, "a server needs a model");
  if (!load_) load_ = [](const ModelSource& source) { return models::load_model(source.path, source.load); };
  for (ModelSource& source : sources) {
    require(std::ranges::find(names_, source.name) == names_.end(), ErrorKind::usage,
            "two models are named \"{}\"; give one of them another name: --model NAME=FOLDER", source.name);
    names_.push_back(source.name);
    entries_.push_back({.source = std::move(source)});
  }
  loader_ = std::thread([this] { load_loop(); });
}

ModelPool::~ModelPool() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  loader_.join();
}

void ModelPool::on_change(std::function<void()> call) {
  const std::lock_guard lock(mutex_);
  on_change_ = std::move(call);
}

bool ModelPool::has(const std::string& name) const { return std::ranges::find(names_, name) != names_.end(); }

ModelPool::Entry& ModelPool::find(const std::string& name) {
  const auto found = std::ranges::find_if(entries_, [&](const Entry& entry) { return entry.source.name == name; });
  if (found != entries_.end()) return *found;
  const std::string near = nearest_match(name, names_);
  fail(
      ErrorKind::not_found, "there is no model \"{}\"; {}", name,
      near.empty() ? fmt::format("there are: {}", fmt::join(names_, ", ")) : fmt::format("did you mean \"{}\"?", near));
}

ModelPool::State ModelPool::state(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  return find(name).state;
}

const models::ModelFamily& ModelPool::family(const std::string& name) const {
  const ModelSource source = [&] {
    const std::lock_guard lock(mutex_);
    return find(name).source;
  }();
  return models::family_of(source.path, source.load);
}

std::optional<OrderedJson> ModelPool::description(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const Entry& entry = find(name);
  return entry.loaded ? std::optional(entry.loaded->description) : std::nullopt;
}

std::shared_ptr<LoadedModel> ModelPool::get(const std::string& name) {
  const std::lock_guard lock(mutex_);
  Entry& entry = find(name);
  entry.last_use = ++uses_;
  if (entry.state == State::loaded) return entry.loaded;
  if (entry.state == State::failed) {
    entry.state = State::idle;
    throw *std::exchange(entry.error, std::nullopt);
  }
  if (entry.state == State::idle) {
    entry.state = State::loading;
    wanted_.push_back(name);
    wake_.notify_all();
  }
  return nullptr;
}

void ModelPool::make_room() {
  std::vector<Entry*> loaded;
  for (Entry& entry : entries_) {
    if (entry.loaded) loaded.push_back(&entry);
  }
  std::ranges::sort(loaded, {}, [](const Entry* entry) { return entry->last_use; });
  size_t count = loaded.size();
  for (Entry* entry : loaded) {
    if (count < options_.max_loaded) return;
    if (entry->loaded.use_count() > 1) continue;
    entry->loaded.reset();
    entry->state = State::idle;
    --count;
  }
}

void ModelPool::load_loop() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [&] { return stopping_ || !wanted_.empty(); });
    if (stopping_) return;
    const std::string name = wanted_.front();
    wanted_.pop_front();
    make_room();
    const ModelSource source = find(name).source;
    lock.unlock();
    std::shared_ptr<LoadedModel> loaded;
    std::optional<Error> error;
    try {
      std::unique_ptr<models::Model> model = load_(source);
      model->configure_cache(options_.cache);
      loaded = std::make_shared<LoadedModel>(std::move(model));
    } catch (const Error& caught) {
      error = caught;
    } catch (const std::exception& caught) {
      error = Error(ErrorKind::limit, caught.what());
    }
    if (error) log_warning("model {} cannot be loaded: {}", name, error->message());
    lock.lock();
    Entry& entry = find(name);
    entry.state = loaded ? State::loaded : State::failed;
    entry.loaded = std::move(loaded);
    entry.error = std::move(error);
    const std::function<void()> call = on_change_;
    lock.unlock();
    if (call) call();
    lock.lock();
  }
}

}  // namespace sensorium::server
