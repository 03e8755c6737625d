// Runs a parsed template: variables, output and limits.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/template/ast.h"
#include "text/template/options.h"
#include "text/template/value.h"

namespace sensorium::text::jinja {

struct RenderVariables;

// Variables of one block. Reads go outwards, assignments stay here.
struct Scope {
  Scope* outer = nullptr;
  std::vector<std::pair<std::string, Value>> variables;
  bool captured = false;  // a macro or a recursive loop refers to it

  Value* find(std::string_view name);
};

// One run of one template. Everything throws Error; line() says where.
class Machine {
 public:
  Machine(const RenderOptions& options, const RenderVariables& variables);

  int line() const { return line_; }
  const RenderOptions& options() const { return options_; }
  const std::vector<Span>& generated() const { return generated_; }
  Text take_output() { return std::move(output_); }

  // Counts work; throws Error(limit) when the budget is used up.
  void charge(size_t steps);
  // What is left of the budget for equal().
  int64_t& budget() { return steps_left_; }

  Value evaluate(const Expression& expression);
  Flow execute(const Body& body);

  void write(const Text& text);
  // What `write` writes, or a body, which runs in the present scope.
  Text capture(const std::function<void()>& write);
  Text capture(const Body& body) {
    return capture([&] { execute(body); });
  }
  // Notes what is written after the length `begin` as said by the assistant, unless it is captured.
  void mark_generated(size_t begin);
  size_t output_size() const { return output_.size(); }

  // The variable, a global function, or an Undefined.
  Value look_up(std::string_view name);
  void assign(const std::string& name, Value value);
  Scope& scope() { return *scope_; }

  // New values, checked against the limits.
  Value text(Text text);
  Value string(std::string_view bytes) { return text(Text(bytes)); }
  Value list(Values items, bool is_tuple = false);
  Namespace* make_namespace();

  // A scope inside the present one, or inside `outer`, for as long as this lives.
  class Inner {
   public:
    explicit Inner(Machine& machine, Scope* outer = nullptr);
    ~Inner();
    Inner(const Inner&) = delete;
    Inner& operator=(const Inner&) = delete;
    // For the next round of a loop: empty, and a new one if a macro refers to the old.
    void renew();

   private:
    Machine& machine_;
    Scope* before_;
    Scope* outer_;
  };

 private:
  Scope* make_scope(Scope* outer);

  const RenderOptions& options_;
  int line_ = 0;
  int depth_ = 0;
  int captures_ = 0;
  int64_t steps_left_;
  Text output_;
  std::vector<Span> generated_;
  std::deque<Scope> scopes_;
  std::vector<Scope*> free_scopes_;
  Scope* scope_ = nullptr;
  std::vector<std::unique_ptr<Namespace>> namespaces_;
};

}  // namespace sensorium::text::jinja
