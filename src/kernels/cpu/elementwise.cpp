#include "kernels/cpu/isa.h"

SENSORIUM_ISA_BEGIN
namespace {

constexpr int64_t kGrain = 16384;
constexpr float kInverseSqrt2 = 0.70710678118654752f;
constexpr float kGeluTanhScale = 0.79788456080286536f, kGeluTanhCubic = 0.044715f;  // sqrt(2 / pi), Hendrycks and Gimpel 2016

// erf, absolute error below 1.5e-7 (Abramowitz and Stegun 7.1.26).
float fast_erf(float x) {
  const float a = std::abs(x), t = 1.0f / (1.0f + 0.3275911f * a);
  const float p = ((((1.061405429f * t - 1.453152027f) * t + 1.421413741f) * t - 0.284496736f) * t + 0.254829592f) * t;
  return std::copysign(1.0f - p * fast_exp(-a * a), x);
}

float value_of(Unary function, float x) {
  switch (function) {
    case Unary::relu:
      return x > 0 ? x : 0.0f;
    case Unary::gelu_erf:
      return 0.5f * x * (1.0f + fast_erf(x * kInverseSqrt2));
    case Unary::gelu_tanh:
      return 0.5f * x * (1.0f + fast_tanh(kGeluTanhScale * (x + kGeluTanhCubic * x * x * x)));
    case Unary::quick_gelu:
      return x * sigmoid(1.702f * x);
    case Unary::silu:
      return x * sigmoid(x);
    case Unary::sigmoid:
      return sigmoid(x);
    case Unary::tanh:
      return fast_tanh(x);
    case Unary::exp:
      return fast_exp(x);
    case Unary::log:
      return std::log(x);
    case Unary::square:
      return x * x;
  }
  return x;
}

float slope_of(Unary function, float x) {
  switch (function) {
    case Unary::relu:
      return x > 0 ? 1.0f : 0.0f;
    case Unary::gelu_erf:
      return 0.5f * (1.0f + fast_erf(x * kInverseSqrt2)) + x * 0.39894228040143268f * fast_exp(-0.5f * x * x);
    case Unary::gelu_tanh: {
      const float t = fast_tanh(kGeluTanhScale * (x + kGeluTanhCubic * x * x * x));
      return 0.5f * (1.0f + t) + 0.5f * x * (1.0f - t * t) * kGeluTanhScale * (1.0f + 3.0f * kGeluTanhCubic * x * x);
    }
    case Unary::quick_gelu: {
      const float s = sigmoid(1.702f * x);
      return s * (1.0f + 1.702f * x * (1.0f - s));
    }
    case Unary::silu: {
      const float s = sigmoid(x);
      return s * (1.0f + x * (1.0f - s));
    }
    case Unary::sigmoid: {
      const float s = sigmoid(x);
      return s * (1.0f - s);
    }
    case Unary::tanh: {
      const float t = fast_tanh(x);
      return 1.0f - t * t;
    }
    case Unary::exp:
      return fast_exp(x);
    case Unary::log:
      return 1.0f / x;
    case Unary::square:
      return 2.0f * x;
  }
  return 1.0f;
}

// f(constant function): one branch-free loop per function.
template <typename Fn>
void with_function(Unary function, Fn&& fn) {
  switch (function) {
#define SENSORIUM_CASE(name)                               \
  case Unary::name:                                        \
    fn(std::integral_constant<Unary, Unary::name>{});      \
    return;
    SENSORIUM_CASE(relu)
    SENSORIUM_CASE(gelu_erf)
    SENSORIUM_CASE(gelu_tanh)
    SENSORIUM_CASE(quick_gelu)
    SENSORIUM_CASE(silu)
    SENSORIUM_CASE(sigmoid)
    SENSORIUM_CASE(tanh)
    SENSORIUM_CASE(exp)
    SENSORIUM_CASE(log)
    SENSORIUM_CASE(square)
#undef SENSORIUM_CASE
  }
}

}  // namespace

void unary(const UnaryArgs& args) {
  with_type(args.x.dtype, [&](auto* tag) {
    using T = Pointee<decltype(tag)>;
    with_function(args.function, [&](auto function) {
      const T* x = static_cast<const T*>(args.x.data);
      T* y = static_cast<T*>(args.y.data);
      parallel_for(args.count, kGrain, [&](int64_t begin, int64_t end, int) {
        for (int64_t i = begin; i < end; ++i) store(y, i, value_of(function(), load(x, i)));
      });
    });
  });
}

void unary_backward(const UnaryBackwardArgs& args) {
  with_type(args.x.dtype, [&](auto* tag) {
    using T = Pointee<decltype(tag)>;
    with_function(args.function, [&](auto function) {
      const T* x = static_cast<const T*>(args.x.data);
      const T* dy = static_cast<const T*>(args.grad_y.data);
      T* dx = static_cast<T*>(args.grad_x.data);
      parallel_for(args.count, kGrain, [&](int64_t begin, int64_t end, int) {
        for (int64_t i = begin; i < end; ++i) store(dx, i, load(dy, i) * slope_of(function(), load(x, i)));
      });
    });
  });
}

void binary(const BinaryArgs& args) {
  with_type(args.a.dtype, [&](auto* a_tag) {
    with_type(args.b.dtype, [&](auto* b_tag) {
      using T = Pointee<decltype(a_tag)>;
      using U = Pointee<decltype(b_tag)>;
      const T* a = static_cast<const T*>(args.a.data);
      const U* b = static_cast<const U*>(args.b.data);
      T* y = static_cast<T*>(args.y.data);
      const auto run = [&](const auto& combine) {
        // Rows of `width` elements; within one, b either runs along, or is one number.
        const int64_t width = args.b_period != 0 ? args.b_period : args.b_row != 0 ? args.b_row : args.count;
        const int64_t rows = width == 0 ? 0 : args.count / width;
        if (rows <= 1) {
          parallel_for(args.count, kGrain, [&](int64_t begin, int64_t end, int) {
            if (args.b_row != 0) {
              const float value = load(b, 0);
              for (int64_t i = begin; i < end; ++i) store(y, i, combine(load(a, i), value));
            } else {
              for (int64_t i = begin; i < end; ++i) store(y, i, combine(load(a, i), load(b, i)));
            }
          });
          return;
        }
        parallel_for(rows, kGrain / width + 1, [&](int64_t begin, int64_t end, int) {
          for (int64_t r = begin; r < end; ++r) {
            const T* row = a + r * width;
            T* out = y + r * width;
            if (args.b_row != 0) {
              const float value = load(b, r);
              for (int64_t i = 0; i < width; ++i) store(out, i, combine(load(row, i), value));
            } else {
              for (int64_t i = 0; i < width; ++i) store(out, i, combine(load(row, i), load(b, i)));
            }
          }
        });
      };
      if (args.function == Binary::add) {
        run([&](float p, float q) { return p * args.scale_a + q * args.scale_b; });
      } else {
        run([](float p, float q) { return p * q; });
      }
    });
  });
}

void swiglu(const SwigluArgs& args) {
  with_type(args.x.dtype, [&](auto* tag) {
    using T = Pointee<decltype(tag)>;
    const int64_t width = args.width;
    parallel_for(args.rows, kGrain / width + 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t r = begin; r < end; ++r) {
        const T* gate = static_cast<const T*>(args.x.data) + r * 2 * width;
        const T* up = gate + width;
        T* y = static_cast<T*>(args.y.data) + r * width;
        for (int64_t c = 0; c < width; ++c) {
          const float g = load(gate, c);
          store(y, c, g * sigmoid(g) * load(up, c));
        }
      }
    });
  });
}

void swiglu_backward(const SwigluBackwardArgs& args) {
  with_type(args.x.dtype, [&](auto* tag) {
    using T = Pointee<decltype(tag)>;
    const int64_t width = args.width;
    parallel_for(args.rows, kGrain / width + 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t r = begin; r < end; ++r) {
        const T* gate = static_cast<const T*>(args.x.data) + r * 2 * width;
        const T* up = gate + width;
        const T* dy = static_cast<const T*>(args.grad_y.data) + r * width;
        T* grad_gate = static_cast<T*>(args.grad_x.data) + r * 2 * width;
        T* grad_up = grad_gate + width;
        for (int64_t c = 0; c < width; ++c) {
          const float g = load(gate, c), d = load(dy, c), s = sigmoid(g);
          store(grad_gate, c, d * load(up, c) * s * (1.0f + g * (1.0f - s)));
          store(grad_up, c, d * g * s);
        }
      }
    });
  });
}

void cast(const CastArgs& args) {
  const auto from = [&](auto* x_tag) {
    using X = Pointee<decltype(x_tag)>;
    const X* x = static_cast<const X*>(args.x.data);
    if (args.y.dtype == DType::f16) {
      f16* y = static_cast<f16*>(args.y.data);
      parallel_for(args.count, kGrain, [&](int64_t begin, int64_t end, int) {
        for (int64_t i = begin; i < end; ++i) y[i] = f16(load(x, i));
      });
      return;
    }
    with_type(args.y.dtype, [&](auto* y_tag) {
      auto* y = static_cast<decltype(y_tag)>(args.y.data);
      parallel_for(args.count, kGrain, [&](int64_t begin, int64_t end, int) {
        for (int64_t i = begin; i < end; ++i) store(y, i, load(x, i));
      });
    });
  };
  if (args.x.dtype == DType::f16) {
    from(static_cast<Half*>(nullptr));
  } else {
    with_type(args.x.dtype, from);
  }
}

SENSORIUM_ISA_END
