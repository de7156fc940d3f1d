#include "evaluation/compare/result.h"

#include <algorithm>

#include "evaluation/ready/environment.h"
#include "evaluation/ready/model_names.h"

namespace tessera {

namespace {

// Pictures of the data set that belong to a shard.
std::size_t pictures_of(const RunHeader& header) {
  const std::int64_t count = header.shard.count;
  return static_cast<std::size_t>((header.pictures - (header.shard.index - 1) + count - 1) / count);
}

// Logs of earlier versions have names as the cards have them.
void tell_apart(std::vector<ComparedModel>& models) {
  std::vector<NamedModel> named;
  for (const ComparedModel& model : models) named.push_back({model.name, ""});
  const std::vector<std::string> names = distinct_names(named);
  for (std::size_t m = 0; m < names.size(); ++m) models[m].name = names[m];
}

}  // namespace

void complete(ComparisonResult& result) {
  tell_apart(result.header.models);
  result.interrupted = result.rows.size() < pictures_of(result.header);
  const nlohmann::json& settings = result.header.settings;
  if (!settings.is_object()) return;
  result.sample = picture_sample_from_json(settings.value("sample", nlohmann::json()));
  const auto mode = settings.find("mode"), warmup = settings.find("warmup");
  result.overlapped = mode != settings.end() && *mode == "throughput";
  if (warmup != settings.end() && warmup->is_number_integer()) result.warmup = warmup->get<int>();
}

nlohmann::json to_json(const std::vector<RunSitting>& sittings) {
  nlohmann::json json = nlohmann::json::array();
  for (const RunSitting& sitting : sittings) {
    json.push_back(
        {{"environments", sitting.environments}, {"pictures", sitting.pictures}, {"loop_ms", sitting.loop_ms}});
  }
  return json;
}

std::vector<std::string> machines_of(const std::vector<RunSitting>& sittings) {
  std::vector<std::string> machines;
  for (const RunSitting& sitting : sittings) {
    if (sitting.pictures == 0 || !sitting.environments.is_array()) continue;
    for (const nlohmann::json& environment : sitting.environments) {
      const std::string machine = machine_of(environment);
      if (!machine.empty() && std::ranges::find(machines, machine) == machines.end()) machines.push_back(machine);
    }
  }
  return machines;
}

double latency_ms(const ComparisonRow& row, std::size_t model) {
  const Prediction& p = row.predictions[model];
  const double batch_ms =
      p.batch_ms > 0 ? p.batch_ms : (p.inference_ms + p.postprocess_ms) * static_cast<double>(row.batch);
  return p.preprocess_ms + batch_ms;
}

double batch_inference_ms(const ComparisonRow& row, std::size_t model) {
  return row.predictions[model].inference_ms * static_cast<double>(row.batch);
}

void set_best(Prediction& prediction, std::vector<ClassProbability> best, int label) {
  prediction.best = std::move(best);
  prediction.index = prediction.best.front().index;
  prediction.confidence = prediction.best.front().probability;
  prediction.top1_correct = prediction.index == label;
  prediction.top5_correct =
      std::ranges::find(prediction.best, label, &ClassProbability::index) != prediction.best.end();
}

}  // namespace tessera
