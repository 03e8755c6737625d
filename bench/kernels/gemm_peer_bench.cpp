// Matrix products beside oneDNN with packed weights, the two in turn in one process. Every result is checked against
// the other before it is timed. Usage: gemm_peer_bench [part of a name [seconds per case]]; SENSORIUM_THREADS and
// OMP_NUM_THREADS set the threads of each. One JSON object per line; times are of one product.
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "base/rng.h"
#include "kernels/gemm.h"
#include "measure.h"
#include "tensor/tensor.h"

#if defined(SENSORIUM_HAVE_DNNL)
#include <oneapi/dnnl/dnnl.hpp>
#endif

namespace sensorium::bench {
namespace {

using kernels::GemmArgs;

// Products y = x W^T with packed or stored weights, dx = dy W and dW += dy^T x as training has them.
enum class Kind { packed, forward, input_gradient, weight_gradient };
struct Case {
  Kind kind;
  DType type;  // f32, bf16; u8: u8 times i8 into i32
  int64_t m, n, k;
};

const char* name_of_kind(Kind kind) {
  switch (kind) {
    case Kind::packed:
      return "packed";
    case Kind::forward:
      return "forward";
    case Kind::input_gradient:
      return "dx";
    case Kind::weight_gradient:
      return "dw";
  }
  return "?";
}
std::string name_of_case(const Case& c) {
  return fmt::format("gemm/{}/{}/{}x{}x{}", name_of_kind(c.kind), c.type == DType::u8 ? "i8" : name_of(c.type), c.m,
                     c.n, c.k);
}

Tensor random_matrix(int64_t rows, int64_t cols, DType type, Rng& rng) {
  if (type == DType::u8 || type == DType::i8) {
    Tensor t = Tensor::empty({rows, cols}, type);
    for (int64_t i = 0; i < rows * cols; ++i) static_cast<uint8_t*>(t.raw())[i] = static_cast<uint8_t>(rng.below(127));
    return t;
  }
  return Tensor::randn({rows, cols}, rng, 1, type);
}

#if defined(SENSORIUM_HAVE_DNNL)
// oneDNN's product of row-major x and weights in the layout of its choice.
struct Peer {
  Peer(const Case& c, const Tensor& x, const Tensor& w_NK, const Tensor& y)
      : engine(dnnl::engine::kind::cpu, 0), stream(engine) {
    using dnnl::memory;
    const auto type = c.type == DType::f32    ? memory::data_type::f32
                      : c.type == DType::bf16 ? memory::data_type::bf16
                                              : memory::data_type::u8;
    const auto weight_type = c.type == DType::u8 ? memory::data_type::s8 : type;
    const auto out_type = c.type == DType::u8 ? memory::data_type::s32 : memory::data_type::f32;
    const memory::desc a({c.m, c.k}, type, memory::format_tag::ab), b({c.k, c.n}, weight_type, memory::format_tag::any),
        out({c.m, c.n}, out_type, memory::format_tag::ab);
    const dnnl::matmul::primitive_desc primitive({a, b, out}, engine);
    product = dnnl::matmul(primitive);
    memory stored({{c.k, c.n}, weight_type, memory::format_tag::ba}, engine, w_NK.raw());
    weights = memory(primitive.weights_desc(), engine);
    dnnl::reorder(stored, weights).execute(stream, stored, weights);
    stream.wait();
    arguments = {{DNNL_ARG_SRC, memory(a, engine, x.raw())},
                 {DNNL_ARG_WEIGHTS, weights},
                 {DNNL_ARG_DST, memory(out, engine, y.raw())}};
  }
  void run() {
    product.execute(stream, arguments);
    stream.wait();
  }
  dnnl::engine engine;
  dnnl::stream stream;
  dnnl::matmul product;
  dnnl::memory weights;
  std::unordered_map<int, dnnl::memory> arguments;
};
#endif

double greatest_difference(const Tensor& a, const Tensor& b) {
  double most = 0;
  for (int64_t i = 0; i < a.elements(); ++i) {
    const double difference = a.dtype() == DType::i32 ? static_cast<double>(a.data<int32_t>()[i]) - b.data<int32_t>()[i]
                                                      : static_cast<double>(a.data<float>()[i]) - b.data<float>()[i];
    most = std::max(most, std::abs(difference));
  }
  return most;
}

void run_case(const Case& c, double budget) {
  Rng rng(1);
  const bool bytes = c.type == DType::u8;
  const Tensor x = random_matrix(c.m, c.k, c.type, rng), w = random_matrix(c.n, c.k, bytes ? DType::i8 : c.type, rng);
  const Tensor y = Tensor::zeros({c.m, c.n}, bytes ? DType::i32 : DType::f32),
               theirs = Tensor::zeros({c.m, c.n}, y.dtype());
  GemmArgs args{.m = c.m, .n = c.n, .k = c.k, .c = y.raw(), .c_dtype = DType::f32, .ldc = c.n, .compute = c.type};
  args.a = {x.raw(), c.type, c.k, 1};
  args.b = {w.raw(), c.type, 1, c.k};
  kernels::PackedMatrix packed;
  Tensor turned_a, turned_b;
  const auto turn = [&](const Tensor& from, int64_t rows, int64_t cols) {
    Tensor to = Tensor::empty({cols, rows}, from.dtype());
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t col = 0; col < cols; ++col) {
        std::memcpy(static_cast<char*>(to.raw()) + static_cast<size_t>(col * rows + r) * size_of(from.dtype()),
                    static_cast<char*>(from.raw()) + static_cast<size_t>(r * cols + col) * size_of(from.dtype()),
                    size_of(from.dtype()));
      }
    }
    return to;
  };
  if (c.kind == Kind::input_gradient || c.kind == Kind::weight_gradient) {
    turned_b = turn(w, c.n, c.k);
    args.b = {turned_b.raw(), c.type, c.n, 1};
  }
  if (c.kind == Kind::weight_gradient) {
    turned_a = turn(x, c.m, c.k);
    args.a = {turned_a.raw(), c.type, 1, c.m};
  }
  std::function<void()> ours;
  if (bytes) {
    packed = kernels::pack_rhs_i8(w.data<int8_t>(), 1, c.k, c.k, c.n);
    ours = [&] { kernels::gemm_u8i8i32(c.m, x.data<uint8_t>(), c.k, packed, y.data<int32_t>(), c.n); };
  } else if (c.kind == Kind::packed) {
    packed = kernels::pack_rhs(args.b, c.k, c.n, c.type);
    ours = [&] { kernels::gemm_packed(args, packed); };
  } else {
    ours = [&] { kernels::gemm(args); };
  }
  const double operations = 2.0 * static_cast<double>(c.m) * static_cast<double>(c.n) * static_cast<double>(c.k);
  nlohmann::json line = {{"name", name_of_case(c)}, {"threads", thread_count()}};
  std::map<std::string, std::vector<double>> times;
  std::vector<double> peaks;
  ours();
#if defined(SENSORIUM_HAVE_DNNL)
  Peer peer(c, x, w, theirs);
  peer.run();
  line["difference"] = greatest_difference(y, theirs);
#endif
  // Each side runs a few times in a row after one untimed run, so that the other's threads are asleep and its own
  // awake.
  const int repeats = std::clamp(static_cast<int>(2e9 / operations), 1, 50);
  const auto measure = [&](const std::string& who, const std::function<void()>& run) {
    run();
    for (int i = 0; i < repeats; ++i) times[who].push_back(seconds_of(run));
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  };
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(budget);
  while (times["ours"].size() < 5 || std::chrono::steady_clock::now() < end) {
    if (!bytes) peaks.push_back(peak(c.type));
    measure("ours", ours);
#if defined(SENSORIUM_HAVE_DNNL)
    measure("onednn", [&] { peer.run(); });
#endif
  }
  for (const auto& [who, seconds] : times) {
    const Times t = summary(seconds);
    const double best = *std::min_element(seconds.begin(), seconds.end());
    line[who] = {{"median_ms", t.median * 1e3},
                 {"best_ms", best * 1e3},
                 {"gflops", operations / t.median * 1e-9},
                 {"best_gflops", operations / best * 1e-9}};
    if (c.m <= 4)
      line[who]["best_gb_s"] = static_cast<double>(c.n * c.k) * static_cast<double>(size_of(c.type)) / best * 1e-9;
  }
  if (!peaks.empty()) line["peak_gflops"] = summary(peaks).p90 * 1e-9;
  if (times.count("onednn") != 0) {
    line["ratio_best"] = line["ours"]["best_gflops"].get<double>() / line["onednn"]["best_gflops"].get<double>();
    line["ratio_median"] = line["ours"]["gflops"].get<double>() / line["onednn"]["gflops"].get<double>();
  }
  fmt::print("{}\n", line.dump());
  std::fflush(stdout);
}

std::vector<Case> cases() {
  std::vector<Case> result;
  for (const DType type : {DType::f32, DType::bf16, DType::u8}) {
    for (const auto& [m, n, k] : {std::array<int64_t, 3>{512, 2048, 2048},
                                  {576, 1024, 4096},
                                  {2048, 512, 2048},
                                  {4096, 384, 1536},
                                  {32, 4096, 4096},
                                  {1, 4096, 4096}}) {
      result.push_back({Kind::packed, type, m, n, k});
    }
  }
  for (const DType type : {DType::f32, DType::bf16}) {
    result.push_back({Kind::forward, type, 32, 4096, 4096});
    result.push_back({Kind::forward, type, 1, 4096, 4096});
    for (const auto& [n, k] : {std::array<int64_t, 2>{1152, 384}, {1536, 384}, {384, 1536}, {384, 384}}) {
      for (const int64_t m : {4096, 3152}) {
        result.push_back({Kind::forward, type, m, n, k});
        result.push_back({Kind::input_gradient, type, m, k, n});
        result.push_back({Kind::weight_gradient, type, n, k, m});
      }
    }
    result.push_back({Kind::forward, type, 4096, 8192, 384});
    result.push_back({Kind::forward, type, 64, 64, 64});
  }
  return result;
}

}  // namespace
}  // namespace sensorium::bench

int main(int count, char** words) {
  for (const auto& c : sensorium::bench::cases()) {
    if (count > 1 && sensorium::bench::name_of_case(c).find(words[1]) == std::string::npos) continue;
    sensorium::bench::run_case(c, count > 2 ? std::atof(words[2]) : 1.0);
  }
}
