#include "train/trainer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <sstream>

#include "base/interrupt.h"
#include "base/json.h"
#include "data/temp_folder.h"
#include "ops/ops.h"
#include "train/checkpoint.h"

namespace sensorium::train {
namespace {

// Linear classification of points in the plane into three sectors; a batch depends on its step and part alone.
class Toy {
 public:
  explicit Toy(uint64_t seed = 1) : store(seed) {
    hidden_ = store.add("hidden.weight", {16, 2}, nn::Init::he, 1.0f);
    bias_ = store.add("hidden.bias", {16}, nn::Init::zeros);
    out_ = store.add("out.weight", {3, 16}, nn::Init::lecun, 1.0f);
  }
  BatchResult batch(int64_t first, int64_t count) const {
    std::vector<float> points;
    std::vector<int32_t> sectors;
    for (int64_t i = first; i < first + count; ++i) {
      Rng rng = Rng::for_item(3, static_cast<uint64_t>(i));
      const double angle = rng.uniform(0, 6.28), radius = rng.uniform(0.5, 2);
      points.push_back(static_cast<float>(radius * std::cos(angle)));
      points.push_back(static_cast<float>(radius * std::sin(angle)));
      sectors.push_back(static_cast<int32_t>(angle / 2.1));
    }
    const Tensor h = ops::relu(ops::linear(Tensor::from(points, {count, 2}), hidden_, bias_));
    BatchResult result;
    result.loss = ops::cross_entropy(ops::linear(h, out_), Tensor::from(sectors, {count}));
    result.parts = {{"sector", result.loss.item()}, {"absent", std::nan("")}};
    result.tokens = count;
    return result;
  }
  RunBatch batches_of(int64_t count, int64_t parts = 1) const {
    return [this, count, parts](int64_t step, int64_t part) { return batch((step * parts + part) * count, count); };
  }
  std::vector<std::vector<float>> values() const {
    std::vector<std::vector<float>> all;
    for (const nn::Parameter& parameter : store.parameters()) all.push_back(parameter.value.to_floats());
    return all;
  }

  nn::ParameterStore store;

 private:
  Tensor hidden_, bias_, out_;
};

class Trainer : public data::TempFolder {
 protected:
  void TearDown() override {
    set_interrupted(false);
    TempFolder::TearDown();
  }
  TrainerOptions options(int64_t steps, const std::string& out = "run") const {
    TrainerOptions result;
    result.out = folder_ / out;
    result.fingerprint = "toy";
    result.schedule = {.peak = 0.02, .warmup_steps = 5, .total_steps = steps, .final_fraction = 0.1};
    result.optimizer = {.weight_decay = 0.01, .ema_decay = 0.9};
    result.save_every = 10;
    return result;
  }
  std::vector<Json> lines(const std::string& out = "run") const {
    std::istringstream text(read_file(folder_ / out / "train.jsonl"));
    std::vector<Json> result;
    for (std::string line; std::getline(text, line);) result.push_back(parse_json(line).value());
    return result;
  }
  // What a resume must reproduce of a line: all but the speeds.
  static std::vector<Json> without_speed(std::vector<Json> records) {
    for (Json& record : records) {
      record.erase("tokens_per_s");
      record.erase("images_per_s");
    }
    return records;
  }
};

TEST_F(Trainer, TheLossFallsAndEveryStepIsLogged) {
  Toy toy;
  TrainerOptions rarely = options(120);
  rarely.save_every = 120;
  EXPECT_EQ(run_training(toy.store, rarely, toy.batches_of(32)).end, TrainEnd::finished);
  const std::vector<Json> log = lines();
  ASSERT_EQ(log.size(), 120u);
  const Schedule schedule = options(120).schedule;
  double last = 0;
  for (size_t i = 0; i < log.size(); ++i) {
    EXPECT_EQ(log[i].at("step").get<size_t>(), i + 1);
    EXPECT_NEAR(log[i].at("learning_rate").get<double>(), schedule.learning_rate(static_cast<int64_t>(i)), 1e-12);
    EXPECT_EQ(log[i].at("sector"), log[i].at("loss"));
    EXPECT_FALSE(log[i].contains("absent"));
    EXPECT_GT(log[i].at("grad_norm").get<double>(), 0);
    if (i >= 110) last += log[i].at("loss").get<double>() / 10;
  }
  EXPECT_NEAR(log[0].at("loss").get<double>(), std::log(3.0), 0.6);
  EXPECT_LT(last, 0.3);
  EXPECT_TRUE(std::filesystem::exists(folder_ / "run" / "loss.svg"));
  EXPECT_EQ(latest_checkpoint(folder_ / "run")->step, 120);
}

TEST_F(Trainer, TwoBatchesOfAStepEqualOneOfTwiceTheSize) {
  Toy one, two;
  TrainerOptions halves = options(8, "halves");
  halves.accumulate = 2;
  run_training(one.store, options(8, "whole"), one.batches_of(24));
  run_training(two.store, halves, two.batches_of(12, 2));
  const std::vector<Json> whole = lines("whole"), parts = lines("halves");
  for (size_t i = 0; i < 8; ++i) {
    EXPECT_NEAR(whole[i].at("loss").get<double>(), parts[i].at("loss").get<double>(), 1e-5) << i;
    EXPECT_NEAR(whole[i].at("sector").get<double>(), parts[i].at("sector").get<double>(), 1e-5) << i;
    EXPECT_NEAR(whole[i].at("grad_norm").get<double>(), parts[i].at("grad_norm").get<double>(), 1e-4) << i;
  }
  const auto a = one.values(), b = two.values();
  for (size_t i = 0; i < a.size(); ++i) {
    for (size_t k = 0; k < a[i].size(); ++k) EXPECT_NEAR(a[i][k], b[i][k], 1e-4);
  }
}

TEST_F(Trainer, AStoppedRunGoesOnBitForBit) {
  Toy straight, pieces;
  run_training(straight.store, options(25, "straight"), straight.batches_of(16));
  TrainerOptions some = options(25, "pieces");
  some.stop_after = 9;
  EXPECT_EQ(run_training(pieces.store, some, pieces.batches_of(16)).end, TrainEnd::stopped);
  EXPECT_EQ(lines("pieces").size(), 9u);
  Toy second(2);  // what it starts with does not matter
  EXPECT_EQ(run_training(second.store, some, second.batches_of(16)).end, TrainEnd::stopped);
  EXPECT_EQ(latest_checkpoint(folder_ / "pieces")->step, 18);
  Toy third(3);
  EXPECT_EQ(run_training(third.store, some, third.batches_of(16)).end, TrainEnd::finished);
  EXPECT_EQ(third.values(), straight.values());
  EXPECT_EQ(without_speed(lines("pieces")), without_speed(lines("straight")));
  // Once more: there is nothing left to do.
  Toy fourth(4);
  const auto never = [](int64_t, int64_t) -> BatchResult { throw std::logic_error("a batch after the end"); };
  EXPECT_EQ(run_training(fourth.store, some, never).end, TrainEnd::finished);
  EXPECT_EQ(fourth.values(), straight.values());
}

TEST_F(Trainer, ACrashBetweenCheckpointsIsRepeatedFromTheLastOne) {
  Toy straight, crashing;
  run_training(straight.store, options(25, "straight"), straight.batches_of(16));
  const auto batches = crashing.batches_of(16);
  const auto crash = [&](int64_t step, int64_t part) {
    if (step == 17) throw std::runtime_error("power cut");
    return batches(step, part);
  };
  EXPECT_THROW(run_training(crashing.store, options(25, "crashed"), crash), std::runtime_error);
  EXPECT_EQ(lines("crashed").size(), 17u);
  EXPECT_EQ(latest_checkpoint(folder_ / "crashed")->step, 10);
  // The crash cut the log's last line off, too.
  write_file_atomic(folder_ / "crashed" / "train.jsonl",
                    read_file(folder_ / "crashed" / "train.jsonl") + "{\"step\": 18, \"lo");
  Toy resumed(5);
  run_training(resumed.store, options(25, "crashed"), resumed.batches_of(16));
  EXPECT_EQ(resumed.values(), straight.values());
  EXPECT_EQ(without_speed(lines("crashed")), without_speed(lines("straight")));  // steps 11 to 17 stand there once
}

TEST_F(Trainer, ALossThatIsNotFiniteStopsTheRunAndNamesTheStep) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    Toy toy;
    const std::string out = std::isnan(bad) ? "nan" : "inf";
    const auto batches = toy.batches_of(16);
    std::vector<std::vector<float>> before;
    const auto broken = [&](int64_t step, int64_t part) {
      BatchResult result = batches(step, part);
      if (step == 13) {
        before = toy.values();
        result.loss = ops::scale(result.loss, bad);
      }
      return result;
    };
    try {
      run_training(toy.store, options(25, out), broken);
      FAIL() << "the run went on";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::numeric);
      EXPECT_NE(error.message().find("step 14"), std::string::npos) << error.message();
      EXPECT_NE(error.message().find("step 10"), std::string::npos) << error.message();
      // What it says to do is not what a resume refuses.
      EXPECT_NE(error.message().find("init=" + (folder_ / out / "model").string()), std::string::npos);
    }
    EXPECT_EQ(latest_checkpoint(folder_ / out)->step, 10);
    EXPECT_EQ(toy.values(), before);
    EXPECT_EQ(lines(out).size(), 13u);
  }
}

TEST_F(Trainer, AGradientThatIsNotFiniteStopsTheRunToo) {
  Toy toy;
  const auto batches = toy.batches_of(16);
  const auto broken = [&](int64_t step, int64_t part) {
    BatchResult result = batches(step, part);
    if (step == 3) {
      result.loss = record("broken", Tensor::full({1}, 1.0f), {result.loss}, [](const Tensor&) {
        return std::vector<Tensor>{Tensor::full({1}, std::numeric_limits<float>::quiet_NaN())};
      });
    }
    return result;
  };
  try {
    run_training(toy.store, options(25), broken);
    FAIL() << "the run went on";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::numeric);
    EXPECT_NE(error.message().find("step 4"), std::string::npos) << error.message();
  }
  EXPECT_FALSE(latest_checkpoint(folder_ / "run").has_value());
}

TEST_F(Trainer, ParametersThatAreNotFiniteAreNotSaved) {
  Toy toy;
  const auto batches = toy.batches_of(16);
  std::vector<int64_t> saved;
  const auto broken = [&](int64_t step, int64_t part) {
    BatchResult result = batches(step, part);
    // As an update that overflows leaves them; the loss of this step has not seen it yet.
    if (step == 19) toy.store.parameters()[1].value.data<float>()[0] = std::numeric_limits<float>::infinity();
    return result;
  };
  try {
    run_training(toy.store, options(25), broken, [&](int64_t step) { saved.push_back(step); });
    FAIL() << "the run went on";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::numeric);
    EXPECT_NE(error.message().find("step 20"), std::string::npos) << error.message();
    EXPECT_NE(error.message().find("step 10"), std::string::npos) << error.message();
  }
  EXPECT_EQ(saved, (std::vector<int64_t>{10}));
  EXPECT_EQ(latest_checkpoint(folder_ / "run")->step, 10);
}

TEST_F(Trainer, ADamagedCheckpointIsPassedOverAndTheRunIsTheSame) {
  Toy straight, toy;
  run_training(straight.store, options(25, "straight"), straight.batches_of(16));
  TrainerOptions some = options(25);
  some.stop_after = 20;
  run_training(toy.store, some, toy.batches_of(16));
  const std::filesystem::path weights = folder_ / "run" / "checkpoints" / "step-00000020" / "state.safetensors";
  std::filesystem::resize_file(weights, std::filesystem::file_size(weights) / 2);
  Toy resumed(3);
  testing::internal::CaptureStderr();
  run_training(resumed.store, options(25), resumed.batches_of(16));
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find("warning: "), std::string::npos) << said;
  EXPECT_NE(said.find("resuming at step 10\n"), std::string::npos) << said;
  EXPECT_EQ(resumed.values(), straight.values());
  EXPECT_EQ(without_speed(lines()), without_speed(lines("straight")));
}

TEST_F(Trainer, OneRunPerFolder) {
  Toy toy;
  std::filesystem::create_directories(folder_ / "run");
  {
    const FileLock other(folder_ / "run" / "run.lock");
    try {
      run_training(toy.store, options(5), toy.batches_of(8));
      FAIL() << "two runs in one folder";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::io);
      EXPECT_NE(error.message().find("another run"), std::string::npos) << error.message();
    }
    EXPECT_FALSE(std::filesystem::exists(folder_ / "run" / "train.jsonl"));
  }
  EXPECT_EQ(run_training(toy.store, options(5), toy.batches_of(8)).end, TrainEnd::finished);
}

TEST_F(Trainer, AFinishedRunTellsItsLossAgainAndLeavesNothing) {
  const auto entries = [&] {
    return std::distance(std::filesystem::recursive_directory_iterator(folder_ / "run"),
                         std::filesystem::recursive_directory_iterator());
  };
  Toy toy;
  const TrainResult first = run_training(toy.store, options(12), toy.batches_of(16));
  EXPECT_EQ(first.steps, 12);
  EXPECT_EQ(first.loss, lines().back().at("loss").get<double>());
  const auto before = entries();
  Toy again(2);
  const TrainResult second = run_training(again.store, options(12), again.batches_of(16));
  EXPECT_EQ(second.steps, 12);
  EXPECT_EQ(second.loss, first.loss);
  EXPECT_EQ(entries(), before);
}

TEST_F(Trainer, ABatchWithNothingToLearnIsPassedOver) {
  Toy toy;
  const auto batches = toy.batches_of(16);
  std::vector<std::vector<float>> before;
  const auto some_empty = [&](int64_t step, int64_t part) {
    if (step == 4) before = toy.values();
    if (step == 5) {
      EXPECT_EQ(toy.values(), before);
    }
    return step == 4 ? BatchResult{} : batches(step, part);
  };
  TrainerOptions still = options(12);
  still.optimizer.ema_decay = 0;
  const TrainResult result = run_training(toy.store, still, some_empty);
  EXPECT_EQ(result.end, TrainEnd::finished);
  EXPECT_TRUE(std::isfinite(result.loss));
  EXPECT_EQ(lines().size(), 12u);
  EXPECT_FALSE(lines()[4].contains("loss"));
  EXPECT_TRUE(lines()[5].contains("loss"));
}

TEST_F(Trainer, AnInterruptionSavesTheStepThatIsDone) {
  Toy straight, toy;
  run_training(straight.store, options(25, "straight"), straight.batches_of(16));
  const auto batches = toy.batches_of(16);
  const auto interrupt = [&](int64_t step, int64_t part) {
    if (step == 6) set_interrupted(true);
    return batches(step, part);
  };
  try {
    run_training(toy.store, options(25), interrupt);
    FAIL() << "the run went on";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::interrupted);
    EXPECT_NE(error.message().find("step 7"), std::string::npos) << error.message();
  }
  EXPECT_EQ(latest_checkpoint(folder_ / "run")->step, 7);
  set_interrupted(false);
  Toy resumed(8);
  run_training(resumed.store, options(25), resumed.batches_of(16));
  EXPECT_EQ(resumed.values(), straight.values());
}

TEST_F(Trainer, OnSavedSeesTheMovingAverage) {
  Toy toy, plain;
  TrainerOptions no_average = options(20, "plain");
  no_average.optimizer.ema_decay = 0;
  run_training(plain.store, no_average, plain.batches_of(16));
  std::vector<int64_t> steps;
  std::vector<std::vector<float>> seen;
  run_training(toy.store, options(20), toy.batches_of(16), [&](int64_t step) {
    steps.push_back(step);
    seen = toy.values();
  });
  EXPECT_EQ(steps, (std::vector<int64_t>{10, 20}));
  EXPECT_EQ(toy.values(), plain.values());  // the average does not change the training
  EXPECT_NE(seen, toy.values());
}

TEST_F(Trainer, AFinishedRunThatEndedBeforeOnSavedReportsAgain) {
  Toy toy;
  std::vector<std::vector<float>> lost, again;
  const auto killed = [&](int64_t step) {
    lost = toy.values();
    if (step == 20) throw std::runtime_error("power cut");
  };
  EXPECT_THROW(run_training(toy.store, options(20), toy.batches_of(16), killed), std::runtime_error);
  Toy resumed(2);
  int64_t reported = 0;
  run_training(resumed.store, options(20), resumed.batches_of(16), [&](int64_t step) {
    reported = step;
    again = resumed.values();
  });
  EXPECT_EQ(reported, 20);
  EXPECT_EQ(again, lost);
}

TEST_F(Trainer, AnotherRecipesRunIsNotOverwritten) {
  Toy toy;
  run_training(toy.store, options(5), toy.batches_of(8));
  TrainerOptions other = options(5);
  other.fingerprint = "another";
  try {
    run_training(toy.store, other, toy.batches_of(8));
    FAIL() << "the run went on";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
  }
  EXPECT_EQ(lines().size(), 5u);
}

TEST_F(Trainer, AFolderThatCannotBeMadeIsAnError) {
  write("run", "a file");
  Toy toy;
  try {
    run_training(toy.store, options(5), toy.batches_of(8));
    FAIL() << "the run went on";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::io);
    EXPECT_NE(error.message().find((folder_ / "run").string()), std::string::npos) << error.message();
  }
}

}  // namespace
}  // namespace sensorium::train
