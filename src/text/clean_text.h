// What CLIP's code does with a text before it splits it into words (and ImageBind's with it): repairs of damaged encodings, HTML's
// character references, blanks.
#pragma once

#include <string>
#include <string_view>

namespace sensorium::text {

// The commonest of the repairs that the Python package ftfy makes: UTF-8 that was read as Windows-1252 or Latin-1 (also twice),
// curled quotes, Latin ligatures, full-width and half-width forms, line breaks, terminal escapes, control characters, NFC. (It
// tells damage by statistics over all encodings; here a sequence counts as damaged that is valid UTF-8 in those two, with a lead
// byte that hardly stands before such a character in any text.)
std::string repair_text(std::string_view text);

// Character references as in HTML 5 (13.2.5.72 ff.): named ones, the old ones also without a semicolon; numbers, of which
// 0x80..0x9F are Windows-1252. Reference: Python's html.unescape.
std::string unescape_html(std::string_view text);

// repair_text, unescape_html twice, runs of white space to one space, none at the ends. Any bytes; the result is valid UTF-8.
std::string clean_text(std::string_view text);

}  // namespace sensorium::text
