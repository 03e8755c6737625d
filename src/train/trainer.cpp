#include "train/trainer.h"

#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstdio>

#include "base/file.h"
#include "base/interrupt.h"
#include "tensor/autograd.h"

namespace sensorium::train {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

std::string short_time(double seconds) {
  const auto total = static_cast<int64_t>(std::max(0.0, seconds));
  if (total >= 3600) return fmt::format("{}h{:02}m", total / 3600, total / 60 % 60);
  return fmt::format("{}m{:02}s", total / 60, total % 60);
}

// A line that renews itself on a terminal, and a line now and then elsewhere.
class ProgressLine {
 public:
  explicit ProgressLine(int64_t total) : total_(total), terminal_(::isatty(STDERR_FILENO) != 0) {}
  ~ProgressLine() {
    if (terminal_ && shown_) std::fputc('\n', stderr);
  }
  void show(const StepRecord& record, double seconds_left) {
    if (!terminal_ && shown_ && seconds_since(last_) < 10 && record.step != total_) return;
    last_ = Clock::now();
    shown_ = true;
    const std::string line =
        fmt::format("step {}/{}  loss {:.4f}  {:.0f} tokens/s  {:.1f} images/s  {} left", record.step, total_,
                    record.loss, record.tokens_per_s, record.images_per_s, short_time(seconds_left));
    std::fputs(terminal_ ? fmt::format("\r{}\x1b[K", line).c_str() : (line + "\n").c_str(), stderr);
    std::fflush(stderr);
  }

 private:
  int64_t total_;
  bool terminal_, shown_ = false;
  Clock::time_point last_;
};

// Means of the parts of a step over its batches; parts that a batch lacks do not count.
class PartMeans {
 public:
  void add(const std::vector<std::pair<std::string, double>>& parts) {
    if (sums_.empty()) {
      for (const auto& part : parts) sums_.push_back({part.first, 0, 0});
    }
    for (size_t i = 0; i < parts.size(); ++i) {
      if (!std::isfinite(parts[i].second)) continue;
      sums_[i].sum += parts[i].second;
      ++sums_[i].count;
    }
  }
  std::vector<std::pair<std::string, double>> means() const {
    std::vector<std::pair<std::string, double>> result;
    for (const Sum& s : sums_) result.emplace_back(s.name, s.count == 0 ? std::nan("") : s.sum / s.count);
    return result;
  }

 private:
  struct Sum {
    std::string name;
    double sum;
    int count;
  };
  std::vector<Sum> sums_;
};

}  // namespace

TrainResult run_training(nn::ParameterStore& store, const TrainerOptions& options, const RunBatch& run_batch,
                         const std::function<void(int64_t)>& on_saved) {
  std::error_code code;
  std::filesystem::create_directories(options.out, code);
  require(!code, ErrorKind::io, "{}: cannot create: {}", options.out.string(), code.message());
  const FileLock lock(options.out / "run.lock");
  require(lock.held(), ErrorKind::io,
          "{}: another run trains into this folder: wait for it or give another out=", options.out.string());
  AdamW optimizer(store, options.optimizer);
  int64_t step = 0;
  if (const auto checkpoint = resume(options.out, store, optimizer, options.fingerprint, options.kept)) {
    step = checkpoint->step;
    std::fputs(fmt::format("resuming at step {}\n", step).c_str(), stderr);
  }
  RunLog log(options.out, step);
  const int64_t total = options.schedule.total_steps;
  const int64_t last = options.stop_after > 0 ? std::min(total, step + options.stop_after) : total;
  int64_t saved_step = step;
  const auto report_saved = [&] {
    if (!on_saved) return;
    optimizer.swap_ema();
    on_saved(step);
    optimizer.swap_ema();
  };
  // What is wrong, and what helps: a lower learning rate is another recipe, which cannot go on in the same folder.
  const std::string go_on = options.go_on.empty() ? "init=" + (options.out / "model").string() : options.go_on;
  const auto not_finite = [&](int64_t at, std::string_view what) {
    const std::string saved =
        saved_step == 0 ? std::string("nothing is saved yet. Look at the data or start with a lower learning rate")
                        : fmt::format(
                              "the last good checkpoint is step {}. Look at the data or go on from it with a lower "
                              "learning rate: {} out=NEW_FOLDER train.learning_rate={:.1g}",
                              saved_step, go_on, options.schedule.peak / 3);
    return Error(ErrorKind::numeric, fmt::format("step {}: {}; {}", at, what, saved));
  };
  const auto save = [&] {
    if (saved_step == step) return;
    try {
      save_checkpoint(options.out, step, store, optimizer, options.fingerprint, options.kept);
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::numeric) throw not_finite(step, error.message());
      throw;
    }
    saved_step = step;
    log.write_plot();
    report_saved();
  };
  // The process may have ended between the last checkpoint and what follows from it.
  if (step >= last) report_saved();

  ProgressLine progress(total);
  const Clock::time_point start = Clock::now();
  const int64_t first = step;
  while (step < last) {
    const Clock::time_point step_start = Clock::now();
    StepRecord record{.step = step + 1};
    PartMeans parts;
    int64_t tokens = 0, images = 0, taught = 0;
    for (int64_t part = 0; part < options.accumulate; ++part) {
      const BatchResult batch = run_batch(step, part);
      images += batch.images;
      if (!batch.loss.defined()) continue;
      ++taught;
      const double loss = batch.loss.item();
      if (!std::isfinite(loss)) throw not_finite(step + 1, "the loss is not finite");
      backward(batch.loss, 1.0f / static_cast<float>(options.accumulate));
      record.loss += loss / static_cast<double>(options.accumulate);
      parts.add(batch.parts);
      tokens += batch.tokens;
    }
    if (taught == 0) record.loss = std::nan("");
    record.learning_rate = options.schedule.learning_rate(step);
    try {
      record.grad_norm = optimizer.step(record.learning_rate);
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::numeric) throw not_finite(step + 1, error.message());
      throw;
    }
    record.parts = parts.means();
    const double seconds = seconds_since(step_start);
    record.tokens_per_s = static_cast<double>(tokens) / seconds;
    record.images_per_s = static_cast<double>(images) / seconds;
    ++step;
    log.add(record);
    progress.show(record, seconds_since(start) / static_cast<double>(step - first) * static_cast<double>(total - step));
    if (interrupted()) {
      save();
      fail(ErrorKind::interrupted, "interrupted; saved step {} in {}: the same command goes on from there", step,
           options.out.string());
    }
    if (step % options.save_every == 0) save();
  }
  save();
  return {step == total ? TrainEnd::finished : TrainEnd::stopped, step, log.last_loss()};
}

}  // namespace sensorium::train
