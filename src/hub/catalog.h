// Well-known open checkpoints: which repository, how large, under which licence. It holds no addresses; see repository.h.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace sensorium::hub {

struct CatalogEntry {
  std::string_view name;        // what the user types
  std::string_view repository;  // "owner/name" on the hub
  std::string_view model_type;  // the family, as in docs/models.md
  double parameters_b;          // in thousand millions
  int bytes_per_parameter;      // as the files store them
  std::string_view licence;     // of the weights; what it is made of may add to it
  std::string_view needs;       // another entry that it cannot do without: the vision tower of the original layout

  double weights_gb() const { return parameters_b * bytes_per_parameter; }
};

std::span<const CatalogEntry> catalog();
// nullptr if there is none.
const CatalogEntry* find_in_catalog(std::string_view name);
// The entry of that name or repository, or Error(not_found) that suggests the nearest.
const CatalogEntry& catalog_entry(const std::string& name);

}  // namespace sensorium::hub
