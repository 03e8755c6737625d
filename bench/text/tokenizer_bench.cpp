// Speed of BPE training, encoding and decoding, as JSON on stdout.
// Text: all strings in the .jsonl files of the text_* folders of SENSORIUM_DATA (or ../shared/data beside the source).
// Usage: tokenizer_bench [TOKENIZER.json]     without a file, one of 8192 tokens is trained on the text
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/threads.h"
#include "text/bpe_trainer.h"
#include "text/tokenizer_json.h"

namespace sensorium::text {
namespace {

constexpr int kRuns = 9;

void append_strings(const Json& json, std::string& out) {
  if (json.is_string()) out += json.get_ref<const std::string&>() + "\n";
  if (json.is_structured()) {
    for (const Json& member : json) append_strings(member, out);
  }
}

std::string read_texts(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    const std::filesystem::path& path = entry.path();
    if (path.extension() == ".jsonl" && path.parent_path().filename().string().starts_with("text_")) {
      files.push_back(path);
    }
  }
  std::sort(files.begin(), files.end());
  std::string text;
  for (const auto& file : files) {
    const std::string lines = read_file(file);
    for (size_t begin = 0; begin < lines.size();) {
      const size_t end = std::min(lines.find('\n', begin), lines.size());
      const auto json = parse_json(std::string_view(lines).substr(begin, end - begin));
      if (json) append_strings(json.value(), text);
      begin = end + 1;
    }
  }
  require(!text.empty(), ErrorKind::not_found, "{}: no text_*/*.jsonl with strings", folder.string());
  return text;
}

template <typename Work>
Json measure(std::string_view name, size_t bytes, Work&& work) {
  std::vector<double> ms;
  for (int run = 0; run < kRuns; ++run) {
    const auto start = std::chrono::steady_clock::now();
    work();
    ms.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
  }
  std::sort(ms.begin(), ms.end());
  const double median = ms[kRuns / 2];
  return {{"name", name},
          {"threads", thread_count()},
          {"bytes", bytes},
          {"median_ms", median},
          {"p10_ms", ms[kRuns / 10]},
          {"p90_ms", ms[kRuns * 9 / 10]},
          {"mb_s", static_cast<double>(bytes) / 1e3 / median}};
}

void run(int argc, char** argv) {
  const char* data = std::getenv("SENSORIUM_DATA");
  const std::string text = read_texts(data != nullptr ? data : SENSORIUM_SOURCE_DIR "/../shared/data");
  const TrainOptions options{8192, {"<|pad|>", "<|im_end|>"}, std::string(kLlama3Pattern), 2};
  const std::vector<std::string> texts = {text};
  const auto tokenizer = argc > 1 ? parse_tokenizer_json(read_file(argv[1])).value() : train_bpe(texts, options);

  // The same tokenizer through PCRE2: the pattern in a group is not one that has a hand-written rule.
  TrainOptions with_regex = options;
  with_regex.pattern = "(?:" + options.pattern + ")";
  const auto by_regex = argc > 1 ? nullptr : train_bpe(texts, with_regex);

  const std::vector<int32_t> ids = tokenizer->encode(text);
  require(tokenizer->decode(ids) == text, ErrorKind::numeric, "decoding does not give the text back");
  require(!by_regex || by_regex->encode(text) == ids, ErrorKind::numeric, "the rule and the regular expression differ");

  Json results = Json::array();
  const int threads = thread_count();
  for (const int count : {1, threads}) {
    set_thread_count(count);
    require(tokenizer->encode(text) == ids, ErrorKind::numeric, "the ids depend on the number of threads");
    results.push_back(measure("tokenizer/encode", text.size(), [&] { tokenizer->encode(text); }));
    if (by_regex) results.push_back(measure("tokenizer/encode_regex", text.size(), [&] { by_regex->encode(text); }));
    if (count == threads) break;
  }
  const std::string prompt = text.substr(0, 400);
  results.push_back(measure("tokenizer/encode_400_bytes", 1000 * prompt.size(), [&] {
    for (int i = 0; i < 1000; ++i) tokenizer->encode(prompt);
  }));
  results.push_back(measure("tokenizer/decode", text.size(), [&] { tokenizer->decode(ids); }));
  if (by_regex) results.push_back(measure("tokenizer/train_8192", text.size(), [&] { train_bpe(texts, options); }));
  std::puts(Json{{"tokens", ids.size()}, {"results", results}}.dump(2).c_str());
}

}  // namespace
}  // namespace sensorium::text

int main(int argc, char** argv) {
  try {
    sensorium::text::run(argc, argv);
  } catch (const sensorium::Error& error) {
    std::fprintf(stderr, "tokenizer_bench: %s\n", error.what());
    return 1;
  }
}
