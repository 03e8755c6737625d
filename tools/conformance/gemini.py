"""The client of Google."""
import io
import json
import math

from google.genai import errors as genai_errors
from google.genai import types

from common import (HEARD, HEARS, MODEL, OPTIONS, QUESTION, WATCHED, WATCHES, check, check_where, client, expect, film, google, media_type, read,
                    sound, text, user)


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


@check
def gemini_models():
    names = [model.name for model in google.models.list()]
    assert names and google.models.get(model=MODEL).input_token_limit > 0


@check
def gemini_generate():
    contents = [types.Part.from_bytes(data=read(OPTIONS.picture), mime_type=media_type(OPTIONS.picture)), QUESTION]
    config = types.GenerateContentConfig(system_instruction="Be brief.", temperature=0, max_output_tokens=40)
    whole = google.models.generate_content(model=MODEL, contents=contents, config=config)
    assert whole.text and whole.usage_metadata.total_token_count > 0
    pieces = [chunk.text or "" for chunk in google.models.generate_content_stream(model=MODEL, contents=contents, config=config)]
    assert "".join(pieces) == whole.text, (pieces, whole.text)
    counted = google.models.count_tokens(model=MODEL, contents=contents).total_tokens
    assert 0 < counted <= whole.usage_metadata.prompt_token_count


@check
def gemini_files():
    stored = google.files.upload(file=io.BytesIO(read(OPTIONS.picture)), config=types.UploadFileConfig(mime_type=media_type(OPTIONS.picture), display_name="site"))
    assert stored.size_bytes == len(read(OPTIONS.picture)) and stored.mime_type == media_type(OPTIONS.picture), stored
    by_file = google.models.generate_content(model=MODEL, contents=[stored, QUESTION])
    by_bytes = google.models.generate_content(model=MODEL, contents=[types.Part.from_bytes(data=read(OPTIONS.picture), mime_type=media_type(OPTIONS.picture)), QUESTION])
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
    chat = google.chats.create(model=MODEL, config=types.GenerateContentConfig(max_output_tokens=20))
    assert chat.send_message("Hello!").candidates
    assert chat.send_message("How are you?").candidates
    assert [content.role for content in chat.get_history()] == ["user", "model", "user", "model"]


@check
def gemini_errors():
    error = expect(genai_errors.ClientError, lambda: google.models.generate_content(model="no-such-model", contents="x"))
    assert error.code == 404 and error.status == "NOT_FOUND", error
    expect(genai_errors.ClientError, lambda: google.models.generate_content(
        model=MODEL, contents="x", config=types.GenerateContentConfig(temperature=1.9, top_p=-1)))


@check
def gemini_log_probabilities():
    config = types.GenerateContentConfig(response_logprobs=True, logprobs=2, max_output_tokens=5)
    result = google.models.generate_content(model=MODEL, contents=QUESTION, config=config).candidates[0].logprobs_result
    assert result.chosen_candidates and all(len(step.candidates) == 2 for step in result.top_candidates)


@check_where(HEARS)
def gemini_sounds():
    for path in OPTIONS.sound:
        part = types.Part.from_bytes(data=read(path), mime_type=media_type(path))
        in_chat = client.chat.completions.create(model=OPTIONS.hearer, messages=user(sound(path), text(HEARD)))
        assert google.models.generate_content(model=OPTIONS.hearer, contents=[part, HEARD]).text == in_chat.choices[0].message.content


@check_where(WATCHES)
def gemini_film():
    stored = google.files.upload(file=OPTIONS.film)
    by_file = google.models.generate_content(model=OPTIONS.watcher, contents=[stored, WATCHED]).text
    in_chat = client.chat.completions.create(model=OPTIONS.watcher, messages=user(film(), text(WATCHED)))
    assert by_file == in_chat.choices[0].message.content
    google.files.delete(name=stored.name)


@check
def gemini_what_no_model_can():
    for modality, what in (("IMAGE", "pictures as output"), ("AUDIO", "sound as output")):
        error = expect(genai_errors.ClientError, lambda: google.models.generate_content(
            model=MODEL, contents="Draw a helmet", config=types.GenerateContentConfig(response_modalities=[modality])))
        assert error.code == 400 and what in error.message, error
