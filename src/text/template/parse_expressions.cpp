// The grammar of Jinja's expressions, from the loosest binding to the tightest; parse_values.cpp has the rest.
#include <optional>

#include "base/error.h"
#include "text/template/parser.h"

namespace sensorium::text::jinja {

ExpressionPtr Parser::parse_tuple(Condition condition) {
  ExpressionPtr first = parse_expression(condition);
  if (!is_symbol(",")) return first;
  auto tuple = make<ListLiteral>();
  tuple->is_tuple = true;
  tuple->items.push_back(std::move(first));
  while (skip_symbol(",")) {
    const bool ends =
        token().type == Token::Type::block_end || token().type == Token::Type::variable_end || is_symbol(")");
    if (ends) break;
    tuple->items.push_back(parse_expression(condition));
  }
  return tuple;
}

ExpressionPtr Parser::parse_expression(Condition condition) {
  const Nesting nesting(*this);
  ExpressionPtr value = parse_or();
  if (condition == Condition::forbidden) return value;
  int links = 0;
  while (is_name("if")) {
    count_link(links);
    auto node = make<Conditional>();
    ++at_;
    node->yes = std::move(value);
    node->test = parse_or();
    if (skip_name("else")) node->no = parse_expression();
    value = std::move(node);
  }
  return value;
}

ExpressionPtr Parser::parse_or() {
  ExpressionPtr left = parse_and();
  int links = 0;
  while (is_name("or")) {
    count_link(links);
    auto node = make<Logic>();
    ++at_;
    node->left = std::move(left);
    node->right = parse_and();
    left = std::move(node);
  }
  return left;
}

ExpressionPtr Parser::parse_and() {
  ExpressionPtr left = parse_not();
  int links = 0;
  while (is_name("and")) {
    count_link(links);
    auto node = make<Logic>();
    ++at_;
    node->is_and = true;
    node->left = std::move(left);
    node->right = parse_not();
    left = std::move(node);
  }
  return left;
}

ExpressionPtr Parser::parse_not() {
  if (!is_name("not")) return parse_comparison();
  const Nesting nesting(*this);
  auto node = make<Not>();
  ++at_;
  node->operand = parse_not();
  return node;
}

ExpressionPtr Parser::parse_comparison() {
  static constexpr std::pair<std::string_view, Relation> kRelations[] = {
      {"==", Relation::equal},      {"!=", Relation::not_equal}, {"<", Relation::less},
      {"<=", Relation::less_equal}, {">", Relation::greater},    {">=", Relation::greater_equal}};
  ExpressionPtr first = parse_sum();
  std::unique_ptr<Comparison> node;
  int links = 0;
  while (true) {
    std::optional<Relation> relation;
    for (const auto& [symbol, known] : kRelations) {
      if (is_symbol(symbol)) relation = known;
    }
    size_t width = 1;
    if (is_name("in")) relation = Relation::in;
    if (is_name("not") && tokens_[at_ + 1].type == Token::Type::name && tokens_[at_ + 1].text == "in") {
      relation = Relation::not_in;
      width = 2;
    }
    if (!relation) break;
    count_link(links);
    if (!node) {
      node = make<Comparison>();
      node->first = std::move(first);
    }
    at_ += width;
    node->rest.emplace_back(*relation, parse_sum());
  }
  if (node) return node;
  return first;
}

ExpressionPtr Parser::parse_sum() {
  ExpressionPtr left = parse_concat();
  int links = 0;
  while (is_symbol("+") || is_symbol("-")) {
    count_link(links);
    auto node = make<Arithmetic>();
    node->op = is_symbol("+") ? Arithmetic::Operator::add : Arithmetic::Operator::subtract;
    ++at_;
    node->left = std::move(left);
    node->right = parse_concat();
    left = std::move(node);
  }
  return left;
}

ExpressionPtr Parser::parse_concat() {
  ExpressionPtr first = parse_product();
  if (!is_symbol("~")) return first;
  auto node = make<Concat>();
  node->parts.push_back(std::move(first));
  while (skip_symbol("~")) node->parts.push_back(parse_product());
  return node;
}

ExpressionPtr Parser::parse_product() {
  static constexpr std::pair<std::string_view, Arithmetic::Operator> kOperators[] = {
      {"*", Arithmetic::Operator::multiply},
      {"/", Arithmetic::Operator::divide},
      {"//", Arithmetic::Operator::floor_divide},
      {"%", Arithmetic::Operator::modulo}};
  ExpressionPtr left = parse_power();
  for (int links = 0;;) {
    const auto* found = std::begin(kOperators);
    while (found != std::end(kOperators) && !is_symbol(found->first)) ++found;
    if (found == std::end(kOperators)) return left;
    count_link(links);
    auto node = make<Arithmetic>();
    node->op = found->second;
    ++at_;
    node->left = std::move(left);
    node->right = parse_power();
    left = std::move(node);
  }
}

ExpressionPtr Parser::parse_power() {
  ExpressionPtr left = parse_unary(true);
  int links = 0;
  while (is_symbol("**")) {
    count_link(links);
    auto node = make<Arithmetic>();
    node->op = Arithmetic::Operator::power;
    ++at_;
    node->left = std::move(left);
    node->right = parse_unary(true);
    left = std::move(node);
  }
  return left;
}

ExpressionPtr Parser::parse_unary(bool with_filters) {
  ExpressionPtr value;
  if (is_symbol("-") || is_symbol("+")) {
    const Nesting nesting(*this);
    auto node = make<Sign>();
    node->negative = is_symbol("-");
    ++at_;
    node->operand = parse_unary(false);
    value = std::move(node);
  } else {
    value = parse_primary();
  }
  value = parse_postfix(std::move(value));
  return with_filters ? parse_filters(std::move(value)) : std::move(value);
}

}  // namespace sensorium::text::jinja
