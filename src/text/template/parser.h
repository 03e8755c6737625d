// Tokens to the tree of a template.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "text/template/ast.h"
#include "text/template/lexer.h"

namespace sensorium::text::jinja {

struct Program {
  Body body;
};

// One pass over the tokens. Throws Error: invalid_data, unsupported, limit, each with the line.
class Parser {
 public:
  explicit Parser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  Program parse_program();

 private:
  // Counts nesting while it lives, so that neither parsing nor running nor freeing the tree can exhaust the stack.
  class Nesting;

  const Token& token() const { return tokens_[at_]; }
  bool is_name(std::string_view name) const { return token().type == Token::Type::name && token().text == name; }
  bool is_symbol(std::string_view symbol) const {
    return token().type == Token::Type::symbol && token().text == symbol;
  }
  bool skip_name(std::string_view name);
  bool skip_symbol(std::string_view symbol);
  void expect_symbol(std::string_view symbol);
  void expect(Token::Type type, std::string_view what);
  std::string expect_name();
  [[noreturn]] void fail_here(std::string_view message) const;
  [[noreturn]] void fail_unexpected(std::string_view wanted) const;
  void count_link(int& links) const;
  template <typename Node>
  std::unique_ptr<Node> make() const;

  // Statements (parse_statements.cpp). A body ends before the first tag that is one of `ends`, whose name stays the
  // present token.
  Body parse_body(const std::vector<std::string_view>& ends);
  std::unique_ptr<Statement> parse_statement();
  // The body up to {% name %}, which is passed.
  Body parse_body_to(std::string_view end);
  std::unique_ptr<Statement> parse_if();
  std::unique_ptr<Statement> parse_for();
  std::unique_ptr<Statement> parse_set();
  std::unique_ptr<Statement> parse_macro();
  // "(a, b=1)" and the body up to {% end %}.
  void parse_parameters(Macro& macro);
  void parse_macro_body(Macro& macro, std::string_view end);
  std::unique_ptr<Statement> parse_call_block();
  std::unique_ptr<Statement> parse_named_block();
  std::unique_ptr<Statement> parse_with();
  std::unique_ptr<Statement> parse_filter_block();
  std::unique_ptr<Statement> parse_generation();
  Target parse_target(bool with_member);
  Target parse_one_target(bool with_member);
  // name | name(arguments) ..., applied to the name "", which stands for the text of a block.
  std::unique_ptr<FilterCall> parse_filter_chain();

  // Expressions (parse_expressions.cpp).
  enum class Condition { allowed, forbidden };  // a if b else c
  ExpressionPtr parse_tuple(Condition condition = Condition::allowed);
  ExpressionPtr parse_expression(Condition condition = Condition::allowed);
  ExpressionPtr parse_or();
  ExpressionPtr parse_and();
  ExpressionPtr parse_not();
  ExpressionPtr parse_comparison();
  ExpressionPtr parse_sum();
  ExpressionPtr parse_concat();
  ExpressionPtr parse_product();
  ExpressionPtr parse_power();
  ExpressionPtr parse_unary(bool with_filters);
  // Values (parse_values.cpp).
  ExpressionPtr parse_primary();
  ExpressionPtr parse_list();
  ExpressionPtr parse_dict();
  ExpressionPtr parse_postfix(ExpressionPtr object);
  ExpressionPtr parse_filters(ExpressionPtr operand);
  ExpressionPtr parse_member(ExpressionPtr object);
  ExpressionPtr parse_subscript(ExpressionPtr object);
  ExpressionPtr parse_call(ExpressionPtr callee);
  ExpressionPtr parse_filter(ExpressionPtr operand);
  ExpressionPtr parse_test(ExpressionPtr operand);
  std::string parse_dotted_name();
  CallArguments parse_arguments();

  std::vector<Token> tokens_;
  size_t at_ = 0;
  int nesting_ = 0;
  int loops_ = 0;               // around the present statement, in the same macro
  std::vector<Macro*> macros_;  // around the present token
  std::vector<std::string> block_names_;
};

class Parser::Nesting {
 public:
  explicit Nesting(Parser& parser);
  ~Nesting() { --parser_.nesting_; }
  Nesting(const Nesting&) = delete;
  Nesting& operator=(const Nesting&) = delete;

 private:
  Parser& parser_;
};

template <typename Node>
std::unique_ptr<Node> Parser::make() const {
  auto node = std::make_unique<Node>();
  node->line = token().line;
  return node;
}

}  // namespace sensorium::text::jinja
