#include "text/image_prompt.h"

#include <algorithm>

namespace sensorium::text {

std::vector<int32_t> encode_with_images(const Tokenizer& tokenizer, std::string_view prompt, std::span<const Span> user,
                                        std::span<const Placeholder> placeholders) {
  std::vector<int32_t> ids = leading_ids(tokenizer);
  const auto append = [&](size_t begin, size_t end) {
    std::vector<Span> inside;
    for (const Span span : user) {
      const Span cut{std::max(span.begin, begin), std::min(span.end, end)};
      if (cut.begin < cut.end) inside.push_back({cut.begin - begin, cut.end - begin});
    }
    const auto part = tokenizer.encode(prompt.substr(begin, end - begin), {Specials::parse, Affixes::none, inside});
    ids.insert(ids.end(), part.begin(), part.end());
  };
  // The first part begins behind a BOS that the prompt writes itself, so that it has its prefix.
  size_t done = leading_length(tokenizer, prompt);
  if (!user.empty() && user.front().begin < done) done = 0;
  for (size_t at = done; at < prompt.size();) {
    const auto stands_here = [&](const Placeholder& known) { return prompt.substr(at).starts_with(known.text); };
    const auto found = std::find_if(placeholders.begin(), placeholders.end(), stands_here);
    if (found == placeholders.end()) {
      ++at;
      continue;
    }
    const size_t end = at + found->text.size();
    if (std::any_of(user.begin(), user.end(), [&](Span span) { return span.begin < end && span.end > at; })) {
      ++at;
      continue;
    }
    append(done, at);
    ids.push_back(found->id);
    done = at = end;
  }
  append(done, prompt.size());
  return ids;
}

}  // namespace sensorium::text
