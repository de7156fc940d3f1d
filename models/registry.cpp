#include "models/registry.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "core/error.h"
#include "core/nearest.h"
#include "models/family.h"
#include "models/timm_arguments.h"
#include "models/timm_table.h"

namespace tessera {

#define TESSERA_FAMILY(name) const Family& name##_family();
#include "models/list.inc"
#undef TESSERA_FAMILY

namespace {

using Json = nlohmann::json;

// Networks of families that tessera does not have, by parts of their names.
constexpr std::array<Lack, 6> kOtherFamilies{{{"convnext", "ConvNeXt's blocks"},
                                              {"swin", "shifted windows"},
                                              {"mixer", "mixed tokens"},
                                              {"mobilenet", "MobileNet's blocks"},
                                              {"regnet", "RegNet's blocks"},
                                              {"beit", "relative positions"}}};

std::string paper_of(const Family& family, std::string_view name) {
  const auto paper = std::ranges::find_if(
      family.papers, [&](const Paper& entry) { return name.find(entry.part) != std::string_view::npos; });
  return std::string(paper == family.papers.end() ? "" : paper->citation);
}

// What timm's arguments make of the family's defaults; nothing where it is a network that the family does not have.
std::optional<SaidNetwork> said_by_table(const Family& family, const TimmArchitecture& row) {
  if (std::ranges::find(family.timm.classes, row.class_name) == family.timm.classes.end()) return std::nullopt;
  SaidNetwork said;
  for (const std::string_view parameter : family.timm.decided) {
    const std::string key(parameter);
    said.parameters[key] = {family.builder.defaults.at(key), std::string(row.name)};
  }
  try {
    take_timm_arguments(said, family, Json::parse(row.arguments), {});
  } catch (const ModelFileError&) {
    return std::nullopt;
  }
  return said;
}

std::optional<Architecture> make_row(const Family& family, const TimmArchitecture& timm) {
  const std::optional<SaidNetwork> said = said_by_table(family, timm);
  if (!said) return std::nullopt;
  Architecture row{.name = std::string(timm.name),
                   .family = std::string(family.name),
                   .paper = paper_of(family, timm.name),
                   .parameters = family.builder.defaults,
                   .parameter_count = timm.parameters,
                   .macs = timm.macs,
                   .tensors = timm.tensors};
  for (const auto& [parameter, value] : said->parameters) {
    row.parameters[parameter] = value.value;
    row.decided.push_back(parameter);
  }
  row.parameters["classes"] = timm.classes;
  if (const TimmWeights* weights = default_timm_weights(timm.name); weights != nullptr) {
    row.preprocess = preprocess_of(*weights);
    row.parameters["image_size"] = sides_to_json(weights->input);
  }
  if (family.timm.fit != nullptr) family.timm.fit(row.parameters);
  return row;
}

std::vector<Architecture> rows_of(const Family& family) {
  std::vector<Architecture> known, others;
  for (const TimmArchitecture& timm : timm_architectures()) {
    std::optional<Architecture> row = make_row(family, timm);
    if (!row) continue;
    const bool listed = std::ranges::find(family.rows, timm.name) != family.rows.end();
    (listed ? known : others).push_back(std::move(*row));
  }
  std::ranges::sort(known, {}, [&](const Architecture& row) { return std::ranges::find(family.rows, row.name); });
  std::ranges::move(others, std::back_inserter(known));
  return known;
}

std::vector<Architecture> make_rows() {
  std::vector<Architecture> rows;
  for (const Family* family : families()) std::ranges::move(rows_of(*family), std::back_inserter(rows));
  return rows;
}

const Family& family_of(const ModelConfig& config) {
  return *find_family(find_architecture(config.architecture).family);
}

std::string_view lack_in(std::span<const Lack> lacks, std::string_view name) {
  const auto found =
      std::ranges::find_if(lacks, [&](const Lack& lack) { return name.find(lack.part) != std::string_view::npos; });
  return found == lacks.end() ? "" : found->kind;
}

}  // namespace

std::span<const Family* const> families() {
  static const std::vector<const Family*> all{
#define TESSERA_FAMILY(name) &name##_family(),
#include "models/list.inc"
#undef TESSERA_FAMILY
  };
  return all;
}

const Family* find_family(std::string_view name) {
  const auto found = std::ranges::find(families(), name, [](const Family* family) { return family->name; });
  return found == families().end() ? nullptr : *found;
}

std::span<const Architecture> architectures() {
  static const std::vector<Architecture> rows = make_rows();
  return rows;
}

const Architecture* find_row(std::string_view name) {
  const auto rows = architectures();
  const auto found = std::ranges::find(rows, name, &Architecture::name);
  return found == rows.end() ? nullptr : &*found;
}

const Architecture& find_architecture(std::string_view name) {
  if (const Architecture* found = find_row(name); found != nullptr) return *found;
  if (const std::string kind = unsupported_kind(name); !kind.empty()) {
    throw UsageError("'" + std::string(name) + "' is a network with " + kind + ", which tessera does not have");
  }
  std::vector<std::string> names;
  for (const Architecture& row : architectures()) names.push_back(row.name);
  throw UsageError("unknown architecture '" + std::string(name) + "'" + did_you_mean(name, names) +
                   "; `tessera models` lists them");
}

std::string unsupported_kind(std::string_view name) {
  if (find_row(name) != nullptr) return "";
  for (const Family* family : families()) {
    if (const std::string_view kind = lack_in(family->lacks, name); !kind.empty()) return std::string(kind);
  }
  if (const std::string_view kind = lack_in(kOtherFamilies, name); !kind.empty()) return std::string(kind);
  for (const Family* family : families()) {
    if (family->lack_of_name == nullptr) continue;
    if (const std::string_view kind = family->lack_of_name(name); !kind.empty()) return std::string(kind);
  }
  return "";
}

ModelConfig make_config(std::string_view architecture, const Json& overrides) {
  const Architecture& row = find_architecture(architecture);
  ModelConfig config{row.name, row.parameters};
  if (!overrides.is_object()) throw UsageError("the parameters of " + row.name + " must be a JSON object");
  for (const auto& [key, value] : overrides.items()) {
    if (!config.parameters.contains(key)) {
      throw UsageError(row.name + " has no parameter '" + key + "'; it has: " + config.parameters.dump());
    }
    config.parameters[key] = value;
  }
  const Json epsilon = config.parameters.value("norm_eps", Json(1e-5));
  if (!epsilon.is_number() || !(epsilon > 0 && epsilon < 1)) {  // beneath a root, beside a variance
    throw UsageError(row.name + ": norm_eps must lie between 0 and 1, not " + epsilon.dump());
  }
  return config;
}

Graph build_graph(const ModelConfig& config, std::int64_t max_batch) {
  if (max_batch < 1) throw UsageError("the batch must be at least 1, not " + std::to_string(max_batch));
  try {
    return family_of(config).builder.build(config.parameters, max_batch);
  } catch (const Json::exception& error) {
    throw UsageError("the parameters of " + config.architecture + " cannot be used: " + error.what());
  }
}

Sides picture_sides(const ModelConfig& config) {
  const Size2 size = size_from_json(config.parameters.at("image_size"));
  return {static_cast<int>(size.height), static_cast<int>(size.width)};
}

std::int64_t class_count(const ModelConfig& config) {
  const Family& family = family_of(config);
  if (family.has_head != nullptr && !family.has_head(config.parameters)) return 0;
  return config.parameters.value("classes", std::int64_t{0});
}

ModelConfig with_classes(ModelConfig config, std::int64_t classes) {
  if (classes < 0) throw UsageError("a head has at least 0 classes, not " + std::to_string(classes));
  config.parameters["classes"] = classes;
  const Family& family = family_of(config);
  if (classes > 0 && family.has_head != nullptr && !family.has_head(config.parameters))
    family.put_head(config.parameters);
  return config;
}

std::uint64_t digest_of_tensors(const Graph& graph) {
  std::vector<std::string> lines;
  for (const WeightSpec& spec : graph.weight_specs()) {
    std::string line = spec.name + " ";
    for (int i = 0; i < spec.shape.rank(); ++i) line += (i == 0 ? "" : "x") + std::to_string(spec.shape[i]);
    lines.push_back(line + "\n");
  }
  std::ranges::sort(lines);
  std::uint64_t hash = 14695981039346656037ULL;  // FNV-1a
  for (const std::string& line : lines) {
    for (const char c : line) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  }
  return hash;
}

}  // namespace tessera
