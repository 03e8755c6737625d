#include <algorithm>
#include <array>

#include "base/error.h"
#include "text/template/parser.h"

namespace sensorium::text::jinja {
namespace {

// Blocks in blocks and expressions in expressions, and links of one chain such as a + b + c.
constexpr int kMaxNesting = 64, kMaxLinks = 128;

// What Jinja has and chat templates do not use.
constexpr std::array<std::string_view, 7> kUnsupportedTags = {"include", "import", "from",      "extends",
                                                              "do",      "trans",  "autoescape"};

}  // namespace

Parser::Nesting::Nesting(Parser& parser) : parser_(parser) {
  ++parser_.nesting_;
  if (parser_.nesting_ > kMaxNesting) {
    const int line = parser_.token().line;
    --parser_.nesting_;
    fail(ErrorKind::limit, "line {}: nested deeper than {} levels", line, kMaxNesting);
  }
}

void Parser::count_link(int& links) const {
  require(++links <= kMaxLinks, ErrorKind::limit, "line {}: more than {} operators in a row", token().line, kMaxLinks);
}

void Parser::fail_here(std::string_view message) const {
  fail(ErrorKind::invalid_data, "line {}: {}", token().line, message);
}

void Parser::fail_unexpected(std::string_view wanted) const {
  std::string found;
  switch (token().type) {
    case Token::Type::end:
      found = "the end of the template";
      break;
    case Token::Type::block_end:
      found = "the end of the tag";
      break;
    case Token::Type::variable_end:
      found = "the end of the expression";
      break;
    case Token::Type::string:
      found = "a string";
      break;
    default:
      found = fmt::format("'{}'", token().text);
  }
  fail(ErrorKind::invalid_data, "line {}: expected {}, found {}", token().line, wanted, found);
}

bool Parser::skip_name(std::string_view name) {
  if (!is_name(name)) return false;
  ++at_;
  return true;
}

bool Parser::skip_symbol(std::string_view symbol) {
  if (!is_symbol(symbol)) return false;
  ++at_;
  return true;
}

void Parser::expect_symbol(std::string_view symbol) {
  if (!skip_symbol(symbol)) fail_unexpected(fmt::format("'{}'", symbol));
}

void Parser::expect(Token::Type type, std::string_view what) {
  if (token().type != type) fail_unexpected(what);
  ++at_;
}

std::string Parser::expect_name() {
  if (token().type != Token::Type::name) fail_unexpected("a name");
  return tokens_[at_++].text;
}

Program Parser::parse_program() {
  Program program;
  program.body = parse_body({});
  return program;
}

Body Parser::parse_body(const std::vector<std::string_view>& ends) {
  const Nesting nesting(*this);
  const int begin_line = tokens_[at_ == 0 ? 0 : at_ - 1].line;
  Body body;
  while (token().type != Token::Type::end) {
    if (token().type == Token::Type::data) {
      auto data = make<Data>();
      data->text = std::move(tokens_[at_++].text);
      body.push_back(std::move(data));
    } else if (token().type == Token::Type::variable_begin) {
      ++at_;
      auto output = make<Output>();
      output->value = parse_tuple();
      expect(Token::Type::variable_end, "'}}'");
      body.push_back(std::move(output));
    } else {
      expect(Token::Type::block_begin, "a tag");
      if (token().type != Token::Type::name) fail_unexpected("the name of a tag");
      if (std::find(ends.begin(), ends.end(), token().text) != ends.end()) return body;
      body.push_back(parse_statement());
    }
  }
  if (!ends.empty()) {
    fail(ErrorKind::invalid_data, "line {}: this block has no {{% {} %}}", begin_line, ends.back());
  }
  return body;
}

Body Parser::parse_body_to(std::string_view end) {
  expect(Token::Type::block_end, "'%}'");
  Body body = parse_body({end});
  ++at_;
  expect(Token::Type::block_end, "'%}'");
  return body;
}

std::unique_ptr<Statement> Parser::parse_statement() {
  const int line = token().line;
  const std::string tag = expect_name();
  std::unique_ptr<Statement> statement;
  if (tag == "if") {
    statement = parse_if();
  } else if (tag == "for") {
    statement = parse_for();
  } else if (tag == "set") {
    statement = parse_set();
  } else if (tag == "macro") {
    statement = parse_macro();
  } else if (tag == "call") {
    statement = parse_call_block();
  } else if (tag == "block") {
    statement = parse_named_block();
  } else if (tag == "with") {
    statement = parse_with();
  } else if (tag == "filter") {
    statement = parse_filter_block();
  } else if (tag == "generation") {
    statement = parse_generation();
  } else if (tag == "break" || tag == "continue") {
    require(loops_ > 0, ErrorKind::invalid_data, "line {}: '{}' outside a loop", line, tag);
    auto jump = make<LoopJump>();
    jump->flow = tag == "break" ? Flow::break_loop : Flow::continue_loop;
    expect(Token::Type::block_end, "'%}'");
    statement = std::move(jump);
  } else {
    const bool known = std::find(kUnsupportedTags.begin(), kUnsupportedTags.end(), tag) != kUnsupportedTags.end();
    fail(known ? ErrorKind::unsupported : ErrorKind::invalid_data, "line {}: the tag '{}' is {}", line, tag,
         known ? "not supported in chat templates" : "unknown or out of place");
  }
  statement->line = line;
  return statement;
}

std::unique_ptr<Statement> Parser::parse_if() {
  auto node = make<If>();
  do {
    ExpressionPtr test = parse_tuple(Condition::forbidden);
    expect(Token::Type::block_end, "'%}'");
    node->branches.emplace_back(std::move(test), parse_body({"elif", "else", "endif"}));
  } while (skip_name("elif"));
  if (skip_name("else")) {
    node->otherwise = parse_body_to("endif");
    return node;
  }
  ++at_;
  expect(Token::Type::block_end, "'%}'");
  return node;
}

std::unique_ptr<Statement> Parser::parse_for() {
  auto node = make<For>();
  node->target = parse_target(false);
  if (!skip_name("in")) fail_unexpected("'in'");
  node->items = parse_tuple(Condition::forbidden);
  if (skip_name("if")) node->filter = parse_expression();
  node->recursive = skip_name("recursive");
  expect(Token::Type::block_end, "'%}'");
  ++loops_;
  node->body = parse_body({"else", "endfor"});
  --loops_;
  if (skip_name("else")) {
    node->otherwise = parse_body_to("endfor");
    return node;
  }
  ++at_;
  expect(Token::Type::block_end, "'%}'");
  return node;
}

std::unique_ptr<Statement> Parser::parse_set() {
  const int line = token().line;
  Target target = parse_target(true);
  if (skip_symbol("=")) {
    auto node = make<Set>();
    node->target = std::move(target);
    node->value = parse_tuple();
    expect(Token::Type::block_end, "'%}'");
    return node;
  }
  require(target.parts.empty(), ErrorKind::invalid_data, "line {}: a block is set to one name", line);
  auto node = make<SetBlock>();
  node->target = std::move(target);
  if (skip_symbol("|")) node->filter = parse_filter_chain();
  const int loops = std::exchange(loops_, 0);
  node->body = parse_body_to("endset");
  loops_ = loops;
  return node;
}

void Parser::parse_parameters(Macro& macro) {
  expect_symbol("(");
  while (!is_symbol(")")) {
    if (!macro.parameters.empty()) {
      expect_symbol(",");
      if (is_symbol(")")) break;
    }
    Macro::Parameter parameter;
    parameter.name = expect_name();
    if (skip_symbol("=")) {
      parameter.fallback = parse_expression();
    } else if (!macro.parameters.empty() && macro.parameters.back().fallback != nullptr) {
      fail_here(fmt::format("parameter '{}' needs a default: the one before it has one", parameter.name));
    }
    macro.parameters.push_back(std::move(parameter));
  }
  expect_symbol(")");
}

void Parser::parse_macro_body(Macro& macro, std::string_view end) {
  const int loops = std::exchange(loops_, 0);
  macros_.push_back(&macro);
  macro.body = parse_body_to(end);
  macros_.pop_back();
  loops_ = loops;
}

std::unique_ptr<Statement> Parser::parse_macro() {
  auto node = make<Macro>();
  node->name = expect_name();
  parse_parameters(*node);
  parse_macro_body(*node, "endmacro");
  return node;
}

std::unique_ptr<Statement> Parser::parse_call_block() {
  auto node = make<CallBlock>();
  node->caller.name = "caller";
  if (is_symbol("(")) parse_parameters(node->caller);
  const int line = token().line;
  ExpressionPtr call = parse_expression();
  require(dynamic_cast<Call*>(call.get()) != nullptr, ErrorKind::invalid_data, "line {}: 'call' needs a call", line);
  node->call.reset(static_cast<Call*>(call.release()));
  parse_macro_body(node->caller, "endcall");
  return node;
}

std::unique_ptr<Statement> Parser::parse_named_block() {
  auto node = make<NamedBlock>();
  const std::string name = expect_name();
  if (std::find(block_names_.begin(), block_names_.end(), name) != block_names_.end()) {
    fail_here(fmt::format("the block '{}' stands twice", name));
  }
  block_names_.push_back(name);
  node->scoped = skip_name("scoped");
  require(!is_name("required"), ErrorKind::invalid_data, "line {}: nothing fills the required block '{}'", token().line,
          name);
  expect(Token::Type::block_end, "'%}'");
  const int loops = std::exchange(loops_, 0);
  node->body = parse_body({"endblock"});
  loops_ = loops;
  ++at_;
  skip_name(name);
  expect(Token::Type::block_end, "'%}'");
  return node;
}

std::unique_ptr<Statement> Parser::parse_with() {
  auto node = make<Block>();
  node->kind = Block::Kind::with;
  while (token().type != Token::Type::block_end) {
    if (!node->variables.empty()) expect_symbol(",");
    Target target = parse_target(false);
    expect_symbol("=");
    node->variables.emplace_back(std::move(target), parse_expression());
  }
  node->body = parse_body_to("endwith");
  return node;
}

std::unique_ptr<Statement> Parser::parse_filter_block() {
  auto node = make<Block>();
  node->kind = Block::Kind::filter;
  node->filter = parse_filter_chain();
  const int loops = std::exchange(loops_, 0);
  node->body = parse_body_to("endfilter");
  loops_ = loops;
  return node;
}

std::unique_ptr<Statement> Parser::parse_generation() {
  auto node = make<Block>();
  node->kind = Block::Kind::generation;
  const int loops = std::exchange(loops_, 0);
  node->body = parse_body_to("endgeneration");
  loops_ = loops;
  return node;
}

Target Parser::parse_one_target(bool with_member) {
  const Nesting nesting(*this);
  if (skip_symbol("(")) {
    Target target = parse_target(with_member);
    expect_symbol(")");
    return target;
  }
  Target target;
  target.name = expect_name();
  static constexpr std::array<std::string_view, 6> kConstants = {"true", "false", "none", "True", "False", "None"};
  if (std::find(kConstants.begin(), kConstants.end(), target.name) != kConstants.end()) {
    fail_here(fmt::format("cannot assign to '{}'", target.name));
  }
  if (with_member && skip_symbol(".")) target.member = expect_name();
  return target;
}

Target Parser::parse_target(bool with_member) {
  Target first = parse_one_target(with_member);
  if (!is_symbol(",")) return first;
  Target tuple;
  tuple.parts.push_back(std::move(first));
  while (skip_symbol(",")) {
    if (token().type != Token::Type::name && !is_symbol("(")) break;
    if (is_name("in")) break;
    tuple.parts.push_back(parse_one_target(with_member));
  }
  return tuple;
}

std::unique_ptr<FilterCall> Parser::parse_filter_chain() {
  ExpressionPtr chain = make<Name>();
  int links = 0;
  do {
    count_link(links);
    chain = parse_filter(std::move(chain));
  } while (skip_symbol("|"));
  return std::unique_ptr<FilterCall>(static_cast<FilterCall*>(chain.release()));
}

}  // namespace sensorium::text::jinja
