// PyTorch checkpoints: equal to what torch.load gives, and hostile files.
#include "io/torch_file.h"

#include <gtest/gtest.h>

#include "io/pickle_builder.h"

namespace sensorium::io {
namespace {
using namespace pickled;  // NOLINT

const std::string kFour(16, '\0');  // four floats

std::string verdict(const std::string& bytes) { return verdict_of<TorchFile>(bytes); }
// Of an archive with the pickle of a dict {"t": tensor}.
std::string verdict_of_tensor(const std::string& tensor, const std::string& storage = kFour) {
  return verdict(torch_archive(whole(dict({{"t", tensor}})), storage));
}
std::string verdict_of_root(const std::string& root) { return verdict(torch_archive(whole(root), kFour)); }

std::vector<std::string> names_of(const std::string& root, TorchNames names) {
  const std::string bytes = torch_archive(whole(root), kFour);
  const auto file = TorchFile::parse(std::as_bytes(std::span(bytes)), nullptr, names);
  return file ? file.value().names() : std::vector<std::string>{file.error().message()};
}

const std::string kTensor = tensor(storage(4), 0, {4}, {1});

TEST(GoldenTorch, ReadsWhatPyTorchWrote) {
  const TorchFile file = TorchFile::open(kCheckpoints / "state.bin");
  expect_same_tensors(file, kCheckpoints / "state.safetensors");
  EXPECT_EQ(file.names().front(), "0.weight");
  expect_same_tensors(TorchFile::open(kCheckpoints / "old_layout.bin"), kCheckpoints / "state.safetensors");
}

TEST(GoldenTorch, ContiguousTensorsAreViews) {
  const TorchFile file = TorchFile::open(kCheckpoints / "state.bin");
  EXPECT_EQ(file.tensor("0.weight").raw(), file.tensor("0.weight").raw());
  EXPECT_NE(file.tensor("view.transposed").raw(), file.tensor("view.transposed").raw());
  // view.row is row 1 of the storage that view.columns and view.transposed share.
  EXPECT_EQ(file.tensor("view.row").to_floats(), (std::vector<float>{4, 5, 6, 7}));
  EXPECT_EQ(file.tensor("bool").dtype(), DType::u8);
  Tensor tensor;
  { tensor = TorchFile::open(kCheckpoints / "state.bin").tensor("parameter"); }
  EXPECT_EQ(tensor.to_floats(), (std::vector<float>{0.25f, -4.0f}));
  EXPECT_THROW(file.tensor("absent"), Error);
}

TEST(GoldenTorch, WrappedCheckpoints) {
  const TorchFile inner = TorchFile::open(kCheckpoints / "training.pth");
  EXPECT_EQ(inner.names(), (std::vector<std::string>{"weight", "bias"}));
  EXPECT_EQ(inner.tensor("weight").shape(), Shape({1, 2}));
  const TorchFile full = TorchFile::open(kCheckpoints / "training.pth", TorchNames::full);
  EXPECT_EQ(full.names(), (std::vector<std::string>{"model.weight", "model.bias", "optimizer.state.0.step",
                                                    "optimizer.state.0.exp_avg", "optimizer.state.0.exp_avg_sq",
                                                    "optimizer.state.1.step", "optimizer.state.1.exp_avg",
                                                    "optimizer.state.1.exp_avg_sq", "history.0"}));
  EXPECT_EQ(full.tensor("history.0").to_floats(), std::vector<float>{1.0f});
  EXPECT_EQ(TorchFile::open(kCheckpoints / "protocol4.pth").tensor("bias").to_floats(), std::vector<float>{3.0f});
}

TEST(GoldenTorch, RefusesWithAReason) {
  const auto refusal = [](const char* name) { return verdict(read_file(kCheckpoints / name)); };
  expect_contains(refusal("os_system.bin"), "refers to posix.system, which is not allowed");
  expect_contains(refusal("legacy.bin"), "PyTorch before 1.6; load it in PyTorch and torch.save it again");
  expect_contains(refusal("float8.bin"), "tensor w: float8_e4m3fn is not supported");
  expect_contains(refusal("whole_module.bin"), "refers to torch.nn.modules.linear.Linear, which is not allowed");
}

TEST(GoldenTorch, DamagedFilesNeverCrash) {
  for (const char* name : {"state.bin", "old_layout.bin", "training.pth"}) {
    const std::string whole_file = read_file(kCheckpoints / name);
    damage<TorchFile>(whole_file, whole_file.size());
  }
}

TEST(GoldenTorch, DamagedPicklesNeverCrash) {
  const std::string pickle = read_file(kCheckpoints / "state.pkl");
  const auto try_it = [&](const std::string& bytes) {
    const auto file = parse_copy<TorchFile>(torch_archive(bytes, kFour));
    if (file) touch(file.value());
    return file.ok();
  };
  for (size_t size = 0; size < pickle.size(); ++size) EXPECT_FALSE(try_it(pickle.substr(0, size)));
  for (size_t i = 0; i < pickle.size(); ++i) {
    for (const char value : std::string("\0\1\x7F\x80\xFF(tRh}uQ", 12)) {
      std::string changed = pickle;
      changed[i] = value;
      try_it(changed);
    }
  }
}

TEST(Torch, TensorsMustFitTheirStorage) {
  EXPECT_EQ(verdict_of_tensor(kTensor), "ok");
  EXPECT_EQ(verdict_of_tensor(tensor(storage(4), 4, {0}, {1})), "ok");
  EXPECT_EQ(verdict_of_tensor(tensor(storage(4), 3, {}, {})), "ok");
  // A copy (columns of two) with a dimension of one, whose stride is never used.
  const auto odd =
      parse_copy<TorchFile>(torch_archive(whole(dict({{"t", tensor(storage(4), 0, {2, 1, 2}, {1, INT64_MAX, 2})}})),
                                          raw(1.0f) + raw(2.0f) + raw(3.0f) + raw(4.0f)));
  ASSERT_TRUE(odd.ok()) << odd.error().message();
  EXPECT_EQ(odd.value().tensor("t").to_floats(), (std::vector<float>{1, 3, 2, 4}));
  const int64_t huge = int64_t{1} << 62;
  const struct {
    std::string tensor, part;
  } cases[] = {
      {tensor(storage(4), 0, {5}, {1}), "tensor t: shape [5] with strides [1] from element 0 does not fit"},
      {tensor(storage(4), 1, {4}, {1}), "does not fit its storage of 4"},
      {tensor(storage(4), 4, {}, {}), "does not fit"},
      {tensor(storage(4), 5, {0}, {1}), "does not fit"},
      {tensor(storage(4), -1, {1}, {1}), "does not fit"},
      {tensor(storage(4), INT64_MIN, {1}, {1}), "does not fit"},
      {tensor(storage(4), INT64_MAX, {1}, {1}), "does not fit"},
      {tensor(storage(4), 0, {2}, {4}), "does not fit"},
      {tensor(storage(4), 0, {3}, {huge}), "does not fit"},
      {tensor(storage(4), 0, {2, 2, 2}, {INT64_MAX, INT64_MAX, 2}), "does not fit"},
      {tensor(storage(4), 0, {huge}, {huge}), "does not fit"},
      {tensor(storage(4), 0, {huge, 0}, {1, 1}), "does not fit"},
      {tensor(storage(4), 0, {0, int64_t{1} << 40, int64_t{1} << 40}, {1, 1, 1}), "does not fit"},
      {tensor(storage(4), 0, {-1}, {1}), "negative"},
      {tensor(storage(4), 3, {4}, {-1}), "negative"},
      {tensor(storage(5), 0, {1}, {1}), "its storage has 5 elements of float32, the archive 16 bytes"},
      {tensor(storage(huge), 0, {1}, {1}), "its storage has"},
      {tensor(storage(INT64_MAX), 0, {1}, {1}), "its storage has"},
      {tensor(storage(1, "FloatStorage", "1"), 0, {1}, {1}), "no storage 1"},
      {tensor(storage(1, "FloatStorage", "../0"), 0, {1}, {1}), "no storage ../0"},
      {tensor(storage(2, "ComplexFloatStorage"), 0, {2}, {1}), "complex64 is not supported"},
      {tensor(storage(1), 0, {1, 1, 1, 1, 1, 1, 1}, {1, 1, 1, 1, 1, 1, 1}), "7 dimensions"},
      // One element that claims to be many: what would be copied is bounded by the file.
      {tensor(storage(1), 0, {int64_t{1} << 40}, {0}), "repeat the file's elements too often"},
      {tensor(storage(1), 0, {1 << 20, 1 << 20}, {0, 0}), "repeat the file's elements too often"},
  };
  for (const auto& c : cases) expect_contains(verdict_of_tensor(c.tensor), c.part);
}

TEST(Torch, CopiesAreBoundedTogether) {
  std::vector<std::pair<std::string, std::string>> items;
  for (int i = 0; i < 20; ++i) {
    items.emplace_back("t" + std::to_string(i), tensor(storage(4), 0, {1 << 20, 1}, {0, 1}));  // 4 MiB each
  }
  expect_contains(verdict_of_root(dict(items)), "tensor t16: ");
  items.resize(16);
  EXPECT_EQ(verdict_of_root(dict(items)), "ok");
}

TEST(Torch, ElementTypes) {
  // float64 and int16 by their storages; uint8 and a dtype by an untyped storage.
  const auto first = [](const std::string& tensor, const std::string& bytes) {
    const auto file = parse_copy<TorchFile>(torch_archive(whole(dict({{"t", tensor}})), bytes));
    return file ? file.value().tensor("t").to_floats() : std::vector<float>{};
  };
  const std::string untyped =
      tuple({text("storage"), global("torch.storage", "UntypedStorage"), text("0"), text("cpu"), integer(8)}) + "Q";
  EXPECT_EQ(first(tensor(storage(2, "DoubleStorage"), 0, {2}, {1}), raw(0.5) + raw(-3.0)),
            (std::vector<float>{0.5f, -3.0f}));
  EXPECT_EQ(first(tensor(storage(2, "ShortStorage"), 1, {1}, {1}), raw(int16_t{1}) + raw(int16_t{-2})),
            std::vector<float>{-2.0f});
  EXPECT_EQ(first(tensor(untyped, 7, {1}, {1}), "1234567\x09"), std::vector<float>{9.0f});
  const std::string v3 = global("torch._utils", "_rebuild_tensor_v3") +
                         tuple({untyped, integer(1), integers({1}), integers({1}), "\x89", ordered_dict(),
                                global("torch", "float32"), "N"}) +
                         "R";
  EXPECT_EQ(first(v3, raw(1.0f) + raw(2.5f)), std::vector<float>{2.5f});
}

TEST(Torch, Names) {
  const std::string weights = dict({{"a", kTensor}, {"b", kTensor}});
  using Names = std::vector<std::string>;
  EXPECT_EQ(names_of(weights, TorchNames::unwrapped), (Names{"a", "b"}));
  const std::string wrapped = dict({{"x", "](" + kTensor + "e"}, {"model", dict({{"state_dict", weights}})}});
  EXPECT_EQ(names_of(wrapped, TorchNames::unwrapped), (Names{"a", "b"}));
  EXPECT_EQ(names_of(wrapped, TorchNames::full), (Names{"x.0", "model.state_dict.a", "model.state_dict.b"}));
  // A tensor beside the wrapper: the outer dict is the state dict.
  EXPECT_EQ(names_of(dict({{"model", weights}, {"bias", kTensor}}), TorchNames::unwrapped),
            (Names{"model.a", "model.b", "bias"}));
  EXPECT_EQ(names_of(dict({{"model", "K\x01"}, {"module", weights}}), TorchNames::unwrapped), (Names{"a", "b"}));
  EXPECT_EQ(names_of(dict({{"net", weights}}), TorchNames::unwrapped), (Names{"net.a", "net.b"}));
  EXPECT_EQ(names_of("}", TorchNames::unwrapped), Names{});
  EXPECT_EQ(names_of("}(K\x05" + kTensor + "u", TorchNames::full), Names{"5"});

  expect_contains(verdict_of_root(dict({{"a", kTensor}, {"a", kTensor}})), "tensor a stands twice");
  expect_contains(verdict_of_root(dict({{"a.b", kTensor}, {"a", dict({{"b", kTensor}})}})), "tensor a.b stands twice");
  expect_contains(verdict_of_root("}(N" + kTensor + "u"), "a dict's key is a None");
  expect_contains(verdict_of_root(dict({{"\xFF", kTensor}})), "not UTF-8");
  expect_contains(verdict_of_root(kTensor), "holds a tensor, expected a dict of tensors");
  expect_contains(verdict_of_root("]"), "holds a list");
}

TEST(Torch, CyclesAndBombs) {
  const std::string zero(1, '\0');
  // A dict that holds itself, alone and beside a tensor.
  expect_contains(verdict_of_root("}q" + zero + text("self") + "h" + zero + "s"),
                  "nests deeper than 64, or holds itself");
  expect_contains(verdict_of_root("}q" + zero + "(" + text("a") + kTensor + text("self") + "h" + zero + "u"),
                  "holds itself");
  expect_contains(verdict_of_root("}q" + zero + "(" + text("model") + "h" + zero + "u"), "holds itself");
  // Each level holds the one below twice: 2^60 paths in 1 KB.
  std::string bomb = "](" + kTensor + "e";
  for (int i = 0; i < 60; ++i) bomb += "q" + raw(static_cast<uint8_t>(i)) + "h" + raw(static_cast<uint8_t>(i)) + "\x86";
  expect_contains(verdict_of_root(dict({{"a", bomb}})), "share their parts too often");
  // A name of 64 KB on each level.
  std::string longer = "}(" + text(std::string(65535, 'k')) + "q\x01" + kTensor + "u";
  for (int i = 0; i < 50; ++i) longer = "}(" + text("x") + longer + "h\x01" + kTensor + "u";
  expect_contains(verdict_of_root(longer), "names are too long");
  std::string nested = kTensor;
  for (int i = 0; i < 100; ++i) nested += "\x85";
  expect_contains(verdict_of_root(dict({{"a", nested}})), "nests deeper than 64");
}

TEST(Torch, OtherFiles) {
  expect_contains(verdict(""), "not a PyTorch checkpoint");
  expect_contains(verdict(whole("}")), "not a PyTorch checkpoint");
  std::string tar(600, '\0');
  expect_contains(verdict(tar.replace(257, 5, "ustar")), "PyTorch before 1.6");
  expect_contains(verdict(stored_zip({{"x/readme", "hello"}})), "holds no x/data.pkl");
  expect_contains(verdict(stored_zip({{"x/data.pkl", whole("}")}, {"x/byteorder", "big"}})), "byte order \"big\"");
  expect_contains(verdict(stored_zip({{"x/data.pkl", whole("}")}, {"x/constants.pkl", ""}})), "TorchScript");
  expect_contains(verdict(stored_zip({{"x/data.pkl", "zunk"}})), "x/data.pkl: pickle, byte 0: opcode 0x7a");
  EXPECT_EQ(verdict(stored_zip({{"data.pkl", whole("}")}})), "ok");
}

}  // namespace
}  // namespace sensorium::io
