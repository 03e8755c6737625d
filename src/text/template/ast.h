// The tree of a template. Each node evaluates or executes itself on a Machine.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "text/template/functions.h"
#include "text/template/value.h"

namespace sensorium::text::jinja {

struct Scope;

struct Expression {
  int line = 0;
  virtual ~Expression() = default;
  virtual Value evaluate(Machine& machine) const = 0;
};
using ExpressionPtr = std::unique_ptr<Expression>;
using Expressions = std::vector<ExpressionPtr>;

// What happens to the loop around a statement.
enum class Flow { next, break_loop, continue_loop };

struct Statement {
  int line = 0;
  virtual ~Statement() = default;
  virtual Flow execute(Machine& machine) const = 0;
};
using Body = std::vector<std::unique_ptr<Statement>>;

// Expressions (evaluate.cpp).

struct Literal : Expression {
  Value value;
  Value evaluate(Machine&) const override { return value; }
};

struct Name : Expression {
  std::string name;
  Value evaluate(Machine& machine) const override;
};

struct ListLiteral : Expression {
  Expressions items;
  bool is_tuple = false;
  Value evaluate(Machine& machine) const override;
};

struct DictLiteral : Expression {
  std::vector<std::pair<ExpressionPtr, ExpressionPtr>> items;
  Value evaluate(Machine& machine) const override;
};

struct Attribute : Expression {  // object.name
  ExpressionPtr object;
  std::string name;
  Value evaluate(Machine& machine) const override;
};

struct Item : Expression {  // object[index]
  ExpressionPtr object, index;
  Value evaluate(Machine& machine) const override;
};

struct Slice : Expression {  // object[start:stop:step], each of the three may be null
  ExpressionPtr object, start, stop, step;
  Value evaluate(Machine& machine) const override;
};

struct CallArguments {
  Expressions positional;
  std::vector<std::pair<std::string, ExpressionPtr>> named;
  ExpressionPtr more_positional, more_named;  // *list and **dict; may be null
  Arguments evaluate(Machine& machine, std::string_view callee) const;
};

struct Call : Expression {
  ExpressionPtr callee;
  CallArguments arguments;
  // With the argument "caller", unless it is null.
  Value invoke(Machine& machine, const Value* caller) const;
  Value evaluate(Machine& machine) const override;
};

struct FilterCall : Expression {
  ExpressionPtr operand;
  std::string name;
  CallArguments arguments;
  Value evaluate(Machine& machine) const override;
};

struct TestCall : Expression {
  ExpressionPtr operand;
  std::string name;
  CallArguments arguments;
  Value evaluate(Machine& machine) const override;
};

struct Not : Expression {
  ExpressionPtr operand;
  Value evaluate(Machine& machine) const override;
};

struct Sign : Expression {
  ExpressionPtr operand;
  bool negative = false;
  Value evaluate(Machine& machine) const override;
};

struct Arithmetic : Expression {
  enum class Operator { add, subtract, multiply, divide, floor_divide, modulo, power };
  Operator op = Operator::add;
  ExpressionPtr left, right;
  Value evaluate(Machine& machine) const override;
};

struct Concat : Expression {  // a ~ b ~ c
  Expressions parts;
  Value evaluate(Machine& machine) const override;
};

struct Logic : Expression {  // "and", "or"
  bool is_and = false;
  ExpressionPtr left, right;
  Value evaluate(Machine& machine) const override;
};

struct Comparison : Expression {  // a < b <= c: each neighbour pair
  ExpressionPtr first;
  std::vector<std::pair<Relation, ExpressionPtr>> rest;
  Value evaluate(Machine& machine) const override;
};

struct Conditional : Expression {  // a if test else b; b may be null
  ExpressionPtr test, yes, no;
  Value evaluate(Machine& machine) const override;
};

// Statements (execute.cpp).

// What a value is assigned to: a name, a member of a namespace, or a tuple of targets.
struct Target {
  std::string name;
  std::string member;  // "" or of the namespace `name`
  std::vector<Target> parts;
};

struct Output : Statement {
  ExpressionPtr value;
  Flow execute(Machine& machine) const override;
};

struct Data : Statement {
  std::string text;
  Flow execute(Machine& machine) const override;
};

struct If : Statement {
  std::vector<std::pair<ExpressionPtr, Body>> branches;
  Body otherwise;
  Flow execute(Machine& machine) const override;
};

struct For : Statement {
  Target target;
  ExpressionPtr items, filter;  // filter may be null
  bool recursive = false;       // loop(items) runs it once more, a level deeper
  Body body, otherwise;
  // Over `values`, in the present scope; calls of the loop run inside `around`, where the statement stands.
  Flow run(Machine& machine, Values values, int64_t depth, Scope* around) const;
  Flow execute(Machine& machine) const override;
};

struct Set : Statement {
  Target target;
  ExpressionPtr value;
  Flow execute(Machine& machine) const override;
};

// {% set x | filter %} ... {% endset %}
struct SetBlock : Statement {
  Target target;
  std::unique_ptr<FilterCall> filter;  // may be null; its innermost operand is the name "" for the text
  Body body;
  Flow execute(Machine& machine) const override;
};

struct Macro : Statement {
  struct Parameter {
    std::string name;
    ExpressionPtr fallback;  // may be null
  };
  // Names of arguments beside the parameters that the body asks for.
  struct Extras {
    bool caller = false, positional = false, named = false;
  };
  std::string name;
  std::vector<Parameter> parameters;
  Extras extras;
  Body body;
  // The function, which sees the variables of the present scope.
  Value function(Machine& machine) const;
  Flow execute(Machine& machine) const override;
};

// {% call(x) name(arguments) %}: the body is the function caller(x) of the macro that is called.
struct CallBlock : Statement {
  Macro caller;
  std::unique_ptr<Call> call;
  Flow execute(Machine& machine) const override;
};

// {% block %}: no template extends another one, so it stands for its body, which sees the variables of the template alone
// unless it is "scoped".
struct NamedBlock : Statement {
  bool scoped = false;
  Body body;
  Flow execute(Machine& machine) const override;
};

// A body in a scope of its own: with, filter, generation.
struct Block : Statement {
  enum class Kind { with, filter, generation };
  Kind kind = Kind::with;
  std::vector<std::pair<Target, ExpressionPtr>> variables;
  std::unique_ptr<FilterCall> filter;
  Body body;
  Flow execute(Machine& machine) const override;
};

struct LoopJump : Statement {
  Flow flow = Flow::break_loop;
  Flow execute(Machine&) const override { return flow; }
};

}  // namespace sensorium::text::jinja
