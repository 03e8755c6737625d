// /v1/files: media that are uploaded once and named in later requests.
#pragma once

#include "server/routes/route.h"

namespace sensorium::server {

void upload_file(Call& call);
void list_files(Call& call);
void get_file(Call& call);
void get_file_content(Call& call);
void delete_file(Call& call);

}  // namespace sensorium::server
