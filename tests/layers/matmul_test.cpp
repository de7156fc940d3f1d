// The tiled product against a plain loop, over sizes around the borders of its tiles.

#include "layers/matmul.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "tests/layers/guarded_run.h"

namespace tessera {
namespace {

struct Operands {
  std::vector<float> a, b, bias, residual;
};

Operands random_operands(std::int64_t m, std::int64_t n, std::int64_t k, std::int64_t c_stride) {
  std::mt19937 generator(static_cast<unsigned>(m * 131 + n * 17 + k));
  std::normal_distribution<float> normal;
  const auto values = [&](std::int64_t count) {
    std::vector<float> result(static_cast<std::size_t>(count));
    for (float& value : result) value = normal(generator);
    return result;
  };
  return {values(m * k), values(n * k), values(n), values(m * c_stride)};
}

std::vector<float> run(const Operands& x, std::int64_t m, std::int64_t n, std::int64_t k, std::int64_t c_stride,
                       bool gathered, int threads) {
  GuardedBuffer c(m * c_stride);
  GuardedBuffer buffers(gathered ? threads * matmul_tile_rows(m) * k : 0);
  ThreadPool pool(threads);
  const auto rows = [&](std::int64_t row, std::int64_t count, float* buffer, std::int64_t& stride) -> const float* {
    const float* from = x.a.data() + row * k;
    stride = k;
    return gathered ? std::copy_n(from, count * k, buffer) - count * k : from;
  };
  matmul({.m = m,
          .n = n,
          .k = k,
          .b = x.b.data(),
          .c = c.middle().data(),
          .c_stride = c_stride,
          .epilogue = {.bias = x.bias.data(), .residual = x.residual.data(), .activation = ActivationKind::kRelu}},
         rows, gathered ? buffers.middle().data() : nullptr, pool);
  EXPECT_TRUE(c.untouched_outside());
  EXPECT_TRUE(buffers.untouched_outside());
  return {c.middle().begin(), c.middle().end()};
}

TEST(Matmul, EqualsAPlainLoopAroundTheBordersOfItsTiles) {
  for (const std::int64_t m : {1, 2, 49, 197, 1023, 1024, 1025, 1300}) {
    for (const std::int64_t n : {1, 16, 63, 65, 257, 513, 1001}) {
      for (const std::int64_t k : {1, 7, 40}) {
        SCOPED_TRACE(testing::Message() << m << " x " << n << " x " << k);
        const std::int64_t stride = n + 3;
        const Operands x = random_operands(m, n, k, stride);
        const std::vector<float> found = run(x, m, n, k, stride, false, 1);
        for (std::int64_t i = 0; i < m; ++i) {
          for (std::int64_t j = 0; j < stride; ++j) {
            const float value = found[static_cast<std::size_t>(i * stride + j)];
            if (j >= n) {
              ASSERT_TRUE(std::isnan(value)) << "wrote between the rows, at " << i << ", " << j;
              continue;
            }
            double sum = double{x.bias[static_cast<std::size_t>(j)]} +
                         double{x.residual[static_cast<std::size_t>(i * stride + j)]};
            double magnitude = std::abs(sum) + 1;
            for (std::int64_t p = 0; p < k; ++p) {
              const double product =
                  double{x.a[static_cast<std::size_t>(i * k + p)]} * double{x.b[static_cast<std::size_t>(j * k + p)]};
              sum += product;
              magnitude += std::abs(product);
            }
            // At most k + 2 roundings, each of at most 2^-24 of the magnitudes.
            ASSERT_NEAR(value, std::max(sum, 0.0), magnitude * static_cast<double>(k + 2) * 0x1p-24) << i << ", " << j;
          }
        }
        const bool gathered = m == 1025 || m == 49;
        ASSERT_TRUE(same_bits(found, run(x, m, n, k, stride, gathered, 2))) << "2 threads";
        ASSERT_TRUE(same_bits(found, run(x, m, n, k, stride, gathered, 3))) << "3 threads";
      }
    }
  }
}

}  // namespace
}  // namespace tessera
