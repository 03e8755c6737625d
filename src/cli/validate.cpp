#include <cstdio>

#include "cli/command.h"
#include "cli/options.h"
#include "data/dataset.h"

namespace sensorium::cli {
namespace {

struct ValidateCommand {
  std::string data;
  size_t max_faults = 20;
  bool decode = false, json = false;
};

void validate(const ValidateCommand& command) {
  const data::ValidationReport report = data::validate_dataset(
      command.data, command.max_faults, command.decode ? data::PictureCheck::decode : data::PictureCheck::header);
  if (command.json) {
    OrderedJson json{
        {"data", command.data}, {"records", report.records}, {"pictures", report.pictures}, {"faulty", report.faulty}};
    json["faults"] = OrderedJson::array();
    for (const data::Fault& fault : report.faults)
      json["faults"].push_back({{"where", fault.where}, {"what", fault.what}});
    json["ignored_fields"] = report.ignored_fields;
    std::puts(json.dump().c_str());
  } else {
    for (const data::Fault& fault : report.faults) std::puts(fmt::format("{}: {}", fault.where, fault.what).c_str());
    for (const auto& [field, records] : report.ignored_fields) {
      std::puts(fmt::format("field \"{}\" of {} records is not read", field, records).c_str());
    }
    std::puts(fmt::format("{}: {} records, {} pictures, {} faulty records", command.data, report.records,
                          report.pictures, report.faulty)
                  .c_str());
  }
  std::fflush(stdout);
  require(report.records > 0, ErrorKind::invalid_data, "{}: holds no records", command.data);
  require(report.faulty == 0, ErrorKind::invalid_data, "{}: {} of {} records are faulty", command.data, report.faulty,
          report.records);
}

}  // namespace

void add_validate(CLI::App& app) {
  auto command = std::make_shared<ValidateCommand>();
  CLI::App* verb = app.add_subcommand("validate", "Check every record of a data set and name each fault");
  verb->add_option("data", command->data, "Data set: JSON lines, a JSON list, .txt, or a folder of class folders")
      ->required();
  verb->add_option("--max-faults", command->max_faults, "Faults to name")
      ->capture_default_str()
      ->check(whole_number(0));
  verb->add_flag("--decode", command->decode,
                 "Decode every picture: finds damage behind a sound header, but is slower");
  verb->add_flag("--json", command->json,
                 "Print one JSON object: data, records, pictures, faulty, faults, ignored_fields");
  verb->footer("Exits with 1 if there is a fault.\nExample:\n  sensorium validate my/train.jsonl --decode");
  verb->callback([command] { validate(*command); });
}

}  // namespace sensorium::cli
