#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <map>
#include <random>

#include "core/error.h"
#include "core/quantile.h"
#include "engine/node_times.h"
#include "engine/program.h"
#include "engine/taps.h"
#include "models/modules.h"

namespace tessera {
namespace {

// conv -> norm -> relu, twice, with a shortcut: [n, 6, 5, 3] -> [n, 4].
Graph small_graph(std::int64_t batch) {
  Graph graph;
  const Scope s{graph, ""};
  Value x = graph.input({batch, 6, 5, 3});
  Value y = conv2d(s / "conv1", x, {.out_channels = 8, .kernel = 3, .padding = 1, .bias = false});
  y = relu(s / "act1", batch_norm(s / "bn1", y, 1e-5F));
  Value z = conv2d(s / "conv2", y, {.out_channels = 8, .kernel = 3, .padding = 1, .bias = false});
  z = batch_norm(s / "bn2", z, 1e-5F);
  z = output_of(s / "block", relu(s / "act2", add(s / "add", z, y)));
  z = global_average_pool(s / "pool", z);
  graph.set_output(linear(s / "fc", dropout(s / "drop", z), 4));
  return graph;
}

WeightStore random_weights(const Graph& graph, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> uniform(0.1F, 1.0F);
  WeightStore store;
  for (const WeightSpec& spec : graph.weight_specs()) {
    Tensor tensor(spec.shape);
    for (float& value : tensor.values()) value = uniform(random) - (spec.name.ends_with("var") ? 0.0F : 0.5F);
    store.put(spec.name, std::move(tensor));
  }
  return store;
}

Tensor random_input(const Shape& shape) {
  std::mt19937 random(5);
  std::normal_distribution<float> normal;
  Tensor tensor(shape);
  for (float& value : tensor.values()) value = normal(random);
  return tensor;
}

// The readable backend, as if it had a cache of so many bytes for activations.
class BackendWithCache final : public Backend {
 public:
  explicit BackendWithCache(std::size_t cache) : cache_(cache) {}
  std::string_view name() const noexcept override { return "cached"; }
  std::size_t activation_cache() const noexcept override { return cache_; }
  std::unique_ptr<Kernel> prepare(const NodeRequest& request, std::vector<Tensor> weights) const override {
    return eigen_->prepare(request, std::move(weights));
  }

 private:
  std::size_t cache_;
  std::unique_ptr<Backend> eigen_ = make_eigen_backend();
};

std::shared_ptr<const Program> compile(Graph graph, CompileOptions options, std::size_t cache = 0) {
  WeightStore weights = random_weights(graph, 1);
  return Program::compile(std::move(graph), std::move(weights), BackendWithCache(cache), options);
}

TEST(Passes, FuseABlockIntoItsConvolutions) {
  const auto program = compile(small_graph(1), {});
  std::vector<std::string> paths;
  for (const Node& node : program->graph().nodes()) paths.push_back(node.path);
  EXPECT_EQ(paths, (std::vector<std::string>{"conv1", "conv2", "pool", "fc"}));
  EXPECT_EQ(program->graph().nodes()[1].origin, (std::vector<std::string>{"conv2", "bn2", "add", "act2"}));
}

TEST(Passes, FuseAResidualIntoTheLaterProducerWhicheverSideItStandsOn) {
  for (const bool swapped : {false, true}) {
    Graph graph;
    const Scope s{graph, ""};
    const Value x = graph.input({1, 4, 4, 3});
    const Value a = conv2d(s / "a", x, {.out_channels = 3});
    const Value b = conv2d(s / "b", x, {.out_channels = 3});
    graph.set_output(swapped ? add(s / "add", a, b) : add(s / "add", b, a));
    fuse_residual(graph, {});
    ASSERT_NO_THROW(graph.verify());
    ASSERT_EQ(graph.nodes().size(), 2U);
    EXPECT_EQ(graph.nodes()[1].path, "b");
    EXPECT_TRUE(std::get<Conv2d>(graph.nodes()[1].layer).residual);
  }
}

TEST(Passes, LeaveAlonePiecesThatSeveralLayersRead) {
  Graph graph;
  const Scope s{graph, ""};
  const Value x = graph.input({1, 4, 4, 3});
  const Value y = conv2d(s / "conv", x, {.out_channels = 3});
  const Value z = relu(s / "act", y);
  graph.set_output(add(s / "add", z, y));
  run_passes(graph, {});
  EXPECT_EQ(graph.nodes().size(), 3U);
}

TEST(Passes, DropIdentities) {
  Graph graph;
  const Scope s{graph, ""};
  Value x = graph.input({1, 4, 4, 3});
  x = max_pool(s / "pool", x, 1, 1, 0);
  x = activation(s / "none", x, ActivationKind::kNone);
  x = emit(s / "concat", Concat{}, std::vector<Value>{x});
  x = dropout(s / "drop", x);
  graph.set_output(conv2d(s / "conv", x, {.out_channels = 1}));
  run_passes(graph, {});
  EXPECT_EQ(graph.nodes().size(), 1U);
  EXPECT_EQ(graph.names().at("drop"), graph.input_id());
}

TEST(Passes, VerifyFindsABrokenOrder) {
  Graph graph = small_graph(1);
  std::swap(graph.mutable_nodes()[0], graph.mutable_nodes()[1]);
  EXPECT_THROW(graph.verify(), InternalError);
}

TEST(Program, GivesTheSameResultsFusedAndUnfused) {
  const Tensor input = random_input({2, 6, 5, 3});
  Session raw(compile(small_graph(2), {.optimise = false}));
  Session fused(compile(small_graph(2), {}));
  const ConstView a = raw.run(input.view());
  const ConstView b = fused.run(input.view());
  ASSERT_EQ(a.shape(), (Shape{2, 4}));
  for (std::int64_t i = 0; i < a.count(); ++i) EXPECT_NEAR(a.data()[i], b.data()[i], 2e-6);
}

TEST(Program, TapsStopTheFusionsThatWouldHideThem) {
  const Tensor input = random_input({1, 6, 5, 3});
  Session all(compile(small_graph(1), {.optimise = false, .taps = {"*"}}));
  all.run(input.view());
  for (const std::string name : {"conv1", "bn1", "act1", "bn2", "add", "block", "drop", "fc"}) {
    Session tapped(compile(small_graph(1), {.taps = {name}}));
    tapped.run(input.view());
    const Tensor expected = all.tap(name);
    const Tensor found = tapped.tap(name);
    ASSERT_EQ(found.shape(), expected.shape());
    for (std::int64_t i = 0; i < found.shape().count(); ++i)
      ASSERT_NEAR(found.data()[i], expected.data()[i], 2e-6) << name;
  }
}

// Gives each tensor another shape than it was asked for.
class MisshapenWeights final : public WeightSource {
 public:
  Tensor take(const WeightSpec& spec) override { return Tensor::zeros({spec.shape.count() + 1}); }
};

TEST(Program, TakesNoTensorOfAnotherShape) {
  MisshapenWeights weights;
  EXPECT_THROW(Program::compile(small_graph(1), weights, BackendWithCache(0), {.threads = 2}), InternalError);
}

TEST(Program, RefusesATapThatMatchesNothing) {
  EXPECT_THROW(compile(small_graph(1), {.taps = {"conv9"}}), UsageError);
  Session session(compile(small_graph(1), {.taps = {"conv?"}}));
  EXPECT_THROW(session.tap("conv1"), UsageError);  // nothing has run
  EXPECT_THROW(session.tap("bn1"), UsageError);
}

TEST(Program, RunsSmallerBatchesToTheSameBits) {
  const Tensor input = random_input({3, 6, 5, 3});
  Session session(compile(small_graph(3), {.threads = 2}));
  const ConstView whole = session.run(input.view());
  const std::vector<float> together(whole.values().begin(), whole.values().end());
  for (std::int64_t n = 0; n < 3; ++n) {
    const ConstView one = session.run(ConstView(input.view()).slice(n));
    ASSERT_EQ(one.shape(), (Shape{1, 4}));
    EXPECT_TRUE(std::ranges::equal(one.values(), std::span(together).subspan(static_cast<std::size_t>(4 * n), 4)));
  }
}

TEST(Program, RefusesInputsOfAnotherShape) {
  Session session(compile(small_graph(2), {}));
  EXPECT_THROW(session.run(random_input({3, 6, 5, 3}).view()), UsageError);
  EXPECT_THROW(session.run(random_input({1, 5, 5, 3}).view()), UsageError);
  EXPECT_THROW(session.run(random_input({6, 5, 3}).view()), UsageError);
}

TEST(MemoryPlan, NeverLaysTwoLivingValuesOverEachOther) {
  for (const bool fused : {false, true}) {
    Graph graph = small_graph(2);
    if (fused) run_passes(graph, {});
    const std::set<ValueId> kept{graph.names().at("block")};
    const MemoryPlan plan = plan_memory(graph, std::vector<ValueType>(graph.value_count()), kept);
    // Brute force: at each node, no living value shares bytes with another, but for the input that is overwritten.
    const auto end_of = [&](ValueId id) {
      return plan.offsets[static_cast<std::size_t>(id)] + static_cast<std::size_t>(graph.shape(id).count()) * 4;
    };
    std::map<ValueId, std::size_t> last;
    for (std::size_t n = 0; n < graph.nodes().size(); ++n) {
      for (const ValueId id : graph.nodes()[n].inputs) last[id] = n;
    }
    for (const ValueId id : kept) last[id] = graph.nodes().size();
    last[graph.output_id()] = graph.nodes().size();
    std::set<ValueId> living;
    for (std::size_t n = 0; n < graph.nodes().size(); ++n) {
      const Node& node = graph.nodes()[n];
      for (const ValueId other : living) {
        const bool dies_here = last[other] == n && other == node.inputs[0] && layer_may_overwrite_input(node.layer);
        if (dies_here) continue;
        const bool apart = end_of(other) <= plan.offsets[static_cast<std::size_t>(node.output)] ||
                           end_of(node.output) <= plan.offsets[static_cast<std::size_t>(other)];
        EXPECT_TRUE(apart) << node.path;
      }
      std::erase_if(living, [&](ValueId id) { return last[id] <= n; });
      living.insert(node.output);
      EXPECT_LE(end_of(node.output), plan.arena_bytes);
    }
    EXPECT_LT(plan.arena_bytes, plan.separate_bytes);
  }
}

TEST(WeightCheck, ListsAllFaultsAtOnce) {
  const Graph graph = small_graph(1);
  WeightStore store = random_weights(graph, 1);
  store.take("conv1.weight");
  store.take("fc.bias");
  store.put("fc.bias", Tensor::zeros({5}));
  store.put("surplus", Tensor::zeros({1}));
  Tensor bad = store.take("bn2.bias");
  bad.data()[3] = std::numeric_limits<float>::quiet_NaN();
  store.put("bn2.bias", std::move(bad));
  try {
    check_weights(store, graph.weight_specs(), "model.h5");
    FAIL();
  } catch (const ModelFileError& error) {
    const std::string text = error.what();
    for (const char* part : {"model.h5", "4 tensor(s)", "missing: conv1.weight [8, 3, 3, 3]",
                             "wrong shape: fc.bias: expected [4], found [5]", "unexpected: surplus",
                             "not finite: bn2.bias has a NaN or infinite value at index 3"}) {
      EXPECT_NE(text.find(part), std::string::npos) << part << " in " << text;
    }
  }
}

TEST(NodeTimes, TimesEveryNodeOfEveryRun) {
  const auto program = compile(small_graph(2), {});
  Session session(program);
  NodeTimes profile(*program);
  Observer* const observers[] = {&profile};
  const Tensor input = random_input({2, 6, 5, 3});
  EXPECT_TRUE(profile.rows().empty());
  for (int run = 0; run < 5; ++run) session.run(input.view(), observers);
  const std::vector<NodeTime> rows = profile.rows();
  ASSERT_EQ(rows.size(), program->graph().nodes().size());
  EXPECT_EQ(rows[0].macs, 2 * 6 * 5 * 8 * 9 * 3);
  EXPECT_EQ(rows[0].bytes, 4 * (2 * 90 + 2 * 240 + 216 + 8));  // the norm is in the weights
  EXPECT_EQ(rows[0].implementation, "eigen");
  for (const NodeTime& row : rows) {
    EXPECT_EQ(row.times_us.size(), 5U);
    EXPECT_TRUE(std::ranges::all_of(row.times_us, [](double us) { return us > 0; }));
  }
}

TEST(Taps, StandInTheOrderOfExecutionInnerNamesFirst) {
  const auto program = compile(small_graph(1), {.optimise = false, .taps = {"*"}});
  std::vector<std::string> paths;
  for (const TappedValue& value : tapped_values(*program)) paths.push_back(value.path);
  EXPECT_EQ(paths, (std::vector<std::string>{"conv1", "bn1", "act1", "conv2", "bn2", "add", "act2", "block", "pool",
                                             "drop", "fc"}));
  EXPECT_TRUE(
      undone_fusions(fused_graph(small_graph(1), BackendWithCache(0)), *program).empty());  // nothing was to be fused
}

TEST(Taps, NameTheFusionsThatTheyUndo) {
  const Graph fused = fused_graph(small_graph(1), BackendWithCache(0));
  const auto undone = [&](const std::vector<std::string>& taps) {
    std::vector<std::string> text;
    for (const UndoneFusion& fusion : undone_fusions(fused, *compile(small_graph(1), {.taps = taps}))) {
      text.push_back(to_string(fusion));
    }
    return text;
  };
  EXPECT_EQ(undone({"block"}), std::vector<std::string>{});
  EXPECT_EQ(undone({"conv1"}), std::vector<std::string>{"conv1 | bn1 | act1"});
  EXPECT_EQ(undone({"bn2"}), std::vector<std::string>{"conv2 + bn2 | add | act2"});
  EXPECT_EQ(undone({"add", "bn1"}), (std::vector<std::string>{"conv1 + bn1 | act1", "conv2 + bn2 + add | act2"}));
}

TEST(Taps, MayBeThoseThatFusionsKeep) {
  const Graph fused = fused_graph(small_graph(1), BackendWithCache(0));
  EXPECT_EQ(names_that_fusions_keep(fused, {"*"}),
            (std::vector<std::string>{"act1", "act2", "block", "drop", "fc", "pool"}));
  EXPECT_EQ(names_that_fusions_keep(fused, {"conv?", "act?"}), (std::vector<std::string>{"act1", "act2"}));
  EXPECT_THROW(names_that_fusions_keep(fused, {"conv?"}), UsageError);
}

// A lane of one thread has half of the cache for activations: the other half is for weights.
TEST(Parts, OfABatchFitTheCache) {
  const std::size_t one = compile(small_graph(1), {})->plan().arena_bytes;
  EXPECT_EQ(compile(small_graph(6), {}, 0)->at_a_time(), 6);
  EXPECT_EQ(compile(small_graph(6), {}, 1)->at_a_time(), 1);
  EXPECT_EQ(compile(small_graph(6), {}, 10 * one)->at_a_time(), 3);
  EXPECT_EQ(compile(small_graph(7), {}, 10 * one)->at_a_time(), 1);
  EXPECT_EQ(compile(small_graph(6), {}, 12 * one)->at_a_time(), 6);
  EXPECT_EQ(compile(small_graph(6), {.taps = {"block"}}, 1)->at_a_time(), 6);
  EXPECT_LE(compile(small_graph(6), {}, 4 * one)->plan().arena_bytes, 2 * one);
}

TEST(Parts, GoToThreadsThatWorkOnTheirOwnWhereAllHaveSome) {
  const std::size_t one = compile(small_graph(1), {})->plan().arena_bytes;
  const auto plan = [&](std::int64_t batch, int threads, std::size_t cache) {
    const auto program = compile(small_graph(batch), {.threads = threads}, cache);
    return std::pair(program->lanes(), program->at_a_time());
  };
  using Plan = std::pair<int, std::int64_t>;
  EXPECT_EQ(plan(6, 2, 100 * one), Plan(2, 3));
  EXPECT_EQ(plan(6, 2, 11 * one), Plan(2, 1));  // 2 would be three parts for two threads
  EXPECT_EQ(plan(8, 2, 11 * one), Plan(2, 2));
  EXPECT_EQ(plan(1, 2, 100 * one), Plan(1, 1));
  EXPECT_EQ(plan(3, 2, 3 * one), Plan(1, 3));     // one thread would wait for a third of the time
  EXPECT_EQ(plan(19, 2, 100 * one), Plan(2, 1));  // for a twentieth
  EXPECT_EQ(plan(4, 8, 4 * one), Plan(1, 4));
  EXPECT_EQ(plan(6, 2, 0), Plan(1, 6));
  const auto lanes = compile(small_graph(6), {.threads = 3}, 100 * one);
  EXPECT_EQ(lanes->activation_bytes(),
            3 * (lanes->plan().arena_bytes + 4 * static_cast<std::size_t>(lanes->scratch())));
}

TEST(Parts, GiveTheResultsOfTheWholeBatch) {
  const std::size_t one = compile(small_graph(1), {})->plan().arena_bytes;
  Session whole(compile(small_graph(6), {}));
  for (const int threads : {1, 2, 3, 4, 6}) {
    Session parts(compile(small_graph(6), {.threads = threads}, 4 * one));
    ASSERT_LT(parts.program().at_a_time(), 6);
    EXPECT_EQ(parts.program().lanes(), threads == 4 ? 1 : threads);
    EXPECT_EQ(parts.program().max_batch(), 6);
    for (const std::int64_t batch : {6, 5, 2, 1, 6}) {
      const Tensor input = random_input({batch, 6, 5, 3});
      const ConstView expected = whole.run(input.view()), found = parts.run(input.view());
      ASSERT_EQ(found.shape(), (Shape{batch, 4}));
      EXPECT_TRUE(std::ranges::equal(found.values(), expected.values())) << batch << ", threads " << threads;
    }
    EXPECT_THROW(parts.run(random_input({7, 6, 5, 3}).view()), UsageError);
  }
}

// Every picture's nodes, in order, one at a time, on one lane: any, as threads that are done help the others.
TEST(Parts, OfSeveralLanesAreToldOfOneAtATime) {
  class Watch final : public Observer {
   public:
    void before_run() override {
      seen.clear();
      lane.clear();
    }
    void after_node(const NodeEvent& event) override {
      EXPECT_EQ(inside.exchange(true), false) << "two calls at once";
      EXPECT_EQ(event.lanes_at_once, lanes_at_once);
      EXPECT_LT(event.lane, 3);
      for (std::int64_t i = 0; i < event.output.shape()[0]; ++i) {
        EXPECT_EQ(seen[event.picture + i]++, event.index) << "picture " << event.picture + i;
        EXPECT_EQ(lane.try_emplace(event.picture + i, event.lane).first->second, event.lane);
      }
      inside = false;
    }
    std::map<std::int64_t, std::size_t> seen;  // by picture: nodes
    std::map<std::int64_t, int> lane;          // by picture
    int lanes_at_once = 0;
    std::atomic<bool> inside{false};
  };
  const auto program = compile(small_graph(9), {.threads = 3}, 1);
  ASSERT_EQ(program->lanes(), 3);
  Session session(program);
  Watch watch;
  Observer* const observers[] = {&watch};
  for (const std::int64_t batch : {9, 4, 2, 1}) {
    watch.lanes_at_once = static_cast<int>(std::min<std::int64_t>(batch, 3));
    session.run(random_input({batch, 6, 5, 3}).view(), observers);
    EXPECT_EQ(watch.seen.size(), static_cast<std::size_t>(batch));
    for (const auto& [picture, nodes] : watch.seen) EXPECT_EQ(nodes, program->graph().nodes().size()) << picture;
  }
}

TEST(Parts, OfABatchAreOneRunOfAProfile) {
  for (const int threads : {1, 2}) {
    const auto program = compile(small_graph(6), {.threads = threads}, 1);
    ASSERT_EQ(program->lanes(), threads);
    Session session(program);
    NodeTimes profile(*program);
    Observer* const observers[] = {&profile};
    const Tensor input = random_input({6, 6, 5, 3});
    for (int run = 0; run < 3; ++run) session.run(input.view(), observers);
    const std::vector<NodeTime> rows = profile.rows();
    EXPECT_EQ(rows[0].output, (Shape{6, 6, 5, 8}));
    EXPECT_EQ(rows[0].macs, 6 * 6 * 5 * 8 * 9 * 3);
    EXPECT_EQ(rows[0].times_us.size(), 3U);
  }
}

// Where several lanes run at the same time, what a node takes of the run is its time by their number.
TEST(NodeTimes, DividesTimesByTheLanes) {
  const auto program = compile(small_graph(4), {.threads = 2}, 1);
  ASSERT_EQ(program->lanes(), 2);
  const Node& node = program->graph().nodes()[0];
  const Tensor output(Shape{2, 6, 5, 8});
  const auto event = [&](std::int64_t picture, int lane, int lanes, std::int64_t ns) {
    return NodeEvent{0, node, program->kernel(0), picture, lane, lanes, output.view(), 1000, 1000 + ns};
  };
  NodeTimes profile(*program);
  profile.before_run();
  profile.after_node(event(2, 1, 2, 5000));  // lanes are told of as they come
  profile.after_node(event(0, 0, 2, 7000));
  profile.before_run();
  profile.after_node(event(0, 0, 1, 9000));
  const std::vector<NodeTime> rows = profile.rows();
  EXPECT_EQ(rows[0].times_us, (std::vector<double>{6, 9}));
}

TEST(Quantile, IsTheNearestRank) {
  std::vector<double> values(1000);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<double>(i + 1);
  EXPECT_EQ(quantile(values, 0.5), 500);
  EXPECT_EQ(quantile(values, 0.9), 900);
  EXPECT_EQ(quantile(values, 0.99), 990);
  EXPECT_EQ(quantile(values, 0), 1);
  EXPECT_EQ(quantile(values, 1), 1000);
  EXPECT_THROW(quantile({}, 0.5), InternalError);
}

TEST(Glob, MatchesStarsAndQuestionMarks) {
  EXPECT_TRUE(glob_match("*", ""));
  EXPECT_TRUE(glob_match("blocks.*.attn.qkv", "blocks.11.attn.qkv"));
  EXPECT_TRUE(glob_match("layer?.0", "layer1.0"));
  EXPECT_FALSE(glob_match("layer?.0", "layer1.0.conv1"));
  EXPECT_FALSE(glob_match("", "x"));
  EXPECT_TRUE(glob_match("*a*b", "aabab"));
  EXPECT_FALSE(glob_match("*a*b", "aabac"));
}

TEST(Graph, NamesTheLayerInShapeErrors) {
  Graph graph;
  const Scope s{graph, "layer1"};
  const Value x = graph.input({1, 4, 4, 3});
  try {
    conv2d(s / "conv1", x, {.out_channels = 4, .groups = 2});
    FAIL();
  } catch (const UsageError& error) {
    EXPECT_EQ(std::string(error.what()).find("layer1.conv1: Conv2d"), 0U) << error.what();
  }
  conv2d(s / "conv2", x, {.out_channels = 4});
  EXPECT_THROW(conv2d(s / "conv2", x, {.out_channels = 4}), InternalError);
}

}  // namespace
}  // namespace tessera
