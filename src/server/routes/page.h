// The web page: files of a folder, under / and /web/.
#pragma once

#include "server/routes/route.h"

namespace sensorium::server {

void get_page(Call& call);
void get_web_file(Call& call);

}  // namespace sensorium::server
