#!/usr/bin/env python3
"""Runs the official clients of OpenAI (openai) and Google (google-genai) unchanged against a server.

    clients.py http://127.0.0.1:8080 default examples/site.jpg [--key KEY] [--embedder NAME] [--hearer NAME --sound FILE.wav]

Prints a line per check and how many there were. Checks of embeddings and of sound run where a model is named that can do that.
Exit code 0: all hold; 1: one does not; 77: a client is not installed.
"""
import argparse
import base64
import io
import json
import math
import sys
import traceback
import urllib.error
import urllib.request

try:
    import openai
    from google import genai
    from google.genai import errors as genai_errors
    from google.genai import types
except ImportError as missing:
    print(f"not installed: {missing.name}")
    sys.exit(77)

parser = argparse.ArgumentParser()
parser.add_argument("address")
parser.add_argument("model")
parser.add_argument("picture")
parser.add_argument("--key", default="none")
parser.add_argument("--embedder", help="a model that makes embeddings of texts and pictures")
parser.add_argument("--hearer", help="a model that hears")
parser.add_argument("--sound", help="a WAV file for it")
OPTIONS = parser.parse_args()
ADDRESS, MODEL, PICTURE, KEY = OPTIONS.address, OPTIONS.model, OPTIONS.picture, OPTIONS.key
BYTES = open(PICTURE, "rb").read()
TYPE = "image/png" if PICTURE.endswith(".png") else "image/jpeg"
DATA_URL = f"data:{TYPE};base64," + base64.b64encode(BYTES).decode()
QUESTION = "How many people wear a safety helmet?"
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


def user(*parts):
    return [{"role": "user", "content": list(parts) if len(parts) > 1 else parts[0]}]


def text(value):
    return {"type": "text", "text": value}


def image():
    return {"type": "image_url", "image_url": {"url": DATA_URL, "detail": "auto"}}


@check
def openai_models():
    assert MODEL == "default" or MODEL in [model.id for model in client.models.list()]
    assert client.models.retrieve(client.models.list().data[0].id).object == "model"


@check
def openai_chat():
    answer = client.chat.completions.create(model=MODEL, messages=user("Hello!"), max_completion_tokens=20)
    assert answer.choices[0].message.role == "assistant" and answer.choices[0].finish_reason in ("stop", "length")
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


@check
def openai_chat_picture_and_stream():
    messages = [{"role": "system", "content": "Be brief. " * 20}] + user(image(), text(QUESTION))
    whole = client.chat.completions.create(model=MODEL, messages=messages).choices[0].message.content
    pieces, usage = [], None
    for chunk in client.chat.completions.create(model=MODEL, messages=messages, stream=True,
                                                stream_options={"include_usage": True}):
        usage = chunk.usage or usage
        pieces += [choice.delta.content or "" for choice in chunk.choices]
    assert "".join(pieces) == whole and whole, (pieces, whole)
    assert usage.prompt_tokens_details.cached_tokens > 0, usage


@check
def openai_chat_schema():
    answer = client.chat.completions.create(
        model=MODEL, messages=user(image(), text(QUESTION)),
        response_format={"type": "json_schema", "json_schema": {"name": "counted", "schema": SCHEMA, "strict": True}})
    value = json.loads(answer.choices[0].message.content)
    assert isinstance(value["count"], int) and isinstance(value["sure"], bool), value


@check
def openai_chat_tools():
    tools = [{"type": "function", "function": FUNCTION}]
    messages = user(image(), text(QUESTION))
    first = client.chat.completions.create(model=MODEL, messages=messages, tools=tools, tool_choice="required")
    assert first.choices[0].finish_reason == "tool_calls"
    call = first.choices[0].message.tool_calls[0]
    assert call.function.name == FUNCTION["name"] and json.loads(call.function.arguments)["kind"] in ("head", "helmet")
    messages += [first.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": "3"}]
    assert client.chat.completions.create(model=MODEL, messages=messages, tools=tools, tool_choice="none").choices
    streamed = ""
    for chunk in client.chat.completions.create(model=MODEL, messages=user(text(QUESTION), image()), tools=tools, stream=True,
                                                tool_choice={"type": "function", "function": {"name": FUNCTION["name"]}}):
        for choice in chunk.choices:
            for piece in choice.delta.tool_calls or []:
                streamed += piece.function.arguments or ""
    assert "kind" in json.loads(streamed)


@check
def openai_chat_logprobs_n_seed_stop():
    ask = dict(model=MODEL, messages=user("Say something."), max_tokens=8)
    answer = client.chat.completions.create(**ask, logprobs=True, top_logprobs=3)
    content = answer.choices[0].logprobs.content
    assert len(content) == answer.usage.completion_tokens and all(len(token.top_logprobs) == 3 for token in content)
    assert b"".join(bytes(token.bytes) for token in content).decode(errors="replace").strip() == answer.choices[0].message.content.strip()
    sampled = [client.chat.completions.create(**ask, n=3, temperature=1.2, seed=5) for _ in range(2)]
    assert len(sampled[0].choices) == 3
    assert [c.message.content for c in sampled[0].choices] == [c.message.content for c in sampled[1].choices]
    whole = answer.choices[0].message.content
    if len(whole) > 4:
        stopped = client.chat.completions.create(**ask, stop=[whole[2:4]])
        assert whole[2:4] not in stopped.choices[0].message.content


@check
def openai_completions():
    answer = client.completions.create(model=MODEL, prompt="What is a helmet?", max_tokens=8, echo=True)
    assert answer.choices[0].text.startswith("What is a helmet?")
    pieces = [chunk.choices[0].text for chunk in client.completions.create(model=MODEL, prompt="What is a helmet?", max_tokens=8, stream=True)
              if chunk.choices]
    assert "What is a helmet?" + "".join(pieces) == answer.choices[0].text


@check
def openai_responses():
    ask = dict(model=MODEL, instructions="Be brief.", input=[{"role": "user", "content": [
        {"type": "input_image", "image_url": DATA_URL, "detail": "auto"}, {"type": "input_text", "text": QUESTION}]}])
    whole = client.responses.create(**ask)
    assert whole.output_text and whole.usage.output_tokens > 0
    kinds, pieces = [], ""
    for event in client.responses.create(**ask, stream=True):
        kinds.append(event.type)
        pieces += event.delta if event.type == "response.output_text.delta" else ""
    assert pieces == whole.output_text and kinds[0] == "response.created" and kinds[-1] == "response.completed", kinds
    value = client.responses.create(model=MODEL, input=QUESTION, text={"format": {"type": "json_schema", "name": "counted", "schema": SCHEMA, "strict": True}})
    assert "count" in json.loads(value.output_text)
    called = client.responses.create(model=MODEL, input=QUESTION, tool_choice="required", tools=[{"type": "function", "strict": True, **FUNCTION}])
    assert called.output[0].type == "function_call" and called.output[0].name == FUNCTION["name"]


@check
def openai_files():
    stored = client.files.create(file=("site.jpg", io.BytesIO(BYTES)), purpose="vision")
    assert stored.bytes == len(BYTES) and stored.filename == "site.jpg"
    assert stored.id in [file.id for file in client.files.list()]
    assert client.files.content(stored.id).read() == BYTES
    by_file = client.chat.completions.create(model=MODEL, messages=user({"type": "file", "file": {"file_id": stored.id}}, text(QUESTION)))
    by_url = client.chat.completions.create(model=MODEL, messages=user(image(), text(QUESTION)))
    assert by_file.choices[0].message.content == by_url.choices[0].message.content
    assert client.files.delete(stored.id).deleted
    expect(openai.NotFoundError, lambda: client.files.retrieve(stored.id))


@check
def openai_what_no_model_can():
    expect(openai.BadRequestError, lambda: client.audio.speech.create(model=MODEL, voice="alloy", input="Hello"))
    expect(openai.BadRequestError, lambda: client.audio.transcriptions.create(model=MODEL, file=("a.wav", b"no sound")))
    expect(openai.BadRequestError, lambda: client.images.generate(model=MODEL, prompt="A helmet"))


@check_where(OPTIONS.embedder)
def openai_embeddings():
    # The client asks for base64 and decodes it, unless told otherwise.
    packed = client.embeddings.create(model=OPTIONS.embedder, input=["a helmet", "two dogs"])
    plain = client.embeddings.create(model=OPTIONS.embedder, input=["a helmet", "two dogs"], encoding_format="float")
    for one, other in zip(packed.data, plain.data):
        assert one.index == other.index and all(math.isclose(a, b, abs_tol=1e-6) for a, b in zip(one.embedding, other.embedding))
        assert math.isclose(sum(value * value for value in one.embedding), 1, rel_tol=1e-3)
    assert packed.usage.total_tokens > 0 and packed.model == OPTIONS.embedder
    short = client.embeddings.create(model=OPTIONS.embedder, input="a helmet", dimensions=2).data[0].embedding
    assert len(short) == 2 and math.isclose(math.hypot(*short), 1, rel_tol=1e-3)
    media = client.embeddings.create(model=OPTIONS.embedder, input=[image(), {"content": [image(), text("a helmet")]}])
    assert len(media.data) == 2 and len(media.data[0].embedding) == len(packed.data[0].embedding)
    expect(openai.BadRequestError, lambda: client.embeddings.create(model=OPTIONS.embedder, input=[1, 2, 3]))
    expect(openai.BadRequestError, lambda: client.embeddings.create(model=OPTIONS.embedder, input=""))


@check_where(OPTIONS.embedder)
def gemini_embeddings():
    same = client.embeddings.create(model=OPTIONS.embedder, input="a helmet", encoding_format="float").data[0].embedding
    config = types.EmbedContentConfig(task_type="RETRIEVAL_QUERY")
    found = google.models.embed_content(model=OPTIONS.embedder, contents=["a helmet", "two dogs"], config=config).embeddings
    assert len(found) == 2 and all(math.isclose(a, b, abs_tol=1e-6) for a, b in zip(found[0].values, same))
    short = google.models.embed_content(model=OPTIONS.embedder, contents="a helmet",
                                        config=types.EmbedContentConfig(output_dimensionality=2)).embeddings
    assert len(short[0].values) == 2
    expect(genai_errors.ClientError, lambda: google.models.embed_content(model="no-such-model", contents="x"))


def sound():
    return {"type": "input_audio", "input_audio": {"data": base64.b64encode(open(OPTIONS.sound, "rb").read()).decode(), "format": "wav"}}


@check_where(OPTIONS.hearer and OPTIONS.sound)
def openai_sound_in_chat():
    answer = client.chat.completions.create(model=OPTIONS.hearer, messages=user(sound(), text("What do you hear?")))
    assert answer.choices[0].message.content, answer


@check_where(OPTIONS.hearer and OPTIONS.sound)
def openai_transcription():
    ask = lambda **more: client.audio.transcriptions.create(model=OPTIONS.hearer, file=open(OPTIONS.sound, "rb"), **more)
    plain = ask().text
    in_chat = client.chat.completions.create(model=OPTIONS.hearer, messages=user(sound(), text("What do you hear?")))
    assert plain and plain == in_chat.choices[0].message.content, (plain, in_chat)
    assert ask(response_format="text").strip() == plain.strip()
    verbose = ask(response_format="verbose_json", temperature=0)
    assert verbose.text == plain and verbose.duration > 0 and verbose.segments[0].end == verbose.duration
    events = list(ask(stream=True))
    assert events[-1].type == "transcript.text.done" and events[-1].text == plain
    assert "".join(event.delta for event in events[:-1]) == plain


@check_where(OPTIONS.hearer and OPTIONS.sound)
def gemini_sound():
    part = types.Part.from_bytes(data=open(OPTIONS.sound, "rb").read(), mime_type="audio/wav")
    assert google.models.generate_content(model=OPTIONS.hearer, contents=[part, "What do you hear?"]).text


def ollama(path, body=None):
    """The lines of an answer of Ollama's API, whose own client adds nothing to plain HTTP."""
    request = urllib.request.Request(ADDRESS + path, None if body is None else json.dumps(body).encode(),
                                     {"Content-Type": "application/json", "Authorization": f"Bearer {KEY}"})
    with urllib.request.urlopen(request) as answer:
        return [json.loads(line) for line in answer.read().splitlines() if line]


@check
def ollama_tags():
    names = [model["name"] for model in ollama("/api/tags")[0]["models"]]
    assert names and (MODEL == "default" or MODEL in names), names


@check
def ollama_chat():
    body = {"model": MODEL, "messages": [{"role": "user", "content": QUESTION, "images": [base64.b64encode(BYTES).decode()]}]}
    lines = ollama("/api/chat", body)
    assert all(not line["done"] for line in lines[:-1]) and lines[-1]["done"] and lines[-1]["eval_count"] > 0, lines[-1]
    whole = ollama("/api/chat", {**body, "stream": False})[0]
    assert whole["message"]["role"] == "assistant" and whole["message"]["content"]
    assert "".join(line["message"]["content"] for line in lines) == whole["message"]["content"]
    same = client.chat.completions.create(model=MODEL, messages=user(image(), text(QUESTION)))
    assert same.choices[0].message.content == whole["message"]["content"]
    error = expect(urllib.error.HTTPError, lambda: ollama("/api/chat", {**body, "model": "no-such-model"}))
    assert error.code == 404 and "error" in json.loads(error.read())


@check
def openai_errors():
    expect(openai.NotFoundError, lambda: client.chat.completions.create(model="no-such-model", messages=user("x")))
    error = expect(openai.BadRequestError, lambda: client.chat.completions.create(model=MODEL, messages=user("x"), temperature=9))
    assert error.param == "temperature" and error.type == "invalid_request_error", error
    expect(openai.BadRequestError, lambda: client.chat.completions.create(
        model=MODEL, messages=user({"type": "image_url", "image_url": {"url": "http://169.254.169.254/x"}}, text("x"))))
    expect(openai.NotFoundError, lambda: client.post("/no/such/thing", cast_to=object, body={}))


@check
def gemini_models():
    assert list(google.models.list())


@check
def gemini_generate():
    contents = [types.Part.from_bytes(data=BYTES, mime_type=TYPE), QUESTION]
    config = types.GenerateContentConfig(system_instruction="Be brief.", temperature=0, max_output_tokens=40)
    whole = google.models.generate_content(model=MODEL, contents=contents, config=config)
    assert whole.text and whole.usage_metadata.total_token_count > 0
    pieces = [chunk.text or "" for chunk in google.models.generate_content_stream(model=MODEL, contents=contents, config=config)]
    assert "".join(pieces) == whole.text, (pieces, whole.text)
    counted = google.models.count_tokens(model=MODEL, contents=contents).total_tokens
    assert 0 < counted <= whole.usage_metadata.prompt_token_count


@check
def gemini_files():
    stored = google.files.upload(file=io.BytesIO(BYTES), config=types.UploadFileConfig(mime_type=TYPE, display_name="site"))
    assert stored.size_bytes == len(BYTES) and stored.mime_type == TYPE, stored
    by_file = google.models.generate_content(model=MODEL, contents=[stored, QUESTION])
    by_bytes = google.models.generate_content(model=MODEL, contents=[types.Part.from_bytes(data=BYTES, mime_type=TYPE), QUESTION])
    assert by_file.text == by_bytes.text
    assert stored.name in [file.name for file in google.files.list()]
    google.files.delete(name=stored.name)
    expect(genai_errors.ClientError, lambda: google.files.get(name=stored.name))


@check
def gemini_schema():
    config = types.GenerateContentConfig(response_mime_type="application/json", response_schema=types.Schema(
        type="OBJECT", properties={"count": types.Schema(type="INTEGER"), "note": types.Schema(type="STRING", max_length=20, nullable=True)},
        required=["count", "note"], property_ordering=["note", "count"]))
    answer = google.models.generate_content(model=MODEL, contents=QUESTION, config=config).text
    assert list(json.loads(answer)) == ["note", "count"], answer


@check
def gemini_functions():
    declaration = types.FunctionDeclaration(name="count_objects", description="Counts", parameters=types.Schema(
        type="OBJECT", properties={"kind": types.Schema(type="STRING", enum=["head", "helmet"])}, required=["kind"]))
    config = types.GenerateContentConfig(
        tools=[types.Tool(function_declarations=[declaration])],
        tool_config=types.ToolConfig(function_calling_config=types.FunctionCallingConfig(mode="ANY")),
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True))
    answer = google.models.generate_content(model=MODEL, contents=QUESTION, config=config)
    call = answer.function_calls[0]
    assert call.name == "count_objects" and call.args["kind"] in ("head", "helmet")


@check
def gemini_chat():
    chat = google.chats.create(model=MODEL)
    assert chat.send_message("Hello!").candidates
    assert chat.send_message("How are you?").candidates


@check
def gemini_errors():
    error = expect(genai_errors.ClientError, lambda: google.models.generate_content(model="no-such-model", contents="x"))
    assert error.code == 404 and error.status == "NOT_FOUND", error
    expect(genai_errors.ClientError, lambda: google.models.generate_content(
        model=MODEL, contents="x", config=types.GenerateContentConfig(temperature=1.9, top_p=-1)))


def expect(kind, call):
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__}")


failures = 0
for function in checks:
    try:
        function()
        print(f"ok    {function.__name__}")
    except Exception:  # every check is to be told of
        failures += 1
        print(f"FAIL  {function.__name__}")
        traceback.print_exc(file=sys.stdout)
print(f"{len(checks) - failures} of {len(checks)} checks hold")
sys.exit(1 if failures else 0)
