// The models that a server offers, by name. Each is loaded when it is first asked for, by a thread of its own, so that
// answers of others go on meanwhile.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "models/model.h"
#include "text/grammar/constraint.h"

namespace sensorium::server {

struct ModelSource {
  std::string name;
  std::filesystem::path path;
  models::LoadOptions load;
};

struct LoadedModel {
  explicit LoadedModel(std::unique_ptr<models::Model> model_);
  // What binds answers to a grammar: of the few grammars that were asked for last, with all that answers before have found out about
  // its states. On the scheduler's thread.
  std::shared_ptr<text::grammar::Constraint> constraint(const std::shared_ptr<const text::grammar::Grammar>& grammar);

  std::unique_ptr<models::Model> model;
  OrderedJson description;  // what it says of itself; of an embedder also "embeds": the names of its senses
  double row_seconds = 0;   // that a token of a prompt takes, as last measured; 0: not known. Of the scheduler's thread

 private:
  std::shared_ptr<const text::grammar::TokenTrie> tokens_;              // made when first needed
  std::deque<std::shared_ptr<text::grammar::Constraint>> constraints_;  // the one asked for last first
};

// Thread-safe.
class ModelPool {
 public:
  enum class State : uint8_t { idle, loading, loaded, failed };
  struct Options {
    models::CacheOptions cache;
    size_t max_loaded = 4;  // the one asked for longest ago, if nobody uses it, makes room
  };
  using Load = std::function<std::unique_ptr<models::Model>(const ModelSource& source)>;

  // Throws Error(usage) for no model or two of one name. `load`: for tests.
  ModelPool(std::vector<ModelSource> sources, const Options& options, Load load = {});
  ~ModelPool();
  ModelPool(const ModelPool&) = delete;
  ModelPool& operator=(const ModelPool&) = delete;

  // Called after every change, on the loading thread.
  void on_change(std::function<void()> call);
  const std::vector<std::string>& names() const { return names_; }
  bool has(const std::string& name) const;
  State state(const std::string& name) const;
  // Told by its configuration, without loading it. Throws Error as models::family_of.
  const models::ModelFamily& family(const std::string& name) const;
  // What the model says of itself, if it is loaded.
  std::optional<OrderedJson> description(const std::string& name) const;
  // The model, or null while it is being loaded, which this begins. Throws Error: not_found, or why loading failed just now
  // (the next call tries again).
  std::shared_ptr<LoadedModel> get(const std::string& name);

 private:
  struct Entry {
    ModelSource source;
    State state = State::idle;
    std::shared_ptr<LoadedModel> loaded;
    std::optional<Error> error;
    uint64_t last_use = 0;
  };
  Entry& find(const std::string& name);
  const Entry& find(const std::string& name) const { return const_cast<ModelPool*>(this)->find(name); }
  void make_room();
  void load_loop();

  Options options_;
  Load load_;
  std::vector<std::string> names_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Entry> entries_;
  std::deque<std::string> wanted_;
  std::function<void()> on_change_;
  uint64_t uses_ = 0;
  bool stopping_ = false;
  std::thread loader_;
};

}  // namespace sensorium::server
