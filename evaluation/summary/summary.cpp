#include "evaluation/summary/summary.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "core/quantile.h"

namespace tessera {

namespace {

constexpr std::size_t kExamples = 5;  // of each kind, in the article's summary

// The rows that have predictions.
std::vector<std::size_t> predicted_rows(const ComparisonResult& result) {
  std::vector<std::size_t> rows;
  for (std::size_t i = 0; i < result.rows.size(); ++i) {
    if (result.rows[i].error.empty()) rows.push_back(i);
  }
  return rows;
}

template <class Time>
TimeSummary summarise_times(const ComparisonResult& result, const Time& time) {
  std::vector<double> values;
  TimeSummary summary;
  for (const ComparisonRow& row : result.rows) {
    if (!row.error.empty()) continue;
    values.push_back(time(row));
    summary.total += values.back();
  }
  if (values.empty()) return summary;
  summary.first = values.front();
  std::ranges::sort(values);
  summary.mean = summary.total / static_cast<double>(values.size());
  summary.median = quantile(values, 0.5);
  summary.p90 = quantile(values, 0.9);
  summary.p99 = quantile(values, 0.99);
  summary.min = values.front();
  summary.max = values.back();
  return summary;
}

double rate(double ms) { return ms > 0 ? 1000.0 / ms : 0; }

ModelSummary summarise_model(const ComparisonResult& result, std::size_t m, double load_ms) {
  ModelSummary model{.model = result.header.models[m]};
  std::vector<double> confidence;
  std::vector<bool> correct;
  for (const ComparisonRow& row : result.rows) {
    if (!row.error.empty()) continue;
    const Prediction& p = row.predictions[m];
    model.top1 += p.top1_correct ? 1 : 0;
    model.top5 += p.top5_correct ? 1 : 0;
    model.confidence += p.confidence;
    confidence.push_back(p.confidence);
    correct.push_back(p.top1_correct);
  }
  const auto pictures = static_cast<std::int64_t>(confidence.size());
  model.confidence /= static_cast<double>(std::max<std::int64_t>(pictures, 1));
  model.top1_interval = wilson_interval(model.top1, pictures);
  model.top5_interval = wilson_interval(model.top5, pictures);
  model.preprocess = summarise_times(result, [m](const auto& row) { return row.predictions[m].preprocess_ms; });
  model.inference = summarise_times(result, [m](const auto& row) { return row.predictions[m].inference_ms; });
  model.postprocess = summarise_times(result, [m](const auto& row) { return row.predictions[m].postprocess_ms; });
  model.batch_inference = summarise_times(result, [m](const auto& row) { return batch_inference_ms(row, m); });
  model.latency = summarise_times(result, [m](const auto& row) { return latency_ms(row, m); });
  const double each = model.preprocess.mean + model.inference.mean;
  model.images_per_second = rate(each);
  model.images_per_second_with_decoding = rate(each + load_ms);
  model.inference_per_second = rate(model.inference.mean);
  model.reliability = reliability(confidence, correct);
  model.calibration_error = expected_calibration_error(model.reliability);
  return model;
}

std::vector<ClassAccuracy> class_accuracies(const ComparisonResult& result) {
  std::map<int, ClassAccuracy> by_label;
  for (const ComparisonRow& row : result.rows) {
    if (!row.error.empty()) continue;
    ClassAccuracy& of_class = by_label[row.sample.label];
    of_class.label = row.sample.label;
    of_class.correct.resize(result.header.models.size());
    ++of_class.pictures;
    for (std::size_t m = 0; m < row.predictions.size(); ++m) {
      of_class.correct[m] += row.predictions[m].top1_correct ? 1 : 0;
    }
  }
  std::vector<ClassAccuracy> classes;
  for (auto& [label, of_class] : by_label) classes.push_back(std::move(of_class));
  return classes;
}

// The classes on which the models differ, the largest difference first.
std::vector<ClassDifference> class_differences(const std::vector<ClassAccuracy>& accuracies, const PairSummary& pair) {
  std::vector<ClassDifference> classes;
  for (const ClassAccuracy& of_class : accuracies) {
    const std::int64_t first = of_class.correct[pair.first], second = of_class.correct[pair.second];
    if (first != second) classes.push_back({of_class.label, of_class.pictures, first, second});
  }
  std::ranges::stable_sort(classes, std::greater(), [](const ClassDifference& of_class) {
    return static_cast<double>(std::abs(of_class.first - of_class.second)) / static_cast<double>(of_class.pictures);
  });
  return classes;
}

// The models together: the mean of their probabilities.
void summarise_average(const ComparisonResult& result, ComparisonSummary& summary) {
  summary.average_top1 = summary.average_top5 = 0;
  for (const ComparisonRow& row : result.rows) {
    if (!row.error.empty()) continue;
    if (row.average.empty()) {
      summary.average_top1 = summary.average_top5 = -1;
      return;
    }
    summary.average_top1 += row.average.front().index == row.sample.label ? 1 : 0;
    const bool among = std::ranges::find(row.average, row.sample.label, &ClassProbability::index) != row.average.end();
    summary.average_top5 += among ? 1 : 0;
  }
}

void add_row(PairSummary& pair, const ComparisonResult& result, std::size_t index) {
  const Prediction& a = result.rows[index].predictions[pair.first];
  const Prediction& b = result.rows[index].predictions[pair.second];
  if (a.index == b.index) {
    ++pair.same;
    pair.same_wrong += a.top1_correct ? 0 : 1;
  } else {
    pair.disagreements.push_back(index);
    pair.right_when_different[0] += a.top1_correct ? 1 : 0;
    pair.right_when_different[1] += b.top1_correct ? 1 : 0;
  }
  pair.more_confident += (a.confidence >= b.confidence ? a : b).top1_correct ? 1 : 0;
  if (a.top1_correct && b.top1_correct) {
    ++pair.correct.both;
    return;
  }
  const std::size_t kind = a.top1_correct ? 0 : b.top1_correct ? 1 : 2;
  ++(kind == 0 ? pair.correct.first_only : kind == 1 ? pair.correct.second_only : pair.correct.neither);
  if (pair.examples[kind].size() < kExamples) pair.examples[kind].push_back(index);
}

// Inference of two models, measurement by measurement: of each picture, or of each batch where there are any. The
// pictures of a batch share one measurement, by which they are known.
struct PairedTimes {
  std::vector<double> first, second;
};
PairedTimes paired_times(const ComparisonResult& result, std::size_t first, std::size_t second) {
  PairedTimes times;
  std::map<std::pair<double, double>, std::size_t> batches;
  for (const ComparisonRow& row : result.rows) {
    if (!row.error.empty()) continue;
    const double a = row.predictions[first].inference_ms, b = row.predictions[second].inference_ms;
    if (row.batch > 1) {
      const auto [place, is_new] = batches.emplace(std::pair(a, b), times.first.size());
      if (!is_new) {
        times.first[place->second] += a;
        times.second[place->second] += b;
        continue;
      }
    }
    times.first.push_back(a);
    times.second.push_back(b);
  }
  return times;
}

PairSummary summarise_pair(const ComparisonResult& result, const std::vector<ClassAccuracy>& classes, std::size_t first,
                           std::size_t second, const SummaryOptions& options) {
  PairSummary pair{.first = first, .second = second};
  std::vector<int> labels_first, labels_second;
  for (const std::size_t index : predicted_rows(result)) {
    add_row(pair, result, index);
    labels_first.push_back(result.rows[index].predictions[first].index);
    labels_second.push_back(result.rows[index].predictions[second].index);
  }
  pair.test = mcnemar(pair.correct);
  pair.difference = bootstrap_difference(pair.correct, options.seed);
  const PairedTimes times = paired_times(result, first, second);
  pair.time = ratio_of_means(times.first, times.second);
  pair.error_consistency = error_consistency(pair.correct);
  pair.cohen_kappa = cohen_kappa(labels_first, labels_second);
  std::ranges::stable_sort(pair.disagreements, std::greater(), [&](std::size_t index) {
    const auto& predictions = result.rows[index].predictions;
    return std::min(predictions[first].confidence, predictions[second].confidence);
  });
  pair.disagreements.resize(std::min(pair.disagreements.size(), options.examples));
  pair.classes = class_differences(classes, pair);
  pair.classes.resize(std::min(pair.classes.size(), options.examples));
  return pair;
}

nlohmann::json to_json(const TimeSummary& time) {
  return {{"total", time.total}, {"mean", time.mean}, {"median", time.median}, {"p90", time.p90},
          {"p99", time.p99},     {"min", time.min},   {"max", time.max},       {"first", time.first}};
}

nlohmann::json to_json(const Interval& interval) { return {interval.low, interval.high}; }

// What was divided by the pictures of a batch has a sum and a mean; its percentiles would be of no time that passed.
nlohmann::json share_json(const TimeSummary& time, std::int64_t batch) {
  if (batch == 1) return to_json(time);
  return {{"total", time.total}, {"mean", time.mean}};
}

nlohmann::json to_json(const PublishedAccuracy& published) {
  return {{"weights", published.weights},
          {"image_size", published.image_size},
          {"top1", published.top1},
          {"top5", published.top5},
          {"by", "timm, whole validation set"}};
}

nlohmann::json to_json(const ModelSummary& model, std::int64_t pictures, std::int64_t batch) {
  const auto share = [&](std::int64_t count) {
    return pictures == 0 ? 0 : static_cast<double>(count) / static_cast<double>(pictures);
  };
  nlohmann::json bins = nlohmann::json::array();
  for (const ReliabilityBin& bin : model.reliability) {
    bins.push_back({{"low", bin.low},
                    {"high", bin.high},
                    {"pictures", bin.count},
                    {"confidence", bin.confidence},
                    {"accuracy", bin.accuracy}});
  }
  return {{"name", model.model.name},
          {"model_load_ms", model.model.load_ms},
          {"parameters", model.model.parameters},
          {"macs", model.model.macs},
          {"memory_bytes", model.model.memory_bytes},
          {"top1", model.top1},
          {"top5", model.top5},
          {"top1_share", share(model.top1)},
          {"top5_share", share(model.top5)},
          {"top1_interval", to_json(model.top1_interval)},
          {"top5_interval", to_json(model.top5_interval)},
          {"preprocess_ms", to_json(model.preprocess)},
          {"inference_ms", share_json(model.inference, batch)},
          {"batch_inference_ms", to_json(model.batch_inference)},
          {"postprocess_ms", to_json(model.postprocess)},
          {"latency_ms", to_json(model.latency)},
          {"images_per_second", model.images_per_second},
          {"images_per_second_with_decoding", model.images_per_second_with_decoding},
          {"inference_per_second", model.inference_per_second},
          {"mean_confidence", model.confidence},
          {"calibration_error", model.calibration_error},
          {"reliability", bins}};
}

// NaN, which JSON does not have, as null.
nlohmann::json finite(double value) { return std::isfinite(value) ? nlohmann::json(value) : nlohmann::json(); }

nlohmann::json to_json(const PairSummary& pair, const ComparisonResult& result) {
  nlohmann::json disagreements = nlohmann::json::array(), classes = nlohmann::json::array();
  for (const std::size_t index : pair.disagreements) {
    const ComparisonRow& row = result.rows[index];
    const auto said = [&](std::size_t model) -> nlohmann::json {
      const Prediction& p = row.predictions[model];
      return {{"index", p.index},
              {"label", result.header.labels.name(p.index)},
              {"confidence", p.confidence},
              {"correct", p.top1_correct}};
    };
    disagreements.push_back({{"image", row.sample.name},
                             {"label", result.header.labels.name(row.sample.label)},
                             {"first", said(pair.first)},
                             {"second", said(pair.second)}});
  }
  for (const ClassDifference& of_class : pair.classes) {
    classes.push_back({{"index", of_class.label},
                       {"label", result.header.labels.name(of_class.label)},
                       {"pictures", of_class.pictures},
                       {"first_correct", of_class.first},
                       {"second_correct", of_class.second}});
  }
  return {{"models", {result.header.models[pair.first].name, result.header.models[pair.second].name}},
          {"both_correct", pair.correct.both},
          {"first_only", pair.correct.first_only},
          {"second_only", pair.correct.second_only},
          {"both_wrong", pair.correct.neither},
          {"same_prediction", pair.same},
          {"same_wrong_prediction", pair.same_wrong},
          {"mcnemar",
           {{"p_exact", pair.test.p_exact},
            {"p_adjusted", pair.p_adjusted},
            {"chi2_corrected", pair.test.chi2_corrected},
            {"p_corrected", pair.test.p_corrected}}},
          {"top1_difference", pair.difference.difference},
          {"top1_difference_interval", to_json(pair.difference.interval)},
          {"inference_time_ratio", finite(pair.time.ratio)},
          {"inference_time_ratio_interval", {finite(pair.time.interval.low), finite(pair.time.interval.high)}},
          {"error_consistency", finite(pair.error_consistency)},
          {"cohen_kappa", finite(pair.cohen_kappa)},
          {"either_correct", pair.either()},
          {"more_confident_correct", pair.more_confident},
          {"correct_when_different", pair.right_when_different},
          {"confident_disagreements", disagreements},
          {"classes_that_differ", classes}};
}

void adjust_tests(std::vector<PairSummary>& pairs) {
  std::vector<double> p_values;
  for (const PairSummary& pair : pairs) p_values.push_back(pair.test.p_exact);
  const std::vector<double> adjusted = holm_adjusted(p_values);
  for (std::size_t i = 0; i < pairs.size(); ++i) pairs[i].p_adjusted = adjusted[i];
}

void summarise_speed(const ComparisonResult& result, ComparisonSummary& summary) {
  constexpr double kMs = 1e3;
  const auto speed = [](std::int64_t pictures, double ms) {
    return ms > 0 ? static_cast<double>(pictures) / (ms / kMs) : 0;
  };
  summary.parts = result.parts.size();
  summary.run_per_second = speed(static_cast<std::int64_t>(result.rows.size()), result.loop_ms);
  for (const RunPart& part : result.parts) summary.run_per_second_together += speed(part.pictures, part.loop_ms);
  if (result.parts.empty()) summary.run_per_second_together = summary.run_per_second;
}

}  // namespace

double throughput_of(const ComparisonSummary& summary, const ModelSummary& model) {
  return summary.overlapped ? model.inference_per_second : model.images_per_second;
}

ComparisonSummary summarise(const ComparisonResult& result, const SummaryOptions& options) {
  ComparisonSummary summary{.loop_ms = result.loop_ms,
                            .total_ms = result.loop_ms + result.load_ms,
                            .overlapped = result.overlapped,
                            .warmup = result.warmup,
                            .interrupted = result.interrupted,
                            .machines = machines_of(result.sittings),
                            .sample = result.sample};
  for (const ComparisonRow& row : result.rows) {
    ++(row.error.empty() ? summary.pictures : summary.errors);
    summary.batch = std::max(summary.batch, row.batch);
  }
  summarise_speed(result, summary);
  summary.load = summarise_times(result, [](const auto& row) { return row.load_ms; });
  summary.read = summarise_times(result, [](const auto& row) { return row.read_ms; });
  summary.pipeline = summarise_pipeline(result);
  summary.classes = class_accuracies(result);
  summarise_average(result, summary);
  for (std::size_t m = 0; m < result.header.models.size(); ++m) {
    summary.models.push_back(summarise_model(result, m, summary.load.mean));
  }
  for (std::size_t a = 0; a < result.header.models.size(); ++a) {
    for (std::size_t b = a + 1; b < result.header.models.size(); ++b) {
      summary.pairs.push_back(summarise_pair(result, summary.classes, a, b, options));
    }
  }
  adjust_tests(summary.pairs);
  return summary;
}

nlohmann::json summary_json(const ComparisonSummary& summary, const ComparisonResult& result) {
  nlohmann::json json{
      {"pictures", summary.pictures},       {"errors", summary.errors},          {"load_ms", to_json(summary.load)},
      {"read_ms", to_json(summary.read)},   {"loop_ms", summary.loop_ms},        {"total_ms", summary.total_ms},
      {"interrupted", summary.interrupted}, {"models", nlohmann::json::array()}, {"pairs", nlohmann::json::array()}};
  if (summary.average_top1 >= 0) {
    json["average"] = {{"top1", summary.average_top1}, {"top5", summary.average_top5}};
  }
  if (!summary.machines.empty()) json["machines"] = summary.machines;
  if (!summary.sample.all()) json["sample"] = to_json(summary.sample);
  json["mode"] = {{"batch", summary.batch}, {"overlapped", summary.overlapped}};
  if (summary.warmup >= 0) json["mode"]["warmup"] = summary.warmup;
  if (summary.parts > 0) json["mode"]["shards"] = summary.parts;
  if (summary.run_per_second > 0) {
    json["run_images_per_second"] = {{"process", summary.run_per_second},
                                     {"together", summary.run_per_second_together}};
  }
  json["multiple_tests"] = {{"method", "Holm"}, {"tests", summary.pairs.size()}};
  if (summary.pipeline) json["pipeline"] = pipeline_json(*summary.pipeline);
  json["classes"] = nlohmann::json::array();
  for (const ClassAccuracy& of_class : summary.classes) {
    json["classes"].push_back({{"index", of_class.label},
                               {"label", result.header.labels.name(of_class.label)},
                               {"pictures", of_class.pictures},
                               {"correct", of_class.correct}});
  }
  for (const ModelSummary& model : summary.models) {
    json["models"].push_back(to_json(model, summary.pictures, summary.batch));
    if (model.model.published) json["models"].back()["published"] = to_json(*model.model.published);
  }
  for (const PairSummary& pair : summary.pairs) {
    json["pairs"].push_back(to_json(pair, result));
    json["pairs"].back()["verdict"] = verdict(summary, pair);
  }
  return json;
}

}  // namespace tessera
