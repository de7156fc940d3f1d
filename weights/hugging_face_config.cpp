// transformers' config.json of a ViT, a DINOv2 or a ResNet.

#include <algorithm>
#include <array>

#include "core/error.h"
#include "weights/config_files.h"
#include "weights/said_network.h"

namespace tessera {

namespace {

using Json = nlohmann::json;

// Keys that change nothing in the network: names, training, generation, outputs of a backbone.
bool is_harmless(const std::string& key) {
  static const std::set<std::string> kHarmless{"_name_or_path",
                                               "_commit_hash",
                                               "_attn_implementation",
                                               "attn_implementation",
                                               "architectures",
                                               "model_type",
                                               "transformers_version",
                                               "torch_dtype",
                                               "dtype",
                                               "id2label",
                                               "label2id",
                                               "num_labels",
                                               "problem_type",
                                               "finetuning_task",
                                               "attention_probs_dropout_prob",
                                               "hidden_dropout_prob",
                                               "initializer_range",
                                               "layerscale_value",
                                               "drop_path_rate",
                                               "encoder_stride",
                                               "pooler_output_size",
                                               "pooler_act",
                                               "use_mask_token",
                                               "apply_layernorm",
                                               "reshape_hidden_states",
                                               "out_features",
                                               "out_indices",
                                               "stage_names",
                                               "return_dict",
                                               "output_attentions",
                                               "output_hidden_states",
                                               "use_cache",
                                               "use_bfloat16",
                                               "torchscript",
                                               "tie_word_embeddings",
                                               "is_decoder",
                                               "is_encoder_decoder",
                                               "add_cross_attention",
                                               "chunk_size_feed_forward",
                                               "task_specific_params",
                                               "tokenizer_class",
                                               "prefix",
                                               "bos_token_id",
                                               "eos_token_id",
                                               "pad_token_id",
                                               "sep_token_id",
                                               "decoder_start_token_id",
                                               "max_length",
                                               "min_length",
                                               "do_sample",
                                               "early_stopping",
                                               "num_beams",
                                               "num_beam_groups",
                                               "diversity_penalty",
                                               "temperature",
                                               "top_k",
                                               "top_p",
                                               "typical_p",
                                               "repetition_penalty",
                                               "length_penalty",
                                               "no_repeat_ngram_size",
                                               "encoder_no_repeat_ngram_size",
                                               "num_return_sequences",
                                               "output_scores",
                                               "return_dict_in_generate",
                                               "remove_invalid_values",
                                               "tf_legacy_loss",
                                               "license",
                                               "library_name",
                                               "tags",
                                               "pipeline_tag",
                                               "transformers.js_config",
                                               "gradient_checkpointing",
                                               "loss_type",
                                               "semantic_loss_ignore_index",
                                               "source",
                                               "label_smoothing",
                                               "forced_bos_token_id",
                                               "forced_eos_token_id",
                                               "begin_suppress_tokens",
                                               "suppress_tokens",
                                               "bad_words_ids",
                                               "exponential_decay_length_penalty"};
  return kHarmless.contains(key);
}

struct Type {
  const char *name, *family;
  double norm_eps;  // transformers' default
};
constexpr std::array<Type, 4> kTypes{{{"vit", "vit", 1e-12},
                                      {"dinov2", "vit", 1e-6},
                                      {"dinov2_with_registers", "vit", 1e-6},
                                      {"resnet", "resnet", 1e-5}}};

// For models whose configuration names a class but no type.
std::string type_of_class(const std::string& name) {
  if (name.starts_with("Dinov2WithRegisters")) return "dinov2_with_registers";
  if (name.starts_with("Dinov2")) return "dinov2";
  if (name.starts_with("ResNet")) return "resnet";
  return name.starts_with("ViTModel") || name.starts_with("ViTForImage") ? "vit" : "";
}

void check_class(const std::string& name) {
  for (const char* kind : {"ForImageClassification", "Model", "Backbone"}) {
    if (name.ends_with(kind) && !type_of_class(name).empty()) return;
  }
  throw ModelFileError(
      "config.json's architectures has '" + name +
      "'; tessera has ViT, Dinov2, Dinov2WithRegisters and ResNet, each as Model or ForImageClassification; "
      "--arch NAME converts the weights as those of such a network, where they fit it");
}

void require(const Json& config, const std::string& key, const Json& only, const IgnoredKeys& ignored) {
  const auto found = config.find(key);
  if (found == config.end() || *found == only || ignored.contains(key)) return;
  refuse_setting(key, *found, "tessera has only " + only.dump());
}

Json square_of(const Json& value) {
  const bool pair = value.is_array() && value.size() == 2 && value[0] == value[1];
  return pair ? value[0] : value;
}

void take_vit(SaidNetwork& said, const Json& config, const IgnoredKeys& ignored) {
  constexpr std::pair<const char*, const char*> kParameters[] = {
      {"hidden_size", "dim"},  {"num_hidden_layers", "depth"},       {"num_attention_heads", "heads"},
      {"patch_size", "patch"}, {"num_register_tokens", "registers"}, {"layer_norm_eps", "norm_eps"},
      {"qkv_bias", "qkv_bias"}};
  for (const auto& [key, parameter] : kParameters) {
    if (config.contains(key) && !ignored.contains(key)) said.parameters[parameter] = {square_of(config.at(key)), key};
  }
  const auto dim = said.parameters.find("dim");
  const auto hidden = config.find("intermediate_size");
  if (hidden != config.end() && hidden->is_number() && dim != said.parameters.end() && dim->second.value.is_number() &&
      !ignored.contains("intermediate_size")) {
    said.parameters["mlp_ratio"] = {hidden->get<double>() / dim->second.value.get<double>(), "intermediate_size"};
  }
  if (config.contains("mlp_ratio") && config.at("mlp_ratio").is_number() && !ignored.contains("mlp_ratio")) {
    said.parameters["mlp_ratio"] = {config.at("mlp_ratio").get<double>(), "mlp_ratio"};
  }
  require(config, "use_swiglu_ffn", false, ignored);
  require(config, "hidden_act", "gelu", ignored);
}

void take_resnet(SaidNetwork& said, const Json& config, const IgnoredKeys& ignored) {
  require(config, "hidden_act", "relu", ignored);
  require(config, "downsample_in_first_stage", false, ignored);
  require(config, "downsample_in_bottleneck", false, ignored);
  if (config.contains("depths")) said.parameters["depths"] = {config.at("depths"), "depths"};
  if (config.contains("embedding_size")) said.parameters["width"] = {config.at("embedding_size"), "embedding_size"};
  if (config.contains("layer_type"))
    said.parameters["bottleneck"] = {config.at("layer_type") == "bottleneck", "layer_type"};
}

bool is_known(const std::string& family, const std::string& key) {
  static const std::set<std::string> kVit{
      "hidden_size",    "num_hidden_layers", "num_attention_heads", "patch_size", "num_register_tokens",
      "layer_norm_eps", "qkv_bias",          "intermediate_size",   "mlp_ratio",  "use_swiglu_ffn",
      "hidden_act",     "image_size",        "num_channels"};
  static const std::set<std::string> kResNet{"hidden_act",
                                             "downsample_in_first_stage",
                                             "downsample_in_bottleneck",
                                             "depths",
                                             "embedding_size",
                                             "hidden_sizes",
                                             "layer_type",
                                             "num_channels"};
  return (family == "vit" ? kVit : kResNet).contains(key);
}

}  // namespace

SaidNetwork hugging_face_network(const Json& config, const IgnoredKeys& ignored) {
  const Json classes = config.value("architectures", Json::array());
  std::string name;
  if (classes.is_array() && !classes.empty() && classes.front().is_string()) name = classes.front().get<std::string>();
  const std::string type = config_value<std::string>(config, "model_type", type_of_class(name));
  const auto known = std::ranges::find(kTypes, type, [](const Type& t) { return std::string(t.name); });
  SaidNetwork said{.architecture = "",
                   .family = "",
                   .parameters = {},
                   .follows = kTransformersVersion,
                   .trained_by = "config.json's model_type '" + type + "'"};
  if (known == kTypes.end()) {
    if (ignored.contains("model_type")) return unnamed_network(config, ignored);
    throw ModelFileError("config.json's model_type '" + type + "' (" + name +
                         ") is not one that tessera has; it has vit, dinov2, dinov2_with_registers, resnet and timm's; "
                         "--arch NAME converts the weights as those of such a network, where they fit it");
  }
  if (!name.empty() && !ignored.contains("architectures")) check_class(name);
  said.family = known->family;
  said.parameters["norm_eps"] = {known->norm_eps, "model_type"};
  if (said.family == "vit") said.parameters["heads"] = {12, "model_type"};  // transformers' default
  require(config, "num_channels", 3, ignored);
  said.family == "vit" ? take_vit(said, config, ignored) : take_resnet(said, config, ignored);
  for (const auto& [key, value] : config.items()) {
    if (is_harmless(key) || is_known(said.family, key) || ignored.contains(key)) continue;
    refuse_setting(key, value, "tessera does not know what it changes");
  }
  return said;
}

}  // namespace tessera
