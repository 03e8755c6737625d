"""Chat completions through the client of OpenAI."""
import asyncio
import json

import openai

from common import (ADDRESS, FUNCTION, HEARD, HEARS, KEY, MODEL, OPTIONS, QUESTION, SCHEMA, WATCHED, WATCHES, check, check_where, client,
                    expect, film, image, read, sound, text, user)


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
def openai_errors():
    expect(openai.NotFoundError, lambda: client.chat.completions.create(model="no-such-model", messages=user("x")))
    error = expect(openai.BadRequestError, lambda: client.chat.completions.create(model=MODEL, messages=user("x"), temperature=9))
    assert error.param == "temperature" and error.type == "invalid_request_error", error
    expect(openai.BadRequestError, lambda: client.chat.completions.create(
        model=MODEL, messages=user({"type": "image_url", "image_url": {"url": "http://169.254.169.254/x"}}, text("x"))))
    expect(openai.NotFoundError, lambda: client.post("/no/such/thing", cast_to=object, body={}))


@check
def openai_chat_helpers_of_the_client():
    """Its parse() and stream(), and the asynchronous client."""
    import pydantic

    class Counted(pydantic.BaseModel):
        count: int
        sure: bool
    messages = user(image(), text(QUESTION))
    parsed = client.chat.completions.parse(model=MODEL, messages=messages, response_format=Counted)
    assert isinstance(parsed.choices[0].message.parsed, Counted)
    with client.chat.completions.stream(model=MODEL, messages=messages) as stream:
        deltas = "".join(event.delta for event in stream if event.type == "content.delta")
        assert deltas == stream.get_final_completion().choices[0].message.content

    async def stream_two():
        other = openai.AsyncOpenAI(base_url=ADDRESS + "/v1", api_key=KEY, max_retries=0)

        async def stream_one():
            return "".join([chunk.choices[0].delta.content or "" async for chunk in await other.chat.completions.create(
                model=MODEL, messages=messages, stream=True)])
        return await asyncio.gather(stream_one(), stream_one())
    assert asyncio.run(stream_two()) == [deltas, deltas]


@check
def openai_chat_streams_log_probabilities():
    ask = dict(model=MODEL, messages=user("Say something."), max_tokens=8, logprobs=True, top_logprobs=2)
    whole = client.chat.completions.create(**ask).choices[0].logprobs.content
    pieces = [token for chunk in client.chat.completions.create(**ask, stream=True) for choice in chunk.choices if choice.logprobs
              for token in choice.logprobs.content]
    assert [token.token for token in pieces] == [token.token for token in whole]
    assert all(len(token.top_logprobs) == 2 for token in pieces)


@check_where(HEARS)
def openai_chat_sounds():
    for path in OPTIONS.sound:
        ask = dict(model=OPTIONS.hearer, messages=user(sound(path), text(HEARD)))
        answer = client.chat.completions.create(**ask).choices[0].message.content
        assert answer, path
        streamed = "".join(chunk.choices[0].delta.content or "" for chunk in client.chat.completions.create(**ask, stream=True))
        assert streamed == answer, (path, streamed, answer)
        stored = client.files.create(file=open(path, "rb"), purpose="user_data")
        by_file = user({"type": "file", "file": {"file_id": stored.id}}, text(HEARD))
        assert client.chat.completions.create(model=OPTIONS.hearer, messages=by_file).choices[0].message.content == answer, path
        client.files.delete(stored.id)


@check_where(WATCHES)
def openai_chat_films():
    ask = dict(model=OPTIONS.watcher, messages=user(film(), text(WATCHED)))
    answer = client.chat.completions.create(**ask)
    # More than a picture's tokens: its frames, and its sound where it has one.
    picture = client.chat.completions.create(model=OPTIONS.watcher, messages=user(image(), text(WATCHED)), max_tokens=1)
    assert answer.choices[0].message.content and answer.usage.prompt_tokens != picture.usage.prompt_tokens
    streamed = "".join(chunk.choices[0].delta.content or "" for chunk in client.chat.completions.create(**ask, stream=True))
    assert streamed == answer.choices[0].message.content


@check_where(KEY != "none")
def openai_keys():
    for key in ("wrong", KEY + "x"):
        expect(openai.AuthenticationError, lambda: openai.OpenAI(base_url=ADDRESS + "/v1", api_key=key, max_retries=0).models.list())
