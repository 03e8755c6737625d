// A running server: connections, the gate, routes, the scheduler and the models behind them.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "generate/generate.h"
#include "server/http/listener.h"
#include "server/routes/folder_search.h"
#include "server/routes/gate.h"
#include "server/routes/media_source.h"
#include "server/scheduling/model_pool.h"
#include "server/scheduling/scheduler.h"

namespace sensorium::server {

struct ServerOptions {
  ListenerOptions listener;
  GateOptions gate;
  MediaOptions media;
  std::vector<ModelSource> models;  // the first is the default, loaded at once
  ModelPool::Options pool;
  ModelPool::Load load;  // for tests; empty: models::load_model
  SchedulerOptions scheduler;
  generate::GenerateOptions defaults;  // of requests that do not say
  bool mark_media = true;              // Job::mark_media
  std::chrono::milliseconds request_timeout{600'000};
  std::chrono::milliseconds grace{30'000};  // for answers that are being made when the server is stopped
  size_t workers = 2;                       // threads that parse and decode
  std::filesystem::path files;              // folder of uploads; "": a temporary one
  int64_t max_files_bytes = int64_t{4} << 30;
  std::string database;       // of conversations: a file of SQLite or postgresql://...; "": none are kept
  std::filesystem::path web;  // folder of the page; "": none
  FolderSearchOptions search;
  bool log_requests = true;  // one line each on standard error, without content
};

class Server {
 public:
  // Listens from now on. Throws Error: usage, io.
  explicit Server(ServerOptions options);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  int port() const;
  // Serves until stop() is called or the process is interrupted; then finishes what is being answered.
  void run();
  // From any thread.
  void stop();

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace sensorium::server
