// The other APIs: completions, responses, files, Gemini's, Ollama's, conversations, the page.
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "base/file.h"
#include "generate/generate.h"
#include "server/running_server.h"

namespace sensorium::server {
namespace {

const Json kAsk = {{"model", "tiny"}};

std::string chat_text(const RunningServer& server, const std::string& text = "how many dogs?") {
  return server.chat({}, text).json().at("choices").at(0).at("message").at("content");
}

// What the tiny model goes on with, asked directly: 12 tokens, as tiny_options() has it.
std::string continued(const std::string& prompt) {
  const std::unique_ptr<models::Model> model = shared_tiny_model();
  const auto session = model->begin_tokens(model->encode_prompt(prompt));
  while (!session->read_prompt(64)) {
  }
  return generate::generate(*session, tiny_options().defaults).answer.text;
}

TEST(Completions, GoOnWithPromptsAsTheyStand) {
  const RunningServer server;
  const text::Tokenizer& tokenizer = *models::tiny_tokenizer();
  Json body = kAsk;
  body["prompt"] = {"how many dogs?", "three"};
  const Json json = server.post("/v1/completions", body).json();
  EXPECT_EQ(json.at("choices").at(0).at("text"), continued("how many dogs?"));
  EXPECT_EQ(json.at("choices").at(1).at("text"), continued("three"));
  EXPECT_EQ(json.at("choices").at(1).at("index"), 1);
  EXPECT_EQ(json.at("usage").at("completion_tokens"), 24);
  // Of each the token that begins a text, and its own.
  EXPECT_EQ(json.at("usage").at("prompt_tokens"),
            2 + tokenizer.encode("how many dogs?").size() + tokenizer.encode("three").size());
  // Whoever writes the turns with their control tokens gets what the chat answers, but for the spaces in front.
  body["prompt"] = "<|user|>how many dogs?<|end|><|assistant|>";
  const Json turns = server.post("/v1/completions", body).json();
  std::string text = turns.at("choices").at(0).at("text");
  text.erase(0, text.find_first_not_of(' '));
  EXPECT_EQ(text, chat_text(server));
  EXPECT_EQ(turns.at("usage").at("prompt_tokens"), server.chat().json().at("usage").at("prompt_tokens"));
  // Tokens are taken as they are.
  const std::vector<int32_t> ids = shared_tiny_model()->encode_prompt("how many dogs?");
  for (const Json& prompt : {Json(ids), Json::array({ids})}) {
    body["prompt"] = prompt;
    const Json same = server.post("/v1/completions", body).json();
    EXPECT_EQ(same.at("choices"), Json::array({json.at("choices").at(0)}));
    EXPECT_EQ(same.at("usage").at("prompt_tokens"), ids.size());
  }
}

TEST(Completions, StreamTheirPromptAndLogProbabilities) {
  const RunningServer server;
  Json body = kAsk;
  body["prompt"] = "wie viele Hüte?";
  body["echo"] = true;
  body["logprobs"] = 2;
  body["n"] = 2;
  body["temperature"] = 1;
  body["seed"] = 5;
  const Json whole = server.post("/v1/completions", body).json();
  body["stream"] = true;
  std::vector<Json> streamed(2, {{"text", ""}, {"offsets", Json::array()}, {"tokens", Json::array()}});
  for (const Json& event : events_of(server.post("/v1/completions", body))) {
    const Json& choice = event.at("choices").at(0);
    Json& sum = streamed[choice.at("index").get<size_t>()];
    sum["text"] = sum["text"].get<std::string>() + choice.at("text").get<std::string>();
    if (choice.at("logprobs").is_null()) continue;
    for (const Json& offset : choice.at("logprobs").at("text_offset")) sum["offsets"].push_back(offset);
    for (const Json& token : choice.at("logprobs").at("tokens")) sum["tokens"].push_back(token);
  }
  for (size_t i = 0; i < 2; ++i) {
    const Json& choice = whole.at("choices").at(i);
    EXPECT_EQ(streamed[i]["text"], choice.at("text"));
    EXPECT_EQ(streamed[i]["offsets"], choice.at("logprobs").at("text_offset"));
    EXPECT_EQ(streamed[i]["tokens"], choice.at("logprobs").at("tokens"));
    EXPECT_TRUE(choice.at("text").get<std::string>().starts_with("wie viele Hüte?"));
    EXPECT_EQ(choice.at("logprobs").at("text_offset").at(0), 15);  // characters, which are 16 bytes
    EXPECT_EQ(choice.at("logprobs").at("tokens").size(), 12U);
  }
  EXPECT_NE(streamed[0]["text"], streamed[1]["text"]);
}

TEST(Completions, RefuseWhatIsNoPrompt) {
  const RunningServer server;
  Json body = kAsk;
  const int32_t picture = models::tiny_tokenizer()->token_id("<|image|>").value();
  for (const Json& prompt : {Json(3), Json::array(), Json::array({Json::array()}), Json::array({1, "a"}),
                             Json::array({-1}), Json::array({1'000'000}), Json::array({picture}), Json::array({{1.5}}),
                             Json("a dog <|image|>"), Json::array({true})}) {
    body["prompt"] = prompt;
    const Answer answer = server.post("/v1/completions", body);
    EXPECT_EQ(answer.status, 400) << prompt;
    EXPECT_TRUE(answer.json().at("error").at("message").is_string()) << prompt;
  }
}

// "event: NAME\ndata: JSON\n\n"
std::vector<Json> named_events(const Answer& answer) {
  std::vector<Json> events;
  for (size_t at = 0; (at = answer.body.find("event: ", at)) != std::string::npos;) {
    const size_t data = answer.body.find("\ndata: ", at), end = answer.body.find("\n\n", at);
    events.push_back(parse_json(std::string_view(answer.body).substr(data + 7, end - data - 7)).value());
    EXPECT_EQ(events.back().at("type"), answer.body.substr(at + 7, data - at - 7));
    EXPECT_EQ(events.back().at("sequence_number"), events.size() - 1);
    at = end;
  }
  return events;
}

TEST(Responses, AnswersInItems) {
  const RunningServer server;
  Json body = kAsk;
  body["input"] = "how many dogs?";
  const Json json = server.post("/v1/responses", body).json();
  EXPECT_EQ(json.at("object"), "response");
  EXPECT_EQ(json.at("status"), "incomplete");
  EXPECT_EQ(json.at("output").at(0).at("content").at(0).at("text"), chat_text(server));
  body["stream"] = true;
  std::string streamed;
  const std::vector<Json> events = named_events(server.post("/v1/responses", body));
  for (const Json& event : events)
    streamed += event.at("type") == "response.output_text.delta" ? event.at("delta").get<std::string>() : "";
  EXPECT_EQ(streamed, chat_text(server));
  EXPECT_EQ(events.front().at("type"), "response.created");
  EXPECT_EQ(events.back().at("type"), "response.incomplete");
  body["stream"] = false;
  body["max_output_tokens"] = 100;
  body["tools"] = {
      {{"type", "function"},
       {"name", "count"},
       {"parameters", {{"type", "object"}, {"properties", Json::object()}, {"additionalProperties", false}}}}};
  body["tool_choice"] = "required";
  const Json called = server.post("/v1/responses", body).json();
  EXPECT_EQ(called.at("output").at(0).at("type"), "function_call");
  EXPECT_EQ(called.at("output").at(0).at("name"), "count");
  body["previous_response_id"] = "resp_1";
  EXPECT_EQ(server.post("/v1/responses", body).status, 400);
}

std::string form(const std::string& content, const std::string& name = "file") {
  return "--b\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nvision\r\n--b\r\nContent-Disposition: "
         "form-data; name=\"" +
         name + "\"; filename=\"a.png\"\r\nContent-Type: image/png\r\n\r\n" + content + "\r\n--b--\r\n";
}
const std::string kFormType = "Content-Type: multipart/form-data; boundary=b\r\n";

TEST(Files, AreKeptForTheirOwner) {
  ServerOptions options = tiny_options();
  options.gate.keys = {{.name = "ann", .digest = sha256(std::string_view("a"))},
                       {.name = "bob", .digest = sha256(std::string_view("b"))}};
  const RunningServer server(std::move(options));
  const std::string ann = "Authorization: Bearer a\r\n", bob = "Authorization: Bearer b\r\n";
  const std::string picture = media::encode_png(models::tiny_image(1, 64, 48));
  const Answer stored = ask_once(server.port(), "POST", "/v1/files", form(picture), kFormType + ann);
  ASSERT_EQ(stored.status, 200) << stored.body;
  const std::string id = stored.json().at("id");
  EXPECT_EQ(stored.json().at("bytes"), picture.size());
  EXPECT_EQ(stored.json().at("purpose"), "vision");
  const Answer content = ask_once(server.port(), "GET", "/v1/files/" + id + "/content", "", ann);
  EXPECT_EQ(content.body, picture);
  EXPECT_EQ(content.headers.at("Content-Disposition"), "attachment");
  const Json file_part = {
      {"messages",
       {{{"role", "user"},
         {"content", {{{"type", "file"}, {"file", {{"file_id", id}}}}, {{"type", "text"}, {"text", "what?"}}}}}}}};
  EXPECT_EQ(server.post("/v1/chat/completions", RunningServer::chat_body(file_part), ann).status, 200);
  EXPECT_EQ(server.post("/v1/chat/completions", RunningServer::chat_body(file_part), bob).status, 404);
  for (const char* path : {"", "/content"})
    EXPECT_EQ(ask_once(server.port(), "GET", "/v1/files/" + id + path, "", bob).status, 404);
  EXPECT_TRUE(ask_once(server.port(), "GET", "/v1/files", "", bob).json().at("data").empty());
  EXPECT_EQ(ask_once(server.port(), "DELETE", "/v1/files/" + id, "", bob).status, 404);
  EXPECT_EQ(ask_once(server.port(), "DELETE", "/v1/files/" + id, "", ann).status, 200);
  EXPECT_EQ(ask_once(server.port(), "GET", "/v1/files/" + id, "", ann).status, 404);
}

TEST(Files, RefusesWhatIsNoForm) {
  ServerOptions options = tiny_options();
  options.max_files_bytes = 100'000;
  const RunningServer server(std::move(options));
  const auto upload = [&](const std::string& body, const std::string& type = kFormType) {
    return ask_once(server.port(), "POST", "/v1/files", body, type).status;
  };
  EXPECT_EQ(upload("x"), 400);
  EXPECT_EQ(upload(form("abc"), "Content-Type: text/plain\r\n"), 400);
  EXPECT_EQ(upload(form("abc"), "Content-Type: multipart/form-data\r\n"), 400);
  EXPECT_EQ(upload(form("abc"), "Content-Type: multipart/form-data; boundary=other\r\n"), 400);
  EXPECT_EQ(upload(form("abc").substr(0, 120)), 400);
  EXPECT_EQ(upload(form("abc", "other")), 400);
  EXPECT_EQ(upload(form("")), 400);
  EXPECT_EQ(upload(form(std::string(200'000, 'x'))), 413);
  EXPECT_EQ(upload(form("abc")), 200);
  EXPECT_EQ(ask_once(server.port(), "GET", "/v1/files/..%2f..%2fetc%2fpasswd").status, 404);
}

TEST(Files, ComeInPiecesToo) {
  const RunningServer server;
  const std::string picture = media::encode_png(models::tiny_image(1, 64, 48));
  const Answer begun = server.post("/upload/v1beta/files", {{"file", {{"displayName", "p.png"}}}},
                                   "X-Goog-Upload-Header-Content-Type: image/png\r\n");
  ASSERT_EQ(begun.status, 200) << begun.body;
  const std::string url = begun.headers.at("X-Goog-Upload-URL"), path = url.substr(url.find("/upload"));
  const auto piece = [&](const std::string& bytes, size_t offset, const std::string& command) {
    return ask_once(
        server.port(), "POST", path, bytes,
        "X-Goog-Upload-Command: " + command + "\r\nX-Goog-Upload-Offset: " + std::to_string(offset) + "\r\n");
  };
  EXPECT_EQ(piece(picture.substr(0, 100), 0, "upload").headers.at("X-Goog-Upload-Status"), "active");
  EXPECT_EQ(piece("x", 7, "upload").status, 400);
  const Answer last = piece(picture.substr(100), 100, "upload, finalize");
  EXPECT_EQ(last.headers.at("X-Goog-Upload-Status"), "final");
  const Json file = last.json().at("file");
  EXPECT_EQ(file.at("mimeType"), "image/png");
  EXPECT_EQ(ask_once(server.port(), "GET", "/v1/files/" + file.at("id").get<std::string>() + "/content").body, picture);
  EXPECT_EQ(piece("x", 0, "upload").status, 404);
  Json body = {
      {"contents",
       {{{"role", "user"},
         {"parts", {{{"text", "what?"}}, {{"fileData", {{"fileUri", file.at("uri")}, {"mimeType", "image/png"}}}}}}}}}};
  EXPECT_EQ(server.post("/v1beta/models/tiny:generateContent", body).status, 200);
}

TEST(Files, ManyUploadsAtOnce) {
  const RunningServer server;
  std::vector<std::thread> threads;
  std::atomic<int> good{0};
  for (int i = 0; i < 100; ++i) {
    threads.emplace_back([&] {
      good +=
          ask_once(server.port(), "POST", "/v1/files", form(std::string(50'000, 'x')), kFormType).status == 200 ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, 100);
  EXPECT_EQ(ask_once(server.port(), "GET", "/v1/files").json().at("data").size(), 100U);
}

Json gemini_body(const std::string& text = "how many dogs?") {
  return {{"contents", {{{"role", "user"}, {"parts", {{{"text", text}}}}}}}};
}

TEST(Gemini, Generates) {
  const RunningServer server;
  const std::string model = "/v1beta/models/tiny";
  const Json json = server.post(model + ":generateContent", gemini_body()).json();
  EXPECT_EQ(json.at("candidates").at(0).at("content").at("parts").at(0).at("text"), chat_text(server));
  EXPECT_EQ(json.at("candidates").at(0).at("finishReason"), "MAX_TOKENS");
  EXPECT_EQ(json.at("usageMetadata").at("candidatesTokenCount"), 12);
  const Answer list = server.post(model + ":streamGenerateContent", gemini_body());
  std::string streamed;
  for (const Json& event : list.json())
    streamed += event.at("candidates").at(0).at("content").at("parts").at(0).at("text");
  EXPECT_EQ(streamed, chat_text(server));
  const Answer events = server.post(model + ":streamGenerateContent?alt=sse", gemini_body());
  EXPECT_TRUE(events.body.starts_with("data: {"));
  EXPECT_EQ(server.post(model + ":countTokens", gemini_body()).json().at("totalTokens"),
            json.at("usageMetadata").at("promptTokenCount"));
  EXPECT_EQ(ask_once(server.port(), "GET", "/v1beta/models").json().at("models").at(0).at("name"), "models/tiny");
}

TEST(Gemini, UnderstandsPicturesSchemasAndFunctions) {
  const RunningServer server;
  const std::string path = "/v1beta/models/tiny:generateContent";
  std::string data = base64_encode(media::encode_png(models::tiny_image(1, 64, 48)));
  for (char& c : data) c = c == '+' ? '-' : c == '/' ? '_' : c;  // as the official client writes it
  Json body = gemini_body();
  body["contents"][0]["parts"].push_back({{"inlineData", {{"mimeType", "image/png"}, {"data", data}}}});
  EXPECT_GT(server.post(path, body).json().at("usageMetadata").at("promptTokenCount").get<int>(), 12);
  const std::string schema =
      R"({"contents":"hi","generationConfig":{"maxOutputTokens":200,"responseMimeType":"application/json","responseSchema":)"
      R"({"type":"OBJECT","properties":{"a":{"type":"BOOLEAN"},"b":{"type":"STRING","maxLength":"3","nullable":true}},)"
      R"("required":["a","b"],"propertyOrdering":["b","a"]}}})";
  const Answer answer = ask_once(server.port(), "POST", path, schema);
  ASSERT_EQ(answer.status, 200) << answer.body;
  const std::string text = answer.json().at("candidates").at(0).at("content").at("parts").at(0).at("text");
  EXPECT_TRUE(parse_json(text).value().at("a").is_boolean()) << text;
  EXPECT_LT(text.find("\"b\""), text.find("\"a\""));
  Json calling = gemini_body();
  calling["generationConfig"] = {{"maxOutputTokens", 100}};
  calling["tools"] = {{{"functionDeclarations",
                        {{{"name", "count"},
                          {"parameters",
                           {{"type", "OBJECT"},
                            {"properties", {{"kind", {{"type", "STRING"}, {"enum", {"dog"}}}}}},
                            {"required", {"kind"}}}}}}}}};
  calling["toolConfig"] = {{"functionCallingConfig", {{"mode", "ANY"}}}};
  const Answer called = server.post(path, calling);
  ASSERT_EQ(called.status, 200) << called.body;
  const Json call = called.json().at("candidates").at(0).at("content").at("parts").at(0).at("functionCall");
  EXPECT_EQ(call.at("name"), "count");
  EXPECT_EQ(call.at("args").at("kind"), "dog");
}

TEST(Gemini, RefusesInItsOwnForm) {
  const RunningServer server;
  const Json unknown = server.post("/v1beta/models/other:generateContent", gemini_body()).json();
  EXPECT_EQ(unknown.at("error").at("code"), 404);
  EXPECT_EQ(unknown.at("error").at("status"), "NOT_FOUND");
  for (const Json& body : {Json::object(), Json{{"contents", {{{"parts", {{{"smell", 1}}}}}}}},
                           Json{{"contents", {{{"role", "robot"}, {"parts", {{{"text", "x"}}}}}}}}}) {
    const Answer answer = server.post("/v1beta/models/tiny:generateContent", body);
    EXPECT_EQ(answer.json().at("error").at("status"), "INVALID_ARGUMENT") << body;
  }
}

TEST(Ollama, ChatsInLines) {
  const RunningServer server;
  Json body = {{"model", "tiny:latest"}, {"messages", {{{"role", "user"}, {"content", "how many dogs?"}}}}};
  const Answer lines = server.post("/api/chat", body);
  std::string streamed;
  Json last;
  for (size_t at = 0; at < lines.body.size();) {
    const size_t end = lines.body.find('\n', at);
    last = parse_json(lines.body.substr(at, end - at)).value();
    streamed += last.at("message").at("content").get<std::string>();
    at = end + 1;
  }
  EXPECT_EQ(streamed, chat_text(server));
  EXPECT_EQ(last.at("done"), true);
  EXPECT_EQ(last.at("done_reason"), "length");
  EXPECT_EQ(last.at("eval_count"), 12);
  body["stream"] = false;
  EXPECT_EQ(server.post("/api/chat", body).json().at("message").at("content"), chat_text(server));
  body["messages"][0]["images"] = {base64_encode(media::encode_png(models::tiny_image(1, 64, 48)))};
  EXPECT_GT(server.post("/api/chat", body).json().at("prompt_eval_count").get<int>(),
            last.at("prompt_eval_count").get<int>());
  EXPECT_EQ(server.post("/api/generate", {{"model", "tiny"}, {"prompt", "how many dogs?"}, {"stream", false}})
                .json()
                .at("response"),
            chat_text(server));
  Json raw = {{"model", "tiny"}, {"prompt", "how many dogs?"}, {"stream", false}, {"raw", true}};
  EXPECT_EQ(server.post("/api/generate", raw).json().at("response"), continued("how many dogs?"));
  raw["system"] = "Be brief.";
  EXPECT_EQ(server.post("/api/generate", raw).status, 400);
  EXPECT_EQ(ask_once(server.port(), "GET", "/api/tags").json().at("models").at(0).at("name"), "tiny");
  EXPECT_TRUE(
      server.post("/api/chat", {{"model", "other"}, {"messages", Json::array()}}).json().at("error").is_string());
}

TEST(Apis, WhatNoModelCanIsSaid) {
  const RunningServer server;
  for (const char* path : {"/v1/audio/speech", "/v1/images/generations"}) {
    const Answer answer = server.post(path, Json::object());
    EXPECT_EQ(answer.status, 400) << path;
    EXPECT_EQ(answer.json().at("error").at("code"), "unsupported_model") << path;
  }
  const Answer spoken = server.chat({{"modalities", {"text", "audio"}}});
  EXPECT_EQ(spoken.status, 400);
  EXPECT_NE(error_message(spoken).find("a model with sound as output"), std::string::npos);
  Json gemini = {{"contents", "draw a dog"}, {"generationConfig", {{"responseModalities", {"TEXT", "IMAGE"}}}}};
  const Answer drawn = server.post("/v1beta/models/tiny:generateContent", gemini);
  EXPECT_EQ(drawn.status, 400);
  EXPECT_NE(error_message(drawn).find("a model with pictures as output"), std::string::npos);
  gemini["generationConfig"]["responseModalities"] = {"TEXT"};
  EXPECT_EQ(server.post("/v1beta/models/tiny:generateContent", gemini).status, 200);
  EXPECT_EQ(server.chat({{"modalities", {"text"}}}).status, 200);
  EXPECT_EQ(server.chat({{"modalities", {"smell"}}}).status, 400);
}

TEST(Conversations, AreKeptChangedAndExported) {
  ServerOptions options = tiny_options();
  const std::string file = testing::TempDir() + "conversations_api.db";
  for (const char* end : {"", "-wal", "-shm"}) std::filesystem::remove(file + end);
  options.database = file;
  std::string id;
  {
    const RunningServer server(options);
    const auto put = [&](const std::string& path, const Json& body) {
      return ask_once(server.port(), "PUT", path, body.dump());
    };
    id = server.post("/api/conversations", {{"title", "Dogs"}}).json().at("id");
    const std::string path = "/api/conversations/" + id;
    EXPECT_EQ(put(path + "/messages/m1", {{"role", "user"},
                                          {"content",
                                           {{{"type", "text"}, {"text", "How many?"}},
                                            {{"type", "image_url"}, {"image_url", {{"url", "data:x"}}}}}}})
                  .status,
              200);
    EXPECT_EQ(put(path + "/messages/m2", {{"role", "assistant"}, {"content", "Two"}}).status, 200);
    EXPECT_EQ(put(path + "/messages/m2", {{"role", "assistant"}, {"content", std::string("Three\0!", 7)}}).status, 200);
    EXPECT_EQ(put(path, {{"title", "Many dogs"}}).status, 200);
    EXPECT_EQ(put("/api/conversations/own-id", {{"title", "x"}}).status, 200);
    EXPECT_EQ(put(path + "/messages/m3", {{"role", "robot"}, {"content", ""}}).status, 400);
    EXPECT_EQ(put(path + "/messages/m%204", {{"role", "user"}, {"content", ""}}).status, 400);
    EXPECT_EQ(put("/api/conversations/none/messages/m", {{"role", "user"}, {"content", ""}}).status, 404);
  }
  const RunningServer server(options);
  const std::string path = "/api/conversations/" + id;
  const Json whole = ask_once(server.port(), "GET", path).json();
  EXPECT_EQ(whole.at("title"), "Many dogs");
  ASSERT_EQ(whole.at("messages").size(), 2U);
  EXPECT_EQ(whole.at("messages").at(0).at("content").at(0).at("text"), "How many?");
  EXPECT_EQ(whole.at("messages").at(1).at("content"), std::string("Three\0!", 7));
  EXPECT_EQ(ask_once(server.port(), "GET", "/api/conversations").json().at("conversations").size(), 2U);
  EXPECT_EQ(ask_once(server.port(), "GET", "/api/conversations?limit=1&offset=1").json().at("conversations").size(),
            1U);
  EXPECT_EQ(ask_once(server.port(), "GET", "/api/conversations?limit=x").status, 400);
  const Answer text = ask_once(server.port(), "GET", path + "/export?format=markdown");
  EXPECT_NE(text.body.find("# Many dogs"), std::string::npos);
  EXPECT_NE(text.body.find("## user\n\nHow many?\n\n*(image_url)*"), std::string::npos) << text.body;
  EXPECT_EQ(ask_once(server.port(), "GET", path + "/export").json(), whole);
  EXPECT_EQ(ask_once(server.port(), "DELETE", path + "/messages/m1").status, 200);
  EXPECT_EQ(ask_once(server.port(), "DELETE", path + "/messages/m1").status, 404);
  EXPECT_EQ(ask_once(server.port(), "DELETE", path).status, 200);
  EXPECT_EQ(ask_once(server.port(), "GET", path).status, 404);
}

TEST(Conversations, WithoutADatabaseThisIsSaid) {
  const RunningServer server;
  EXPECT_EQ(ask_once(server.port(), "GET", "/api/conversations").status, 501);
}

TEST(Page, IsServedStrictly) {
  ServerOptions options = tiny_options();
  options.web = std::filesystem::path(SENSORIUM_SOURCE_DIR) / "web";
  const RunningServer server(std::move(options));
  const Answer page = ask_once(server.port(), "GET", "/");
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(page.headers.at("Content-Type"), "text/html; charset=utf-8");
  EXPECT_EQ(page.headers.at("Content-Security-Policy").find("unsafe"), std::string::npos);
  EXPECT_EQ(page.headers.at("X-Frame-Options"), "DENY");
  const Answer again = ask_once(server.port(), "GET", "/", "",
                                "Connection: close\r\nIf-None-Match: " + page.headers.at("ETag") + "\r\n");
  EXPECT_EQ(again.status, 304);
  EXPECT_EQ(ask_once(server.port(), "GET", "/web/js/app.js").headers.at("Content-Type"),
            "text/javascript; charset=utf-8");
  for (const char* path :
       {"/web/none.js", "/web/", "/web/..%2fREADME.md", "/web/%2e%2e/weights/default/config.json", "/web//etc/passwd"})
    EXPECT_EQ(ask_once(server.port(), "GET", path).status, 404) << path;
}

}  // namespace
}  // namespace sensorium::server
