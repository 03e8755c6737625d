// Templates give what the reference renders (tools/golden/text_templates.py), keep the origin of every character, and
// end with an error where the reference does or where a limit is passed.
#include "text/template/template.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "base/file.h"
#include "base/rng.h"
#include "base/utf8.h"

namespace sensorium::text::jinja {
namespace {

const std::filesystem::path kGolden = std::filesystem::path(SENSORIUM_SOURCE_DIR) / "tests/golden/text/templates.json";
constexpr int64_t kNow = 1773480413;  // 2026-03-14 09:26:53

std::string source_of(const OrderedJson& chat) {
  return read_file(kGolden.parent_path() / "templates" / (chat["name"].get<std::string>() + ".jinja"));
}

Result<Rendered> render(const std::string& source, const OrderedJson& user, RenderOptions options = {}) {
  options.now_s = kNow;
  const Result<Template> parsed = Template::parse(source);
  if (!parsed) return parsed.error();
  return parsed.value().render({user, OrderedJson::object()}, options);
}

std::string text_of(const std::string& source, const OrderedJson& user = OrderedJson::object()) {
  return render(source, user).value().text;
}

Error error_of(const std::string& source, const OrderedJson& user = OrderedJson::object(), RenderOptions options = {}) {
  const auto result = render(source, user, options);
  return result ? Error(ErrorKind::usage, "no error") : result.error();
}

void expect_row(const std::string& source, const OrderedJson& variables, const OrderedJson& row,
                const std::string& what) {
  const auto rendered = render(source, variables);
  if (row.contains("error")) {
    EXPECT_FALSE(rendered.ok()) << what << "\ngives " << (rendered.ok() ? rendered.value().text : "");
    return;
  }
  ASSERT_TRUE(rendered.ok()) << what << "\nfails: " << rendered.error().what();
  EXPECT_EQ(rendered.value().text, row["output"].get<std::string>()) << what;
}

TEST(GoldenTemplate, SnippetsGiveWhatTheReferenceGives) {
  const OrderedJson golden = OrderedJson::parse(read_file(kGolden));
  for (const OrderedJson& row : golden["snippets"]) {
    expect_row(row["source"], golden["variables"], row, row["source"]);
  }
}

TEST(GoldenTemplate, ChatsGiveWhatTheReferenceGives) {
  const OrderedJson golden = OrderedJson::parse(read_file(kGolden));
  for (const OrderedJson& chat : golden["chats"]) {
    for (const OrderedJson& row : chat["cases"]) {
      expect_row(source_of(chat), row["variables"], row,
                 chat["name"].get<std::string>() + " " + row["variables"].dump().substr(0, 400));
    }
  }
}

// Every character that a value of the user brought is in a span, and nothing else is.
TEST(GoldenTemplate, MarksWhatCameFromTheUser) {
  const OrderedJson golden = OrderedJson::parse(read_file(kGolden));
  for (const OrderedJson& chat : golden["chats"]) {
    for (const OrderedJson& row : chat["cases"]) {
      if (row.contains("error")) continue;
      RenderVariables variables{{{"messages", row["variables"]["messages"]}}, row["variables"]};
      variables.program.erase("messages");
      const Rendered rendered = Template::parse(source_of(chat)).value().render(variables, {.now_s = kNow}).value();
      EXPECT_EQ(rendered.text, row["output"].get<std::string>());
      std::string outside;
      size_t done = 0;
      for (const Span span : rendered.user) {
        ASSERT_LT(span.begin, span.end);
        ASSERT_LE(done, span.begin);
        outside += rendered.text.substr(done, span.begin - done);
        done = span.end;
      }
      outside += rendered.text.substr(done);
      for (const char* said :
           {"Hello", "2+2", "terse", "evil", "who are", "Hm.", "What is shown", "Compare", "21.5", "Zürich?"}) {
        EXPECT_EQ(outside.find(said), std::string::npos) << chat["name"] << ": " << outside;
      }
    }
  }
}

TEST(Template, KeepsTheOriginThroughTextOperations) {
  const OrderedJson user = {{"u", " <x> \"user\" "}, {"list", {"a<", ">b"}}};
  const auto marked = [&](const std::string& source) {
    const Rendered rendered = render(source, user).value();
    std::string out = rendered.text;
    for (auto span = rendered.user.rbegin(); span != rendered.user.rend(); ++span) {
      out.insert(span->end, "}");
      out.insert(span->begin, "{");
    }
    return out;
  };
  EXPECT_EQ(marked("<x>{{ u }}<x>"), "<x>{ <x> \"user\" }<x>");
  EXPECT_EQ(marked("{{ '[' + u.strip() + ']' }}"), "[{<x> \"user\"}]");
  EXPECT_EQ(marked("{{ (u ~ 'p') | upper | trim }}"), "{<X> \"USER\" }P");
  EXPECT_EQ(marked("{{ ('p' ~ u)[2:5] }}"), "{<x>}");
  EXPECT_EQ(marked("{{ u.split('\"')[1] ~ u[1] }}"), "{user<}");
  EXPECT_EQ(marked("{{ u.replace('<', '[') }}"), "{ }[{x> \"user\" }");
  EXPECT_EQ(marked("{{ 'a<b'.replace('<', u[1:2]) }}"), "a{<}b");
  EXPECT_EQ(marked("{{ list | join('<|>') }}"), "{a<}<|>{>b}");
  EXPECT_EQ(marked("{{ {'k': u} | tojson }}"), "{\"k\": \"{ <x> \\\"user\\\" }\"}");
  EXPECT_EQ(marked("{{ [u, 1] }}"), "['{ <x> \"user\" }', 1]");
  EXPECT_EQ(marked("{% set s %}a{{ u | trim }}{% endset %}{% macro m(x) %}({{ x }}){% endmacro %}{{ m(s) }}"),
            "(a{<x> \"user\"})");
  EXPECT_EQ(marked("{{ '<%s|%3d>' % (u.strip(), 7) }}"), "<{<x> \"user\"}|  7>");
  EXPECT_EQ(marked("{% macro m() %}({{ caller() }}){% endmacro %}{% call m() %}a{{ u | trim }}{% endcall %}"),
            "(a{<x> \"user\"})");
  EXPECT_EQ(marked("{{ u | replace('', '-') | first ~ u | indent(2, true) }}"), "-  { <x> \"user\" }");
}

TEST(Template, MarksWhatTheAssistantSaid) {
  const Rendered rendered =
      render("a{% generation %}bc{% endgeneration %}d{% generation %}{% endgeneration %}", {}).value();
  EXPECT_EQ(rendered.generated, (std::vector<Span>{{1, 3}}));
}

TEST(Template, ErrorsNameTheLineAndTheCause) {
  const auto expect = [](const std::string& source, ErrorKind kind, const std::string& line, const std::string& cause) {
    const Error error = error_of(source);
    EXPECT_EQ(error.kind(), kind) << source << ": " << error.what();
    EXPECT_TRUE(error.message().starts_with("line " + line + ": ")) << source << ": " << error.what();
    EXPECT_NE(error.message().find(cause), std::string::npos) << source << ": " << error.what();
  };
  expect("\n\n{{ messages[0] }}", ErrorKind::invalid_data, "3", "'messages' is undefined");
  expect("a\n{% for x in 5 %}{% endfor %}", ErrorKind::invalid_data, "2", "type int");
  expect("{{ raise_exception('no tools\nhere') }}", ErrorKind::invalid_data, "1", "no tools");
  expect("\n{% include 'x' %}", ErrorKind::unsupported, "2", "include");
  expect("\n{% import 'x' as y %}", ErrorKind::unsupported, "2", "import");
  expect("{{ 1 | nosuch }}", ErrorKind::unsupported, "1", "nosuch");
  expect("{{ 1 is nosuch }}", ErrorKind::unsupported, "1", "nosuch");
  expect("x\n{% if a %}\n\n", ErrorKind::invalid_data, "2", "endif");
  expect("x\n{{ a b }}", ErrorKind::invalid_data, "2", "'b'");
  expect("x\n\n{{ ) }}", ErrorKind::invalid_data, "3", "')'");
  expect("{# never ends", ErrorKind::invalid_data, "1", "comment");
  expect("{{ 'abc'.nosuch() }}", ErrorKind::invalid_data, "1", "nosuch");
  expect("{{ [1].append(2) }}", ErrorKind::invalid_data, "1", "append");
  expect("{{ f(**a, b) }}", ErrorKind::invalid_data, "1", "'**'");
  expect("{{ range(**[1]) }}", ErrorKind::invalid_data, "1", "'**'");
  expect("\n{{ '%d' % 'x' }}", ErrorKind::invalid_data, "2", "'%d'");
  expect("\n{% call 1 %}{% endcall %}", ErrorKind::invalid_data, "2", "'call'");
  EXPECT_EQ(error_of("\xFF").kind(), ErrorKind::invalid_data);
}

TEST(Template, HostileTemplatesEndWithAnError) {
  const auto expect_limit = [](const std::string& source) {
    const Error error = error_of(source);
    EXPECT_EQ(error.kind(), ErrorKind::limit) << source.substr(0, 100) << ": " << error.what();
  };
  const std::string loops = "{% for a in range(99999) %}{% for b in range(99999) %}";
  expect_limit(loops + "{% endfor %}{% endfor %}");
  expect_limit(loops + "x{% endfor %}{% endfor %}");
  expect_limit("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}");
  expect_limit("{% set ns = namespace(s='ab') %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}");
  expect_limit("{% set ns = namespace(s='ab') %}{% for i in range(99) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}");
  expect_limit("{% set ns = namespace(l=[1]) %}{% for i in range(99) %}{% set ns.l = ns.l + ns.l %}{% endfor %}");
  expect_limit("{% set ns = namespace(l=[1]) %}{% for i in range(999) %}{% set ns.l = [ns.l] %}{% endfor %}");
  expect_limit("{% set ns = namespace(l='a') %}{% for i in range(999) %}{% set ns.l = [ns.l].index %}{% endfor %}");
  expect_limit(
      "{% set ns = namespace(l=[1]) %}{% for i in range(999) %}{% for x in [ns.l] %}{% set ns.l = loop %}{% endfor "
      "%}{% endfor %}");
  expect_limit(
      "{% set ns = namespace(l=['aaaaaaaa']) %}{% for i in range(60) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ "
      "ns.l }}");
  expect_limit(
      "{% set ns = namespace(l=['aaaaaaaa']) %}{% for i in range(60) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ "
      "ns.l | tojson }}");
  expect_limit(
      "{% set ns = namespace(a=['a'], b=['a']) %}{% for i in range(60) %}{% set ns.a = [ns.a, ns.a] %}{% set ns.b = "
      "[ns.b, ns.b] %}{% endfor %}{{ ns.a == ns.b }}");
  expect_limit("{{ 'a' * 1000000000000 }}");
  expect_limit("{{ '%99999999s' % 1 }}");
  expect_limit("{{ '%.99999f' % 1.5 }}");
  expect_limit("{{ 'a' | center(99999999) }}");
  expect_limit("{% macro m() %}{% call m() %}{{ caller() }}{% endcall %}{% endmacro %}{{ m() }}");
  expect_limit("{{ [1] * 1000000000000 }}");
  expect_limit("{{ ('a' * 100000) | replace('', 'b' * 100000) }}");
  expect_limit("{{ ('a' * 100000) | replace('a', 'b' * 100000) }}");
  expect_limit("{{ (['a'] * 100000) | join('b' * 100000) }}");
  expect_limit("{{ ('b' * 100000).join(['a'] * 100000) }}");
  expect_limit("{{ ('\n' * 100000) | indent('b' * 100000, blank=true) }}");
  expect_limit("{{ range(1000000000) }}");
  expect_limit("{{ 'x' | indent(99999999999) }}");
  expect_limit("{{ [1] | tojson(indent=99999999999) }}");
  expect_limit("{{ 9223372036854775807 + 1 }}");
  expect_limit("{{ 10 ** 100 }}");
  expect_limit("{{ " + std::string(100'000, '(') + "1" + std::string(100'000, ')') + " }}");
  expect_limit("{{ " + std::string(100'000, '[') + "1" + std::string(100'000, ']') + " }}");
  expect_limit("{{ " + std::string(100'000, '-') + "1 }}");
  std::string nots, sum = "{{ 1", members = "{{ a", filters = "{{ a", blocks, ifs = "{{ 1";
  for (int i = 0; i < 20'000; ++i) {
    nots += "not ";
    sum += "+1";
    members += ".a";
    filters += "|trim";
    blocks += "{% if 1 %}";
    ifs += " if 1";
  }
  expect_limit("{{ " + nots + "1 }}");
  for (const std::string* chain : {&sum, &members, &filters, &ifs}) expect_limit(*chain + " }}");
  expect_limit(blocks);
  expect_limit(std::string(2 << 20, 'a'));
  EXPECT_EQ(error_of("{{ -9223372036854775807 - 2 }}").kind(), ErrorKind::limit);
  OrderedJson deep = "x";
  for (int i = 0; i < 5000; ++i) deep = OrderedJson::array({std::move(deep)});
  EXPECT_EQ(error_of("{{ deep }}", {{"deep", deep}}).kind(), ErrorKind::limit);
}

TEST(Template, LimitsAreTheCallers) {
  EXPECT_EQ(error_of("{% for i in range(100) %}{{ i }}{% endfor %}", {}, {.max_steps = 50}).kind(), ErrorKind::limit);
  EXPECT_EQ(error_of("{% for i in range(100) %}{{ i }}{% endfor %}", {}, {.max_bytes = 50}).kind(), ErrorKind::limit);
}

TEST(Template, VariablesOfTheProgramWin) {
  const Rendered rendered = Template::parse("{{ bos_token }}{{ x }}")
                                .value()
                                .render({{{"bos_token", "u"}, {"x", "<s>"}}, {{"bos_token", "<s>"}}})
                                .value();
  EXPECT_EQ(rendered.text, "<s><s>");
  EXPECT_EQ(rendered.user, (std::vector<Span>{{3, 6}}));
}

TEST(Template, InvalidUtf8OfTheUserIsRepaired) { EXPECT_EQ(text_of("{{ x }}", {{"x", "a\xFFz"}}), "a\xEF\xBF\xBDz"); }

// Any damage to a template gives an error or valid text.
TEST(Template, DamagedTemplatesDoNoHarm) {
  const OrderedJson golden = OrderedJson::parse(read_file(kGolden));
  Rng rng(11);
  for (const OrderedJson& chat : golden["chats"]) {
    const std::string source = source_of(chat);
    const OrderedJson variables = chat["cases"][2]["variables"];
    for (int i = 0; i < 60; ++i) {
      std::string damaged = source;
      if (i % 3 == 0) damaged.resize(rng.below(damaged.size()));
      if (i % 3 == 1) damaged[rng.below(damaged.size())] ^= static_cast<char>(1 << rng.below(7));
      if (i % 3 == 2) damaged.erase(rng.below(damaged.size()), 1 + rng.below(20));
      const auto rendered = render(damaged, variables);
      if (rendered) {
        EXPECT_EQ(find_invalid_utf8(rendered.value().text), std::string::npos);
      }
    }
  }
}

TEST(Template, MayBeUsedFromSeveralThreads) {
  const Template parsed = Template::parse("{% for m in messages %}{{ m | upper }}{% endfor %}").value();
  std::vector<std::string> results(4);
  std::vector<std::thread> threads;
  for (std::string& result : results) {
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) result = parsed.render({{{"messages", {"a", "b"}}}, {}}).value().text;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(results, std::vector<std::string>(4, "AB"));
}

}  // namespace
}  // namespace sensorium::text::jinja
