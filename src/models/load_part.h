// What records name, as parts of a message.
#pragma once

#include <string>
#include <vector>

#include "data/record.h"
#include "models/model.h"

namespace sensorium::models {

// `watcher`: the family whose models watch the films, by ModelFamily::read_film and read_frames; nullptr: as the sense of films
// does.

// The file of a picture or a recording. Throws Error as their readers.
ChatPart load_part(const data::MessagePart& part);
// The same, as several parts where the watcher makes them of a film.
std::vector<ChatPart> load_parts(const data::MessagePart& part, const ModelFamily* watcher);
// The picture or recording that the record is about; empty if it has neither. Throws the same.
ChatPart load_percept(const data::Record& record);
// The same, and the sound track of a film's file behind the film.
std::vector<ChatPart> load_percepts(const data::Record& record, const ModelFamily* watcher = nullptr);
// A recording's file, and the sound track of a film's behind the film.
std::vector<ChatPart> load_recordings(const std::string& path, const modality::SenseKind& sense,
                                      const modality::RecordingOptions& options = {},
                                      const ModelFamily* watcher = nullptr);
// The picture alone of a record that has one.
ChatPart load_picture(const data::Record& record);

}  // namespace sensorium::models
