#include "io/pickle.h"

#include <algorithm>
#include <array>
#include <optional>
#include <unordered_map>

#include "base/utf8.h"
#include "io/byte_reader.h"
#include "io/errors.h"
#include "io/pickle_opcodes.h"

namespace sensorium::io {
namespace {

constexpr size_t kMaxBytes = size_t{64} << 20, kMaxValues = size_t{4} << 20, kMaxItems = size_t{16} << 20,
                 kMaxMarks = 1 << 16;

// A name of the file, short and valid for a message.
std::string shown(std::string_view text) { return repair_utf8(text.substr(0, 80)); }

using Outcome = std::optional<Error>;  // nothing: well

class Machine {
 public:
  explicit Machine(std::span<const std::byte> bytes) : reader_(bytes) {}

  Result<Pickle> run() {
    for (;;) {
      const size_t place = reader_.position();
      uint8_t opcode = 0;
      if (!reader_.read(opcode)) return invalid("the pickle ends without a STOP: cut off");
      if (opcode == kStop) break;
      if (Outcome error = step(opcode)) return error->with_context(fmt::format("pickle, byte {}", place));
      if (pickle_.values.size() > kMaxValues || items_ + stack_.size() > kMaxItems || marks_.size() > kMaxMarks) {
        return over_limit("the pickle holds more than {} values, {} references or {} open containers", kMaxValues,
                          kMaxItems, kMaxMarks);
      }
    }
    if (stack_.size() != 1 || !marks_.empty())
      return invalid("the pickle leaves {} values, expected one", stack_.size());
    if (reader_.remaining() != 0) return invalid("{} bytes follow the pickle's end", reader_.remaining());
    pickle_.root = stack_[0];
    return std::move(pickle_);
  }

 private:
  Outcome step(uint8_t opcode) {
    switch (opcode) {
      case kProto:
        return protocol();
      case kFrame:
        return reader_.skip(8) ? Outcome{} : cut_off();
      case kMark:
        marks_.push_back(stack_.size());
        return {};
      case kNone:
        return push({.kind = PickleKind::none});
      case kNewTrue:
      case kNewFalse:
        return push({.kind = PickleKind::boolean, .integer = opcode == kNewTrue});
      case kBinInt:
        return integer<int32_t>();
      case kBinInt1:
        return integer<uint8_t>();
      case kBinInt2:
        return integer<uint16_t>();
      case kLong1:
        return long_integer();
      case kBinFloat:
        return reader_.skip(8) ? push({.kind = PickleKind::real}) : cut_off();
      case kBinUnicode:
        return text<uint32_t>(PickleKind::text);
      case kShortBinUnicode:
        return text<uint8_t>(PickleKind::text);
      case kBinUnicode8:
        return text<uint64_t>(PickleKind::text);
      case kBinString:
        return text<uint32_t>(PickleKind::text);
      case kShortBinString:
        return text<uint8_t>(PickleKind::text);
      case kBinBytes:
        return text<uint32_t>(PickleKind::opaque);
      case kShortBinBytes:
        return text<uint8_t>(PickleKind::opaque);
      case kEmptyList:
        return push({.kind = PickleKind::list});
      case kEmptyTuple:
        return push({.kind = PickleKind::tuple});
      case kEmptyDict:
        return push({.kind = PickleKind::dict});
      case kTuple:
        return marks_.empty() ? no_mark() : tuple(stack_.size() - take_mark());
      case kTuple1:
      case kTuple2:
      case kTuple3:
        return tuple(static_cast<size_t>(opcode - kTuple1 + 1));
      case kAppend:
        return append(1, PickleKind::list);
      case kAppends:
        return marks_.empty() ? no_mark() : append(stack_.size() - take_mark(), PickleKind::list);
      case kSetItem:
        return append(2, PickleKind::dict);
      case kSetItems:
        return marks_.empty() ? no_mark() : append(stack_.size() - take_mark(), PickleKind::dict);
      case kBinPut:
        return put<uint8_t>();
      case kLongBinPut:
        return put<uint32_t>();
      case kMemoize:
        return remember(static_cast<uint32_t>(memo_.size()));
      case kBinGet:
        return get<uint8_t>();
      case kLongBinGet:
        return get<uint32_t>();
      case kGlobal:
        return global_lines();
      case kStackGlobal:
        return global_from_stack();
      case kBinPersId:
        return persistent();
      case kReduce:
        return reduce();
      case kBuild:
        return build();
      default:
        return unsupported("opcode {:#04x} is not one that a file of tensors needs", opcode);
    }
  }

  static Error cut_off() { return invalid("cut off"); }
  static Error no_mark() { return invalid("a MARK is missing"); }
  static Error too_few() { return invalid("too few values on the stack"); }

  // What an opcode may take lies above the last mark.
  size_t available() const { return stack_.size() - (marks_.empty() ? 0 : marks_.back()); }
  size_t take_mark() {
    const size_t mark = marks_.back();
    marks_.pop_back();
    return mark;
  }
  PickleRef pop() {
    const PickleRef ref = stack_.back();
    stack_.pop_back();
    return ref;
  }
  const PickleValue& at(PickleRef ref) const { return pickle_.values[ref]; }
  Outcome push(PickleValue value) {
    stack_.push_back(static_cast<PickleRef>(pickle_.values.size()));
    pickle_.values.push_back(std::move(value));
    return {};
  }

  Outcome protocol() {
    uint8_t version = 0;
    if (!reader_.read(version)) return cut_off();
    if (version < 2 || version > 5) return unsupported("pickle protocol {}, supported are 2 to 5", version);
    return {};
  }

  template <typename T>
  Outcome integer() {
    T value{};
    if (!reader_.read(value)) return cut_off();
    return push({.kind = PickleKind::integer, .integer = value});
  }

  // Two's complement of the given length.
  Outcome long_integer() {
    uint8_t length = 0;
    std::string_view bytes;
    if (!reader_.read(length) || !reader_.read(length, bytes)) return cut_off();
    if (length > 8) return push({.kind = PickleKind::opaque});
    uint64_t value = length > 0 && (bytes.back() & 0x80) != 0 ? ~uint64_t{0} : 0;
    for (size_t i = length; i-- > 0;) value = value << 8 | static_cast<uint8_t>(bytes[i]);
    return push({.kind = PickleKind::integer, .integer = static_cast<int64_t>(value)});
  }

  template <typename Length>
  Outcome text(PickleKind kind) {
    Length length = 0;
    std::string_view bytes;
    if (!reader_.read(length) || !reader_.read(length, bytes)) return cut_off();
    return push({.kind = kind, .text = bytes});
  }

  Outcome tuple(size_t count) {
    if (available() < count) return too_few();
    PickleValue value{.kind = PickleKind::tuple};
    value.items.assign(stack_.end() - static_cast<ptrdiff_t>(count), stack_.end());
    stack_.resize(stack_.size() - count);
    items_ += count;
    return push(std::move(value));
  }

  // The top `count` values go into the list or dict below them.
  Outcome append(size_t count, PickleKind kind) {
    if (available() < count + 1) return too_few();
    PickleValue& container = pickle_.values[stack_[stack_.size() - count - 1]];
    if (container.kind != kind) {
      return invalid("items for a {}, expected a {}", name_of(container.kind), name_of(kind));
    }
    if (kind == PickleKind::dict && count % 2 != 0) return invalid("a dict's key has no value");
    container.items.insert(container.items.end(), stack_.end() - static_cast<ptrdiff_t>(count), stack_.end());
    stack_.resize(stack_.size() - count);
    items_ += count;
    return {};
  }

  template <typename Index>
  Outcome put() {
    Index index = 0;
    if (!reader_.read(index)) return cut_off();
    return remember(index);
  }
  Outcome remember(uint32_t index) {
    if (available() < 1) return too_few();
    if (memo_.size() >= kMaxValues) return over_limit("the pickle remembers more than {} values", kMaxValues);
    memo_[index] = stack_.back();
    return {};
  }
  template <typename Index>
  Outcome get() {
    Index index = 0;
    if (!reader_.read(index)) return cut_off();
    const auto found = memo_.find(index);
    if (found == memo_.end()) return invalid("no value was remembered as {}", index);
    stack_.push_back(found->second);
    return {};
  }

  Outcome global_lines() {
    std::string_view module, name;
    if (!reader_.read_line(module) || !reader_.read_line(name)) return cut_off();
    return global(module, name);
  }
  Outcome global_from_stack() {
    if (available() < 2) return too_few();
    const PickleValue &name = at(pop()), &module = at(pop());
    if (name.kind != PickleKind::text || module.kind != PickleKind::text) return invalid("a global without a name");
    return global(module.text, name.text);
  }
  Outcome global(std::string_view module, std::string_view name) {
    const TorchGlobalInfo* info = find_torch_global(module, name);
    if (info == nullptr) {
      return unsupported(
          "it refers to {}.{}, which is not allowed: only tensors in plain containers are read, and nothing is "
          "executed. "
          "If the file is trusted, load it in PyTorch and save its state dict alone",
          shown(module), shown(name));
    }
    return push({.kind = PickleKind::global, .global = info});
  }

  // ('storage', type, key, location, number of elements)
  Outcome persistent() {
    if (available() < 1) return too_few();
    const PickleValue& id = at(pop());
    if (id.kind != PickleKind::tuple || id.items.size() < 5) return invalid("a persistent id that is no storage");
    const PickleValue &tag = at(id.items[0]), &type = at(id.items[1]), &key = at(id.items[2]), &count = at(id.items[4]);
    if (tag.kind != PickleKind::text || tag.text != "storage" || type.kind != PickleKind::global ||
        type.global->meaning != TorchGlobal::storage_type || key.kind != PickleKind::text ||
        count.kind != PickleKind::integer || count.integer < 0) {
      return invalid("a persistent id that is no storage");
    }
    return push({.kind = PickleKind::storage, .integer = count.integer, .text = key.text, .global = type.global});
  }

  bool is_tuple_of_integers(PickleRef ref) const {
    const PickleValue& value = at(ref);
    return value.kind == PickleKind::tuple &&
           std::ranges::all_of(value.items, [&](PickleRef item) { return at(item).kind == PickleKind::integer; });
  }

  Outcome reduce() {
    if (available() < 2) return too_few();
    const PickleRef arguments = pop(), callable = pop();
    if (at(callable).kind != PickleKind::global || at(arguments).kind != PickleKind::tuple) {
      return invalid("a {} is called with a {}", name_of(at(callable).kind), name_of(at(arguments).kind));
    }
    const TorchGlobalInfo& info = *at(callable).global;
    const std::vector<PickleRef>& items = at(arguments).items;
    switch (info.meaning) {
      case TorchGlobal::ordered_dict:
        if (!items.empty()) return unsupported("an OrderedDict made of {} arguments", items.size());
        return push({.kind = PickleKind::dict});
      case TorchGlobal::size:
        if (items.size() != 1 || !is_tuple_of_integers(items[0])) return invalid("torch.Size of no tuple of integers");
        stack_.push_back(items[0]);
        return {};
      case TorchGlobal::rebuild_parameter:
        if (items.empty() || at(items[0]).kind != PickleKind::tensor) return invalid("a parameter of no tensor");
        stack_.push_back(items[0]);
        return {};
      case TorchGlobal::rebuild_tensor:
      case TorchGlobal::rebuild_tensor_v3:
        return rebuild_tensor(info, items);
      case TorchGlobal::storage_type:
      case TorchGlobal::dtype:
        break;
    }
    return invalid("{}.{} is called, which is a type here", info.module, info.name);
  }

  Outcome rebuild_tensor(const TorchGlobalInfo& info, const std::vector<PickleRef>& items) {
    const bool has_dtype = info.meaning == TorchGlobal::rebuild_tensor_v3;
    if (items.size() < (has_dtype ? 7u : 6u) || at(items[0]).kind != PickleKind::storage ||
        at(items[1]).kind != PickleKind::integer || !is_tuple_of_integers(items[2]) ||
        !is_tuple_of_integers(items[3]) || at(items[2]).items.size() != at(items[3]).items.size()) {
      return invalid("{} with other arguments than storage, offset, size and stride", info.name);
    }
    const TorchGlobalInfo* type = at(items[0]).global;
    if (has_dtype) {
      type = at(items[6]).global;
      if (at(items[6]).kind != PickleKind::global || type->meaning != TorchGlobal::dtype) {
        return invalid("{} with a {}, expected a dtype", info.name, name_of(at(items[6]).kind));
      }
    }
    PickleValue tensor{.kind = PickleKind::tensor, .integer = at(items[1]).integer, .global = type};
    tensor.items = {items[0], items[2], items[3]};
    items_ += 3;
    return push(std::move(tensor));
  }

  // A state dict carries _metadata (the versions of its modules) as an attribute; nothing else has a state here.
  Outcome build() {
    if (available() < 2) return too_few();
    const PickleKind state = at(pop()).kind, object = at(stack_.back()).kind;
    if (state != PickleKind::dict || object != PickleKind::dict) {
      return invalid("a {} is the state of a {}", name_of(state), name_of(object));
    }
    return {};
  }

  ByteReader reader_;
  Pickle pickle_;
  std::vector<PickleRef> stack_;
  std::vector<size_t> marks_;  // heights of the stack
  std::unordered_map<uint32_t, PickleRef> memo_;
  size_t items_ = 0;
};

}  // namespace

std::string_view name_of(PickleKind kind) {
  constexpr std::array<std::string_view, 12> kNames = {"None",  "boolean", "integer", "float",  "string",  "value",
                                                       "tuple", "list",    "dict",    "global", "storage", "tensor"};
  return kNames[static_cast<size_t>(kind)];
}

Result<Pickle> unpickle(std::span<const std::byte> bytes) {
  if (bytes.size() > kMaxBytes) return over_limit("a pickle of {} bytes, at most {} are read", bytes.size(), kMaxBytes);
  return Machine(bytes).run();
}

}  // namespace sensorium::io
