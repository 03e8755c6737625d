// The whitelisting unpickler: nothing outside its lists, and no pickle that outgrows its bytes.
#include "io/pickle.h"

#include <gtest/gtest.h>

#include "io/pickle_builder.h"

namespace sensorium::io {
namespace {
using namespace pickled;  // NOLINT

Result<Pickle> read(const std::string& bytes) { return unpickle(std::as_bytes(std::span(bytes))); }

std::string verdict(const std::string& bytes) {
  const auto pickle = read(bytes);
  return pickle ? "ok" : pickle.error().message();
}

TEST(Pickle, Values) {
  const std::string bytes = whole(dict({{"none", "N"},
                                        {"true", "\x88"},
                                        {"small", "K\xFF"},
                                        {"medium", "M\xFF\xFF"},
                                        {"int", "J" + raw(int32_t{-5})},
                                        {"long", integer(INT64_MIN)},
                                        {"zero", std::string("\x8A\x00", 2)},
                                        {"one_byte", "\x8A\x01\x80"},
                                        {"big", "\x8A\x09" + std::string(9, '\x01')},
                                        {"float", "G" + raw(1.0)},
                                        {"list",
                                         "](K\x01K\x02"
                                         "e"},
                                        {"append",
                                         "]K\x07"
                                         "a"},
                                        {"pair", "K\x01K\x02\x86"},
                                        {"bytes", "C\x02xy"},
                                        {"size", global("torch", "Size") + "K\x01K\x02\x86\x85R"},
                                        {"dtype", global("torch", "float32")}}));
  const auto pickle = read(bytes);
  ASSERT_TRUE(pickle.ok()) << pickle.error().message();
  const Pickle& p = pickle.value();
  const PickleValue& root = p.at(p.root);
  ASSERT_EQ(root.kind, PickleKind::dict);
  const auto value = [&](std::string_view key) -> const PickleValue& {
    for (size_t i = 0; i < root.items.size(); i += 2) {
      if (p.at(root.items[i]).text == key) return p.at(root.items[i + 1]);
    }
    return root;
  };
  EXPECT_EQ(value("none").kind, PickleKind::none);
  EXPECT_EQ(value("true").kind, PickleKind::boolean);
  EXPECT_EQ(value("small").integer, 255);
  EXPECT_EQ(value("medium").integer, 65535);
  EXPECT_EQ(value("int").integer, -5);
  EXPECT_EQ(value("long").integer, INT64_MIN);
  EXPECT_EQ(value("zero").integer, 0);
  EXPECT_EQ(value("one_byte").integer, -128);
  EXPECT_EQ(value("big").kind, PickleKind::opaque);
  EXPECT_EQ(value("float").kind, PickleKind::real);
  EXPECT_EQ(value("list").items.size(), 2u);
  EXPECT_EQ(value("append").items.size(), 1u);
  EXPECT_EQ(value("pair").kind, PickleKind::tuple);
  EXPECT_EQ(value("bytes").kind, PickleKind::opaque);
  EXPECT_EQ(value("size").items.size(), 2u);
  EXPECT_EQ(value("dtype").global->element->name, "float32");
}

TEST(Pickle, OtherNamesAreRefusedWithoutBeingCalled) {
  const std::pair<const char*, const char*> names[] = {{"os", "system"},
                                                       {"posix", "system"},
                                                       {"builtins", "eval"},
                                                       {"builtins", "getattr"},
                                                       {"__builtin__", "exec"},
                                                       {"subprocess", "Popen"},
                                                       {"torch", "load"},
                                                       {"torch.hub", "load"},
                                                       {"numpy.core.multiarray", "scalar"},
                                                       {"collections", "Counter"},
                                                       {"torch._utils", "_rebuild_qtensor"},
                                                       {"argparse", "Namespace"},
                                                       {"torch", "FloatStorage.__init__"}};
  for (const auto& [module, name] : names) {
    const std::string wanted = std::string("refers to ") + module + "." + name + ", which is not allowed";
    expect_contains(verdict(whole(global(module, name) + text("touch x") + "\x85R")), wanted);
    expect_contains(verdict(whole(text(module) + text(name) + "\x93")), wanted);  // STACK_GLOBAL
  }
  expect_contains(verdict(whole("c" + std::string(100000, 'a') + "\nb\n")), "aaa.b, which is not allowed");
  EXPECT_LT(verdict(whole("c" + std::string(100000, 'a') + "\nb\n")).size(), 400u);  // cut for the message
  EXPECT_EQ(read(whole(global("os", "system"))).error().kind(), ErrorKind::unsupported);
}

TEST(Pickle, OtherOpcodesAreRefused) {
  // INST, OBJ, NEWOBJ, NEWOBJ_EX, EXT1, PERSID, POP, DUP, INT, STRING, EMPTY_SET, BYTEARRAY8, NEXT_BUFFER
  for (const int opcode :
       {int{'i'}, int{'o'}, 0x81, 0x92, 0x82, int{'P'}, int{'0'}, int{'2'}, int{'I'}, int{'S'}, 0x8F, 0x96, 0x97}) {
    expect_contains(verdict(whole(std::string("N") + static_cast<char>(opcode) + "xx\nyy\n")), "opcode 0x");
  }
}

TEST(Pickle, MalformedStreams) {
  const std::string huge = raw(UINT64_MAX);
  const struct {
    std::string bytes, part;
  } cases[] = {
      {"", "without a STOP"},
      {"\x80\x02", "without a STOP"},
      {"\x80\x01N.", "protocol 1"},
      {"\x80\x06N.", "protocol 6"},
      {".", "leaves 0 values"},
      {"NN.", "leaves 2 values"},
      {"(N.", "expected one"},
      {"N.N", "1 bytes follow"},
      {"X" + raw(UINT32_MAX) + "abc.", "byte 0: cut off"},
      {"\x8D" + huge + "abc.", "cut off"},
      {"\x8A\xFF"
       "abc.",
       "cut off"},
      {"T" + raw(UINT32_MAX) + ".", "cut off"},
      {"\x95"
       "1234.",
       "cut off"},
      {"cos\nsystem", "cut off"},
      {"J12", "cut off"},
      {"h\x05.", "no value was remembered as 5"},
      {"j" + raw(UINT32_MAX) + ".", "no value was remembered as 4294967295"},
      {"q\x01.", "too few values"},
      {"t.", "a MARK is missing"},
      {"e.", "a MARK is missing"},
      {"u.", "a MARK is missing"},
      {"\x86.", "too few values"},
      {"N(\x85.", "too few values"},  // a value below the mark is out of reach
      {"Na.", "too few values"},
      {"NNa.", "items for a None, expected a list"},
      {")(NNu.", "items for a tuple, expected a dict"},
      {"}(Nu.", "a dict's key has no value"},
      {"}NNs"
       "b.",
       "too few values"},
      {"}Nb.", "a None is the state of a dict"},
      {"N}b.", "a dict is the state of a None"},
      {"NNR.", "a None is called with a None"},
      {global("torch", "float32") + ")R.", "torch.float32 is called"},
      {global("collections", "OrderedDict") + "]\x85R.", "an OrderedDict made of 1 arguments"},
      {global("torch", "Size") + "N\x85R.", "torch.Size of no tuple"},
      {global("torch", "Size") + "N\x85\x85R.", "torch.Size of no tuple"},
      {global("torch._utils", "_rebuild_parameter") + "N\x85R.", "a parameter of no tensor"},
      {global("torch._utils", "_rebuild_tensor_v2") + ")R.", "other arguments"},
      {global("torch._utils", "_rebuild_tensor_v3") +
           tuple({storage(1), integer(0), ")", ")", "N", "N", global("torch", "FloatStorage")}) + "R.",
       "with a global, expected a dtype"},
      {"NQ.", "no storage"},
      {")Q.", "no storage"},
      {tuple({text("storage"), "N", text("0"), text("cpu"), integer(1)}) + "Q.", "no storage"},
      {tuple({text("storage"), global("torch", "float32"), text("0"), text("cpu"), integer(1)}) + "Q.", "no storage"},
      {tuple({text("module"), global("torch", "FloatStorage"), text("0"), text("cpu"), integer(1)}) + "Q.",
       "no storage"},
      {storage(-1) + ".", "no storage"},
      {"NN\x93.", "a global without a name"},
  };
  for (const auto& c : cases) expect_contains(verdict(c.bytes), c.part);
}

TEST(Pickle, CyclesAreKeptAsReferences) {
  const auto pickle = read("]q" + std::string(1, '\0') + "h" + std::string(1, '\0') + "a.");
  ASSERT_TRUE(pickle.ok());
  EXPECT_EQ(pickle.value().values.size(), 1u);
  EXPECT_EQ(pickle.value().at(0).items, std::vector<PickleRef>{0});
}

TEST(Pickle, Limits) {
  EXPECT_EQ(read(std::string((size_t{64} << 20) + 1, 'N')).error().kind(), ErrorKind::limit);
  EXPECT_EQ(read(std::string(size_t{5} << 20, 'N')).error().kind(), ErrorKind::limit);
  EXPECT_EQ(read(std::string(70000, '(')).error().kind(), ErrorKind::limit);
}

}  // namespace
}  // namespace sensorium::io
