#include "core/function_ref.h"

#include <gtest/gtest.h>

#include <memory>
#include <utility>

namespace tessera {
namespace {

TEST(FunctionRef, CallsLambdasWithState) {
  int calls = 0;
  const auto count = [&calls](int by) { return calls += by; };
  const FunctionRef<int(int)> counter = count;
  EXPECT_EQ(counter(2), 2);
  EXPECT_EQ(counter(3), 5);
  EXPECT_EQ(calls, 5);
}

TEST(FunctionRef, CallsMutableObjectsInPlace) {
  auto next = [value = 0]() mutable { return ++value; };
  const FunctionRef<int()> reference = next;
  reference();
  EXPECT_EQ(next(), 2) << "the reference worked on a copy";
}

TEST(FunctionRef, CopiesReferToTheSameObject) {
  int calls = 0;
  auto count = [&calls] { ++calls; };
  FunctionRef<void()> first = count;
  const FunctionRef<void()> second = first;
  first();
  second();
  EXPECT_EQ(calls, 2);
}

TEST(FunctionRef, PassesReferencesAndMoveOnlyValuesThrough) {
  auto take = [](std::unique_ptr<int> value, int& out) { out = *value; };
  const FunctionRef<void(std::unique_ptr<int>, int&)> reference = take;
  int out = 0;
  reference(std::make_unique<int>(7), out);
  EXPECT_EQ(out, 7);
}

}  // namespace
}  // namespace tessera
