// tessera probe: a head for the user's own classes on a model's features.

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <span>

#include "core/clock.h"
#include "core/error.h"
#include "core/output_file.h"
#include "evaluation/probe/features.h"
#include "evaluation/probe/linear_probe.h"
#include "evaluation/ready/backends.h"
#include "evaluation/ready/environment.h"
#include "evaluation/ready/tuning_cache.h"
#include "evaluation/summary/statistics.h"
#include "tools/progress.h"
#include "tools/say.h"
#include "tools/tool.h"
#include "weights/head.h"
#include "weights/sha256.h"

namespace tessera {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

struct ProbeCommand {
  CommonOptions common;
  std::string data, labels, model, out, features, name, limit_order = "spread";
  std::int64_t batch = 16, per_class = 0, max_errors = 0;
  double holdout = 0.1;
  std::optional<double> l2;
  std::uint64_t seed = 1;
};

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

fs::path features_path(const ProbeCommand& command) {
  return command.features.empty() ? fs::path(command.out).replace_extension(".features.h5")
                                  : fs::path(command.features);
}

void check_place(const fs::path& file, const char* option) {
  try {
    check_output(file);
  } catch (const Error& error) {
    throw UsageError(fmt::format("{}: no file can be written there: {}", option, error.what()));
  }
}

// Checks everything that would otherwise fail only after the work.
void check(const ProbeCommand& command) {
  constexpr std::int64_t kMostBatch = 4096;
  if (command.batch < 1 || command.batch > kMostBatch) throw UsageError("--batch must lie in 1 to 4096");
  if (command.per_class < 0 || command.max_errors < 0) {
    throw UsageError("--per-class and --max-errors must not be negative");
  }
  if (!(command.holdout >= 0 && command.holdout < 1)) throw UsageError("--holdout must lie in [0, 1)");
  if (command.l2 && !(*command.l2 > 0 && std::isfinite(*command.l2))) throw UsageError("--l2 must be positive");
  if (command.holdout == 0 && !command.l2) throw UsageError("--holdout 0 leaves nothing to choose --l2 on; give it");
  check_place(command.out, "--out");
  check_place(features_path(command), "--features");
  if (is_same_place(command.out, features_path(command))) throw UsageError("--features and --out are the same file");
  if (is_same_place(command.out, command.model)) throw UsageError("--out would overwrite the model itself");
}

// A name goes into the model's card, which takes plain UTF-8 only.
void check_name(const std::string& name, const char* what) {
  const bool plain =
      std::ranges::none_of(name, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
  const std::string valid = Json::parse(Json(name).dump(-1, ' ', false, Json::error_handler_t::replace));
  if (!plain || valid != name || name.empty()) {
    throw InputError(fmt::format("the {} '{}' is no plain UTF-8 text; rename it", what, valid));
  }
}

std::string plain(const std::string& text) {
  std::string valid = Json::parse(Json(text).dump(-1, ' ', false, Json::error_handler_t::replace));
  std::ranges::replace_if(
      valid, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, '?');
  return valid;
}

struct ClassedData {
  std::vector<std::string> classes;
  Dataset dataset;
};

ClassedData open_data(const ProbeCommand& command) {
  std::optional<fs::path> labels;
  if (!command.labels.empty()) labels = command.labels;
  ClassedData data{.classes = classes_of_data(command.data, labels), .dataset = {}};
  for (const std::string& name : data.classes) check_name(name, "class");
  if (data.classes.size() < 2) {
    throw InputError(fmt::format("{}: has one class only ({}); a classifier needs two or more", command.data,
                                 data.classes.empty() ? "" : data.classes.front()));
  }
  data.dataset = open_dataset(command.data, {.labels = labels,
                                             .class_names = data.classes,
                                             .classes = static_cast<int>(data.classes.size()),
                                             .per_class = command.per_class,
                                             .limit_order = limit_order_from_string(command.limit_order),
                                             .seed = command.seed});
  for (const std::string& note : data.dataset.notes) tell("{}", note);
  tell("Found {} pictures of {} classes in {}", data.dataset.samples.size(), data.classes.size(), command.data);
  if (!data.dataset.sample.all()) tell("They are {}", to_text(data.dataset.sample));
  return data;
}

FeatureKey key_of(const ProbeCommand& command, const LoadedModel& model, const Dataset& dataset) {
  const RunOptions& run = command.common.run;
  const std::string device = resolved_device(run);
  // Until it is known that features must be computed, the choices of tuning so far stand for those it will make.
  const std::string choices = run.tune ? Json(read_tuning_cache()).dump() : "";
  return {{"tessera", TESSERA_VERSION},
          {"commit", build_commit()},
          {"calibration_sha256", run.dtype == "int8" ? ranges_sha256(model.card.calibration) : ""},
          {"weights_sha256", model.card.sha256},
          {"architecture", model.card.config.architecture},
          {"parameters", model.card.config.parameters},
          {"preprocess", to_json(model.card.preprocess)},
          {"decoder", command.common.decoder},
          {"device", device},
          {"isa", isa_in_use(run, device)},
          {"dtype", run.dtype},
          {"exact", run.exact},
          {"tuned", run.tune ? sha256(std::as_bytes(std::span(choices))) : ""},
          {"pictures_sha256", picture_list_hash(dataset)}};
}

struct ObtainedFeatures {
  FeatureSet set;
  bool from_cache = false;
  double seconds = 0;
};

std::optional<FeatureSet> cached(const ProbeCommand& command, const FeatureKey& key, const Dataset& dataset) {
  const fs::path path = features_path(command);
  std::error_code error;
  if (!fs::exists(path, error)) return std::nullopt;
  CachedFeatures found = read_features(path, key, dataset);
  if (found.features) {
    tell("Features taken from {}", path.string());
    return std::move(found.features);
  }
  if (!command.features.empty()) {
    throw UsageError(fmt::format("--features {}: cannot be used here: {}; remove it or name another file",
                                 path.string(), found.refusal));
  }
  tell("{}: cannot be used here and is made anew: {}", path.string(), found.refusal);
  return std::nullopt;
}

// nullopt when stopped.
std::optional<ObtainedFeatures> obtain_features(const ProbeCommand& command, const LoadedModel& model,
                                                const Dataset& dataset) {
  const auto start = Clock::now();
  const FeatureKey key = key_of(command, model, dataset);
  if (std::optional<FeatureSet> set = cached(command, key, dataset)) {
    return ObtainedFeatures{.set = std::move(*set), .from_cache = true, .seconds = seconds_since(start)};
  }
  RunOptions run = command.common.run_options(command.batch);
  run.preprocess = "model";  // the card already has the chosen one
  auto classifier =
      std::make_unique<Classifier>(LoadedModel{.card = model.card, .weights = model.weights.clone()}, run);
  ProgressLine line;
  std::optional<FeatureSet> set = extract_features(
      std::move(classifier), dataset,
      {.batch = command.batch, .workers = run.threads, .decode = command.common.decode_options()}, stop_requested(),
      [&](const ExtractionProgress& p) {
        line(fmt::format("{}, {} error{}",
                         pace_text({.done = p.done, .total = p.total, .here = p.done, .seconds = p.seconds}), p.failed,
                         p.failed == 1 ? "" : "s"),
             p.done == p.total);
      });
  if (!set) return std::nullopt;
  write_features(features_path(command), *set, key, dataset);
  return ObtainedFeatures{.set = std::move(*set), .from_cache = false, .seconds = seconds_since(start)};
}

void check_classes(const FeatureSet& set, const ClassedData& data) {
  std::vector<std::int64_t> pictures(data.classes.size(), 0);
  for (const int label : set.labels) ++pictures[static_cast<std::size_t>(label)];
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    if (pictures[i] == 0) {
      throw InputError(fmt::format("no picture of the class '{}' could be read; a head cannot be fitted without one",
                                   data.classes[i]));
    }
    if (pictures[i] == 1) {
      tell("The class '{}' has one picture only, which is never held out", data.classes[i]);
    }
  }
}

std::vector<std::string> errors_of(const FeatureSet& set) {
  std::vector<std::string> errors;
  for (const FailedPicture& picture : set.failed) errors.push_back(picture.error);
  return errors;
}

std::string share_text(const HeadScore& score) {
  const Interval interval = wilson_interval(score.correct, score.total);
  return fmt::format("{:.2f} % [{:.2f}, {:.2f}] ({} of {})",
                     100.0 * static_cast<double>(score.correct) / static_cast<double>(score.total), 100 * interval.low,
                     100 * interval.high, score.correct, score.total);
}

Json share_json(const HeadScore& score) {
  const Interval interval = wilson_interval(score.correct, score.total);
  return {{"correct", score.correct},
          {"total", score.total},
          {"accuracy", static_cast<double>(score.correct) / static_cast<double>(score.total)},
          {"interval", {interval.low, interval.high}},
          {"log_loss", score.log_loss}};
}

// Puts the head onto the model; the card says where it comes from.
void finish_model(const ProbeCommand& command, const ClassedData& data, const FeatureSet& set,
                  const ProbeResult& result, LoadedModel& model) {
  const std::vector<float> weight(result.fit.head.weight.begin(), result.fit.head.weight.end());
  const std::vector<float> bias(result.fit.head.bias.begin(), result.fit.head.bias.end());
  put_head(model, weight, bias, LabelSet::custom(data.classes));
  std::string held_out = "none held out";
  if (result.chosen) held_out = "held out " + share_text(result.tried[*result.chosen].held_out);
  Source& source = model.card.source;
  source.notes =
      fmt::format(
          "head of {} classes by tessera probe on {} pictures of {} (list {}), l2 {:.6g}, {}, features in {}; "
          "backbone {} with weights {}{}",
          data.classes.size(), set.labels.size(), plain(command.data).substr(0, 500),
          picture_list_hash(data.dataset).substr(0, 12), result.l2, held_out, command.common.run.dtype, model.card.name,
          model.card.sha256, source.notes.empty() ? "" : ": " + source.notes)
          .substr(0, 4000);
  model.card.name = command.name;
}

struct Seconds {
  double fit = 0, all = 0;
};

Json report_json(const ProbeCommand& command, const ClassedData& data, const ModelCard& saved,
                 const ObtainedFeatures& features, const ProbeResult& result, const Seconds& seconds) {
  Json tried = Json::array();
  for (const ProbeStep& step : result.tried) {
    tried.push_back({{"l2", step.l2},
                     {"train", share_json(step.kept)},
                     {"held_out", share_json(step.held_out)},
                     {"iterations", step.iterations},
                     {"converged", step.converged}});
  }
  Json json{{"file", command.out},
            {"name", saved.name},
            {"sha256", saved.sha256},
            {"classes", data.classes},
            {"pictures", features.set.labels.size()},
            {"failed", errors_of(features.set)},
            {"notes", data.dataset.notes},
            {"sample", to_json(data.dataset.sample)},
            {"features",
             {{"file", features_path(command).string()},
              {"from_cache", features.from_cache},
              {"width", features.set.width},
              {"image_size", sides_to_json(saved.preprocess.output_size())}}},
            {"l2", result.l2},
            {"l2_given", command.l2.has_value()},
            {"tried", tried},
            {"train", share_json(result.all)},
            {"held_out", nullptr},
            {"objective", result.fit.objective},
            {"iterations", result.fit.iterations},
            {"gradient_norm", result.fit.gradient_norm},
            {"converged", result.fit.converged},
            {"seconds", {{"features", features.seconds}, {"fit", seconds.fit}, {"total", seconds.all}}}};
  if (result.chosen) json["held_out"] = share_json(result.tried[*result.chosen].held_out);
  return json;
}

void print_report(const ProbeCommand& command, const ClassedData& data, const ModelCard& saved,
                  const ObtainedFeatures& features, const ProbeResult& result, const Seconds& seconds) {
  const FeatureSet& set = features.set;
  print_out("{}: {}, {} classes on {} features of pictures of {}\n", command.out, saved.name, data.classes.size(),
            set.width, to_string(saved.preprocess.output_size()));
  print_out("  pictures           {}{}\n", set.labels.size(),
            set.failed.empty() ? "" : fmt::format(", and {} that could not be read", set.failed.size()));
  if (result.chosen) {
    const ProbeStep& step = result.tried[*result.chosen];
    print_out("  held-out accuracy  {}, by a head fitted on the other {}\n", share_text(step.held_out),
              step.kept.total);
  }
  print_out("  train accuracy     {}\n", share_text(result.all));
  print_out("  l2                 {:.6g} (C {:.6g}), {}\n", result.l2, 1 / result.l2,
            command.l2 ? "as given" : fmt::format("the best of {} on the pictures held out", result.tried.size()));
  print_out("  fit                {} iterations, gradient norm {:.1e}{}\n", result.fit.iterations,
            result.fit.gradient_norm, result.fit.converged ? "" : " (NOT CONVERGED)");
  print_out("  time               features {:.1f} s{}, fit {:.1f} s\n", features.seconds,
            features.from_cache ? " (from the file)" : "", seconds.fit);
  print_out("  features in        {}\n", features_path(command).string());
}

int stopped() {
  tell("stopped; no model was written");
  return signal_exit_code();
}

int run_probe(ProbeCommand command) {
  check(command);
  if (command.name.empty()) command.name = fs::path(command.out).stem().string();
  check_name(command.name, "name");
  const auto start = Clock::now();
  const RunOptions run = command.common.run_options(command.batch);
  install_signal_handlers();
  const ClassedData data = open_data(command);
  LoadedModel model = load_model(command.model, open_options(run));
  model.card.preprocess = choose_preprocess(model.card, run.preprocess, run.pillow);
  remove_head(model);
  const std::optional<ObtainedFeatures> features = obtain_features(command, model, data.dataset);
  if (!features) return stopped();
  const FeatureSet& set = features->set;
  print_failures(errors_of(set));
  check_classes(set, data);
  const auto fit_start = Clock::now();
  ProgressLine line;
  const std::optional<ProbeResult> result = fit_probe(
      set.values, set.labels, static_cast<int>(data.classes.size()),
      {.holdout = command.holdout, .l2 = command.l2, .seed = command.seed, .threads = run.threads}, stop_requested(),
      [&](const ProbeStep& step) {
        line(fmt::format("l2 {:.3g}: held out {:.2f} %, cross-entropy {:.4f}", step.l2,
                         100.0 * static_cast<double>(step.held_out.correct) / static_cast<double>(step.held_out.total),
                         step.held_out.log_loss),
             true);
      });
  if (!result) return stopped();
  const double fit_seconds = seconds_since(fit_start);
  finish_model(command, data, set, *result, model);
  const ModelCard saved = save_model_file(command.out, model.card, model.weights, run.threads);
  const Seconds seconds{.fit = fit_seconds, .all = seconds_since(start)};
  if (command.common.json) {
    print_json(report_json(command, data, saved, *features, *result, seconds));
  } else {
    print_report(command, data, saved, *features, *result, seconds);
  }
  const bool too_many = static_cast<std::int64_t>(set.failed.size()) > command.max_errors;
  return too_many ? static_cast<int>(ErrorKind::kInput) : 0;
}

}  // namespace

void add_probe(Command& app, Outcome& outcome) {
  auto command = std::make_shared<ProbeCommand>();
  Command* sub = app.add_subcommand("probe", "A head for your own classes, fitted on a model's features");
  sub->add_option(
         "--data,--val-dir", command->data,
         "folder of class folders of any names, uncompressed tar of one (or a folder in it: x.tar/train), or a "
         "CSV list path,label")
      ->required();
  sub->add_option("--labels", command->labels, "class of each folder: JSON {\"folder\": index} or CSV folder,index");
  sub->add_option("--model,-m", command->model,
                  "a model file, an installed name or seeded:NAME@SEED; a head that it has is replaced")
      ->required();
  sub->add_option("--out,-o", command->out, "model file to write: the same network with the new head")->required();
  sub->add_option("--name", command->name, "what the new model is called (default: the file's name)");
  sub->add_option("--features", command->features,
                  "file that keeps the features, and has them already when run again (default: beside --out)");
  sub->add_option("--l2", command->l2,
                  "strength of the penalty l2 / 2 * ||W||^2, 1 / C in scikit-learn (default: chosen on the pictures "
                  "held out)");
  sub->add_option("--holdout", command->holdout, "share of each class that is held out to choose l2 and to test")
      ->capture_default_str();
  sub->add_option("--seed", command->seed, "of which pictures are held out, and of --per-class")->capture_default_str();
  sub->add_option("--per-class", command->per_class, "only so many pictures of each class, drawn by --seed (0: all)")
      ->capture_default_str();
  sub->add_option("--limit-order", command->limit_order,
                  "spread: --per-class draws; first: it takes the first pictures as they lie")
      ->capture_default_str();
  sub->add_option("--batch,--batch-size", command->batch, "pictures that run through the model at once")
      ->capture_default_str();
  sub->add_option("--max-errors", command->max_errors, "pictures that may be unreadable before the exit code is 3")
      ->capture_default_str();
  add_common_options(*sub, command->common);
  sub->footer(
      "Examples:\n"
      "  tessera probe --data pets/train/ --model resnet50.h5 -o resnet50-pets.h5\n"
      "  tessera probe --data photos.tar/train --model vit.h5 --image-size 112 -o vit-photos.h5\n"
      "  tessera compare --data pets/test/ --model resnet50-pets.h5 --model vit-pets.h5 --out run/");
  sub->callback([command, &outcome] { outcome.exit_code = run_probe(*command); });
}

}  // namespace tessera
