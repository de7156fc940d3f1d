// tessera verify: a model against another implementation's activations.

#include "evaluation/check/verify.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "core/error.h"
#include "tools/say.h"
#include "tools/tool.h"

namespace tessera {

namespace {

struct VerifyCommand {
  CommonOptions common;
  std::string model, reference;
  std::optional<double> relative, absolute;
  std::int64_t batch = 1;
  bool unfused = false;
};

// The default limit: the rounding of float32; five times that where algorithms that cost digits are used.
Tolerance tolerance_of(const VerifyCommand& command, const RunOptions& run) {
  const bool exact = run.exact || run.device == "eigen" || run.device.starts_with("cuda");
  const Tolerance usual =
      exact ? Tolerance{.relative = 2e-5, .absolute = 2e-5} : Tolerance{.relative = 1e-4, .absolute = 1e-4};
  return {.relative = command.relative.value_or(usual.relative), .absolute = command.absolute.value_or(usual.absolute)};
}

nlohmann::json to_json(const LayerDifference& d) {
  return {{"path", d.path},
          {"values", d.values},
          {"max_error", d.max_error},
          {"mean_error", d.mean_error},
          {"share_of_tolerance", d.worst},
          {"passed", d.passed()}};
}

void print_row(const LayerDifference& d) {
  print_out("{:<36} {:>8} {:>12.3e} {:>12.3e} {:>10.3f}  {}\n", d.path, d.values, d.max_error, d.mean_error, d.worst,
            d.passed() ? "ok" : "DIFFERS");
}

int run_verify(const VerifyCommand& command) {
  RunOptions run = command.common.run_options(command.batch);
  run.optimise = !command.unfused;
  const ActivationFile reference = read_activation_file(command.reference);
  OpenOptions open = open_options(run);
  if (!open.image_size && open.timm_size.empty()) open.image_size = picture_sides(reference.input.shape());
  const Tolerance tolerance = tolerance_of(command, run);
  const VerifyResult result = verify_model(load_model(command.model, open), reference, run, tolerance);
  if (command.common.json) {
    nlohmann::json layers = nlohmann::json::array();
    for (const LayerDifference& d : result.activations) layers.push_back(to_json(d));
    print_json({{"model", command.model},
                {"reference", reference.model},
                {"passed", result.passed()},
                {"output", to_json(result.output)},
                {"top5_equal", result.top5_equal},
                {"missing", result.missing},
                {"activations", layers}});
  } else {
    print_out("{} against {} (|error| <= {:g} + {:g} * |reference|)\n\n", command.model, reference.model,
              tolerance.absolute, tolerance.relative);
    print_out("{:<36} {:>8} {:>12} {:>12} {:>10}\n", "Layer", "Values", "Max error", "Mean error", "Of limit");
    for (const LayerDifference& d : result.activations) print_row(d);
    print_row(result.output);
    for (const std::string& path : result.missing) print_out("{:<36} is not in this model\n", path);
    if (!result.top5_equal) print_out("The top 5 classes differ.\n");
    if (const LayerDifference* first = result.first_failure(); first != nullptr) {
      print_out("\nThe first layer that differs is {}: value {} is {:.9g}, expected {:.9g}.\n", first->path,
                first->worst_index, first->found, first->expected);
    }
    print_out("\n{}\n", result.passed() ? "Equal within the tolerance." : "NOT equal.");
  }
  return result.passed() ? 0 : static_cast<int>(ErrorKind::kCheck);
}

}  // namespace

void add_verify(Command& app, Outcome& outcome) {
  auto options = std::make_shared<VerifyCommand>();
  Command* command =
      app.add_subcommand("verify", "Hold a model's layers against a reference file (exit 6: they differ)");
  command->add_option("model", options->model, "a model")->required();
  command->add_option("--reference", options->reference, "file written by tests/reference/make_reference.py")
      ->required();
  command->add_option("--rtol", options->relative, "relative tolerance (default: 1e-4; with --exact 2e-5)");
  command->add_option("--atol", options->absolute, "absolute tolerance (default: 1e-4; with --exact 2e-5)");
  command->add_option("--batch", options->batch, "pictures at once")->capture_default_str()->check(in_range(1, 4096));
  command->add_flag("--unfused", options->unfused, "run the graph as the paper draws it, without passes");
  add_common_options(*command, options->common);
  command->footer("Example:\n  tessera verify seeded:resnet50@7 --reference resnet50.h5");
  command->callback([options, &outcome] { outcome.exit_code = run_verify(*options); });
}

}  // namespace tessera
