#include "evaluation/report/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "evaluation/report/distributions.h"
#include "evaluation/report/gallery.h"
#include "evaluation/report/thumbnails.h"
#include "pages/assets.h"
#include "pages/page.h"

namespace tessera {

namespace {

// A page of two models and 50,000 pictures is then some 3 MB, most of it thumbnails of 5 kB.
constexpr std::size_t kThumbnails = 240;
constexpr std::size_t kLeastOfAKind = 4;
constexpr std::size_t kErrorsShown = 50;

void name_class(nlohmann::json& labels, const ComparisonResult& result, int index) {
  const std::string key = std::to_string(index);
  if (!labels.contains(key)) labels[key] = result.header.labels.name(index);
}

nlohmann::json prediction_json(const Prediction& prediction) {
  nlohmann::json best = nlohmann::json::array();
  for (const ClassProbability& of_class : prediction.best) best.push_back({of_class.index, of_class.probability});
  return {{"index", prediction.index},
          {"confidence", prediction.confidence},
          {"right", prediction.top1_correct},
          {"best", best}};
}

nlohmann::json picture_json(const ComparisonRow& row, const std::string& thumbnail) {
  nlohmann::json predictions = nlohmann::json::array();
  for (const Prediction& prediction : row.predictions) predictions.push_back(prediction_json(prediction));
  nlohmann::json json{{"name", row.sample.name},
                      {"folder", row.sample.folder},
                      {"label", row.sample.label},
                      {"predictions", predictions}};
  if (!thumbnail.empty()) json["thumbnail"] = thumbnail;
  return json;
}

nlohmann::json group_json(const GalleryGroup& group, const std::map<std::size_t, std::size_t>& place) {
  nlohmann::json kinds = nlohmann::json::array();
  for (std::size_t kind = 0; kind < group.rows.size(); ++kind) {
    nlohmann::json shown = nlohmann::json::array();
    for (const std::size_t row : group.rows[kind]) shown.push_back(place.at(row));
    kinds.push_back({{"found", group.found[kind]}, {"shown", shown}});
  }
  return {{"first", group.first}, {"second", group.second}, {"kinds", kinds}};
}

nlohmann::json gallery_json(const ComparisonResult& result, const std::vector<Sample>& pictures, std::size_t pairs,
                            nlohmann::json& labels) {
  constexpr std::size_t kKinds = 3;
  const std::size_t most = std::max(kLeastOfAKind, kThumbnails / (kKinds * std::max<std::size_t>(pairs, 1)));
  const Gallery gallery = choose_gallery(result, most);
  const Thumbnails thumbnails(pictures);
  std::map<std::size_t, std::size_t> place;
  nlohmann::json list = nlohmann::json::array(), groups = nlohmann::json::array();
  for (const std::size_t index : gallery.rows) {
    const ComparisonRow& row = result.rows[index];
    place.emplace(index, place.size());
    list.push_back(picture_json(row, place.size() <= kThumbnails ? thumbnails.uri(row.sample) : ""));
    name_class(labels, result, row.sample.label);
    for (const Prediction& prediction : row.predictions) {
      name_class(labels, result, prediction.index);
      for (const ClassProbability& of_class : prediction.best) name_class(labels, result, of_class.index);
    }
  }
  for (const GalleryGroup& group : gallery.groups) groups.push_back(group_json(group, place));
  return {{"pictures", list}, {"groups", groups}, {"of_a_kind", most}, {"thumbnails", kThumbnails}};
}

nlohmann::json errors_json(const ComparisonResult& result) {
  nlohmann::json errors = nlohmann::json::array();
  for (const ComparisonRow& row : result.rows) {
    if (row.error.empty()) continue;
    errors.push_back({{"image", row.sample.name}, {"folder", row.sample.folder}, {"error", row.error}});
    if (errors.size() == kErrorsShown) break;
  }
  return errors;
}

double percent(std::int64_t part, std::int64_t whole) {
  constexpr double kPercent = 100;
  return whole == 0 ? 0 : kPercent * static_cast<double>(part) / static_cast<double>(whole);
}

// Every pair for up to three models; of more, the best with each other one.
std::vector<const PairSummary*> told_pairs(const ComparisonSummary& s) {
  constexpr std::size_t kAll = 3;
  const auto best = std::ranges::max_element(s.models, {}, &ModelSummary::top1) - s.models.begin();
  std::vector<const PairSummary*> pairs;
  for (const PairSummary& pair : s.pairs) {
    const auto has = [&](std::size_t model) { return model == static_cast<std::size_t>(best); };
    if (s.models.size() <= kAll || has(pair.first) || has(pair.second)) pairs.push_back(&pair);
  }
  return pairs;
}

std::string speed_sentence(const ComparisonSummary& s, const PairSummary& pair) {
  const ModelSummary &a = s.models[pair.first], &b = s.models[pair.second];
  const double first = a.batch_inference.median, second = b.batch_inference.median;
  if (!(first > 0 && second > 0)) return "";
  const ModelSummary &slow = first >= second ? a : b, &fast = first >= second ? b : a;
  return fmt::format("The median {} takes {} {:.3g} ms and {} {:.3g} ms of inference, {:.2f} times as long.",
                     s.batch == 1 ? "picture" : fmt::format("picture's batch of up to {}", s.batch), fast.model.name,
                     std::min(first, second), slow.model.name, std::max(first, second),
                     std::max(first, second) / std::min(first, second));
}

std::string calibration_sentence(const ModelSummary& model, std::int64_t pictures) {
  constexpr double kPercent = 100, kClose = 1;
  const double confidence = model.confidence * kPercent, accuracy = percent(model.top1, pictures);
  const char* const said = confidence > accuracy + kClose   ? "more sure than it is right"
                           : confidence < accuracy - kClose ? "less sure than it is right"
                                                            : "about as sure as it is right";
  return fmt::format("{} is {}: mean confidence {:.1f} %, accuracy {:.1f} %.", model.model.name, said, confidence,
                     accuracy);
}

std::string title_of(const ComparisonResult& result) {
  const std::string& first = result.header.models.front().name;
  switch (result.header.models.size()) {
    case 1:
      return first;
    case 2:
      return first + " and " + result.header.models.back().name + " compared";
    default:
      return fmt::format("{} models compared", result.header.models.size());
  }
}

}  // namespace

std::vector<std::string> summary_sentences(const ComparisonSummary& s) {
  std::vector<std::string> words;
  const auto say = [&](std::string sentence) {
    if (!sentence.empty()) words.push_back(std::move(sentence));
  };
  if (!s.sample.all()) say("The pictures are a sample: " + to_text(s.sample) + ".");
  if (s.interrupted) say("The run was interrupted: these are the pictures up to then.");
  if (s.errors > 0) {
    say(fmt::format("{} picture{} ended in an error and {} in no figure.", s.errors, s.errors == 1 ? "" : "s",
                    s.errors == 1 ? "is" : "are"));
  }
  if (s.pictures == 0) {
    say("No picture has predictions: there is nothing to compare.");
    return words;
  }
  for (const PairSummary* pair : told_pairs(s)) {
    say(verdict(s, *pair));
    say(fmt::format(
        "{} and {} give the same answer for {:.1f} % of the pictures (true agreement); both are right for "
        "{:.1f} %, at least one for {:.1f} %.",
        s.models[pair->first].model.name, s.models[pair->second].model.name, percent(pair->same, s.pictures),
        percent(pair->correct.both, s.pictures), percent(pair->either(), s.pictures)));
    say(speed_sentence(s, *pair));
  }
  if (s.models.size() == 1) {
    constexpr double kPercent = 100;
    const ModelSummary& model = s.models.front();
    say(fmt::format("{} names {:.2f} % of {} pictures right (95 % interval {:.2f} to {:.2f} %).", model.model.name,
                    percent(model.top1, s.pictures), s.pictures, model.top1_interval.low * kPercent,
                    model.top1_interval.high * kPercent));
  }
  for (const ModelSummary& model : s.models) {
    say(calibration_sentence(model, s.pictures));
    say(outlier_sentence(s, model));
  }
  return words;
}

nlohmann::json report_json(const ComparisonResult& result, const ComparisonSummary& summary,
                           const ReportContext& context) {
  nlohmann::json labels = nlohmann::json::object();
  nlohmann::json json{{"summary", summary_json(summary, result)},
                      {"words", summary_sentences(summary)},
                      {"times", time_distributions(result)},
                      {"counts", class_counts(result, summary)},
                      {"gallery", gallery_json(result, context.pictures, summary.pairs.size(), labels)},
                      {"advice", advice_json(summary, context.advice)},
                      {"budget", context.budget},
                      {"errors", errors_json(result)},
                      {"run", context.run}};
  json["labels"] = std::move(labels);
  return json;
}

std::string report_page(const ComparisonResult& result, const ComparisonSummary& summary,
                        const ReportContext& context) {
  return make_page({.title = title_of(result),
                    .data = report_json(result, summary, context),
                    .css = assets::report_css,
                    .js = assets::report_js});
}

}  // namespace tessera
