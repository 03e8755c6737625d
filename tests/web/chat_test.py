#!/usr/bin/env python3
"""Chat: pictures, streaming, stop, retry, change, compare, Markdown, errors.    chat_test.py PROGRAM"""
import time

from page import Keys, PageTest, ROOT, main

SITE = ROOT / "examples/site.jpg"
COUNT = "How many people wear a safety helmet?"
# Forces an answer of 3,000 letters, so that there is time to stop it.
LONG = '{"type": "object", "properties": {"text": {"type": "string", "minLength": 3000}}, "required": ["text"]}'


class Chat(PageTest):
    def check_places(self, where):
        """The boxes lie on the picture where the table of coordinates says, and the picture keeps its shape."""
        places, expected, size = self.js("""
            const [where] = arguments, image = document.querySelector(`${where} .stage img`);
            const area = image.getBoundingClientRect();
            const places = [...document.querySelectorAll(`${where} .box`)].map(box => {
              const { left, top, right, bottom } = box.getBoundingClientRect();
              const [x, y] = [area.width / image.naturalWidth, area.height / image.naturalHeight];
              return [(left - area.left) / x, (top - area.top) / y, (right - area.left) / x, (bottom - area.top) / y];
            });
            const rows = [...document.querySelectorAll(".answer tbody tr")].map(
              row => row.children[1].textContent.split(", ").map(Number));
            return [places, rows, [area.width / area.height, image.naturalWidth / image.naturalHeight]];""", where)
        self.assertAlmostEqual(*size, delta=0.02)
        self.assertEqual(len(places), len(expected))
        for place, row in zip(places, expected):
            for got, wanted in zip(place, row):
                self.assertAlmostEqual(got, wanted, delta=2)

    def test_a_picture_gets_an_answer_with_boxes_over_it(self):
        answer = self.ask(COUNT, SITE)
        self.assertRegex(answer, r"^\d+$")
        self.wait("document.querySelectorAll('.answer .box').length > 0")
        boxes = self.all(".answer .box")
        self.assertEqual(len(boxes), int(answer))
        self.assertEqual(self.texts(".answer .chip .count"), [answer])
        self.check_places(".answer")
        self.assertRegex(self.one(".answer .message-tools .figures").text, r"\d.*s · first after .* · \d+ \+ \d+ tokens")

    def test_boxes_can_be_hidden_and_the_picture_enlarged(self):
        self.ask(COUNT, SITE)
        self.wait("document.querySelectorAll('.answer .box').length > 0")
        self.click(".answer .chip")
        self.assertEqual(self.js("return document.querySelectorAll('.answer .box:not([hidden])').length"), 0)
        self.click(".answer .picture")
        self.wait("document.querySelectorAll('dialog.lightbox .box').length > 0")
        self.check_places("dialog.lightbox")
        self.press(Keys.ESCAPE)
        self.wait("!document.querySelector('dialog')")
        self.assertEqual(self.js("return document.activeElement.className"), "picture")

    def test_maps_of_where_the_answer_was_found_can_be_shown(self):
        self.js(r"""
            const real = fetch, heat = (label, values) => ({ label, picture: 0, rows: 2, columns: 3, values });
            const chunk = (delta, finish_reason = null) => `data: ${JSON.stringify({ choices: [{ index: 0, delta, finish_reason }] })}\n\n`;
            window.fetch = (url, options) => {
              if (url !== "/v1/chat/completions") return real(url, options);
              window.asked = JSON.parse(options.body);
              const heats = [heat("dog", [0, 0.2, 0.4, 0.6, 0.8, 1]), heat("cat", [1, 0, 0, 0, 0, 0])];
              return Promise.resolve(new Response(
                chunk({ content: "A dog." }) + chunk({ sensorium: { heat: heats } }, "stop") + "data: [DONE]\n\n"));
            };""")
        self.ask("What is it?", SITE)
        self.wait("document.querySelectorAll('.answer .heat').length === 2")
        self.assertEqual(self.js("return asked.sensorium"), {"heat": True})
        self.assertEqual(self.texts(".heat-chip"), ["Where: dog", "Where: cat"])
        shown = "return [...document.querySelectorAll('.answer .heat')].map(canvas => canvas.checkVisibility())"
        self.assertEqual(self.js(shown), [False, False])
        self.click(".heat-chip")
        self.assertEqual(self.js(shown), [True, False])
        size = """const [map, image] = [".answer .heat", ".answer .stage img"].map(s => document.querySelector(s).getBoundingClientRect());
            return [map.width - image.width, map.height - image.height, map.left - image.left];"""
        for difference in self.js(size):
            self.assertAlmostEqual(difference, 0, delta=1)
        # Red where it is warm, clear blue where it is cold.
        colours = self.js("""const canvas = document.querySelector(".answer .heat");
            const { data } = canvas.getContext("2d").getImageData(0, 0, 3, 2);
            return [[...data.slice(0, 4)], [...data.slice(-4)]];""")
        self.assertGreater(colours[0][2], colours[0][0])
        self.assertGreater(colours[1][0], colours[1][2])
        self.assertGreater(colours[1][3], colours[0][3])
        self.click(".heat-chip:nth-child(2)")
        self.assertEqual(self.js(shown), [False, True])
        self.click(".heat-chip:nth-child(2)")
        self.assertEqual(self.js(shown), [False, False])

    def test_the_answer_streams_and_can_be_stopped(self):
        self.open_settings(schema=LONG)
        self.one("#question").send_keys("Write a long text.", Keys.ENTER)
        self.wait("document.querySelector('.answer .prose').textContent.length > 40")
        early = len(self.texts(".answer .prose")[0])
        self.wait(f"document.querySelector('.answer .prose').textContent.length > {early}")
        self.assertFalse(self.js("return document.querySelector('#stop').hidden"))
        self.click("#stop")
        stopped = self.answered()
        self.assertIn("Stopped.", self.one(".answer .after").text)
        time.sleep(0.5)
        self.assertEqual(self.texts(".answer .prose")[0], stopped)
        self.assertLess(len(stopped), 3000)

    def test_escape_stops_too_and_the_next_question_is_answered(self):
        self.open_settings(schema=LONG)
        self.one("#question").send_keys("Write a long text.", Keys.ENTER)
        self.wait("document.querySelector('.answer .prose').textContent.length > 40")
        self.press(Keys.ESCAPE)
        self.answered()
        self.open_settings(schema="")
        self.assertTrue(self.ask("What is 1 + 1?"))

    def test_retry_answers_again_in_place(self):
        first = self.ask(COUNT, SITE)
        before = self.js("return document.querySelector('.answer').dataset.id")
        self.click(".answer .retry")
        self.wait(f"document.querySelector('.answer').dataset.id !== '{before}'")
        self.assertEqual(self.answered(), first)
        self.assertEqual(len(self.all(".answer")), 1)

    def test_changing_a_question_replaces_what_followed(self):
        self.ask(COUNT, SITE)
        self.ask("Where are the helmets?")
        self.click(".question [aria-label='Change the question']")
        self.assertTrue(self.one("#editing").is_displayed())
        self.assertEqual(self.one("#question").get_attribute("value"), COUNT)
        self.assertEqual(len(self.all(".attachment")), 1)
        self.one("#question").send_keys(Keys.END, " Really?", Keys.ENTER)
        self.wait("document.querySelectorAll('.question').length === 1")
        self.answered()
        self.assertEqual(self.texts(".bubble"), [COUNT + " Really?"])

    def test_two_models_answer_side_by_side(self):
        self.click("#compare")
        self.attach(SITE)
        self.one("#question").send_keys(COUNT, Keys.ENTER)
        self.answered(2)
        left, right = self.all(".answers.two .answer")
        self.assertEqual(self.texts(".answer .model-name"), ["default", "second"])
        self.assertEqual(left.rect["y"], right.rect["y"])
        self.assertGreater(right.rect["x"], left.rect["x"] + left.rect["width"])
        answers = self.texts(".answer .prose")
        self.assertEqual(answers[0], answers[1])  # the same weights

    def test_a_schema_makes_the_answer_json(self):
        self.open_settings(schema='{"type": "object", "properties": {"count": {"type": "integer"}}, "required": ["count"]}')
        self.ask(COUNT, SITE)
        self.assertEqual(self.js("return typeof JSON.parse(document.querySelector('.answer pre').textContent).count"), "number")

    def test_settings_are_sent_and_kept(self):
        self.open_settings(temperature="0.5", seed="7", maxTokens="3", system="Be brief.")
        self.load()
        self.js("""
            const real = fetch;
            window.bodies = [];
            window.fetch = (url, options) => {
              if (options?.body) bodies.push(options.body);
              return real(url, options);
            };""")
        self.ask("Tell me a story about a dog.")
        body = self.js("return JSON.parse(bodies.find(body => body.includes('messages')))")
        self.assertEqual((body["temperature"], body["seed"], body["max_completion_tokens"]), (0.5, 7, 3))
        self.assertEqual(body["messages"][0], {"role": "system", "content": "Be brief."})

    def test_markdown_of_a_model_never_becomes_html(self):
        hostile = ('# Title\n\n<img src=x onerror=alert(1)> **bold** `<b>code</b>` [bad](javascript:alert(1)) '
                   '![pic](https://example.org/x.png)\n\n| a | b |\n|---|--:|\n| 1 | `x\\|y` |\n\n1. one\n   - two\n\n```html\n<script>alert(1)</script>\n```\n\n> quote')
        html = self.js("""
            const { MarkdownView } = await import("/web/js/markdown.js"), node = document.createElement("div");
            new MarkdownView(node).show(arguments[0]);
            return node.innerHTML;""", hostile)
        for absent in ["<img", "<script", "<b>", "javascript:alert(1)\"", "onerror=alert(1)>"]:
            self.assertNotIn(absent, html)
        for present in ["<h3>Title</h3>", "<strong>bold</strong>", "&lt;b&gt;code", "<table>", 'class="right"', "x|y",
                        "<ol><li>one<ul><li>two", "&lt;script&gt;", "<blockquote><p>quote", 'href="https://example.org/x.png"']:
            self.assertIn(present, html)

    def test_streamed_markdown_ends_as_if_it_had_come_at_once(self):
        self.assertEqual(self.js("""
            const { MarkdownView } = await import("/web/js/markdown.js");
            const text = arguments[0];
            const grown = document.createElement("div"), whole = document.createElement("div"), view = new MarkdownView(grown);
            for (let i = 1; i <= text.length; ++i) view.show(text.slice(0, i));
            new MarkdownView(whole).show(text);
            return grown.innerHTML === whole.innerHTML ? "" : grown.innerHTML;""",
                                 "Intro *a* **b**\n\n- x\n- y\n  - z\n\n```js\nlet a = 1;\n```\n\n|a|b|\n|-|-|\n|1|2|\n\nEnd."), "")

    def test_the_conversation_scrolls_and_the_page_does_not(self):
        for _ in range(2):
            self.ask(COUNT, SITE)
        # What only screen readers see has a place too; focus, find and scripts would scroll to it where it sticks out.
        self.js("scrollTo(0, 1e6)")
        self.assertEqual(self.js("return scrollY"), 0)
        self.assertGreater(self.js("return document.querySelector('.chat').scrollTop"), 0)

    def test_examples_begin_a_conversation(self):
        self.click(".example")
        self.assertRegex(self.answered(), r"^\d+$")
        self.assertFalse(self.one("#welcome").is_displayed())


class Faults(PageTest):
    expected_in_log = ("Failed to load resource",)

    def test_the_servers_sentence_is_shown_and_the_page_goes_on(self):
        self.open_settings(schema='{"type": "nonsense"}')
        self.ask("Anything?")
        self.assertIn("schema", self.one(".answer .fault").text)
        self.open_settings(schema=" ")
        self.assertTrue(self.ask("What is 1 + 1?"))

    def test_a_server_that_is_gone_is_said_to_be(self):
        self.js("window.fetch = () => Promise.reject(new TypeError('Failed to fetch'))")
        self.ask("Anything?")
        self.assertIn("does not answer", self.one(".answer .fault").text)

    def test_a_broken_schema_is_not_taken(self):
        self.click("#open-settings")
        self.one("#setting-schema").send_keys("{", Keys.TAB)
        self.assertIn("no JSON", self.one("#settings .fault").text)
        self.assertEqual(self.js("return (JSON.parse(localStorage.getItem('sensorium.settings')) ?? {}).schema ?? ''"), "")


if __name__ == "__main__":
    main()
