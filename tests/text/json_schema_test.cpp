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
  for (
      const Case& c : std::vector<Case>{
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
          {R"({"type":"string","pattern":"^a+","maxLength":3,"minLength":2})",
           {R"("aa")", R"("ab")", R"("aab")"},
           {R"("a")", R"("aaaa")", R"("ba")"}},
          {R"({"allOf":[{"pattern":"a"},{"pattern":"b"}],"type":"string"})",
           {R"("ab")", R"("xb\nay")"},
           {R"("a")", R"("b")"}},
          {R"({"minimum":1,"exclusiveMinimum":1})", {"1.5", "2"}, {"1", "0"}},
          {R"({"enum":["a","bb",1,2,null],"type":["string","integer"],"minLength":2,"maximum":1})",
           {R"("bb")", "1"},
           {R"("a")", "2", "null"}},
          {R"({"allOf":[{"properties":{"a":{"type":"integer"},"b":true},"required":["b"]},{"properties":{"a":{"minimum":3}}}]})",
           {R"({"a":3,"b":1})", R"({"b":null})"},
           {R"({"a":2,"b":1})", R"({"a":3})", R"({"b":1,"c":1})"}},
          // What is declared elsewhere is an additional property here.
          {R"({"allOf":[{"properties":{"a":true},"additionalProperties":false},{"properties":{"a":true,"b":true}}]})",
           {"{}", R"({"a":1})"},
           {R"({"b":1})", R"({"a":1,"b":1})"}},
          {R"({"allOf":[{"type":["integer","string"]},{"type":["number","null"]}]})", {"1"}, {"1.5", "null", R"("a")"}},
          {R"({"$ref":"#/$defs/n","maximum":9,"$defs":{"n":{"type":"integer","minimum":5}}})", {"5", "9"}, {"4", "10"}},
          {R"({"type":"object","properties":{"a":true,"b":true},"anyOf":[{"required":["a"]},{"required":["b"]}]})",
           {R"({"a":1})", R"({"b":1})", R"({"a":1,"b":2})"},
           {"{}", R"({"c":1})"}},
          {R"({"allOf":[{"anyOf":[{"const":1},{"const":2}]},{"anyOf":[{"const":2},{"const":3}]}]})", {"2"}, {"1", "3"}},
          {R"({"oneOf":[{"type":"integer","maximum":3},{"type":"number","exclusiveMinimum":3},{"type":"null"}]})",
           {"3", "3.5", "null"},
           {"2.5"}},
          {R"({"oneOf":[{"properties":{"kind":{"const":"a"},"x":{"type":"integer"}},"required":["kind"]},
                {"properties":{"kind":{"enum":["b","c"]},"y":{"type":"null"}},"required":["kind"]}]})",
           {R"({"kind":"a","x":1})", R"({"kind":"c","y":null})"},
           {R"({"kind":"a","y":null})", R"({"x":1})"}},
          {R"({"oneOf":[{"properties":{"a":{"type":"integer"}},"required":["a"]},{"properties":{"b":{"type":"integer"}},"required":["b"]}]})",
           {R"({"a":1})", R"({"b":1})"},
           {"{}", R"({"a":1,"b":1})"}},
          {R"({"oneOf":[{"type":"string","pattern":"^a"},{"type":"string","pattern":"^[b-z]","maxLength":2}]})",
           {R"("abc")", R"("bc")"},
           {R"("bcd")", R"("A")"}},
          {R"({"oneOf":[{"prefixItems":[{"const":"p"}],"minItems":1},{"prefixItems":[{"const":"q"}],"minItems":1,"maxItems":2}]})",
           {R"(["p",1,2])", R"(["q",1])"},
           {R"(["q",1,2])", "[]"}},
          {R"({"not":{"type":["null","integer"]}})", {"true", R"("a")", "{}"}, {"null", "1"}},
          {R"({"type":["integer","null"],"not":{"const":null}})", {"1"}, {"null"}},
          {R"({"type":"string","not":{"enum":["a","bc"]}})", {R"("")", R"("b")", R"("bcd")"}, {R"("a")", R"("bc")"}},
          {R"({"not":{"pattern":"b"}})", {R"("a")", R"("")"}, {R"("ab")", "1"}},
          {R"({"type":"integer","not":{"minimum":3}})", {"2", "-7"}, {"3", "4"}},
          {R"({"enum":[1,2,"x"],"not":{"anyOf":[{"const":2},{"type":"string"}]}})", {"1"}, {"2", R"("x")"}},
          {R"({"properties":{"a":{"type":"integer"},"b":true},"not":{"required":["a"]}})",
           {R"({"b":1})"},
           {R"({"a":1})"}},
          {R"({"properties":{"a":{"type":"integer"}},"not":{"properties":{"a":{"maximum":5}}}})",
           {R"({"a":6})"},
           {R"({"a":5})", "{}"}},
          {R"({"not":{"not":{"type":"null"}}})", {"null"}, {"1"}},
          {R"({"not":{"allOf":[{"type":"integer"},{"minimum":3}]},"type":"integer"})", {"2"}, {"3"}},
          {R"({"patternProperties":{"^x":{"type":"integer"}}})",
           {"{}", R"({"x":1})", R"({"xa":1,"xb":2})"},
           {R"({"a":1})", R"({"x":null})"}},
          {R"({"properties":{"xa":{"minimum":3}},"patternProperties":{"^x":{"type":"integer"},"b$":{"maximum":5}},"additionalProperties":{"type":"null"}})",
           {R"({"xa":3,"xb":5,"b":1.5,"q":null})"},
           {R"({"xa":2})", R"({"xa":3.5})", R"({"xb":6})", R"({"xb":1.5})", R"({"b":6})", R"({"q":1})",
            R"({"b":null})"}},
          {R"({"type":"integer","multipleOf":7,"minimum":-20,"maximum":100})",
           {"0", "7", "-14", "98"},
           {"-21", "105", "1", "70.0"}},
          {R"({"multipleOf":0.25,"exclusiveMinimum":0,"maximum":1})",
           {"0.25", "0.5", "0.50", "1", "1.00"},
           {"0", "0.3", "0.125", "1.25"}},
          {R"({"allOf":[{"multipleOf":4},{"multipleOf":6}],"type":"integer"})", {"12", "-24", "0"}, {"4", "6", "-0"}},
          {R"({"properties":{"a":true,"b":true,"c":true},"minProperties":2})",
           {R"({"a":1,"b":2})", R"({"b":1,"c":2})", R"({"a":1,"b":2,"c":3})"},
           {"{}", R"({"a":1})", R"({"c":1})"}},
          {R"({"properties":{"a":true,"b":true,"c":true},"maxProperties":1})",
           {"{}", R"({"a":1})", R"({"c":1})"},
           {R"({"a":1,"b":2})", R"({"a":1,"c":2})"}},
          {R"({"properties":{"a":true,"b":true},"required":["b"],"minProperties":1,"maxProperties":2,"additionalProperties":{"type":"null"}})",
           {R"({"b":1})", R"({"a":1,"b":2})", R"({"b":1,"x":null})"},
           {"{}", R"({"a":1})", R"({"a":1,"b":2,"x":null})", R"({"b":1,"x":null,"y":null})"}},
          {R"({"type":"object","minProperties":1,"maxProperties":2})",
           {R"({"a":1})", R"({"a":1,"b":2})"},
           {"{}", R"({"a":1,"b":2,"c":3})"}},
          {R"({"properties":{"a":true},"maxProperties":0})", {"{}"}, {R"({"a":1})"}},
          {R"({"properties":{"a":true,"b":true},"not":{"minProperties":2}})",
           {"{}", R"({"a":1})"},
           {R"({"a":1,"b":1})"}},
          {R"({"properties":{"a":true,"b":true},"not":{"maxProperties":1}})",
           {R"({"a":1,"b":1})"},
           {"{}", R"({"a":1})"}},
          {R"({"type":"object","propertyNames":{"pattern":"^[a-z]+$","maxLength":3}})",
           {"{}", R"({"abc":1,"x":null})"},
           {R"({"abcd":1})", R"({"A":1})", R"({"":1})"}},
          {R"({"properties":{"ab":{"type":"integer"},"XY":true},"propertyNames":{"anyOf":[{"pattern":"^a"},{"enum":["q",3]}]},
               "additionalProperties":{"type":"null"}})",
           {"{}", R"({"ab":1,"q":null,"ax":null})"},
           {R"({"XY":1})", R"({"b":null})", R"({"ab":null})"}},
          {R"({"type":"object","propertyNames":{"type":"integer"}})", {"{}"}, {R"({"a":1})"}},
          {R"({"type":"object","propertyNames":{"oneOf":[{"const":"a"},{"const":"b"}]}})",
           {R"({"a":1})"},
           {R"({"c":1})"}},
          {R"({"items":{"enum":["a","b",1,1.0]},"uniqueItems":true,"minItems":1})",
           {R"(["a"])", R"(["b", "a"])", R"([1,"a","b"])"},
           {"[]", R"(["a","a"])", R"(["a","b","a"])", "[1,1]"}},
          {R"({"type":"array","items":{"type":["boolean","null"]},"uniqueItems":true,"maxItems":2})",
           {"[]", "[true,null]", "[false, true]"},
           {"[true,true]", "[true,false,null]"}},
          {R"({"items":{"anyOf":[{"const":"x"},{"const":"x"},{"const":2}]},"uniqueItems":true})",
           {R"(["x",2])", R"([2])"},
           {R"(["x","x"])"}},
          {R"({"prefixItems":[{"type":"integer"},{"type":"string"}],"items":{"type":"null"},"uniqueItems":true,"maxItems":3})",
           {R"([1,"1",null])"},
           {R"([1,1])", R"([1,"a",null,null])"}},
          {R"({"type":"array","uniqueItems":true,"maxItems":1})", {"[]", "[1]"}, {"[1,2]"}},
          {R"({"type":"array","uniqueItems":false})", {"[1,1]"}, {"1"}},
          {R"({"type":"integer","if":{"minimum":10},"then":{"multipleOf":10},"else":{"maximum":3}})",
           {"10", "120", "3", "-5"},
           {"11", "4", "9"}},
          {R"({"properties":{"kind":{"enum":["a","b"]},"x":{"type":"integer"}},"required":["kind"],
               "if":{"properties":{"kind":{"const":"a"}}},"then":{"required":["x"]}})",
           {R"({"kind":"a","x":1})", R"({"kind":"b"})", R"({"kind":"b","x":2})"},
           {R"({"kind":"a"})", R"({"kind":"c"})"}},
          {R"({"enum":[1,2,3,"x"],"if":{"type":"integer"},"else":false})", {"1", "3"}, {R"("x")"}},
          {R"({"enum":[1,2,3,"x"],"not":{"if":{"type":"integer"},"then":{"minimum":2},"else":false}})",
           {"1", R"("x")"},
           {"2", "3"}},
          {R"({"type":"null","if":false})", {"null"}, {"1"}},
          {R"({"$defs":{"n":{"properties":{"leaf":{"type":"boolean"},"next":{"$ref":"#/$defs/n"}},"required":["leaf"],
               "if":{"properties":{"leaf":{"const":true}}},"then":{"properties":{"next":false}},"else":{"required":["next"]}}},
               "$ref":"#/$defs/n"})",
           {R"({"leaf":true})", R"({"leaf":false,"next":{"leaf":true}})"},
           {R"({"leaf":false})", R"({"leaf":true,"next":{"leaf":true}})"}},
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
    R"({"type":"string","pattern":"[ac][x-z]?","minLength":2,"maxLength":6,"not":{"pattern":"^a"}})",
    R"({"type":"string","allOf":[{"not":{"const":"\n"}},{"not":{"enum":["","a"]}}],"maxLength":2})",
    R"({"type":"integer","multipleOf":6,"minimum":-50,"maximum":5000})",
    R"({"type":"number","multipleOf":0.05,"minimum":-1.3,"exclusiveMaximum":20})",
    R"({"properties":{"ab":{"type":"integer"},"c":{"type":"null"}},"patternProperties":{"^a":{"minimum":3},"b$":{"maximum":40}},
        "additionalProperties":{"type":"boolean"},"required":["ab"]})",
    R"({"allOf":[{"properties":{"a":{"type":"integer"}},"required":["a"],"additionalProperties":{"type":["integer","null"]}},
        {"properties":{"b":{"minimum":0}},"not":{"required":["c"]}}]})",
    R"({"oneOf":[{"type":"object","properties":{"k":{"const":1},"x":{"type":"string","maxLength":3}},"required":["k"]},
        {"type":"object","properties":{"k":{"const":2}},"required":["k"],"additionalProperties":{"type":"integer"}},{"type":"array","maxItems":2}]})",
    R"({"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"integer"}},
        "oneOf":[{"required":["a"],"not":{"required":["b"]}},{"required":["b"],"not":{"required":["a"]}}]})",
    R"({"properties":{"a":{"type":"integer"},"b":{"type":"null"},"c":{"type":"boolean"}},"required":["b"],"minProperties":2,
        "maxProperties":3,"propertyNames":{"maxLength":2},"additionalProperties":{"type":"integer"}})",
    R"({"type":"array","items":{"enum":["x","y","z",null,7]},"uniqueItems":true,"minItems":2,"maxItems":4})",
    R"({"properties":{"k":{"enum":[1,2,3]},"x":{"type":"string","maxLength":3},"y":{"type":"null"}},"required":["k"],
        "if":{"properties":{"k":{"enum":[1,2]}}},"then":{"required":["x"]},"else":{"required":["y"],"maxProperties":2}})",
    R"({"$defs":{"t":{"allOf":[{"properties":{"v":{"type":"integer"}},"required":["v"]},
        {"properties":{"next":{"anyOf":[{"$ref":"#/$defs/t"},{"type":"null"}]}}}]}},"$ref":"#/$defs/t"})",
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

TEST(JsonSchema, MultiplesOfSteps) {
  Rng rng(5);
  for (int round = 0; round < 40; ++round) {
    const int64_t step = rng.integer(1, 60), low = rng.integer(-300, 300), high = low + rng.integer(0, 500);
    const Result<Grammar> grammar = parse_json_schema(
        fmt::format(R"({{"type":"number","multipleOf":{},"minimum":{},"maximum":{}}})", static_cast<double>(step) / 100,
                    static_cast<double>(low) / 100, static_cast<double>(high) / 100));
    const bool any = low <= high - ((high % step) + step) % step;
    ASSERT_EQ(grammar.ok(), any) << step << " in " << low << ".." << high;
    if (!any) continue;
    Walker walker(grammar.value());
    for (int64_t i = -1000; i <= 1000; ++i) {
      if (i == 0) continue;
      const bool inside = i % step == 0 && low <= i && i <= high;
      std::string text = fmt::format("{:.2f}", static_cast<double>(i) / 100);
      while (text.back() == '0') text.pop_back();
      if (text.back() == '.') text.pop_back();
      EXPECT_EQ(walker.matches(text), inside) << text << " of " << step << " hundredths";
    }
  }
}

TEST(JsonSchema, RefusesByName) {
  for (const auto& [schema, part] : std::vector<std::pair<const char*, const char*>>{
           {R"({"properties":{"a":{"contains":true}}})", "#/properties/a: the keyword \"contains\""},
           {R"({"properties":{"a":{"minProperties":2}}})", "\"minProperties\" of 2 where 0 properties are declared"},
           {R"({"not":{"multipleOf":2}})", "#/not: \"not\" of the keyword \"multipleOf\""},
           {R"({"not":{"items":{"type":"null"}},"type":"array"})", "\"not\" of the keyword \"items\""},
           {R"({"type":"integer","not":{"const":2}})", "\"not\" of listed numbers"},
           {R"({"multipleOf":1e-20})", "15 digits"},
           {R"({"enum":[[1]],"minItems":1})", "\"enum\""},
           {R"({"oneOf":[{"type":"string"},{"type":"string","format":"date"}]})", "schemas 0 and 1 may both hold"},
           {R"({"oneOf":[{"type":"null"},{"type":"integer"},{"type":"number","minimum":2}]})", "schemas 1 and 2"},
           // Without a type the second one also holds of strings.
           {R"({"oneOf":[{"type":"string"},{"minimum":2}]})", "schemas 0 and 1"},
           {R"({"oneOf":[{"properties":{"a":{"type":"integer"}}},{"properties":{"b":{"type":"integer"}}}]})",
            "schemas 0 and 1"},
           {R"-({"patternProperties":{"(?=a)":true}})-", "look-ahead"},
           {R"({"$ref":"other.json"})", "other.json"},
           {R"({"$ref":"#anchor"})", "#anchor"},
           {R"({"type":"string","format":"hostname"})", "\"hostname\""},
           {R"-({"type":"string","pattern":"(?=a)"})-", "look-ahead"},
           {R"({"type":"array","uniqueItems":true})", "\"uniqueItems\""},
           {R"({"items":{"type":"string"},"uniqueItems":true,"maxItems":2})", "\"uniqueItems\""},
           {R"({"items":{"enum":[0,1,2,3,4,5,6,7,8,9,10]},"uniqueItems":true})", "\"uniqueItems\""},
           {R"({"type":"object","propertyNames":{"oneOf":[{"maxLength":2},{"pattern":"a"}]}})", "valid twice"},
           {R"({"if":{"multipleOf":2},"then":{"maximum":3}})", "\"not\" of the keyword \"multipleOf\""}}) {
    const Error error = error_of(schema);
    EXPECT_EQ(error.kind(), ErrorKind::unsupported) << schema;
    EXPECT_NE(error.message().find(part), std::string::npos) << error.message();
  }
}

TEST(JsonSchema, WhatCannotBeMetIsAnError) {
  for (const char* schema : {"false",
                             R"({"type":"integer","minimum":3,"maximum":2})",
                             R"({"type":"string","minLength":3,"maxLength":2})",
                             R"({"type":"array","minItems":2,"maxItems":1})",
                             R"({"enum":[]})",
                             R"({"type":"string","enum":[1]})",
                             R"({"properties":{"a":false},"required":["a"]})",
                             R"({"$ref":"#"})",
                             R"({"properties":{"a":{"$ref":"#"}},"required":["a"]})",
                             R"({"type":"number","exclusiveMinimum":1,"maximum":1})",
                             R"({"required":["a"],"additionalProperties":false})",
                             R"({"not":{}})",
                             R"({"not":true})",
                             R"({"not":{"$ref":"#"}})",
                             R"({"allOf":[{"type":"string"},{"type":"null"}]})",
                             R"({"allOf":[{"enum":[1,2]},{"enum":[3]}]})",
                             R"({"type":"string","not":{"type":"string"}})",
                             R"({"type":"integer","multipleOf":10,"minimum":1,"maximum":9})",
                             R"({"type":"string","pattern":"^a","not":{"pattern":"a"}})",
                             R"({"properties":{"a":true},"additionalProperties":false,"minProperties":2})",
                             R"({"required":["a"],"propertyNames":{"const":"b"}})",
                             R"({"items":{"type":"boolean"},"uniqueItems":true,"minItems":3})",
                             R"({"allOf":[{"$ref":"#"}],"type":"null"})"}) {
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
  for (const char* schema : {"1",
                             "[]",
                             R"({"type":"text"})",
                             R"({"type":[]})",
                             R"({"properties":[]})",
                             R"({"enum":3})",
                             R"({"required":[1]})",
                             R"({"minLength":-1})",
                             R"({"minItems":1.5})",
                             R"({"pattern":"("})",
                             R"({"minimum":"a"})",
                             R"({"multipleOf":0})",
                             R"({"uniqueItems":1})",
                             R"({"maxProperties":-1})",
                             R"({"not":1})",
                             R"({"allOf":[]})",
                             R"({"patternProperties":1})",
                             R"({"$ref":"#/$defs/none"})",
                             R"({"anyOf":[]})",
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
  EXPECT_EQ(error_of(R"({"type":"integer","multipleOf":99991})").kind(), ErrorKind::limit);
  EXPECT_EQ(error_of(R"({"type":"string","pattern":"a","minLength":60000})").kind(), ErrorKind::limit);
}

TEST(JsonSchema, AnyObject) {
  Walker walker(json_object_grammar());
  EXPECT_TRUE(walker.matches(R"({"a": [1, {"b": null}]})"));
  EXPECT_FALSE(walker.matches("[]"));
}

}  // namespace
}  // namespace sensorium::text::grammar
