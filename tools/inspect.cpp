// tessera inspect: the layers of a model, before and after passes.

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/file.h"
#include "core/nearest.h"
#include "core/output_file.h"
#include "core/resources.h"
#include "evaluation/inspect/inspection.h"
#include "evaluation/inspect/inspection_page.h"
#include "evaluation/inspect/inspection_plot.h"
#include "tools/say.h"
#include "tools/tool.h"

namespace tessera {

namespace {

constexpr int kEveryDepth = 100;

struct InspectOptions {
  std::vector<std::string> models;
  std::string graph = "raw";
  std::filesystem::path dot, html, plot, image, maps;
  std::int64_t batch = 1;
  int depth = kEveryDepth;
  std::optional<Sides> image_size;
  std::string timm_size;
  bool json = false;
};

// Whether this is a bare architecture. An installed model of the same name comes first, as in every other command.
bool is_architecture(const std::string& model) {
  std::error_code error;
  if (std::filesystem::exists(model, error) || !installed_file(model).empty()) return false;
  return std::ranges::find(architectures(), model, &Architecture::name) != architectures().end();
}

// Refuses a word that is neither a file nor a model nor an architecture, and suggests the nearest of all three.
void refuse_unknown(const std::string& model) {
  std::error_code error;
  const bool looks_like_path = model.ends_with(".h5") || model.starts_with("/") || model.starts_with(".");
  const bool there = std::filesystem::exists(std::filesystem::symlink_status(model, error));
  if (looks_like_path || there || model.starts_with("seeded:") || !installed_file(model).empty()) return;
  std::vector<std::string> known = installed_models();
  for (const Architecture& architecture : architectures()) known.push_back(architecture.name);
  const std::string near = did_you_mean(model, known);
  if (near.empty()) return;  // open_card() reports the error
  throw ModelFileError("no model or architecture '" + model + "'" + near);
}

OpenOptions open_options(const InspectOptions& options) {
  return {.threads = usable_cores(), .image_size = options.image_size, .timm_size = options.timm_size};
}

// The card of a model, or of a bare architecture with its defaults.
ModelCard card_of(const std::string& model, const InspectOptions& options) {
  if (!is_architecture(model)) {
    refuse_unknown(model);
    return open_card(model, open_options(options));
  }
  ModelCard card = open_card("seeded:" + model, open_options(options));
  card.name = model;  // seeded weights are not used here, so the name does not mention them
  card.source = {};
  return card;
}

// With its weights, where there are any.
InspectedModel model_of(const std::string& model, const InspectOptions& options) {
  if (is_architecture(model)) return {.card = card_of(model, options), .weights = {}};
  LoadedModel loaded = load_model(model, open_options(options));
  return {.card = std::move(loaded.card), .weights = std::move(loaded.weights)};
}

void write_page(const InspectOptions& options) {
  std::vector<InspectedModel> models;
  for (const std::string& model : options.models) models.push_back(model_of(model, options));
  write_file(options.html, inspection_page(models, options.batch));
}

void print_text(const std::vector<Inspection>& inspections, int depth) {
  if (inspections.size() > 1) {
    print_out("{}", comparison_text(inspections));
  } else {
    print_out("{}", inspection_text(inspections.front(), depth));
  }
}

void print_documents(const std::vector<Inspection>& inspections, int depth) {
  if (inspections.size() == 1) return print_json(to_json(inspections.front(), depth));
  nlohmann::json all = nlohmann::json::array();
  for (const Inspection& inspection : inspections) all.push_back(to_json(inspection, depth));
  print_json({{"models", std::move(all)}});
}

// The output of the model's stages for the picture.
void write_maps(const InspectOptions& options) {
  constexpr std::size_t kStages = 6, kChannels = 8;
  LoadedModel model = load_model(options.models.front(), open_options(options));
  RunOptions run;
  run.threads = usable_cores();
  run.taps = stages_with_maps(build_graph(model.card.config), kStages);
  Classifier classifier(std::move(model), run);
  Tensor input = classifier.input(1);
  preprocess_image(decode(read_picture_file(options.image), options.image.string()), classifier.card().preprocess,
                   input.view());
  classifier.run(input.view());
  write_drawing(options.maps, draw_maps(classifier.card().name, picture_of(input.view(), classifier.card().preprocess),
                                        maps_of(classifier.session(), run.taps, kChannels)));
}

// Before anything is written.
void check(const InspectOptions& options) {
  const std::string& model = options.models.front();
  if (options.models.size() > 1 && !(options.dot.empty() && options.maps.empty())) {
    throw UsageError("--dot and --maps draw one model");
  }
  for (const std::filesystem::path& path : {options.dot, options.html}) {
    if (!path.empty()) check_output(path);
  }
  check_drawing_path("--plot", options.plot);
  check_drawing_path("--maps", options.maps);
  if (options.maps.empty() != options.image.empty()) {
    throw UsageError("--maps F.svg and --image PICTURE go together: what each stage makes of the picture");
  }
  if (!options.maps.empty() && is_architecture(model)) {
    throw UsageError("--maps needs weights, and " + model +
                     " is an architecture; name a model file, or seeded:" + model + "@7");
  }
}

int run_inspect(const InspectOptions& options) {
  check(options);
  std::vector<Inspection> inspections;
  for (const std::string& model : options.models) {
    inspections.push_back(inspect_model(card_of(model, options), options.graph, options.batch));
  }
  if (!options.dot.empty()) write_file(options.dot, inspection_dot(inspections.front()));
  if (!options.html.empty()) write_page(options);
  if (!options.plot.empty()) write_drawing(options.plot, draw_stages(inspections));
  if (!options.maps.empty()) write_maps(options);
  if (options.json) {
    print_documents(inspections, options.depth);
  } else {
    print_text(inspections, options.depth);
  }
  return 0;
}

}  // namespace

void add_inspect(Command& app, Outcome& outcome) {
  auto options = std::make_shared<InspectOptions>();
  Command* command = app.add_subcommand("inspect", "Layers, shapes, parameters and multiply-adds of a model");
  command
      ->add_option("model", options->models, "models, or names of architectures; of several, a table beside each other")
      ->required();
  command->add_option("--depth", options->depth, "how deep the tree is shown: 1 is stages, 2 is blocks (default: all)")
      ->check(in_range(1, kEveryDepth));
  command
      ->add_option(
          "--graph", options->graph,
          "raw: as the paper draws it; fused: after all passes (what a device fuses beyond them shows in profile); or "
          "the name of the pass after which to look")
      ->capture_default_str();
  command->add_option("--dot", options->dot, "write the graph for Graphviz: dot -Tsvg F -o F.svg");
  command->add_option(
      "--html", options->html,
      "write one page with the graph to zoom into, and the weights' histograms where there are weights");
  command->add_option("--plot", options->plot,
                      "draw parameters, multiply-adds and activations of each stage: .svg or .png");
  command->add_option("--maps", options->maps, "draw what each stage makes of --image: a .svg or .png file");
  command->add_option("--image", options->image, "the picture for --maps");
  constexpr int kMostPictures = 4096;
  command->add_option("--batch", options->batch, "pictures at once")
      ->check(in_range(1, kMostPictures))
      ->capture_default_str();
  Option* const size = add_image_size_option(*command, options->image_size,
                                             "of the picture: SIDE or HEIGHTxWIDTH (default: the model's)");
  add_timm_size_option(*command, options->timm_size, size);
  add_json_option(*command, options->json);
  command->footer(
      "Examples:\n"
      "  tessera inspect resnet50 --depth 2\n"
      "  tessera inspect my-model.h5 --graph fused\n"
      "  tessera inspect seeded:resnet50@7 seeded:vit_base_patch16_224@7 --html both.html");
  command->callback([options, &outcome] { outcome.exit_code = run_inspect(*options); });
}

}  // namespace tessera
