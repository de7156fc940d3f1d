#pragma once
// A family of networks: all that tessera knows of it, in one file of this folder. Everything outside reads it from here
// and names no family. `list.inc` lists the families.

#include <map>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/weight_store.h"
#include "models/parameters.h"
#include "models/said.h"
#include "vision/resize.h"

namespace tessera {

// What stands behind an architecture: the first entry whose `part` its name contains.
struct Paper {
  std::string_view part, citation;  // "deit3", "Touvron et al. 2022, arXiv:2204.07118"; part "": all others
};

// A part of a name (of a network, or of a tensor) and what a network has that is called so: "anti-aliased strides".
struct Lack {
  std::string_view part, kind;
};

// A prefix of a tensor's name, and what it becomes; "" drops the tensor.
struct Rename {
  std::string_view from, to;
};

// Where rules hold: "encoder.layer.{}." becomes "blocks.{0}.", "{0+1}" is the first number and one. The first place of
// a naming whose `from` fits is taken, and in it the first rule; a name that no rule fits stays as it is, and is then
// listed as unexpected.
struct NamePlace {
  std::string_view from, to;
  std::vector<Rename> rules;
};

// How a library, or a network's authors, call the tensors of a family.
struct Naming {
  std::string_view name;                        // "Hugging Face"
  std::string_view first_layer;                 // the tensor by which a prefix before all of them is found
  std::vector<std::string_view> prefixes = {};  // "vit.": of the library itself, taken off beside a head without it
  bool (*is_of)(const WeightStore& weights);
  std::vector<NamePlace> places = {};
  std::string (*rename)(const std::string& name) = nullptr;       // instead of places
  bool separate_qkv = false;                                      // blocks.N.attn.q, k and v are to be one attn.qkv
  void (*finish)(WeightStore& weights) = nullptr;                 // what is more than a name
  std::string (*left_out)(const WeightStore& weights) = nullptr;  // which part, "" where all is taken
};

struct RenamedWeights {
  WeightStore weights;
  const Naming* naming = nullptr;  // not null: one named "timm" where names are taken as they are
};

// How timm's constructor makes networks of the family, and what of its arguments tessera has. An argument that is named
// nowhere here is refused: what it changes is not known.
struct TimmArguments {
  std::vector<std::string_view> classes;  // "VisionTransformer"
  std::vector<std::string_view> decided;  // parameters that an architecture's name decides, given or by default
  std::map<std::string, std::string> parameters = {};            // "embed_dim": "dim"
  std::map<std::string, std::vector<nlohmann::json>> only = {};  // "act_layer": the values that tessera has
  // Arguments that are more than a parameter's value. False: not one of them.
  bool (*take)(SaidNetwork& said, const std::string& key, const nlohmann::json& value) = nullptr;
  // What several arguments say together. Throws ModelFileError.
  void (*check)(const SaidNetwork& said, const nlohmann::json& arguments, const IgnoredKeys& ignored) = nullptr;
  // Parameters that follow from the picture's size and from the number of classes.
  void (*fit)(nlohmann::json& parameters) = nullptr;
};

struct HuggingFaceType {
  std::string_view model_type;            // "dinov2"
  std::vector<std::string_view> classes;  // its classes begin so: "Dinov2"
  nlohmann::json defaults;                // what transformers takes for what a config.json does not say
  std::string_view image_processor;       // of models whose files name none
};

// transformers' config.json of the family. As of timm, a key that is named nowhere is refused.
struct HuggingFaceConfig {
  std::vector<HuggingFaceType> types = {};
  std::map<std::string, std::string> parameters = {};  // "hidden_size": "dim"
  std::map<std::string, nlohmann::json> only = {};     // "hidden_act": the value that tessera has
  std::vector<std::string> harmless = {};              // beside those that are so in every family
  void (*take)(SaidNetwork& said, const nlohmann::json& config, const IgnoredKeys& ignored) = nullptr;
};

// Published weights, by the name and the first digits of the SHA-256 of their file; pictures have ImageNet's colours.
struct PublishedFile {
  std::string_view stem, digest;  // digest: stands in the name; or ""
  std::string_view origin;        // "torchvision's IMAGENET1K_V2"
  int resize, crop;
  Filter filter;
};

// A model that PyTorch computed: tests/data/models/FILE.h5, by tests/reference/make_models.py.
struct ReferenceCase {
  const char* file;
  const char* architecture;
  std::uint64_t seed;
  const char* overrides = "{}";  // JSON: parameters that differ from the architecture's
  std::size_t activations;       // at least so many
  const char* options = "";      // of make_reference.py: how many pictures and values are kept
  double tolerance = 2e-5;       // relative and absolute
};

// What `tessera selftest` runs on a device: at a small size held against the readable layers, and timed at its own.
struct SelftestModel {
  const char* architecture;
  int size = 0;  // 0: not held against them
  bool timed = false;
};

struct Family {
  std::string_view name;    // "resnet"
  std::string_view lesson;  // a paragraph for those who do not know it
  std::vector<Paper> papers;
  Builder builder;

  // Architectures. `rows` are the well-known ones, in the order of lists; others of timm's table are found by its
  // arguments.
  std::vector<std::string_view> rows;
  TimmArguments timm;
  // What networks that are called alike have, and tessera has not: by parts of names, and by more than a part ("" where
  // nothing is).
  std::vector<Lack> lacks = {};
  std::string_view (*lack_of_name)(std::string_view name) = nullptr;

  // Heads. Null: `classes` says it, 0 means features.
  bool (*has_head)(const nlohmann::json& parameters) = nullptr;
  void (*put_head)(nlohmann::json& parameters) = nullptr;  // of a network without

  // Weights, by timm's names.
  std::vector<Naming> namings;
  bool (*is_of)(const WeightStore& weights);
  std::vector<Lack> lacks_tensors = {};
  void (*refuse_tensors)(const WeightStore& weights) = nullptr;  // by shapes. Throws ModelFileError
  nlohmann::json (*parameters_of)(const RenamedWeights& renamed, const SaidNetwork& said);  // those that tensors show
  std::vector<std::string_view> unseen = {};  // parameters that no tensor shows, so that two who say them must agree
  std::string (*contradiction)(const std::string& parameter, const Said& said) = nullptr;  // a better message, or ""
  // Those that tensors do not show. Throws ModelFileError where nothing says them.
  void (*complete)(nlohmann::json& found, const RenamedWeights& renamed, const SaidNetwork& said,
                   const Note& note) = nullptr;
  std::vector<PublishedFile> files = {};

  HuggingFaceConfig hugging_face = {};
  std::vector<ReferenceCase> references;
  std::vector<SelftestModel> selftest;
};

// All families, in the order of lists. Read-only.
std::span<const Family* const> families();
// Null where there is none.
const Family* find_family(std::string_view name);

// Helpers of families.
std::int64_t blocks_under(const WeightStore& weights, const std::string& prefix, const std::string& leaf);
// Of a tensor. Throws ModelFileError when it has no such dimension.
std::int64_t dimension(const WeightStore& weights, const std::string& name, int index);
bool has_name_with(const WeightStore& weights, std::string_view part);
// "'conv1.weight' [64, 1, 7, 7] belongs to a network with pictures of 1 channels, which tessera does not have"
[[noreturn]] void refuse_tensor(const std::string& name, const Tensor& tensor, std::string_view kind);
// Equal, but for the digits of a number that was written down.
bool same_value(const nlohmann::json& a, const nlohmann::json& b);

}  // namespace tessera
