#include "cli/command.h"

int main(int argc, char** argv) { return sensorium::cli::run(argc, argv); }
