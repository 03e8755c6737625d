#!/usr/bin/env python3
"""Runs the official clients of OpenAI (openai) and Google (google-genai) unchanged against a server.

    clients.py ADDRESS MODEL PICTURE [KEY]        clients.py http://127.0.0.1:8080 default examples/site.jpg

Prints a line per check and how many there were. Exit code 0: all hold; 1: one does not; 77: a client is not installed.
"""
import base64
import io
import json
import sys
import traceback

try:
    import openai
    from google import genai
    from google.genai import errors as genai_errors
    from google.genai import types
except ImportError as missing:
    print(f"not installed: {missing.name}")
    sys.exit(77)

ADDRESS, MODEL, PICTURE = sys.argv[1:4]
KEY = sys.argv[4] if len(sys.argv) > 4 else "none"
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
    expect(openai.BadRequestError, lambda: client.audio.transcriptions.create(model=MODEL, file=("a.wav", b"RIFF")))
    expect(openai.BadRequestError, lambda: client.images.generate(model=MODEL, prompt="A helmet"))
    expect(openai.BadRequestError, lambda: client.embeddings.create(model=MODEL, input="A helmet"))


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
