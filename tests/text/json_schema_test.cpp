#include "text/grammar/json_schema.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include "text/grammar_walk.h"
#include "text/json_schema_check.h"

namespace sensorium::text::grammar {
namespace {

Walker walker_of(std::string_view schema) { return Walker(parse_json_schema(schema).value()); }
Error error_of(std::string_view schema) {
  const Result<Grammar> grammar = parse_json_schema(schema);
  EXPECT_FALSE(grammar.ok()) << schema;
  return grammar.ok() ? Error(ErrorKind::numeric, "") : grammar.error();
}

struct Case {
  const char* schema;
  std::vector<const char*> yes, no;
};

TEST(JsonSchema, AllowsWhatIsValid) {
  for (const Case& c : std::vector<Case>{
           {R"({"type":"boolean"})", {"true", "false"}, {"null", "tru", "\"true\""}},
           {R"({"type":["null","integer"]})", {"null", "0", "-12", "123456"}, {"01", "-0", "1.0", "1e3", "+1"}},
           {R"({"type":"number"})", {"0", "-0.5", "12.25", "1e5", "2.5E-3"}, {"01", "1.", ".5", "1e", "NaN"}},
           {R"({"type":"string"})",
            {R"("")", R"("a\n\u00e9\"/")", "\"\xF0\x9F\x98\x80\""},
            {R"("a)", "\"\n\"", R"("\x")", R"("\ud800")", "\"\xFF\""}},
           {R"({"type":"string","minLength":2,"maxLength":3})",
            {R"("ab")", "\"\xC3\xA9\xC3\xA9\xC3\xA9\"", R"("\u0041\n")"},
            {R"("a")", R"("abcd")"}},
           {R"({"enum":["a",1,null,{"b":[2]}]})", {R"("a")", "1", "null", R"({"b":[2]})"}, {R"("b")", "2"}},
           {R"({"type":"string","enum":["a",1]})", {R"("a")"}, {"1"}},
           {R"({"const":"x\"y"})", {R"("x\"y")"}, {R"("x")"}},
           {R"({"properties":{"a":{"type":"integer"},"b":{"type":"boolean"},"c":{"type":"null"}},"required":["b"]})",
            {R"({"b":true})", R"({"a": 1, "b": false})", "{\n  \"a\": 1,\n  \"b\": true,\n  \"c\": null\n}"},
            {"{}", R"({"a":1})", R"({"b":true,"a":1})", R"({"b":true,})", R"({"b":true "c":null})",
             R"({"b":true,"d":1})"}},
           {R"({"properties":{"ab":true},"additionalProperties":{"type":"integer"}})",
            {"{}", R"({"ab":"x"})", R"({"a":1})", R"({"abc":1,"b":2})", R"({"ab":null,"":1})"},
            {R"({"a":"x"})", R"({"a":1,"ab":2})"}},
           {R"({"type":"object","required":["k"]})", {R"({"k":[1]})", R"({"k":1,"x":{}})"}, {"{}", R"({"x":1})"}},
           {R"({"type":"array","items":{"type":"integer"},"minItems":1,"maxItems":3})",
            {"[1]", "[1, 2,3]"},
            {"[]", "[1,2,3,4]", "[\"a\"]", "[1,]"}},
           {R"({"prefixItems":[{"type":"integer"},{"type":"string"}],"items":false})",
            {"[]", "[1]", R"([1,"a"])"},
            {R"(["a"])", R"([1,"a",2])"}},
           {R"({"prefixItems":[{"type":"integer"}],"items":{"type":"null"},"minItems":2,"maxItems":3})",
            {"[1,null]", "[1,null,null]"},
            {"[1]", "[1,null,null,null]"}},
           {R"({"anyOf":[{"type":"integer"},{"type":"string"}],"title":"x"})", {"1", R"("a")"}, {"null"}},
           {R"({"$ref":"#/$defs/tree","$defs":{"tree":{"properties":{"left":{"$ref":"#/$defs/tree"}}}}})",
            {"{}", R"({"left":{"left":{}}})"},
            {R"({"left":1})"}},
           {R"({"type":"string","pattern":"^a\"?b$"})", {R"("ab")", R"("a\"b")"}, {R"("a"b")", R"("b")"}},
           {R"({"type":"string","format":"date"})", {R"("2024-12-31")"}, {R"("2024-13-01")", R"("2024-02-30")"}},
           {R"({"type":"string","format":"date-time"})", {R"("2024-01-02T03:04:05.5Z")"}, {R"("2024-01-02")"}},
           {R"({"allOf":[{"const":1}]})", {"1"}, {"2"}},
           {"true", {"1", "[{}]", R"({"a":[null]})"}, {"", "x"}},
           {"{}", {"1", "[{}]"}, {"", "x"}}}) {
    Walker walker = walker_of(c.schema);
    for (const char* text : c.yes) EXPECT_TRUE(walker.matches(text)) << c.schema << " and " << text;
    for (const char* text : c.no) EXPECT_FALSE(walker.matches(text)) << c.schema << " and " << text;
  }
}

TEST(JsonSchema, IntegersWithinBounds) {
  Rng rng(1);
  for (int round = 0; round < 60; ++round) {
    const int64_t a = rng.integer(-300, 300), b = a + rng.integer(0, 400);
    const bool exclusive = rng.chance(0.3);
    const int64_t low = exclusive ? a - 1 : a;
    Walker walker = walker_of(fmt::format(R"({{"type":"integer","{}":{},"maximum":{}}})",
                                          exclusive ? "exclusiveMinimum" : "minimum", low, b));
    for (int64_t i = -1100; i <= 1100; ++i) {
      EXPECT_EQ(walker.matches(std::to_string(i)), a <= i && i <= b) << a << ".." << b << " and " << i;
    }
  }
  Walker open = walker_of(R"({"type":"integer","minimum":-12.5})");
  EXPECT_TRUE(open.matches("-12"));
  EXPECT_FALSE(open.matches("-13"));
  EXPECT_TRUE(open.matches("999999999999999"));
  // Bounds of 64 bits are cut to what is written.
  EXPECT_TRUE(walker_of(R"({"type":"integer","maximum":9223372036854775807})").matches("5"));
  EXPECT_EQ(error_of(R"({"type":"integer","minimum":9223372036854775807})").kind(), ErrorKind::unsupported);
}

TEST(JsonSchema, NumbersWithinBounds) {
  const auto text_of = [](double value) {
    std::string text = fmt::format("{:.2f}", value);
    while (text.back() == '0') text.pop_back();
    if (text.back() == '.') text.pop_back();
    return text == "-0" ? std::string("0") : text;
  };
  Rng rng(2);
  for (int round = 0; round < 60; ++round) {
    const double low = static_cast<double>(rng.integer(-300, 300)) / 100,
                 high = low + static_cast<double>(rng.integer(0, 300)) / 100;
    const bool from = rng.chance(0.3), to = rng.chance(0.3);
    const std::string schema =
        fmt::format(R"({{"type":"number","{}":{},"{}":{}}})", from ? "exclusiveMinimum" : "minimum", text_of(low),
                    to ? "exclusiveMaximum" : "maximum", text_of(high));
    const double a = std::stod(text_of(low)), b = std::stod(text_of(high));
    const Result<Grammar> grammar = parse_json_schema(schema);
    if ((from || to) && a == b) {
      EXPECT_FALSE(grammar.ok()) << schema;
      continue;
    }
    ASSERT_TRUE(grammar.ok()) << schema << ": " << grammar.error().message();
    Walker walker(grammar.value());
    for (int i = -800; i <= 800; ++i) {
      const std::string text = text_of(i / 100.0);
      const double x = std::stod(text);
      const bool inside = (from ? x > a : x >= a) && (to ? x < b : x <= b);
      EXPECT_EQ(walker.matches(text), inside) << schema << " and " << text;
      if (text.find('.') != std::string::npos) {
        EXPECT_EQ(walker.matches(text + "00"), inside) << schema << " and " << text << "00";
      }
    }
  }
}

constexpr const char* kSchemas[] = {
    R"({"type":"object","properties":{"name":{"type":"string","maxLength":8},"age":{"type":"integer","minimum":0,"maximum":120},
        "tags":{"type":"array","items":{"enum":["red","green"]},"maxItems":3}},"required":["name","age"]})",
    R"({"properties":{"x":{"type":"number","exclusiveMinimum":-1.5,"maximum":20.25},"y":{"const":null}},
        "additionalProperties":{"type":"boolean"},"required":["x"]})",
    R"({"$defs":{"node":{"properties":{"value":{"type":"integer"},"next":{"anyOf":[{"$ref":"#/$defs/node"},{"type":"null"}]}},
        "required":["value","next"]}},"$ref":"#/$defs/node"})",
    R"({"type":"array","prefixItems":[{"type":"string","pattern":"^[A-Z]{2}\\d+$"}],"items":{"type":["number","null"]},"minItems":2,
        "maxItems":4})",
    R"({"oneOf":[{"type":"string","minLength":3,"maxLength":5},{"type":"integer","exclusiveMinimum":-5,"exclusiveMaximum":5}]})",
    R"({"type":"string","pattern":"[ac][x-z]?"})",
};

// Whatever is drawn, byte by byte, is valid.
TEST(JsonSchema, EveryTextThatIsAllowedIsValid) {
  Rng rng(3);
  for (const char* schema : kSchemas) {
    Walker walker = walker_of(schema);
    const SchemaCheck check(Json::parse(schema));
    int complete = 0;
    for (int round = 0; round < 300; ++round) {
      std::string text;
      bool stuck = false;
      const bool done = walker.random_text(rng, 3000, text, stuck);
      ASSERT_FALSE(stuck) << schema << " after " << text;
      if (!done) continue;
      ++complete;
      const Result<Json> value = parse_json(text);
      ASSERT_TRUE(value.ok()) << schema << " and " << text;
      ASSERT_TRUE(check.valid(value.value())) << schema << " and " << text;
    }
    EXPECT_GT(complete, 100) << schema;
  }
}

TEST(JsonSchema, RefusesByName) {
  for (const auto& [schema, part] : std::vector<std::pair<const char*, const char*>>{
           {R"({"not":{}})", "\"not\""},
           {R"({"properties":{"a":{"patternProperties":{}}}})", "#/properties/a: the keyword \"patternProperties\""},
           {R"({"type":"integer","multipleOf":2})", "\"multipleOf\""},
           {R"({"anyOf":[true],"type":"string"})", "beside \"anyOf\""},
           {R"({"$ref":"other.json"})", "other.json"},
           {R"({"$ref":"#anchor"})", "#anchor"},
           {R"({"allOf":[true,true]})", "\"allOf\" of several"},
           {R"({"type":"string","format":"hostname"})", "\"hostname\""},
           {R"-({"type":"string","pattern":"(?=a)"})-", "look-ahead"},
           {R"({"type":"string","pattern":"a","minLength":1})", "a length beside"},
           {R"({"type":"array","uniqueItems":true})", "\"uniqueItems\""},
           {R"({"if":{}})", "\"if\""}}) {
    const Error error = error_of(schema);
    EXPECT_EQ(error.kind(), ErrorKind::unsupported) << schema;
    EXPECT_NE(error.message().find(part), std::string::npos) << error.message();
  }
}

TEST(JsonSchema, WhatCannotBeMetIsAnError) {
  for (const char* schema :
       {"false", R"({"type":"integer","minimum":3,"maximum":2})", R"({"type":"string","minLength":3,"maxLength":2})",
        R"({"type":"array","minItems":2,"maxItems":1})", R"({"enum":[]})", R"({"type":"string","enum":[1]})",
        R"({"properties":{"a":false},"required":["a"]})", R"({"$ref":"#"})",
        R"({"properties":{"a":{"$ref":"#"}},"required":["a"]})",
        R"({"type":"number","exclusiveMinimum":1,"maximum":1})",
        R"({"required":["a"],"additionalProperties":false})"}) {
    const Error error = error_of(schema);
    EXPECT_EQ(error.kind(), ErrorKind::usage) << schema << ": " << error.message();
    EXPECT_NE(error.message().find("no text at all"), std::string::npos) << schema << ": " << error.message();
  }
  // A part that cannot be met is left out.
  Walker walker = walker_of(R"({"properties":{"a":false,"b":{"type":"integer"}}})");
  EXPECT_TRUE(walker.matches(R"({"b":1})"));
  EXPECT_FALSE(walker.begins(R"({"a)"));
}

TEST(JsonSchema, RefusesWhatIsNoSchema) {
  for (const char* schema :
       {"1", "[]", R"({"type":"text"})", R"({"type":[]})", R"({"properties":[]})", R"({"enum":3})",
        R"({"required":[1]})", R"({"minLength":-1})", R"({"minItems":1.5})", R"({"pattern":"("})", R"({"minimum":"a"})",
        R"({"minimum":1,"exclusiveMinimum":1})", R"({"$ref":"#/$defs/none"})", R"({"anyOf":[]})",
        R"({"anyOf":[{"$ref":"#"},{"type":"null"}]} )"}) {
    const Result<Grammar> grammar = parse_json_schema(schema);
    // The last one is odd but means null.
    if (std::string_view(schema).find("anyOf\":[{") != std::string_view::npos) {
      ASSERT_TRUE(grammar.ok()) << grammar.error().message();
      EXPECT_TRUE(Walker(grammar.value()).matches("null"));
      continue;
    }
    ASSERT_FALSE(grammar.ok()) << schema;
    EXPECT_EQ(grammar.error().kind(), ErrorKind::usage) << grammar.error().message();
  }
  EXPECT_EQ(error_of("{").kind(), ErrorKind::invalid_data);
}

TEST(JsonSchema, HostileSchemasMeetALimit) {
  EXPECT_EQ(error_of(R"({"type":"array","maxItems":1000000000})").kind(), ErrorKind::limit);
  EXPECT_EQ(error_of(R"({"type":"string","pattern":"^(((a{9999}){9999}b{60000}){60000}c{60000}){60000}$"})").kind(),
            ErrorKind::limit);
  std::string deep = "true";
  for (int i = 0; i < 200; ++i) deep = R"({"items":)" + deep + "}";
  EXPECT_EQ(error_of(deep).kind(), ErrorKind::limit);
  // A chain of references as long as the text allows.
  std::string chain = R"({"$ref":"#/$defs/0","$defs":{)";
  for (int i = 0; i < 5000; ++i) chain += fmt::format(R"("{}":{{"$ref":"#/$defs/{}"}},)", i, i + 1);
  EXPECT_EQ(error_of(chain + R"("5000":true}})").kind(), ErrorKind::limit);
  EXPECT_EQ(error_of(std::string(2 << 20, ' ')).kind(), ErrorKind::limit);
}

TEST(JsonSchema, AnyObject) {
  Walker walker(json_object_grammar());
  EXPECT_TRUE(walker.matches(R"({"a": [1, {"b": null}]})"));
  EXPECT_FALSE(walker.matches("[]"));
}

}  // namespace
}  // namespace sensorium::text::grammar
