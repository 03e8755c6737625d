"""A server, a browser, and the page in it: what the tests of the web page share."""
import base64
import os
import pathlib
import select
import subprocess
import sys
import tempfile
import time
import unittest

SKIPPED = 77  # what CTest counts as skipped
BROWSER = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"]
DRIVER = "/usr/bin/chromedriver"
ROOT = pathlib.Path(__file__).resolve().parents[2]


def skip(reason):
    print("skipped:", reason)
    sys.exit(SKIPPED)


try:
    from selenium import webdriver
    from selenium.common.exceptions import JavascriptException, WebDriverException
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.common.keys import Keys
except ImportError as missing:
    skip(f"{missing.name} is not installed (tools/packages-dev.txt)")

PROGRAM = sys.argv.pop(1) if len(sys.argv) > 1 and not sys.argv[1].startswith("-") else str(ROOT / "build/release/sensorium")
BINARY = next((path for path in BROWSER if os.path.exists(path)), None)
if BINARY is None or not os.path.exists(DRIVER):
    skip("chromium or chromium-driver is not installed (tools/packages-dev.txt)")
if subprocess.run([PROGRAM, "serve", "--help"], capture_output=True).returncode != 0:
    skip("the program has no verb serve")


class Server:
    """`sensorium serve` on a free port, its state in a folder of its own."""

    def __init__(self, *more):
        self.folder = tempfile.TemporaryDirectory(prefix="sensorium_web_")
        model = str(ROOT / "weights/default")
        with open(self.folder.name + "/log", "w", encoding="utf-8") as log:
            self.process = self.start(log, model, more)
        ready, _, _ = select.select([self.process.stdout], [], [], 60)
        line = self.process.stdout.readline() if ready else ""
        if "http://" not in line:
            raise RuntimeError("the server did not start: " + pathlib.Path(self.folder.name + "/log").read_text())
        self.url = line[line.index("http://"):].split()[0] + "/"

    def start(self, log, model, more):
        return subprocess.Popen(
            [PROGRAM, "serve", "--port", "0", "--quiet", "--web", str(ROOT / "web"),
             "--model", "default=" + model, "--model", "second=" + model,
             *(() if "--database" in more else ("--database", self.folder.name + "/conversations.db")), *more],
            stdout=subprocess.PIPE, stderr=log, text=True)

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.folder.cleanup()


def start_browser(width=1280, height=900, language="en-US", dark=False, reduced_motion=False):
    options = Options()
    options.binary_location = BINARY
    options.add_experimental_option("prefs", {"intl.accept_languages": language, "download.prompt_for_download": False,})
    for argument in ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                     f"--window-size={width},{height}", f"--lang={language}", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream",
                     "--autoplay-policy=no-user-gesture-required"]:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options=options, service=Service(DRIVER))
    browser.set_script_timeout(60)
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600})
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [
        {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
        {"name": "prefers-reduced-motion", "value": "reduce" if reduced_motion else "no-preference"}]})
    return browser


class PageTest(unittest.TestCase):
    """One server and one browser for the tests of a class; every test begins with an empty page and ends with a clean log."""

    server_options = ()
    browser_options = {}
    expected_in_log = ()  # parts of messages that a class provokes

    @classmethod
    def setUpClass(cls):
        cls.server = Server(*cls.server_options)
        try:
            cls.browser = start_browser(**cls.browser_options)
        except WebDriverException:
            cls.server.stop()
            raise

    @classmethod
    def tearDownClass(cls):
        cls.browser.quit()
        cls.server.stop()

    def setUp(self):
        self.browser.get(self.server.url)
        self.browser.execute_script("localStorage.clear(); sessionStorage.clear()")
        self.load()

    def tearDown(self):
        faults = [entry["message"] for entry in self.log() if entry["level"] in ("SEVERE", "WARNING")
                  and not any(part in entry["message"] for part in self.expected_in_log)]
        self.assertEqual(faults, [], "the browser's log")

    def load(self):
        self.browser.get(self.server.url)
        self.wait("'ready' in document.documentElement.dataset")

    def log(self):
        return self.browser.get_log("browser")

    def js(self, script, *arguments):
        return self.browser.execute_script(script, *arguments)

    def wait(self, condition, seconds=60):
        """Until the JavaScript expression is true; returns its value."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                value = self.js("return " + condition)
            except JavascriptException:
                value = None  # what it names is not there yet
            if value:
                return value
            time.sleep(0.05)
        self.fail(f"not within {seconds} s: {condition}; toasts: {self.texts('.toast')}; faults: {self.texts('.fault')}")

    def one(self, selector):
        return self.browser.find_element("css selector", selector)

    def all(self, selector):
        return self.browser.find_elements("css selector", selector)

    def texts(self, selector):
        return self.js("return [...document.querySelectorAll(arguments[0])].map(node => node.textContent)", selector)

    def click(self, selector):
        self.one(selector).click()

    def hover(self, selector):
        webdriver.ActionChains(self.browser).move_to_element(self.one(selector)).perform()

    def press(self, *keys):
        """Keys to whatever has the focus."""
        webdriver.ActionChains(self.browser).send_keys(*keys).perform()

    def attach(self, *paths):
        before = len(self.all(".attachment:not(.reading)"))
        self.one("#files").send_keys("\n".join(str(path) for path in paths))
        self.wait(f"document.querySelectorAll('.attachment:not(.reading)').length === {before + len(paths)}")

    def answered(self, count=1):
        """Waits until so many answers are complete; gives the text of the last."""
        self.wait("document.querySelector('#stop').hidden && document.querySelectorAll('.answer .message-tools').length >= "
                  f"{count} && !document.querySelector('.answer[aria-busy]')")
        return self.js("return [...document.querySelectorAll('.answer .prose')].at(-1).textContent")

    def ask(self, text, *paths):
        answers = len(self.all(".answer"))
        if paths:
            self.attach(*paths)
        self.one("#question").send_keys(text, Keys.ENTER)
        self.wait(f"document.querySelectorAll('.answer').length > {answers}")
        return self.answered(answers + 1)

    def drop(self, event, target, name, kind, data):
        """A file that is dropped on, or pasted into, the page."""
        self.js("""
            const [event, selector, name, type, data] = arguments, transfer = new DataTransfer();
            transfer.items.add(new File([Uint8Array.from(atob(data), c => c.charCodeAt(0))], name, { type }));
            const options = { bubbles: true, cancelable: true }, node = document.querySelector(selector);
            if (event === "paste") node.dispatchEvent(new ClipboardEvent("paste", { ...options, clipboardData: transfer }));
            else for (const kind of ["dragenter", "dragover", "drop"])
              node.dispatchEvent(new DragEvent(kind, { ...options, dataTransfer: transfer }));
            """, event, target, name, kind, base64.b64encode(data).decode())

    def choose(self, selector, value):
        """An option of a <select>."""
        self.js("""
            const [selector, value] = arguments, choice = document.querySelector(selector);
            choice.value = value;
            choice.dispatchEvent(new Event("change"));""", selector, value)

    def set(self, **values):
        """Settings, without the drawer."""
        self.js("(await import('/web/js/settings.js')).settings.set(arguments[0])", values)

    def open_settings(self, **values):
        self.click("#open-settings")
        for name, value in values.items():
            field = self.one(f"#setting-{name}")
            field.clear()
            field.send_keys(value)
        self.click("#settings header button")


def wav(seconds=1.0, frequency=440, rate=16000):
    """A tone: one channel of 16-bit PCM."""
    import math
    import struct
    samples = [int(20000 * math.sin(2 * math.pi * frequency * i / rate)) for i in range(int(seconds * rate))]
    data = struct.pack(f"<{len(samples)}h", *samples)
    head = struct.pack("<4sI8sIHHIIHH4sI", b"RIFF", 36 + len(data), b"WAVEfmt ", 16, 1, 1, rate, 2 * rate, 2, 16, b"data",
                       len(data))
    return head + data


def main():
    unittest.main(module="__main__", verbosity=2)
