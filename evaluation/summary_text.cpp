#include <fmt/format.h>

#include <algorithm>

#include "evaluation/summary.h"

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
    for (const ModelSummary& model : summary_.models) {
      text_ += fmt::format(" | {:>{}}", shortened(model.name) + unit, kColumnWidth);
    }
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
  static std::string shortened(const std::string& name) {
    constexpr std::size_t kMost = 20;
    return name.size() <= kMost ? name : "..." + name.substr(name.size() - (kMost - 3));
  }
  const ComparisonSummary& summary_;
  std::string text_;
};

void add_times(Table& table, const ComparisonSummary& s) {
  table.line("TIMING COMPARISON (monotonic clock, warm-up excluded) - ALL TIMES IN MILLISECONDS");
  table.header("METRIC", " (ms)");
  table.row("Model load time", [](const ModelSummary& m) { return m.load_ms; });
  table.line(fmt::format("\n--- TOTAL TIME ({} images) [ms] ---", s.pictures));
  table.row("Preprocessing (total)", [](const ModelSummary& m) { return m.preprocess.total; });
  table.row("Inference (total)", [](const ModelSummary& m) { return m.inference.total; });
  table.row("Preprocess + Inference (total)",
            [](const ModelSummary& m) { return m.preprocess.total + m.inference.total; });
  table.line("\n--- PER-IMAGE AVERAGE [ms] ---");
  table.row("Preprocessing (avg)", [](const ModelSummary& m) { return m.preprocess.mean; });
  table.row("Inference (avg)", [](const ModelSummary& m) { return m.inference.mean; });
  table.row("Preprocess + Inference (avg)", [](const ModelSummary& m) { return m.preprocess.mean + m.inference.mean; });
  table.row("Inference (median)", [](const ModelSummary& m) { return m.inference.median; });
  table.line("\n--- PER-IMAGE MIN [ms] ---");
  table.row("Preprocessing (min)", [](const ModelSummary& m) { return m.preprocess.min; });
  table.row("Inference (min)", [](const ModelSummary& m) { return m.inference.min; });
  table.line("\n--- PER-IMAGE MAX [ms] ---");
  table.row("Preprocessing (max)", [](const ModelSummary& m) { return m.preprocess.max; });
  table.row("Inference (max)", [](const ModelSummary& m) { return m.inference.max; });
  table.line("\n--- THROUGHPUT [images/sec] (preprocess + inference) ---");
  table.row("Images/second", [](const ModelSummary& m) { return m.images_per_second; });
  table.line("\n--- SHARED TIMING [ms] ---");
  table.shared("Image loading - total", s.load.total);
  table.shared("Image loading - avg", s.load.mean);
  table.shared("Evaluation loop total", s.loop_ms);
  table.shared("Total run time", s.total_ms);
  table.shared("Total run time", s.total_ms / 1e3, " sec");
}

double percent(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? 0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

void add_pair(Table& table, const ComparisonSummary& s, const PairSummary& pair, const ComparisonResult& result,
              const std::vector<std::unique_ptr<Classifier>>& models) {
  const std::string& a = s.models[pair.first].name;
  const std::string& b = s.models[pair.second].name;
  const std::string agreement = "True agreement: the same prediction, right or wrong";
  const std::size_t width =
      std::max(agreement.size(), a.size() + b.size() + std::string_view(" correct,  wrong").size());
  const auto category = [&](const std::string& name, std::int64_t count) {
    table.line(fmt::format("{:<{}} | {:>7} | {:>6.2f} %", name, width, count, percent(count, s.pictures)));
  };
  table.line(fmt::format("\n{:<{}} | {:>7} | {:>8}", "Category", width, "Count", "Share"));
  category("Both models correct", pair.both);
  category(fmt::format("{} correct, {} wrong", a, b), pair.first_only);
  category(fmt::format("{} correct, {} wrong", b, a), pair.second_only);
  category("Both models wrong", pair.neither);
  category(agreement, pair.same);
  const std::array<std::string, 3> titles{fmt::format("{} correct, {} wrong", a, b),
                                          fmt::format("{} correct, {} wrong", b, a), "Both wrong"};
  for (std::size_t kind = 0; kind < titles.size(); ++kind) {
    table.line(fmt::format("\n--- {} (up to 5 examples) ---", titles[kind]));
    for (const std::size_t index : pair.examples[kind]) {
      const ComparisonRow& row = result.rows[index];
      const LabelSet& labels_a = models[pair.first]->card().labels;
      const LabelSet& labels_b = models[pair.second]->card().labels;
      table.line(fmt::format("  {}: GT={}, {}={}, {}={}", row.sample.name, labels_a.name(row.sample.label), a,
                             labels_a.name(row.predictions[pair.first].index), b,
                             labels_b.name(row.predictions[pair.second].index)));
    }
  }
}

std::string quoted(const std::string& text) {
  if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"') result += '"';
    result += c;
  }
  return result + "\"";
}

}  // namespace

std::string summary_text(const ComparisonSummary& s, const ComparisonResult& result,
                         const std::vector<std::unique_ptr<Classifier>>& models) {
  Table table(s);
  table.rule();
  table.line("COMPARISON SUMMARY");
  table.rule();
  if (s.interrupted) table.line("The run was interrupted: these are the pictures up to then.");
  if (s.errors > 0) table.line(fmt::format("{} picture(s) could not be read; they are in no figure.", s.errors));
  add_times(table, s);
  table.line("\n" + std::string(80, '='));
  table.line("ACCURACY");
  table.rule();
  table.line(fmt::format("{:<40} | {:>9} | {:>9} | {:>14}", "Model", "Top-1 Acc", "Top-5 Acc", "Avg Inference"));
  for (const ModelSummary& model : s.models) {
    table.line(fmt::format("{:<40} | {:>7.2f} % | {:>7.2f} % | {:>11.2f} ms", model.name,
                           percent(model.top1, s.pictures), percent(model.top5, s.pictures), model.inference.mean));
  }
  for (const PairSummary& pair : s.pairs) add_pair(table, s, pair, result, models);
  return std::move(table).text();
}

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

std::string predictions_csv(const ComparisonResult& result, const std::vector<std::unique_ptr<Classifier>>& models) {
  std::string csv = "image,wnid,gt_idx,gt_label";
  for (const std::string& p : column_prefixes(models)) {
    csv += fmt::format(
        ",{0}_pred_idx,{0}_pred_label,{0}_top1_correct,{0}_top5_correct,{0}_conf,{0}_preprocess_ms,"
        "{0}_inference_ms",
        p);
  }
  csv += ",image_load_ms,error\n";
  for (const ComparisonRow& row : result.rows) {
    const LabelSet& labels = models.front()->card().labels;
    csv += fmt::format("{},{},{},{}", quoted(row.sample.name), quoted(row.sample.folder), row.sample.label,
                       quoted(labels.name(row.sample.label)));
    for (std::size_t m = 0; m < models.size(); ++m) {
      if (!row.error.empty()) {
        csv += ",,,,,,,";
        continue;
      }
      const Prediction& p = row.predictions[m];
      csv += fmt::format(",{},{},{},{},{},{},{}", p.index, quoted(models[m]->card().labels.name(p.index)),
                         p.top1_correct ? "True" : "False", p.top5_correct ? "True" : "False", p.confidence * 100,
                         p.preprocess_ms, p.inference_ms);
    }
    csv += fmt::format(",{},{}\n", row.load_ms, quoted(row.error));
  }
  return csv;
}

}  // namespace tessera
