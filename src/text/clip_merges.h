// The one file that the original code of CLIP keeps its tokenizer in (and OpenCLIP's and ImageBind's, which took it over):
// bpe_simple_vocab_16e6.txt.gz, a list of merges. The vocabulary follows from it: the 256 stand-ins for bytes, the same at the end
// of a word, what each merge makes, <|startoftext|> and <|endoftext|>.
#pragma once

#include <filesystem>
#include <memory>
#include <string_view>

#include "base/error.h"
#include "text/bpe_tokenizer.h"

namespace sensorium::text {

// The text of the file: a line of version, then a merge a line. Lines behind the 48,894th are those that the code leaves out.
// Errors: invalid_data.
Result<std::unique_ptr<BpeTokenizer>> parse_clip_merges(std::string_view text);
// The file, packed by gzip or not. Errors: invalid_data, limit, not_found, io.
Result<std::unique_ptr<Tokenizer>> read_clip_merges(const std::filesystem::path& path);

}  // namespace sensorium::text
