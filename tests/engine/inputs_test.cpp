// Graphs with several inputs, each with its name and its type.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <functional>
#include <string>

#include "core/error.h"
#include "engine/program.h"
#include "layers/draw.h"
#include "models/modules.h"

namespace tessera {
namespace {

// gelu(x * gate) with x [n, 4, 3, 5] and gate [n, 1, 1, 5], declared in this order.
Graph gated(std::int64_t batch) {
  Graph graph;
  const Scope s{graph, ""};
  const Value x = graph.input("x", {batch, 4, 3, 5});
  const Value gate = graph.input("gate", {batch, 1, 1, 5});
  const Value y = emit(s / "multiply", Multiply{}, {x, gate});
  graph.set_output(activation(s / "act", y, ActivationKind::kGelu));
  return graph;
}

// The readable backend, with room in its cache for one picture, so that batches go in parts.
class SmallCache final : public Backend {
 public:
  std::string_view name() const noexcept override { return "small"; }
  std::size_t activation_cache() const noexcept override { return 1; }
  std::unique_ptr<Kernel> prepare(const NodeRequest& request, std::vector<Tensor> weights) const override {
    return eigen_->prepare(request, std::move(weights));
  }

 private:
  std::unique_ptr<Backend> eigen_ = make_eigen_backend();
};

Session session_of(Graph graph, const Backend& backend, int threads = 1) {
  return Session(Program::compile(std::move(graph), WeightStore(), backend, {.threads = threads}));
}

std::string refusal(const std::function<void()>& call) {
  try {
    call();
  } catch (const UsageError& error) {
    return error.what();
  }
  return "it was not refused";
}

void expect_says(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << text;
}

TEST(GraphInputs, AreRunByNameInAnyOrderInPartsAndOnLanes) {
  Draw draw(1);
  const Tensor x = draw.tensor({6, 4, 3, 5}, 1), gate = draw.tensor({6, 1, 1, 5}, 1);
  Session whole = session_of(gated(6), *make_eigen_backend());
  const std::array<NamedInput, 2> in_order{{{"x", x.view()}, {"gate", gate.view()}}};
  const ConstView expected = whole.run(in_order);
  for (std::int64_t i = 0; i < expected.count(); ++i) {
    float value = x.data()[i] * gate.data()[i / 60 * 5 + i % 5];
    activate(ActivationKind::kGelu, {&value, 1});
    ASSERT_EQ(expected.data()[i], value) << i;
  }
  for (const int threads : {1, 3}) {
    Session parts = session_of(gated(6), SmallCache(), threads);
    const std::array<NamedInput, 2> swapped{{{"gate", gate.view()}, {"x", x.view()}}};
    EXPECT_TRUE(std::ranges::equal(parts.run(swapped).values(), expected.values())) << threads << " threads";
  }
}

TEST(GraphInputs, OfAnotherNameTypeOrShapeAreRefusedByName) {
  Draw draw(1);
  const Tensor x = draw.tensor({2, 4, 3, 5}, 1), gate = draw.tensor({2, 1, 1, 5}, 1),
               few = draw.tensor({1, 1, 1, 5}, 1);
  const ConstValueView as_ids(reinterpret_cast<const std::byte*>(x.data()), {.dtype = DType::kI32}, x.shape());
  Session session = session_of(gated(2), *make_eigen_backend());
  const auto run = [&](const std::vector<NamedInput>& inputs) { return refusal([&] { session.run(inputs); }); };
  expect_says(run({{"x", x.view()}, {"gates", gate.view()}}), "there is no input 'gates'");
  expect_says(run({{"x", x.view()}, {"gates", gate.view()}}), "x f32 [2, 4, 3, 5], gate f32 [2, 1, 1, 5]");
  expect_says(run({{"x", as_ids}, {"gate", gate.view()}}), "input 'x' is i32");
  expect_says(run({{"x", gate.view()}, {"gate", gate.view()}}), "input 'x' is [2, 1, 1, 5]");
  expect_says(run({{"x", x.view()}, {"gate", few.view()}}), "input 'gate' is [1, 1, 1, 5]");
  expect_says(run({{"x", x.view()}, {"x", x.view()}}), "input 'x' is given twice");
  expect_says(run({{"x", x.view()}}), "not every input is given");
  expect_says(refusal([&] { session.run(x.view()); }), "the model takes x f32 [2, 4, 3, 5], gate f32");
  const std::array<NamedInput, 2> good{{{"x", x.view()}, {"gate", gate.view()}}};
  EXPECT_NO_THROW(session.run(good));
}

TEST(GraphInputs, AreDeclaredOnceAndForOneBatch) {
  Graph graph;
  graph.input("tokens", {2, 77}, DType::kI64);
  expect_says(refusal([&] { graph.input("tokens", {2, 77}); }), "two inputs are called 'tokens'");
  expect_says(refusal([&] { graph.input("image", {3, 8, 8, 3}); }), "another batch");
  expect_says(refusal([&] { graph.input("image", {2, 8, 8, 3}, DType::kU8); }), "not u8");
}

TEST(GraphInputs, OfIndicesGoToNoLayerThatComputesWithThem) {
  Graph graph;
  const Value tokens = graph.input("tokens", {2, 77}, DType::kI64);
  expect_says(refusal([&] { linear(Scope{graph, "fc"}, tokens, 4); }), "fc: Linear takes f32, not i64");
}

TEST(GraphInputs, OneIsCalledImageWhereNothingIsSaid) {
  Graph graph;
  graph.set_output(relu(Scope{graph, "act"}, graph.input({2, 4, 4, 3})));
  Session session = session_of(std::move(graph), *make_eigen_backend());
  const Tensor picture = Tensor::filled({1, 4, 4, 3}, -1.0F);
  const std::array<NamedInput, 1> named{{{"image", picture.view()}}};
  EXPECT_TRUE(std::ranges::all_of(session.run(named).values(), [](float value) { return value == 0; }));
  EXPECT_TRUE(std::ranges::all_of(session.run(picture.view()).values(), [](float value) { return value == 0; }));
}

}  // namespace
}  // namespace tessera
