// The memory-bound kernels: GB/s of what they read and write, beside a copy of the same memory measured in the same rounds.
// One JSON object per line. Arguments: a part of a name; SENSORIUM_ISA and SENSORIUM_THREADS choose set and threads.
#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "base/rng.h"
#include "kernels/isa.h"
#include "measure.h"
#include "tensor/tensor.h"

namespace sensorium::bench {
namespace {

using kernels::KernelTable;

struct Case {
  std::string name;
  double bytes;  // read and written by one run
  std::vector<Tensor> outputs;
  std::function<void(const KernelTable&)> run;
  std::vector<Tensor> inputs;  // keeps what `run` points at
};

kernels::View view(const Tensor& tensor) { return {tensor.raw(), tensor.dtype()}; }

std::vector<Case> make_cases(int64_t rows, int64_t cols, DType dtype) {
  Rng rng(1);
  const int64_t count = rows * cols;
  const double size = static_cast<double>(count) * static_cast<double>(size_of(dtype));
  const auto random = [&](const Shape& shape, DType type) { return Tensor::randn(shape, rng).to(type); };
  const Tensor x = random({rows, cols}, dtype), dy = random({rows, cols}, dtype),
               y = Tensor::zeros({rows, cols}, dtype);
  const Tensor weight = random({cols}, DType::f32), bias = random({cols}, DType::f32);
  const Tensor grad_weight = Tensor::zeros({cols}), grad_bias = Tensor::zeros({cols});
  const Tensor mean = Tensor::full({rows}, 0), inverse = Tensor::full({rows}, 1);
  const kernels::RowNormArgs norm{.rows = rows,
                                  .cols = cols,
                                  .x = view(x),
                                  .weight = weight.data<float>(),
                                  .bias = bias.data<float>(),
                                  .y = view(y)};
  kernels::RowNormArgs kept = norm;
  kept.mean = mean.data<float>();
  kept.inverse_std = inverse.data<float>();
  const kernels::RowNormBackwardArgs norm_back{.forward = kept,
                                               .grad_y = view(dy),
                                               .grad_x = view(y),
                                               .grad_weight = grad_weight.data<float>(),
                                               .grad_bias = grad_bias.data<float>()};
  std::vector<Case> cases;
  const auto add = [&](const std::string& name, double bytes, std::vector<Tensor> outputs, auto run) {
    cases.push_back({fmt::format("{}/{}/{}x{}", name, name_of(dtype), rows, cols),
                     bytes,
                     std::move(outputs),
                     run,
                     {x, dy, y, weight, bias, grad_weight, grad_bias, mean, inverse}});
  };
  add("rms_norm", 2 * size, {y}, [=](const KernelTable& t) { t.rms_norm(norm); });
  add("layer_norm", 2 * size, {y}, [=](const KernelTable& t) { t.layer_norm(norm); });
  add("rms_norm_backward", 3 * size, {y}, [=](const KernelTable& t) { t.rms_norm_backward(norm_back); });
  add("layer_norm_backward", 3 * size, {y}, [=](const KernelTable& t) { t.layer_norm_backward(norm_back); });

  const int64_t groups = cols % 32 == 0 ? 32 : 1, pictures = 16;
  std::vector<int64_t> offsets;
  for (int64_t i = 0; i <= pictures; ++i) offsets.push_back(rows * i / pictures);
  const Tensor group_mean = Tensor::full({pictures * groups}, 0), group_inverse = Tensor::full({pictures * groups}, 1);
  const auto group = [=](const std::vector<int64_t>& at) {
    return kernels::GroupNormArgs{.offsets = at,
                                  .channels = cols,
                                  .groups = groups,
                                  .x = view(x),
                                  .weight = weight.data<float>(),
                                  .bias = bias.data<float>(),
                                  .activation = kernels::NormActivation::silu,
                                  .y = view(y),
                                  .mean = group_mean.data<float>(),
                                  .inverse_std = group_inverse.data<float>()};
  };
  add("group_norm_silu", 3 * size, {y}, [=](const KernelTable& t) { t.group_norm(group(offsets)); });
  add("group_norm_silu_backward", 5 * size, {y}, [=](const KernelTable& t) {
    t.group_norm_backward({.forward = group(offsets),
                           .grad_y = view(dy),
                           .grad_x = view(y),
                           .grad_weight = grad_weight.data<float>(),
                           .grad_bias = grad_bias.data<float>()});
  });

  for (const auto& [function, name] : {std::pair{kernels::Unary::relu, "relu"},
                                       {kernels::Unary::gelu_erf, "gelu_erf"},
                                       {kernels::Unary::gelu_tanh, "gelu_tanh"},
                                       {kernels::Unary::silu, "silu"}}) {
    const kernels::UnaryArgs args{function, count, view(x), view(y)};
    add(name, 2 * size, {y}, [=](const KernelTable& t) { t.unary(args); });
    const kernels::UnaryBackwardArgs back{function, count, view(x), view(dy), view(y)};
    add(std::string(name) + "_backward", 3 * size, {y}, [=](const KernelTable& t) { t.unary_backward(back); });
  }
  const kernels::BinaryArgs sum{
      .function = kernels::Binary::add, .count = count, .a = view(x), .b = view(dy), .y = view(y)};
  add("add", 3 * size, {y}, [=](const KernelTable& t) { t.binary(sum); });
  const Tensor gated = random({rows, cols / 2}, dtype), gated_grad = random({rows, cols / 2}, dtype);
  add("swiglu", 1.5 * size, {gated}, [=](const KernelTable& t) { t.swiglu({rows, cols / 2, view(x), view(gated)}); });
  add("swiglu_backward", 2.5 * size, {y}, [=](const KernelTable& t) {
    t.swiglu_backward({rows, cols / 2, view(x), view(gated_grad), view(y)});
  });
  const Tensor other = Tensor::zeros({rows, cols}, dtype == DType::f32 ? DType::bf16 : DType::f32);
  add("cast", 6.0 * static_cast<double>(count), {other}, [=](const KernelTable& t) {
    t.cast({count, view(x), view(other)});
  });

  std::vector<int32_t> index, targets;
  for (int64_t i = 0; i < rows; ++i) {
    index.push_back(static_cast<int32_t>(rng.below(static_cast<uint64_t>(rows))));
    targets.push_back(static_cast<int32_t>(rng.below(static_cast<uint64_t>(cols))));
  }
  add("gather_rows", 2 * size, {y}, [=](const KernelTable& t) {
    t.gather_rows({rows, cols, index.data(), rows, view(x), view(y)});
  });
  const Tensor table = Tensor::zeros({rows, cols});
  add("scatter_add_rows", size + 8.0 * static_cast<double>(count), {}, [=](const KernelTable& t) {
    t.scatter_add_rows({rows, cols, index.data(), rows, view(x), view(table)});
  });
  add("column_sum", size, {}, [=](const KernelTable& t) {
    t.column_sum({rows, cols, view(x), grad_bias.data<float>()});
  });
  const Tensor losses = Tensor::zeros({rows});
  add("cross_entropy", 2 * size, {losses, y}, [=](const KernelTable& t) {
    t.cross_entropy({rows, cols, view(x), targets.data(), 0.0f, losses.data<float>(), view(y), nullptr});
  });
  if (dtype == DType::f32) {
    const Tensor p = random({count}, dtype), m = random({count}, dtype), v = Tensor::full({count}, 1), ema = p.clone();
    const auto adamw = [=](bool with_ema) {
      return kernels::AdamWArgs{.count = count,
                                .parameter = p.data<float>(),
                                .grad = dy.data<float>(),
                                .m = m.data<float>(),
                                .v = v.data<float>(),
                                .ema = with_ema ? ema.data<float>() : nullptr,
                                .learning_rate = 1e-6f,
                                .weight_decay = 0.1f,
                                .ema_decay = 0.999f,
                                .step = 10};
    };
    add("adamw", 7 * size, {}, [=](const KernelTable& t) { t.adamw(adamw(false)); });
    add("adamw_ema", 9 * size, {}, [=](const KernelTable& t) { t.adamw(adamw(true)); });
    add("sum_of_squares", size, {}, [=](const KernelTable& t) {
      volatile double sink = t.sum_of_squares(x.data<float>(), count);
      (void)sink;
    });
  }
  return cases;
}

// The outputs of the fast kernels against those of the reference; throws Error(numeric).
void check(const Case& c, const KernelTable& fast) {
  if (c.outputs.empty()) return;
  c.run(kernels::reference_kernels());
  std::vector<std::vector<float>> wanted;
  for (const Tensor& output : c.outputs) wanted.push_back(output.to_floats());
  c.run(fast);
  for (size_t o = 0; o < wanted.size(); ++o) {
    const std::vector<float> actual = c.outputs[o].to_floats();
    for (size_t i = 0; i < actual.size(); ++i) {
      require(std::abs(actual[i] - wanted[o][i]) <= 2e-5f + 0.01f * std::abs(wanted[o][i]), ErrorKind::numeric,
              "{}: element {} is {}, the reference has {}", c.name, i, actual[i], wanted[o][i]);
    }
  }
}

void run(int64_t rows, int64_t cols, DType dtype, const std::string& filter) {
  const KernelTable& fast = kernels::cpu_kernels(kernels::active_isa());
  for (const Case& c : make_cases(64, cols, dtype)) {
    if (c.name.find(filter) != std::string::npos) check(c, fast);
  }
  const int64_t bytes = rows * cols * static_cast<int64_t>(size_of(dtype));
  const Tensor from = Tensor::full({bytes}, 1, DType::u8), to = Tensor::full({bytes}, 2, DType::u8);
  const auto copy = [&] {
    parallel_for(bytes, 65536, [&](int64_t begin, int64_t end, int) {
      std::memcpy(to.data<uint8_t>() + begin, from.data<uint8_t>() + begin, static_cast<size_t>(end - begin));
    });
  };
  for (const Case& c : make_cases(rows, cols, dtype)) {
    if (c.name.find(filter) == std::string::npos) continue;
    std::vector<double> times, copies;
    double spent = 0;
    c.run(fast);
    copy();
    for (int round = 0; round < 5 || spent < 0.3; ++round) {
      copies.push_back(seconds_of(copy));
      times.push_back(seconds_of([&] { c.run(fast); }));
      spent += times.back();
    }
    const Times t = summary(times), best = summary(copies);
    const double rate = c.bytes / t.median, ceiling = 2.0 * static_cast<double>(bytes) / best.median;
    fmt::print(
        "{{\"name\":\"{}\",\"isa\":\"{}\",\"threads\":{},\"median_ms\":{:.3f},\"p10_ms\":{:.3f},\"p90_ms\":{:.3f},\"gb_"
        "s\":{:.1f},"
        "\"copy_gb_s\":{:.1f},\"of_copy\":{:.2f}}}\n",
        c.name, name_of(kernels::active_isa()), thread_count(), t.median * 1e3, t.p10 * 1e3, t.p90 * 1e3, rate * 1e-9,
        ceiling * 1e-9, rate / ceiling);
  }
}

}  // namespace
}  // namespace sensorium::bench

int main(int count, char** words) {
  using sensorium::DType;
  const std::string filter = count > 1 ? words[1] : "";
  for (const DType dtype : {DType::f32, DType::bf16}) {
    sensorium::bench::run(4096, 384, dtype, filter);    // activations of a small decoder: in the caches
    sensorium::bench::run(16384, 1024, dtype, filter);  // memory
  }
}
