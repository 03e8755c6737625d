#!/usr/bin/env python3
"""Golden file of text::clean_text: strings and what CLIP's code makes of them before it splits them into words.

    python3 tools/golden/text_clean.py

Writes tests/golden/text/clean.json. Needs ftfy.
"""
import html
import json
import re
from pathlib import Path

import ftfy

TEXTS = [
    "a plain text", "  blanks \t in\n\nplaces  ", "", " \n ", "schÃ¶n", "itâ€™s fine", "â€œquotedâ€\x9d", "l'Ã©cole Ã©tait fermÃ©e",
    "rÃ©sumÃ© â€“ page 3", "10Â°C", "Â© 2020", "âœ” No problems", "ä½\u00a0å¥½", "ÐŸÑ€Ð¸Ð²ÐµÑ‚", "ÎšÎ±Î»Î·Î¼Î­Ï\x81Î±", "PiÃ±ata ðŸŽ‰",
    "schÃƒÂ¶n", "“curled” ‘quotes’", "ﬁne oﬃce ﬂow", "ＦＵＬＬ ｗｉｄｔｈ　ｓｐａｃｅ", "ﾊﾝｶｸ", "a\r\nb\rc\u2028d\u2029e\x85f", "\x1b[31mred\x1b[0m",
    "ctrl\x00\x01\x02\x08\x0e\x7fend", "\ufeffmark", "e\u0301 o\u0308 A\u030a", "½ ² ① ™ ℃", "&amp; &lt;b&gt; &quot;", "&amp;amp;amp;",
    "&eacute;t&eacute", "&copy 2020 &notit; &notin;", "&#233; &#xE9; &#x80; &#128; &#0; &#xD800; &#x110000; &#1; &#13;", "&unknown; & &; &#; &#x;",
    "AT&T R&D", "&hearts;&nbsp;&hellip;", "naïve café Ångström", "É«ta Ü» Â« À bientôt »", "Ø Å Æ", "日本語のテキスト", "Привет, мир",
    "emoji 😀👍🏽", "x &lt; y and y &gt; z", "<p>tags &amp; text</p>", "mixed: schÃ¶n and 日本", "a\u00a0b\u2003c\u3000d", "Ǆ Ǉ ĳ ŉ",
]


def clean(text):
    text = html.unescape(html.unescape(ftfy.fix_text(text))).strip()
    return re.sub(r"\s+", " ", text).strip()


if __name__ == "__main__":
    out = Path(__file__).resolve().parents[2] / "tests" / "golden" / "text" / "clean.json"
    out.write_text(json.dumps([[text, clean(text)] for text in TEXTS], ensure_ascii=True, indent=0) + "\n")
