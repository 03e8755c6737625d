#include "text/registry.h"

#include "text/clip_merges.h"
#include "text/gguf_tokenizer.h"
#include "text/sentencepiece_tokenizer.h"
#include "text/tokenizer_json.h"
#include "text/vocab_merges.h"

namespace sensorium::text {
namespace {

constexpr TokenizerFormat kFormats[] = {
    {"Hugging Face tokenizer.json (BPE, unigram)", "tokenizer.json", read_tokenizer_json},
    {"SentencePiece model (BPE, unigram)", "tokenizer.model", read_sentencepiece},
    {"SentencePiece model of T5 and SigLIP", "spiece.model", read_sentencepiece},
    {"vocab.json and merges.txt (GPT-2, CLIP, Qwen2)", "vocab.json", read_vocab_merges},
    {"merges of CLIP's original code, packed", "bpe_simple_vocab_16e6.txt.gz", read_clip_merges},
    {"merges of CLIP's original code", "bpe_simple_vocab_16e6.txt", read_clip_merges},
    {"metadata of a GGUF file (SentencePiece BPE, byte-level BPE)", "model.gguf", read_gguf_tokenizer},
};

}  // namespace

std::span<const TokenizerFormat> tokenizer_formats() { return kFormats; }

std::unique_ptr<Tokenizer> load_tokenizer(const std::filesystem::path& path) {
  std::error_code ignored;
  const bool is_folder = std::filesystem::is_directory(path, ignored);
  std::string names;
  for (const TokenizerFormat& format : kFormats) {
    const std::filesystem::path file = is_folder ? path / format.file_name : path;
    if (is_folder ? std::filesystem::exists(file, ignored) : path.filename() == format.file_name) {
      return format.read(file).value();
    }
    names += fmt::format("{}{}", names.empty() ? "" : ", ", format.file_name);
  }
  // A file under another name: its kind shows by the end of the name.
  for (const TokenizerFormat& format : kFormats) {
    const bool fits = !is_folder && path.extension() == std::filesystem::path(format.file_name).extension();
    if (fits) return format.read(path).value();
  }
  const bool exists = std::filesystem::exists(path, ignored);
  fail(ErrorKind::not_found, "{}: no tokenizer found: {}, looked for {}", path.string(),
       is_folder ? "the folder has none"
       : exists  ? "the file's name is not one of a tokenizer"
                 : "there is no such folder",
       names);
}

}  // namespace sensorium::text
