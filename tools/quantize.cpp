// tessera quantize: measures what int8 arithmetic needs to know of a model.

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/output_file.h"
#include "evaluation/calibrate.h"
#include "tools/progress.h"
#include "tools/say.h"
#include "tools/tool.h"

namespace tessera {

namespace {

struct QuantizeCommand {
  CommonOptions common;
  std::string model, pictures, out, method = "mse";
  std::size_t limit = 128;
};

int run_quantize(const QuantizeCommand& command) {
  RunOptions options = command.common.run_options(1);
  options.rewrite = false;  // so that what each layer gives is seen
  if (options.dtype != "f32") throw UsageError("quantize measures the model in f32; leave --dtype out");
  if (options.image_size) throw UsageError("quantize writes a model of its own picture size; leave --image-size out");
  check_output(command.out);
  const RangeMethod method = range_method_from_string(command.method);
  const std::vector<std::filesystem::path> pictures = calibration_pictures(command.pictures, command.limit);
  install_signal_handlers();
  LoadedModel model = load_model(command.model, {.verify = options.verify_weights, .threads = options.threads});
  Classifier classifier({.card = model.card, .weights = model.weights.clone()}, options);
  CountLine count;
  const std::optional<Calibration> calibration = calibrate(
      classifier, pictures, method, command.common.decode_options(), [&](std::size_t done, std::size_t total) {
        count(fmt::format("calibrating: {} of {} pictures", done, total), done == total);
        return !stop_requested();
      });
  count.end();
  if (!calibration) {
    tell("stopped; nothing was written");
    return signal_exit_code();
  }
  model.card.calibration = *calibration;
  const ModelCard saved = save_model_file(command.out, model.card, model.weights, options.threads);
  if (command.common.json) {
    nlohmann::json ranges = nlohmann::json::object();
    for (const auto& [name, range] : saved.calibration.ranges) ranges[name] = {range.low, range.high};
    print_json({{"file", command.out},
                {"name", saved.name},
                {"pictures", saved.calibration.pictures},
                {"method", saved.calibration.method},
                {"sha256", saved.sha256},
                {"ranges", ranges}});
    return 0;
  }
  print_out("{}: {}, ranges of {} activations from {} pictures ({})\n", command.out, saved.name,
            saved.calibration.ranges.size(), saved.calibration.pictures, saved.calibration.method);
  print_out("  run it with --dtype int8; the weights in it are still f32 and run in any dtype\n");
  return 0;
}

}  // namespace

void add_quantize(CLI::App& app, Outcome& outcome) {
  auto command = std::make_shared<QuantizeCommand>();
  CLI::App* sub = app.add_subcommand("quantize", "Measure the ranges of a model's activations, for --dtype int8");
  sub->add_option("model", command->model, "a model")->required();
  sub->add_option("--calibrate", command->pictures,
                  "a folder of pictures, in class folders or not; labels are not used")
      ->required();
  sub->add_option("--limit", command->limit, "so many of the pictures, at equal distances; 0: all")
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
