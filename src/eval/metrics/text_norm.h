// Text as metrics compare it: short answers, spoken words, captions.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sensorium::eval {

// A short answer reduced to what it means, after the habit of VQA scoring (Antol et al. 2015):
// - lower case (ASCII; other UTF-8 is kept as it is), white space collapsed, punctuation removed, but for the point and
//   the sign of a number ("-2.5") and the comma of thousands, which is dropped ("1,000" -> "1000");
// - the articles a, an, the are removed;
// - number words up to ninety-nine become digits: "two" -> "2", "twenty-one" -> "21"; "none" -> "0"; 3.0 -> 3, 007 ->
// 7;
// - a whole answer of yes, yeah, yep, true, correct -> "yes"; no, nope, false, incorrect, wrong -> "no".
// An answer that is only an article or punctuation gives "".
std::string normalize_answer(std::string_view answer);

// The first number in the text, in digits or in words ("there are two men" -> 2, "-1.5 m" -> -1.5), if there is one.
std::optional<double> first_number(std::string_view text);

// Words for word error rates: lower case, split at white space and punctuation other than an apostrophe or hyphen
// inside a word. Digits stay as written.
std::vector<std::string> transcript_words(std::string_view text);

// Tokens for BLEU and CIDEr: the Penn Treebank rules that matter for captions, in the form that the COCO evaluation
// uses: lower case; punctuation dropped; "it's" -> it 's, "don't" -> do n't; inner hyphens kept (t-shirt); numbers keep
// an inner point or comma (3.5). Not covered: abbreviations (U.S. -> u.s), currency, "cannot" -> can not.
std::vector<std::string> caption_tokens(std::string_view text);

}  // namespace sensorium::eval
