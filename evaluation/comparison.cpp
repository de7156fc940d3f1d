#include "evaluation/comparison.h"

#include <algorithm>
#include <chrono>

#include "core/error.h"

namespace tessera {

namespace {

using Clock = std::chrono::steady_clock;

double ms_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

Image load(ComparisonRow& row, const DecodeOptions& options) {
  const auto start = Clock::now();
  Image image;
  try {
    image = decode(read_picture_file(row.sample.path), row.sample.path.string(), options);
  } catch (const InputError& error) {
    row.error = error.what();
  }
  row.load_ms = ms_since(start);
  return image;
}

void read_prediction(ConstView output, int label, Prediction& prediction) {
  const auto start = Clock::now();
  const std::vector<ClassProbability> best = top(probabilities(output.values()), 5);
  prediction.index = best[0].index;
  prediction.confidence = best[0].probability;
  prediction.top1_correct = best[0].index == label;
  prediction.top5_correct = std::ranges::find(best, label, &ClassProbability::index) != best.end();
  prediction.postprocess_ms = ms_since(start);
}

// Rows and pictures of one batch; pictures that could not be decoded are not among them.
struct Batch {
  std::vector<ComparisonRow*> rows;
  std::vector<Image> images;
};

void run_model(Classifier& model, std::size_t index, const Batch& batch) {
  const auto count = static_cast<std::int64_t>(batch.rows.size());
  for (std::int64_t i = 0; i < count; ++i) {
    const auto start = Clock::now();
    try {
      model.preprocess(batch.images[static_cast<std::size_t>(i)], i);
    } catch (const InputError& error) {
      batch.rows[static_cast<std::size_t>(i)]->error = error.what();
    }
    batch.rows[static_cast<std::size_t>(i)]->predictions[index].preprocess_ms = ms_since(start);
  }
  const auto start = Clock::now();
  const ConstView output = model.run(count);
  const double inference_ms = ms_since(start) / static_cast<double>(count);
  for (std::int64_t i = 0; i < count; ++i) {
    ComparisonRow& row = *batch.rows[static_cast<std::size_t>(i)];
    row.predictions[index].inference_ms = inference_ms;
    read_prediction(output.slice(i), row.sample.label, row.predictions[index]);
  }
}

void check_models(const std::vector<std::unique_ptr<Classifier>>& models, const ComparisonOptions& options) {
  for (const auto& model : models) {
    if (!model->has_classes()) {
      throw UsageError(model->card().name + " has no classes to predict; it gives features only");
    }
    if (model->program().max_batch() < options.batch) throw InternalError("a model was opened for a smaller batch");
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

std::vector<ComparedModel> facts_of(const std::vector<std::unique_ptr<Classifier>>& models) {
  const std::vector<std::string> prefixes = column_prefixes(models);
  std::vector<ComparedModel> facts;
  for (std::size_t i = 0; i < models.size(); ++i) {
    const Classifier& model = *models[i];
    const GraphTotals sum = totals(build_graph(model.card().config));
    facts.push_back({.name = model.card().name,
                     .prefix = prefixes[i],
                     .load_ms = model.load_ms(),
                     .parameters = sum.parameters,
                     .macs = sum.macs,
                     .memory_bytes = static_cast<std::int64_t>(model.program().weight_bytes() +
                                                               model.program().activation_bytes())});
  }
  return facts;
}

}  // namespace

ComparisonResult compare_models(std::vector<std::unique_ptr<Classifier>>& models, const Dataset& dataset,
                                const ComparisonOptions& options, const std::atomic<bool>& stop,
                                const std::function<void(const ComparisonProgress&)>& progress) {
  check_models(models, options);
  for (const auto& model : models) {
    for (int run = 0; run < options.warmup; ++run) model->run(options.batch);
  }
  ComparisonResult result{.models = facts_of(models), .labels = models.front()->card().labels};
  result.rows.reserve(dataset.samples.size());
  ComparisonProgress state{.total = dataset.samples.size()};
  const auto start = Clock::now();
  const auto batch_size = static_cast<std::size_t>(options.batch);
  for (std::size_t first = 0; first < dataset.samples.size() && !stop; first += batch_size) {
    Batch batch;
    const std::size_t end = std::min(first + batch_size, dataset.samples.size());
    for (std::size_t i = first; i < end; ++i) {
      ComparisonRow& row = result.rows.emplace_back();
      row.sample = dataset.samples[i];
      Image image = load(row, options.decode);
      if (!row.error.empty()) continue;
      row.predictions.resize(models.size());
      batch.rows.push_back(&row);
      batch.images.push_back(std::move(image));
    }
    for (std::size_t m = 0; m < models.size() && !batch.rows.empty(); ++m) run_model(*models[m], m, batch);
    for (std::size_t i = first; i < end; ++i) {
      ComparisonRow& row = result.rows[i];
      if (!row.error.empty()) row.predictions.clear();
      state.errors += row.error.empty() ? 0 : 1;
    }
    state.done = end;
    state.seconds = ms_since(start) / 1e3;
    progress(state);
  }
  result.loop_ms = ms_since(start);
  result.interrupted = stop && result.rows.size() < dataset.samples.size();
  return result;
}

}  // namespace tessera
