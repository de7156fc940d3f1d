#include "evaluation/summary/advice.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "core/error.h"

namespace tessera {

namespace {

constexpr double kKilo = 1e3, kMega = 1e6, kGiga = 1e9, kKibi = 1024, kPercent = 100;

using Units = std::vector<std::pair<std::string_view, double>>;

// What a budget may name: the field and the units, the first of which is meant where none is given.
struct Limit {
  std::string_view name;
  std::optional<double> Budget::*field;
  Units units;
};

const std::vector<Limit>& limits() {
  static const std::vector<Limit> kLimits{
      {"latency", &Budget::latency_ms, {{"ms", 1}, {"us", 1 / kKilo}, {"s", kKilo}}},
      {"throughput", &Budget::images_per_second, {{"", 1}}},
      {"memory",
       &Budget::memory_bytes,
       {{"B", 1},
        {"kB", kKilo},
        {"MB", kMega},
        {"GB", kGiga},
        {"KiB", kKibi},
        {"MiB", kKibi * kKibi},
        {"GiB", kKibi * kKibi * kKibi}}},
      {"parameters", &Budget::parameters, {{"", 1}, {"K", kKilo}, {"M", kMega}, {"G", kGiga}}},
      {"accuracy", &Budget::accuracy, {{"", 1}, {"%", 1 / kPercent}}}};
  return kLimits;
}

[[noreturn]] void refuse(std::string_view part, const std::string& expected) {
  throw UsageError(fmt::format("--budget: '{}': expected {}", part, expected));
}

double quantity(std::string_view part, std::string_view text, const Units& units) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  const auto known = std::ranges::find(units, unit.empty() ? units.front().first : unit, &Units::value_type::first);
  std::string names;
  for (const auto& [name, factor] : units) names += (names.empty() ? "" : ", ") + std::string(name);
  if (error != std::errc() || known == units.end() || !(value > 0)) {
    refuse(part, names.empty() ? "a positive number" : "a positive number with a unit of: " + names);
  }
  return value * known->second;
}

double accuracy_of(const ComparisonSummary& summary, const ModelSummary& model) {
  return summary.pictures == 0 ? 0 : static_cast<double>(model.top1) / static_cast<double>(summary.pictures);
}

// What a model costs or gives, each so that less is better.
using Respects = std::array<double, 4>;
Respects respects_of(const ComparisonSummary& summary, const ModelSummary& model) {
  return {-accuracy_of(summary, model), model.latency.p90, static_cast<double>(model.model.memory_bytes),
          static_cast<double>(model.model.parameters)};
}

bool dominates(const Respects& a, const Respects& b, const std::array<bool, 4>& known) {
  bool better = false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!known[i]) continue;
    if (a[i] > b[i]) return false;
    better = better || a[i] < b[i];
  }
  return better;
}

std::array<bool, 4> known_respects(const std::vector<Respects>& all) {
  std::array<bool, 4> known{true, true, true, true};
  for (const Respects& of_model : all) {
    for (std::size_t i = 1; i < known.size(); ++i) known[i] = known[i] && of_model[i] > 0;
  }
  return known;
}

// Compares with most (or least) where that is asked for.
class Misses {
 public:
  void most(std::string_view name, double value, std::optional<double> limit, double unit, std::string_view suffix) {
    if (!limit) return;
    if (value <= 0) {
      texts.push_back(fmt::format("{} is not known", name));
    } else if (value > *limit) {
      texts.push_back(fmt::format("{} {:.4g}{} > {:.4g}{}", name, value / unit, suffix, *limit / unit, suffix));
    }
  }
  void least(std::string_view name, double value, std::optional<double> limit, double unit, std::string_view suffix) {
    if (!limit || value >= *limit) return;
    texts.push_back(fmt::format("{} {:.4g}{} < {:.4g}{}", name, value / unit, suffix, *limit / unit, suffix));
  }
  std::vector<std::string> texts;
};

std::vector<std::string> misses_of(const ComparisonSummary& summary, const ModelSummary& model, const Budget& budget) {
  Misses misses;
  misses.least("top-1", accuracy_of(summary, model), budget.accuracy, 1 / kPercent, " %");
  const std::string latency = summary.batch == 1 ? "latency" : fmt::format("latency of a batch of {}", summary.batch);
  misses.most(latency, model.latency.p90, budget.latency_ms, 1, " ms");
  misses.least("throughput", throughput_of(summary, model), budget.images_per_second, 1, " images/s");
  misses.most("memory", static_cast<double>(model.model.memory_bytes), budget.memory_bytes, kMega, " MB");
  misses.most("parameters", static_cast<double>(model.model.parameters), budget.parameters, kMega, " M");
  return std::move(misses.texts);
}

std::string joined(const std::vector<std::string>& texts) { return fmt::format("{}", fmt::join(texts, "; ")); }

// "-" for what is not known.
std::string cell(double value, double unit) { return value > 0 ? fmt::format("{:.1f}", value / unit) : "-"; }

}  // namespace

Budget budget_from_string(const std::string& text) {
  Budget budget;
  std::string_view left = text;
  while (!left.empty()) {
    const std::string_view part = left.substr(0, left.find(','));
    left.remove_prefix(std::min(part.size() + 1, left.size()));
    const std::size_t equals = part.find('=');
    const auto limit = std::ranges::find(limits(), part.substr(0, equals), &Limit::name);
    if (limit == limits().end() || equals == std::string_view::npos) {
      refuse(part, "latency=, throughput=, memory=, parameters= or accuracy=");
    }
    if (budget.*limit->field) refuse(part, "each limit once");
    budget.*limit->field = quantity(part, part.substr(equals + 1), limit->units);
  }
  if (budget.accuracy && *budget.accuracy > 1) refuse(text, "an accuracy up to 1 or 100%");
  return budget;
}

std::vector<ModelAdvice> advise(const ComparisonSummary& summary, const Budget& budget) {
  std::vector<Respects> respects;
  for (const ModelSummary& model : summary.models) respects.push_back(respects_of(summary, model));
  const std::array<bool, 4> known = known_respects(respects);
  std::vector<ModelAdvice> advice;
  for (std::size_t m = 0; m < summary.models.size(); ++m) {
    const bool beaten =
        std::ranges::any_of(respects, [&](const Respects& other) { return dominates(other, respects[m], known); });
    advice.push_back({.on_front = !beaten, .misses = misses_of(summary, summary.models[m], budget)});
  }
  return advice;
}

std::string advice_text(const ComparisonSummary& summary, const std::vector<ModelAdvice>& advice) {
  std::string text = fmt::format("\n{:<40} | {:>7} | {:>8} | {:>8} | {:>9} | {:>8} | {:>6} | {}\n", "Model", "Top-1 %",
                                 "p90 ms", "images/s", "Memory MB", "Param. M", "Pareto", "Budget");
  for (std::size_t m = 0; m < advice.size(); ++m) {
    const ModelSummary& model = summary.models[m];
    text += fmt::format("{:<40} | {:>7.2f} | {:>8.2f} | {:>8.1f} | {:>9} | {:>8} | {:>6} | {}\n", model.model.name,
                        accuracy_of(summary, model) * kPercent, model.latency.p90, throughput_of(summary, model),
                        cell(static_cast<double>(model.model.memory_bytes), kMega),
                        cell(static_cast<double>(model.model.parameters), kMega), advice[m].on_front ? "yes" : "no",
                        advice[m].misses.empty() ? "met" : joined(advice[m].misses));
  }
  text += fmt::format(
      "p90 ms: preprocessing{}, inference and softmax{}; images/s: {}. Neither counts reading and decoding.\n",
      summary.batch == 1 ? "" : " of a picture",
      summary.batch == 1 ? " of a picture"
                         : fmt::format(" of its whole batch of up to {}, once that is full", summary.batch),
      summary.overlapped ? "inference alone, the pictures being prepared beside it"
                         : "preprocessing and inference, one after the other");
  const auto met = [](const ModelAdvice& of_model) { return of_model.misses.empty(); };
  if (std::ranges::none_of(advice, met)) text += "None of the models meets the budget.\n";
  return text;
}

nlohmann::json advice_json(const ComparisonSummary& summary, const std::vector<ModelAdvice>& advice) {
  nlohmann::json json = nlohmann::json::array();
  for (std::size_t m = 0; m < advice.size(); ++m) {
    json.push_back({{"model", summary.models[m].model.name},
                    {"pareto", advice[m].on_front},
                    {"meets_budget", advice[m].misses.empty()},
                    {"misses", advice[m].misses}});
  }
  return json;
}

}  // namespace tessera
