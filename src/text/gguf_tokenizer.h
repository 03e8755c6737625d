// The tokenizer in the metadata of a GGUF file ("tokenizer.ggml.*"): SentencePiece BPE ("llama") and byte-level BPE
// ("gpt2"). Source: the GGUF specification and the converters of llama.cpp; reference behaviour: the tokenizer that the
// file was made from.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/json.h"
#include "io/gguf.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace sensorium::text {

// Errors: invalid_data (no tokenizer, arrays of different lengths, ids outside of the vocabulary), unsupported (names the
// model or pre-tokenizer), limit.
Result<std::unique_ptr<Tokenizer>> tokenizer_from_gguf(const io::GgufFile& file);
// The same for a file; also not_found and io.
Result<std::unique_ptr<Tokenizer>> read_gguf_tokenizer(const std::filesystem::path& path);

// The same as files in Hugging Face's layout.
struct TokenizerFiles {
  std::string name, bytes;  // tokenizer.model or tokenizer.json
  Json config;              // of tokenizer_config.json
};
// Throws Error as tokenizer_from_gguf().
TokenizerFiles tokenizer_files_from_gguf(const io::GgufFile& file);

// "tokenizer.chat_template"; none if there is none. Errors: those of ChatTemplate::parse().
Result<std::optional<ChatTemplate>> chat_template_from_gguf(const io::GgufFile& file);

}  // namespace sensorium::text
