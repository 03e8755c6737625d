#include "base/json.h"

#include <gtest/gtest.h>

#include <functional>

namespace sensorium {
namespace {

// The error of `fn`: its kind must be `kind`, its message must hold every one of `parts`.
void expect_error(ErrorKind kind, const std::vector<std::string>& parts, const std::function<void()>& fn) {
  try {
    fn();
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.message();
    for (const std::string& part : parts) {
      EXPECT_NE(error.message().find(part), std::string::npos) << "'" << error.message() << "' lacks '" << part << "'";
    }
    EXPECT_EQ(error.message().find('\n'), std::string::npos);
  }
}

TEST(Json, ParsesOrNamesTheByte) {
  EXPECT_EQ(parse_json(R"({"a": [1, 2.5, "x"]})").value()["a"][1], 2.5);
  for (const char* text : {"", "{", "{\"a\":}", "[1,]", "nul", "\"\xFF\"", "[1] x", "{\"a\" 1}", "\"\\ud800\""}) {
    const Result<Json> result = parse_json(text);
    ASSERT_FALSE(result.ok()) << text;
    EXPECT_EQ(result.error().kind(), ErrorKind::invalid_data);
    EXPECT_NE(result.error().message().find("byte"), std::string::npos);
  }
  EXPECT_FALSE(parse_json("1e999").ok());
}

TEST(Json, LimitsNesting) {
  const auto nested = [](size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_TRUE(parse_json(nested(100)).ok());
  const Result<Json> deep = parse_json(nested(101));
  ASSERT_FALSE(deep.ok());
  EXPECT_EQ(deep.error().kind(), ErrorKind::limit);
  EXPECT_FALSE(parse_json(std::string(1 << 20, '[')).ok());
  // Brackets inside strings do not nest, also after an escaped quote.
  EXPECT_TRUE(parse_json("\"\\\"" + std::string(500, '[') + "\"").ok());
}

class Config : public testing::Test {
 protected:
  Json json_ = Json::parse(R"({"width": 384, "rate": 0.5, "name": "tiny", "tied": true, "sizes": [1, 2],
                               "mixed": [1, "x"], "huge": 18446744073709551615, "nested": {"a": 1}})");
  ConfigReader reader_{json_, "config.json"};
};

TEST_F(Config, TypedValues) {
  EXPECT_EQ(reader_.get<int64_t>("width"), 384);
  EXPECT_EQ(reader_.get<double>("rate"), 0.5);
  EXPECT_EQ(reader_.get<double>("width"), 384.0);
  EXPECT_EQ(reader_.get<std::string>("name"), "tiny");
  EXPECT_TRUE(reader_.get<bool>("tied"));
  EXPECT_EQ(reader_.get<std::vector<int64_t>>("sizes"), (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(reader_.get_or<int64_t>("depth", 7), 7);
  EXPECT_EQ(reader_.get_or<int64_t>("width", 7), 384);
  EXPECT_EQ(reader_.child("nested")["a"], 1);
  EXPECT_TRUE(reader_.child("absent").empty());
}

TEST_F(Config, ErrorsNameFileKeyFoundAndWanted) {
  const ErrorKind kind = ErrorKind::invalid_data;
  expect_error(kind, {"config.json", "depth", "missing", "integer"}, [&] { reader_.get<int64_t>("depth"); });
  expect_error(kind, {"config.json", "name", "tiny", "integer"}, [&] { reader_.get<int64_t>("name"); });
  expect_error(kind, {"rate", "0.5", "integer"}, [&] { reader_.get<int64_t>("rate"); });
  expect_error(kind, {"huge", "integer"}, [&] { reader_.get<int64_t>("huge"); });
  expect_error(kind, {"width", "string"}, [&] { reader_.get<std::string>("width"); });
  expect_error(kind, {"width", "true or false"}, [&] { reader_.get<bool>("width"); });
  expect_error(kind, {"mixed", "list"}, [&] { reader_.get<std::vector<int64_t>>("mixed"); });
  expect_error(kind, {"width", "384", "1..128"}, [&] { reader_.get_int("width", 1, 128); });
  EXPECT_EQ(reader_.get_int("width", 384, 384), 384);
  const Json list = Json::array();
  expect_error(kind, {"model.json", "keys", "array"}, [&] { ConfigReader reader(list, "model.json"); });
}

TEST_F(Config, TheCallerSaysWhatKindOfErrorAFaultIs) {
  const ErrorKind kind = ErrorKind::usage;
  const Json json = Json::parse(R"({"steps": "many", "seed": -1, "extra": 3})");
  ConfigReader reader(json, "recipe.yaml", kind);
  expect_error(kind, {"recipe.yaml", "steps", "many"}, [&] { reader.get<int64_t>("steps"); });
  expect_error(kind, {"seed", "-1"}, [&] { reader.get_int("seed", 0, 10); });
  expect_error(kind, {"rate", "missing"}, [&] { reader.get<double>("rate"); });
  expect_error(kind, {"extra", "unknown"}, [&] { reader.finish(); });
  const Json number = 3;
  expect_error(kind, {"recipe.yaml: data", "number"}, [&] { ConfigReader(number, "recipe.yaml: data", kind); });
}

TEST_F(Config, UnknownKeysSuggestTheNearOne) {
  const Json json = Json::parse(R"({"widht": 3})");
  ConfigReader reader(json, "config.json");
  reader.get_or<int64_t>("width", 1);
  reader.get_or<int64_t>("depth", 1);
  expect_error(ErrorKind::invalid_data, {"config.json", "widht", "did you mean \"width\"?"}, [&] { reader.finish(); });

  const Json other = Json::parse(R"({"zzzzzzzz": 3})");
  ConfigReader plain(other, "recipe.yaml");
  plain.get_or<int64_t>("width", 1);
  try {
    plain.finish();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.message().find("did you mean"), std::string::npos);
  }
}

TEST_F(Config, FinishAcceptsWhatWasRead) {
  const Json json = Json::parse(R"({"a": 1, "b": {}})");
  ConfigReader reader(json, "x");
  reader.get<int64_t>("a");
  reader.child("b");
  EXPECT_NO_THROW(reader.finish());
}

TEST(NearestMatch, ByEditDistance) {
  const std::vector<std::string> names = {"train", "eval", "inspect", "bench"};
  EXPECT_EQ(nearest_match("trian", names), "train");
  EXPECT_EQ(nearest_match("evla", names), "eval");
  EXPECT_EQ(nearest_match("inspct", names), "inspect");
  EXPECT_EQ(nearest_match("quantize", names), "");
  EXPECT_EQ(nearest_match("train", {}), "");
}

}  // namespace
}  // namespace sensorium
