#!/usr/bin/env python3
"""Media on the page: paste, drop, picker, sound, film, camera, microphone, other formats.    media_test.py PROGRAM"""
import base64
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from page import Keys, PageTest, ROOT, main, wav

SITE = ROOT / "examples/site.jpg"
COUNT = "How many people wear a safety helmet?"


class Media(PageTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = tempfile.TemporaryDirectory(prefix="sensorium_web_media_")
        cls.tone = pathlib.Path(cls.folder.name) / "tone.wav"
        cls.tone.write_bytes(wav(1.5, 1000))

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()
        super().tearDownClass()

    def test_a_dropped_and_a_pasted_picture_are_sent(self):
        self.drop("drop", "#messages", "dropped.jpg", "image/jpeg", SITE.read_bytes())
        self.wait("document.querySelectorAll('.attachment:not(.reading)').length === 1")
        self.assertTrue(self.js("return document.querySelector('#drop-target').hidden"))
        self.drop("paste", "#question", "pasted.png", "image/png", (ROOT / "examples/shapes.png").read_bytes())
        self.wait("document.querySelectorAll('.attachment:not(.reading)').length === 2")
        self.assertEqual(self.texts(".attachment-name"), ["dropped.jpg", "pasted.png"])
        self.ask(COUNT)
        self.assertEqual(len(self.all(".question .picture")), 2)

    def test_an_attachment_can_be_taken_away(self):
        self.attach(SITE)
        self.click(".attachment button")
        self.assertEqual(self.all(".attachment"), [])
        self.assertEqual(self.js("return document.activeElement.id"), "question")

    def test_other_formats_become_png(self):
        # A picture that the server does not decode: the browser does, and draws it anew.
        drawing = (b'<svg xmlns="http://www.w3.org/2000/svg" width="320" height="200">'
                   b'<circle cx="90" cy="90" r="60" fill="red"/></svg>')
        self.drop("drop", "#messages", "drawing.svg", "image/svg+xml", drawing)
        self.wait("document.querySelectorAll('.attachment:not(.reading)').length === 1")
        self.assertTrue(self.js("return document.querySelector('.attachment img').src.startsWith('data:image/png')"))
        self.assertTrue(self.ask("What colour is the circle?"))
        self.assertEqual(self.all(".answer .fault"), [])

    def test_a_file_that_is_none_of_these_is_refused_with_its_name(self):
        self.drop("drop", "#messages", "notes.pdf", "application/pdf", b"%PDF-1.4")
        self.wait("document.querySelector('.toast')?.textContent.includes('notes.pdf')")
        self.drop("drop", "#messages", "broken.jpg", "image/jpeg", b"no picture at all")
        self.wait("[...document.querySelectorAll('.toast')].some(note => note.textContent.includes('broken.jpg'))")
        self.assertEqual(self.all(".attachment"), [])

    def record_requests(self):
        self.js("""
            const real = fetch;
            window.bodies = [];
            window.fetch = (url, options) => {
              if (url === "/v1/chat/completions") bodies.push(options.body);
              return real(url, options);
            };""")

    def test_a_sound_has_a_player_and_a_spectrogram_that_shows_its_tone(self):
        self.record_requests()
        self.ask("What is this sound?", self.tone)
        self.wait("document.querySelector('.spectrogram canvas').getAttribute('aria-label')?.includes('tone.wav')")
        self.assertTrue(self.js("return document.querySelector('.sound audio').controls"))
        # 1 kHz of 0..rate/2: the row where it is brightest, by the square root of the frequency.
        place = self.js("""
            const canvas = document.querySelector(".spectrogram canvas"), x = canvas.width >> 1;
            const { data } = canvas.getContext("2d").getImageData(x, 0, 1, canvas.height), rows = [];
            for (let y = 0; y < canvas.height; ++y) rows.push(data[4 * y] + data[4 * y + 1] + data[4 * y + 2]);
            const kilohertz = Number(canvas.getAttribute("aria-label").match(/to ([\\d.]+) kHz/)[1]);
            return [1 - rows.indexOf(Math.max(...rows)) / canvas.height, kilohertz];""")
        self.assertAlmostEqual(place[0], (1 / place[1]) ** 0.5, delta=0.03)
        # A model that hears nothing does not get it, and the page says so.
        senses = self.js("return (await (await fetch('/v1/models')).json()).data[0].details.modalities_in")
        self.assertEqual("input_audio" in self.js("return bodies[0]"), "audio" in senses)
        self.assertEqual("takes no sound" in self.one(".answer .after").text, "audio" not in senses)

    def test_the_transform_is_the_discrete_fourier_transform(self):
        self.assertLess(self.js("""
            const { fft } = await import("/web/js/sound.js"), n = 64;
            const x = Array.from({ length: n }, (_, i) => Math.sin(i * i)), re = Float64Array.from(x), im = new Float64Array(n);
            fft(re, im);
            let worst = 0;
            for (let k = 0; k < n; ++k) {
              let a = 0, b = 0;
              x.forEach((value, i) => {
                a += value * Math.cos(2 * Math.PI * i * k / n);
                b -= value * Math.sin(2 * Math.PI * i * k / n);
              });
              worst = Math.max(worst, Math.hypot(a - re[k], b - im[k]));
            }
            return worst;"""), 1e-9)

    def test_wav_files_are_what_they_say(self):
        self.assertEqual(self.js("""
            const { toWav, decodeSound } = await import("/web/js/sound.js");
            const samples = Float32Array.from({ length: 8000 }, (_, i) => 0.5 * Math.sin(i / 5));
            const decoded = await decodeSound(await toWav(samples, 16000).arrayBuffer());
            return [decoded.duration, decoded.numberOfChannels];"""), [0.5, 1])

    @unittest.skipUnless(shutil.which("ffmpeg"), "ffmpeg makes the film")
    def test_a_film_is_watched_or_becomes_pictures(self):
        film = pathlib.Path(self.folder.name) / "site.webm"
        subprocess.run(["ffmpeg", "-v", "error", "-y", "-loop", "1", "-t", "2", "-r", "10", "-i", SITE,
                        "-c:v", "libvpx", "-b:v", "2M", "-pix_fmt", "yuv420p", "-vf", "scale=trunc(iw/2)*2:trunc(ih/2)*2", film], check=True)
        self.set(frames=2)
        self.attach(film)
        self.record_requests()
        self.assertTrue(self.ask("What happens in the video?"))
        # The server chooses the frames that the model wants: the whole film is sent, and nothing else of it.
        parts = self.js("return JSON.parse(bodies[0]).messages.at(-1).content")
        self.assertEqual([part["type"] for part in parts], ["video_url", "text"])
        self.assertEqual(base64.b64decode(parts[0]["video_url"]["url"].split(",")[1]), film.read_bytes())
        self.assertEqual(len(self.all(".question .film video")), 1)
        self.assertEqual(len(self.all(".question .frames img")), 2)
        self.assertNotIn("pictures of it are sent", self.one(".answer .after").text)
        # A model that watches no films gets the frames.
        self.assertEqual(self.js("""
            const { wayOf } = await import("/web/js/conversation.js");
            const film = { type: "video_url", video_url: { url: "data:" }, frames: [] };
            return [["text", "image", "video"], ["text", "image"], ["text"]].map(senses => wayOf(film, new Set(senses)));"""),
            ["whole", "frames", "kept"])

    @unittest.skipUnless(shutil.which("ffmpeg"), "ffmpeg makes the sounds")
    def test_sounds_in_containers_of_films_are_heard(self):
        self.record_requests()
        codecs = {"webm": "libopus", "mp4": "aac", "ogg": "libvorbis"}
        for i, (kind, codec) in enumerate(codecs.items()):
            path = self.tone.with_suffix("." + kind)
            subprocess.run(["ffmpeg", "-v", "error", "-y", "-i", self.tone, "-c:a", codec, path], check=True)
            self.assertTrue(self.ask("What do you hear?", path))
            part = self.js(f"return JSON.parse(bodies[{i}]).messages.at(-1).content[0]")
            self.assertEqual(part["type"], "input_audio", kind)
            self.assertEqual(base64.b64decode(part["input_audio"]["data"]), path.read_bytes())
            self.wait(f"document.querySelectorAll('.spectrogram canvas[aria-label]').length === {i + 1}")
            self.wait("[...document.querySelectorAll('.sound audio')].every(player => player.duration > 1)")
        self.assertEqual(self.all(".answer .fault"), [])

    def test_the_camera_gives_a_picture(self):
        self.click("#camera")
        self.wait("document.querySelector('dialog video')?.videoWidth > 0")
        self.click("dialog .actions .button")
        self.wait("document.querySelector('.attachment-name')?.textContent.startsWith('camera-')")
        self.wait("document.querySelector('.attachment img')?.naturalWidth > 100")
        self.assertTrue(self.ask("What colour is it?"))
        self.wait("document.querySelector('.question .picture img')?.naturalWidth > 100")
        self.assertEqual(self.all(".answer .fault"), [])

    def test_the_microphone_gives_a_sound(self):
        self.click("#microphone")
        self.wait("/[1-9]/.test(document.querySelector('dialog .recording')?.textContent ?? '')")
        self.click("dialog .actions .button")
        self.wait("document.querySelector('.attachment-name')?.textContent.startsWith('sound-')")
        self.assertTrue(self.ask("What do you hear?"))
        self.assertEqual(self.all(".answer .fault"), [])
        self.assertNotIn("takes no sound", self.one(".answer .after").text)
        self.wait("document.querySelector('.sound audio').duration > 0")

    def test_a_closed_recording_gives_nothing(self):
        self.click("#microphone")
        self.wait("document.querySelector('dialog .recording')")
        self.press(Keys.ESCAPE)
        self.wait("!document.querySelector('dialog')")
        self.assertEqual(self.all(".attachment"), [])


if __name__ == "__main__":
    main()
