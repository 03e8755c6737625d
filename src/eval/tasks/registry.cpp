#include <array>

#include "eval/tasks/tasks.h"

namespace sensorium::eval {
namespace {

constexpr std::array<TaskEntry, 11> kTasks = {{
    {"qa", "questions with short answers", carries_qa, make_qa},
    {"class", "the class of a picture or a recording", carries_class, make_class},
    {"count", "numbers of things, counted by their boxes", carries_count, make_count},
    {"boxes", "boxes around things", carries_boxes, make_boxes},
    {"caption", "descriptions of pictures", carries_caption, make_caption},
    {"statement", "whether a sentence about a picture is true", carries_statement, make_statement},
    {"transcript", "what is written in a picture or said in a recording", carries_transcript, make_transcript},
    {"text", "running text, token by token", carries_text, make_text},
    {"zero_shot", "the class of any medium by the vectors of the classes (models with a joint space)",
     carries_zero_shot, make_zero_shot, TaskModel::embeds},
    {"retrieval", "media by captions and captions by media (models with a joint space)", carries_retrieval,
     make_retrieval, TaskModel::embeds},
    {"across", "media of one sense by media of another with the same class (models with a joint space)", carries_across,
     make_across, TaskModel::embeds},
}};

}  // namespace

std::span<const TaskEntry> task_table() { return kTasks; }

}  // namespace sensorium::eval
