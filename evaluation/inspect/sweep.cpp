#include "evaluation/inspect/sweep.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <numeric>
#include <random>

#include "core/clock.h"
#include "core/csv.h"
#include "core/quantile.h"
#include "evaluation/ready/model_names.h"

namespace tessera {

namespace {

struct Cell {
  const LoadedModel* model = nullptr;
  std::string name, dtype;
  std::int64_t batch = 1;
  int threads = 1;
  std::string device = {};  // once it has been prepared
  std::vector<double> times_ms = {};
};

// The weights of a model that is prepared again and again: copied one by one, and kept.
class LentWeights final : public WeightSource {
 public:
  explicit LentWeights(const WeightStore& store) : store_(store) {}
  Tensor take(const WeightSpec& spec) override { return store_.at(spec.name).clone(); }

 private:
  const WeightStore& store_;
};

// Pictures as preprocessing leaves them: values around zero, none alike. What they show does not change the time.
void fill(View pictures) {
  std::mt19937 random(1);
  std::uniform_real_distribution<float> uniform(-2.0F, 2.0F);
  for (float& value : pictures.values()) value = uniform(random);
}

std::vector<LoadedModel> load_models(const SweepPlan& plan) {
  std::vector<LoadedModel> models;
  OpenOptions options = open_options(plan.run);
  options.threads = *std::ranges::max_element(plan.threads);
  for (const std::string& name : plan.models) models.push_back(load_model(name, options));
  return models;
}

std::vector<Cell> make_cells(const SweepPlan& plan, const std::vector<LoadedModel>& models) {
  std::vector<Cell> cells;
  std::vector<NamedModel> named;
  for (std::size_t m = 0; m < models.size(); ++m) named.push_back({models[m].card.name, plan.models[m]});
  const std::vector<std::string> names = names_of_settings(named);
  for (std::size_t m = 0; m < models.size(); ++m) {
    for (const std::string& dtype : plan.dtypes) {
      for (const int threads : plan.threads) {
        for (const std::int64_t batch : plan.batches) {
          cells.push_back({.model = &models[m], .name = names[m], .dtype = dtype, .batch = batch, .threads = threads});
        }
      }
    }
  }
  return cells;
}

// The cell that is ready to run. Only one is: packed weights and arenas of all together are many times the models.
class Ready {
 public:
  explicit Ready(const SweepPlan& plan) : plan_(plan) {}

  Classifier& of(Cell& cell) {
    if (cell_ == &cell) return *classifier_;
    cell_ = nullptr;
    classifier_.reset();  // before the next one takes its memory
    RunOptions options = plan_.run;
    options.dtype = cell.dtype;
    options.threads = cell.threads;
    options.max_batch = cell.batch;
    classifier_ = std::make_unique<Classifier>(
        OpenedModel{.card = cell.model->card, .weights = std::make_unique<LentWeights>(cell.model->weights)}, options);
    input_ = classifier_->input(cell.batch);
    fill(input_.view());
    cell.device = classifier_->program().backend();
    cell_ = &cell;
    return *classifier_;
  }
  ConstView input() const { return input_.view(); }

 private:
  const SweepPlan& plan_;
  const Cell* cell_ = nullptr;
  std::unique_ptr<Classifier> classifier_;
  Tensor input_;
};

double run_once(Classifier& classifier, ConstView input) {
  const auto start = Clock::now();
  classifier.run(input);
  return ms_since(start);
}

// One round's runs of a cell. Returns false when `go_on` does.
bool visit(Cell& cell, Ready& ready, const SweepPlan& plan, int round, FunctionRef<bool()> go_on) {
  const int runs = plan.runs * (round + 1) / kSweepRounds - plan.runs * round / kSweepRounds;
  if (plan.runs > 0 && runs == 0) return true;
  Classifier& classifier = ready.of(cell);
  run_once(classifier, ready.input());
  double measured_ms = 0;
  const double enough_ms = plan.seconds * 1e3 / kSweepRounds;
  for (int run = 0; plan.runs > 0 ? run < runs : run == 0 || measured_ms < enough_ms; ++run) {
    if (!go_on()) return false;
    cell.times_ms.push_back(run_once(classifier, ready.input()));
    measured_ms += cell.times_ms.back();
  }
  return true;
}

SweepResult result_of(Cell& cell) {
  std::ranges::sort(cell.times_ms);
  SweepResult result{.model = cell.name,
                     .device = cell.device,
                     .dtype = cell.dtype,
                     .batch = cell.batch,
                     .threads = cell.threads,
                     .runs = cell.times_ms.size(),
                     .min_ms = cell.times_ms.front(),
                     .p50_ms = quantile(cell.times_ms, 0.5),
                     .p90_ms = quantile(cell.times_ms, 0.9),
                     .p99_ms = quantile(cell.times_ms, 0.99)};
  result.images_per_second = 1e3 * static_cast<double>(cell.batch) / result.p50_ms;
  return result;
}

}  // namespace

std::vector<SweepResult> run_sweep(const SweepPlan& plan, SweepProgress progress) {
  const std::vector<LoadedModel> models = load_models(plan);
  std::vector<Cell> cells = make_cells(plan, models);
  Ready ready(plan);
  std::vector<std::size_t> order(cells.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::mt19937 random(1);
  const std::size_t total = cells.size() * kSweepRounds;
  std::size_t done = 0;
  const auto go_on = [&] { return progress(done, total); };
  bool running = true;
  for (int round = 0; round < kSweepRounds && running; ++round) {
    std::ranges::shuffle(order, random);
    for (std::size_t i = 0; i < order.size() && running; ++i) {
      running = visit(cells[order[i]], ready, plan, round, go_on);
      if (running) ++done;
    }
  }
  progress(done, total);
  std::vector<SweepResult> results;
  for (Cell& cell : cells) {
    if (!cell.times_ms.empty()) results.push_back(result_of(cell));
  }
  return results;
}

std::vector<SweepLine> lines_of(const std::vector<SweepResult>& results) {
  std::vector<SweepLine> lines;
  for (std::size_t i = 0; i < results.size(); ++i) {
    const SweepResult& r = results[i];
    const std::string name = fmt::format("{}, {}, {} thread{}", r.model, r.dtype, r.threads, r.threads == 1 ? "" : "s");
    auto line = std::ranges::find(lines, name, &SweepLine::name);
    if (line == lines.end()) line = lines.insert(lines.end(), SweepLine{.name = name, .results = {}});
    line->results.push_back(i);
  }
  constexpr double kNearlyBest = 0.95;
  for (SweepLine& line : lines) {
    std::ranges::sort(line.results, {}, [&](std::size_t i) { return results[i].batch; });
    double best = 0;
    for (const std::size_t i : line.results) best = std::max(best, results[i].images_per_second);
    line.knee = *std::ranges::find_if(
        line.results, [&](std::size_t i) { return results[i].images_per_second >= kNearlyBest * best; });
  }
  return lines;
}

std::string sweep_text(const std::vector<SweepResult>& results) {
  std::size_t width = 5;
  for (const SweepResult& r : results) width = std::max(width, r.model.size());
  std::string text =
      fmt::format("{:<{}}  {:<6}  {:<5}  {:>7}  {:>5}  {:>6}  {:>9}  {:>9}  {:>9}  {:>9}  {:>9}\n", "Model", width,
                  "Device", "Type", "Threads", "Batch", "Runs", "Min ms", "p50 ms", "p90 ms", "p99 ms", "Images/s");
  text += std::string(text.size() - 1, '-') + "\n";
  const std::vector<SweepLine> lines = lines_of(results);
  for (std::size_t i = 0; i < results.size(); ++i) {
    const SweepResult& r = results[i];
    const bool knee =
        std::ranges::any_of(lines, [&](const SweepLine& l) { return l.results.size() > 1 && l.knee == i; });
    text +=
        fmt::format("{:<{}}  {:<6}  {:<5}  {:>7}  {:>5}  {:>6}  {:>9.2f}  {:>9.2f}  {:>9.2f}  {:>9.2f}  {:>9.1f}{}\n",
                    r.model, width, r.device, r.dtype, r.threads, r.batch, r.runs, r.min_ms, r.p50_ms, r.p90_ms,
                    r.p99_ms, r.images_per_second, knee ? "  knee" : "");
  }
  text += fmt::format(
      "\nms are of a whole batch; images/s is the batch over its median. {} rounds over all rows in changing order, "
      "one "
      "run\nat the start of each visit not counted. p99 of fewer than 100 runs is the slowest run. Knee: the smallest "
      "batch with\n95 % of the best throughput.\n",
      kSweepRounds);
  return text;
}

std::string sweep_csv(const std::vector<SweepResult>& results) {
  std::string csv = "model,device,dtype,batch,threads,runs,min_ms,p50_ms,p90_ms,p99_ms,images_per_s\r\n";
  for (const SweepResult& r : results) {
    csv +=
        fmt::format("{},{},{},{},{},{},{:.6f},{:.6f},{:.6f},{:.6f},{:.6f}\r\n", csv_field(r.model), csv_field(r.device),
                    r.dtype, r.batch, r.threads, r.runs, r.min_ms, r.p50_ms, r.p90_ms, r.p99_ms, r.images_per_second);
  }
  return csv;
}

}  // namespace tessera
