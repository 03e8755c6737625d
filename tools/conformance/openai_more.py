"""The other routes of OpenAI, through its client, and those that watch the server."""
import io
import json
import math
import urllib.request

import openai

from common import (ADDRESS, FUNCTION, HEARD, HEARS, MODEL, OPTIONS, QUESTION, SCHEMA, WATCHED, WATCHES, check, check_where, client, data_url,
                    expect, film, image, read, sound, text, user)


@check
def openai_completions():
    answer = client.completions.create(model=MODEL, prompt="What is a helmet?", max_tokens=8, echo=True)
    assert answer.choices[0].text.startswith("What is a helmet?")
    pieces = [chunk.choices[0].text for chunk in client.completions.create(model=MODEL, prompt="What is a helmet?", max_tokens=8, stream=True)
              if chunk.choices]
    assert "What is a helmet?" + "".join(pieces) == answer.choices[0].text
    # The prompt as it stands: the token that begins a text, and its own; a chat puts more around it.
    in_chat = client.chat.completions.create(model=MODEL, messages=user("What is a helmet?"), max_tokens=1)
    assert answer.usage.prompt_tokens < in_chat.usage.prompt_tokens, (answer.usage, in_chat.usage)
    likely = client.completions.create(model=MODEL, prompt=["A helmet", "A dog"], max_tokens=4, n=2, temperature=1, seed=3, logprobs=2)
    assert [choice.index for choice in likely.choices] == [0, 1, 2, 3]
    assert all(len(choice.logprobs.tokens) <= 4 for choice in likely.choices if choice.logprobs)
    expect(openai.BadRequestError, lambda: client.completions.create(model=MODEL, prompt=[10**9], max_tokens=4))


@check
def openai_responses():
    ask = dict(model=MODEL, instructions="Be brief.", input=[{"role": "user", "content": [
        {"type": "input_image", "image_url": data_url(OPTIONS.picture), "detail": "auto"}, {"type": "input_text", "text": QUESTION}]}])
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
    stored = client.files.create(file=("site.jpg", io.BytesIO(read(OPTIONS.picture))), purpose="vision")
    assert stored.bytes == len(read(OPTIONS.picture)) and stored.filename == "site.jpg"
    assert stored.id in [file.id for file in client.files.list()]
    assert client.files.content(stored.id).read() == read(OPTIONS.picture)
    by_file = client.chat.completions.create(model=MODEL, messages=user({"type": "file", "file": {"file_id": stored.id}}, text(QUESTION)))
    by_url = client.chat.completions.create(model=MODEL, messages=user(image(), text(QUESTION)))
    assert by_file.choices[0].message.content == by_url.choices[0].message.content
    assert client.files.delete(stored.id).deleted
    expect(openai.NotFoundError, lambda: client.files.retrieve(stored.id))


@check
def openai_what_no_model_can():
    missing = {
        "sound as output": [
            lambda: client.audio.speech.create(model=MODEL, voice="alloy", input="Hello"),
            lambda: client.chat.completions.create(model=MODEL, messages=user("Hello"), modalities=["text", "audio"],
                                                   audio={"voice": "alloy", "format": "wav"})],
        "pictures as output": [lambda: client.images.generate(model=MODEL, prompt="A helmet")]}
    for what, calls in missing.items():
        for call in calls:
            error = expect(openai.BadRequestError, call)
            assert what in error.message and error.code == "unsupported_model", error
    expect(openai.BadRequestError, lambda: client.audio.transcriptions.create(model=MODEL, file=("a.wav", b"no sound")))


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


@check_where(HEARS)
def openai_transcription():
    ask = lambda **more: client.audio.transcriptions.create(model=OPTIONS.hearer, file=open(OPTIONS.sound[0], "rb"), **more)
    plain = ask().text
    in_chat = client.chat.completions.create(model=OPTIONS.hearer, messages=user(sound(OPTIONS.sound[0]), text(HEARD)))
    assert plain and plain == in_chat.choices[0].message.content, (plain, in_chat)
    assert ask(response_format="text").strip() == plain.strip()
    verbose = ask(response_format="verbose_json", temperature=0)
    assert verbose.text == plain and verbose.duration > 0 and verbose.segments[0].end == verbose.duration
    events = list(ask(stream=True))
    assert events[-1].type == "transcript.text.done" and events[-1].text == plain
    assert "".join(event.delta for event in events[:-1]) == plain


@check
def openai_responses_helpers_of_the_client():
    with client.responses.stream(model=MODEL, input=QUESTION, max_output_tokens=8) as stream:
        deltas = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
        assert deltas == stream.get_final_response().output_text
    pieces = [event for event in client.responses.create(model=MODEL, input=QUESTION, tool_choice="required", stream=True,
                                                         tools=[{"type": "function", "strict": True, **FUNCTION}])]
    called = "".join(event.delta for event in pieces if event.type == "response.function_call_arguments.delta")
    assert "kind" in json.loads(called) and pieces[-1].response.output[0].arguments == called
    error = expect(openai.BadRequestError, lambda: client.responses.create(model=MODEL, input="x", previous_response_id="resp_1"))
    assert error.param == "previous_response_id", error


@check_where(HEARS)
def openai_responses_sound():
    content = [sound(OPTIONS.sound[0]), {"type": "input_text", "text": HEARD}]
    answer = client.responses.create(model=OPTIONS.hearer, input=[{"role": "user", "content": content}]).output_text
    in_chat = client.chat.completions.create(model=OPTIONS.hearer, messages=user(sound(OPTIONS.sound[0]), text(HEARD)))
    assert answer == in_chat.choices[0].message.content


@check_where(WATCHES)
def openai_responses_film():
    stored = client.files.create(file=open(OPTIONS.film, "rb"), purpose="user_data")
    content = [{"type": "input_file", "file_id": stored.id}, {"type": "input_text", "text": WATCHED}]
    answer = client.responses.create(model=OPTIONS.watcher, input=[{"role": "user", "content": content}]).output_text
    in_chat = client.chat.completions.create(model=OPTIONS.watcher, messages=user(film(), text(WATCHED)))
    assert answer == in_chat.choices[0].message.content
    client.files.delete(stored.id)


@check_where(OPTIONS.embedder and HEARS and OPTIONS.embedder == OPTIONS.hearer)
def openai_embeddings_of_sounds():
    vectors = client.embeddings.create(model=OPTIONS.embedder, input=[sound(path) for path in OPTIONS.sound]).data
    assert len(vectors) == len(OPTIONS.sound)
    assert all(math.isclose(sum(value * value for value in vector.embedding), 1, rel_tol=1e-3) for vector in vectors)


@check
def what_watches_the_server():
    def get(path):
        with urllib.request.urlopen(ADDRESS + path) as answer:
            return answer.read().decode()
    assert json.loads(get("/health"))["status"] == "ok" and json.loads(get("/ready"))["status"] == "ready"
    assert json.loads(get("/version"))["version"]
    paths = json.loads(get("/openapi.json"))["paths"]
    for path in ("/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/embeddings", "/v1/audio/transcriptions", "/v1/audio/speech",
                 "/v1/images/generations", "/v1/models", "/v1/files", "/v1beta/models/{model}:generateContent", "/api/chat", "/metrics"):
        assert path in paths, path


@check_where(OPTIONS.key == "none")
def metrics_count():
    with urllib.request.urlopen(ADDRESS + "/metrics") as answer:
        lines = answer.read().decode().splitlines()
    assert any(line.startswith("sensorium_generated_tokens_total ") and float(line.split()[1]) > 0 for line in lines)
