// What a run trains, and on what: the side of it that the loop (trainer.h) does not know. Kinds of courses are a table in
// course.cpp.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

#include "train/recipe.h"
#include "train/trainer.h"

namespace sensorium::train {

class Course {
 public:
  // How many conversations and texts there were, and how many of them were left out because too little of them fits.
  struct Fit {
    int64_t all = 0, too_long = 0, context = 0;  // context: tokens that the model takes
  };

  virtual ~Course() = default;
  virtual nn::ParameterStore& store() = 0;
  // The recipe's, and what the course knows better: steps of an epoch, what checkpoints hold.
  virtual TrainerOptions options() const = 0;
  virtual BatchResult run_batch(int64_t step, int64_t part) = 0;
  // Writes what users take from the run into result(), after `step` steps.
  virtual void save(int64_t step) = 0;
  virtual std::filesystem::path result() const = 0;
  virtual Fit fit() const = 0;
};

// Opens model and data. Throws Error: usage (a key of the recipe that this kind of course does not know), and what the parts
// throw.
std::unique_ptr<Course> open_course(const Recipe& recipe);

// The kinds.
std::unique_ptr<Course> open_native_course(const Recipe& recipe);
std::unique_ptr<Course> open_conversation_course(const Recipe& recipe);
std::unique_ptr<Course> open_bind_course(const Recipe& recipe);
std::unique_ptr<Course> open_joint_course(const Recipe& recipe);

// Batches in a row with nothing to learn from; too many end the run.
class Patience {
 public:
  // Throws Error(usage) that says why after twenty calls in a row.
  void silent(const Course::Fit& fit, const char* otherwise);
  void taught() { silent_ = 0; }

 private:
  int64_t silent_ = 0;
};

}  // namespace sensorium::train
