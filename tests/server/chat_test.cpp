// POST /v1/chat/completions, through a socket.
#include <gtest/gtest.h>

#include "media/audio.h"
#include "server/running_server.h"

namespace sensorium::server {
namespace {

std::string content_of(const Answer& answer, size_t choice = 0) {
  return answer.json().at("choices").at(choice).at("message").at("content").get<std::string>();
}

std::string streamed_content(const std::vector<Json>& events, int index = 0) {
  std::string text;
  for (const Json& event : events) {
    for (const Json& choice : event.at("choices")) {
      if (choice.at("index") == index) text += choice.at("delta").value("content", "");
    }
  }
  return text;
}

TEST(Chat, AnswersWholeAndInPiecesTheSame) {
  const RunningServer server;
  const Answer whole = server.chat();
  ASSERT_EQ(whole.status, 200) << whole.body;
  const Json json = whole.json();
  EXPECT_EQ(json.at("object"), "chat.completion");
  EXPECT_EQ(json.at("model"), "tiny");
  EXPECT_EQ(json.at("choices").at(0).at("finish_reason"), "length");
  const Json usage = json.at("usage");
  EXPECT_EQ(usage.at("completion_tokens"), 12);
  EXPECT_EQ(usage.at("total_tokens").get<int>(), usage.at("prompt_tokens").get<int>() + 12);
  const std::vector<Json> events =
      events_of(server.chat({{"stream", true}, {"stream_options", {{"include_usage", true}}}}));
  EXPECT_EQ(streamed_content(events), content_of(whole));
  EXPECT_EQ(events.front().at("choices").at(0).at("delta").at("role"), "assistant");
  EXPECT_EQ(events.at(events.size() - 2).at("choices").at(0).at("finish_reason"), "length");
  EXPECT_EQ(events.back().at("usage").at("completion_tokens"), 12);
  EXPECT_TRUE(events.back().at("choices").empty());
}

TEST(Chat, SeesPictures) {
  const RunningServer server;
  const auto ask = [&](const Json& part) {
    return server.chat(
        {{"messages", {{{"role", "user"}, {"content", {part, {{"type", "text"}, {"text", "what is this?"}}}}}}}});
  };
  const Answer without = server.chat({}, "what is this?"),
               with = ask({{"type", "image_url"}, {"image_url", {{"url", picture_url()}}}});
  ASSERT_EQ(with.status, 200) << with.body;
  EXPECT_GT(with.json().at("usage").at("prompt_tokens").get<int>(),
            without.json().at("usage").at("prompt_tokens").get<int>());
  const Answer responses_style = ask({{"type", "input_image"}, {"image_url", picture_url()}});
  EXPECT_EQ(content_of(responses_style), content_of(with));
}

TEST(Chat, TellsWhereTheAnswerWasFound) {
  const RunningServer server;
  const Json content = {{{"type", "image_url"}, {"image_url", {{"url", picture_url()}}}},
                        {{"type", "text"}, {"text", "how many dogs?"}}};
  Json more = {{"messages", {{{"role", "user"}, {"content", content}}}}, {"sensorium", {{"heat", true}}}};
  const Json message = server.chat(more).json().at("choices").at(0).at("message");
  const Json heats = message.at("sensorium").at("heat");
  ASSERT_EQ(heats.size(), 1U) << heats;
  const Json& heat = heats.at(0);
  EXPECT_EQ(heat.at("label"), "dog");
  EXPECT_EQ(heat.at("picture"), 0);
  EXPECT_EQ(heat.at("values").size(), heat.at("rows").get<size_t>() * heat.at("columns").get<size_t>());
  const auto values = heat.at("values").get<std::vector<double>>();
  EXPECT_EQ(std::ranges::min(values), 0);
  EXPECT_EQ(std::ranges::max(values), 1);
  more["stream"] = true;
  Json streamed;
  for (const Json& event : events_of(server.chat(more))) {
    const Json& delta = event.at("choices").at(0).at("delta");
    if (delta.contains("sensorium")) streamed = delta.at("sensorium").at("heat");
  }
  EXPECT_EQ(streamed, heats);
  more["stream"] = false;
  more["sensorium"] = {{"heat", false}};
  EXPECT_FALSE(server.chat(more).json().at("choices").at(0).at("message").contains("sensorium"));
  more["sensorium"] = {{"heat", 3}};
  EXPECT_EQ(server.chat(more).status, 400);
}

TEST(Chat, RepeatsAndSeeds) {
  const RunningServer server;
  const Json sampled = {{"temperature", 1.5}, {"seed", 7}};
  const std::string first = content_of(server.chat(sampled));
  EXPECT_EQ(content_of(server.chat(sampled)), first);
  EXPECT_NE(content_of(server.chat({{"temperature", 1.5}, {"seed", 8}})), first);
  const Answer three = server.chat({{"temperature", 1.5}, {"seed", 7}, {"n", 3}});
  ASSERT_EQ(three.json().at("choices").size(), 3U);
  EXPECT_EQ(content_of(three, 0), first);
  EXPECT_EQ(content_of(three, 1), content_of(server.chat({{"temperature", 1.5}, {"seed", 8}})));
  EXPECT_EQ(three.json().at("usage").at("completion_tokens"), 36);
  const std::vector<Json> events =
      events_of(server.chat({{"temperature", 1.5}, {"seed", 7}, {"n", 3}, {"stream", true}}));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(streamed_content(events, i), content_of(three, static_cast<size_t>(i)));
}

TEST(Chat, StopsBeforeAText) {
  const RunningServer server;
  const std::string whole = content_of(server.chat());
  const std::string stop = whole.substr(whole.size() / 2, 3);
  const Answer stopped = server.chat({{"stop", stop}});
  EXPECT_EQ(content_of(stopped), whole.substr(0, whole.find(stop)));
  EXPECT_EQ(stopped.json().at("choices").at(0).at("finish_reason"), "stop");
  EXPECT_EQ(streamed_content(events_of(server.chat({{"stop", {stop, "zzzz"}}, {"stream", true}}))),
            content_of(stopped));
}

TEST(Chat, TellsLogProbabilities) {
  const RunningServer server;
  const Json asked = {{"logprobs", true}, {"top_logprobs", 2}};
  const Json tokens = server.chat(asked).json().at("choices").at(0).at("logprobs").at("content");
  ASSERT_EQ(tokens.size(), 12U);
  for (const Json& token : tokens) {
    EXPECT_LE(token.at("logprob").get<double>(), 0);
    ASSERT_EQ(token.at("top_logprobs").size(), 2U);
    EXPECT_GE(token.at("top_logprobs").at(0).at("logprob"), token.at("top_logprobs").at(1).at("logprob"));
    EXPECT_GE(token.at("top_logprobs").at(0).at("logprob"), token.at("logprob"));
  }
  Json streamed = Json::array();
  Json more = asked;
  more["stream"] = true;
  for (const Json& event : events_of(server.chat(more))) {
    for (const Json& choice : event.at("choices")) {
      if (!choice.at("logprobs").is_null())
        streamed.insert(streamed.end(), choice.at("logprobs").at("content").begin(),
                        choice.at("logprobs").at("content").end());
    }
  }
  EXPECT_EQ(streamed, tokens);
}

TEST(Chat, WritesJsonOfASchemaInItsOrder) {
  const RunningServer server;
  const std::string schema =
      R"({"type":"object","properties":{"z":{"type":"boolean"},"a":{"enum":["x","y"]}},"required":["z","a"]})";
  const std::string body =
      R"({"model":"tiny","max_tokens":200,"messages":[{"role":"user","content":"hi"}],"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":)" +
      schema + "}}}";
  const Answer answer = ask_once(server.port(), "POST", "/v1/chat/completions", body);
  ASSERT_EQ(answer.status, 200) << answer.body;
  const std::string content = content_of(answer);
  const Json json = parse_json(content).value();
  EXPECT_TRUE(json.at("z").is_boolean());
  EXPECT_TRUE(json.at("a") == "x" || json.at("a") == "y");
  EXPECT_LT(content.find("\"z\""), content.find("\"a\""));
  EXPECT_TRUE(parse_json(content_of(server.chat({{"response_format", {{"type", "json_object"}}},
                                                 {"max_tokens", 400},
                                                 {"logit_bias", Json::object()}})))
                  .ok() ||
              server.chat({{"response_format", {{"type", "json_object"}}}, {"max_tokens", 400}})
                      .json()
                      .at("choices")
                      .at(0)
                      .at("finish_reason") == "length");
}

TEST(Chat, CallsFunctions) {
  const RunningServer server;
  const Json function = {{"name", "count"},
                         {"parameters",
                          {{"type", "object"},
                           {"properties", {{"kind", {{"enum", {"dog", "cat"}}}}}},
                           {"required", {"kind"}},
                           {"additionalProperties", false}}}};
  const Json asked = {
      {"tools", {{{"type", "function"}, {"function", function}}}}, {"tool_choice", "required"}, {"max_tokens", 100}};
  const Answer answer = server.chat(asked);
  ASSERT_EQ(answer.status, 200) << answer.body;
  const Json choice = answer.json().at("choices").at(0);
  EXPECT_EQ(choice.at("finish_reason"), "tool_calls");
  EXPECT_TRUE(choice.at("message").at("content").is_null());
  const Json call = choice.at("message").at("tool_calls").at(0);
  EXPECT_EQ(call.at("type"), "function");
  EXPECT_EQ(call.at("function").at("name"), "count");
  const Json arguments = parse_json(call.at("function").at("arguments").get<std::string>()).value();
  EXPECT_TRUE(arguments.at("kind") == "dog" || arguments.at("kind") == "cat");
  Json more = asked;
  more["stream"] = true;
  const std::vector<Json> events = events_of(server.chat(more));
  EXPECT_EQ(streamed_content(events), "");
  const Json delta = events.at(events.size() - 2).at("choices").at(0).at("delta");
  EXPECT_EQ(delta.at("tool_calls").at(0).at("function"), call.at("function"));
  EXPECT_EQ(events.back().at("choices").at(0).at("finish_reason"), "tool_calls");
  // What a client sends back: the call and its result.
  const Answer next = server.chat({{"messages",
                                    {{{"role", "user"}, {"content", "dogs?"}},
                                     {{"role", "assistant"}, {"content", nullptr}, {"tool_calls", {call}}},
                                     {{"role", "tool"}, {"tool_call_id", "x"}, {"content", "3"}}}}});
  EXPECT_EQ(next.status, 200) << next.body;
}

struct BadRequest {
  const char* name;
  Json more;
  int status;
  const char* part;  // of the message
};

TEST(Chat, RefusesWhatIsWrongAndSaysWhy) {
  const RunningServer server;
  const auto with_part = [](const Json& part) { return Json{{"messages", {{{"role", "user"}, {"content", {part}}}}}}; };
  const auto image = [&](const std::string& url) {
    return with_part({{"type", "image_url"}, {"image_url", {{"url", url}}}});
  };
  const auto sound = [&](const std::string& bytes) {
    return with_part({{"type", "input_audio"}, {"input_audio", {{"data", base64_encode(bytes)}, {"format", "wav"}}}});
  };
  std::string bomb = media::encode_png(media::Image(16, 16));
  bomb[16] = bomb[20] = '\x7f';  // says to be 2 billion pixels wide
  const std::vector<BadRequest> requests = {
      {"UnknownModel", {{"model", "tyni"}}, 404, "did you mean \"tiny\""},
      {"NoModel", {{"model", nullptr}}, 400, "\"model\" is missing"},
      {"MessagesAreNoList", {{"messages", "hi"}}, 400, "\"messages\" is string, expected a list"},
      {"NoMessages", {{"messages", Json::array()}}, 400, "empty"},
      {"MessageIsNoObject", {{"messages", {1}}}, 400, "messages[0]"},
      {"UnknownRole", {{"messages", {{{"role", "robot"}, {"content", "x"}}}}}, 400, "robot"},
      {"ContentIsANumber", {{"messages", {{{"role", "user"}, {"content", 3}}}}}, 400, "messages[0]"},
      {"UnknownPart", with_part({{"type", "smell"}}), 400, "smell"},
      {"NoSound", with_part({{"type", "input_audio"}, {"input_audio", {{"data", ""}, {"format", "wav"}}}}), 400,
       "no data"},
      {"DamagedSound", sound("RIFF----WAVEfmt "), 400, "cannot be read"},
      {"SoundToTheDeaf",
       sound(media::encode_wav({.sample_rate_hz = 16000, .channels = 1, .samples = std::vector<float>(16000, 0.1f)})),
       400, "sound"},
      {"BadBase64", image("data:image/png;base64,@@@@"), 400, "base64"},
      {"NoDataUrl", image("data:image/png,xx"), 400, "data:TYPE;base64"},
      {"NoPicture", image("data:image/png;base64," + base64_encode("<html></html>")), 400, "cannot be read"},
      {"Bomb", image("data:image/png;base64," + base64_encode(bomb)), 413, "cannot be read"},
      {"Remote", image("http://example.org/x.png"), 400, "does not fetch"},
      {"Local", image("file:///etc/passwd"), 400, "no local files"},
      {"OtherScheme", image("gopher://x"), 400, "data:"},
      {"UnknownFile", with_part({{"type", "file"}, {"file", {{"file_id", "file-../../etc/passwd"}}}}), 404, "no file"},
      {"Temperature", {{"temperature", 3}}, 400, "temperature"},
      {"TemperatureText", {{"temperature", "hot"}}, 400, "temperature"},
      {"TopP", {{"top_p", -1}}, 400, "top_p"},
      {"ZeroTokens", {{"max_tokens", 0}}, 400, "max_tokens"},
      {"FractionOfTokens", {{"max_tokens", 1.5}}, 400, "max_tokens"},
      {"ManyChoices", {{"n", 1000}}, 400, "\"n\""},
      {"TopLogprobs", {{"logprobs", true}, {"top_logprobs", 50}}, 400, "top_logprobs"},
      {"EmptyStop", {{"stop", {""}}}, 400, "stop"},
      {"StopNumbers", {{"stop", {1}}}, 400, "stop"},
      {"BiasKey", {{"logit_bias", {{"x", 1}}}}, 400, "logit_bias"},
      {"BiasOutside", {{"logit_bias", {{"999999", 1}}}}, 400, "999999"},
      {"Format", {{"response_format", {{"type", "poem"}}}}, 400, "response_format"},
      {"ImpossibleSchema",
       {{"response_format", {{"type", "json_schema"}, {"json_schema", {{"schema", {{"enum", Json::array()}}}}}}}},
       400,
       "schema"},
      {"SchemaOfNoText",
       {{"response_format",
         {{"type", "json_schema"},
          {"json_schema", {{"schema", {{"type", "string"}, {"minLength", 5}, {"maxLength", 3}}}}}}}},
       400,
       "schema"},
      {"SchemaOfNoNumber",
       {{"response_format",
         {{"type", "json_schema"},
          {"json_schema", {{"schema", {{"type", "integer"}, {"minimum", 5}, {"maximum", 3}}}}}}}},
       400,
       "schema"},
      {"SchemaWithoutEnd",
       {{"response_format", {{"type", "json_schema"}, {"json_schema", {{"schema", {{"$ref", "#"}}}}}}}},
       400,
       "schema"},
      {"UnknownKeyword",
       {{"response_format", {{"type", "json_schema"}, {"json_schema", {{"schema", {{"not", Json::object()}}}}}}}},
       400,
       "not"},
      {"ToolType", {{"tools", {{{"type", "browser"}}}}}, 400, "function"},
      {"ToolChoice",
       {{"tools", {{{"type", "function"}, {"function", {{"name", "f"}}}}}}, {"tool_choice", "sometimes"}},
       400,
       "tool_choice"},
      {"TooLong", {{"messages", {{{"role", "user"}, {"content", std::string(5000, 'a')}}}}}, 400, "tokens"},
  };
  for (const BadRequest& bad : requests) {
    Json body = RunningServer::chat_body();
    body.merge_patch(bad.more);
    if (bad.more.contains("messages")) body["messages"] = bad.more.at("messages");
    for (const bool stream : {false, true}) {
      body["stream"] = stream;
      const Answer answer = server.post("/v1/chat/completions", body);
      EXPECT_EQ(answer.status, bad.status) << bad.name << ": " << answer.body;
      if (answer.status == 200) continue;
      const Json error = answer.json().at("error");
      EXPECT_NE(error.at("message").get<std::string>().find(bad.part), std::string::npos) << bad.name << ": " << error;
      EXPECT_EQ(error.at("type"), "invalid_request_error") << bad.name;
      EXPECT_TRUE(error.contains("param") && error.contains("code")) << bad.name;
    }
  }
  EXPECT_EQ(server.chat().status, 200);
}

TEST(Chat, RefusesBodiesThatAreNoJson) {
  const RunningServer server;
  for (const std::string& body : {std::string("{"), std::string("[]"), std::string("null"), std::string("\"x\""),
                                  std::string("{\"model\":\"\xff\"}"), std::string(200, '[') + std::string(200, ']'),
                                  R"({"a":)" + std::string(100'000, '['), std::string("{\"a\":1e999999}"),
                                  std::string("{} {}"), std::string("\0\0", 2)}) {
    const Answer answer = ask_once(server.port(), "POST", "/v1/chat/completions", body);
    EXPECT_EQ(answer.status, 400) << body.substr(0, 50);
    EXPECT_EQ(answer.json().at("error").at("type"), "invalid_request_error");
  }
  EXPECT_EQ(ask_once(server.port(), "POST", "/v1/chat/completions").status, 400);
}

}  // namespace
}  // namespace sensorium::server
