#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "evaluation/inspect/sweep.h"

namespace tessera {

namespace {

constexpr int kWidth = 1000, kHeight = 640;
constexpr double kSmall = 13;

// Where latencies and throughputs lie. The scale of latency is logarithmic: a doubled batch is a step of one width.
class Frame {
 public:
  Frame(const std::vector<SweepResult>& results, double top) {
    double least = 1e300, most = 1e-300, throughput = 0;
    for (const SweepResult& r : results) {
      least = std::min(least, r.p50_ms);
      most = std::max(most, r.p90_ms);
      throughput = std::max(throughput, r.images_per_second);
    }
    constexpr double kMargin = 1.35, kHeadroom = 1.1;
    low_ = std::log10(least / kMargin);
    high_ = std::log10(most * kMargin);
    axis_ = axis_to(throughput * kHeadroom);
    area_ = {80, top, kWidth - 110.0, kHeight - top - 70};
  }
  double x(double ms) const { return area_.x + area_.width * (std::log10(ms) - low_) / (high_ - low_); }
  double y(double images) const { return area_.y + area_.height * (1 - images / axis_.top); }

  void draw(Canvas& canvas) const {
    for (int tick = 0; tick * axis_.step <= axis_.top * (1 + 1e-9); ++tick) {
      const double value = tick * axis_.step;
      canvas.line(area_.x, y(value), area_.x + area_.width, y(value), tick == 0 ? kBlack : kPale);
      canvas.text(area_.x - 8, y(value) + 5, fmt::format("{:.{}f}", value, axis_.decimals),
                  {.size = kSmall, .align = Align::kRight});
    }
    for (const double ms : ticks()) {
      canvas.line(x(ms), area_.y, x(ms), area_.y + area_.height, kPale);
      canvas.text(x(ms), area_.y + area_.height + 20, fmt::format("{:g}", ms),
                  {.size = kSmall, .align = Align::kCentre});
    }
    canvas.text(area_.x + area_.width / 2, kHeight - 24, "median latency of a batch [ms], logarithmic",
                {.align = Align::kCentre});
    canvas.text(16, area_.y - 14, "images per second", {});
  }

 private:
  // 1, 2 and 5 times powers of ten.
  std::vector<double> ticks() const {
    std::vector<double> all;
    for (int power = static_cast<int>(std::floor(low_)); power <= static_cast<int>(std::ceil(high_)); ++power) {
      for (const double mantissa : std::array{1.0, 2.0, 5.0}) {
        const double ms = mantissa * std::pow(10.0, power);
        if (std::log10(ms) >= low_ && std::log10(ms) <= high_) all.push_back(ms);
      }
    }
    return all;
  }

  double low_ = 0, high_ = 1;
  Axis axis_;
  Box area_;
};

void draw_line(Canvas& canvas, const Frame& frame, const std::vector<SweepResult>& results, const SweepLine& line,
               const Ink& ink) {
  const SweepResult* before = nullptr;
  for (const std::size_t i : line.results) {
    const SweepResult& r = results[i];
    const double x = frame.x(r.p50_ms), y = frame.y(r.images_per_second);
    if (before != nullptr) canvas.line(frame.x(before->p50_ms), frame.y(before->images_per_second), x, y, ink, 2);
    canvas.line(x, y, frame.x(r.p90_ms), y, ink, 1);
    before = &r;
  }
  for (const std::size_t i : line.results) {
    const SweepResult& r = results[i];
    const double half = i == line.knee && line.results.size() > 1 ? 8 : 4;
    const double x = frame.x(r.p50_ms), y = frame.y(r.images_per_second);
    canvas.fill({x - half, y - half, 2 * half, 2 * half}, ink);
    canvas.text(x, y - half - 5, std::to_string(r.batch), {.size = kSmall, .align = Align::kCentre});
  }
}

void draw_all(Canvas& canvas, const std::vector<SweepResult>& results) {
  const std::vector<SweepLine> lines = lines_of(results);
  canvas.text(kWidth / 2.0, 32, "Latency against throughput, by batch",
              {.size = 20, .align = Align::kCentre, .bold = true});
  canvas.text(kWidth / 2.0, 54,
              "numbers: the batch; large mark: the smallest batch with 95 % of the best throughput; thin line: to p90",
              {.size = kSmall, .align = Align::kCentre, .ink = kGrey});
  double y = 84;
  for (std::size_t l = 0; l < lines.size(); ++l, y += 20) {
    canvas.fill({84, y - 11, 13, 13}, ink_of(l));
    canvas.text(104, y, lines[l].name, {.size = 14}, kWidth - 130);
  }
  if (results.empty()) return;
  const Frame frame(results, y + 22);
  frame.draw(canvas);
  for (std::size_t l = 0; l < lines.size(); ++l) draw_line(canvas, frame, results, lines[l], ink_of(l));
}

}  // namespace

Drawing draw_sweep(const std::vector<SweepResult>& results) {
  return draw_twice(kWidth, kHeight, [&](Canvas& canvas) { draw_all(canvas, results); });
}

}  // namespace tessera
