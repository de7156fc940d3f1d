// tessera quantize: measures the ranges that int8 arithmetic needs of a model.

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/output_file.h"
#include "evaluation/ready/calibrate.h"
#include "tools/progress.h"
#include "tools/say.h"
#include "tools/tool.h"
#include "vision/picture_files.h"

namespace tessera {

namespace {

struct QuantizeCommand {
  CommonOptions common;
  std::string model, pictures, out, method = "mse";
  std::size_t limit = 128;
  std::int64_t max_errors = 0;
};

std::vector<Sample> pictures_for(const QuantizeCommand& command) {
  Pictures found = all_pictures(command.pictures);
  for (const std::string& note : found.notes) tell("{}", note);
  std::vector<Sample> pictures = calibration_pictures(joined(std::move(found)), command.limit);
  if (pictures.empty()) throw InputError(command.pictures + ": no pictures in it or its folders");
  return pictures;
}

int run_quantize(const QuantizeCommand& command) {
  RunOptions options = command.common.run_options(1);
  options.rewrite = false;  // so that each layer's output can be seen
  if (options.dtype != "f32") throw UsageError("quantize measures the model in f32; leave --dtype out");
  if (options.image_size || !options.timm_size.empty()) {
    throw UsageError("quantize writes a model of its own picture size; leave --image-size and --size out");
  }
  check_output(command.out);
  const RangeMethod method = range_method_from_string(command.method);
  if (command.max_errors < 0) throw UsageError("--max-errors must not be negative");
  const std::vector<Sample> pictures = pictures_for(command);
  install_signal_handlers();
  LoadedModel model = load_model(command.model, {.verify = options.verify_weights, .threads = options.threads});
  Classifier classifier({.card = model.card, .weights = model.weights.clone()}, options);
  CountLine count;
  const std::optional<Calibrated> calibrated = calibrate(
      classifier, pictures, method, command.common.decode_options(), [&](std::size_t done, std::size_t total) {
        count(fmt::format("calibrating: {} of {} pictures", done, total), done == total);
        return !stop_requested();
      });
  count.end();
  if (!calibrated) {
    tell("stopped; nothing was written");
    return signal_exit_code();
  }
  print_failures(calibrated->failed);
  model.card.calibration = calibrated->calibration;
  const ModelCard saved = save_model_file(command.out, model.card, model.weights, options.threads);
  const bool too_many = static_cast<std::int64_t>(calibrated->failed.size()) > command.max_errors;
  const int exit_code = too_many ? static_cast<int>(ErrorKind::kInput) : 0;
  if (command.common.json) {
    print_json({{"file", command.out},
                {"name", saved.name},
                {"pictures", saved.calibration.pictures},
                {"pictures_sha256", saved.calibration.pictures_sha256},
                {"failed", calibrated->failed},
                {"method", saved.calibration.method},
                {"sha256", saved.sha256},
                {"ranges", ranges_json(saved.calibration)}});
    return exit_code;
  }
  print_out(
      "{}: {}, ranges of {} activations from {} pictures{} ({})\n", command.out, saved.name,
      saved.calibration.ranges.size(), saved.calibration.pictures,
      calibrated->failed.empty() ? "" : fmt::format(", without {} that could not be read", calibrated->failed.size()),
      saved.calibration.method);
  print_out("  run it with --dtype int8; the weights in it are still f32 and run in any dtype\n");
  return exit_code;
}

}  // namespace

void add_quantize(Command& app, Outcome& outcome) {
  auto command = std::make_shared<QuantizeCommand>();
  Command* sub = app.add_subcommand("quantize", "Measure the ranges of a model's activations, for --dtype int8");
  sub->add_option("model", command->model, "a model")->required();
  sub->add_option("--calibrate", command->pictures,
                  "a folder of pictures, in class folders or not, a tar of one or a CSV list; labels are not used")
      ->required();
  sub->add_option("--limit", command->limit, "so many of the pictures, at equal distances; 0: all")
      ->capture_default_str();
  sub->add_option("--max-errors", command->max_errors, "pictures that may be unreadable before the exit code is 3")
      ->capture_default_str();
  sub->add_option("--method", command->method, "mse (ranges of least squared error) or minmax")->capture_default_str();
  sub->add_option("-o,--out", command->out, "model file to write")->required();
  add_common_options(*sub, command->common);
  sub->footer(
      "Example:\n"
      "  tessera quantize efficientnet_lite0.h5 --calibrate photos/ -o efficientnet_lite0-int8.h5\n"
      "  tessera compare --data photos/ --model efficientnet_lite0-int8.h5 --dtype int8 --out run");
  sub->callback([command, &outcome] { outcome.exit_code = run_quantize(*command); });
}

}  // namespace tessera
