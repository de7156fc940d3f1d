// tessera classify: what is on these pictures, according to each model.

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "core/clock.h"
#include "core/error.h"
#include "evaluation/ready/model_names.h"
#include "evaluation/ready/probabilities.h"
#include "tools/say.h"
#include "tools/tool.h"
#include "vision/picture_files.h"

namespace tessera {

namespace {

namespace fs = std::filesystem;
struct ClassifyOptions {
  CommonOptions common;
  std::vector<std::string> images, models;
  int top = 5;
  std::int64_t max_errors = 0;
  bool logits = false;
};

std::vector<std::byte> read_stdin() {
  std::vector<std::byte> bytes;
  constexpr std::size_t kMost = std::size_t{1} << 30;
  std::byte buffer[65536];
  for (;;) {
    const ssize_t got = ::read(STDIN_FILENO, buffer, sizeof(buffer));
    if (got == 0) return bytes;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw InputError(std::string("standard input: cannot be read (") + std::strerror(errno) + ")");
    bytes.insert(bytes.end(), buffer, buffer + got);
    if (bytes.size() > kMost) throw InputError("standard input: the picture is larger than 1 GiB");
  }
}

struct Job {
  std::string name;
  std::optional<Sample> picture;  // empty: standard input
};

// Expands the arguments: a file is one picture, a folder all pictures below it, "-" standard input.
std::vector<Job> expand(const std::string& argument) {
  if (argument == "-") return {{argument, std::nullopt}};
  std::error_code error;
  if (!fs::is_directory(argument, error)) return {{argument, Sample{.path = argument}}};
  Pictures found = all_pictures(argument);
  for (const std::string& note : found.notes) tell("{}", note);
  std::vector<Job> jobs;
  for (Sample& sample : joined(std::move(found))) {
    std::string name = where(sample);
    jobs.push_back({std::move(name), std::move(sample)});
  }
  if (jobs.empty()) throw InputError(argument + ": no pictures in this folder");
  return jobs;
}

struct Result {
  std::vector<ClassProbability> top;
  std::vector<float> logits;
  double preprocess_ms = 0, inference_ms = 0, postprocess_ms = 0;
};

Result classify(Classifier& model, const Image& image, const std::string& file, const ClassifyOptions& options) {
  Result result;
  Tensor input = model.input(1);
  auto start = Clock::now();
  preprocess_image(image, model.card().preprocess, input.view());
  result.preprocess_ms = ms_since(start);
  start = Clock::now();
  const ConstView output = model.run(input.view());
  result.inference_ms = ms_since(start);
  start = Clock::now();
  if (const std::string fault = fault_of_logits(output.values()); !fault.empty()) {
    throw ModelFileError(file + ": " + model.card().name + " gives no prediction: " + fault +
                         "; its weights or its preprocessing are wrong");
  }
  result.top = top(probabilities(output.values()), static_cast<std::size_t>(options.top));
  result.postprocess_ms = ms_since(start);
  if (options.logits) result.logits.assign(output.values().begin(), output.values().end());
  return result;
}

void print_result(const std::string& name, const Classifier& model, const Result& result,
                  const ClassifyOptions& options) {
  print_out("  {} - inference: {:.2f} ms (preprocess {:.2f} ms)\n", name, result.inference_ms, result.preprocess_ms);
  for (const ClassProbability& entry : result.top) {
    print_out("    {:>6.2f} %  {:>4}  {}\n", entry.probability * 100, entry.index,
              model.card().labels.name(entry.index));
  }
  if (!options.logits) return;
  for (std::size_t i = 0; i < result.logits.size(); ++i) print_out("    logit {:>4} {:.9g}\n", i, result.logits[i]);
}

nlohmann::json result_json(const std::string& image, const std::string& name, const Classifier& model,
                           const Result& result, double decode_ms) {
  nlohmann::json json{{"image", image},
                      {"model", name},
                      {"top", nlohmann::json::array()},
                      {"timing_ms",
                       {{"decode", decode_ms},
                        {"preprocess", result.preprocess_ms},
                        {"inference", result.inference_ms},
                        {"postprocess", result.postprocess_ms}}}};
  for (const ClassProbability& entry : result.top) {
    json["top"].push_back({{"index", entry.index},
                           {"wnid", model.card().labels.wnid(entry.index)},
                           {"label", model.card().labels.name(entry.index)},
                           {"prob", entry.probability}});
  }
  if (!result.logits.empty()) json["logits"] = result.logits;
  return json;
}

// The pictures to classify, and the errors: a picture that cannot be read does not stop the others.
class Classification {
 public:
  explicit Classification(const ClassifyOptions& options) : options_(options) {
    for (const std::string& argument : options.images) {
      attempt(argument, [&] {
        for (Job& job : expand(argument)) jobs_.push_back(std::move(job));
      });
    }
  }

  void run(const std::vector<std::unique_ptr<Classifier>>& models) {
    std::vector<NamedModel> named;
    for (std::size_t m = 0; m < models.size(); ++m) named.push_back({models[m]->card().name, options_.models[m]});
    names_ = distinct_names(named);
    for (const Job& job : jobs_) {
      if (!flush_output()) break;  // nobody reads any more
      attempt(job.name, [&] { classify_all(job, models); });
    }
    if (options_.common.json) print_json({{"results", results_}});
  }
  // The exit code for a model whose logits are not finite, or for the last bad picture where there are more than
  // --max-errors allows.
  int exit_code() const {
    if (model_failed_) return static_cast<int>(ErrorKind::kModelFile);
    return errors_ > options_.max_errors ? exit_code_ : 0;
  }

 private:
  template <class Work>
  void attempt(const std::string& name, Work&& work) {
    try {
      work();
    } catch (const Error& error) {
      const bool model = error.kind() == ErrorKind::kModelFile;
      // ResourceError: a picture that is too large for this machine's memory.
      if (!model && error.kind() != ErrorKind::kInput && error.kind() != ErrorKind::kResource) throw;
      say("{}", error.what());
      if (options_.common.json) results_.push_back({{"image", name}, {"error", error.what()}});
      exit_code_ = error.exit_code();
      model_failed_ |= model;
      if (!model) ++errors_;
    }
  }

  void classify_all(const Job& job, const std::vector<std::unique_ptr<Classifier>>& models) {
    const auto start = Clock::now();
    const Image image =
        decode(job.picture ? read_picture(*job.picture) : read_stdin(), job.name, options_.common.decode_options());
    const double decode_ms = ms_since(start);
    if (!options_.common.json) {
      print_out("{} ({}x{}, decode {:.2f} ms)\n", job.name, image.width, image.height, decode_ms);
    }
    for (std::size_t m = 0; m < models.size(); ++m) {
      const Result result = classify(*models[m], image, job.name, options_);
      if (options_.common.json) {
        results_.push_back(result_json(job.name, names_[m], *models[m], result, decode_ms));
      } else {
        print_result(names_[m], *models[m], result, options_);
      }
    }
  }

  const ClassifyOptions& options_;
  std::vector<Job> jobs_;
  std::vector<std::string> names_;  // of the models
  nlohmann::json results_ = nlohmann::json::array();
  std::int64_t errors_ = 0;
  int exit_code_ = 0;
  bool model_failed_ = false;
};

int run_classify(const ClassifyOptions& options) {
  if (options.top < 1) throw UsageError("--top must be at least 1");
  if (options.max_errors < 0) throw UsageError("--max-errors must not be negative");
  Classification classification(options);
  std::vector<std::unique_ptr<Classifier>> models;
  for (const std::string& name : options.models) {
    models.push_back(std::make_unique<Classifier>(name, options.common.run_options(1)));
    if (!models.back()->has_classes()) throw UsageError(name + " has no classes to predict; it gives features only");
    const Tensor input = models.back()->input(1);
    models.back()->run(input.view());  // warm-up: the first run touches fresh memory
  }
  classification.run(models);
  return classification.exit_code();
}

}  // namespace

void add_classify(Command& app, Outcome& outcome) {
  auto options = std::make_shared<ClassifyOptions>();
  Command* command = app.add_subcommand("classify", "Top classes of pictures, by one or more models, timed");
  command
      ->add_option("images,--img,--image", options->images,
                   "pictures, folders of pictures (with their folders), or - for standard input")
      ->required();
  command->add_option("--model,-m", options->models, "a model file, an installed name or seeded:NAME@SEED; repeatable")
      ->required()
      ->allow_extra_args(false);
  command->add_option("--top,--topk", options->top, "classes to show")->capture_default_str();
  command->add_flag("--logits", options->logits, "all logits, in full precision");
  command->add_option("--max-errors", options->max_errors, "pictures that may be unreadable before the exit code is 3")
      ->capture_default_str();
  add_common_options(*command, options->common);
  command->footer(
      "Examples:\n"
      "  tessera classify cat.jpg --model resnet50.h5 --model vit.h5\n"
      "  tessera classify photos/ --model efficientnet_lite0 --json > results.json");
  command->callback([options, &outcome] { outcome.exit_code = run_classify(*options); });
}

}  // namespace tessera
