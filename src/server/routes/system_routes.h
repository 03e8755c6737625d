// What operators and monitors ask: health, readiness, version, metrics, the API's description; and the models.
#pragma once

#include "server/routes/route.h"

namespace sensorium::server {

void get_health(Call& call);
void get_ready(Call& call);
void get_version(Call& call);
void get_metrics(Call& call);
void get_openapi(Call& call);
void list_models(Call& call);
void get_model(Call& call);

}  // namespace sensorium::server
