// GGUF files: equal to gguf-py's, and hostile headers.
#include "io/gguf.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "io/checkpoint_files.h"

namespace sensorium::io {
namespace {
namespace fs = std::filesystem;

class Gguf : public ::testing::Test {
 protected:
  void SetUp() override {
    path_ = fs::path(testing::TempDir()) / testing::UnitTest::GetInstance()->current_test_info()->name();
    fs::remove_all(path_);
    fs::create_directories(path_);
  }
  void TearDown() override { fs::remove_all(path_); }
  fs::path path_;
};
class GoldenGguf : public Gguf {};

std::string text(const std::string& value) { return raw(static_cast<uint64_t>(value.size())) + value; }
std::string head(uint64_t tensors, uint64_t entries, uint32_t version = 3) {
  return "GGUF" + raw(version) + raw(tensors) + raw(entries);
}
std::string entry(const std::string& key, uint32_t type, const std::string& value) {
  return text(key) + raw(type) + value;
}
std::string array(uint32_t type, uint64_t count, const std::string& elements = "") {
  return raw(type) + raw(count) + elements;
}
std::string info(const std::string& name, const std::vector<uint64_t>& dims, uint32_t type, uint64_t offset) {
  std::string out = text(name) + raw(static_cast<uint32_t>(dims.size()));
  for (const uint64_t dim : dims) out += raw(dim);
  return out + raw(type) + raw(offset);
}
// Header, padding, data.
std::string with_data(const std::string& header, size_t bytes) {
  return header + std::string((32 - header.size() % 32) % 32 + bytes, '\0');
}
std::string verdict(const std::string& bytes) { return verdict_of<GgufFile>(bytes); }

TEST_F(GoldenGguf, DequantisesAsTheReference) {
  expect_same_tensors(GgufFile::open(kCheckpoints / "types.gguf"), kCheckpoints / "types.safetensors");
  const GgufFile version2 = GgufFile::open(kCheckpoints / "version2.gguf");
  EXPECT_EQ(version2.version(), 2u);
  expect_same_tensors(version2, kCheckpoints / "types.safetensors");
}

TEST_F(GoldenGguf, TypedMetadata) {
  const GgufFile file = GgufFile::open(kCheckpoints / "types.gguf");
  EXPECT_EQ(file.version(), 3u);
  EXPECT_EQ(file.alignment(), 32u);
  EXPECT_EQ(file.keys().front(), "general.architecture");
  EXPECT_EQ(file.get<std::string>("general.architecture"), "tiny");
  EXPECT_EQ(file.get<int64_t>("t.u8"), 255);
  EXPECT_EQ(file.get<int64_t>("t.i8"), -128);
  EXPECT_EQ(file.get<int64_t>("t.u16"), 65535);
  EXPECT_EQ(file.get<int64_t>("t.i16"), -32768);
  EXPECT_EQ(file.get<int64_t>("t.u32"), 4294967295);
  EXPECT_EQ(file.get<int64_t>("t.i32"), INT32_MIN);
  EXPECT_EQ(file.get<uint64_t>("t.u64"), UINT64_MAX);
  EXPECT_EQ(file.get<int64_t>("t.i64"), INT64_MIN);
  EXPECT_EQ(file.get<double>("t.f32"), static_cast<double>(0.1f));
  EXPECT_EQ(file.get<double>("t.f64"), 0.1);
  EXPECT_EQ(file.get<double>("t.u8"), 255.0);
  EXPECT_TRUE(file.get<bool>("t.bool"));
  EXPECT_EQ(file.get<std::string>("t.string"), "naïve\n");
  EXPECT_EQ(file.get<std::vector<int64_t>>("t.ints"), (std::vector<int64_t>{1, -2, 3}));
  EXPECT_EQ(file.get<std::vector<double>>("t.floats"), (std::vector<double>{0.5, -1.5}));
  EXPECT_EQ(file.get<std::vector<bool>>("t.bools"), (std::vector<bool>{true, false}));
  EXPECT_EQ(file.get<std::vector<std::string>>("t.strings"), (std::vector<std::string>{"<s>", "", "é"}));
  const auto nested = file.get<std::vector<GgufValue>>("t.nested");
  ASSERT_EQ(nested.size(), 2u);
  EXPECT_EQ(nested[0].as<std::vector<int64_t>>(), (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(nested[1].as<std::vector<int64_t>>(), (std::vector<int64_t>{3}));
  EXPECT_EQ(file.value("t.nested").element_type(), GgufValueType::array);
  EXPECT_EQ(file.get_or<int64_t>("t.absent", 7), 7);

  EXPECT_EQ(file.value("t.strings").str(), "[3 x string: \"<s>\", \"\", \"é\"]");
  EXPECT_EQ(file.value("t.strings").str(5), "[3 x string: ...]");
  EXPECT_EQ(file.value("t.string").str(), "\"naïve\n\"");
  EXPECT_EQ(file.value("t.bool").str(), "true");
  EXPECT_EQ(file.value("t.i64").str(), "-9223372036854775808");
}

TEST_F(GoldenGguf, WrongTypesNameTheKey) {
  const GgufFile file = GgufFile::open(kCheckpoints / "types.gguf");
  const auto message = [&](auto read) -> std::string {
    try {
      read();
    } catch (const Error& error) {
      return error.message();
    }
    return "ok";
  };
  EXPECT_EQ(message([&] { file.get<int64_t>("t.string"); }), "metadata t.string: it is string, expected an integer");
  EXPECT_EQ(message([&] { file.get<int64_t>("t.f32"); }), "metadata t.f32: it is f32, expected an integer");
  EXPECT_EQ(message([&] { file.get<int64_t>("t.u64"); }), "metadata t.u64: 18446744073709551615 is out of range");
  EXPECT_EQ(message([&] { file.get<uint64_t>("t.i8"); }), "metadata t.i8: -128 is out of range");
  EXPECT_EQ(message([&] { file.get<std::string>("t.u8"); }), "metadata t.u8: it is u8, expected a string");
  EXPECT_EQ(message([&] { file.get<bool>("t.u8"); }), "metadata t.u8: it is u8, expected a boolean");
  EXPECT_EQ(message([&] { file.get<double>("t.bool"); }), "metadata t.bool: it is boolean, expected a number");
  EXPECT_EQ(message([&] { file.get<std::vector<std::string>>("t.ints"); }),
            "metadata t.ints: it is i32, expected a string");
  EXPECT_EQ(message([&] { file.get<std::vector<int64_t>>("t.u8"); }), "metadata t.u8: it is u8, expected an array");
  EXPECT_EQ(message([&] { file.get<bool>("absent"); }), "no metadata absent in the file");
  EXPECT_EQ(message([&] { file.tensor("absent"); }), "no tensor absent in the file");
}

TEST_F(GoldenGguf, BlocksAreViews) {
  const GgufFile file = GgufFile::open(kCheckpoints / "types.gguf");
  const GgufTensor& q4_k = file.blocks("q4_k.weight");
  EXPECT_EQ(q4_k.type, GgufType::q4_k);
  EXPECT_EQ(q4_k.shape, Shape({2, 256}));
  EXPECT_EQ(q4_k.blocks.size(), 2u * 144);
  EXPECT_EQ(file.blocks("q4_k.weight").blocks.data(), q4_k.blocks.data());
  EXPECT_EQ(file.tensor("f32.weight").raw(), file.blocks("f32.weight").blocks.data());
  Tensor tensor;
  { tensor = GgufFile::open(kCheckpoints / "types.gguf").tensor("f32.weight"); }
  EXPECT_EQ(tensor.data<float>()[0], 1.5f);  // outlives the file
}

// gguf-py quantised the same values and wrote the same metadata.
TEST_F(GoldenGguf, WritesWhatTheReferenceWrites) {
  const Tensor source = SafetensorsFile::open(kCheckpoints / "quantize_source.safetensors").tensor("source");
  std::vector<GgufOutput> tensors;
  for (const auto& [name, type] : std::vector<std::pair<const char*, GgufType>>{{"f32", GgufType::f32},
                                                                                {"f16", GgufType::f16},
                                                                                {"bf16", GgufType::bf16},
                                                                                {"q8_0", GgufType::q8_0},
                                                                                {"q4_0", GgufType::q4_0},
                                                                                {"q4_1", GgufType::q4_1},
                                                                                {"q5_0", GgufType::q5_0},
                                                                                {"q5_1", GgufType::q5_1}}) {
    tensors.push_back({name, type, source});
  }
  write_gguf(path_ / "x.gguf",
             {{"general.architecture", GgufValue::of("tiny")},
              {"general.alignment", GgufValue::of(uint32_t{64})},
              {"names", GgufValue::array(std::vector<std::string>{"a", "b"})}},
             tensors);
  EXPECT_EQ(read_file(path_ / "x.gguf"), read_file(kCheckpoints / "quantized.gguf"));
}

// A model in three files; `first` and so on are what their keys say.
class GgufSplit : public Gguf {
 protected:
  void write(int file, const std::string& tensor, uint64_t number, uint64_t count, int64_t tensors = 3) {
    std::vector<GgufEntry> metadata = {{"split.no", GgufValue::of(static_cast<uint16_t>(number))},
                                       {"split.count", GgufValue::of(static_cast<uint16_t>(count))},
                                       {"split.tensors.count", GgufValue::of(static_cast<int32_t>(tensors))}};
    if (file == 1) metadata.push_back({"general.architecture", GgufValue::of("tiny")});
    const Tensor value = Tensor::from(std::vector<float>{static_cast<float>(file), 0.5f}, {2});
    write_gguf(path_ / fmt::format("m-0000{}-of-00003.gguf", file), metadata, {{tensor, GgufType::f32, value}});
  }
  void write_three() {
    write(1, "a", 0, 3);
    write(2, "b", 1, 3);
    write(3, "c", 2, 3);
  }
  std::string error(const std::string& name = "m-00001-of-00003.gguf") {
    try {
      GgufFile::open(path_ / name);
    } catch (const Error& error) {
      return error.message();
    }
    return "";
  }
};

TEST_F(GgufSplit, OpensAllPartsByTheFirst) {
  write_three();
  Tensor last;
  {
    const GgufFile file = GgufFile::open(path_ / "m-00001-of-00003.gguf");
    EXPECT_EQ(file.names(), std::vector<std::string>({"a", "b", "c"}));
    EXPECT_EQ(file.get<std::string>("general.architecture"), "tiny");
    EXPECT_EQ(file.tensor("b").data<float>()[0], 2.0f);
    last = file.tensor("c");
  }
  EXPECT_EQ(last.data<float>()[0], 3.0f);  // outlives the file
}

TEST_F(GgufSplit, FaultsAreNamed) {
  write_three();
  EXPECT_NE(error("m-00002-of-00003.gguf").find("open the first, m-00001-of-00003.gguf"), std::string::npos)
      << error("m-00002-of-00003.gguf");
  write(2, "b", 2, 3);
  EXPECT_NE(error().find("says that it is part 3 of 3"), std::string::npos) << error();
  write(2, "c", 1, 3);
  EXPECT_NE(error().find("tensor c stands in another part too"), std::string::npos) << error();
  write(2, "b", 1, 3);
  write(1, "a", 0, 3, 4);
  EXPECT_NE(error().find("its 3 parts have 3 tensors, expected 4"), std::string::npos) << error();
  write(1, "a", 0, 4);
  EXPECT_NE(error().find("must be called NAME-00001-of-00004.gguf"), std::string::npos) << error();
  write(1, "a", 0, 3);
  fs::remove(path_ / "m-00003-of-00003.gguf");
  EXPECT_NE(error().find("m-00003-of-00003.gguf"), std::string::npos) << error();
}

// One tensor is in memory at a time, and what comes must be what was announced.
TEST_F(Gguf, WritesTensorsWhenTheirTurnComes) {
  std::vector<GgufOutput> outputs;
  int made = 0;
  for (int i = 0; i < 3; ++i) {
    outputs.push_back({fmt::format("t{}", i), GgufType::q8_0, LazyTensor{{2, 32}, DType::f32, [&made, i] {
                                                                           EXPECT_EQ(made++, i);
                                                                           return Tensor::full({2, 32}, 1.0f);
                                                                         }}});
  }
  write_gguf(path_ / "x.gguf", {}, outputs);
  EXPECT_EQ(made, 3);
  EXPECT_NEAR(GgufFile::open(path_ / "x.gguf").tensor("t2").data<float>()[40], 1.0f, 1e-3f);
  outputs = {{"t", GgufType::f32, LazyTensor{{2, 32}, DType::f32, [] { return Tensor::full({2, 31}, 1.0f); }}}};
  EXPECT_THROW(write_gguf(path_ / "y.gguf", {}, outputs), Error);
  EXPECT_FALSE(fs::exists(path_ / "y.gguf"));
}

// Blocks and metadata of any kind survive being written again, byte for byte.
TEST_F(GoldenGguf, CopiesAFile) {
  const GgufFile file = GgufFile::open(kCheckpoints / "types.gguf");
  std::vector<GgufEntry> metadata;
  for (const std::string& key : file.keys()) metadata.push_back({key, file.value(key)});
  std::vector<GgufOutput> tensors;
  for (const std::string& name : file.names()) tensors.push_back({name, file.blocks(name).type, file.blocks(name)});
  write_gguf(path_ / "copy.gguf", metadata, tensors);
  EXPECT_EQ(read_file(path_ / "copy.gguf"), read_file(kCheckpoints / "types.gguf"));
}

TEST_F(GoldenGguf, UnsupportedTypesAreNamed) {
  EXPECT_EQ(verdict(read_file(kCheckpoints / "unsupported.gguf")),
            "tensor blk.0.q: type Q2_K (number 10) is not supported");
}

TEST_F(GoldenGguf, DamagedFilesNeverCrash) {
  const std::string whole = read_file(kCheckpoints / "types.gguf");
  damage<GgufFile>(whole, whole.size() - 24);  // the last tensor has 8 bytes, then padding to 32
}

TEST_F(Gguf, WriterConverts) {
  const Tensor wide = Tensor::from(std::vector<bf16>{bf16(1.5f), bf16(-2.0f)}, {1, 2});
  Rng rng(3);
  const Tensor large = Tensor::randn({3, 1 << 16}, rng);  // several pieces
  write_gguf(path_ / "x.gguf", {},
             {{"f32", GgufType::f32, wide},
              {"scalar", GgufType::f16, Tensor::full(Shape(), 3.0f)},
              {"ids", GgufType::i64, Tensor::from(std::vector<int64_t>{7}, {1})},
              {"empty", GgufType::q8_0, Tensor::zeros({0, 32})},
              {"large", GgufType::q8_0, large}});
  const GgufFile file = GgufFile::open(path_ / "x.gguf");
  EXPECT_EQ(file.names(), (std::vector<std::string>{"f32", "scalar", "ids", "empty", "large"}));
  EXPECT_EQ(file.tensor("f32").to_floats(), (std::vector<float>{1.5f, -2.0f}));
  EXPECT_EQ(file.tensor("scalar").rank(), 0);
  EXPECT_EQ(file.tensor("scalar").to_floats(), std::vector<float>{3.0f});
  EXPECT_EQ(file.tensor("ids").data<int64_t>()[0], 7);
  EXPECT_EQ(file.tensor("empty").shape(), Shape({0, 32}));
  const Tensor back = file.tensor("large");
  for (int64_t i = 0; i < large.elements(); ++i) {
    ASSERT_NEAR(back.data<float>()[i], large.data<float>()[i], 0.03f) << i;  // half a step of 5 / 127
  }
}

TEST_F(Gguf, WriterRefuses) {
  const Tensor x = Tensor::zeros({2, 32});
  const auto kind = [&](const std::vector<GgufEntry>& metadata, const std::vector<GgufOutput>& tensors) {
    try {
      write_gguf(path_ / "x", metadata, tensors);
    } catch (const Error& error) {
      return error.kind();
    }
    return ErrorKind::io;
  };
  const auto one = GgufValue::of(uint32_t{1});
  EXPECT_EQ(kind({}, {{"a", GgufType::f32, x}, {"a", GgufType::f32, x}}), ErrorKind::usage);
  EXPECT_EQ(kind({{"k", one}, {"k", one}}, {}), ErrorKind::usage);
  EXPECT_EQ(kind({{"general.alignment", GgufValue::of(uint32_t{3})}}, {}), ErrorKind::usage);
  EXPECT_EQ(kind({{"general.alignment", GgufValue::of(uint64_t{32})}}, {}), ErrorKind::usage);
  EXPECT_EQ(kind({}, {{"a", GgufType::q8_0, Tensor::zeros({32, 2})}}), ErrorKind::shape);
  EXPECT_EQ(kind({}, {{"a", GgufType::q8_0, Tensor::zeros(Shape())}}), ErrorKind::shape);
  EXPECT_EQ(kind({}, {{"a", GgufType::f32, Tensor::zeros({1, 1, 1, 1, 1})}}), ErrorKind::shape);
  EXPECT_EQ(kind({}, {{"a", GgufType::i8, x}}), ErrorKind::unsupported);
  EXPECT_EQ(kind({}, {{"a", GgufType::f32, Tensor::zeros({1}, DType::i64)}}), ErrorKind::unsupported);
  EXPECT_EQ(kind({}, {{"a", GgufType::q8_0, Tensor::full({32}, INFINITY)}}), ErrorKind::numeric);
  EXPECT_EQ(kind({}, {{"a", GgufType::q4_0, Tensor::full({32}, NAN)}}), ErrorKind::numeric);
  EXPECT_EQ(kind({}, {{"a", GgufType::q4_0, GgufTensor{GgufType::q8_0, Shape({32}), {}}}}), ErrorKind::usage);
  EXPECT_THROW(GgufValue::array(GgufValueType::u8, std::vector{one}), Error);
  EXPECT_TRUE(fs::is_empty(path_));  // nothing was left behind
}

TEST_F(Gguf, MinimalFiles) {
  EXPECT_EQ(verdict(head(0, 0)), "ok");
  EXPECT_EQ(verdict(head(0, 0, 2)), "ok");
  EXPECT_EQ(verdict(with_data(head(1, 0) + info("x", {2}, 0, 0), 8)), "ok");
  EXPECT_EQ(verdict(with_data(head(1, 0) + info("x", {}, 0, 0), 4)), "ok");
  EXPECT_EQ(verdict(head(1, 0) + info("x", {0, 7}, 0, 0)), "ok");
  EXPECT_EQ(verdict(with_data(head(2, 0) + info("x", {1}, 0, 32) + info("y", {8}, 0, 0), 36)), "ok");
  EXPECT_EQ(verdict(head(0, 1) + entry("k", 9, array(4, 0))), "ok");
}

TEST_F(Gguf, HostileHeaders) {
  const uint64_t huge = uint64_t{1} << 63;
  std::string deep;
  for (int i = 0; i < 1000; ++i) deep += array(9, 1);
  const struct {
    std::string bytes, part;
  } cases[] = {
      {"", "not a GGUF file"},
      {"GGUF", "cut off"},
      {"GGML" + head(0, 0).substr(4), "not a GGUF file"},
      {head(0, 0, 1), "version 1, supported are 2 and 3"},
      {head(0, 0, 4), "version 4"},
      {head(0, 0, 0), "version 0"},
      {head(0, 0, 0x03000000), "big-endian"},
      {head(huge, 0), "cannot stand in the file"},
      {head(0, huge), "cannot stand in the file"},
      {head(0, 1'000'000'000), "1000000000 metadata entries cannot stand in the file"},
      {head(UINT64_MAX, UINT64_MAX), "cannot stand in the file"},
      {head(0, 1) + std::string(12, 'x'), "cannot stand in the file"},
      {head(0, 1) + raw(huge) + std::string(20, 'x'), "at most 65535 are allowed"},
      {head(0, 1) + raw(uint64_t{30}) + std::string(20, 'x'), "cut off within a metadata key"},
      {head(0, 1) + entry("\xFF", 0, "12345678"), "not UTF-8"},
      {head(0, 1) + entry("k", 13, "12345678"), "unknown value type 13"},
      {head(0, 1) + entry("k", 10, "1234567"), "metadata k: a value of type u64 is cut off"},
      {head(0, 1) + entry("k", 7, "\x02"), "a boolean is 2"},
      {head(0, 1) + entry("k", 8, raw(huge) + "x"), "a string of 9223372036854775808 bytes"},
      {head(0, 1) + entry("k", 8, raw(UINT64_MAX)), "a string of 18446744073709551615 bytes"},
      {head(0, 1) + entry("k", 9, array(0, huge, "x")), "an array of 9223372036854775808 x u8"},
      {head(0, 1) + entry("k", 9, array(10, uint64_t{1} << 61, "x")), "an array of 2305843009213693952 x u64"},
      {head(0, 1) + entry("k", 9, array(8, huge, std::string(16, '\0'))), "x string"},
      {head(0, 1) + entry("k", 9, array(9, huge, std::string(16, '\0'))), "x array"},
      {head(0, 1) + entry("k", 9, array(7, 2, "\x01\x05")), "a boolean is 5"},
      {head(0, 1) + entry("k", 9, array(99, 1, "x")), "unknown"},
      {head(0, 1) + entry("k", 9, deep), "nest deeper than 8"},
      {head(0, 2) + entry("k", 0, "1") + entry("k", 0, "1"), "metadata k stands twice"},
      {head(0, 1) + entry("general.alignment", 4, raw(uint32_t{0})), "expected a power of two"},
      {head(0, 1) + entry("general.alignment", 4, raw(uint32_t{24})), "expected a power of two"},
      {head(0, 1) + entry("general.alignment", 4, raw(uint32_t{1} << 31)), "at most 1048576"},
      {head(0, 1) + entry("general.alignment", 10, raw(uint64_t{32})), "expected u32"},
      {head(1, 0) + info("x", {1, 1, 1, 1, 1}, 0, 0), "5 dimensions"},
      {head(1, 0) + text("x") + raw(UINT32_MAX) + std::string(32, '\0'), "4294967295 dimensions"},
      {head(1, 0) + info("x", {huge}, 0, 0), "too large"},
      {head(1, 0) + info("x", {0, huge, huge}, 0, 0), "too large"},
      {head(1, 0) + info("x", {uint64_t{1} << 32, uint64_t{1} << 32}, 0, 0), "too large"},
      {head(1, 0) + info("x", {uint64_t{1} << 40, uint64_t{1} << 40}, 0, 0), "too large"},
      {head(1, 0) + info("x", {uint64_t{1} << 40, uint64_t{1} << 40, 0}, 0, 0), "too large"},
      {head(1, 0) + info("x", {33}, 8, 0), "rows of 33 elements are no whole number of Q8_0's blocks of 32"},
      {head(1, 0) + info("x", {128}, 12, 0), "Q4_K's blocks of 256"},
      {head(1, 0) + info("x", {}, 8, 0), "rows of 1 elements"},
      {head(1, 0) + info("x", {1}, 4, 0), "tensor x: type ? (number 4) is not supported"},
      {head(1, 0) + info("x", {1}, UINT32_MAX, 0), "type ? (number 4294967295)"},
      {with_data(head(1, 0) + info("x", {1}, 0, 4), 64), "offset 4 is no multiple of 32"},
      {with_data(head(1, 0) + info("x", {1}, 0, 64), 64), "4 bytes at 64 are not inside"},
      {with_data(head(1, 0) + info("x", {17}, 0, 0), 64), "68 bytes at 0 are not inside"},
      {with_data(head(1, 0) + info("x", {1}, 0, UINT64_MAX - 31), 64), "not inside"},
      {head(1, 0) + info("x", {1}, 0, 0), "not inside"},
      {with_data(head(2, 0) + info("x", {1}, 0, 0) + info("x", {1}, 0, 32), 64), "tensor x stands twice"},
      {with_data(head(2, 0) + info("x", {1}, 0, 0) + info("y", {1}, 0, 0), 64), "overlap"},
      {with_data(head(2, 0) + info("x", {9}, 0, 0) + info("y", {1}, 0, 32), 64), "tensor y: its bytes overlap"},
      {head(2, 0) + info("x", {1}, 0, 0) + std::string(30, '\0'), "cut off"},
  };
  for (const auto& c : cases) expect_contains(verdict(c.bytes), c.part);
}

TEST_F(Gguf, MisalignedTensorsAreCopied) {
  const std::string header =
      head(2, 1) + entry("general.alignment", 4, raw(uint32_t{1})) + info("a", {1}, 24, 0) + info("b", {1}, 0, 1);
  const auto file = parse_copy<GgufFile>(header + "\x07" + raw(2.5f));
  ASSERT_TRUE(file.ok()) << file.error().message();
  EXPECT_EQ(file.value().tensor("b").to_floats(), std::vector<float>{2.5f});
}

TEST_F(Gguf, ErrorsNameTheFile) {
  write_file_atomic(path_ / "bad.gguf", "nonsense");
  try {
    GgufFile::open(path_ / "bad.gguf");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::invalid_data);
    expect_contains(error.message(), "bad.gguf: not a GGUF file");
  }
}

}  // namespace
}  // namespace sensorium::io
