// /v1/files: media that are uploaded once and named in later requests.
#pragma once

#include "server/routes/file_store.h"
#include "server/routes/route.h"

namespace sensorium::server {

// As OpenAI's API describes a file, and as Gemini's does.
OrderedJson file_json(const StoredFile& file);

void upload_file(Call& call);
void list_files(Call& call);
void get_file(Call& call);
void get_file_content(Call& call);
void delete_file(Call& call);

}  // namespace sensorium::server
