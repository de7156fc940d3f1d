// tessera analyze: statistics of existing predictions. Runs no model.

#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/file.h"
#include "core/json.h"
#include "core/output_file.h"
#include "evaluation/compare/predictions_csv.h"
#include "evaluation/compare/run.h"
#include "evaluation/report/run_files.h"
#include "evaluation/summary/advice.h"
#include "evaluation/summary/extrapolation.h"
#include "evaluation/summary/shape_bias.h"
#include "tools/say.h"
#include "tools/tool.h"

namespace tessera {

namespace {

namespace fs = std::filesystem;

struct AnalyzeCommand {
  std::string source, out, data, budget;
  SummaryOptions options;
  std::int64_t extrapolate = 0;
  bool cue_conflict = false, json = false;
};

ComparisonResult predictions_of(const std::string& source) {
  std::error_code error;
  if (!fs::is_directory(source, error)) return read_predictions_csv(source);
  if (!has_run_log(source)) return read_predictions_csv(fs::path(source) / "predictions.csv");
  ComparisonResult result = read_run(source);
  for (const std::string& note : result.notes) tell("{}: {}", source, note);
  return result;
}

void write_report(const AnalyzeCommand& command, const ComparisonResult& result, const ComparisonSummary& summary) {
  ReportContext report{.advice = advise(summary, budget_from_string(command.budget)), .budget = command.budget};
  std::error_code error;
  if (fs::is_directory(command.source, error)) report.run = read_run_json(command.source);
  report.pictures = command.data.empty() ? pictures_of_run(report.run) : list_pictures(command.data);
  write_file(fs::path(command.out) / "report.html", report_page(result, summary, report));
}

int run_analyze(const AnalyzeCommand& command) {
  if (!command.out.empty()) check_output_folder(command.out);
  const ComparisonResult result = predictions_of(command.source);
  const ComparisonSummary summary = summarise(result, command.options);
  nlohmann::json json = summary_json(summary, result);
  std::string text = summary_text(summary, result);
  if (!command.budget.empty()) {
    const std::vector<ModelAdvice> advice = advise(summary, budget_from_string(command.budget));
    json["advice"] = advice_json(summary, advice);
    text += advice_text(summary, advice);
  }
  if (command.cue_conflict) {
    const std::vector<ShapeBias> biases = shape_biases(result);
    json["cue_conflict"] = shape_bias_json(result, biases);
    text += shape_bias_text(result, biases);
  }
  if (command.extrapolate > 0) {
    const Extrapolation more = extrapolate(result, command.extrapolate);
    json["extrapolation"] = extrapolation_json(more);
    text += extrapolation_text(more);
  }
  if (!command.out.empty()) {
    make_folder(command.out);
    write_file(fs::path(command.out) / "summary.json", json_text(json));
    write_figure(command.out, result, summary);
    write_report(command, result, summary);
  }
  if (command.json) {
    print_json(json);
  } else {
    print_out("{}", text);
  }
  return 0;
}

}  // namespace

void add_analyze(Command& app, Outcome& outcome) {
  auto command = std::make_shared<AnalyzeCommand>();
  Command* sub = app.add_subcommand("analyze", "Accuracy, agreement, tests and calibration of existing predictions");
  sub->add_option("source", command->source, "the folder of a comparison, or a predictions.csv (the article's as well)")
      ->required();
  sub->add_option("-o,--out", command->out, "folder for summary.json, panels.png, panels.svg and report.html");
  sub->add_option(
         "--data", command->data,
         "where the pictures lie now, for those in report.html (default: where they lay in the run): a folder, "
         "a tar or a list, as for compare")
      ->needs("--out");
  sub->add_option("--seed", command->options.seed, "of the bootstrap")->capture_default_str();
  sub->add_option("--examples", command->options.examples, "disagreements and classes to list in the JSON")
      ->capture_default_str();
  sub->add_flag("--cue-conflict", command->cue_conflict,
                "files are named SHAPE1-TEXTURE2.jpg: which of the two the predictions go by (Geirhos et al. 2019)");
  sub->add_option("--extrapolate", command->extrapolate, "how long so many pictures would take, by this run")
      ->check(positive());
  add_budget_option(*sub, command->budget);
  add_json_option(*sub, command->json);
  sub->footer(
      "Examples:\n"
      "  tessera analyze run/\n"
      "  tessera analyze run/ --out report/ --data imagenet-val/\n"
      "  tessera analyze run/ --budget latency=10ms,memory=200MB,accuracy=78%\n"
      "  tessera analyze run-of-2000/ --extrapolate 50000\n"
      "  tessera analyze conflict-run/ --cue-conflict\n"
      "  tessera analyze comparison_results-1000.csv --json");
  sub->callback([command, &outcome] { outcome.exit_code = run_analyze(*command); });
}

}  // namespace tessera
