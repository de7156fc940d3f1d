// EfficientNet-Lite0 (Tan and Le 2019, arXiv:1905.11946, without squeeze-excite and with ReLU6, for integer hardware).
// Names as timm's efficientnet_lite0. tf_efficientnet_lite0 is the original: TensorFlow's "same" padding, epsilon 1e-3.

#include <array>
#include <charconv>

#include "core/error.h"
#include "models/family.h"
#include "models/modules.h"

namespace tessera {

namespace {

using Json = nlohmann::json;

struct EfficientNetLiteParameters {
  Size2 image_size = 224;
  std::int64_t classes = 1000;
  double norm_eps = 1e-5;
  bool same_padding = false;

  template <class Visitor>
  void fields(Visitor&& visit) {
    visit("image_size", image_size, "pixels: a side, or [height, width]");
    visit("classes", classes, "of the head; 0: the output is the pooled features");
    visit("norm_eps", norm_eps, "added to variances");
    visit("same_padding", same_padding, "TensorFlow's padding; otherwise (kernel - 1) / 2 on all sides");
  }
};

// Table 1 of the paper: a stage of inverted residual blocks.
struct Stage {
  std::int64_t expand, channels, depth, stride, kernel;
};
constexpr std::array<Stage, 7> kLite0{{
    {1, 16, 1, 1, 3},
    {6, 24, 2, 2, 3},
    {6, 40, 2, 2, 5},
    {6, 80, 3, 2, 3},
    {6, 112, 3, 1, 5},
    {6, 192, 4, 2, 5},
    {6, 320, 1, 1, 3},
}};

struct EfficientNetLite {
  const EfficientNetLiteParameters& parameters;

  Value conv_bn(const Scope& s, Value x, const char* conv, const char* norm, Conv2d layer) const {
    layer.bias = false;
    layer.padding_same = parameters.same_padding;
    if (!parameters.same_padding) layer.padding = (layer.kernel.height - 1) / 2;
    return batch_norm(s / norm, conv2d(s / conv, x, layer), static_cast<float>(parameters.norm_eps));
  }
  Value relu6(const Scope& s, Value x) const { return activation(s, x, ActivationKind::kRelu6); }

  // A depthwise convolution and a linear 1x1 projection; the first stage, which does not expand.
  Value separable(const Scope& s, Value x, const Stage& stage, std::int64_t stride) const {
    const std::int64_t channels = x.shape()[3];
    Value y = conv_bn(s, x, "conv_dw", "bn1",
                      {.out_channels = channels, .kernel = stage.kernel, .stride = stride, .groups = channels});
    y = relu6(s / "bn1" / "act", y);
    return conv_bn(s, y, "conv_pw", "bn2", {.out_channels = stage.channels});
  }

  // MobileNetV2's block (arXiv:1801.04381, figure 3): expand, depthwise, project.
  Value inverted_residual(const Scope& s, Value x, const Stage& stage, std::int64_t stride) const {
    const std::int64_t expanded = x.shape()[3] * stage.expand;
    Value y = conv_bn(s, x, "conv_pw", "bn1", {.out_channels = expanded});
    y = relu6(s / "bn1" / "act", y);
    y = conv_bn(s, y, "conv_dw", "bn2",
                {.out_channels = expanded, .kernel = stage.kernel, .stride = stride, .groups = expanded});
    y = relu6(s / "bn2" / "act", y);
    return conv_bn(s, y, "conv_pwl", "bn3", {.out_channels = stage.channels});
  }

  Value block(const Scope& s, Value x, const Stage& stage, std::int64_t stride) const {
    const Value y = stage.expand == 1 ? separable(s, x, stage, stride) : inverted_residual(s, x, stage, stride);
    const bool skip = stride == 1 && x.shape()[3] == stage.channels;
    return output_of(s, skip ? add(s / "add", y, x) : y);
  }
};

Graph build_efficientnet_lite(const EfficientNetLiteParameters& parameters, std::int64_t max_batch) {
  const EfficientNetLite net{parameters};
  Graph graph;
  const Scope s{graph, ""};
  Value x = graph.input({max_batch, parameters.image_size.height, parameters.image_size.width, 3});
  x = net.relu6(s / "bn1" / "act",
                net.conv_bn(s, x, "conv_stem", "bn1", {.out_channels = 32, .kernel = 3, .stride = 2}));
  for (std::size_t i = 0; i < kLite0.size(); ++i) {
    const Scope stage = s / "blocks" / static_cast<int>(i);
    for (int j = 0; j < kLite0[i].depth; ++j) x = net.block(stage / j, x, kLite0[i], j == 0 ? kLite0[i].stride : 1);
    output_of(stage, x);
  }
  x = net.relu6(s / "bn2" / "act", net.conv_bn(s, x, "conv_head", "bn2", {.out_channels = 1280}));
  x = global_average_pool(s / "global_pool", x);
  if (parameters.classes > 0) x = linear(s / "classifier", x, parameters.classes);
  graph.set_output(x);
  return graph;
}

// Table 1 in timm's words; a network of another one is another network.
Json table_in_timms_words() {
  Json stages = Json::array();
  for (const char* stage : {"ds_r1_k3_s1_e1_c16", "ir_r2_k3_s2_e6_c24", "ir_r2_k5_s2_e6_c40", "ir_r3_k3_s2_e6_c80",
                            "ir_r3_k5_s1_e6_c112", "ir_r4_k5_s2_e6_c192", "ir_r1_k3_s1_e6_c320"}) {
    stages.push_back(Json::array({stage}));
  }
  return {{"arch", stages}, {"depth_multiplier", 1.0}, {"fix_first_last", true}};
}

bool take_timm(SaidNetwork& said, const std::string& key, const Json& value) {
  if (key == "pad_type" && (value == "same" || value == "")) {
    said.parameters["same_padding"] = {value == "same", key};
    return true;
  }
  if (key != "norm_layer" || !value.is_object() || value.value("partial", "") != "batchnorm2d") return false;
  if (value.contains("eps")) said.parameters["norm_eps"] = {value.at("eps"), key};
  return value.size() == (value.contains("eps") ? 2U : 1U);
}

// "_blocks.3._depthwise_conv.weight" -> "blocks.2.0.conv_dw.weight": blocks are counted through, from 0.
std::string from_authors(const std::string& name) {
  constexpr std::array<Rename, 5> kOuter{{{"_conv_stem.", "conv_stem."},
                                          {"_bn0.", "bn1."},
                                          {"_conv_head.", "conv_head."},
                                          {"_bn1.", "bn2."},
                                          {"_fc.", "classifier."}}};
  constexpr std::array<Rename, 4> kFirst{
      {{"_depthwise_conv.", "conv_dw."}, {"_bn1.", "bn1."}, {"_project_conv.", "conv_pw."}, {"_bn2.", "bn2."}}};
  constexpr std::array<Rename, 6> kLater{{{"_expand_conv.", "conv_pw."},
                                          {"_bn0.", "bn1."},
                                          {"_depthwise_conv.", "conv_dw."},
                                          {"_bn1.", "bn2."},
                                          {"_project_conv.", "conv_pwl."},
                                          {"_bn2.", "bn3."}}};
  const auto apply = [](std::span<const Rename> rules, std::string_view rest) {
    for (const auto& [from, to] : rules) {
      if (rest.starts_with(from)) return std::string(to) + std::string(rest.substr(from.size()));
    }
    return std::string();
  };
  constexpr std::string_view kBlocks = "_blocks.";
  if (!name.starts_with(kBlocks)) {
    const std::string outer = apply(kOuter, name);
    return outer.empty() ? name : outer;
  }
  std::int64_t index = 0;
  const char* const begin = name.data() + kBlocks.size();
  const auto [end, error] = std::from_chars(begin, name.data() + name.size(), index);
  if (error != std::errc() || end == name.data() + name.size() || *end != '.') return name;
  std::size_t stage = 0;
  while (stage < kLite0.size() && index >= kLite0[stage].depth) index -= kLite0[stage++].depth;
  if (stage == kLite0.size()) return name;
  const std::string_view rest(end + 1, name.data() + name.size());
  const std::string inner = stage == 0 ? apply(kFirst, rest) : apply(kLater, rest);
  return inner.empty() ? name : "blocks." + std::to_string(stage) + "." + std::to_string(index) + "." + inner;
}

Json parameters_of(const RenamedWeights& renamed, const SaidNetwork&) {
  const WeightStore& weights = renamed.weights;
  return {{"classes", weights.contains("classifier.weight") ? dimension(weights, "classifier.weight", 0) : 0}};
}

// Both networks have the same tensors.
void complete(Json&, const RenamedWeights&, const SaidNetwork& said, const Note&) {
  if (!said.architecture.empty()) return;
  throw ModelFileError(
      "efficientnet_lite0 and tf_efficientnet_lite0 have the same tensors, but other padding and another epsilon, and "
      "nothing says which it is: name it by --arch, or put its config.json beside it");
}

}  // namespace

const Family& efficientnet_lite_family() {
  static const Family family{
      .name = "efficientnet_lite",
      .lesson =
          "Blocks that widen a picture's channels six times by a 1x1 convolution, look at each channel alone by a "
          "depthwise one, and narrow the result again; where the shape stays, the block adds to its input. Few "
          "multiplications, but many passes over memory. ReLU6 bounds the values, so that eight bits describe them.",
      .papers = {{"", "Tan and Le 2019, arXiv:1905.11946"}},
      .builder = builder_of<EfficientNetLiteParameters, build_efficientnet_lite>(),
      .rows = {"efficientnet_lite0", "tf_efficientnet_lite0"},
      .timm = {.classes = {"EfficientNet"},
               .decided = {"norm_eps", "same_padding"},
               .only = {{"in_chans", {3}},
                        {"global_pool", {"avg"}},
                        {"features_only", {false}},
                        {"block_args", {table_in_timms_words()}},
                        {"num_features", {1280}},
                        {"stem_size", {32}},
                        {"fix_stem", {true}},
                        {"act_layer", {"relu6"}},
                        {"round_chs_fn", {Json::object({{"partial", "round_channels"}, {"multiplier", 1.0}})}}},
               .take = take_timm},
      .lacks = {{"efficientnet", "EfficientNet's blocks other than Lite0's"}},
      .namings = {{.name = "its authors'",
                   .first_layer = "_conv_stem.weight",
                   .is_of = [](const WeightStore& weights) { return weights.contains("_conv_stem.weight"); },
                   .rename = from_authors},
                  {.name = "timm",
                   .first_layer = "conv_stem.weight",
                   .is_of = [](const WeightStore& weights) { return weights.contains("conv_stem.weight"); }}},
      .is_of = [](const WeightStore& weights) { return weights.contains("blocks.0.0.conv_dw.weight"); },
      .parameters_of = parameters_of,
      .complete = complete,
      .references = {{"efficientnet_lite0", "efficientnet_lite0", 12, "{}", 60, "--count 2 --samples 24 --every 2"},
                     {"tf_efficientnet_lite0", "tf_efficientnet_lite0", 13, "{}", 60,
                      "--count 2 --samples 24 --every 2"},
                     {"tf_efficientnet_lite0_97x130", "tf_efficientnet_lite0", 28, R"({"image_size": [97, 130]})", 40,
                      "--samples 16 --every 2"}},
      .selftest = {{"efficientnet_lite0", 64, true}, {"tf_efficientnet_lite0", 64}}};
  return family;
}

}  // namespace tessera
