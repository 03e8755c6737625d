// Records and texts as vectors of a model with a joint space: for the tasks that compare vectors.
#pragma once

#include "data/record.h"
#include "eval/examiner.h"
#include "models/embedding/embedder.h"

namespace sensorium::eval {

// What the record is about: its first medium that the model has a sense for.
bool has_media(const data::Record& record);
// Whether the model has a sense for any of it.
bool perceives(const models::Embedder& embedder, const data::Record& record);
// As an input; of a film that is kept as frames, the frames. Throws Error with the record's file and line: unsupported (no sense of
// the model's), and as models::load_input.
std::vector<models::EmbedInput> media_inputs(const data::Record& record, const models::Embedder& embedder);
// Of the examiner's open record, f32 [1, dim] as the model makes it: for frames the mean of their vectors. Computed once a record.
const Examiner::Placed& media_vector(Examiner& examiner);

}  // namespace sensorium::eval
