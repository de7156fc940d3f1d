#include "evaluation/compare/comparison.h"

#include <algorithm>
#include <array>
#include <limits>

#include "core/clock.h"
#include "core/error.h"
#include "core/nearest.h"
#include "core/random.h"
#include "evaluation/ready/model_names.h"

namespace tessera {

namespace {

constexpr std::size_t kBest = 5;  // classes kept of each prediction

// The order in which the models run on a batch: drawn from the seed and the batch's first picture, so that what drifts
// (clock, temperature, other work) hits all alike and a run that is resumed takes the same order.
std::vector<std::size_t> order_of_models(std::size_t models, std::uint64_t seed, std::int64_t picture) {
  Random random(seed * 0x9E3779B97F4A7C15U + static_cast<std::uint64_t>(picture));
  std::vector<std::size_t> order(models);
  for (std::size_t i = 0; i < models; ++i) order[i] = i;
  for (std::size_t left = models; left > 1; --left) std::swap(order[left - 1], order[random.bits() % left]);
  return order;
}

// What each model says of the pictures of one batch, by picture and model.
using Probabilities = std::vector<std::vector<std::vector<double>>>;

// Of logits that are no numbers nothing follows: the picture has no predictions, not even those of the other models.
void fail(ComparisonRow& row, const std::string& model, const std::string& fault) {
  row.error = where(row.sample) + ": " + model + " gives no prediction: " + fault +
              "; its weights or its preprocessing are wrong (`tessera verify` finds the first layer that is)";
  row.model_failed = true;
}

// In the order of the classes that all models share.
std::vector<double> in_place(std::vector<double> of_model, const std::vector<int>& places) {
  if (places.empty()) return of_model;
  std::vector<double> shared(of_model.size());
  for (std::size_t i = 0; i < places.size(); ++i) shared[static_cast<std::size_t>(places[i])] = of_model[i];
  return shared;
}

void run_model(Classifier& model, std::size_t index, const std::vector<int>& places, const Tensor& input,
               std::span<ComparisonRow> rows, Probabilities& all) {
  const auto count = static_cast<std::int64_t>(rows.size());
  const auto start = Clock::now();
  const ConstView output = model.run(ConstView(input.data(), model.input_shape(count)));
  const double inference_ms = ms_since(start) / static_cast<double>(count);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    ComparisonRow& row = rows[i];
    if (!row.error.empty()) continue;
    const std::span<const float> logits = output.slice(static_cast<std::int64_t>(i)).values();
    if (const std::string fault = fault_of_logits(logits); !fault.empty()) {
      fail(row, model.card().name, fault);
      continue;
    }
    Prediction& prediction = row.predictions[index];
    prediction.inference_ms = inference_ms;
    const auto begin = Clock::now();
    all[i][index] = in_place(probabilities(logits), places);
    set_best(prediction, top(all[i][index], kBest), row.sample.label);
    prediction.postprocess_ms = ms_since(begin);
  }
  if (count == 1) return;
  const double batch_ms = ms_since(start);
  for (ComparisonRow& row : rows) {
    row.batch = count;
    if (row.error.empty()) row.predictions[index].batch_ms = batch_ms;
  }
}

// Summed in the order of the models, whichever ran first: the same digits in every run.
std::vector<ClassProbability> best_of_mean(const std::vector<std::vector<double>>& by_model) {
  std::vector<double> mean(by_model.front().size());
  for (const std::vector<double>& of_model : by_model) {
    for (std::size_t i = 0; i < mean.size(); ++i) mean[i] += of_model[i];
  }
  for (double& value : mean) value /= static_cast<double>(by_model.size());
  return top(mean, kBest);
}

// A picture that could not be read has no predictions.
ComparisonRow row_of(const PreparedPicture& picture, std::size_t models, double wait_ms) {
  ComparisonRow row{.number = picture.number,
                    .sample = picture.sample,
                    .error = picture.error,
                    .contents = picture.contents,
                    .read_ms = picture.read_ms,
                    .load_ms = picture.load_ms,
                    .wait_ms = wait_ms};
  if (!picture.error.empty()) return row;
  row.predictions.resize(models);
  for (std::size_t m = 0; m < models; ++m) row.predictions[m].preprocess_ms = picture.preprocess_ms[m];
  return row;
}

std::vector<Preprocess> preprocessing_of(const std::vector<std::unique_ptr<Classifier>>& models) {
  std::vector<Preprocess> preprocessing;
  for (const auto& model : models) preprocessing.push_back(model->card().preprocess);
  return preprocessing;
}

class Comparison {
 public:
  Comparison(std::vector<std::unique_ptr<Classifier>>& models, const ComparisonOptions& options, Work& work)
      : models_(models), options_(options), work_(work) {}

  // `wait_ms`: for the batch, divided by its pictures.
  void run(const PreparedBatch& batch, double wait_ms) {
    std::vector<ComparisonRow> rows;
    for (const PreparedPicture& picture : batch.pictures) rows.push_back(row_of(picture, models_.size(), wait_ms));
    Probabilities all(rows.size(), std::vector<std::vector<double>>(models_.size()));
    const bool any = std::ranges::any_of(rows, [](const ComparisonRow& row) { return row.error.empty(); });
    static const std::vector<int> kSame;
    for (const std::size_t m : order_of_models(models_.size(), options_.seed, rows.front().number)) {
      if (any)
        run_model(*models_[m], m, options_.places.empty() ? kSame : options_.places[m], batch.inputs[m], rows, all);
    }
    for (std::size_t i = 0; i < rows.size(); ++i) {
      ComparisonRow& row = rows[i];
      if (row.model_failed) row.predictions.clear();
      if (row.error.empty() && models_.size() > 1) row.average = best_of_mean(all[i]);
    }
    work_.take(rows);
  }

 private:
  std::vector<std::unique_ptr<Classifier>>& models_;
  const ComparisonOptions& options_;
  Work& work_;
};

// The warm-up: in no figure but the pictures a second that full batches take with nothing beside them; 0 where too few
// runs say nothing of it. The first run of a model pays for its memory.
double warm_up(const std::vector<std::unique_ptr<Classifier>>& models, const ComparisonOptions& options,
               const Work& work) {
  double ms = 0;
  for (const auto& model : models) {
    double best = std::numeric_limits<double>::infinity();
    const Tensor input = model->input(options.batch);
    for (int run = 0; run < options.warmup && !work.stopped(); ++run) {
      const auto start = Clock::now();
      model->run(input.view());
      if (run > 0) best = std::min(best, ms_since(start));
    }
    ms += best;
  }
  constexpr double kMs = 1e3;
  return kMs * static_cast<double>(options.batch) / ms;
}

void run_batches(const std::vector<std::unique_ptr<Classifier>>& models, const Dataset& dataset,
                 const ComparisonOptions& options, Work& work, Comparison& comparison) {
  PictureQueue queue(preprocessing_of(models), dataset.samples,
                     {.batch = options.batch, .workers = options.workers, .decode = options.decode}, work);
  while (!work.stopped()) {
    const auto start = Clock::now();
    const PreparedBatch* const batch = queue.next();
    if (batch == nullptr) return;
    comparison.run(*batch, ms_since(start) / static_cast<double>(batch->pictures.size()));
  }
}

void run_one_by_one(const std::vector<std::unique_ptr<Classifier>>& models, const Dataset& dataset,
                    const ComparisonOptions& options, Work& work, Comparison& comparison) {
  const std::vector<Preprocess> preprocessing = preprocessing_of(models);
  PreparedBatch batch = make_batch(preprocessing, 1);
  batch.pictures.resize(1);
  while (!work.stopped()) {
    const std::vector<std::int64_t> number = work.next(1);
    if (number.empty()) return;
    const Sample& sample = dataset.samples[static_cast<std::size_t>(number.front())];
    prepare_picture(preprocessing, sample, number.front(), options.decode, batch, 0);
    comparison.run(batch, 0);
  }
}

// What stands before a model's columns: its family ("resnet") where that is unique, else architecture, else with a
// number.
std::vector<std::string> column_prefixes(const std::vector<std::unique_ptr<Classifier>>& models) {
  std::vector<std::string> families, architectures, prefixes;
  for (const auto& model : models) {
    architectures.push_back(model->card().config.architecture);
    families.push_back(find_architecture(architectures.back()).family);
  }
  for (std::size_t i = 0; i < models.size(); ++i) {
    if (std::ranges::count(families, families[i]) == 1) {
      prefixes.push_back(families[i]);
    } else if (std::ranges::count(architectures, architectures[i]) == 1) {
      prefixes.push_back(architectures[i]);
    } else {
      prefixes.push_back(architectures[i] + "_" + std::to_string(i + 1));
    }
  }
  return prefixes;
}

}  // namespace

std::string_view to_string(ComparisonMode mode) { return mode == ComparisonMode::kLatency ? "latency" : "throughput"; }

ComparisonMode mode_from_string(std::string_view name) {
  for (const ComparisonMode mode : {ComparisonMode::kLatency, ComparisonMode::kThroughput}) {
    if (name == to_string(mode)) return mode;
  }
  throw UsageError(unknown_word("mode", name, std::vector<std::string>{"latency", "throughput"}));
}

std::vector<ComparedModel> facts_of(const std::vector<std::unique_ptr<Classifier>>& models,
                                    const std::vector<std::string>& sources) {
  const std::vector<std::string> prefixes = column_prefixes(models);
  std::vector<NamedModel> named;
  for (std::size_t i = 0; i < models.size(); ++i) {
    named.push_back({models[i]->card().name, i < sources.size() ? sources[i] : ""});
  }
  const std::vector<std::string> names = distinct_names(named);
  std::vector<ComparedModel> facts;
  for (std::size_t i = 0; i < models.size(); ++i) {
    const Classifier& model = *models[i];
    const Cost sum = totals(build_graph(model.card().config));
    const ModelCard& card = model.card();
    std::optional<PublishedAccuracy> published;
    if (card.labels.is_imagenet()) published = published_accuracy(card.name, model.image_size());
    if (card.labels.is_imagenet() && !published) published = published_accuracy(card.source.origin, model.image_size());
    facts.push_back(
        {.name = names[i],
         .prefix = prefixes[i],
         .load_ms = model.load_ms(),
         .parameters = sum.parameters,
         .macs = sum.macs,
         .memory_bytes = static_cast<std::int64_t>(model.program().weight_bytes() + model.program().activation_bytes()),
         .published = published});
  }
  return facts;
}

void check_models(const std::vector<std::unique_ptr<Classifier>>& models, const ComparisonOptions& options) {
  for (const auto& model : models) {
    if (!model->has_classes()) {
      throw UsageError(model->card().name + " has no classes to predict; it gives features only");
    }
    if (options.mode == ComparisonMode::kLatency && options.batch != 1) {
      throw UsageError("mode latency runs one picture at a time; --batch goes with --mode throughput");
    }
    if (!options.places.empty() && options.places.size() != models.size()) {
      throw InternalError("not every model's classes have their places");
    }
    if (model->program().max_batch() < options.batch) throw InternalError("a model was opened for a smaller batch");
  }
}

void compare_models(std::vector<std::unique_ptr<Classifier>>& models, const Dataset& dataset,
                    const ComparisonOptions& options, Work& work) {
  check_models(models, options);
  const double alone = warm_up(models, options, work);
  Comparison comparison(models, options, work);
  if (options.mode == ComparisonMode::kThroughput) {
    if (alone > 0) work.begin(alone);
    run_batches(models, dataset, options, work, comparison);
  } else {
    run_one_by_one(models, dataset, options, work, comparison);
  }
}

}  // namespace tessera
