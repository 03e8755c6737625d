// What routes work with; one of each in a server.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>

#include "generate/generate.h"
#include "server/http/listener.h"
#include "server/routes/file_store.h"
#include "server/routes/gate.h"
#include "server/routes/gemini_files.h"
#include "server/routes/media_source.h"
#include "server/scheduling/metrics.h"
#include "server/scheduling/model_pool.h"
#include "server/scheduling/scheduler.h"
#include "server/storage/conversations.h"

namespace sensorium::server {

class FolderSearch;

struct Services {
  ModelPool& models;
  Scheduler& scheduler;
  Metrics& metrics;
  Gate& gate;
  MediaSource& media;
  FileStore& files;
  UploadSessions& uploads;
  ConversationStore* conversations;           // null: none are kept
  FolderSearch* search;                       // null: no folder is searched
  const generate::GenerateOptions& defaults;  // of requests that do not say
  bool mark_media;                            // Job::mark_media
  std::chrono::milliseconds request_timeout;
  std::filesystem::path web;       // the page's folder; "": none
  std::function<bool()> draining;  // the server is being stopped
  std::function<Listener::Statistics()> connections;
};

}  // namespace sensorium::server
