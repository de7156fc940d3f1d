#include "evaluation/report/panels.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "core/quantile.h"
#include "evaluation/draw/canvas.h"
#include "evaluation/ready/model_names.h"

namespace tessera {

namespace {

constexpr int kWidth = 1600, kHeight = 1000;
constexpr double kPercent = 100, kSmall = 13;

// As short as tells the models apart.
std::string short_name(const ComparisonSummary& s, std::size_t model) {
  std::vector<std::string> names;
  for (const ModelSummary& of_model : s.models) names.push_back(of_model.model.name);
  return short_names(names)[model];
}

double share(std::int64_t count, std::int64_t pictures) {
  return pictures > 0 ? kPercent * static_cast<double>(count) / static_cast<double>(pictures) : 0;
}

// A panel's frame: a title, and an axis from 0 with its lines; values become heights in it.
class Plot {
 public:
  Plot(Canvas& canvas, const Box& panel, const std::string& title, double most)
      : canvas_(canvas), axis_(axis_to(most)) {
    constexpr double kLeft = 70, kRight = 15, kTop = 45, kBottom = 45;
    area_ = {panel.x + kLeft, panel.y + kTop, panel.width - kLeft - kRight, panel.height - kTop - kBottom};
    canvas_.text(panel.x + panel.width / 2, panel.y + 22, title, {.size = 17, .align = Align::kCentre, .bold = true});
    for (int tick = 0; tick * axis_.step <= axis_.top * (1 + 1e-9); ++tick) {
      const double value = tick * axis_.step;
      canvas_.line(area_.x, y(value), area_.x + area_.width, y(value), tick == 0 ? kBlack : kPale);
      canvas_.text(area_.x - 8, y(value) + 5, fmt::format("{:.{}f}", value, axis_.decimals),
                   {.size = kSmall, .align = Align::kRight});
    }
  }
  double y(double value) const { return area_.y + area_.height * (1 - value / axis_.top); }
  const Box& area() const { return area_; }
  // The place of one of `count` things beside each other.
  Box slot(std::size_t index, std::size_t count) const {
    const double width = area_.width / static_cast<double>(count);
    return {area_.x + width * static_cast<double>(index), area_.y, width, area_.height};
  }
  void bar(double left, double width, double value, const Ink& ink) {
    canvas_.fill({left, y(value), width, y(0) - y(value)}, ink);
  }
  void below(const Box& slot, const std::string& text) {
    canvas_.text(slot.x + slot.width / 2, area_.y + area_.height + 20, text, {.size = kSmall, .align = Align::kCentre},
                 slot.width - 6);
  }
  void above(double x, double value, const std::string& text, double most) {
    canvas_.text(x, y(value) - 6, text, {.size = kSmall, .align = Align::kCentre}, most);
  }

 private:
  Canvas& canvas_;
  Axis axis_;
  Box area_;
};

void say_instead(Canvas& canvas, const Box& panel, const std::string& title, const std::string& reason) {
  canvas.text(panel.x + panel.width / 2, panel.y + 22, title, {.size = 17, .align = Align::kCentre, .bold = true});
  canvas.text(panel.x + panel.width / 2, panel.y + panel.height / 2, reason, {.align = Align::kCentre, .ink = kGrey},
              panel.width);
}

// One bar a model; `mark` (if it is above 0) is a line across the bar.
struct Bar {
  double value = 0, mark = 0;
};
void draw_bars(Canvas& canvas, const Box& panel, const std::string& title, const ComparisonSummary& s,
               const std::vector<Bar>& bars) {
  double most = 0;
  for (const Bar& bar : bars) most = std::max({most, bar.value, bar.mark});
  constexpr double kHeadroom = 1.08;
  Plot plot(canvas, panel, title, most * kHeadroom);
  for (std::size_t m = 0; m < bars.size(); ++m) {
    const Box slot = plot.slot(m, bars.size());
    const double width = std::min(slot.width * 0.6, 110.0), left = slot.x + (slot.width - width) / 2;
    plot.bar(left, width, bars[m].value, ink_of(m));
    if (bars[m].mark > 0)
      canvas.line(left - 6, plot.y(bars[m].mark), left + width + 6, plot.y(bars[m].mark), kBlack, 3);
    plot.above(left + width / 2, std::max(bars[m].value, bars[m].mark), fmt::format("{:.2f}", bars[m].value),
               slot.width);
    plot.below(slot, short_name(s, m));
  }
}

void draw_load(Canvas& canvas, const Box& panel, const ComparisonSummary& s) {
  const std::string title = "Model load time [ms]";
  std::vector<Bar> bars;
  for (const ModelSummary& model : s.models) bars.push_back({.value = model.model.load_ms});
  const bool known = std::ranges::any_of(bars, [](const Bar& bar) { return bar.value > 0; });
  if (!known) return say_instead(canvas, panel, title, "not known: only predictions were read");
  draw_bars(canvas, panel, title, s, bars);
}

void draw_inference(Canvas& canvas, const Box& panel, const ComparisonSummary& s) {
  std::vector<Bar> bars;
  for (const ModelSummary& model : s.models) {
    bars.push_back({.value = model.inference.mean, .mark = s.batch == 1 ? model.inference.median : 0});
  }
  draw_bars(canvas, panel,
            s.batch == 1 ? "Inference per image [ms], mean (line: median)"
                         : fmt::format("Inference [ms], mean of a batch (up to {}) / its images", s.batch),
            s, bars);
}

// Two bars a group; the second paler.
void draw_throughput(Canvas& canvas, const Box& panel, const ComparisonSummary& s) {
  double most = 0;
  for (const ModelSummary& model : s.models) most = std::max(most, throughput_of(s, model));
  Plot plot(canvas, panel,
            s.overlapped ? "Images per second of inference (narrow: all in turn)"
                         : "Images per second (narrow: decoding counted)",
            most * 1.08);
  for (std::size_t m = 0; m < s.models.size(); ++m) {
    const ModelSummary& model = s.models[m];
    const Box slot = plot.slot(m, s.models.size());
    const double width = std::min(slot.width * 0.3, 80.0), middle = slot.x + slot.width / 2;
    const double wide = throughput_of(s, model);
    plot.bar(middle - width, width, wide, ink_of(m));
    plot.bar(middle + 4, width * 0.6, model.images_per_second_with_decoding, ink_of(m));
    plot.above(middle - width / 2, wide, fmt::format("{:.1f}", wide), width * 1.4);
    plot.above(middle + 4 + width * 0.3, model.images_per_second_with_decoding,
               fmt::format("{:.1f}", model.images_per_second_with_decoding), width * 1.2);
    plot.below(slot, short_name(s, m));
  }
}

void draw_accuracy(Canvas& canvas, const Box& panel, const ComparisonSummary& s) {
  Plot plot(canvas, panel, "Top-1 and top-5 accuracy [%], 95 % intervals", kPercent);
  for (std::size_t group = 0; group < 2; ++group) {
    const Box slot = plot.slot(group, 2);
    plot.below(slot, group == 0 ? "top-1" : "top-5");
    const double width = slot.width * 0.85 / static_cast<double>(std::max<std::size_t>(s.models.size(), 1));
    for (std::size_t m = 0; m < s.models.size(); ++m) {
      const ModelSummary& model = s.models[m];
      const double value = share(group == 0 ? model.top1 : model.top5, s.pictures);
      const Interval& interval = group == 0 ? model.top1_interval : model.top5_interval;
      const double left = slot.x + slot.width * 0.075 + width * static_cast<double>(m), middle = left + width * 0.45;
      plot.bar(left, width * 0.9, value, ink_of(m));
      for (const double end : {interval.low, interval.high}) {
        canvas.line(middle - 6, plot.y(end * kPercent), middle + 6, plot.y(end * kPercent), kBlack, 2);
      }
      canvas.line(middle, plot.y(interval.low * kPercent), middle, plot.y(interval.high * kPercent), kBlack, 2);
      canvas.text(middle, plot.y(0) - 8, fmt::format("{:.1f}", value),
                  {.size = kSmall, .align = Align::kCentre, .bold = true, .ink = value > 8 ? kWhite : kBlack}, width);
    }
  }
}

struct Part {
  std::string name;
  std::int64_t count = 0;
  Ink ink;
};

// A bar of parts from the left, each with its share where there is room for it.
void draw_parts(Canvas& canvas, const Box& box, const std::vector<Part>& parts, std::int64_t pictures) {
  double x = box.x;
  for (const Part& part : parts) {
    const double width = pictures > 0 ? box.width * static_cast<double>(part.count) / static_cast<double>(pictures) : 0;
    canvas.fill({x, box.y, width, box.height}, part.ink);
    const std::string text = fmt::format("{:.1f} %", share(part.count, pictures));
    constexpr double kRoom = 8;
    if (canvas.width_of(text, {.size = kSmall}) + kRoom < width) {
      canvas.text(x + width / 2, box.y + box.height / 2 + 5, text,
                  {.size = kSmall, .align = Align::kCentre, .bold = true, .ink = kWhite});
    }
    x += width;
  }
}

void draw_legend(Canvas& canvas, double x, double y, double width, const std::vector<Part>& parts,
                 std::int64_t pictures) {
  for (const Part& part : parts) {
    canvas.fill({x, y - 11, 13, 13}, part.ink);
    canvas.text(x + 20, y, fmt::format("{}: {} ({:.1f} %)", part.name, part.count, share(part.count, pictures)),
                {.size = kSmall}, width - 20);
    y += 19;
  }
}

void draw_pair(Canvas& canvas, const Box& box, const ComparisonSummary& s, const PairSummary& pair, bool legend) {
  const std::string a = short_name(s, pair.first), b = short_name(s, pair.second);
  const std::vector<Part> right{{"both right", pair.correct.both, {0.0, 0.45, 0.33}},
                                {"only " + a, pair.correct.first_only, ink_of(pair.first)},
                                {"only " + b, pair.correct.second_only, ink_of(pair.second)},
                                {"both wrong", pair.correct.neither, kGrey}};
  const std::vector<Part> same{{"same prediction, right or wrong (true agreement)", pair.same, {0.2, 0.2, 0.2}}};
  canvas.text(box.x, box.y + 12, "Who is right" + (legend ? std::string() : ": " + a + ", " + b), {.size = kSmall},
              box.width);
  const double height = std::min(48.0, (box.height - 40) / 2);
  draw_parts(canvas, {box.x, box.y + 18, box.width, height}, right, s.pictures);
  const double below = box.y + 18 + height + 5;
  canvas.fill({box.x, below, box.width, height / 2}, kPale);
  draw_parts(canvas, {box.x, below, box.width, height / 2}, same, s.pictures);
  if (!legend) return;
  const double y = below + height / 2 + 26;
  draw_legend(canvas, box.x, y, box.width, right, s.pictures);
  draw_legend(canvas, box.x, y + 19 * 4.5, box.width, same, s.pictures);
}

void draw_agreement(Canvas& canvas, const Box& panel, const ComparisonSummary& s) {
  const std::string title = "Agreement";
  if (s.pairs.empty()) return say_instead(canvas, panel, title, "needs two models");
  canvas.text(panel.x + panel.width / 2, panel.y + 22, title, {.size = 17, .align = Align::kCentre, .bold = true});
  constexpr std::size_t kMost = 4;
  const std::size_t shown = std::min(kMost, s.pairs.size());
  const double height = (panel.height - 60) / static_cast<double>(shown);
  for (std::size_t i = 0; i < shown; ++i) {
    const double y = panel.y + 40 + height * static_cast<double>(i);
    draw_pair(canvas, {panel.x + 30, y, panel.width - 50, height}, s, s.pairs[i], shown == 1);
  }
  if (shown < s.pairs.size()) {
    canvas.text(panel.x + panel.width / 2, panel.y + panel.height - 4,
                fmt::format("{} more pairs are in summary.json", s.pairs.size() - shown),
                {.size = kSmall, .align = Align::kCentre, .ink = kGrey});
  }
}

void draw_box(Canvas& canvas, const Plot& plot, const Box& slot, const TimeBox& box, const Ink& ink) {
  const double width = std::min(slot.width * 0.45, 90.0), middle = slot.x + slot.width / 2, left = middle - width / 2;
  canvas.line(middle, plot.y(box.low), middle, plot.y(box.high), kBlack, 1.5);
  for (const double end : {box.low, box.high}) {
    canvas.line(middle - width / 4, plot.y(end), middle + width / 4, plot.y(end), kBlack, 1.5);
  }
  const double top = plot.y(box.three_quarters);
  canvas.fill({left, top, width, std::max(plot.y(box.quarter) - top, 2.0)}, ink);
  canvas.line(left, plot.y(box.median), left + width, plot.y(box.median), kBlack, 2.5);
}

void draw_boxes(Canvas& canvas, const Box& panel, const ComparisonSummary& s, const std::vector<TimeBox>& boxes) {
  double most = 0;
  for (const TimeBox& box : boxes) most = std::max(most, box.high);
  Plot plot(canvas, panel,
            s.batch == 1 ? "Inference time [ms]: quartiles, whiskers 1 % to 99 %"
                         : fmt::format("Inference of a batch (up to {}) [ms]: quartiles, 1 % to 99 %", s.batch),
            most * 1.12);
  for (std::size_t m = 0; m < boxes.size(); ++m) {
    const Box slot = plot.slot(m, boxes.size());
    draw_box(canvas, plot, slot, boxes[m], ink_of(m));
    plot.above(slot.x + slot.width / 2, boxes[m].high,
               fmt::format("{} above, up to {:.1f}", boxes[m].beyond, boxes[m].largest), slot.width);
    plot.below(slot, short_name(s, m));
  }
}

void draw_all(Canvas& canvas, const ComparisonSummary& s, const std::vector<TimeBox>& boxes) {
  constexpr double kTop = 80, kMargin = 20;
  const std::string title = fmt::format("{} pictures, {} model{}{}", s.pictures, s.models.size(),
                                        s.models.size() == 1 ? "" : "s", s.interrupted ? " (interrupted)" : "");
  canvas.text(kWidth / 2.0, 34, title, {.size = 24, .align = Align::kCentre, .bold = true});
  if (!s.pairs.empty() && s.pictures > 0) {
    canvas.text(kWidth / 2.0, 62, verdict(s, s.pairs.front()), {.size = 16, .align = Align::kCentre},
                kWidth - 2 * kMargin);
  }
  const double width = (kWidth - 2 * kMargin) / 3.0, height = (kHeight - kTop - kMargin) / 2.0;
  const auto panel = [&](int column, int row) {
    return Box{kMargin + width * column, kTop + height * row, width, height};
  };
  draw_load(canvas, panel(0, 0), s);
  draw_inference(canvas, panel(1, 0), s);
  draw_throughput(canvas, panel(2, 0), s);
  draw_accuracy(canvas, panel(0, 1), s);
  draw_agreement(canvas, panel(1, 1), s);
  draw_boxes(canvas, panel(2, 1), s, boxes);
}

}  // namespace

std::vector<TimeBox> time_boxes(const ComparisonResult& result) {
  std::vector<TimeBox> boxes(result.header.models.size());
  for (std::size_t m = 0; m < boxes.size(); ++m) {
    std::vector<double> times;
    for (const ComparisonRow& row : result.rows) {
      if (row.error.empty()) times.push_back(batch_inference_ms(row, m));
    }
    if (times.empty()) continue;
    std::ranges::sort(times);
    TimeBox& box = boxes[m];
    box = {.low = quantile(times, 0.01),
           .quarter = quantile(times, 0.25),
           .median = quantile(times, 0.5),
           .three_quarters = quantile(times, 0.75),
           .high = quantile(times, 0.99)};
    box.beyond = static_cast<std::size_t>(times.end() - std::ranges::upper_bound(times, box.high));
    box.largest = times.back();
  }
  return boxes;
}

Panels draw_panels(const ComparisonSummary& summary, const ComparisonResult& result) {
  const std::vector<TimeBox> boxes = time_boxes(result);
  Drawing drawing = draw_twice(kWidth, kHeight, [&](Canvas& canvas) { draw_all(canvas, summary, boxes); });
  return {.png = std::move(drawing.png), .svg = std::move(drawing.svg)};
}

}  // namespace tessera
