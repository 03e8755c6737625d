#include "kernels/kernel_check.h"

namespace sensorium::kernels {
namespace {

struct Function {
  Unary function;
  const char* name;
  Bound value, slope;
};
// Absolute errors are for |x| up to 20.
constexpr Function kFunctions[] = {
    {Unary::relu, "relu", {0, 0}, {0, 0}},
    {Unary::gelu_erf, "gelu_erf", {5e-7, 1e-6}, {1e-6, 1e-6}},
    {Unary::gelu_tanh, "gelu_tanh", {1e-6, 1e-6}, {2e-6, 1e-6}},
    {Unary::quick_gelu, "quick_gelu", {1e-6, 1e-6}, {2e-6, 1e-6}},
    {Unary::silu, "silu", {1e-6, 1e-6}, {2e-6, 1e-6}},
    {Unary::sigmoid, "sigmoid", {2e-7, 1e-6}, {3e-7, 1e-6}},
    {Unary::tanh, "tanh", {0, 5e-7}, {5e-7, 1e-6}},
    {Unary::exp, "exp", {1e-37, 5e-7}, {1e-37, 5e-7}},
    {Unary::log, "log", {1e-7, 5e-7}, {0, 2e-7}},
    {Unary::square, "square", {0, 2e-7}, {0, 2e-7}},
};

constexpr int64_t kCounts[] = {0, 1, 3, 15, 16, 17, 63, 65, 1000, 40001};

Buffer inputs(Rng& rng, const Function& f, int64_t count, DType dtype, int64_t offset) {
  Buffer x(count, dtype, offset);
  for (int64_t i = 0; i < count; ++i) {
    const double value = i % 3 == 0 ? rng.uniform(-20, 20) : i % 3 == 1 ? rng.normal() : rng.normal() * 1e-4;
    x.set(i, f.function == Unary::log ? std::exp(value) : value);
  }
  return x;
}

TEST(Elementwise, UnaryMatchesReference) {
  Rng rng(1);
  for (const Function& f : kFunctions) {
    for (const DType dtype : kActivationTypes) {
      for (const int64_t count : kCounts) {
        const int64_t offset = count % 5;
        const Buffer x = inputs(rng, f, count, dtype, offset), dy = Buffer::normal(rng, count, dtype, offset);
        const Buffer wanted(count, dtype, offset), wanted_dx(count, dtype, offset);
        reference_kernels().unary({f.function, count, x.view(), wanted.view()});
        reference_kernels().unary_backward({f.function, count, x.view(), dy.view(), wanted_dx.view()});
        for_each_isa([&](const KernelTable& table, const std::string& isa) {
          const std::string what = fmt::format("{} {} {}", f.name, isa, name_of(dtype));
          const Buffer y(count, dtype, offset), dx(count, dtype, offset);
          table.unary({f.function, count, x.view(), y.view()});
          expect_close(y, wanted, f.value, what);
          table.unary_backward({f.function, count, x.view(), dy.view(), dx.view()});
          expect_close(dx, wanted_dx, {4 * f.slope.absolute, 2 * f.slope.relative}, what + " slope");
        });
      }
    }
  }
}

TEST(Elementwise, UnaryInPlaceAndSpecialValues) {
  const double infinity = std::numeric_limits<double>::infinity(), nan = std::nan("");
  const double specials[] = {0.0, -0.0, 1e-39, 88.0, -87.0, 89.0, -104.0, 1e30, -1e30, infinity, -infinity, nan};
  for (const Function& f : kFunctions) {
    if (f.function == Unary::gelu_tanh) continue;  // 0 * infinity where the cube overflows, in the reference too
    for_each_isa([&](const KernelTable& table, const std::string& isa) {
      Buffer x(std::size(specials));
      for (size_t i = 0; i < std::size(specials); ++i) x.set(static_cast<int64_t>(i), specials[i]);
      const Buffer wanted(x.count());
      reference_kernels().unary({f.function, x.count(), x.view(), wanted.view()});
      const Buffer y = x;
      table.unary({f.function, y.count(), y.view(), y.view()});
      for (int64_t i = 0; i < y.count(); ++i) {
        if (std::isnan(wanted[i])) {
          // x * sigmoid(x) at -infinity is 0 * infinity in one form and a limit of 0 in another; NaN must stay NaN.
          EXPECT_TRUE(!std::isnan(x[i]) || std::isnan(y[i]))
              << f.name << " " << isa << " of " << x[i] << " is " << y[i];
        } else if (std::isinf(x[i])) {
          EXPECT_TRUE(y[i] == wanted[i] || std::isnan(y[i]))
              << f.name << " " << isa << " of " << x[i] << " is " << y[i];
        } else if (std::abs(x[i]) > 1e-38 || f.function != Unary::log) {
          EXPECT_TRUE(y[i] == wanted[i] || std::abs(y[i] - wanted[i]) <= 1e-6 + 1e-6 * std::abs(wanted[i]))
              << f.name << " " << isa << " of " << x[i] << " is " << y[i] << ", expected " << wanted[i];
        }
      }
    });
  }
}

TEST(Elementwise, ReferenceSlopesMatchDifferences) {
  Rng rng(2);
  for (const Function& f : kFunctions) {
    Buffer x = Buffer::normal(rng, 20);
    for (int64_t i = 0; i < x.count(); ++i) {
      if (f.function == Unary::log) x.set(i, 0.5 + std::abs(x[i]));
      if (f.function == Unary::relu && std::abs(x[i]) < 0.1) x.set(i, 0.5);
    }
    const Buffer dy = Buffer::normal(rng, 20), dx(20);
    const auto wanted = numeric_gradient(x, dy, 1e-2, [&] {
      const Buffer y(20);
      reference_kernels().unary({f.function, 20, x.view(), y.view()});
      return y;
    });
    reference_kernels().unary_backward({f.function, 20, x.view(), dy.view(), dx.view()});
    expect_gradient(dx, wanted, 5e-3, f.name);
  }
}

TEST(Elementwise, BinaryMatchesReference) {
  Rng rng(3);
  struct Form {
    int64_t count, period, row;
  };
  const Form forms[] = {{1, 0, 0},           {37, 0, 0},           {40001, 0, 0}, {7 * 19, 19, 0},
                        {300 * 129, 129, 0}, {64, 64, 0},          {50, 1, 0},    {7 * 19, 0, 19},
                        {50, 0, 50},         {90 * 1000, 0, 1000}, {33, 0, 1}};
  for (const Form& form : forms) {
    for (const Binary function : {Binary::add, Binary::multiply}) {
      for (const DType a_type : kActivationTypes) {
        for (const DType b_type : kActivationTypes) {
          for (const DType y_type : kActivationTypes) {
            const int64_t b_count = form.period != 0 ? form.period : form.row != 0 ? form.count / form.row : form.count;
            const Buffer a = Buffer::normal(rng, form.count, a_type, 1), b = Buffer::normal(rng, b_count, b_type, 3);
            const Buffer wanted(form.count, y_type, 2);
            BinaryArgs args{function, form.count, a.view(), b.view(),     form.period,
                            form.row, 0.5f,       -1.25f,   wanted.view()};
            reference_kernels().binary(args);
            for_each_isa([&](const KernelTable& table, const std::string& isa) {
              const Buffer y(form.count, y_type, 2);
              args.y = y.view();
              table.binary(args);
              expect_close(y, wanted, {3e-7, 2e-7},
                           fmt::format("{} count {} period {} row {} {}{}{}", isa, form.count, form.period, form.row,
                                       name_of(a_type), name_of(b_type), name_of(y_type)));
            });
          }
        }
      }
    }
  }
}

TEST(Elementwise, BinaryInPlace) {
  for_each_isa([](const KernelTable& table, const std::string& isa) {
    Rng rng(4);
    const Buffer a = Buffer::normal(rng, 1001), b = Buffer::normal(rng, 1001), y = a;
    table.binary({.function = Binary::add, .count = 1001, .a = y.view(), .b = b.view(), .y = y.view()});
    for (int64_t i = 0; i < y.count(); ++i) {
      ASSERT_EQ(static_cast<float>(y[i]), static_cast<float>(a[i]) + static_cast<float>(b[i])) << isa;
    }
  });
}

TEST(Elementwise, SwigluMatchesReference) {
  Rng rng(5);
  const int64_t shapes[][2] = {{1, 1}, {3, 5}, {2, 16}, {130, 33}, {7, 1000}};
  for (const auto& [rows, width] : shapes) {
    for (const DType dtype : kActivationTypes) {
      const Buffer x = Buffer::normal(rng, rows * width * 2, dtype, 1, 4),
                   dy = Buffer::normal(rng, rows * width, dtype, 1);
      const Buffer wanted(rows * width, dtype, 1), wanted_dx(rows * width * 2, dtype, 1);
      reference_kernels().swiglu({rows, width, x.view(), wanted.view()});
      reference_kernels().swiglu_backward({rows, width, x.view(), dy.view(), wanted_dx.view()});
      for_each_isa([&](const KernelTable& table, const std::string& isa) {
        const Buffer y(rows * width, dtype, 1), dx(rows * width * 2, dtype, 1);
        table.swiglu({rows, width, x.view(), y.view()});
        expect_close(y, wanted, {2e-6, 2e-6}, isa + " swiglu");
        table.swiglu_backward({rows, width, x.view(), dy.view(), dx.view()});
        expect_close(dx, wanted_dx, {4e-6, 4e-6}, isa + " swiglu dx");
      });
    }
  }
}

TEST(Elementwise, ReferenceSwigluMatchesDifferences) {
  Rng rng(6);
  Buffer x = Buffer::normal(rng, 2 * 2 * 3);
  const Buffer dy = Buffer::normal(rng, 6), dx(12);
  const auto wanted = numeric_gradient(x, dy, 1e-2, [&] {
    const Buffer y(6);
    reference_kernels().swiglu({2, 3, x.view(), y.view()});
    return y;
  });
  reference_kernels().swiglu_backward({2, 3, x.view(), dy.view(), dx.view()});
  expect_gradient(dx, wanted, 2e-3, "swiglu");
}

TEST(Elementwise, CastIsExactlyRounded) {
  Rng rng(7);
  constexpr DType kTypes[] = {DType::f32, DType::bf16, DType::f16};
  for (const DType from : kTypes) {
    for (const DType to : kTypes) {
      for (const int64_t count : {int64_t{1}, int64_t{31}, int64_t{4099}}) {
        Buffer x(count, from, 1);
        for (int64_t i = 0; i < count; ++i) {
          // Ordinary values, f16's overflow and subnormals, and ties.
          x.set(i, i % 4 == 0   ? rng.normal() * 1e5
                   : i % 4 == 1 ? rng.normal() * 1e-6
                   : i % 4 == 2 ? rng.normal()
                                : 1 + static_cast<double>(rng.below(4096)) / 4096);
        }
        if (count > 16) {
          x.set(7, std::numeric_limits<double>::infinity());
          x.set(8, -std::numeric_limits<double>::infinity());
          x.set(9, std::nan(""));
          x.set(10, 65520);  // rounds to infinity in f16
          x.set(11, -0.0);
        }
        const Buffer wanted(count, to, 2);
        reference_kernels().cast({count, x.view(), wanted.view()});
        for_each_isa([&](const KernelTable& table, const std::string& isa) {
          const Buffer y(count, to, 2);
          table.cast({count, x.view(), y.view()});
          EXPECT_TRUE(y.intact());
          for (int64_t i = 0; i < count; ++i) {
            ASSERT_TRUE(y[i] == wanted[i] || (std::isnan(y[i]) && std::isnan(wanted[i])))
                << isa << " " << name_of(from) << " to " << name_of(to) << ": " << x[i] << " gave " << y[i]
                << ", expected " << wanted[i];
          }
        });
      }
    }
  }
}

// All 65536 patterns of both 16-bit types, in every instruction set.
TEST(Elementwise, CastOfEveryPattern) {
  for (const DType type : {DType::bf16, DType::f16}) {
    for_each_isa([&](const KernelTable& table, const std::string& isa) {
      const Buffer narrow(65536, type), wide(65536), again(65536, type);
      for (int i = 0; i < 65536; ++i) static_cast<uint16_t*>(narrow.data())[i] = static_cast<uint16_t>(i);
      table.cast({65536, narrow.view(), wide.view()});
      table.cast({65536, wide.view(), again.view()});
      for (int64_t i = 0; i < 65536; ++i) {
        if (std::isnan(narrow[i])) {
          ASSERT_TRUE(std::isnan(wide[i]) && std::isnan(again[i])) << isa << " pattern " << i;
        } else {
          ASSERT_EQ(wide[i], narrow[i]) << isa << " pattern " << i;
          ASSERT_EQ(static_cast<uint16_t*>(again.data())[i], i) << isa;
        }
      }
    });
  }
}

}  // namespace
}  // namespace sensorium::kernels
