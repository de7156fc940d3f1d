// Vision Transformer (Dosovitskiy et al. 2020, arXiv:2010.11929) and the DINOv2 architecture (Oquab et al. 2023,
// arXiv:2304.07193: layer scale, patches of 14; registers: Darcet et al. 2023, arXiv:2309.16588). DeiT (Touvron et al.
// 2020, arXiv:2012.12877) is the same graph. Names as timm's; Hugging Face's models have another epsilon.

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "core/error.h"
#include "models/family.h"
#include "models/modules.h"
#include "models/registry.h"

namespace tessera {

namespace {

using Json = nlohmann::json;

struct VitParameters {
  Size2 image_size = 224;
  std::int64_t patch = 16;
  std::int64_t dim = 768;
  std::int64_t depth = 12;
  std::int64_t heads = 12;
  double mlp_ratio = 4;
  std::int64_t classes = 1000;
  double norm_eps = 1e-6;
  std::string pool = "token";
  bool layer_scale = false;
  std::int64_t registers = 0;
  bool embed_class = true;
  Size2 pos_grid = 14;
  bool interpolate_antialias = true;
  std::string head = "linear";
  bool qkv_bias = true;

  template <class Visitor>
  void fields(Visitor&& visit) {
    visit("image_size", image_size, "pixels: a side, or [height, width]; multiples of the patch");
    visit("patch", patch, "pixels of a patch's side");
    visit("dim", dim, "channels of a token");
    visit("depth", depth, "blocks");
    visit("heads", heads, "of attention, in each block");
    visit("mlp_ratio", mlp_ratio, "channels within an MLP, to those of a token");
    visit("classes", classes, "of the head");
    visit("norm_eps", norm_eps, "added to variances: timm 1e-6, Hugging Face's ViT 1e-12");
    visit("pool", pool, "token: the class token; avg: the mean of the patches' tokens, normalised after");
    visit("layer_scale", layer_scale, "a factor for each channel behind attention and MLP");
    visit("registers", registers, "tokens beside the class token that stand for no patch");
    visit("embed_class", embed_class, "positions cover the class token");
    visit("pos_grid", pos_grid, "patches that the positions were trained for: a side, or [rows, columns]");
    visit("interpolate_antialias", interpolate_antialias, "how positions are resized for other pictures: timm true");
    visit("head", head, "linear; linear_cls_mean: on class token and patches' mean; none");
    visit("qkv_bias", qkv_bias, "queries, keys and values have a bias");
  }
};

struct Vit {
  const VitParameters& parameters;

  float epsilon() const { return static_cast<float>(parameters.norm_eps); }
  std::int64_t prefix_tokens() const { return 1 + parameters.registers; }

  // [N, H, W, 3] -> [N, T, D]: patches, class and register tokens, positions (eq. 1).
  Value embed(const Scope& s, Value x) const {
    x = emit(s / "patch_embed" / "proj", PatchEmbed{.patch = parameters.patch, .width = parameters.dim}, x);
    output_of(s / "patch_embed", x);
    const TokenEmbed tokens{
        .class_token = true,
        .registers = parameters.registers,
        .position_covers_class = parameters.embed_class,
        .stored_grid = parameters.pos_grid,
        .grid = {parameters.image_size.height / parameters.patch, parameters.image_size.width / parameters.patch},
        .antialias = parameters.interpolate_antialias};
    x = s.graph.emit((s / "pos_embed").path, s.path, tokens, {x});
    return dropout(s / "pos_drop", x);
  }

  // Multi-head self-attention: one product for q, k and v.  [N, T, D] -> [N, T, D]
  Value attention(const Scope& s, Value x) const {
    Value y = linear(s / "qkv", x, 3 * parameters.dim, parameters.qkv_bias);
    y = emit(s / "sdpa", Attention{.heads = parameters.heads}, y);
    return output_of(s, linear(s / "proj", y, parameters.dim));
  }

  Value mlp(const Scope& s, Value x) const {
    const auto hidden = std::llround(static_cast<double>(parameters.dim) * parameters.mlp_ratio);
    Value y = linear(s / "fc1", x, hidden);
    y = activation(s / "act", y, ActivationKind::kGelu);
    return output_of(s, linear(s / "fc2", y, parameters.dim));
  }

  Value scaled(const Scope& s, Value x) const { return parameters.layer_scale ? layer_scale(s, x) : x; }

  // eq. 2 and 3.  [N, T, D] -> [N, T, D]
  Value block(const Scope& s, Value x) const {
    Value y = attention(s / "attn", layer_norm(s / "norm1", x, epsilon()));
    x = add(s / "add1", x, scaled(s / "ls1", y));
    y = mlp(s / "mlp", layer_norm(s / "norm2", x, epsilon()));
    x = add(s / "add2", x, scaled(s / "ls2", y));
    return output_of(s, x);
  }

  // eq. 4, timm's average pooling, or the class token beside the patches' mean (Dinov2ForImageClassification).
  Value pool(const Scope& s, Value x) const {
    const TokenPool mean{.kind = TokenPoolKind::kMean, .skip = prefix_tokens()};
    if (parameters.pool == "avg") return layer_norm(s / "fc_norm", emit(s / "pool", mean, x), epsilon());
    x = layer_norm(s / "norm", x, epsilon());
    Value class_token = emit(s / "pool", TokenPool{.kind = TokenPoolKind::kFirst}, x);
    if (parameters.head != "linear_cls_mean") return class_token;
    return concat(s / "cls_mean", class_token, emit(s / "patch_mean", mean, x));
  }
};

void check(const VitParameters& p) {
  const auto refuse = [](const std::string& what) { throw UsageError("vit: " + what); };
  if (p.patch < 1 || p.image_size.height % p.patch != 0 || p.image_size.width % p.patch != 0) {
    refuse("image_size " + to_string(p.image_size) + " is not a multiple of patch " + std::to_string(p.patch));
  }
  if (p.dim < 1 || p.heads < 1 || p.dim % p.heads != 0) {
    refuse("dim " + std::to_string(p.dim) + " is not a multiple of heads " + std::to_string(p.heads));
  }
  if (p.depth < 1 || p.registers < 0 || !(p.mlp_ratio > 0)) {
    refuse("depth and mlp_ratio must be positive and registers not negative");
  }
  if (p.pool != "token" && p.pool != "avg") refuse("pool is 'token' or 'avg', not '" + p.pool + "'");
  if (p.head != "linear" && p.head != "linear_cls_mean" && p.head != "none") {
    refuse("head is 'linear', 'linear_cls_mean' or 'none', not '" + p.head + "'");
  }
  if (p.head == "linear_cls_mean" && p.pool != "token") refuse("head 'linear_cls_mean' goes with pool 'token'");
}

Graph build_vit(const VitParameters& parameters, std::int64_t max_batch) {
  check(parameters);
  const Vit net{parameters};
  Graph graph;
  const Scope s{graph, ""};
  Value x = graph.input({max_batch, parameters.image_size.height, parameters.image_size.width, 3});
  x = net.embed(s, x);
  for (int i = 0; i < parameters.depth; ++i) x = net.block(s / "blocks" / i, x);
  x = net.pool(s, x);
  if (parameters.head != "none" && parameters.classes > 0) {
    x = linear(s / "head", dropout(s / "head_drop", x), parameters.classes);
  }
  graph.set_output(x);
  return graph;
}

// --- What timm's and transformers' configurations say ---

bool take_timm(SaidNetwork& said, const std::string& key, const Json& value) {
  if (key == "no_embed_class") {
    said.parameters["embed_class"] = {value != true, key};
    return true;
  }
  if (key == "init_values") {  // of the layer scale
    said.parameters["layer_scale"] = {value != 0, key};
    return true;
  }
  return key == "fc_norm";  // looked at beside the pooling
}

// timm norms the pooled features (fc_norm) where it pools the patches' mean, unless told otherwise.
void check_pooling(const SaidNetwork& said, const Json& arguments, const IgnoredKeys& ignored) {
  const Said& pool = said.parameters.at("pool");
  if (pool.value != "token" && pool.value != "avg") {
    refuse_setting(pool.by, pool.value, "tessera pools the class token (\"token\") or the patches' mean (\"avg\")");
  }
  const auto norm = arguments.find("fc_norm");
  if (norm == arguments.end() || ignored.contains("fc_norm") || *norm == (pool.value == "avg")) return;
  refuse_setting("fc_norm", *norm,
                 "with global_pool " + pool.value.dump() + " tessera has the norm " +
                     (pool.value == "avg" ? "after" : "before") + " the pooling only");
}

// The positions of timm's models are those of their pictures; weights without classes are features.
void fit(Json& parameters) {
  const Size2 picture = size_from_json(parameters.at("image_size"));
  const auto patch = parameters.at("patch").get<std::int64_t>();
  parameters["pos_grid"] = size_to_json({picture.height / patch, picture.width / patch});
  if (parameters.at("classes") == 0) parameters["head"] = "none";
}

void take_hugging_face(SaidNetwork& said, const Json& config, const IgnoredKeys& ignored) {
  const auto number = [&](const char* key) {
    const auto found = config.find(key);
    return found != config.end() && found->is_number() && !ignored.contains(key) ? found->get<double>() : 0;
  };
  const auto dim = said.parameters.find("dim");
  if (number("intermediate_size") != 0 && dim != said.parameters.end() && dim->second.value.is_number()) {
    said.parameters["mlp_ratio"] = {number("intermediate_size") / dim->second.value.get<double>(), "intermediate_size"};
  }
  if (number("mlp_ratio") != 0) said.parameters["mlp_ratio"] = {number("mlp_ratio"), "mlp_ratio"};
}

// --- Names of tensors ---

// A Dinov2 with registers: others add position 0 to the class token, timm keeps it within the class token.
void move_class_position(WeightStore& weights) {
  if (!weights.contains("reg_token")) return;
  Tensor class_token = weights.take("cls_token");
  const Tensor positions = weights.take("pos_embed");
  const std::int64_t width = class_token.shape()[-1];
  if (positions.shape().rank() != 3 || positions.shape()[2] != width || positions.shape()[1] < 2) {
    throw ModelFileError("pos_embed: expected [1, 1 + patches, " + std::to_string(width) + "], found " +
                         to_string(positions.shape()));
  }
  for (std::int64_t d = 0; d < width; ++d) class_token.data()[d] += positions.data()[d];
  const auto rest = positions.values().subspan(static_cast<std::size_t>(width));
  weights.put("cls_token", std::move(class_token));
  weights.put("pos_embed", Tensor::from(rest, {1, positions.shape()[1] - 1, width}));
}

// Names that stand in timm's files, or in those of a method that has timm's names (a masked autoencoder, DINOv2, BEiT).
std::string from_timm(const std::string& name) {
  if (name == "mask_token" || name.starts_with("decoder_")) return "";
  for (const auto& [from, to] : {std::pair<std::string_view, std::string_view>{".gamma_1", ".ls1.gamma"},
                                 std::pair<std::string_view, std::string_view>{".gamma_2", ".ls2.gamma"}}) {
    if (name.ends_with(from)) return name.substr(0, name.size() - from.size()) + std::string(to);
  }
  return name == "register_tokens" ? "reg_token" : name;
}

std::string left_out(const WeightStore& weights) {
  return weights.contains("decoder_embed.weight")
             ? "without the decoder of the masked autoencoder: the model's output is features"
             : "";
}

constexpr std::string_view kTimm = "timm", kAuthors = "DINOv2's authors", kHfVit = "Hugging Face's ViT",
                           kHfDinov2 = "Hugging Face's Dinov2", kTorchvision = "torchvision";

// The hub's files have "encoder.layer.N.", transformers 5's modules "layers.N.".
Naming hugging_face_naming(std::string_view name, bool (*is_of)(const WeightStore&)) {
  const std::vector<Rename> block{{"attention.attention.query.", "attn.q."},
                                  {"attention.attention.key.", "attn.k."},
                                  {"attention.attention.value.", "attn.v."},
                                  {"attention.output.dense.", "attn.proj."},
                                  {"attention.q_proj.", "attn.q."},
                                  {"attention.k_proj.", "attn.k."},
                                  {"attention.v_proj.", "attn.v."},
                                  {"attention.o_proj.", "attn.proj."},
                                  {"intermediate.dense.", "mlp.fc1."},
                                  {"output.dense.", "mlp.fc2."},
                                  {"layernorm_before.", "norm1."},
                                  {"layernorm_after.", "norm2."},
                                  {"layer_scale1.lambda1", "ls1.gamma"},
                                  {"layer_scale2.lambda1", "ls2.gamma"},
                                  {"norm1.", "norm1."},
                                  {"norm2.", "norm2."},
                                  {"mlp.fc1.", "mlp.fc1."},
                                  {"mlp.fc2.", "mlp.fc2."},
                                  {"mlp.up_proj.", "mlp.fc1."},
                                  {"mlp.down_proj.", "mlp.fc2."}};
  return {.name = name,
          .first_layer = "embeddings.patch_embeddings.projection.weight",
          .prefixes = {"vit.", "dinov2.", "dinov2_with_registers."},
          .is_of = is_of,
          .places = {{"encoder.layer.{}.", "blocks.{0}.", block},
                     {"layers.{}.", "blocks.{0}.", block},
                     {"",
                      "",
                      {{"embeddings.cls_token", "cls_token"},
                       {"embeddings.position_embeddings", "pos_embed"},
                       {"embeddings.register_tokens", "reg_token"},
                       {"embeddings.patch_embeddings.projection.", "patch_embed.proj."},
                       {"embeddings.mask_token", ""},
                       {"layernorm.", "norm."},
                       {"classifier.", "head."},
                       {"pooler.", ""}}}},
          .separate_qkv = true,
          .finish = move_class_position};
}

bool is_hugging_face(const WeightStore& weights) {
  return has_name_with(weights, "embeddings.patch_embeddings.projection");
}

Naming torchvision_naming() {
  return {.name = kTorchvision,
          .first_layer = "conv_proj.weight",
          .is_of = [](const WeightStore& weights) { return weights.contains("conv_proj.weight"); },
          .places = {{"encoder.layers.encoder_layer_{}.",
                      "blocks.{0}.",
                      {{"ln_1.", "norm1."},
                       {"ln_2.", "norm2."},
                       {"self_attention.in_proj_weight", "attn.qkv.weight"},
                       {"self_attention.in_proj_bias", "attn.qkv.bias"},
                       {"self_attention.out_proj.", "attn.proj."},
                       {"mlp.0.", "mlp.fc1."},
                       {"mlp.3.", "mlp.fc2."},
                       {"mlp.linear_1.", "mlp.fc1."},
                       {"mlp.linear_2.", "mlp.fc2."}}},
                     {"",
                      "",
                      {{"class_token", "cls_token"},
                       {"conv_proj.", "patch_embed.proj."},
                       {"encoder.pos_embedding", "pos_embed"},
                       {"encoder.ln.", "norm."},
                       {"heads.head.", "head."}}}}};
}

// --- What tensors show ---

void refuse_tensors(const WeightStore& weights) {
  constexpr const char* kStem = "patch_embed.proj.weight";
  if (!weights.contains(kStem)) return;
  const Tensor& stem = weights.at(kStem);
  if (stem.shape().rank() == 4 && stem.shape()[1] != 3) {
    refuse_tensor(kStem, stem, "pictures of " + std::to_string(stem.shape()[1]) + " channels");
  }
  if (!weights.contains("blocks.0.norm1.weight")) return;
  if (!weights.contains("cls_token")) refuse_tensor(kStem, stem, "no class token");
  if (!weights.contains("pos_embed")) refuse_tensor(kStem, stem, "no learned positions");
}

std::int64_t square_root(std::int64_t value) {
  const auto root = static_cast<std::int64_t>(std::llround(std::sqrt(static_cast<double>(value))));
  return root * root == value ? root : 0;
}

struct Positions {
  Size2 grid = 1;
  bool embed_class = true;
};

// Of a square of patches, or of the picture's that the configuration has.
Positions positions_of(std::int64_t count, std::int64_t patch, const SaidNetwork& said) {
  const Json& picture = said.picture;
  if (picture.is_array() && picture.size() == 2 && picture[0] != picture[1]) {
    const Size2 size = size_from_json(picture);
    const Size2 grid{size.height / patch, size.width / patch};
    const std::int64_t patches = grid.height * grid.width;
    if (patches == count || patches + 1 == count) return {grid, patches != count};
  }
  const bool embed_class = square_root(count) == 0;
  const std::int64_t side = square_root(count - (embed_class ? 1 : 0));
  if (side == 0) {
    throw ModelFileError("pos_embed: " + std::to_string(count) + " positions are not a square of patches");
  }
  return {side, embed_class};
}

// Without heads and norm_eps, which no tensor shows.
Json parameters_of(const RenamedWeights& renamed, const SaidNetwork& said) {
  const WeightStore& weights = renamed.weights;
  const std::string_view naming = renamed.naming->name;
  const std::int64_t dim = dimension(weights, "patch_embed.proj.weight", 0);
  const std::int64_t patch = dimension(weights, "patch_embed.proj.weight", 2);
  if (patch < 1) throw ModelFileError("patch_embed.proj.weight: has no pixels");
  const Positions positions = positions_of(dimension(weights, "pos_embed", 1), patch, said);
  const bool has_head = weights.contains("head.weight");
  const bool registers = weights.contains("reg_token");
  return {
      {"dim", dim},
      {"patch", patch},
      {"depth", blocks_under(weights, "blocks.", ".norm1.weight")},
      {"mlp_ratio", static_cast<double>(dimension(weights, "blocks.0.mlp.fc1.weight", 0)) / static_cast<double>(dim)},
      {"classes", has_head ? dimension(weights, "head.weight", 0) : 0},
      {"pool", weights.contains("fc_norm.weight") ? "avg" : "token"},
      {"layer_scale", weights.contains("blocks.0.ls1.gamma")},
      {"registers", registers ? dimension(weights, "reg_token", 1) : 0},
      {"embed_class", positions.embed_class},
      {"pos_grid", size_to_json(positions.grid)},
      {"interpolate_antialias", naming == kTimm || naming == kAuthors || (naming == kHfDinov2 && registers)},
      {"head", !has_head             ? "none"
               : naming == kHfDinov2 ? "linear_cls_mean"
                                     : "linear"},
      {"qkv_bias", weights.contains("blocks.0.attn.qkv.bias")},
      {"image_size", size_to_json({positions.grid.height * patch, positions.grid.width * patch})}};
}

std::string contradiction(const std::string& parameter, const Said& said) {
  if (parameter != "pool" || said.value != "avg") return "";
  return said.by + " \"avg\" without an fc_norm: the norm stands before the pooling, which tessera does not have";
}

// --- What neither a name nor a tensor shows ---

// Heads of networks with these sizes that timm has; empty where there is none.
std::set<std::int64_t> heads_of_size(const Json& found, std::string& example) {
  std::set<std::int64_t> heads;
  for (const Architecture& row : architectures()) {
    if (row.family != "vit" || row.parameters.at("dim") != found.at("dim") ||
        row.parameters.at("depth") != found.at("depth") ||
        !same_value(row.parameters.at("mlp_ratio"), found.at("mlp_ratio"))) {
      continue;
    }
    heads.insert(row.parameters.at("heads").get<std::int64_t>());
    example = row.name;
  }
  return heads;
}

std::int64_t heads_of(const Json& found, const SaidNetwork& said, const Note& note) {
  if (const auto heads = said.parameters.find("heads"); heads != said.parameters.end()) {
    if (!heads->second.value.is_number_integer()) {
      throw ModelFileError("config.json's " + heads->second.by + " is " + heads->second.value.dump());
    }
    return heads->second.value.get<std::int64_t>();
  }
  std::string example;
  const std::set<std::int64_t> heads = heads_of_size(found, example);
  if (heads.size() != 1) {
    throw ModelFileError("nothing says how many attention heads it has, and no tensor shows it (width " +
                         found.at("dim").dump() + ", depth " + found.at("depth").dump() +
                         "): put its config.json beside the weights, or name its architecture by --arch");
  }
  note(std::to_string(*heads.begin()) + " heads, as every network of these sizes has (" + example + ")");
  return *heads.begin();
}

double epsilon_of(const RenamedWeights& renamed, const SaidNetwork& said, const Note& note) {
  const auto found = said.parameters.find("norm_eps");
  const bool hugging_face = renamed.naming->name == kHfVit;
  if (found != said.parameters.end() && !(hugging_face && found->second.by.starts_with("--arch"))) {
    if (!found->second.value.is_number()) {
      throw ModelFileError("its configuration cannot be used: '" + found->second.by + "' is " +
                           found->second.value.dump());
    }
    return found->second.value.get<double>();
  }
  if (!hugging_face) return 1e-6;
  note("epsilon 1e-12, the default of transformers' ViT: no config.json says another");
  return 1e-12;
}

void complete(Json& found, const RenamedWeights& renamed, const SaidNetwork& said, const Note& note) {
  found["heads"] = heads_of(found, said, note);
  found["norm_eps"] = epsilon_of(renamed, said, note);
}

std::vector<PublishedFile> published_files() {
  constexpr Filter kLinear = Filter::kBilinear, kCubic = Filter::kBicubic;
  constexpr const char *kV1 = "torchvision's IMAGENET1K_V1", *kSwag = "torchvision's SWAG, end to end",
                       *kSwagLinear = "torchvision's SWAG, linear", *kDeit = "DeiT", *kDino = "DINO";
  // DeiT's and DINO's evaluation has torchvision's 256 / 224, bicubic.
  return {{"vit_b_16", "c867db91", kV1, 256, 224, kLinear},
          {"vit_b_32", "d86f8d99", kV1, 256, 224, kLinear},
          {"vit_l_16", "852ce7e3", kV1, 242, 224, kLinear},
          {"vit_l_32", "c7638314", kV1, 256, 224, kLinear},
          {"vit_b_16_swag", "9ac1b537", kSwag, 384, 384, kCubic},
          {"vit_l_16_swag", "4f3808c9", kSwag, 512, 512, kCubic},
          {"vit_h_14_swag", "80465313", kSwag, 518, 518, kCubic},
          {"vit_b_16_lc_swag", "4e70ced5", kSwagLinear, 224, 224, kCubic},
          {"vit_l_16_lc_swag", "4d563306", kSwagLinear, 224, 224, kCubic},
          {"vit_h_14_lc_swag", "c1eb923e", kSwagLinear, 224, 224, kCubic},
          {"deit_tiny_patch16_224", "a1311bcf", kDeit, 256, 224, kCubic},
          {"deit_small_patch16_224", "cd65a155", kDeit, 256, 224, kCubic},
          {"deit_base_patch16_224", "b5f2ef4d", kDeit, 256, 224, kCubic},
          {"dino_deitsmall16_pretrain", "", kDino, 256, 224, kCubic},
          {"dino_deitsmall8_pretrain", "", kDino, 256, 224, kCubic},
          {"dino_vitbase16_pretrain", "", kDino, 256, 224, kCubic},
          {"dino_vitbase8_pretrain", "", kDino, 256, 224, kCubic}};
}

// Large ones with two blocks: a block more is the same again.
std::vector<ReferenceCase> reference_cases() {
  constexpr const char* kTwoBlocks = R"({"depth": 2})";
  constexpr const char* kTwoBlocksAt224 = R"({"image_size": 224, "depth": 2})";
  constexpr const char* kAt224 = R"({"image_size": 224})";
  return {
      {"vit_tiny_patch16", "vit_tiny_patch16_224", 1, "{}", 40, "--count 2 --samples 24 --every 3"},
      {"vit_small_patch32", "vit_small_patch32_224", 2, "{}", 40, "--count 2 --samples 24 --every 3"},
      {"vit_base_patch16", "vit_base_patch16_224", 7, "{}", 100, "--count 3"},
      {"vit_base_patch16_hf", "vit_base_patch16_224", 7, R"({"norm_eps": 1e-12})", 70, "--count 3 --hf"},
      {"vit_base_patch32_160", "vit_base_patch32_224", 8, R"({"image_size": 160})", 30, "--samples 16 --every 4"},
      {"vit_tiny_avg", "vit_tiny_patch16_224", 9, R"({"pool": "avg"})", 30, "--count 2 --samples 24 --every 4"},
      {"dinov2_small_224", "vit_small_patch14_dinov2", 10, kAt224, 40, "--count 2 --samples 24 --every 3"},
      {"dinov2_small_reg4_224", "vit_small_patch14_reg4_dinov2", 11, kAt224, 40, "--samples 24 --every 3"},
      {"vit_tiny_patch32", "vit_tiny_patch32_224", 14, "{}", 20, "--samples 16 --every 4"},
      {"vit_small_patch16", "vit_small_patch16_224", 15, "{}", 30, "--samples 16 --every 4"},
      {"vit_large_patch16_depth2", "vit_large_patch16_224", 16, kTwoBlocks, 20, "--samples 16"},
      {"vit_large_patch32_depth2", "vit_large_patch32_224", 17, kTwoBlocks, 20, "--samples 16"},
      {"dinov2_base_224_depth2", "vit_base_patch14_dinov2", 18, kTwoBlocksAt224, 20, "--samples 16"},
      {"dinov2_large_224_depth2", "vit_large_patch14_dinov2", 19, kTwoBlocksAt224, 20, "--samples 16"},
      {"dinov2_base_reg4_224_depth2", "vit_base_patch14_reg4_dinov2", 20, kTwoBlocksAt224, 20, "--samples 16"},
      {"dinov2_large_reg4_224_depth2", "vit_large_patch14_reg4_dinov2", 21, kTwoBlocksAt224, 20, "--samples 16"},
      {"deit3_small_depth2", "deit3_small_patch16_224", 22, kTwoBlocks, 20, "--samples 16"},
      {"flexivit_small_depth2", "flexivit_small", 23, kTwoBlocks, 20, "--samples 16"},
      {"vit_small_36x1_depth2", "vit_small_patch16_36x1_224", 24, kTwoBlocks, 20, "--samples 16"},
      {"vit_base_miil_depth2", "vit_base_patch16_224_miil", 25, kTwoBlocks, 20, "--samples 16"},
      {"vit_tiny_96x160", "vit_tiny_patch16_224", 26, R"({"image_size": [96, 160], "depth": 3})", 20, "--samples 16"},
  };
}

}  // namespace

const Family& vit_family() {
  static const Family family{
      .name = "vit",
      .lesson =
          "The picture is cut into patches, each of which becomes a token; a class token, and registers where there "
          "are any, stand beside them. Blocks of attention, where every token looks at all others, and of an MLP, "
          "which "
          "works on each token alone, add to the tokens; a norm stands before each. The head reads the class token or "
          "the patches' mean. Where a token stands is told by an embedding that is added once, and resized for "
          "pictures "
          "of another size.",
      .papers = {{"dinov2", "Oquab et al. 2023, arXiv:2304.07193"},
                 {"deit3", "Touvron et al. 2022, arXiv:2204.07118"},
                 {"deit", "Touvron et al. 2020, arXiv:2012.12877"},
                 {"flexivit", "Beyer et al. 2022, arXiv:2212.08013"},
                 {"eva", "Fang et al. 2022, arXiv:2211.07636"},
                 {"", "Dosovitskiy et al. 2020, arXiv:2010.11929"}},
      .builder = builder_of<VitParameters, build_vit>(),
      .rows = {"vit_tiny_patch16_224", "vit_tiny_patch32_224", "vit_small_patch16_224", "vit_small_patch32_224",
               "vit_base_patch16_224", "vit_base_patch32_224", "vit_large_patch16_224", "vit_large_patch32_224",
               "vit_small_patch14_dinov2", "vit_base_patch14_dinov2", "vit_large_patch14_dinov2",
               "vit_small_patch14_reg4_dinov2", "vit_base_patch14_reg4_dinov2", "vit_large_patch14_reg4_dinov2"},
      .timm = {.classes = {"VisionTransformer"},
               .decided = {"dim", "depth", "heads", "mlp_ratio", "patch", "registers", "layer_scale", "embed_class",
                           "pool", "norm_eps"},
               .parameters = {{"embed_dim", "dim"},
                              {"depth", "depth"},
                              {"num_heads", "heads"},
                              {"mlp_ratio", "mlp_ratio"},
                              {"patch_size", "patch"},
                              {"reg_tokens", "registers"},
                              {"qkv_bias", "qkv_bias"},
                              {"global_pool", "pool"}},
               .only = {{"in_chans", {3}},
                        {"act_layer", {"gelu"}},
                        {"class_token", {true}},
                        {"pos_embed", {"learn"}},
                        {"pre_norm", {false}},
                        {"final_norm", {true}},
                        {"qk_norm", {false}},
                        {"scale_attn_norm", {false}},
                        {"scale_mlp_norm", {false}},
                        {"proj_bias", {true}},
                        {"norm_layer", {"layernorm"}},
                        {"pool_include_prefix", {false}},
                        {"use_naflex", {false}},
                        {"features_only", {false}}},
               .take = take_timm,
               .check = check_pooling,
               .fit = fit},
      .lacks = {{"distilled", "a distillation token and two heads"},
                {"_clip_", "a norm before the blocks (CLIP)"},
                {"siglip", "an attention pool"},
                {"_gap_", "no class token"},
                {"relpos", "relative positions"},
                {"_rope_", "rotary positions"},
                {"dinov3", "rotary positions"},
                {"eva02", "rotary positions and gated MLPs"},
                {"giant_patch14_dinov2", "gated MLPs"},
                {"giant_patch14_reg4_dinov2", "gated MLPs"},
                {"_parallel", "parallel blocks"},
                {"x2_224", "parallel blocks"}},
      .has_head = [](const Json& parameters) { return parameters.at("head") != "none"; },
      // What the head reads stays as it was (the class token, or the patches' mean beside it); no head becomes a plain
      // one.
      .put_head = [](Json& parameters) { parameters["head"] = "linear"; },
      .namings = {torchvision_naming(),
                  {.name = kAuthors,
                   .first_layer = "patch_embed.proj.weight",
                   .is_of = [](const WeightStore& weights) { return weights.contains("register_tokens"); },
                   .rename = from_timm,
                   .finish = move_class_position},
                  hugging_face_naming(kHfDinov2,
                                      [](const WeightStore& weights) {
                                        return is_hugging_face(weights) && has_name_with(weights, "layer_scale1");
                                      }),
                  hugging_face_naming(kHfVit, is_hugging_face),
                  {.name = kTimm,
                   .first_layer = "patch_embed.proj.weight",
                   .is_of = [](const WeightStore& weights) { return weights.contains("patch_embed.proj.weight"); },
                   .rename = from_timm,
                   .left_out = left_out}},
      .is_of = [](const WeightStore& weights) { return weights.contains("patch_embed.proj.weight"); },
      .lacks_tensors = {{"dist_token", "a distillation token and two heads (DeiT, distilled)"},
                        {"norm_pre.", "a norm before the blocks (CLIP)"},
                        {"attn_pool.", "an attention pool"},
                        {".q_norm.", "norms of queries and keys"},
                        {".fc1_g.", "gated MLPs"},
                        {".mlp.w12.", "gated MLPs (DINOv2 giant)"},
                        {".attn.q_bias", "relative positions (BEiT)"},
                        {"relative_position_bias_table", "relative positions"},
                        {".attn.norm.", "norms within attention"}},
      .refuse_tensors = refuse_tensors,
      .parameters_of = parameters_of,
      .unseen = {"heads"},
      .contradiction = contradiction,
      .complete = complete,
      .files = published_files(),
      .hugging_face = {.types = {{.model_type = "vit",
                                  .classes = {"ViTModel", "ViTForImage"},
                                  .defaults = {{"norm_eps", 1e-12}, {"heads", 12}},
                                  .image_processor = "ViTImageProcessor"},
                                 {.model_type = "dinov2",
                                  .classes = {"Dinov2"},
                                  .defaults = {{"norm_eps", 1e-6}, {"heads", 12}},
                                  .image_processor = "BitImageProcessor"},
                                 {.model_type = "dinov2_with_registers",
                                  .classes = {"Dinov2WithRegisters"},
                                  .defaults = {{"norm_eps", 1e-6}, {"heads", 12}},
                                  .image_processor = "BitImageProcessor"}},
                       .parameters = {{"hidden_size", "dim"},
                                      {"num_hidden_layers", "depth"},
                                      {"num_attention_heads", "heads"},
                                      {"patch_size", "patch"},
                                      {"num_register_tokens", "registers"},
                                      {"layer_norm_eps", "norm_eps"},
                                      {"qkv_bias", "qkv_bias"}},
                       .only = {{"use_swiglu_ffn", false}, {"hidden_act", "gelu"}},
                       .harmless = {"intermediate_size", "mlp_ratio", "image_size"},
                       .take = take_hugging_face},
      .references = reference_cases(),
      .selftest = {{"vit_tiny_patch16_224", 64},
                   {"vit_base_patch16_224", 0, true},
                   {"vit_small_patch14_dinov2", 56, true},
                   {"vit_small_patch14_reg4_dinov2", 56}}};
  return family;
}

}  // namespace tessera
