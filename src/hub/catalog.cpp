#include "hub/catalog.h"

#include <array>
#include <vector>

#include "base/error.h"
#include "base/json.h"

namespace sensorium::hub {
namespace {

constexpr std::string_view kLlama2 = "Llama 2 Community License", kLlama3 = "Llama 3 Community License";
constexpr std::string_view kApache = "Apache-2.0", kMit = "MIT";

// Licences as the model cards state them; parameters are those of the whole checkpoint, tower included.
constexpr std::array<CatalogEntry, 21> kCatalog = {{
    {"llava-1.5-7b", "llava-hf/llava-1.5-7b-hf", "llava", 7.06, 2, kLlama2, ""},
    {"llava-1.5-13b", "llava-hf/llava-1.5-13b-hf", "llava", 13.35, 2, kLlama2, ""},
    {"llava-1.6-vicuna-7b", "llava-hf/llava-v1.6-vicuna-7b-hf", "llava_next", 7.06, 2, kLlama2, ""},
    {"llava-1.6-vicuna-13b", "llava-hf/llava-v1.6-vicuna-13b-hf", "llava_next", 13.35, 2, kLlama2, ""},
    {"llava-1.6-mistral-7b", "llava-hf/llava-v1.6-mistral-7b-hf", "llava_next", 7.57, 2, kApache, ""},
    {"llava-1.6-34b", "llava-hf/llava-v1.6-34b-hf", "llava_next", 34.75, 2, kApache, ""},
    {"llava-next-llama3-8b", "llava-hf/llama3-llava-next-8b-hf", "llava_next", 8.36, 2, kLlama3, ""},
    {"llava-onevision-0.5b", "llava-hf/llava-onevision-qwen2-0.5b-ov-hf", "llava_onevision", 0.89, 2, kApache, ""},
    {"llava-onevision-7b", "llava-hf/llava-onevision-qwen2-7b-ov-hf", "llava_onevision", 8.03, 2, kApache, ""},
    {"llava-1.5-7b-original", "liuhaotian/llava-v1.5-7b", "llava", 6.76, 2, kLlama2, "clip-l14-336"},
    {"llava-1.5-13b-original", "liuhaotian/llava-v1.5-13b", "llava", 13.05, 2, kLlama2, "clip-l14-336"},
    {"llava-med-7b", "microsoft/llava-med-v1.5-mistral-7b", "llava", 7.57, 2,
     "Microsoft Research License (research only)", "clip-l14-336"},
    {"clip-l14-336", "openai/clip-vit-large-patch14-336", "clip", 0.43, 4, kMit, ""},
    {"clip-b32", "openai/clip-vit-base-patch32", "clip", 0.15, 4, kMit, ""},
    {"siglip-so400m", "google/siglip-so400m-patch14-384", "siglip", 0.88, 4, kApache, ""},
    {"tinyllama-1.1b", "TinyLlama/TinyLlama-1.1B-Chat-v1.0", "llama", 1.1, 2, kApache, ""},
    {"vicuna-7b", "lmsys/vicuna-7b-v1.5", "llama", 6.74, 2, kLlama2, ""},
    {"llama-3-8b", "meta-llama/Meta-Llama-3-8B-Instruct", "llama", 8.03, 2, kLlama3, ""},
    {"mistral-7b", "mistralai/Mistral-7B-Instruct-v0.2", "mistral", 7.24, 2, kApache, ""},
    {"qwen2.5-0.5b", "Qwen/Qwen2.5-0.5B-Instruct", "qwen2", 0.49, 2, kApache, ""},
    {"qwen2.5-7b", "Qwen/Qwen2.5-7B-Instruct", "qwen2", 7.62, 2, kApache, ""},
}};

}  // namespace

std::span<const CatalogEntry> catalog() { return kCatalog; }

const CatalogEntry* find_in_catalog(std::string_view name) {
  for (const CatalogEntry& entry : kCatalog) {
    if (name == entry.name || name == entry.repository) return &entry;
  }
  return nullptr;
}

const CatalogEntry& catalog_entry(const std::string& name) {
  if (const CatalogEntry* entry = find_in_catalog(name)) return *entry;
  std::vector<std::string> names;
  for (const CatalogEntry& entry : kCatalog) names.emplace_back(entry.name);
  const std::string near = nearest_match(name, names);
  fail(ErrorKind::not_found, "no checkpoint \"{}\" in the table; {}", name,
       near.empty() ? "see sensorium fetch-plan without a name" : fmt::format("did you mean \"{}\"?", near));
}

}  // namespace sensorium::hub
