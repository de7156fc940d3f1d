// tessera compare: models on the same labelled pictures.

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <new>
#include <nlohmann/json.hpp>
#include <span>

#include "core/error.h"
#include "core/file.h"
#include "core/json.h"
#include "core/output_file.h"
#include "cpu/cpu_backend.h"
#include "device/device_backend.h"
#include "evaluation/compare/picture_contents.h"
#include "evaluation/compare/run.h"
#include "evaluation/ready/backends.h"
#include "evaluation/ready/environment.h"
#include "evaluation/report/run_files.h"
#include "evaluation/summary/advice.h"
#include "scale/helper.h"
#include "scale/leader.h"
#include "tools/progress.h"
#include "tools/say.h"
#include "tools/tool.h"
#include "vision/class_lists.h"
#include "vision/dataset.h"
#include "weights/sha256.h"

namespace tessera {

namespace {

namespace fs = std::filesystem;

struct CompareCommand {
  CommonOptions common;
  std::string data, out, labels, ground_truth, mode, budget, shard = "1/1", limit_order = "spread",
                                                             label_numbers = "auto";
  std::vector<std::string> models;
  std::int64_t batch = 1, limit = 0, max_errors = 0;
  int warmup = 3, workers = 0;
  std::uint64_t seed = 1;
  bool resume = true, mpi = false;
};

// "1200/50000 pictures, 31.2 images/s, 0:26:04 left, top-1 resnet 80.3 % vit 80.1 %, 0 errors"
std::string progress_text(const ComparisonProgress& p, const std::vector<ComparedModel>& models) {
  std::string text = pace_text({.done = p.done, .total = p.total, .here = p.here, .seconds = p.seconds}) + ", top-1";
  const auto predicted = static_cast<double>(std::max<std::size_t>(p.done - p.errors, 1));
  for (std::size_t m = 0; m < models.size(); ++m) {
    text += fmt::format(" {} {:.1f} %", models[m].prefix, 100.0 * static_cast<double>(p.top1[m]) / predicted);
  }
  return text + fmt::format(", {} error{}", p.errors, p.errors == 1 ? "" : "s");
}

// The kernels' instruction set, or the device.
std::string isa_of(const RunOptions& run, const Program& program) {
  if (program.device() != nullptr) return describe_device(facts_of(*program.device()));
  return isa_in_use(run, program.backend());
}

// "" for no names.
std::string sha256_of(const std::vector<std::string>& names) {
  const std::string text = nlohmann::json(names).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return names.empty() ? "" : sha256(std::as_bytes(std::span(text)));
}

nlohmann::json settings_of(const CompareCommand& command, const std::vector<std::unique_ptr<Classifier>>& models,
                           const Dataset& dataset, const CommonClasses& classes, const ComparisonOptions& options) {
  nlohmann::json json{{"tessera", TESSERA_VERSION},
                      {"commit", build_commit()},
                      {"data_sha256", dataset_hash(dataset)},
                      {"limit", command.limit},
                      {"sample", to_json(dataset.sample)},
                      {"classes",
                       {{"count", classes.classes},
                        {"names_sha256", sha256_of(names_of(classes.labels))},
                        {"label_numbers", command.label_numbers}}},
                      {"mode", to_string(options.mode)},
                      {"batch", options.batch},
                      {"workers", options.mode == ComparisonMode::kLatency ? 0 : options.workers},
                      {"warmup", options.warmup},
                      {"seed", options.seed},
                      {"decoder", command.common.decoder},
                      {"models", nlohmann::json::array()}};
  for (std::size_t i = 0; i < models.size(); ++i) {
    const auto& model = models[i];
    json["models"].push_back(
        {{"name", model->card().name},
         {"class_names_sha256", sha256_of(names_of(model->card().labels))},
         {"class_order", classes.places[i].empty() ? "as it is" : "mapped by name"},
         {"architecture", model->card().config.architecture},
         {"parameters", model->card().config.parameters},
         {"weights_sha256", model->card().sha256},
         {"preprocess", to_json(model->card().preprocess)},
         {"backend", model->program().backend()},
         {"isa", isa_of(command.common.run, model->program())},
         {"dtype", command.common.run.dtype},
         {"exact", command.common.run.exact},
         {"calibration_sha256", command.common.run.dtype == "int8" ? ranges_sha256(model->card().calibration) : ""},
         {"tuned", command.common.run.tune},
         {"kernels_sha256", command.common.run.tune ? kernels_sha256(model->program()) : ""},
         {"threads", model->program().threads()}});
  }
  return json;
}

ComparisonOptions comparison_options(const CompareCommand& command) {
  constexpr std::int64_t kMostBatch = 4096;
  constexpr int kMostWorkers = 1024;
  if (command.batch < 1 || command.batch > kMostBatch) throw UsageError("--batch must lie in 1 to 4096");
  if (command.limit < 0 || command.warmup < 0 || command.max_errors < 0) {
    throw UsageError("--limit, --warmup and --max-errors must not be negative");
  }
  if (command.workers < 0 || command.workers > kMostWorkers) throw UsageError("--workers must lie in 1 to 1024");
  const bool batches = command.mode.empty() ? command.batch > 1 : command.mode == "throughput";
  const std::string mode = command.mode.empty() ? (batches ? "throughput" : "latency") : command.mode;
  const int threads = command.common.run_options(1).threads;
  return {.mode = mode_from_string(mode),
          .batch = command.batch,
          .warmup = command.warmup,
          .workers = command.workers == 0 ? threads : command.workers,
          .seed = command.seed,
          .decode = command.common.decode_options()};
}

// A model is opened once: what its classes are and what its weights are come from one file, whatever replaces it.
std::vector<OpenedModel> open_models(const CompareCommand& command, const RunOptions& options) {
  std::vector<OpenedModel> opened;
  for (const std::string& name : command.models) {
    opened.push_back(open_model(name, open_options(options)));
  }
  return opened;
}

CommonClasses classes_of(const std::vector<std::string>& names, const std::vector<OpenedModel>& models) {
  std::vector<ClassList> lists;
  for (std::size_t i = 0; i < models.size(); ++i) {
    const ModelCard& card = models[i].card;
    lists.push_back({.model = names[i], .labels = card.labels, .classes = static_cast<int>(class_count(card.config))});
  }
  return common_classes(lists);
}

// Notes while a comparison is set up; only one process of a run prints them.
using Note = std::function<void(const std::string&)>;

void print_note(const std::string& note) { tell("{}", note); }

Dataset dataset_of(const CompareCommand& command, const CommonClasses& classes, const Note& note) {
  DatasetOptions options{.class_names = names_of(classes.labels),
                         .label_numbers = label_numbers_from_string(command.label_numbers),
                         .classes = classes.classes};
  options.limit = command.limit;
  options.limit_order = limit_order_from_string(command.limit_order);
  options.seed = command.seed;
  if (!command.labels.empty()) options.labels = command.labels;
  if (!command.ground_truth.empty()) options.ground_truth = command.ground_truth;
  Dataset dataset = open_dataset(command.data, options);
  for (const std::string& text : dataset.notes) note(text);
  if (dataset.sample.all()) {
    note(fmt::format("Found {} images in {}", dataset.samples.size(), command.data));
  } else {
    note(fmt::format("Taking {} in {}", to_text(dataset.sample), command.data));
  }
  return dataset;
}

// The error rows, the first of them in full.
void print_errors(const ComparisonResult& result) {
  constexpr int kShown = 20;
  int errors = 0;
  for (const ComparisonRow& row : result.rows) {
    if (row.error.empty()) continue;
    if (++errors <= kShown) say("{}", row.error);
  }
  if (errors > kShown) say("{} more in predictions.csv", errors - kShown);
}

// Writes the results to the folder and to stdout; returns how many pictures failed. `run` is what run.json says.
std::int64_t report(const fs::path& out, const ComparisonResult& result, nlohmann::json run,
                    const SummaryOptions& options, const std::string& budget, bool json) {
  const ComparisonSummary summary = summarise(result, options);
  const std::vector<ModelAdvice> advice = advise(summary, budget_from_string(budget));
  const bool known = !result.rows.empty() && !result.rows.front().sample.path.empty();
  std::vector<Sample> pictures = known ? std::vector<Sample>() : pictures_of_run(run);
  write_results(out, result, summary,
                {.advice = advice, .budget = budget, .run = std::move(run), .pictures = std::move(pictures)});
  if (json) {
    nlohmann::json document = summary_json(summary, result);
    if (!budget.empty()) document["advice"] = advice_json(summary, advice);
    print_json(document);
  } else {
    print_out("{}{}\nDetailed results saved to: {}\n", summary_text(summary, result),
              budget.empty() ? "" : advice_text(summary, advice), (out / "predictions.csv").string());
  }
  print_errors(result);
  return summary.errors;
}

struct Prepared {
  CommonClasses classes;
  Dataset dataset;
  std::vector<std::unique_ptr<Classifier>> models;
  RunPlan plan;
};

// One process of a run leads: it prints, and it owns the folder.
Prepared prepare(const CompareCommand& command, bool leads) {
  const Note note = leads ? print_note : [](const std::string&) {};
  ComparisonOptions options = comparison_options(command);
  budget_from_string(command.budget);  // refuses a wrong budget before the work, not after
  const Shard shard = shard_from_string(command.shard);
  if (leads) check_output_folder(command.out);
  const RunOptions run_options = command.common.run_options(options.batch);
  std::vector<OpenedModel> opened = open_models(command, run_options);
  Prepared prepared{.classes = classes_of(command.models, opened), .dataset = {}, .models = {}, .plan = {}};
  for (const std::string& text : prepared.classes.notes) note(text);
  prepared.dataset = dataset_of(command, prepared.classes, note);
  options.places = prepared.classes.places;
  const auto pictures = static_cast<std::int64_t>(prepared.dataset.samples.size());
  if (shard.index > pictures) {
    throw UsageError(fmt::format("--shard {}: there are {} pictures, so that this shard has none; use fewer shards",
                                 command.shard, pictures));
  }
  install_signal_handlers();
  for (std::size_t i = 0; i < opened.size(); ++i) {
    note(fmt::format("Loading {}...", command.models[i]));
    prepared.models.push_back(std::make_unique<Classifier>(std::move(opened[i]), run_options));
  }
  check_models(prepared.models, options);
  prepared.plan = {
      .header = {.settings = settings_of(command, prepared.models, prepared.dataset, prepared.classes, options),
                 .pictures = pictures,
                 .shard = shard,
                 .models = facts_of(prepared.models, command.models),
                 .labels = prepared.classes.labels},
      .folder = command.out,
      .resume = command.resume,
      .environments = nlohmann::json::array({environment_record()}),
      .options = options};
  if (leads) make_folder(command.out);  // a refused command leaves no folder
  note(fmt::format("Evaluating {} images{}...", (pictures - shard.index + shard.count) / shard.count,
                   command.mpi ? ", all processes together" : ""));
  return prepared;
}

// Where models failed on every picture, the models are at fault.
int exit_code_of(const ComparisonResult& result, std::int64_t errors, std::int64_t most) {
  if (errors <= most) return 0;
  const bool models = std::ranges::all_of(result.rows, &ComparisonRow::model_failed);
  return static_cast<int>(models ? ErrorKind::kModelFile : ErrorKind::kInput);
}

using RunIt = std::function<ComparisonResult(Prepared&, const RunVoice&)>;

int run_and_report(const CompareCommand& command, const RunIt& run_it) {
  Prepared prepared = prepare(command, true);
  ProgressLine line;
  const auto progress = [&](const ComparisonProgress& p) {
    line(progress_text(p, prepared.plan.header.models), p.done == p.total);
  };
  const ComparisonResult result = run_it(prepared, {.progress = progress, .note = print_note});
  nlohmann::json run = prepared.plan.header.settings;
  std::error_code error;
  const fs::path data = fs::absolute(command.data, error);
  run["data"] = error ? command.data : data.string();
  run["shard"] = command.shard;
  run["notes"] = prepared.classes.notes;
  for (const std::string& text : prepared.dataset.notes) run["notes"].push_back(text);
  if (const std::string text = note_of_same_pictures(result.rows); !text.empty()) {
    print_note(text);
    run["notes"].push_back(text);
  }
  run["environment"] = prepared.plan.environments.front();
  run["sittings"] = to_json(result.sittings);
  run["command"] = command_line();
  write_file(fs::path(command.out) / "run.json", json_text(run));
  const std::int64_t errors =
      report(command.out, result, std::move(run), {.seed = command.seed}, command.budget, command.common.json);
  constexpr int kTerminated = 143;  // by another process of the run
  if (signal_exit_code() != 0 || result.interrupted) return signal_exit_code() == 0 ? kTerminated : signal_exit_code();
  return exit_code_of(result, errors, command.max_errors);
}

// A process of mpirun other than rank 0. Rank 0 prints everything, this process's errors included.
int help(const CompareCommand& command, Messenger& messenger) {
  Helper helper(messenger, stop_requested());
  int exit_code = 0;
  const auto fail = [&](ErrorKind kind, const std::string& text) {
    helper.fail(kind, text);
    exit_code = static_cast<int>(kind);
  };
  try {
    Prepared prepared = prepare(command, false);
    helper.run(prepared.models, prepared.dataset, prepared.plan);
  } catch (const Error& error) {
    fail(error.kind(), error.what());
  } catch (const std::bad_alloc&) {
    fail(ErrorKind::kResource, "out of memory");
  } catch (const std::exception& error) {
    fail(ErrorKind::kInternal, error.what());
  }
  helper.wait_for_end();
  return exit_code;
}

int run_compare(const CompareCommand& command) {
  if (!command.mpi) {
    return run_and_report(command, [](Prepared& p, const RunVoice& voice) {
      return run_comparison(p.models, p.dataset, p.plan, stop_requested(), voice);
    });
  }
  Messenger messenger;
  if (messenger.rank() > 0) return help(command, messenger);
  Leader leader(messenger, stop_requested());
  return run_and_report(command, [&leader](Prepared& p, const RunVoice& voice) {
    return leader.run(p.models, p.dataset, p.plan, voice);
  });
}

struct MergeCommand {
  std::vector<std::string> runs;
  std::string out;
  std::int64_t max_errors = 0;
  std::uint64_t seed = 1;
  bool json = false, force = false;
};

int run_merge(const MergeCommand& command) {
  std::vector<ComparisonResult> records;
  for (const std::string& folder : command.runs) {
    if (is_same_place(folder, command.out)) {
      throw UsageError("--out " + command.out + " is one of the shards; give another folder");
    }
    records.push_back(read_run(folder));
    for (const std::string& note : records.back().notes) tell("{}: {}", folder, note);
  }
  ComparisonResult joined = join_runs(std::move(records), command.runs);
  make_folder(command.out);
  write_run_log(command.out, joined, command.force);
  nlohmann::json run = merged_run_json(joined.header.settings, command.runs);
  write_file(fs::path(command.out) / "run.json", json_text(run));
  const std::int64_t errors = report(command.out, joined, std::move(run), {.seed = command.seed}, "", command.json);
  return exit_code_of(joined, errors, command.max_errors);
}

}  // namespace

void add_compare(Command& app, Outcome& outcome) {
  auto options = std::make_shared<CompareCommand>();
  Command* command = app.add_subcommand("compare", "Models on the same labelled pictures: accuracy, agreement, times");
  command
      ->add_option(
          "--data,--val-dir", options->data,
          "folder of class folders (named by the models' classes or their wnids), folder of pictures with "
          "--ground-truth, uncompressed tar of either (or a folder in it: x.tar/val), or a CSV list path,label")
      ->required();
  command->add_option(
      "--labels", options->labels,
      "class of each folder, by its index in the first model: JSON {\"folder\": index} or CSV folder,index");
  command
      ->add_option("--label-numbers", options->label_numbers,
                   "what a label that is a number says: names (of a class; without names, its place among the "
                   "labels), indices, or auto: refused where it may be either")
      ->capture_default_str();
  command->add_option("--ground-truth", options->ground_truth,
                      "classes of pictures in no class folder: LOC_val_solution.csv, lines 'name class', or a class "
                      "(its index or name) a line");
  command->add_option("--model,-m", options->models, "a model file, an installed name or seeded:NAME@SEED; repeatable")
      ->required()
      ->allow_extra_args(false);
  command
      ->add_option("--out,-o", options->out,
                   "folder for predictions.csv, summary.json, panels.png and .svg, report.html, run.json, and the log "
                   "that a run goes on "
                   "from")
      ->required();
  command->add_option("--mode", options->mode,
                      "latency: one picture and one model at a time; throughput: batches, the next prepared meanwhile "
                      "(default: latency, with --batch throughput)");
  command->add_option("--batch,--batch-size", options->batch, "pictures that run through a model at once")
      ->capture_default_str();
  command->add_option("--workers", options->workers,
                      "threads that prepare pictures in mode throughput (default: as --threads)");
  command->add_option("--shard", options->shard, "only part i of n, as 2/4; `tessera merge` joins them")
      ->capture_default_str();
  command->add_flag("--mpi", options->mpi, "together with the other processes of mpirun, which need the same command");
  command
      ->add_option("--seed", options->seed,
                   "of the sample that --limit draws, the order of the models and the bootstrap")
      ->capture_default_str();
  command->add_flag("!--no-resume", options->resume, "begin anew where the folder holds an unfinished run");
  command->add_option("--limit", options->limit, "only so many pictures, drawn over all classes by --seed (0: all)")
      ->capture_default_str();
  command
      ->add_option("--limit-order", options->limit_order,
                   "spread: each class has its share of --limit; first: the first pictures as they lie, class after "
                   "class")
      ->capture_default_str();
  command->add_option("--warmup", options->warmup, "runs before the first picture, in no figure")
      ->capture_default_str();
  command->add_option("--max-errors", options->max_errors, "pictures that may fail before the exit code is 3")
      ->capture_default_str();
  add_budget_option(*command, options->budget);
  add_common_options(*command, options->common);
  command->footer(
      "Examples:\n"
      "  tessera compare --data imagenet-val/ --model resnet50.h5 --model vit.h5 --out run/\n"
      "  tessera compare --data ILSVRC2012_img_val.tar --ground-truth LOC_val_solution.csv -m A.h5 -m B.h5 -o run/\n"
      "  tessera compare --data pets/ --labels pets.json --model my.h5 --out run/ --batch 8\n"
      "  mpirun -n 4 tessera compare --mpi --data val/ -m A.h5 -m B.h5 -o run/\n"
      "A run that was stopped goes on with the same command.");
  command->callback([options, &outcome] { outcome.exit_code = run_compare(*options); });
}

void add_merge(Command& app, Outcome& outcome) {
  auto options = std::make_shared<MergeCommand>();
  Command* command = app.add_subcommand("merge", "Joins the shards of a comparison into one");
  command->add_option("runs", options->runs, "the folders of all shards")->required();
  command->add_option("--out,-o", options->out, "folder for the whole")->required();
  command->add_option("--max-errors", options->max_errors, "pictures that may have failed before the exit code is 3")
      ->capture_default_str();
  command->add_option("--seed", options->seed, "of the bootstrap")->capture_default_str();
  command->add_flag("--force", options->force, "replace the log of another comparison in --out");
  add_json_option(*command, options->json);
  command->footer(
      "Examples:\n"
      "  tessera compare ... --shard 1/2 --out a/    (on one machine)\n"
      "  tessera compare ... --shard 2/2 --out b/    (on another)\n"
      "  tessera merge a/ b/ --out run/");
  command->callback([options, &outcome] { outcome.exit_code = run_merge(*options); });
}

}  // namespace tessera
