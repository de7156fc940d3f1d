// transformers' config.json, of the types that the families have.

#include <algorithm>

#include "core/error.h"
#include "models/family.h"
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

// A type and its family; null where tessera has none of that name.
struct Known {
  const Family* family = nullptr;
  const HuggingFaceType* type = nullptr;
};

Known find_type(std::string_view model_type) {
  for (const Family* family : families()) {
    for (const HuggingFaceType& type : family->hugging_face.types) {
      if (type.model_type == model_type) return {family, &type};
    }
  }
  return {};
}

// Of models whose architectures name a class but no type: the type with the longest beginning of the class's name.
std::string type_of_class(std::string_view name) {
  std::string_view best, type_of_best;
  for (const Family* family : families()) {
    for (const HuggingFaceType& type : family->hugging_face.types) {
      for (const std::string_view beginning : type.classes) {
        if (!name.starts_with(beginning) || beginning.size() <= best.size()) continue;
        best = beginning;
        type_of_best = type.model_type;
      }
    }
  }
  return std::string(type_of_best);
}

// "resnet, vit, dinov2"
std::string all_types() {
  std::string text;
  for (const Family* family : families()) {
    for (const HuggingFaceType& type : family->hugging_face.types) {
      text += (text.empty() ? "" : ", ") + std::string(type.model_type);
    }
  }
  return text;
}

void check_class(const std::string& name) {
  for (const char* kind : {"ForImageClassification", "Model", "Backbone"}) {
    if (name.ends_with(kind) && !type_of_class(name).empty()) return;
  }
  throw ModelFileError("config.json's architectures has '" + name + "'; tessera has the classes of " + all_types() +
                       ", each as Model or ForImageClassification; --arch NAME converts the weights as those of such a "
                       "network, where they fit it");
}

void take_parameters(SaidNetwork& said, const HuggingFaceConfig& keys, const Json& config, const IgnoredKeys& ignored) {
  for (const auto& [key, parameter] : keys.parameters) {
    if (config.contains(key) && !ignored.contains(key)) said.parameters[parameter] = {one_of_two(config.at(key)), key};
  }
  if (keys.take != nullptr) keys.take(said, config, ignored);
  for (const auto& [key, only] : keys.only) require_setting(config, key, only, ignored);
}

bool is_known(const HuggingFaceConfig& keys, const std::string& key) {
  return key == "num_channels" || keys.parameters.contains(key) || keys.only.contains(key) ||
         std::ranges::find(keys.harmless, key) != keys.harmless.end();
}

}  // namespace

SaidNetwork hugging_face_network(const Json& config, const IgnoredKeys& ignored) {
  const Json classes = config.value("architectures", Json::array());
  std::string name;
  if (classes.is_array() && !classes.empty() && classes.front().is_string()) name = classes.front().get<std::string>();
  const std::string type = config_value<std::string>(config, "model_type", type_of_class(name));
  const Known known = find_type(type);
  SaidNetwork said{.architecture = "",
                   .family = "",
                   .parameters = {},
                   .picture = {},
                   .follows = kTransformersVersion,
                   .trained_by = "config.json's model_type '" + type + "'"};
  if (known.family == nullptr) {
    if (ignored.contains("model_type")) return unnamed_network(config, ignored);
    throw ModelFileError("config.json's model_type '" + type + "' (" + name + ") is not one that tessera has; it has " +
                         all_types() +
                         " and timm's; --arch NAME converts the weights as those of such a network, where they fit it");
  }
  if (!name.empty() && !ignored.contains("architectures")) check_class(name);
  said.family = known.family->name;
  for (const auto& [parameter, value] : known.type->defaults.items())
    said.parameters[parameter] = {value, "model_type"};
  if (config.contains("image_size") && !ignored.contains("image_size")) said.picture = config.at("image_size");
  require_setting(config, "num_channels", 3, ignored);
  const HuggingFaceConfig& keys = known.family->hugging_face;
  take_parameters(said, keys, config, ignored);
  for (const auto& [key, value] : config.items()) {
    if (is_harmless(key) || is_known(keys, key) || ignored.contains(key)) continue;
    refuse_setting(key, value, "tessera does not know what it changes");
  }
  return said;
}

}  // namespace tessera
