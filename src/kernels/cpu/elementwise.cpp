#include "kernels/cpu/cpu.h"
#include "kernels/cpu/functions.h"

SENSORIUM_ISA_BEGIN
namespace {

constexpr int64_t kGrain = 16384;  // elements of a task: 64 KB of f32, far more work than handing it out

// Rows of a task of about kGrain elements.
int64_t rows_per_task(int64_t width) { return kGrain / (width + 1) + 1; }

template <typename A, typename B, typename Y, typename Fn>
void combine(const BinaryArgs& args, const A* a, const B* b, Y* y, const Fn& fn) {
  // Rows of `width` elements; within one, b either runs along or is one number.
  const int64_t width = args.b_period != 0 ? args.b_period : args.b_row != 0 ? args.b_row : args.count;
  if (width == args.count && args.b_row == 0) {
    parallel_for(args.count, kGrain,
                 [&](int64_t begin, int64_t end, int) { map(end - begin, y + begin, fn, a + begin, b + begin); });
    return;
  }
  parallel_for(args.count / width, rows_per_task(width), [&](int64_t begin, int64_t end, int) {
    for (int64_t r = begin; r < end; ++r) {
      if (args.b_row != 0) {
        const Floats factor = broadcast(load(b, r));
        map(
            width, y + r * width, [&](Floats x) { return fn(x, factor); }, a + r * width);
      } else {
        map(width, y + r * width, fn, a + r * width, b);
      }
    }
  });
}

}  // namespace

void unary(const UnaryArgs& args) {
  with_type(args.x.dtype, [&](auto* tag) {
    const auto* x = static_cast<const Pointee<decltype(tag)>*>(args.x.data);
    auto* y = static_cast<decltype(tag)>(args.y.data);
    with_function(args.function, [&](auto function) {
      parallel_for(args.count, kGrain, [&](int64_t begin, int64_t end, int) {
        map(
            end - begin, y + begin, [](Floats v) { return decltype(function)::value(v); }, x + begin);
      });
    });
  });
}

void unary_backward(const UnaryBackwardArgs& args) {
  with_type(args.x.dtype, [&](auto* tag) {
    using T = Pointee<decltype(tag)>;
    const auto *x = static_cast<const T*>(args.x.data), *dy = static_cast<const T*>(args.grad_y.data);
    auto* dx = static_cast<T*>(args.grad_x.data);
    with_function(args.function, [&](auto function) {
      parallel_for(args.count, kGrain, [&](int64_t begin, int64_t end, int) {
        map(
            end - begin, dx + begin, [](Floats v, Floats d) { return d * decltype(function)::slope(v); }, x + begin,
            dy + begin);
      });
    });
  });
}

void binary(const BinaryArgs& args) {
  if (args.count == 0) return;
  with_type(args.a.dtype, [&](auto* a_tag) {
    with_type(args.b.dtype, [&](auto* b_tag) {
      with_type(args.y.dtype, [&](auto* y_tag) {
        const auto* a = static_cast<const Pointee<decltype(a_tag)>*>(args.a.data);
        const auto* b = static_cast<const Pointee<decltype(b_tag)>*>(args.b.data);
        auto* y = static_cast<decltype(y_tag)>(args.y.data);
        const float scale_a = args.scale_a, scale_b = args.scale_b;
        if (args.function == Binary::add) {
          combine(args, a, b, y, [=](Floats p, Floats q) { return p * scale_a + q * scale_b; });
        } else {
          combine(args, a, b, y, [](Floats p, Floats q) { return p * q; });
        }
      });
    });
  });
}

void swiglu(const SwigluArgs& args) {
  with_type(args.x.dtype, [&](auto* tag) {
    using T = Pointee<decltype(tag)>;
    parallel_for(args.rows, rows_per_task(args.width), [&](int64_t begin, int64_t end, int) {
      for (int64_t r = begin; r < end; ++r) {
        const T* gate = static_cast<const T*>(args.x.data) + r * 2 * args.width;
        T* y = static_cast<T*>(args.y.data) + r * args.width;
        map(
            args.width, y, [](Floats g, Floats u) { return g * logistic(g) * u; }, gate, gate + args.width);
      }
    });
  });
}

void swiglu_backward(const SwigluBackwardArgs& args) {
  with_type(args.x.dtype, [&](auto* tag) {
    using T = Pointee<decltype(tag)>;
    parallel_for(args.rows, rows_per_task(args.width), [&](int64_t begin, int64_t end, int) {
      for (int64_t r = begin; r < end; ++r) {
        const T* gate = static_cast<const T*>(args.x.data) + r * 2 * args.width;
        const T* dy = static_cast<const T*>(args.grad_y.data) + r * args.width;
        T* dx = static_cast<T*>(args.grad_x.data) + r * 2 * args.width;
        T* grad_up = dx + args.width;
        // Both halves in one pass, so that the logistic function is computed once.
        int64_t i = 0;
        const auto both = [&](Floats g, Floats u, Floats d, Floats& up) {
          const Floats s = logistic(g);
          up = d * g * s;
          return d * u * (s + g * s * (1.0f - s));
        };
        Floats up;
        for (; i + kLanes <= args.width; i += kLanes) {
          put(dx + i, both(get(gate + i), get(gate + args.width + i), get(dy + i), up));
          put(grad_up + i, up);
        }
        if (const int64_t left = args.width - i; left > 0) {
          put(dx + i, both(get(gate + i, left), get(gate + args.width + i, left), get(dy + i, left), up), left);
          put(grad_up + i, up, left);
        }
      }
    });
  });
}

void cast(const CastArgs& args) {
  with_any_type(args.x.dtype, [&](auto* x_tag) {
    with_any_type(args.y.dtype, [&](auto* y_tag) {
      using Y = Pointee<decltype(y_tag)>;
      const auto* x = static_cast<const Pointee<decltype(x_tag)>*>(args.x.data);
      auto* y = static_cast<std::conditional_t<std::is_same_v<Y, Brain>, ExactBrain, Y>*>(args.y.data);
      parallel_for(args.count, kGrain, [&](int64_t begin, int64_t end, int) {
        map(
            end - begin, y + begin, [](Floats v) { return v; }, x + begin);
      });
    });
  });
}

SENSORIUM_ISA_END
