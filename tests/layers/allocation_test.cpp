// Neither a layer's forward() nor a CPU kernel allocates, at the shapes of ResNet-50, ViT-B/16 and EfficientNet-Lite0,
// on one thread and on two.

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>

#include "cpu/cpu_backend.h"
#include "engine/program.h"
#include "models/registry.h"
#include "weights/seeded.h"

namespace {

std::atomic<std::int64_t> allocations{0};
std::atomic<bool> counting{false};

void count() {
  if (counting) ++allocations;
}

}  // namespace

// glibc's allocator under our names: every allocation of the process comes through here, Eigen's and the library's
// alike.
extern "C" {
void* __libc_malloc(std::size_t bytes);
void* __libc_calloc(std::size_t count, std::size_t bytes);
void* __libc_realloc(void* memory, std::size_t bytes);
void* __libc_memalign(std::size_t alignment, std::size_t bytes);
void* malloc(std::size_t bytes) {
  count();
  return __libc_malloc(bytes);
}
void* calloc(std::size_t number, std::size_t bytes) {
  count();
  return __libc_calloc(number, bytes);
}
void* realloc(void* memory, std::size_t bytes) {
  count();
  return __libc_realloc(memory, bytes);
}
void* aligned_alloc(std::size_t alignment, std::size_t bytes) {
  count();
  return __libc_memalign(alignment, bytes);
}
int posix_memalign(void** memory, std::size_t alignment, std::size_t bytes) {
  count();
  *memory = __libc_memalign(alignment, bytes);
  return *memory == nullptr ? 12 : 0;
}
}

namespace tessera {
namespace {

class Allocation : public testing::TestWithParam<std::tuple<const char*, int, bool, bool>> {};

TEST_P(Allocation, RunDoesNotAllocate) {
  const auto& [name, threads, optimise, fast] = GetParam();
  LoadedModel model = seeded_model(make_config(name), 1, 2);
  const auto program =
      Program::compile(build_graph(model.card.config, 2), std::move(model.weights),
                       *(fast ? make_cpu_backend() : make_eigen_backend()), {.optimise = optimise, .threads = threads});
  Session session(program);
  const Tensor input = Tensor::filled(program->graph().shape(program->graph().input_id()), 0.5F);
  Shape one = input.shape();
  one[0] = 1;
  session.run(input.view());
  allocations = 0;
  counting = true;
  session.run(input.view());
  session.run({input.data(), one});
  counting = false;
  EXPECT_EQ(allocations, 0);
}

INSTANTIATE_TEST_SUITE_P(Models, Allocation,
                         testing::Combine(testing::Values("resnet50", "vit_base_patch16_224", "efficientnet_lite0"),
                                          testing::Values(1, 2), testing::Bool(), testing::Bool()));

TEST(AllocationCounter, SeesAnAllocation) {
  allocations = 0;
  counting = true;
  void* volatile memory = std::malloc(16);
  counting = false;
  std::free(memory);
  EXPECT_EQ(allocations, 1);
}

}  // namespace
}  // namespace tessera
