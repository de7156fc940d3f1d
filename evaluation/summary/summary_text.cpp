#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "evaluation/ready/model_names.h"
#include "evaluation/summary/summary.h"

namespace tessera {

namespace {

constexpr std::size_t kLabelWidth = 34;
constexpr std::size_t kColumnWidth = 26;

// One table of the summary: a label and a figure for each model.
class Table {
 public:
  explicit Table(const ComparisonSummary& summary) : summary_(summary) {}

  void line(const std::string& text) { text_ += text + "\n"; }
  void rule() { line(std::string(80, '=')); }
  void header(const std::string& label, const std::string& unit) {
    text_ += fmt::format("{:<{}}", label, kLabelWidth);
    for (const std::string& name : column_names()) text_ += fmt::format(" | {:>{}}", name + unit, kColumnWidth);
    text_ += "\n";
  }
  template <class Figure>
  void row(const std::string& label, const Figure& figure, int decimals = 2) {
    text_ += fmt::format("{:<{}}", label, kLabelWidth);
    for (const ModelSummary& model : summary_.models) {
      text_ += fmt::format(" | {:>{}.{}f}", double{figure(model)}, kColumnWidth, decimals);
    }
    text_ += "\n";
  }
  void shared(const std::string& label, double value, const std::string& unit = "") {
    text_ += fmt::format("{:<{}} | {:>{}.2f}{}\n", label, kLabelWidth, value, kColumnWidth, unit);
  }
  std::string text() && { return std::move(text_); }

 private:
  // Their ends, which tell them apart; where they do not, with a number.
  std::vector<std::string> column_names() const {
    constexpr std::size_t kMost = 20;
    std::vector<NamedModel> ends;
    for (const ModelSummary& model : summary_.models) {
      const std::string& name = model.model.name;
      ends.push_back({name.size() <= kMost ? name : "..." + name.substr(name.size() - (kMost - 3)), ""});
    }
    return distinct_names(ends);
  }
  const ComparisonSummary& summary_;
  std::string text_;
};

double percent(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? 0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

void add_outliers(Table& table, const ComparisonSummary& s) {
  for (const ModelSummary& m : s.models) {
    if (const std::string sentence = outlier_sentence(s, m); !sentence.empty()) table.line("  " + sentence);
  }
}

std::string clock_of(const ComparisonSummary& s) {
  if (s.total_ms <= 0) return "as the table has them";
  if (s.warmup < 0) return "monotonic clock";
  if (s.warmup == 0) return "monotonic clock, no warm-up";
  return fmt::format("monotonic clock, warm-up of {} run{} excluded", s.warmup, s.warmup == 1 ? "" : "s");
}

void add_percentiles(Table& table, const ComparisonSummary& s) {
  if (s.batch > 1) {
    table.line(fmt::format("\n--- LATENCY [ms]: until a picture's whole batch, of up to {}, is done ---", s.batch));
  }
  const std::string what = s.batch == 1 ? "Inference" : "Inference of its batch";
  table.row(what + " (median)", [](const ModelSummary& m) { return m.batch_inference.median; });
  table.row(what + " (p90)", [](const ModelSummary& m) { return m.batch_inference.p90; });
  table.row(what + " (p99)", [](const ModelSummary& m) { return m.batch_inference.p99; });
  if (s.batch > 1) table.row("Preprocess to softmax (p90)", [](const ModelSummary& m) { return m.latency.p90; });
  add_outliers(table, s);
}

void add_throughput(Table& table, const ComparisonSummary& s) {
  table.line(fmt::format("\n--- THROUGHPUT [images/sec] ({}) ---",
                         s.overlapped ? "by mean times; in turn: as if nothing overlapped" : "preprocess + inference"));
  if (s.overlapped) table.row("Inference alone", [](const ModelSummary& m) { return m.inference_per_second; });
  const std::string in_turn = s.overlapped ? "Preprocess + inference, in turn" : "Images/second";
  table.row(in_turn, [](const ModelSummary& m) { return m.images_per_second; });
  const std::string decoding = s.overlapped ? "Decoding counted, in turn" : "Images/second, decoding counted";
  table.row(decoding, [](const ModelSummary& m) { return m.images_per_second_with_decoding; });
}

// Times of the whole run. A merged one has the sum of its shards' times.
void add_run(Table& table, const ComparisonSummary& s) {
  if (s.parts > 0) {
    table.line(fmt::format("\n--- THE RUN: {} SHARDS, their times added up ---", s.parts));
  }
  table.shared("Evaluation loop total", s.loop_ms);
  table.shared("Total run time", s.total_ms);
  table.shared("Total run time", s.total_ms / 1e3, " sec");
  const std::string all = s.models.size() == 1 ? "Images/second of the run" : "Images/second, all models";
  table.shared(s.parts == 0 ? all : all + ", by shard", s.run_per_second);
  if (s.parts > 0) table.shared("  if they ran beside each other", s.run_per_second_together);
}

void add_times(Table& table, const ComparisonSummary& s) {
  const bool ran = s.total_ms > 0;  // otherwise only the predictions are known
  table.line(fmt::format("TIMING COMPARISON ({}) - ALL TIMES IN MILLISECONDS", clock_of(s)));
  if (s.machines.size() > 1) {
    table.line(fmt::format("The times are of {} machines, and of none of them alone: {}", s.machines.size(),
                           fmt::join(s.machines, "; ")));
  }
  if (s.overlapped) {
    table.line("Pictures were prepared beside the models: these times overlap, and their sums are work, not duration.");
  }
  table.header("METRIC", " (ms)");
  if (ran) table.row("Model load time", [](const ModelSummary& m) { return m.model.load_ms; });
  table.line(fmt::format("\n--- TOTAL TIME ({} images) [ms] ---", s.pictures));
  table.row("Preprocessing (total)", [](const ModelSummary& m) { return m.preprocess.total; });
  table.row("Inference (total)", [](const ModelSummary& m) { return m.inference.total; });
  table.row("Preprocess + Inference (total)",
            [](const ModelSummary& m) { return m.preprocess.total + m.inference.total; });
  const std::string shares = s.batch == 1 ? "" : ", inference: a batch's time divided by its images";
  table.line("\n--- PER-IMAGE AVERAGE [ms]" + shares + " ---");
  table.row("Preprocessing (avg)", [](const ModelSummary& m) { return m.preprocess.mean; });
  table.row("Inference (avg)", [](const ModelSummary& m) { return m.inference.mean; });
  table.row("Preprocess + Inference (avg)", [](const ModelSummary& m) { return m.preprocess.mean + m.inference.mean; });
  add_percentiles(table, s);
  table.line("\n--- PER-IMAGE MIN [ms]" + shares + " ---");
  table.row("Preprocessing (min)", [](const ModelSummary& m) { return m.preprocess.min; });
  table.row("Inference (min)", [](const ModelSummary& m) { return m.inference.min; });
  table.line("\n--- PER-IMAGE MAX [ms]" + shares + " ---");
  table.row("Preprocessing (max)", [](const ModelSummary& m) { return m.preprocess.max; });
  table.row("Inference (max)", [](const ModelSummary& m) { return m.inference.max; });
  add_throughput(table, s);
  table.line("\n--- SHARED TIMING [ms] ---");
  table.shared("Image loading - total", s.load.total);
  table.shared("Image loading - avg", s.load.mean);
  if (!ran) return;
  add_run(table, s);
  if (s.pipeline) table.line("\n--- AGAINST THE MODELS ALONE ---\n" + pipeline_text(*s.pipeline));
}

// The name of a class, short enough for a line.
std::string short_label(const ComparisonResult& result, int index) {
  constexpr std::size_t kMost = 24;
  const std::string name = result.header.labels.name(index);
  return name.substr(0, std::min(name.find(','), kMost));
}

// Beside what was measured, where the models' names are those of published weights.
void add_published(Table& table, const ComparisonSummary& s) {
  for (const ModelSummary& model : s.models) {
    const auto& published = model.model.published;
    if (!published) continue;
    table.line(fmt::format("{:<40} | {:>7.2f} % | {:>7.2f} % | published for {} at {} (timm, whole validation set)",
                           model.model.name, published->top1, published->top5, published->weights,
                           published->image_size));
  }
}

void add_calibration(Table& table, const ComparisonSummary& s) {
  table.line("");
  table.header("CONFIDENCE", "");
  constexpr double kPercent = 100;
  constexpr int kDecimals = 4;
  table.row("Mean confidence (%)", [](const ModelSummary& m) { return m.confidence * kPercent; });
  table.row("Top-1 accuracy (%)", [&](const ModelSummary& m) { return percent(m.top1, s.pictures); });
  table.row(
      "Calibration error (15 bins)", [](const ModelSummary& m) { return m.calibration_error; }, kDecimals);
}

void add_statistics(Table& table, const ComparisonSummary& s, const PairSummary& pair, const ComparisonResult& result) {
  const auto share = [&](std::int64_t count) { return percent(count, s.pictures); };
  const std::int64_t different = s.pictures - pair.same;
  table.line("\n" + verdict(s, pair));
  table.line(fmt::format("McNemar: exact p = {:.4g} (chi2 with correction {:.3f}, p = {:.4g})", pair.test.p_exact,
                         pair.test.chi2_corrected, pair.test.p_corrected));
  if (s.pairs.size() > 1) {
    table.line(fmt::format("Adjusted for {} pairs (Holm): p = {:.4g}", s.pairs.size(), pair.p_adjusted));
  }
  table.line(fmt::format("Error consistency (kappa of being right): {:.4f}; Cohen's kappa of the predictions: {:.4f}",
                         pair.error_consistency, pair.cohen_kappa));
  table.line(fmt::format("The same wrong prediction: {} ({:.2f} %)", pair.same_wrong, share(pair.same_wrong)));
  const std::string agreeing = pair.same == 0 ? "They agree on no picture"
                                              : fmt::format("Where they agree, {:.2f} % are right",
                                                            percent(pair.same - pair.same_wrong, pair.same));
  table.line(fmt::format("{}; where they differ ({}), {:.2f} % and {:.2f} %", agreeing, different,
                         percent(pair.right_when_different[0], different),
                         percent(pair.right_when_different[1], different)));
  table.line(fmt::format("Either is right: {:.2f} %; believing the more confident one: {:.2f} %", share(pair.either()),
                         share(pair.more_confident)));
  if (std::isfinite(pair.time.interval.low)) {
    table.line(
        fmt::format("Inference takes the first {:.3f} times what it takes the second (95 % interval {:.3f} to {:.3f})",
                    pair.time.ratio, pair.time.interval.low, pair.time.interval.high));
  }
  constexpr std::size_t kShown = 5;
  constexpr double kPercent = 100;
  table.line("\n--- The most confident disagreements ---");
  for (std::size_t i = 0; i < std::min(kShown, pair.disagreements.size()); ++i) {
    const ComparisonRow& row = result.rows[pair.disagreements[i]];
    const Prediction &a = row.predictions[pair.first], &b = row.predictions[pair.second];
    const std::string_view who = a.top1_correct ? "the first" : b.top1_correct ? "the second" : "neither";
    table.line(fmt::format("  {}, GT={}: {} ({:.0f} %) against {} ({:.0f} %); {} is right", row.sample.name,
                           short_label(result, row.sample.label), short_label(result, a.index), a.confidence * kPercent,
                           short_label(result, b.index), b.confidence * kPercent, who));
  }
}

void add_pair(Table& table, const ComparisonSummary& s, const PairSummary& pair, const ComparisonResult& result) {
  const std::string& a = s.models[pair.first].model.name;
  const std::string& b = s.models[pair.second].model.name;
  const std::string agreement = "True agreement: the same prediction, right or wrong";
  const std::size_t width =
      std::max(agreement.size(), a.size() + b.size() + std::string_view(" correct,  wrong").size());
  const auto category = [&](const std::string& name, std::int64_t count) {
    table.line(fmt::format("{:<{}} | {:>7} | {:>6.2f} %", name, width, count, percent(count, s.pictures)));
  };
  table.line(fmt::format("\n{:<{}} | {:>7} | {:>8}", "Category", width, "Count", "Share"));
  category("Both models correct", pair.correct.both);
  category(fmt::format("{} correct, {} wrong", a, b), pair.correct.first_only);
  category(fmt::format("{} correct, {} wrong", b, a), pair.correct.second_only);
  category("Both models wrong", pair.correct.neither);
  category(agreement, pair.same);
  add_statistics(table, s, pair, result);
  const std::array<std::string, 3> titles{fmt::format("{} correct, {} wrong", a, b),
                                          fmt::format("{} correct, {} wrong", b, a), "Both wrong"};
  for (std::size_t kind = 0; kind < titles.size(); ++kind) {
    table.line(fmt::format("\n--- {} (up to 5 examples) ---", titles[kind]));
    for (const std::size_t index : pair.examples[kind]) {
      const ComparisonRow& row = result.rows[index];
      const auto label = [&](int of_class) { return result.header.labels.name(of_class); };
      table.line(fmt::format("  {}: GT={}, {}={}, {}={}", row.sample.name, label(row.sample.label), a,
                             label(row.predictions[pair.first].index), b, label(row.predictions[pair.second].index)));
    }
  }
}

}  // namespace

std::string summary_text(const ComparisonSummary& s, const ComparisonResult& result) {
  Table table(s);
  table.rule();
  table.line("COMPARISON SUMMARY");
  table.rule();
  if (s.interrupted) table.line("The run was interrupted: these are the pictures up to then.");
  if (!s.sample.all()) table.line("The pictures are a sample: " + to_text(s.sample) + ".");
  if (s.errors > 0) table.line(fmt::format("{} picture(s) ended in an error; they are in no figure.", s.errors));
  add_times(table, s);
  table.line("\n" + std::string(80, '='));
  table.line("ACCURACY");
  table.rule();
  table.line(fmt::format("{:<40} | {:>9} | {:>9} | {:>14} | {}", "Model", "Top-1 Acc", "Top-5 Acc", "Avg Inference",
                         "Top-1, 95 % interval"));
  constexpr double kPercent = 100;
  for (const ModelSummary& model : s.models) {
    table.line(fmt::format("{:<40} | {:>7.2f} % | {:>7.2f} % | {:>11.2f} ms | {:.2f} to {:.2f} %", model.model.name,
                           percent(model.top1, s.pictures), percent(model.top5, s.pictures), model.inference.mean,
                           model.top1_interval.low * kPercent, model.top1_interval.high * kPercent));
  }
  if (s.average_top1 >= 0) {
    table.line(fmt::format("{:<40} | {:>7.2f} % | {:>7.2f} %", "Mean of their probabilities",
                           percent(s.average_top1, s.pictures), percent(s.average_top5, s.pictures)));
  }
  add_published(table, s);
  add_calibration(table, s);
  for (const PairSummary& pair : s.pairs) add_pair(table, s, pair, result);
  return std::move(table).text();
}

std::string verdict(const ComparisonSummary& s, const PairSummary& pair) {
  constexpr double kPercent = 100, kSignificant = 0.05;
  const std::string& a = s.models[pair.first].model.name;
  const std::string& b = s.models[pair.second].model.name;
  const Difference& d = pair.difference;
  const std::string interval =
      fmt::format("95 % interval {:+.2f} to {:+.2f}", d.interval.low * kPercent, d.interval.high * kPercent);
  if (pair.p_adjusted >= kSignificant) {
    // Without these words the interval of this pair alone, which may leave out 0, would speak against the verdict.
    const std::string adjusted = pair.test.p_exact >= kSignificant
                                     ? ""
                                     : fmt::format("; p = {:.2g} of this pair alone, {:.2g} as one of {} (Holm)",
                                                   pair.test.p_exact, pair.p_adjusted, s.pairs.size());
    return fmt::format("{} and {} differ by {:+.2f} points of top-1 ({}): not distinguishable on {} pictures{}.", a, b,
                       d.difference * kPercent, interval, s.pictures, adjusted);
  }
  return fmt::format("{} is right more often than {}: by {:.2f} points of top-1 ({} for {} - {}).",
                     d.difference > 0 ? a : b, d.difference > 0 ? b : a, std::abs(d.difference) * kPercent, interval, a,
                     b);
}

std::string outlier_sentence(const ComparisonSummary& s, const ModelSummary& model) {
  constexpr double kTimes = 5;
  const TimeSummary& time = model.batch_inference;
  if (s.pictures <= s.batch || !(time.median > 0) || time.first < kTimes * time.median) return "";
  const std::string first = s.batch == 1 ? fmt::format("the first picture took {:.3g} ms", time.first)
                                         : fmt::format("the first picture's batch took {:.3g} ms", time.first);
  const std::string mean = s.batch == 1
                               ? fmt::format("; without it the mean is {:.2f} ms, not {:.2f} ms",
                                             (time.total - time.first) / static_cast<double>(s.pictures - 1), time.mean)
                               : "";
  const char* why = "";
  if (s.warmup == 0) why = " The run had no warm-up, which would have kept it out.";
  if (s.warmup > 0) why = " The warm-up did not keep it out.";
  return fmt::format("{}: {}, {:.0f} times the median{}.{}", model.model.name, first, time.first / time.median, mean,
                     why);
}

}  // namespace tessera
