#include "server/routes/folder_search.h"

#include "base/log.h"

namespace sensorium::server {
namespace {

constexpr const char* kPlace = ".sensorium-index";
constexpr size_t kFilesOfPart = 2;
// A look goes through the whole folder; one that was just done is good enough.
constexpr std::chrono::seconds kLookEvery{2};

class NobodyWaits : public JobSink {
 public:
  explicit NobodyWaits(std::atomic<bool>& reading) : reading_(reading) {}
  bool wanted() const override { return true; }
  void done() override { reading_ = false; }
  void failed(Fault fault, const Error& error) override {
    reading_ = false;
    if (fault != Fault::shutdown) log_warning("the folder cannot be read for search: {}", error.message());
  }

 private:
  std::atomic<bool>& reading_;
};

}  // namespace

class FolderSearch::Reading : public ModelTask {
 public:
  explicit Reading(FolderSearch& search) : search_(search) {}
  bool step(const std::shared_ptr<const models::Model>& model) override {
    if (!std::exchange(prepared_, true)) {
      search_.prepare(model);
      return false;
    }
    return search_.read_some();
  }

 private:
  FolderSearch& search_;
  bool prepared_ = false;
};

FolderSearch::FolderSearch(FolderSearchOptions options) : options_(std::move(options)) {
  if (options_.folder.empty()) return;
  std::error_code code;
  require(std::filesystem::is_directory(options_.folder, code), ErrorKind::not_found, "{}: no such folder",
          options_.folder.string());
  if (options_.place.empty()) options_.place = options_.folder / kPlace;
}

void FolderSearch::read_in_background(Scheduler& scheduler) {
  if (reading_.exchange(true)) return;
  Job job{.model = options_.model, .client = "search"};
  job.task = std::make_shared<Reading>(*this);
  job.samples = 0;
  job.sink = std::make_shared<NobodyWaits>(reading_);
  if (!scheduler.submit(std::move(job))) reading_ = false;
}

void FolderSearch::prepare(const std::shared_ptr<const models::Model>& model) {
  require_embedder(*model);
  if (model_ != model) {
    index_.reset();
    model_.reset();
    unread_ = 0;
    looked_ = {};
    try {
      index_ = std::make_unique<apps::FolderIndex>(options_.folder, options_.place, *model, options_.model);
    } catch (const Error& error) {
      log_warning("the index of the folder cannot be opened: {}", error.message());
      throw ApiError(503, "the index of the folder cannot be opened; the server's log says why", "index_unavailable");
    }
    model_ = model;
  }
  if (unread_ > 0 || (looked_ != Clock::time_point() && Clock::now() - looked_ < kLookEvery)) return;
  unread_ = index_->begin_update();
  looked_ = Clock::now();
}

bool FolderSearch::read_some() {
  if (unread_ == 0) return true;
  const auto before = static_cast<size_t>(index_->last_update().read) + index_->last_update().faults.size();
  const bool over = index_->update_part(kFilesOfPart);
  const apps::FolderIndex::Update& update = index_->last_update();
  const size_t after = static_cast<size_t>(update.read) + update.faults.size();
  unread_ = over ? 0 : std::max<int64_t>(unread_ - static_cast<int64_t>(after - before), 1);
  if (over && !update.faults.empty())
    log_warning("search leaves out {} files: {}{}", update.faults.size(), update.faults.front().second,
                update.faults.size() > 1 ? " ..." : "");
  return over;
}

std::vector<apps::FoundFile> FolderSearch::search(std::span<const float> query, size_t count,
                                                  const std::vector<models::InputSense>& senses) const {
  return index_->search(Tensor::from(query, {static_cast<int64_t>(query.size())}), count, senses);
}

}  // namespace sensorium::server
