// tessera models: what is installed, what tessera builds, and timm's published weights.

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "models/family.h"
#include "models/registry.h"
#include "models/timm_table.h"
#include "tools/say.h"
#include "tools/tool.h"
#include "weights/model_source.h"

namespace tessera {

namespace {

using Json = nlohmann::json;

struct ModelsCommand {
  std::string name;
  std::vector<std::string> search;
  std::string most_parameters;
  double least_top1 = 0;
  bool json = false;
};

// "30M" -> 30,000,000.
double count_from_string(const std::string& option, const std::string& text) {
  constexpr std::pair<char, double> kUnits[] = {{'k', 1e3}, {'M', 1e6}, {'G', 1e9}};
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const std::string unit(end, text.data() + text.size());
  const auto found =
      std::ranges::find_if(kUnits, [&](const auto& entry) { return unit == std::string(1, entry.first); });
  if (error != std::errc() || !(value >= 0) || (!unit.empty() && found == std::end(kUnits))) {
    throw UsageError(option + " '" + text + "': expected a number, with k, M or G behind it or without");
  }
  return unit.empty() ? value : value * found->second;
}

std::string small_letters(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return result;
}

// Weights that are published, with what is known of their architecture.
struct Found {
  const TimmWeights* weights;
  const TimmArchitecture* architecture;

  // The best of its sizes; null where none is published.
  const PublishedResult* result() const {
    const auto best = std::ranges::max_element(weights->results, {}, &PublishedResult::top1);
    return best->image_size == 0 ? nullptr : &*best;
  }
  double best_top1() const { return result() == nullptr ? 0 : result()->top1; }
};

// Of all that is asked for, the most accurate first.
std::vector<Found> search(const ModelsCommand& command) {
  const double most = command.most_parameters.empty() ? std::numeric_limits<double>::infinity()
                                                      : count_from_string("--max-params", command.most_parameters);
  std::vector<Found> found;
  for (const TimmWeights& row : timm_weights()) {
    const Found entry{&row, find_timm_architecture(row.architecture())};
    const std::string name = small_letters(row.hub.empty() ? row.name : row.hub);
    const bool named = std::ranges::all_of(command.search, [&](const std::string& part) {
      return name.find(small_letters(part)) != std::string::npos || row.name.find(part) != std::string_view::npos;
    });
    const bool published = !row.hub.empty() || entry.best_top1() > 0;
    if (!named || !published || entry.architecture == nullptr) continue;
    if (static_cast<double>(entry.architecture->parameters) > most) continue;
    if (command.least_top1 > 0 && entry.best_top1() < command.least_top1) continue;
    found.push_back(entry);
  }
  std::ranges::stable_sort(found, std::greater(), &Found::best_top1);
  return found;
}

double gmacs_of(const TimmArchitecture& architecture) {
  return architecture.macs > 0 ? static_cast<double>(architecture.macs) / 1e9 : architecture.published_gmacs;
}

Json to_json(const Found& found) {
  const TimmWeights& weights = *found.weights;
  Json results = Json::array();
  for (const PublishedResult& result : weights.results) {
    if (result.image_size == 0) continue;
    results.push_back({{"image_size", result.image_size}, {"top1", result.top1}, {"top5", result.top5}});
  }
  Json json{{"name", weights.name},
            {"hub", weights.hub},
            {"licence", weights.licence},
            {"classes", weights.classes},
            {"parameters", found.architecture->parameters},
            {"gmacs", gmacs_of(*found.architecture)},
            {"image_size", sides_to_json(weights.input)},
            {"published", results},
            {"builds", find_row(weights.architecture()) != nullptr}};
  if (weights.test_input.height > 0) json["test_image_size"] = sides_to_json(weights.test_input);
  const std::string kind = unsupported_kind(weights.architecture());
  if (!kind.empty()) json["lacks"] = kind;
  return json;
}

void print_weights(std::span<const Found> found) {
  print_out("{:<64} {:>10} {:>8} {:>5} {:>7}  {:<14} {}\n", "Weights", "Parameters", "GMACs", "Size", "Top-1",
            "Licence", "tessera");
  for (const Found& entry : found) {
    const TimmWeights& weights = *entry.weights;
    const PublishedResult* result = entry.result();
    const std::string_view name = weights.hub.empty() ? weights.name : weights.hub;
    print_out("{:<64} {:>8.2f} M {:>8.3f} {:>5} {:>7}  {:<14} {}\n", name,
              static_cast<double>(entry.architecture->parameters) / 1e6, gmacs_of(*entry.architecture),
              result != nullptr ? std::to_string(result->image_size) : to_string(weights.input),
              result != nullptr ? fmt::format("{:.3f}", result->top1) : "-", weights.licence,
              find_row(weights.architecture()) != nullptr ? "builds it" : "-");
  }
}

int run_search(const ModelsCommand& command) {
  const std::vector<Found> found = search(command);
  if (command.json) {
    Json rows = Json::array();
    for (const Found& entry : found) rows.push_back(to_json(entry));
    print_json({{"source", std::string(kTimmVersion) + " and its tables of results"}, {"weights", rows}});
    return 0;
  }
  print_weights(found);
  print_out("\n{} of the weights of {}; top-1 as timm publishes it, in percent of ImageNet's whole validation set.\n",
            found.size(), kTimmVersion);
  if (!found.empty()) print_out("`tessera convert FOLDER` reads a folder of the hub with such weights.\n");
  return 0;
}

Json to_json(const Family& family) {
  Json papers = Json::array(), parameters = Json::array(), references = Json::array();
  for (const Paper& paper : family.papers) papers.push_back(paper.citation);
  for (const ParameterDescription& parameter : family.builder.parameters) {
    parameters.push_back({{"name", parameter.name}, {"default", parameter.fallback}, {"meaning", parameter.meaning}});
  }
  for (const ReferenceCase& reference : family.references) {
    references.push_back({{"file", reference.file},
                          {"architecture", reference.architecture},
                          {"seed", reference.seed},
                          {"overrides", Json::parse(reference.overrides)},
                          {"options", reference.options}});
  }
  return {{"name", family.name},
          {"lesson", family.lesson},
          {"papers", papers},
          {"parameters", parameters},
          {"references", references}};
}

// One architecture: what it is, its parameters and its weights.
int run_one(const ModelsCommand& command) {
  const std::string name = command.name.substr(command.name.rfind('/') + 1);
  const Architecture& row = find_architecture(name.substr(0, name.find('.')));
  const TimmWeights* const one = find_timm_weights(command.name);
  if (one == nullptr && name != row.name) {
    throw UsageError("timm has no weights '" + command.name + "'; `tessera models " + row.name +
                     "` shows those it has");
  }
  const Family& family = *find_family(row.family);
  if (command.json) {
    print_json({{"name", row.name},
                {"family", to_json(family)},
                {"paper", row.paper},
                {"parameters", row.parameters},
                {"parameter_count", row.parameter_count},
                {"macs", row.macs},
                {"preprocess", to_json(row.preprocess)}});
    return 0;
  }
  print_out("{}: {} ({})\n\n{}\n\n{} parameters, {:.3f} G multiply-adds, {}\n\n", row.name, row.family, row.paper,
            family.lesson, row.parameter_count, static_cast<double>(row.macs) / 1e9, describe(row.preprocess));
  for (const ParameterDescription& parameter : family.builder.parameters) {
    print_out("  {:<22} {:<12} {}\n", parameter.name, row.parameters.at(parameter.name).dump(), parameter.meaning);
  }
  print_out("\n");
  std::vector<Found> weights;
  for (const TimmWeights& entry : timm_weights()) {
    const bool wanted = one != nullptr ? &entry == one : entry.architecture() == row.name && !entry.hub.empty();
    if (wanted) weights.push_back({&entry, find_timm_architecture(row.name)});
  }
  print_weights(weights);
  return 0;
}

int list_json() {
  Json rows = Json::array(), known = Json::array();
  for (const Architecture& row : architectures()) {
    rows.push_back({{"name", row.name},
                    {"family", row.family},
                    {"paper", row.paper},
                    {"parameters", row.parameter_count},
                    {"macs", row.macs},
                    {"preprocess", to_json(row.preprocess)}});
  }
  for (const Family* family : families()) known.push_back(to_json(*family));
  print_json({{"installed", installed_models()},
              {"home", model_home().string()},
              {"families", known},
              {"architectures", rows}});
  return 0;
}

void print_installed() {
  print_out("Installed in {}:\n", model_home().string());
  const std::vector<std::string> installed = installed_models();
  for (const std::string& name : installed) {
    try {
      const ModelCard card = read_model_card(installed_file(name));
      print_out("  {:<32} {:<28} {}\n", name, card.config.architecture, card.source.origin);
    } catch (const Error& error) {
      print_out("  {:<32} cannot be used: {}\n", name, error.what());
    }
  }
  if (installed.empty()) print_out("  none; `tessera convert` installs one\n");
}

int list() {
  print_installed();
  print_out("\n{:<32} {:>12} {:>9}  {}\n", "Architecture", "Parameters", "GMACs", "Paper");
  for (const Architecture& row : architectures()) {
    print_out("{:<32} {:>12} {:>9.3f}  {}\n", row.name, row.parameter_count, static_cast<double>(row.macs) / 1e9,
              row.paper);
  }
  const auto builds = std::ranges::count_if(timm_weights(), [](const TimmWeights& weights) {
    return !weights.hub.empty() && find_row(weights.architecture()) != nullptr;
  });
  print_out("\n`seeded:NAME@SEED` gives any architecture untrained weights, for tests and timings.\n");
  print_out("{} of timm's published weights are of these; `tessera models --search NAME` finds them and others.\n",
            builds);
  return 0;
}

int run_models(const ModelsCommand& command) {
  const bool searches = !command.search.empty() || !command.most_parameters.empty() || command.least_top1 > 0;
  constexpr double kPercent = 100;
  if (!(command.least_top1 >= 0 && command.least_top1 <= kPercent)) {
    throw UsageError("--min-top1 is a share of pictures in percent, in 0 to 100");
  }
  if (searches && !command.name.empty())
    throw UsageError("either an architecture is shown or weights are searched for");
  if (searches) return run_search(command);
  if (!command.name.empty()) return run_one(command);
  return command.json ? list_json() : list();
}

}  // namespace

void add_models(Command& app, Outcome& outcome) {
  auto options = std::make_shared<ModelsCommand>();
  Command* command =
      app.add_subcommand("models", "Installed models, known architectures, and timm's published weights");
  command->add_option("name", options->name, "an architecture to show, or weights of it");
  command->add_option("--search", options->search, "timm's weights with that in their name; all where given twice");
  command->add_option("--max-params", options->most_parameters, "with at most so many parameters: 30M");
  command->add_option("--min-top1", options->least_top1, "with at least so much top-1 published, in percent");
  add_json_option(*command, options->json);
  command->footer(
      "Examples:\n"
      "  tessera models\n"
      "  tessera models resnet50\n"
      "  tessera models --search convnext --max-params 30M --min-top1 82");
  command->callback([options, &outcome] { outcome.exit_code = run_models(*options); });
}

}  // namespace tessera
