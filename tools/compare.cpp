// tessera compare: models on the same labelled pictures.

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/file.h"
#include "evaluation/comparison.h"
#include "evaluation/predictions_csv.h"
#include "evaluation/summary.h"
#include "tools/tool.h"
#include "vision/dataset.h"

namespace tessera {

namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

struct CompareOptions {
  CommonOptions common;
  std::string data, out, labels;
  std::vector<std::string> models;
  std::int64_t batch = 1, limit = 0, max_errors = 0;
  int warmup = 3;
};

void show_progress(const ComparisonProgress& p) {
  const double rate = p.seconds > 0 ? static_cast<double>(p.done) / p.seconds : 0;
  const double left = rate > 0 ? static_cast<double>(p.total - p.done) / rate : 0;
  fmt::print(stderr, "\r{}/{} pictures, {:.1f} images/s, {:.0f} s left, {} errors   ", p.done, p.total, rate, left,
             p.errors);
  if (p.done == p.total) fmt::print(stderr, "\n");
  std::fflush(stderr);
}

nlohmann::json run_json(const CompareOptions& options, const std::vector<std::unique_ptr<Classifier>>& models) {
  nlohmann::json json{{"tessera", TESSERA_VERSION},       {"data", options.data},
                      {"limit", options.limit},           {"batch", options.batch},
                      {"warmup", options.warmup},         {"decoder", options.common.decoder},
                      {"models", nlohmann::json::array()}};
  for (const auto& model : models) {
    json["models"].push_back({{"name", model->card().name},
                              {"architecture", model->card().config.architecture},
                              {"parameters", model->card().config.parameters},
                              {"weights_sha256", model->card().sha256},
                              {"preprocess", to_json(model->card().preprocess)},
                              {"backend", model->program().backend()},
                              {"dtype", options.common.run.dtype},
                              {"tuned", options.common.run.tune},
                              {"threads", model->program().threads()}});
  }
  return json;
}

int run_compare(const CompareOptions& options) {
  const auto start = Clock::now();
  constexpr std::int64_t kMostBatch = 4096;
  if (options.batch < 1 || options.batch > kMostBatch) throw UsageError("--batch must lie in 1 to 4096");
  if (options.limit < 0 || options.warmup < 0 || options.max_errors < 0) {
    throw UsageError("--limit, --warmup and --max-errors must not be negative");
  }
  int classes = 0;
  for (const std::string& name : options.models) {
    const auto count = static_cast<int>(class_count(open_card(name).config));
    if (classes != 0 && count != classes) {
      throw UsageError(fmt::format("{} has {} classes, the models before it {}", name, count, classes));
    }
    classes = count;
  }
  DatasetOptions data{.labels = {}, .classes = classes, .limit = options.limit};
  if (!options.labels.empty()) data.labels = options.labels;
  const Dataset dataset = open_dataset(options.data, data);
  for (const std::string& note : dataset.notes) fmt::print(stderr, "{}\n", note);
  fmt::print(stderr, "Found {} images in {}\n", dataset.samples.size(), options.data);

  std::error_code error;
  fs::create_directories(options.out, error);
  if (!fs::is_directory(options.out)) throw ResourceError(options.out + ": cannot be made (" + error.message() + ")");
  install_signal_handlers();
  std::vector<std::unique_ptr<Classifier>> models;
  for (const std::string& name : options.models) {
    fmt::print(stderr, "Loading {}...\n", name);
    models.push_back(std::make_unique<Classifier>(name, options.common.run_options(options.batch)));
  }
  const bool terminal = is_terminal(STDERR_FILENO);
  ComparisonResult result = compare_models(
      models, dataset, {.batch = options.batch, .warmup = options.warmup, .decode = options.common.decode_options()},
      stop_requested(), [&, said = false](const ComparisonProgress& progress) mutable {
        if (!said) fmt::print(stderr, "Evaluating {} images...\n", progress.total);
        said = true;
        if (terminal) show_progress(progress);
      });
  result.total_ms = std::chrono::duration<double, std::milli>(Clock::now() - start).count();
  const ComparisonSummary summary = summarise(result);
  const fs::path out = options.out;
  write_file(out / "predictions.csv", predictions_csv(result));
  write_file(out / "run.json", run_json(options, models).dump(2) + "\n");
  write_file(out / "summary.json", summary_json(summary, result).dump(2) + "\n");
  if (options.common.json) {
    print_json(summary_json(summary, result));
  } else {
    fmt::print("{}\nDetailed results saved to: {}\n", summary_text(summary, result),
               (out / "predictions.csv").string());
  }
  for (const ComparisonRow& row : result.rows) {
    if (!row.error.empty()) fmt::print(stderr, "tessera: {}\n", row.error);
  }
  if (signal_exit_code() != 0) return signal_exit_code();
  return summary.errors > options.max_errors ? static_cast<int>(ErrorKind::kInput) : 0;
}

}  // namespace

void add_compare(CLI::App& app, Outcome& outcome) {
  auto options = std::make_shared<CompareOptions>();
  CLI::App* command = app.add_subcommand("compare", "Models on the same labelled pictures: accuracy, agreement, times");
  command
      ->add_option("--data,--val-dir", options->data,
                   "folder of class folders (ImageNet wnids), or a CSV list path,label")
      ->required();
  command->add_option("--labels", options->labels,
                      "class of each folder: JSON {\"folder\": index} or CSV folder,index");
  command->add_option("--model,-m", options->models, "a model file, an installed name or seeded:NAME@SEED; repeatable")
      ->required()
      ->allow_extra_args(false);
  command->add_option("--out,-o", options->out, "folder for predictions.csv, summary.json, run.json")->required();
  command->add_option("--batch,--batch-size", options->batch, "pictures that run through a model at once")
      ->capture_default_str();
  command->add_option("--limit", options->limit, "only the first so many pictures (0: all)")->capture_default_str();
  command->add_option("--warmup", options->warmup, "runs before the first picture, in no figure")
      ->capture_default_str();
  command->add_option("--max-errors", options->max_errors, "pictures that may fail before the exit code is 3")
      ->capture_default_str();
  add_common_options(*command, options->common);
  command->footer(
      "Examples:\n"
      "  tessera compare --data imagenet-val/ --model resnet50.h5 --model vit.h5 --out run/\n"
      "  tessera compare --data pets/ --labels pets.json --model my.h5 --out run/ --batch 8");
  command->callback([options, &outcome] { outcome.exit_code = run_compare(*options); });
}

}  // namespace tessera
