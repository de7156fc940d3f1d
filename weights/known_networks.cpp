#include "weights/known_networks.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

#include "core/error.h"
#include "core/nearest.h"
#include "models/registry.h"

namespace tessera {

namespace {

using Colours = std::array<float, 3>;

struct Normalisation {
  Colours mean, std;
};
constexpr Normalisation kHalf{{0.5F, 0.5F, 0.5F}, {0.5F, 0.5F, 0.5F}};
constexpr Normalisation kImageNet{{0.485F, 0.456F, 0.406F}, {0.229F, 0.224F, 0.225F}};
constexpr Normalisation kClip{{0.48145466F, 0.4578275F, 0.40821073F}, {0.26862954F, 0.26130258F, 0.27577711F}};
constexpr Normalisation kZero{{0, 0, 0}, {1, 1, 1}};

struct TimmPictures {
  int size;
  double crop_pct;
  std::string_view interpolation;
  Normalisation normalisation;
  std::string_view crop_mode;
};

struct TimmVit {
  std::string_view name;
  std::int64_t dim, depth, heads, hidden, patch, registers;
  bool layer_scale, embed_class, average;
  TimmPictures pictures;
};

struct TimmResNet {
  std::string_view name;
  bool bottleneck;
  std::array<std::int64_t, 4> depths;
  TimmPictures pictures;
};

constexpr TimmVit kVits[] = {
#define TESSERA_TIMM_VITS
#include "weights/timm_names.inc"
#undef TESSERA_TIMM_VITS
};

constexpr TimmResNet kResNets[] = {
#define TESSERA_TIMM_RESNETS
#include "weights/timm_names.inc"
#undef TESSERA_TIMM_RESNETS
};

Preprocess preprocess_of(const TimmPictures& pictures) {
  Preprocess p = Preprocess::timm(pictures.size, pictures.crop_pct, filter_from_string(pictures.interpolation),
                                  pictures.normalisation.mean, pictures.normalisation.std);
  if (pictures.crop_mode == "squash") p.resize_mode = ResizeMode::kSquash;
  return p;
}

KnownNetwork known(const TimmVit& row) {
  return {.name = std::string(row.name),
          .family = "vit",
          .parameters = {{"dim", row.dim},
                         {"depth", row.depth},
                         {"heads", row.heads},
                         {"mlp_ratio", static_cast<double>(row.hidden) / static_cast<double>(row.dim)},
                         {"patch", row.patch},
                         {"registers", row.registers},
                         {"layer_scale", row.layer_scale},
                         {"embed_class", row.embed_class},
                         {"pool", row.average ? "avg" : "token"},
                         {"norm_eps", 1e-6}},
          .preprocess = preprocess_of(row.pictures)};
}

KnownNetwork known(const TimmResNet& row) {
  return {.name = std::string(row.name),
          .family = "resnet",
          .parameters = {{"bottleneck", row.bottleneck}, {"depths", row.depths}, {"width", 64}, {"norm_eps", 1e-5}},
          .preprocess = preprocess_of(row.pictures)};
}

std::vector<KnownNetwork> make_networks() {
  std::vector<KnownNetwork> networks;
  for (const TimmResNet& row : kResNets) networks.push_back(known(row));
  for (const TimmVit& row : kVits) networks.push_back(known(row));
  for (const Architecture& row : architectures()) {
    if (row.family != "efficientnet_lite") continue;
    networks.push_back({.name = row.name,
                        .family = row.family,
                        .parameters = {{"norm_eps", row.parameters.at("norm_eps")},
                                       {"same_padding", row.parameters.at("same_padding")}},
                        .preprocess = row.preprocess});
  }
  return networks;
}

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

// "resnet50d" is another kind of network than "resnet50".
bool is_resnet_with_letter(std::string_view name) {
  constexpr std::string_view kResNet = "resnet";
  if (!name.starts_with(kResNet)) return false;
  name.remove_prefix(kResNet.size());
  const auto digits = std::ranges::find_if(name, [](char c) { return c < '0' || c > '9'; });
  const std::string_view rest(digits, name.end());
  return digits != name.begin() && !rest.empty() && std::isalpha(static_cast<unsigned char>(rest.front())) != 0;
}

}  // namespace

const std::vector<KnownNetwork>& known_networks() {
  static const std::vector<KnownNetwork> networks = make_networks();
  return networks;
}

const KnownNetwork* find_known_network(std::string_view name) {
  const auto found = std::ranges::find(known_networks(), name, &KnownNetwork::name);
  return found == known_networks().end() ? nullptr : &*found;
}

const KnownNetwork& known_network(std::string_view name) {
  if (const KnownNetwork* found = find_known_network(name); found != nullptr) return *found;
  if (const std::string kind = unsupported_kind(name); !kind.empty()) {
    throw UsageError("'" + std::string(name) + "' is a network with " + kind + ", which tessera does not have");
  }
  std::vector<std::string> names;
  for (const KnownNetwork& network : known_networks()) names.push_back(network.name);
  throw UsageError("unknown architecture '" + std::string(name) + "'" + did_you_mean(name, names) +
                   "; `tessera models` lists the families");
}

std::string unsupported_kind(std::string_view name) {
  if (find_known_network(name) != nullptr) return "";
  const std::pair<std::string_view, const char*> parts[] = {
      {"resnetaa", "anti-aliased strides"},
      {"resnetblur", "blurred strides"},
      {"resnext", "grouped convolutions (ResNeXt)"},
      {"resnetrs", "a deep stem and squeeze-and-excitation"},
      {"seresnet", "squeeze-and-excitation"},
      {"ecaresnet", "channel attention"},
      {"gcresnet", "global context blocks"},
      {"skresnet", "selective kernels"},
      {"wide_resnet", "wide bottlenecks"},
      {"resnetv2", "norms before convolutions"},
      {"distilled", "a distillation token and two heads"},
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
      {"x2_224", "parallel blocks"},
      {"convnext", "ConvNeXt's blocks"},
      {"swin", "shifted windows"},
      {"mixer", "mixed tokens"},
      {"efficientnet", "EfficientNet's blocks other than Lite0's"},
      {"mobilenet", "MobileNet's blocks"},
      {"regnet", "RegNet's blocks"},
      {"beit", "relative positions"},
  };
  for (const auto& [part, kind] : parts) {
    if (contains(name, part)) return kind;
  }
  return is_resnet_with_letter(name) ? "another stem or another shortcut than ResNet's" : "";
}

}  // namespace tessera
