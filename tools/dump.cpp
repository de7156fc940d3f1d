// tessera dump: writes a model's activations for some pictures, layer by layer, to a file.

#include "evaluation/check/dump.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/npy.h"
#include "core/output_file.h"
#include "evaluation/ready/backends.h"
#include "tools/say.h"
#include "tools/tool.h"
#include "weights/activation_file.h"

namespace tessera {

namespace {

namespace fs = std::filesystem;

struct DumpCommand {
  CommonOptions common;
  std::string model, graph = "raw", format, output, like;
  std::vector<std::string> images, taps;
  bool keep_fusions = false;
};

enum class Format { kHdf5, kNpyFolder, kNpyFile };

Format format_of(const DumpCommand& command) {
  const fs::path path(command.output);
  if (command.format == "npy" || (command.format.empty() && path.extension() == ".npy")) {
    return path.extension() == ".npy" ? Format::kNpyFile : Format::kNpyFolder;
  }
  if (command.format.empty() && path.extension() != ".h5" && path.extension() != ".hdf5") {
    throw UsageError("-o " + command.output + ": call it .h5 or .npy, or say --format h5 or npy (a folder)");
  }
  return Format::kHdf5;
}

// The activations of the file that the model has; names the others on standard error.
std::vector<std::string> taps_like(const ActivationReader& reference, const Graph& graph) {
  std::vector<std::string> taps;
  std::string missing;
  for (const ActivationEntry& entry : reference.activations()) {
    if (graph.names().contains(entry.path)) {
      taps.push_back(entry.path);
    } else {
      missing += " " + entry.path;
    }
  }
  if (!missing.empty()) tell("Not in this model:{}", missing);
  if (taps.empty()) throw UsageError(reference.file() + ": has no layer of this model");
  return taps;
}

// The pictures of `--image`, as the classifier takes them.
Tensor read_pictures(const DumpCommand& command, const Classifier& classifier) {
  Tensor input = classifier.input(static_cast<std::int64_t>(command.images.size()));
  for (std::size_t i = 0; i < command.images.size(); ++i) {
    const std::string& file = command.images[i];
    preprocess_image(decode(read_picture_file(file), file, command.common.decode_options()),
                     classifier.card().preprocess, input.view().slice(static_cast<std::int64_t>(i)));
  }
  return input;
}

void tell_undone(const std::vector<UndoneFusion>& undone) {
  if (undone.empty()) return;
  constexpr std::size_t kShown = 8;
  tell("Taps keep apart what {} fused kernel{} would compute (--keep-fusions leaves such taps out):", undone.size(),
       undone.size() == 1 ? "" : "s");
  for (std::size_t i = 0; i < std::min(kShown, undone.size()); ++i) {
    tell("  {}", to_string(undone[i]));
  }
  if (undone.size() > kShown) tell("  and {} more (--json lists them)", undone.size() - kShown);
}

nlohmann::json to_json(const std::vector<TappedValue>& values) {
  nlohmann::json list = nlohmann::json::array();
  for (const TappedValue& value : values) {
    list.push_back(
        {{"path", value.path},
         {"layer", value.layer},
         {"kernel", value.kernel},
         {"layout", layout_of(value.shape)},
         {"shape", std::vector<std::int64_t>(value.shape.dimensions().begin(), value.shape.dimensions().end())}});
  }
  return list;
}

std::vector<TappedValue> write(const DumpCommand& command, Classifier& classifier, ConstView input,
                               const nlohmann::json& settings) {
  switch (format_of(command)) {
    case Format::kHdf5:
      return write_dump(command.output, classifier, input, settings);
    case Format::kNpyFolder:
      return write_npy_dump(command.output, classifier, input, settings);
    case Format::kNpyFile: {
      const std::vector<TappedValue> values = tapped_values(classifier.program());
      if (values.size() != 1) {
        throw UsageError(fmt::format("--taps match {} layers, a .npy file holds one; give a folder and --format npy",
                                     values.size()));
      }
      classifier.run(input);
      write_npy(command.output, classifier.session().tap(values[0].path).view());
      return values;
    }
  }
  throw InternalError("unknown format");
}

int run_dump(const DumpCommand& command) {
  if (command.images.empty() == command.like.empty()) throw UsageError("give either --image or --like");
  if (format_of(command) == Format::kNpyFolder) {  // before any work
    check_output_folder(command.output);
  } else {
    check_output(command.output);
  }
  std::optional<ActivationReader> reference;
  if (!command.like.empty()) reference.emplace(command.like);
  const std::int64_t pictures =
      reference ? reference->input_shape()[0] : static_cast<std::int64_t>(command.images.size());
  RunOptions run = command.common.run_options(pictures);
  run.optimise = command.graph == "fused";
  if (reference && !run.image_size && run.timm_size.empty()) run.image_size = picture_sides(reference->input_shape());
  OpenedModel model = open_model(command.model, open_options(run));
  Graph graph = build_graph(model.card.config, pictures);
  run.taps = command.taps;
  if (run.taps.empty() && reference) run.taps = taps_like(*reference, graph);
  if (run.taps.empty()) run.taps = {"*"};
  const Graph fused = fused_graph(std::move(graph), *make_backend(run, model.card), run.rewrite);
  if (command.keep_fusions && run.optimise) run.taps = names_that_fusions_keep(fused, run.taps);

  Classifier classifier(std::move(model), run);
  const std::vector<UndoneFusion> undone = undone_fusions(fused, classifier.program());
  const Tensor input = reference ? reference->input() : read_pictures(command, classifier);
  const nlohmann::json settings{{"made_by", "tessera " TESSERA_VERSION " dump"},
                                {"graph", command.graph},
                                {"device", classifier.program().backend()},
                                {"dtype", run.dtype},
                                {"threads", run.threads},
                                {"pictures", reference ? std::vector{command.like} : command.images}};
  const std::vector<TappedValue> values = write(command, classifier, input.view(), settings);
  if (command.common.json) {
    nlohmann::json fusions = nlohmann::json::array();
    for (const UndoneFusion& fusion : undone) fusions.push_back(fusion.parts);
    print_json({{"file", command.output},
                {"model", classifier.card().name},
                {"settings", settings},
                {"activations", to_json(values)},
                {"undone_fusions", fusions}});
    return 0;
  }
  tell_undone(undone);
  print_out("{}: {} activation{} of {} picture{}, graph {}\n", command.output, values.size(),
            values.size() == 1 ? "" : "s", pictures, pictures == 1 ? "" : "s", command.graph);
  return 0;
}

}  // namespace

void add_dump(Command& app, Outcome& outcome) {
  auto command = std::make_shared<DumpCommand>();
  Command* sub = app.add_subcommand("dump", "Write a model's activations on pictures to a file, for diff");
  sub->add_option("model", command->model, "a model")->required();
  sub->add_option("--image", command->images, "pictures, which are run as one batch");
  sub->add_option("--like", command->like, "take the pixels and the layers of this dump or reference file");
  sub->add_option("--taps", command->taps, "which layers, by '*' and '?' in their paths (default: all)");
  sub->add_option("--graph", command->graph, "raw: as the paper draws it; fused: as it runs, as far as taps allow")
      ->check(one_of({"raw", "fused"}))
      ->capture_default_str();
  sub->add_flag("--keep-fusions", command->keep_fusions, "of --graph fused, only what no fusion hides");
  sub->add_option("-o,--output", command->output, "the file, .h5 or (of one layer) .npy, or a folder for --format npy")
      ->required();
  sub->add_option("--format", command->format, "h5 or npy (default: by the file's extension)")
      ->check(one_of({"h5", "npy"}));
  add_common_options(*sub, command->common);
  sub->footer(
      "Examples:\n"
      "  tessera dump seeded:resnet50@7 --image cat.jpg --taps 'layer?' --taps 'fc' -o cat.h5\n"
      "  tessera dump vit.h5 --image cat.jpg dog.jpg --taps 'blocks.*' --graph fused -o both.h5\n"
      "  tessera dump my-port.h5 --like pytorch.h5 -o mine.h5 && tessera diff pytorch.h5 mine.h5");
  sub->callback([command, &outcome] { outcome.exit_code = run_dump(*command); });
}

}  // namespace tessera
