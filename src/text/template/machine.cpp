#include "text/template/machine.h"

#include "base/error.h"
#include "text/template/from_json.h"
#include "text/template/lexer.h"
#include "text/template/parser.h"
#include "text/template/template.h"

namespace sensorium::text::jinja {
namespace {

// Of evaluations inside each other, through expressions, blocks and macros: 8 MB of stack hold several times as many.
constexpr int kMaxDepth = 1500;
constexpr size_t kBytesPerStep = 64;

}  // namespace

Value* Scope::find(std::string_view name) {
  for (auto& [known, value] : variables) {
    if (known == name) return &value;
  }
  return nullptr;
}

Machine::Machine(const RenderOptions& options, const RenderVariables& variables)
    : options_(options), steps_left_(options.max_steps), scope_(make_scope(nullptr)) {
  for (const auto& [origin, object] :
       {std::pair(Origin::program, &variables.program), std::pair(Origin::user, &variables.user)}) {
    require(object->is_object() || object->is_null(), ErrorKind::usage,
            "the variables of a template must be an object, found {}", object->type_name());
    for (const auto& [name, value] : object->items()) {
      if (scope_->find(name) == nullptr) scope_->variables.emplace_back(name, from_json(value, origin));
    }
  }
}

void Machine::charge(size_t steps) {
  steps_left_ -= static_cast<int64_t>(steps);
  require(steps_left_ >= 0, ErrorKind::limit, "the template needs more than {} steps: does it end?",
          options_.max_steps);
}

Value Machine::evaluate(const Expression& expression) {
  charge(1);
  line_ = expression.line;
  require(++depth_ <= kMaxDepth, ErrorKind::limit, "calls nested deeper than {} levels", kMaxDepth);
  Value value = expression.evaluate(*this);
  --depth_;
  return value;
}

Flow Machine::execute(const Body& body) {
  require(++depth_ <= kMaxDepth, ErrorKind::limit, "calls nested deeper than {} levels", kMaxDepth);
  Flow flow = Flow::next;
  for (const auto& statement : body) {
    charge(1);
    line_ = statement->line;
    flow = statement->execute(*this);
    if (flow != Flow::next) break;
  }
  --depth_;
  return flow;
}

void Machine::write(const Text& text) {
  charge(text.size() / kBytesPerStep);
  require(output_.size() + text.size() <= options_.max_bytes, ErrorKind::limit, "more than {} bytes of output",
          options_.max_bytes);
  output_.append(text);
}

Text Machine::capture(const std::function<void()>& write) {
  Text before = std::exchange(output_, {});
  ++captures_;
  write();
  --captures_;
  return std::exchange(output_, std::move(before));
}

void Machine::mark_generated(size_t begin) {
  if (captures_ == 0 && begin < output_.size()) generated_.push_back({begin, output_.size()});
}

Value Machine::look_up(std::string_view name) {
  for (Scope* scope = scope_; scope != nullptr; scope = scope->outer) {
    if (const Value* value = scope->find(name)) return *value;
  }
  for (const Filter& known : global_functions()) {
    if (known.name != name) continue;
    const auto call = known.call;
    return make_function(
        std::string(name), [call](Machine& machine, Arguments& arguments) { return call(machine, Value(), arguments); },
        1);
  }
  return Value::undefined(fmt::format("'{}' is undefined", name));
}

void Machine::assign(const std::string& name, Value value) {
  if (Value* known = scope_->find(name)) {
    *known = std::move(value);
  } else {
    charge(scope_->variables.size() / 16);
    scope_->variables.emplace_back(name, std::move(value));
  }
}

Value Machine::text(Text text) {
  charge(text.size() / kBytesPerStep);
  require(text.size() <= options_.max_bytes, ErrorKind::limit, "a text of more than {} bytes", options_.max_bytes);
  return text;
}

Value Machine::list(Values items, bool is_tuple) {
  charge(items.size());
  return make_list(std::move(items), is_tuple);
}

Namespace* Machine::make_namespace() {
  charge(16);
  return namespaces_.emplace_back(std::make_unique<Namespace>()).get();
}

Scope* Machine::make_scope(Scope* outer) {
  Scope* scope = nullptr;
  if (free_scopes_.empty()) {
    scope = &scopes_.emplace_back();
  } else {
    scope = free_scopes_.back();
    free_scopes_.pop_back();
  }
  scope->outer = outer;
  return scope;
}

Machine::Inner::Inner(Machine& machine, Scope* outer)
    : machine_(machine), before_(machine.scope_), outer_(outer == nullptr ? before_ : outer) {
  machine_.scope_ = machine_.make_scope(outer_);
}

void Machine::Inner::renew() {
  if (machine_.scope_->captured) {
    machine_.charge(4);
    machine_.scope_ = machine_.make_scope(outer_);
  } else {
    machine_.scope_->variables.clear();
  }
}

Machine::Inner::~Inner() {
  if (!machine_.scope_->captured) {
    machine_.scope_->variables.clear();
    machine_.free_scopes_.push_back(machine_.scope_);
  }
  machine_.scope_ = before_;
}

Result<Template> Template::parse(std::string_view source) {
  try {
    return Template(std::make_shared<const Program>(Parser(tokenize_template(source)).parse_program()));
  } catch (const Error& error) {
    return error;
  }
}

Result<Rendered> Template::render(const RenderVariables& variables, const RenderOptions& options) const {
  std::optional<Machine> machine;
  try {
    machine.emplace(options, variables);
    machine->execute(program_->body);
    const Text output = machine->take_output();
    return Rendered{output.bytes(), output.user(), machine->generated()};
  } catch (const Error& error) {
    if (!machine) return error;
    return error.with_context(fmt::format("line {}", machine->line()));
  }
}

}  // namespace sensorium::text::jinja
