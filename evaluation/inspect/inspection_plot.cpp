#include "evaluation/inspect/inspection_plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <numeric>

namespace tessera {

namespace {

constexpr double kMega = 1e6, kMargin = 20, kSmall = 12;

// ---------------------------------------------------------------- stages

struct Quantity {
  const char* title;
  double (*value)(const Cost&);  // in millions
};
constexpr std::array<Quantity, 3> kQuantities{{
    {"parameters [M]", [](const Cost& cost) { return static_cast<double>(cost.parameters) / kMega; }},
    {"multiply-adds [M]", [](const Cost& cost) { return static_cast<double>(cost.macs) / kMega; }},
    {"activations [MB]", [](const Cost& cost) { return static_cast<double>(cost.activation_bytes()) / kMega; }},
}};

constexpr double kRow = 20, kName = 110, kTitle = 56;

std::string three_figures(double value) { return fmt::format("{:.{}f}", value, value < 10 ? 2 : value < 100 ? 1 : 0); }

// `most`: the largest value of each quantity in all models, so that bars of different models can be held together.
void draw_model(Canvas& canvas, const Box& box, const Inspection& inspection,
                const std::array<double, kQuantities.size()>& most, const Ink& ink) {
  const std::vector<Group> stages = by_stage(inspection.graph);
  canvas.text(box.x, box.y + 20, inspection.card.name, {.size = 16, .bold = true}, box.width);
  const double width = (box.width - kName) / static_cast<double>(kQuantities.size());
  constexpr double kNumber = 64;  // behind the longest bar
  for (std::size_t q = 0; q < kQuantities.size(); ++q) {
    canvas.text(box.x + kName + width * static_cast<double>(q), box.y + 44, kQuantities[q].title,
                {.size = kSmall, .ink = kGrey});
  }
  for (std::size_t s = 0; s < stages.size(); ++s) {
    const double y = box.y + kTitle + kRow * static_cast<double>(s);
    canvas.text(box.x, y + 14, stages[s].name, {.size = kSmall}, kName - 8);
    for (std::size_t q = 0; q < kQuantities.size(); ++q) {
      const double value = kQuantities[q].value(stages[s].cost);
      const double left = box.x + kName + width * static_cast<double>(q);
      const double length = most[q] > 0 ? (width - kNumber) * value / most[q] : 0;
      canvas.fill({left, y + 3, std::max(length, 0.5), kRow - 6}, ink);
      if (value > 0) canvas.text(left + length + 5, y + 14, three_figures(value), {.size = 11});
    }
  }
}

// ---------------------------------------------------------------- maps

// Rows and columns of the places of a stage's output, and the values before the first of them.
struct Grid {
  std::int64_t height = 0, width = 0, skip = 0;
};
Grid grid_of(const Shape& shape) {
  if (shape.rank() == 4) return {shape[1], shape[2], 0};
  if (shape.rank() != 3) return {};
  const auto side = static_cast<std::int64_t>(std::sqrt(static_cast<double>(shape[1])));
  return {side, side, shape[1] - side * side};
}

Image map_of(ConstView value, const Grid& grid, std::int64_t channel) {
  const std::int64_t channels = value.shape()[-1];
  const float* first = value.data() + grid.skip * channels + channel;
  const std::int64_t places = grid.height * grid.width;
  float least = *first, most = *first;
  for (std::int64_t i = 0; i < places; ++i) {
    least = std::min(least, first[i * channels]);
    most = std::max(most, first[i * channels]);
  }
  const float range = most > least ? most - least : 1;
  Image image{.width = static_cast<int>(grid.width), .height = static_cast<int>(grid.height), .pixels = {}};
  constexpr float kWhiteByte = 255;
  for (std::int64_t i = 0; i < places; ++i) {
    const auto grey = static_cast<std::uint8_t>(std::lround((first[i * channels] - least) / range * kWhiteByte));
    image.pixels.insert(image.pixels.end(), 3, grey);
  }
  return image;
}

// Standard deviation of each channel over the places.
std::vector<double> deviations(ConstView value, const Grid& grid) {
  const std::int64_t channels = value.shape()[-1], places = grid.height * grid.width;
  std::vector<double> sums(static_cast<std::size_t>(channels)), squares(sums.size());
  const float* at = value.data() + grid.skip * channels;
  for (std::int64_t i = 0; i < places; ++i) {
    for (std::size_t c = 0; c < sums.size(); ++c, ++at) {
      sums[c] += double{*at};
      squares[c] += double{*at} * double{*at};
    }
  }
  for (std::size_t c = 0; c < sums.size(); ++c) {
    const double mean = sums[c] / static_cast<double>(places);
    squares[c] = std::sqrt(std::max(0.0, squares[c] / static_cast<double>(places) - mean * mean));
  }
  return squares;
}

constexpr double kTile = 104, kTileGap = 8, kMapRow = kTile + 34, kPicture = 224;

}  // namespace

Drawing draw_stages(const std::vector<Inspection>& inspections) {
  constexpr double kWidth = 900;
  std::vector<double> heights;
  std::array<double, kQuantities.size()> most{};
  for (const Inspection& inspection : inspections) {
    for (const Group& stage : by_stage(inspection.graph)) {
      for (std::size_t q = 0; q < most.size(); ++q) most[q] = std::max(most[q], kQuantities[q].value(stage.cost));
    }
    heights.push_back(kTitle + kRow * static_cast<double>(by_stage(inspection.graph).size()) + kMargin);
  }
  const double height = 2 * kMargin + std::accumulate(heights.begin(), heights.end(), 0.0);
  return draw_twice(static_cast<int>(kWidth), static_cast<int>(height), [&](Canvas& canvas) {
    double y = kMargin;
    for (std::size_t m = 0; m < inspections.size(); y += heights[m], ++m) {
      draw_model(canvas, {kMargin, y, kWidth - 2 * kMargin, heights[m]}, inspections[m], most, ink_of(m));
    }
  });
}

std::vector<std::string> stages_with_maps(const Graph& graph, std::size_t most) {
  std::map<std::string, ValueId> last;  // what a stage gives
  for (const Node& node : graph.nodes()) last[stage_of(node.path)] = node.output;
  std::vector<std::string> found;
  for (const Group& stage : by_stage(graph)) {
    const auto name = graph.names().find(stage.name);
    if (name == graph.names().end() || name->second != last.at(stage.name) || stage.layers < 2) continue;
    if (grid_of(graph.shape(name->second)).width > 1) found.push_back(stage.name);
  }
  // The first and the last, and equally many between.
  std::vector<std::string> kept;
  const std::size_t count = std::min(most, found.size());
  for (std::size_t i = 0; i < count; ++i) {
    kept.push_back(found[count == 1 ? 0 : i * (found.size() - 1) / (count - 1)]);
  }
  return kept;
}

std::vector<StageMaps> maps_of(const Session& session, const std::vector<std::string>& stages, std::size_t channels) {
  std::vector<StageMaps> all;
  for (const std::string& stage : stages) {
    const Tensor value = session.tap(stage);
    const Grid grid = grid_of(value.shape());
    const std::vector<double> spread = deviations(value.view(), grid);
    std::vector<std::size_t> order(spread.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::stable_sort(order, std::greater{}, [&](std::size_t c) { return spread[c]; });
    order.resize(std::min(channels, order.size()));
    StageMaps maps{.name = stage, .shape = value.shape(), .maps = {}};
    for (const std::size_t c : order) maps.maps.push_back(map_of(value.view(), grid, static_cast<std::int64_t>(c)));
    all.push_back(std::move(maps));
  }
  return all;
}

Image picture_of(ConstView input, const Preprocess& preprocess) {
  Image image{.width = static_cast<int>(input.shape()[2]), .height = static_cast<int>(input.shape()[1]), .pixels = {}};
  constexpr float kWhiteByte = 255;
  std::size_t channel = 0;
  for (const float value : input.values()) {
    const float part = std::clamp(value * preprocess.std[channel] + preprocess.mean[channel], 0.0F, 1.0F);
    image.pixels.push_back(static_cast<std::uint8_t>(std::lround(part * kWhiteByte)));
    channel = (channel + 1) % 3;
  }
  return image;
}

Drawing draw_maps(const std::string& title, const Image& picture, const std::vector<StageMaps>& stages) {
  std::size_t columns = 2;
  for (const StageMaps& stage : stages) columns = std::max(columns, stage.maps.size());
  const double width = 2 * kMargin + static_cast<double>(columns) * (kTile + kTileGap);
  const double top = 44 + kPicture + kMargin;
  const double height = top + kMapRow * static_cast<double>(stages.size()) + kMargin;
  return draw_twice(static_cast<int>(width), static_cast<int>(height), [&](Canvas& canvas) {
    canvas.text(kMargin, 28, title, {.size = 17, .bold = true}, width - 2 * kMargin);
    canvas.picture({kMargin, 44, kPicture, kPicture}, picture);
    canvas.text(kMargin + kPicture + 16, 60, "the picture as the model takes it", {.size = 14},
                width - kPicture - 3 * kMargin);
    canvas.text(kMargin + kPicture + 16, 82, fmt::format("{} x {} x 3", picture.height, picture.width),
                {.size = 14, .ink = kGrey});
    for (std::size_t s = 0; s < stages.size(); ++s) {
      const double y = top + kMapRow * static_cast<double>(s);
      canvas.text(kMargin, y + 14,
                  fmt::format("{} {}: the {} channels that differ the most over the picture", stages[s].name,
                              to_string(stages[s].shape), stages[s].maps.size()),
                  {.size = 14}, width - 2 * kMargin);
      for (std::size_t c = 0; c < stages[s].maps.size(); ++c) {
        canvas.picture({kMargin + static_cast<double>(c) * (kTile + kTileGap), y + 22, kTile, kTile},
                       stages[s].maps[c]);
      }
    }
  });
}

}  // namespace tessera
