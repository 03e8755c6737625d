// Values and what binds tightest to them: members, subscripts, calls, filters and tests.
#include <charconv>

#include "base/error.h"
#include "text/template/parser.h"

namespace sensorium::text::jinja {

ExpressionPtr Parser::parse_primary() {
  const Token& first = token();
  if (first.type == Token::Type::name) {
    static constexpr std::pair<std::string_view, int> kConstants[] = {{"true", 1},  {"True", 1},  {"false", 0},
                                                                      {"False", 0}, {"none", -1}, {"None", -1}};
    for (const auto& [name, value] : kConstants) {
      if (first.text != name) continue;
      auto literal = make<Literal>();
      if (value >= 0) literal->value = value == 1;
      ++at_;
      return literal;
    }
    auto name = make<Name>();
    name->name = first.text;
    for (Macro* macro : macros_) {
      macro->extras.caller = macro->extras.caller || first.text == "caller";
      macro->extras.positional = macro->extras.positional || first.text == "varargs";
      macro->extras.named = macro->extras.named || first.text == "kwargs";
    }
    ++at_;
    return name;
  }
  if (first.type == Token::Type::string) {
    auto literal = make<Literal>();
    std::string text;
    while (token().type == Token::Type::string) text += tokens_[at_++].text;
    literal->value = Value::string(text);
    return literal;
  }
  if (first.type == Token::Type::integer || first.type == Token::Type::real) {
    auto literal = make<Literal>();
    const bool hexadecimal = first.text.size() > 1 && (first.text[1] == 'x' || first.text[1] == 'X');
    const char *begin = first.text.data() + (hexadecimal ? 2 : 0), *end = first.text.data() + first.text.size();
    std::from_chars_result parsed{};
    if (first.type == Token::Type::real) {
      double value = 0;
      parsed = std::from_chars(begin, end, value);
      literal->value = value;
    } else {
      int64_t value = 0;
      parsed = std::from_chars(begin, end, value, hexadecimal ? 16 : 10);
      literal->value = value;
    }
    if (parsed.ec != std::errc() || parsed.ptr != end) fail_here(fmt::format("the number {} is too large", first.text));
    ++at_;
    return literal;
  }
  if (is_symbol("[")) return parse_list();
  if (is_symbol("{")) return parse_dict();
  if (!skip_symbol("(")) fail_unexpected("a value");
  if (is_symbol(")")) {
    auto empty = make<ListLiteral>();
    empty->is_tuple = true;
    ++at_;
    return empty;
  }
  ExpressionPtr inner = parse_tuple();
  expect_symbol(")");
  return inner;
}

ExpressionPtr Parser::parse_list() {
  auto list = make<ListLiteral>();
  expect_symbol("[");
  while (!is_symbol("]")) {
    if (!list->items.empty()) {
      expect_symbol(",");
      if (is_symbol("]")) break;
    }
    list->items.push_back(parse_expression());
  }
  expect_symbol("]");
  return list;
}

ExpressionPtr Parser::parse_dict() {
  auto dict = make<DictLiteral>();
  expect_symbol("{");
  while (!is_symbol("}")) {
    if (!dict->items.empty()) {
      expect_symbol(",");
      if (is_symbol("}")) break;
    }
    ExpressionPtr key = parse_expression();
    expect_symbol(":");
    dict->items.emplace_back(std::move(key), parse_expression());
  }
  expect_symbol("}");
  return dict;
}

ExpressionPtr Parser::parse_postfix(ExpressionPtr object) {
  for (int links = 0; is_symbol(".") || is_symbol("[") || is_symbol("(");) {
    count_link(links);
    object = is_symbol(".")   ? parse_member(std::move(object))
             : is_symbol("[") ? parse_subscript(std::move(object))
                              : parse_call(std::move(object));
  }
  return object;
}

ExpressionPtr Parser::parse_filters(ExpressionPtr operand) {
  for (int links = 0;;) {
    if (skip_symbol("|")) {
      operand = parse_filter(std::move(operand));
    } else if (skip_name("is")) {
      operand = parse_test(std::move(operand));
    } else if (is_symbol("(")) {  // what a filter or test gives may be called
      operand = parse_call(std::move(operand));
    } else {
      return operand;
    }
    count_link(links);
  }
}

ExpressionPtr Parser::parse_member(ExpressionPtr object) {
  expect_symbol(".");
  if (token().type == Token::Type::integer) {
    auto node = make<Item>();
    node->object = std::move(object);
    node->index = parse_primary();
    return node;
  }
  auto node = make<Attribute>();
  node->object = std::move(object);
  node->name = expect_name();
  return node;
}

ExpressionPtr Parser::parse_subscript(ExpressionPtr object) {
  const int line = token().line;
  expect_symbol("[");
  ExpressionPtr start;
  if (!is_symbol(":")) {
    start = parse_expression();
    if (skip_symbol("]")) {
      auto node = make<Item>();
      node->line = line;
      node->object = std::move(object);
      node->index = std::move(start);
      return node;
    }
  }
  auto node = make<Slice>();
  node->line = line;
  node->object = std::move(object);
  node->start = std::move(start);
  expect_symbol(":");
  if (!is_symbol(":") && !is_symbol("]")) node->stop = parse_expression();
  if (skip_symbol(":") && !is_symbol("]")) node->step = parse_expression();
  expect_symbol("]");
  return node;
}

CallArguments Parser::parse_arguments() {
  CallArguments arguments;
  expect_symbol("(");
  for (bool first = true; !is_symbol(")"); first = false) {
    if (!first) {
      expect_symbol(",");
      if (is_symbol(")")) break;
    }
    if (is_symbol("*") || is_symbol("**")) {
      ExpressionPtr& more = is_symbol("*") ? arguments.more_positional : arguments.more_named;
      if (more != nullptr || arguments.more_named != nullptr) fail_here("'*' or '**' out of place");
      ++at_;
      more = parse_expression();
      continue;
    }
    if (arguments.more_named != nullptr) fail_here("an argument behind '**'");
    const bool is_named = token().type == Token::Type::name && tokens_[at_ + 1].type == Token::Type::symbol &&
                          tokens_[at_ + 1].text == "=";
    if (is_named) {
      std::string name = expect_name();
      expect_symbol("=");
      arguments.named.emplace_back(std::move(name), parse_expression());
    } else {
      if (!arguments.named.empty() || arguments.more_positional != nullptr)
        fail_here("an argument without a name behind one with a name");
      arguments.positional.push_back(parse_expression());
    }
  }
  expect_symbol(")");
  return arguments;
}

ExpressionPtr Parser::parse_call(ExpressionPtr callee) {
  auto node = make<Call>();
  node->callee = std::move(callee);
  node->arguments = parse_arguments();
  return node;
}

std::string Parser::parse_dotted_name() {
  std::string name = expect_name();
  while (skip_symbol(".")) name += "." + expect_name();
  return name;
}

ExpressionPtr Parser::parse_filter(ExpressionPtr operand) {
  auto node = make<FilterCall>();
  node->operand = std::move(operand);
  node->name = parse_dotted_name();
  if (is_symbol("(")) node->arguments = parse_arguments();
  return node;
}

ExpressionPtr Parser::parse_test(ExpressionPtr operand) {
  auto node = make<TestCall>();
  const bool negated = skip_name("not");
  node->operand = std::move(operand);
  node->name = parse_dotted_name();
  const Token::Type type = token().type;
  const bool is_value = type == Token::Type::name || type == Token::Type::string || type == Token::Type::integer ||
                        type == Token::Type::real || is_symbol("[") || is_symbol("{");
  if (is_symbol("(")) {
    node->arguments = parse_arguments();
  } else if (is_value && !is_name("else") && !is_name("or") && !is_name("and")) {
    if (is_name("is")) fail_here("tests cannot be chained with 'is'");
    const Nesting nesting(*this);
    node->arguments.positional.push_back(parse_postfix(parse_primary()));
  }
  if (!negated) return node;
  auto negation = make<Not>();
  negation->operand = std::move(node);
  return negation;
}

}  // namespace sensorium::text::jinja
