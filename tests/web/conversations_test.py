#!/usr/bin/env python3
"""Conversations on the page: kept, found, renamed, deleted, exported; the API key; search.    conversations_test.py PROGRAM"""
import hashlib
import json
import pathlib
import shutil
import tempfile
import time

from page import PageTest, ROOT, main

SITE = ROOT / "examples/site.jpg"
COUNT = "How many people wear a safety helmet?"


class Conversations(PageTest):
    def setUp(self):
        super().setUp()
        self.downloads = tempfile.TemporaryDirectory(prefix="sensorium_web_downloads_")
        self.browser.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": self.downloads.name})

    def tearDown(self):
        self.downloads.cleanup()
        super().tearDown()

    def downloaded(self, ending):
        end = time.monotonic() + 20
        while time.monotonic() < end:
            found = list(pathlib.Path(self.downloads.name).glob("*" + ending))
            if found and found[0].stat().st_size > 0:
                return found[0].read_text(encoding="utf-8")
            time.sleep(0.05)
        self.fail(f"no download *{ending}")

    def begin(self, text, *paths):
        self.click("#new-chat")
        return self.ask(text, *paths)

    def titles(self):
        return self.texts(".entry-title")

    def kept(self):
        """Until everything said has reached the server."""
        self.js("const { store } = await import('/web/js/store.js'); await store.removeMessages({ id: '' }, [])")

    def test_a_conversation_is_there_after_the_page_was_closed_with_its_boxes(self):
        answer = self.begin(COUNT, SITE)
        self.wait("document.querySelectorAll('.answer .box').length > 0")
        boxes = len(self.all(".answer .box"))
        self.kept()
        self.load()
        self.assertIn(COUNT, self.titles())
        self.click(".entry-title")
        self.wait(f"document.querySelectorAll('.answer .box').length === {boxes}")
        self.assertEqual(self.texts(".answer .prose")[0], answer)
        self.assertEqual(self.texts(".bubble"), [COUNT])
        # And it can be gone on with.
        self.assertIn("helmet", self.ask("Where are the helmets?"))

    def test_rename_and_delete(self):
        self.begin("A question to be renamed")
        identity = self.one(".entry.open").get_attribute("data-id")
        self.hover(".entry.open")
        self.click(".entry.open [aria-label^='Rename']")
        field = self.one("dialog input")
        field.clear()
        field.send_keys("Helmets on site")
        self.click("dialog button[type=submit]")
        self.wait("document.querySelector('.entry-title').textContent === 'Helmets on site'")
        self.kept()
        self.load()
        self.assertIn("Helmets on site", self.titles())
        count = len(self.titles())
        self.hover(".entry[data-id='" + identity + "']")
        self.click(".entry [aria-label='Delete: Helmets on site']")
        self.click("dialog .danger")
        self.wait(f"document.querySelectorAll('.entry').length === {count - 1}")
        self.kept()
        self.load()
        self.assertNotIn("Helmets on site", self.titles())

    def test_find_looks_into_messages_too(self):
        self.begin("Zebras are striped, are they?")
        self.ask("And wombats?")
        self.begin("Something else")
        self.kept()
        self.one("#find").send_keys("wombats")
        self.wait("document.querySelector('#find-status').textContent === '1 found'")
        self.assertEqual(self.titles(), ["Zebras are striped, are they?"])
        self.one("#find").clear()
        self.one("#find").send_keys("quagga")
        self.wait("document.querySelector('#find-status').textContent === 'Nothing found'")

    def test_export_as_json_and_markdown(self):
        answer = self.begin(COUNT, SITE)
        self.click("#open-export")
        self.click("dialog .actions .button")
        exported = json.loads(self.downloaded(".json"))
        self.assertEqual([message["role"] for message in exported["messages"]], ["user", "assistant"])
        question, said = (message["content"] for message in exported["messages"])
        self.assertTrue(question[0]["image_url"]["url"].startswith("data:image/jpeg;base64,"))
        self.assertEqual(said[0], {"type": "text", "text": answer})
        boxes = next(part["boxes"] for part in said if part["type"] == "boxes")
        self.assertEqual(len(boxes), int(answer))
        self.click("#open-export")
        self.click("dialog .actions .button:last-child")
        markdown = self.downloaded(".md")
        self.assertIn(f"# {COUNT}\n\n## You\n\n![site.jpg](data:image/jpeg;base64,", markdown)
        self.assertIn(f"## default\n\n{answer}\n", markdown)
        self.assertEqual(markdown.count("| helmet | site.jpg |"), len(boxes))

    def test_search_says_what_is_missing_where_the_server_has_no_index(self):
        self.click("#open-search")
        self.wait("document.querySelector('dialog .search').children.length > 0")
        self.assertIn("--index", self.texts(".search-missing")[0])
        self.assertEqual(self.all(".search form"), [])


class Search(PageTest):
    """A folder with pictures, sounds and a film, searched by a tiny model of random weights: what is found says nothing, but that
    a file is nearest to itself."""

    IMAGEBIND = ROOT / "tests/golden/models/imagebind"

    @classmethod
    def setUpClass(cls):
        cls.photos = tempfile.TemporaryDirectory(prefix="sensorium_web_search_")
        folder = pathlib.Path(cls.photos.name)
        (folder / "a b").mkdir()
        for source, name in (("picture0.png", "a b/erste #1.png"), ("picture1.png", "second.png"), ("short.wav", "bark.wav"),
                             ("film.mp4", "film.mp4")):
            shutil.copy(cls.IMAGEBIND / source, folder / name)
        cls.server_options = ("--model", f"imagebind={cls.IMAGEBIND}", "--index", cls.photos.name)
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.photos.cleanup()

    def setUp(self):
        super().setUp()
        self.click("#open-search")
        self.wait("document.querySelector('dialog .search form')")

    def names(self):
        return self.texts(".result-name")

    def test_a_dropped_sound_finds_pictures(self):
        self.choose(".search-sense", "image")
        self.drop("drop", "dialog", "bark.wav", "audio/wav", (self.IMAGEBIND / "short.wav").read_bytes())
        self.wait("document.querySelectorAll('.result').length === 2")
        self.assertEqual(sorted(self.names()), ["a b/erste #1.png", "second.png"])
        self.wait("[...document.querySelectorAll('.result img')].every(image => image.naturalWidth > 0)")
        # The same sound among everything: the file itself is the nearest.
        self.choose(".search-sense", "")
        self.wait("document.querySelectorAll('.result').length === 4")
        self.assertEqual(self.names()[0], "bark.wav")
        self.assertEqual(self.texts(".result .figures")[0], "1.00")
        self.wait("document.querySelector('.result audio').src.endsWith('/api/search/files/bark.wav')")
        self.assertEqual(self.js("""
            return [...document.querySelectorAll(".result > :first-child")].filter(
                shown => shown.getBoundingClientRect().right > shown.parentElement.getBoundingClientRect().right + 1).length;"""),
                         0, "wider than its cell")

    def test_a_picture_and_words_find_files(self):
        self.one("dialog input[type=file]").send_keys(str(self.IMAGEBIND / "picture1.png"))
        self.wait("document.querySelectorAll('.result').length === 4")
        self.assertEqual(self.names()[0], "second.png")
        self.one("dialog input[type=search]").send_keys("a dog\n")
        self.choose(".search-sense", "video")
        self.wait("document.querySelectorAll('.result').length === 1 && document.querySelector('.result video')?.readyState > 0")
        self.assertEqual(self.names(), ["film.mp4"])

    def test_what_cannot_be_read_is_said(self):
        self.drop("drop", "dialog", "notes.pdf", "application/pdf", b"%PDF-1.4")
        self.wait("document.querySelector('.search .note').textContent.includes('notes.pdf')")
        self.assertEqual(self.all(".attachment"), [])


class Requests(PageTest):
    """What is sent to a model of a conversation, by what the model takes."""

    def request(self, messages, senses, column=0):
        return self.js("""
            const { requestOf, turnsOf } = await import("/web/js/conversation.js");
            const { settings } = await import("/web/js/settings.js");
            const [messages, senses, column] = arguments, model = { id: "m", details: senses && { modalities_in: senses } };
            const { body, sources, empty } = requestOf(turnsOf(messages), model, column, settings.values);
            return { messages: body.messages, sources, empty };""", messages, senses, column)

    @staticmethod
    def question(identity, *parts):
        return {"id": identity, "role": "user", "content": list(parts)}

    @staticmethod
    def answer(text, column=0):
        run = {"type": "run", "model": "m", "column": column}
        return {"id": "a" + text, "role": "assistant", "content": [{"type": "text", "text": text}, run]}

    FILM = {"type": "video_url", "video_url": {"url": "data:film"}, "name": "f",
            "frames": [{"time": 0, "url": "data:0"}, {"time": 1, "url": "data:1"}]}
    PICTURE = {"type": "image_url", "image_url": {"url": "data:p"}, "name": "p"}
    SOUND = {"type": "input_audio", "input_audio": {"data": "", "format": "wav"}, "name": "s"}
    WORDS = {"type": "text", "text": "?"}

    def types(self, senses):
        sent = self.request([self.question("q", self.FILM, self.PICTURE, self.SOUND, self.WORDS)], senses)
        return [part["type"] for part in sent["messages"][0]["content"]], sent["sources"]

    def test_each_model_gets_what_it_takes(self):
        self.assertEqual(self.types(["text", "image", "video", "audio"])[0], ["video_url", "image_url", "input_audio", "text"])
        self.assertEqual(self.types(None)[0], ["video_url", "image_url", "input_audio", "text"])
        self.assertEqual(self.types(["text"]), (["text"], []))
        types, sources = self.types(["text", "image"])
        self.assertEqual(types, ["image_url"] * 3 + ["text"])
        self.assertEqual([(source["part"], source["frame"]) for source in sources], [(0, 0), (0, 1), (1, None)])

    def test_nothing_that_a_model_takes_is_no_request(self):
        self.assertTrue(self.request([self.question("q", self.SOUND)], ["text", "image"])["empty"])

    def test_of_two_models_each_sees_its_own_answers(self):
        talk = [self.question("q", self.WORDS), self.answer("right", 1), self.answer("left", 0), self.question("r", self.WORDS)]
        for column, expected in ((0, "left"), (1, "right")):
            self.assertEqual(self.request(talk, None, column)["messages"][1], {"role": "assistant", "content": expected})

    def test_a_question_without_an_answer_joins_the_next(self):
        talk = [self.question("q", self.PICTURE), self.answer(""), self.question("r", self.WORDS)]
        messages = self.request(talk, None)["messages"]
        self.assertEqual([message["role"] for message in messages], ["user"])
        self.assertEqual([part["type"] for part in messages[0]["content"]], ["image_url", "text"])


class WithoutDatabase(PageTest):
    server_options = ("--database", "none")
    expected_in_log = ("501",)

    def test_conversations_live_in_the_page_and_it_says_so(self):
        self.assertTrue(self.one("#storage-note").is_displayed())
        self.ask("What is 1 + 1?")
        self.click("#new-chat")
        self.assertEqual(self.all(".answer"), [])
        self.click(".entry-title")
        self.wait("document.querySelectorAll('.answer').length === 1")


class WithKeys(PageTest):
    expected_in_log = ("401",)

    @classmethod
    def setUpClass(cls):
        cls.keys = tempfile.NamedTemporaryFile("w", suffix=".txt")
        cls.keys.write("ann " + hashlib.sha256(b"open sesame").hexdigest() + "\n")
        cls.keys.flush()
        cls.server_options = ("--keys", cls.keys.name)
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.keys.close()

    def load(self):
        self.browser.get(self.server.url)
        if not self.js("return sessionStorage.getItem('sensorium.key') ?? localStorage.getItem('sensorium.key')"):
            self.wait("document.querySelector('dialog input[type=password]')")
        else:
            self.wait("'ready' in document.documentElement.dataset")

    def give(self, key, remember=False):
        self.one("dialog input[type=password]").send_keys(key)
        if remember:
            self.click("dialog input[type=checkbox]")
        self.click("dialog button[type=submit]")

    def test_a_wrong_key_is_asked_for_again_and_the_right_one_opens(self):
        self.give("wrong")
        self.wait("document.querySelector('dialog')?.textContent.includes('does not know this key')")
        self.give("open sesame")
        self.wait("'ready' in document.documentElement.dataset")
        self.assertTrue(self.ask("What is 1 + 1?"))
        self.assertIsNone(self.js("return localStorage.getItem('sensorium.key')"))

    def test_a_remembered_key_can_be_forgotten(self):
        self.give("open sesame", remember=True)
        self.wait("'ready' in document.documentElement.dataset")
        self.assertEqual(self.js("return localStorage.getItem('sensorium.key')"), "open sesame")
        self.click("#open-settings")
        self.click("#settings .actions .button:last-child")
        self.assertIsNone(self.js("return localStorage.getItem('sensorium.key')"))


if __name__ == "__main__":
    main()
