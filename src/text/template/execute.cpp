// What each statement does.
#include <utility>

#include "base/error.h"
#include "text/template/machine.h"

namespace sensorium::text::jinja {
namespace {

void assign(Machine& machine, const Target& target, const Value& value) {
  if (!target.parts.empty()) {
    const Values values = iterate(machine, value);
    require(values.size() == target.parts.size(), ErrorKind::invalid_data, "cannot assign {} values to {} names",
            values.size(), target.parts.size());
    for (size_t i = 0; i < values.size(); ++i) assign(machine, target.parts[i], values[i]);
    return;
  }
  if (target.member.empty()) return machine.assign(target.name, value);
  Namespace* space = machine.look_up(target.name).space();
  require(space != nullptr, ErrorKind::invalid_data, "'{}.{}' is set, but '{}' is no namespace", target.name,
          target.member, target.name);
  for (auto& [name, known] : space->members) {
    if (name == target.member) {
      known = value;
      return;
    }
  }
  machine.charge(space->members.size() / 16);
  space->members.emplace_back(target.member, value);
}

// A function refers to the scope, and so to those around it.
void keep(Scope* scope) {
  for (; scope != nullptr && !scope->captured; scope = scope->outer) scope->captured = true;
}

// The filters of a block on its text.
Value apply(Machine& machine, const FilterCall& filter, Text text) {
  const Machine::Inner scope(machine);
  machine.assign("", machine.text(std::move(text)));
  return machine.evaluate(filter);
}

Value call_macro(Machine& machine, const Macro& macro, Scope* outer, Arguments& arguments) {
  const Machine::Inner scope(machine, outer);
  for (size_t i = 0; i < macro.parameters.size(); ++i) {
    const Macro::Parameter& parameter = macro.parameters[i];
    if (const Value* given = arguments.find(i, parameter.name)) {
      machine.assign(parameter.name, *given);
    } else if (parameter.fallback != nullptr) {
      machine.assign(parameter.name, machine.evaluate(*parameter.fallback));
    } else {
      machine.assign(parameter.name, Value::undefined(fmt::format("parameter '{}' was not given", parameter.name)));
    }
  }
  if (macro.extras.caller) {
    const Value* caller = arguments.find(std::nullopt, "caller");
    machine.assign("caller", caller != nullptr ? *caller : Value::undefined("no {% call %} calls this macro"));
  }
  if (macro.extras.named) {
    std::vector<std::pair<Value, Value>> items;
    for (auto& [name, value] : arguments.take_named()) items.emplace_back(Value::string(name), std::move(value));
    machine.assign("kwargs", make_dict(std::move(items)));
  }
  if (macro.extras.positional) {
    machine.assign("varargs", machine.list(arguments.take_positional(macro.parameters.size()), true));
  }
  arguments.done();
  Text text = machine.capture(macro.body);
  return machine.text(std::move(text));
}

}  // namespace

Flow Output::execute(Machine& machine) const {
  machine.write(to_text(machine.evaluate(*value)));
  return Flow::next;
}

Flow Data::execute(Machine& machine) const {
  machine.write(Text(text));
  return Flow::next;
}

Flow If::execute(Machine& machine) const {
  for (const auto& [test, body] : branches) {
    if (machine.evaluate(*test).truthy()) return machine.execute(body);
  }
  return machine.execute(otherwise);
}

Flow For::run(Machine& machine, Values values, int64_t depth, Scope* around) const {
  if (filter != nullptr) {
    Values kept;
    Machine::Inner scope(machine);
    for (Value& value : values) {
      scope.renew();
      assign(machine, target, value);
      if (machine.evaluate(*filter).truthy()) kept.push_back(std::move(value));
    }
    values = std::move(kept);
  }
  Machine::Inner scope(machine);
  if (values.empty()) return machine.execute(otherwise);
  const std::shared_ptr<const List> shared = machine.list(std::move(values)).shared_list();
  const auto loop = std::make_shared<Loop>(Loop{.items = shared, .depth = depth});
  if (recursive) {
    loop->call = [this, depth, around](Machine& running, const Value& inner) {
      Values deeper = iterate(running, inner);
      const Machine::Inner level(running, around);
      return running.text(running.capture([&] { run(running, std::move(deeper), depth + 1, around); }));
    };
  }
  for (const Value& value : shared->items) {
    scope.renew();
    machine.charge(1);
    machine.assign("loop", loop);
    assign(machine, target, value);
    if (machine.execute(body) == Flow::break_loop) break;
    ++loop->index;
  }
  return Flow::next;
}

Flow For::execute(Machine& machine) const {
  Scope* around = &machine.scope();
  if (recursive) keep(around);
  return run(machine, iterate(machine, machine.evaluate(*items)), 1, around);
}

Flow Set::execute(Machine& machine) const {
  assign(machine, target, machine.evaluate(*value));
  return Flow::next;
}

Flow SetBlock::execute(Machine& machine) const {
  Text text;
  {
    const Machine::Inner scope(machine);
    text = machine.capture(body);
  }
  assign(machine, target, filter != nullptr ? apply(machine, *filter, std::move(text)) : machine.text(std::move(text)));
  return Flow::next;
}

Value Macro::function(Machine& machine) const {
  Scope* outer = &machine.scope();
  keep(outer);
  const auto call = [this, outer](Machine& running, Arguments& arguments) {
    return call_macro(running, *this, outer, arguments);
  };
  machine.charge(8);
  return make_function(name, call, 1);
}

Flow Macro::execute(Machine& machine) const {
  machine.assign(name, function(machine));
  return Flow::next;
}

Flow CallBlock::execute(Machine& machine) const {
  const Value body = caller.function(machine);
  machine.write(to_text(call->invoke(machine, &body)));
  return Flow::next;
}

Flow NamedBlock::execute(Machine& machine) const {
  Scope* outer = &machine.scope();
  while (!scoped && outer->outer != nullptr) outer = outer->outer;
  const Machine::Inner scope(machine, outer);
  return machine.execute(body);
}

Flow Block::execute(Machine& machine) const {
  if (kind == Kind::filter) {
    Text text;
    {
      const Machine::Inner scope(machine);
      text = machine.capture(body);
    }
    machine.write(to_text(apply(machine, *filter, std::move(text))));
    return Flow::next;
  }
  Values values;
  for (const auto& variable : variables) values.push_back(machine.evaluate(*variable.second));
  const Machine::Inner scope(machine);
  for (size_t i = 0; i < values.size(); ++i) assign(machine, variables[i].first, values[i]);
  const size_t begin = machine.output_size();
  const Flow flow = machine.execute(body);
  if (kind == Kind::generation) machine.mark_generated(begin);
  return flow;
}

}  // namespace sensorium::text::jinja
