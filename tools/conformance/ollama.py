"""Routes of Ollama, whose own client adds nothing to plain HTTP."""
import json
import urllib.error
import urllib.request

from common import ADDRESS, FUNCTION, KEY, MODEL, OPTIONS, QUESTION, SCHEMA, check, client, encoded, expect, image, text, user


def ollama(path, body=None):
    """The lines of an answer."""
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
    body = {"model": MODEL, "messages": [{"role": "user", "content": QUESTION, "images": [encoded(OPTIONS.picture)]}]}
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
def ollama_schema_and_tools():
    ask = {"model": MODEL, "messages": [{"role": "user", "content": QUESTION}], "stream": False}
    assert "count" in json.loads(ollama("/api/chat", {**ask, "format": SCHEMA})[0]["message"]["content"])
    answer = ollama("/api/chat", {**ask, "tools": [{"type": "function", "function": FUNCTION}], "options": {"num_predict": 8}})[0]
    assert answer["done"] and "message" in answer


@check
def ollama_generate_and_version():
    ask = {"model": MODEL, "prompt": "What is a helmet?", "options": {"num_predict": 8}}
    lines = ollama("/api/generate", ask)
    assert lines[-1]["done"] and lines[-1]["eval_count"] > 0
    whole = ollama("/api/generate", {**ask, "stream": False})[0]
    assert "".join(line["response"] for line in lines) == whole["response"]
    raw = ollama("/api/generate", {**ask, "stream": False, "raw": True})[0]
    same = client.completions.create(model=MODEL, prompt=ask["prompt"], max_tokens=8)
    assert raw["response"] == same.choices[0].text and raw["prompt_eval_count"] == same.usage.prompt_tokens
    assert ollama("/api/version")[0]["version"]
