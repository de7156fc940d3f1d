// tessera convert and seed-weights: weights in and out.

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/error.h"
#include "core/output_file.h"
#include "core/resources.h"
#include "tools/say.h"
#include "tools/tool.h"
#include "weights/convert.h"
#include "weights/seeded.h"

namespace tessera {

namespace {

namespace fs = std::filesystem;

struct ConvertCommand {
  std::string source, architecture, name, out, prefix;
  std::vector<std::string> ignored;
  ConvertOptions options;
  int pillow = 0;
  bool force = false, json = false;
};

struct SeedCommand {
  std::string name, out;
  bool json = false;
};

// A path is used as given; a model to install goes to TESSERA_HOME under its name.
fs::path output_path(const std::string& out, const std::string& name) {
  if (!out.empty()) return out;
  const fs::path path = installed_path(name);
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  if (error) throw ResourceError(path.parent_path().string() + ": cannot be made (" + error.message() + ")");
  return path;
}

// The same conversion may replace an installed model again; another conversion needs --force.
void check_installing(const ModelCard& card, bool force) {
  const fs::path installed = installed_file(card.name);
  if (installed.empty() || force) return;
  try {
    const ModelCard there = read_model_card(installed);
    const bool same = there.source.sha256 == card.source.sha256 &&
                      there.config.architecture == card.config.architecture &&
                      there.config.parameters == card.config.parameters && there.preprocess == card.preprocess &&
                      to_json(there.labels) == to_json(card.labels);
    if (same) return;
  } catch (const ModelFileError&) {
    // A file that cannot be read is not this model.
  }
  throw UsageError("a model '" + card.name + "' is there already (" + installed.string() +
                   "); --name gives this one another name, -o FILE.h5 writes it elsewhere, --force replaces the other");
}

int save(const LoadedModel& model, const fs::path& path, bool json) {
  const ModelCard saved = save_model_file(path, model.card, model.weights, usable_cores());
  const Cost sum = totals(build_graph(saved.config));
  if (json) {
    print_json({{"file", path.string()},
                {"name", saved.name},
                {"architecture", saved.config.architecture},
                {"parameters", sum.parameters},
                {"sha256", saved.sha256}});
  } else {
    print_out("{}: {} ({}, {} parameters)\n", path.string(), saved.name, saved.config.architecture, sum.parameters);
    const std::string follows =
        saved.follows.empty() ? "" : " (what its configuration does not say: " + saved.follows + ")";
    print_out("  preprocessing {}{}\n  weights {}\n", describe(saved.preprocess), follows, saved.sha256);
  }
  return 0;
}

int run_convert(const ConvertCommand& command) {
  ConvertOptions options = command.options;
  if (!command.architecture.empty()) options.architecture = command.architecture;
  if (!command.name.empty()) options.name = command.name;
  if (!command.out.empty()) check_output(command.out);
  if (!command.prefix.empty()) options.prefix = command.prefix;
  options.ignored_keys = {command.ignored.begin(), command.ignored.end()};
  options.note = [](const std::string& text) { tell("convert: {}", text); };
  LoadedModel model = convert_safetensors(command.source, options);
  if (command.pillow != 0) model.card.preprocess.pillow = command.pillow;
  if (command.out.empty()) {
    installed_path(model.card.name);  // refuses names that cannot be used
    check_installing(model.card, command.force);
  }
  return save(model, output_path(command.out, model.card.name), command.json);
}

int run_seed(const SeedCommand& command) {
  check_output(command.out);
  const std::string name = command.name.starts_with("seeded:") ? command.name : "seeded:" + command.name;
  return save(load_model(name, {.threads = usable_cores()}), command.out, command.json);
}

// "0.5", or "0.485,0.456,0.406".
std::array<float, 3> colours_from_string(const std::string& option, const std::string& text) {
  const auto wrong = [&] {
    return UsageError(option + " '" + text + "': expected a number, or three with commas between");
  };
  std::vector<float> values;
  const char* at = text.data();
  const char* const end = text.data() + text.size();
  for (bool more = true; more; ++at) {
    float value = 0;
    const auto [stopped, error] = std::from_chars(at, end, value);
    more = stopped != end && *stopped == ',';
    if (error != std::errc() || (stopped != end && !more)) throw wrong();
    values.push_back(value);
    at = stopped;
  }
  if (values.size() == 1) values.resize(3, values.front());
  if (values.size() != 3) throw wrong();
  return {values[0], values[1], values[2]};
}

void add_colours(Command& command, const std::string& option, std::optional<std::array<float, 3>>& colours,
                 const std::string& help) {
  command.add_option(
      option, [&colours, option](const std::string& text) { colours = colours_from_string(option, text); }, help);
}

void add_preprocess_options(Command& command, PreprocessOptions& options) {
  command.add_option(
      "--preprocess", options.choice,
      "timm, hf, hf-fast (whose resizing and rounding), torchvision, torchvision-v2 (its ImageNet weights'), "
      "or a JSON file of either library (default: what the configuration says)");
  add_colours(command, "--mean", options.mean, "of channels in 0 to 1: 0.5, or 0.485,0.456,0.406");
  add_colours(command, "--std", options.std, "their standard deviation");
  add_image_size_option(command, options.size, "of the picture that the model takes: SIDE or HEIGHTxWIDTH");
  command.add_option("--interpolation", options.interpolation, "bilinear, bicubic, lanczos or box");
  command.add_option("--crop-pct", options.crop_pct, "share of the resized edge that the crop keeps");
  command.add_option("--crop-mode", options.crop_mode, "center or squash")->check(one_of({"center", "squash"}));
}

// The details that weights/convert.py passes on about the file that it has read.
void add_original_options(Command& command, OriginalFile& original) {
  command.add_option("--original-path", original.path, "")->hidden();
  command.add_option("--original-sha256", original.sha256, "")->hidden();
  command.add_option("--origin", original.origin, "")->hidden();
  command.add_option("--origin-notes", original.notes, "")->hidden();
}

}  // namespace

void add_convert(Command& app, Outcome& outcome) {
  auto command_options = std::make_shared<ConvertCommand>();
  ConvertCommand& options = *command_options;
  Command* command = app.add_subcommand("convert", "Make a model file out of a safetensors file (timm, Hugging Face)");
  command
      ->add_option("source", options.source,
                   "a .safetensors file, the index of a sharded one, or a folder with either and config.json")
      ->required();
  command->add_option("--arch", options.architecture,
                      "architecture, by timm's name (default: config.json's, or found from names and shapes)");
  command->add_option("--name", options.name, "the model's name (default: the source's)");
  command->add_option("-o,--out", options.out, "file to write (default: installed under its name)");
  command->add_flag("--force", options.force, "replace an installed model of that name");
  add_preprocess_options(*command, options.options.preprocess);
  command->add_option("--labels", options.options.labels,
                      "imagenet-1k, none, or a text file with a class's name a line (default: config.json's)");
  command->add_option("--prefix", options.prefix, "of the tensors that are the network (default: found)");
  command->add_option("--config", options.options.config_file, "config.json (default: beside the weights)");
  command->add_option("--processor", options.options.processor_file,
                      "preprocessor_config.json (default: beside the weights)");
  command->add_option("--ignore-config", options.ignored, "keys of the configuration that change nothing")
      ->delimiter(',');
  add_original_options(*command, options.options.original);
  add_pillow_option(*command, options.pillow);
  add_json_option(*command, options.json);
  command->footer(
      "Nothing that changes a result is guessed: what neither the weights nor the configuration say is asked for.\n"
      "Examples:\n"
      "  tessera convert resnet50.a1_in1k/ -o resnet50.h5\n"
      "  tessera convert vit-base-patch16-224/ --name google/vit-base-patch16-224\n"
      "  tessera convert mine.safetensors --arch resnet18 --preprocess torchvision --labels names.txt\n"
      ".pth, .bin, .ckpt and .onnx files: weights/convert.py");
  command->callback([command_options, &outcome] { outcome.exit_code = run_convert(*command_options); });
}

void add_seed_weights(Command& app, Outcome& outcome) {
  auto options = std::make_shared<SeedCommand>();
  Command* command = app.add_subcommand("seed-weights", "Write untrained, reproducible weights as a model file");
  command->add_option("name", options->name, "NAME@SEED, for example resnet50@7")->required();
  command->add_option("-o,--out", options->out, "file to write")->required();
  add_json_option(*command, options->json);
  command->footer("Example:\n  tessera seed-weights resnet50@7 -o resnet50-seeded.h5");
  command->callback([options, &outcome] { outcome.exit_code = run_seed(*options); });
}

}  // namespace tessera
