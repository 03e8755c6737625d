// The entries of the table of tasks (registry.cpp), one pair a source file.
#pragma once

#include "eval/tasks/task.h"

namespace sensorium::eval {

bool carries_qa(const data::Record& record);
std::unique_ptr<Task> make_qa(const Overview& overview);

bool carries_class(const data::Record& record);
std::unique_ptr<Task> make_class(const Overview& overview);

bool carries_count(const data::Record& record);
std::unique_ptr<Task> make_count(const Overview& overview);

bool carries_boxes(const data::Record& record);
std::unique_ptr<Task> make_boxes(const Overview& overview);

bool carries_caption(const data::Record& record);
std::unique_ptr<Task> make_caption(const Overview& overview);

bool carries_statement(const data::Record& record);
std::unique_ptr<Task> make_statement(const Overview& overview);

bool carries_transcript(const data::Record& record);
std::unique_ptr<Task> make_transcript(const Overview& overview);

bool carries_text(const data::Record& record);
std::unique_ptr<Task> make_text(const Overview& overview);

bool carries_zero_shot(const data::Record& record);
std::unique_ptr<Task> make_zero_shot(const Overview& overview);

bool carries_retrieval(const data::Record& record);
std::unique_ptr<Task> make_retrieval(const Overview& overview);

bool carries_across(const data::Record& record);
std::unique_ptr<Task> make_across(const Overview& overview);

}  // namespace sensorium::eval
