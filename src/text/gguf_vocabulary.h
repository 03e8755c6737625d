// A model folder's tokenizer as the metadata of a GGUF file ("tokenizer.ggml.*"): SentencePiece BPE becomes the model "llama",
// byte-level BPE the model "gpt2". Source: the GGUF specification and the converters of llama.cpp.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include "io/gguf.h"

namespace sensorium::text {

struct GgufVocabularyOptions {
  int64_t rows = 0;                      // of the embedding: tokens are filled up to it. Fewer than tokens: an error
  std::optional<int64_t> bos, eos, pad;  // of the model's configuration, for folders whose tokenizer does not say them
};

// Reads tokenizer.model where it is there, else tokenizer.json. Throws Error that names the file: not_found, invalid_data,
// unsupported (a tokenizer that the format cannot express: unigram, a pre-tokenizer that llama.cpp has no name for, merges
// that are not those of a SentencePiece model).
std::vector<io::GgufEntry> gguf_vocabulary(const std::filesystem::path& folder, const GgufVocabularyOptions& options);

}  // namespace sensorium::text
