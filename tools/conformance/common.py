"""What the checks share: the command line, the clients, and the list of checks."""
import argparse
import base64
import mimetypes
import pathlib
import sys

try:
    import openai
    from google import genai
    from google.genai import types
except ImportError as missing:
    print(f"not installed: {missing.name}")
    sys.exit(77)

parser = argparse.ArgumentParser(description="Runs the official clients of OpenAI and Google against a server.")
parser.add_argument("address")
parser.add_argument("model")
parser.add_argument("picture")
parser.add_argument("--key", default="none")
parser.add_argument("--embedder", help="a model that makes embeddings of texts and pictures")
parser.add_argument("--hearer", help="a model that hears")
parser.add_argument("--sound", nargs="+", default=[], help="sounds for it, the first one WAV")
parser.add_argument("--watcher", help="a model that watches films")
parser.add_argument("--film", help="a film for it")
OPTIONS = parser.parse_args()
ADDRESS, MODEL, KEY = OPTIONS.address, OPTIONS.model, OPTIONS.key
HEARS = bool(OPTIONS.hearer and OPTIONS.sound)
WATCHES = bool(OPTIONS.watcher and OPTIONS.film)
QUESTION = "How many people wear a safety helmet?"
HEARD = "What do you hear?"
WATCHED = "What happens in the video?"
SCHEMA = {"type": "object", "properties": {"count": {"type": "integer"}, "sure": {"type": "boolean"}},
          "required": ["count", "sure"], "additionalProperties": False}
FUNCTION = {"name": "count_objects", "description": "Counts objects of a kind",
            "parameters": {"type": "object", "properties": {"kind": {"type": "string", "enum": ["head", "helmet"]}},
                           "required": ["kind"], "additionalProperties": False}}

client = openai.OpenAI(base_url=ADDRESS + "/v1", api_key=KEY, max_retries=0)
google = genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=ADDRESS))
checks = []


def check(function):
    checks.append(function)
    return function


def check_where(condition):
    """A check that runs where the command line names what it needs."""
    return check if condition else lambda function: function


def expect(kind, call):
    """The error of this kind that the call raises."""
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__}")


def read(path):
    return pathlib.Path(path).read_bytes()


def encoded(path):
    return base64.b64encode(read(path)).decode()


def media_type(path):
    return mimetypes.guess_type(path)[0]


def data_url(path):
    return f"data:{media_type(path)};base64,{encoded(path)}"


def user(*parts):
    return [{"role": "user", "content": list(parts) if len(parts) > 1 else parts[0]}]


def text(value):
    return {"type": "text", "text": value}


def image():
    return {"type": "image_url", "image_url": {"url": data_url(OPTIONS.picture), "detail": "auto"}}


def sound(path):
    return {"type": "input_audio", "input_audio": {"data": encoded(path), "format": pathlib.Path(path).suffix[1:]}}


def film():
    return {"type": "video_url", "video_url": {"url": data_url(OPTIONS.film)}}
