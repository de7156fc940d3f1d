// ResNet (He et al. 2015, arXiv:1512.03385), names and stride placement as timm's resnet18 ... resnet152.

#include <algorithm>
#include <array>
#include <cctype>

#include "models/family.h"
#include "models/modules.h"

namespace tessera {

namespace {

using Json = nlohmann::json;

struct ResNetParameters {
  Size2 image_size = 224;
  bool bottleneck = true;
  std::array<std::int64_t, 4> depths{3, 4, 6, 3};
  std::int64_t width = 64;
  std::int64_t classes = 1000;
  double norm_eps = 1e-5;

  template <class Visitor>
  void fields(Visitor&& visit) {
    visit("image_size", image_size, "pixels: a side, or [height, width]");
    visit("bottleneck", bottleneck, "table 1: blocks of 1x1, 3x3, 1x1 convolutions; false: of two 3x3 (18, 34)");
    visit("depths", depths, "blocks of the four stages");
    visit("width", width, "channels of the stem and the first stage; doubled at each stage");
    visit("classes", classes, "of the head; 0: the output is the pooled features");
    visit("norm_eps", norm_eps, "added to variances");
  }
};

struct ResNet {
  const ResNetParameters& parameters;

  Value conv_bn(const Scope& s, Value x, const char* conv, const char* norm, Conv2d layer) const {
    layer.bias = false;
    return batch_norm(s / norm, conv2d(s / conv, x, layer), static_cast<float>(parameters.norm_eps));
  }

  // The identity, or a 1x1 convolution where the shape changes (option B of section 3.3).
  Value shortcut(const Scope& s, Value x, std::int64_t channels, std::int64_t stride) const {
    if (stride == 1 && x.shape()[3] == channels) return x;
    const Scope d = s / "downsample";
    return output_of(d, conv_bn(d, x, "0", "1", {.out_channels = channels, .stride = stride}));
  }

  // Figure 5 left.  [N, H, W, C] -> [N, H / stride, W / stride, width]
  Value basic_block(const Scope& s, Value x, std::int64_t width, std::int64_t stride) const {
    Value y = conv_bn(s, x, "conv1", "bn1", {.out_channels = width, .kernel = 3, .stride = stride, .padding = 1});
    y = relu(s / "act1", y);
    y = conv_bn(s, y, "conv2", "bn2", {.out_channels = width, .kernel = 3, .padding = 1});
    y = add(s / "add", y, shortcut(s, x, width, stride));
    return output_of(s, relu(s / "act2", y));
  }

  // Figure 5 right; the stride is on the 3x3 convolution ("v1.5").  [N, H, W, C] -> [N, H / stride, W / stride, 4
  // width]
  Value bottleneck(const Scope& s, Value x, std::int64_t width, std::int64_t stride) const {
    Value y = conv_bn(s, x, "conv1", "bn1", {.out_channels = width});
    y = relu(s / "act1", y);
    y = conv_bn(s, y, "conv2", "bn2", {.out_channels = width, .kernel = 3, .stride = stride, .padding = 1});
    y = relu(s / "act2", y);
    y = conv_bn(s, y, "conv3", "bn3", {.out_channels = 4 * width});
    y = add(s / "add", y, shortcut(s, x, 4 * width, stride));
    return output_of(s, relu(s / "act3", y));
  }

  Value stage(const Scope& s, Value x, std::int64_t width, std::int64_t depth, std::int64_t stride) const {
    for (int i = 0; i < depth; ++i) {
      const std::int64_t block_stride = i == 0 ? stride : 1;
      x = parameters.bottleneck ? bottleneck(s / i, x, width, block_stride)
                                : basic_block(s / i, x, width, block_stride);
    }
    return output_of(s, x);
  }
};

Graph build_resnet(const ResNetParameters& parameters, std::int64_t max_batch) {
  const ResNet net{parameters};
  Graph graph;
  const Scope s{graph, ""};
  Value x = graph.input({max_batch, parameters.image_size.height, parameters.image_size.width, 3});
  x = net.conv_bn(s, x, "conv1", "bn1", {.out_channels = parameters.width, .kernel = 7, .stride = 2, .padding = 3});
  x = relu(s / "act1", x);
  x = max_pool(s / "maxpool", x, 3, 2, 1);
  x = net.stage(s / "layer1", x, parameters.width, parameters.depths[0], 1);
  x = net.stage(s / "layer2", x, 2 * parameters.width, parameters.depths[1], 2);
  x = net.stage(s / "layer3", x, 4 * parameters.width, parameters.depths[2], 2);
  x = net.stage(s / "layer4", x, 8 * parameters.width, parameters.depths[3], 2);
  x = global_average_pool(s / "global_pool", x);
  if (parameters.classes > 0) x = linear(s / "fc", x, parameters.classes);
  graph.set_output(x);
  return graph;
}

// "resnet50d" is of a kind that "resnet50" is not.
std::string_view lack_of_name(std::string_view name) {
  constexpr std::string_view kResNet = "resnet";
  if (!name.starts_with(kResNet)) return "";
  name.remove_prefix(kResNet.size());
  const std::size_t digits = std::min(name.find_first_not_of("0123456789"), name.size());
  if (digits == 0 || digits == name.size() || std::isalpha(static_cast<unsigned char>(name[digits])) == 0) return "";
  return "another stem or another shortcut than ResNet's";
}

bool take_timm(SaidNetwork& said, const std::string& key, const Json& value) {
  if (key == "block") {
    if (value != "bottleneck" && value != "basicblock") return false;
    said.parameters["bottleneck"] = {value == "bottleneck", key};
    return true;
  }
  if (key != "channels" || !value.is_array() || value.size() != 4) return false;
  for (std::size_t i = 1; i < 4; ++i) {
    if (!value[0].is_number() || value[i] != value[0].get<std::int64_t>() << i) return false;
  }
  said.parameters["width"] = {value[0], key};
  return true;
}

void take_hugging_face(SaidNetwork& said, const Json& config, const IgnoredKeys& ignored) {
  if (!config.contains("layer_type") || ignored.contains("layer_type")) return;
  said.parameters["bottleneck"] = {config.at("layer_type") == "bottleneck", "layer_type"};
}

// Sizes of convolutions that tell other networks with ResNet's names from it.
void refuse_tensors(const WeightStore& weights) {
  const auto look = [&](const std::string& name, const auto& is_other, const std::string& kind) {
    if (!weights.contains(name)) return;
    const Tensor& tensor = weights.at(name);
    if (tensor.shape().rank() == 4 && is_other(tensor.shape())) refuse_tensor(name, tensor, kind);
  };
  const auto always = [](const Shape&) { return true; };
  look("conv1.0.weight", always, "a deep stem (ResNet-C, -D, -S, -T)");
  if (weights.contains("conv1.weight") && weights.at("conv1.weight").shape().rank() == 4) {
    const std::int64_t channels = weights.at("conv1.weight").shape()[1];
    look(
        "conv1.weight", [](const Shape& s) { return s[1] != 3; },
        "pictures of " + std::to_string(channels) + " channels");
  }
  look("layer2.0.downsample.1.weight", always, "average pooling in its shortcuts (ResNet-D)");
  look(
      "layer1.0.conv2.weight", [](const Shape& s) { return s[1] != s[0]; }, "grouped convolutions (ResNeXt)");
  look(
      "layer1.0.conv3.weight", [](const Shape& s) { return s[0] != 4 * s[1]; }, "wide bottlenecks");
}

Json parameters_of(const RenamedWeights& renamed, const SaidNetwork&) {
  const WeightStore& weights = renamed.weights;
  Json depths = Json::array();
  for (int stage = 1; stage <= 4; ++stage) {
    depths.push_back(blocks_under(weights, "layer" + std::to_string(stage) + ".", ".conv1.weight"));
  }
  return {{"bottleneck", weights.contains("layer1.0.conv3.weight")},
          {"depths", depths},
          {"width", dimension(weights, "conv1.weight", 0)},
          {"classes", weights.contains("fc.weight") ? dimension(weights, "fc.weight", 0) : 0}};
}

// Its stages' blocks are Hugging Face's `layers`, and what stands in a block its `layer`.
Naming hugging_face_naming() {
  return {.name = "Hugging Face",
          .first_layer = "embedder.embedder.convolution.weight",
          .prefixes = {"resnet."},
          .is_of =
              [](const WeightStore& weights) { return has_name_with(weights, "embedder.embedder.convolution.weight"); },
          .places = {{"encoder.stages.{}.layers.{}.layer.{}.",
                      "layer{0+1}.{1}.",
                      {{"convolution.", "conv{2+1}."}, {"normalization.", "bn{2+1}."}}},
                     {"encoder.stages.{}.layers.{}.",
                      "layer{0+1}.{1}.",
                      {{"shortcut.convolution.", "downsample.0."}, {"shortcut.normalization.", "downsample.1."}}},
                     {"",
                      "",
                      {{"embedder.embedder.convolution.", "conv1."},
                       {"embedder.embedder.normalization.", "bn1."},
                       {"classifier.1.", "fc."}}}}};
}

}  // namespace

const Family& resnet_family() {
  constexpr const char *kV1 = "torchvision's IMAGENET1K_V1", *kV2 = "torchvision's IMAGENET1K_V2";
  constexpr Filter kLinear = Filter::kBilinear;
  static const Family family{
      .name = "resnet",
      .lesson =
          "A stem and four stages of residual blocks: a block adds to its input what two or three convolutions make of "
          "it, so that a hundred layers can be trained. Each stage halves the picture and doubles the channels; their "
          "mean over the picture is the feature that the head reads. The stride of a bottleneck is on its 3x3 "
          "convolution (\"v1.5\").",
      .papers = {{"", "He et al. 2015, arXiv:1512.03385"}},
      .builder = builder_of<ResNetParameters, build_resnet>(),
      .rows = {"resnet18", "resnet34", "resnet50", "resnet101", "resnet152"},
      .timm = {.classes = {"ResNet"},
               .decided = {"bottleneck", "depths", "width", "norm_eps"},
               .parameters = {{"layers", "depths"}},
               .only = {{"in_chans", {3}},
                        {"act_layer", {"relu"}},
                        {"aa_layer", {""}},
                        {"output_stride", {32}},
                        {"global_pool", {"avg"}},
                        {"norm_layer", {"batchnorm2d", "batchnorm"}},
                        {"cardinality", {1}},
                        {"base_width", {64}},
                        {"stem_width", {64}},
                        {"stem_type", {""}},
                        {"replace_stem_pool", {false}},
                        {"block_reduce_first", {1}},
                        {"down_kernel_size", {1}},
                        {"avg_down", {false}},
                        {"features_only", {false}},
                        {"block_args", {Json::object()}}},
               .take = take_timm},
      .lacks = {{"resnetaa", "anti-aliased strides"},
                {"resnetblur", "blurred strides"},
                {"resnext", "grouped convolutions (ResNeXt)"},
                {"resnetrs", "a deep stem and squeeze-and-excitation"},
                {"seresnet", "squeeze-and-excitation"},
                {"ecaresnet", "channel attention"},
                {"gcresnet", "global context blocks"},
                {"skresnet", "selective kernels"},
                {"wide_resnet", "wide bottlenecks"},
                {"resnetv2", "norms before convolutions"}},
      .lack_of_name = lack_of_name,
      .namings = {hugging_face_naming(),
                  {.name = "timm",
                   .first_layer = "layer1.0.conv1.weight",
                   .is_of = [](const WeightStore& weights) { return weights.contains("layer1.0.conv1.weight"); }}},
      .is_of = [](const WeightStore& weights) { return weights.contains("layer1.0.conv1.weight"); },
      .lacks_tensors = {{".se.", "squeeze-and-excitation"}, {"layer1.0.convs.", "splits (Res2Net)"}},
      .refuse_tensors = refuse_tensors,
      .parameters_of = parameters_of,
      .files = {{"resnet18", "f37072fd", kV1, 256, 224, kLinear},
                {"resnet18", "5c106cde", kV1, 256, 224, kLinear},
                {"resnet34", "b627a593", kV1, 256, 224, kLinear},
                {"resnet34", "333f7ec4", kV1, 256, 224, kLinear},
                {"resnet50", "0676ba61", kV1, 256, 224, kLinear},
                {"resnet50", "19c8e357", kV1, 256, 224, kLinear},
                {"resnet50", "11ad3fa6", kV2, 232, 224, kLinear},
                {"resnet101", "63fe2227", kV1, 256, 224, kLinear},
                {"resnet101", "5d3b4d8f", kV1, 256, 224, kLinear},
                {"resnet101", "cd907fc2", kV2, 232, 224, kLinear},
                {"resnet152", "394f9c45", kV1, 256, 224, kLinear},
                {"resnet152", "b121ed2d", kV1, 256, 224, kLinear},
                {"resnet152", "f82ba261", kV2, 232, 224, kLinear}},
      .hugging_face = {.types = {{.model_type = "resnet",
                                  .classes = {"ResNet"},
                                  .defaults = {{"norm_eps", 1e-5}},
                                  .image_processor = "ConvNextImageProcessor"}},
                       .parameters = {{"depths", "depths"}, {"embedding_size", "width"}},
                       .only = {{"hidden_act", "relu"},
                                {"downsample_in_first_stage", false},
                                {"downsample_in_bottleneck", false}},
                       .harmless = {"hidden_sizes", "layer_type"},
                       .take = take_hugging_face},
      .references =
          {{.file = "resnet18",
            .architecture = "resnet18",
            .seed = 3,
            .activations = 30,
            .options = "--count 2 --samples 24 --every 2"},
           {.file = "resnet34",
            .architecture = "resnet34",
            .seed = 4,
            .activations = 30,
            .options = "--samples 24 --every 3"},
           {.file = "resnet50", .architecture = "resnet50", .seed = 7, .activations = 150, .options = "--count 3"},
           {.file = "resnet101",
            .architecture = "resnet101",
            .seed = 5,
            .overrides = R"({"image_size": 128})",
            .activations = 40,
            .options = "--samples 16 --every 6"},
           // Seeded, 50 residual blocks grow to values of some hundreds: PyTorch's own float32 is 6.7e-5 off, 2.1 times
           // 2e-5.
           {.file = "resnet152",
            .architecture = "resnet152",
            .seed = 6,
            .overrides = R"({"image_size": 128})",
            .activations = 40,
            .options = "--samples 16 --every 8",
            .tolerance = 5e-5},
           {.file = "resnet18_96x161",
            .architecture = "resnet18",
            .seed = 27,
            .overrides = R"({"image_size": [96, 161]})",
            .activations = 20,
            .options = "--samples 16 --every 2"}},
      .selftest = {{"resnet18", 64}, {"resnet50", 64, true}}};
  return family;
}

}  // namespace tessera
