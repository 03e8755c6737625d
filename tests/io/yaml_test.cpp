// Recipes in YAML: the core schema's types, errors with lines, overrides.
#include "io/yaml.h"

#include <gtest/gtest.h>

namespace sensorium::io {
namespace {

Json value_of(const std::string& text) { return yaml_to_json("x: " + text, "test.yaml").at("x"); }

std::string error_of(const std::string& text) {
  try {
    (void)yaml_to_json(text, "test.yaml");
  } catch (const Error& error) {
    return error.message();
  }
  return "ok";
}

TEST(Yaml, PlainScalarsFollowTheCoreSchema) {
  EXPECT_EQ(value_of("3"), 3);
  EXPECT_TRUE(value_of("3").is_number_integer());
  EXPECT_EQ(value_of("-17"), -17);
  EXPECT_EQ(value_of("+5"), 5);
  EXPECT_EQ(value_of("012"), 12);
  EXPECT_EQ(value_of("0o14"), 12);
  EXPECT_EQ(value_of("0xfF"), 255);
  EXPECT_EQ(value_of("1e-3"), 1e-3);
  EXPECT_EQ(value_of(".5"), 0.5);
  EXPECT_EQ(value_of("2."), 2.0);
  EXPECT_TRUE(value_of("2.0").is_number_float());
  EXPECT_EQ(value_of("true"), true);
  EXPECT_EQ(value_of("FALSE"), false);
  EXPECT_TRUE(value_of("null").is_null());
  EXPECT_TRUE(value_of("~").is_null());
  EXPECT_TRUE(value_of("").is_null());
  for (const char* word :
       {"yes", "on", "inf", "nan", "-inf", "+-3", "-+3", "+", ".", "1_000", "0x", "0x-5", "1e", "12:30", "1.2.3"}) {
    EXPECT_EQ(value_of(word), word);
  }
}

TEST(Yaml, QuotedScalarsAreText) {
  EXPECT_EQ(value_of("\"3\""), "3");
  EXPECT_EQ(value_of("'true'"), "true");
  EXPECT_EQ(value_of("\"\""), "");
}

TEST(Yaml, StructuresAndAliases) {
  const Json json = yaml_to_json("a: &base [1, two, {k: v}]\nb: *base\nc:\n  - x\n  - y: 2\n", "test.yaml");
  EXPECT_EQ(json, Json::parse(R"({"a":[1,"two",{"k":"v"}],"b":[1,"two",{"k":"v"}],"c":["x",{"y":2}]})"));
}

TEST(Yaml, ErrorsNameTheLine) {
  EXPECT_TRUE(error_of("a: 1\nb: [1, 2\nc: 3\n").starts_with("test.yaml:")) << error_of("a: 1\nb: [1, 2\nc: 3\n");
  EXPECT_EQ(error_of("a: 1\nb: 2\na: 3\n"), "test.yaml:3: key \"a\" stands twice");
  EXPECT_EQ(error_of("a: 1\n\n[1, 2]: 3\n").find("test.yaml:3"), 0u);
  EXPECT_TRUE(error_of("a: *nowhere\n").starts_with("test.yaml:1")) << error_of("a: *nowhere\n");
}

TEST(Yaml, HostileDocumentsEndInErrors) {
  EXPECT_NE(error_of(std::string(100'000, '[')), "ok");
  // Ten levels of ten aliases each: 10^10 nodes if expanded.
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 10; ++i) {
    bomb += fmt::format("a{}: &a{} [", i, i);
    for (int k = 0; k < 10; ++k) bomb += fmt::format("{}*a{}", k == 0 ? "" : ", ", i - 1);
    bomb += "]\n";
  }
  EXPECT_NE(error_of(bomb).find("too large"), std::string::npos);
}

TEST(Overrides, SetTypedValuesAlongDottedKeys) {
  Json json = Json::parse(R"({"optim":{"lr":1},"data":{"sets":[{"weight":1},{"weight":2}]}})");
  apply_overrides(json, {"optim.lr=1e-3", "data.sets.1.weight=5", "new.deep.key=[1, x]", "name=run: a #1", "off=null",
                         "empty=", "quoted=\"3\"", "equation=a=b"});
  EXPECT_EQ(
      json,
      Json::parse(R"({"optim":{"lr":0.001},"data":{"sets":[{"weight":1},{"weight":5}]},"new":{"deep":{"key":[1,"x"]}},
                                  "name":"run: a #1","off":null,"empty":"","quoted":"3","equation":"a=b"})"));
}

TEST(Overrides, Errors) {
  Json json = Json::parse(R"({"a":3,"list":[1]})");
  for (const char* bad : {"novalue", "=3", "a.b=1", "list.1=2", "list.x=2", "a..b=1", ".a=1", "a.=1", "x=[1"}) {
    EXPECT_THROW(apply_overrides(json, {bad}), Error) << bad;
  }
  EXPECT_EQ(json.at("a"), 3);
}

}  // namespace
}  // namespace sensorium::io
