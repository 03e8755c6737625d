#include "text/added_tokens.h"

#include <algorithm>

#include "text/unicode.h"

namespace sensorium::text {
namespace {

bool word_before(std::string_view text, size_t at) {
  size_t i = previous_char(text, at);
  return is_word(next_char(text, i));
}

bool word_at(std::string_view text, size_t at) { return is_word(next_char(text, at)); }

}  // namespace

void AddedTokens::Matcher::add(std::string_view pattern, int32_t token) {
  if (pattern.empty()) return;
  bool& starts = starts_[static_cast<unsigned char>(pattern[0])];
  if (!starts) start_bytes_ += pattern[0];
  starts = true;
  size_t node = 0;
  for (const char byte : pattern) {
    auto& children = nodes_[node].children;
    const auto found = std::lower_bound(children.begin(), children.end(), byte,
                                        [](const auto& child, char value) { return child.first < value; });
    if (found != children.end() && found->first == byte) {
      node = static_cast<size_t>(found->second);
      continue;
    }
    const size_t next = nodes_.size();
    children.insert(found, {byte, static_cast<int32_t>(next)});
    nodes_.emplace_back();
    node = next;
  }
  if (nodes_[node].token < 0) nodes_[node].token = token;
}

size_t AddedTokens::Matcher::next_start(std::string_view text, size_t at) const {
  if (start_bytes_.size() == 1) return std::min(text.find(start_bytes_[0], at), text.size());
  while (at < text.size() && !starts_[static_cast<unsigned char>(text[at])]) ++at;
  return at;
}

std::pair<int32_t, size_t> AddedTokens::Matcher::longest(std::string_view text) const {
  std::pair<int32_t, size_t> best{-1, 0};
  size_t node = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto& children = nodes_[node].children;
    const auto found = std::lower_bound(children.begin(), children.end(), text[i],
                                        [](const auto& child, char value) { return child.first < value; });
    if (found == children.end() || found->first != text[i]) break;
    node = static_cast<size_t>(found->second);
    if (nodes_[node].token >= 0) best = {nodes_[node].token, i + 1};
  }
  return best;
}

AddedTokens::AddedTokens(std::vector<AddedToken> tokens, const Normalizer* normalizer) : tokens_(std::move(tokens)) {
  for (size_t place = 0; place < tokens_.size(); ++place) {
    const AddedToken& token = tokens_[place];
    by_id_.emplace(token.id, place);
    const bool changes = token.normalized && normalizer != nullptr;
    shown_.push_back(changes ? normalizer->apply(token.content) : token.content);
    (token.normalized ? normalized_ : raw_).add(shown_.back(), static_cast<int32_t>(place));
  }
}

const std::string* AddedTokens::shown_form(int32_t id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : &shown_[found->second];
}

// Leftmost longest matches, found before the conditions are looked at: a match that fails them still hides those that
// overlap it, as in the reference. A match inside the white space that rstrip took before it is found too, and the text
// behind it read again: so it is there.
std::vector<Segment> AddedTokens::split(const Matcher& matcher, std::string_view text, Specials specials,
                                        std::span<const Span> user) const {
  std::vector<Segment> segments;
  size_t done = 0;
  size_t space_begin = 0, space_end = 0;  // the white space that was walked last
  for (size_t i = 0; !matcher.empty();) {
    i = matcher.next_start(text, i);
    if (i == text.size()) break;
    const auto [place, length] = matcher.longest(text.substr(i));
    if (place < 0) {
      ++i;
      continue;
    }
    size_t begin = i, end = i + length;
    i = end;
    const AddedToken& token = tokens_[static_cast<size_t>(place)];
    if (token.special && specials == Specials::as_text) continue;
    while (!user.empty() && user.front().end <= begin) user = user.subspan(1);
    if (token.special && !user.empty() && user.front().begin < end) continue;
    if (token.single_word && ((begin > 0 && word_before(text, begin)) || (end < text.size() && word_at(text, end)))) {
      continue;
    }
    if (token.lstrip) {
      while (begin > done) {
        const size_t before = previous_char(text, begin);
        size_t next = before;
        if (!is_white_space(next_char(text, next))) break;
        begin = before;
      }
      begin = std::max(begin, done);
    }
    if (token.rstrip) {
      const bool known =
          end >= space_begin && end < space_end;  // one long run must not be walked for every match in it
      if (!known) {
        space_begin = space_end = end;
        while (space_end < text.size() && is_white_space(next_char(text, space_end))) end = space_end;
        space_end = end;
      }
      end = space_end;
    }
    end = std::max(end, begin);
    if (done < begin) segments.push_back({text.substr(done, begin - done), -1});
    segments.push_back({text.substr(begin, end - begin), token.id});
    done = end;
  }
  if (done < text.size()) segments.push_back({text.substr(done), -1});
  return segments;
}

}  // namespace sensorium::text
