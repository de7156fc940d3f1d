#pragma once
// Preprocessing from other libraries' files (transformers' preprocessor_config.json, timm's pretrained_cfg), from a
// table of published weights, or from the user. Private to weights/.

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "models/registry.h"
#include "vision/preprocess.h"
#include "weights/convert.h"
#include "weights/known_files.h"
#include "weights/said_network.h"

namespace tessera {

struct PreprocessSources {
  nlohmann::json config = nlohmann::json::object();     // config.json
  nlohmann::json processor = nlohmann::json::object();  // preprocessor_config.json
  std::optional<KnownFile> file;
  IgnoredKeys ignored;
};

struct ChosenPreprocess {
  Preprocess preprocess;
  std::string follows;  // "transformers 5.23" where its defaults decided something, else ""
};

// What the user says comes before what the files say. Nothing is assumed: where neither says it, ModelFileError names
// what is missing and the options that give it. It is thrown too for settings that tessera does not have. `said` has
// the network's name, `config` its picture size.
ChosenPreprocess preprocess_of(const ModelConfig& config, const SaidNetwork& said, const PreprocessSources& sources,
                               const PreprocessOptions& options, const Note& note);

// From a preprocessor_config.json; `model_type` is its model's, for files that name no processor.
ChosenPreprocess hugging_face_preprocess(const nlohmann::json& json, const std::string& model_type,
                                         const IgnoredKeys& ignored);

}  // namespace tessera
