#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <span>

#include "evaluation/inspect/inspection.h"

namespace tessera {

namespace {

constexpr double kMega = 1e6, kGiga = 1e9, kPercent = 100;

// "25,557,032"
std::string grouped(std::int64_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t from_end = 3; from_end < digits.size(); from_end += 4) digits.insert(digits.size() - from_end, ",");
  return digits;
}

std::string memory(std::size_t bytes) {
  constexpr double kKilo = 1e3, kSmallest = 1e5;
  const auto size = static_cast<double>(bytes);
  return size < kSmallest ? fmt::format("{:.1f} kB", size / kKilo) : fmt::format("{:.1f} MB", size / kMega);
}
std::string memory(std::int64_t bytes) { return memory(static_cast<std::size_t>(bytes)); }

std::string share(std::int64_t part, std::int64_t whole) {
  if (whole == 0) return "";
  return fmt::format("{:.1f} %", kPercent * static_cast<double>(part) / static_cast<double>(whole));
}

// Columns as wide as their widest cell, two spaces apart. Cells are ASCII.
class Table {
 public:
  enum class Side { kLeft, kRight };
  explicit Table(std::vector<std::pair<std::string, Side>> columns) : columns_(std::move(columns)) {
    for (const auto& [title, side] : columns_) widths_.push_back(title.size());
  }
  void row(std::vector<std::string> cells) {
    for (std::size_t c = 0; c < cells.size(); ++c) widths_[c] = std::max(widths_[c], cells[c].size());
    rows_.push_back(std::move(cells));
  }
  std::string text() const {
    std::vector<std::string> titles;
    std::size_t width = 0;
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      titles.push_back(columns_[c].first);
      width += widths_[c] + (c == 0 ? 0 : 2);
    }
    std::string text = line(titles) + std::string(width, '-') + "\n";
    for (const std::vector<std::string>& row : rows_) text += line(row);
    return text;
  }

 private:
  std::string line(const std::vector<std::string>& cells) const {
    std::string text;
    for (std::size_t c = 0; c < cells.size(); ++c) {
      if (c > 0) text += "  ";
      text += columns_[c].second == Side::kLeft ? fmt::format("{:<{}}", cells[c], widths_[c])
                                                : fmt::format("{:>{}}", cells[c], widths_[c]);
    }
    text.erase(text.find_last_not_of(' ') + 1);
    return text + "\n";
  }

  std::vector<std::pair<std::string, Side>> columns_;
  std::vector<std::size_t> widths_;
  std::vector<std::vector<std::string>> rows_;
};
constexpr Table::Side kLeft = Table::Side::kLeft, kRight = Table::Side::kRight;

std::vector<std::string> cost_cells(const Cost& cost) {
  return {cost.parameters == 0 ? "" : grouped(cost.parameters), cost.macs == 0 ? "" : grouped(cost.macs),
          memory(cost.activation_bytes())};
}

// A module that is shown open is a heading: what it costs stands at its layers, so that a column adds up to its total.
void add_rows(Table& table, const Graph& graph, const Module& module, int depth, bool origins) {
  const bool open = module.depth < depth && !module.children.empty();
  if (module.depth > 0) {
    const std::string indent(2 * static_cast<std::size_t>(module.depth - 1), ' ');
    std::vector<std::string> cells{indent + module.path, "", "", to_string(graph.shape(module.output)), "", "", ""};
    if (module.node != nullptr && (open || module.children.empty())) {
      cells[1] = layer_name(module.node->layer);
      cells[2] = layer_attributes(module.node->layer);
      cells[3] = to_string(graph.shape(module.node->output));
    } else {
      cells[2] = fmt::format("{} layer{}", module.layers, module.layers == 1 ? "" : "s");
    }
    if (!open || module.node != nullptr) {
      const std::vector<std::string> cost = cost_cells(open ? cost_of(graph, *module.node) : module.cost);
      std::ranges::copy(cost, cells.begin() + 4);
    }
    if (origins) {
      std::string text;
      if (module.node != nullptr && module.node->origin.size() > 1) {
        text = fmt::format("{}", fmt::join(module.node->origin, " + "));
      }
      cells.push_back(text);
    }
    table.row(std::move(cells));
  }
  if (!open && module.depth > 0) return;
  for (const Module& child : module.children) add_rows(table, graph, child, depth, origins);
}

std::string group_table(const std::string& title, const std::vector<Group>& groups, const Cost& sum) {
  Table table({{title, kLeft},
               {"Layers", kRight},
               {"Parameters", kRight},
               {"", kRight},
               {"MACs", kRight},
               {"", kRight},
               {"Activations", kRight},
               {"", kRight}});
  for (const Group& group : groups) {
    const Cost& cost = group.cost;
    table.row({group.name, std::to_string(group.layers), grouped(cost.parameters),
               share(cost.parameters, sum.parameters), grouped(cost.macs), share(cost.macs, sum.macs),
               memory(cost.activation_bytes()), share(cost.activations, sum.activations)});
  }
  return table.text();
}

// "layer1.0.bn2" -> "layer*.*.bn2": numbers in front of the last part tell stages and blocks apart.
std::string pattern_of(const std::string& path) {
  const std::size_t last = path.rfind('.') == std::string::npos ? 0 : path.rfind('.');
  std::string pattern;
  for (std::size_t i = 0; i < last; ++i) {
    const bool digit = path[i] >= '0' && path[i] <= '9';
    if (!digit) pattern += path[i];
    if (digit && !pattern.ends_with('*')) pattern += '*';
  }
  return pattern + path.substr(last);
}

std::string pass_text(const PassResult& pass) {
  std::string text =
      fmt::format("  {:<18} {:>4} -> {:>4} nodes  {}\n", pass.name, pass.nodes_before, pass.nodes_after, pass.what);
  std::map<std::string, std::size_t> counts;
  std::vector<std::string> order;
  for (const Fold& fold : pass.folds) {
    const std::string into = fold.into.empty() ? " removed" : " into " + pattern_of(fold.into);
    const std::string what = pattern_of(fold.layer) + into;
    if (++counts[what] == 1) order.push_back(what);
  }
  for (const std::string& what : order) text += fmt::format("      {:>3} x {}\n", counts[what], what);
  return text;
}

std::string heading(const Inspection& inspection) {
  const ModelCard& card = inspection.card;
  std::string text = fmt::format("{} ({}; {})\n", card.name, card.config.architecture,
                                 find_architecture(card.config.architecture).paper);
  text += fmt::format("Preprocessing: {}\n", describe(card.preprocess));
  if (!card.source.origin.empty()) text += fmt::format("Source: {} {}\n", card.source.origin, card.source.notes);
  return text;
}

std::string totals_text(const Inspection& inspection) {
  const Cost& sum = inspection.raw_cost;
  const MemoryPlan& plan = inspection.plan;
  const auto line = [](const char* name, const std::string& exact, const std::string& rounded, const char* what) {
    return fmt::format("{:<16} {:>16} {:>10}   {}\n", name, exact, rounded, what);
  };
  std::string text =
      line("Parameters", grouped(sum.parameters), fmt::format("{:.3f} M", static_cast<double>(sum.parameters) / kMega),
           "weights and biases; a batch norm's running mean and variance are not counted");
  text += line("MACs a picture", grouped(sum.macs), fmt::format("{:.2f} G", static_cast<double>(sum.macs) / kGiga),
               "multiply-adds of convolutions, linear layers and attention's two products");
  const std::int64_t with_norms = sum.macs + sum.norm_operations;
  text += line("  as fvcore", grouped(with_norms), fmt::format("{:.2f} G", static_cast<double>(with_norms) / kGiga),
               "those, and 5 a value of a layer norm, 2 of a batch norm, 1 of a global mean");
  text += fmt::format("{:<16} {:>16}\n", "Weights", memory(4 * sum.parameters));
  text += fmt::format("{:<16} {:>16}              in one arena, {} if each value had its own memory{}\n", "Activations",
                      memory(plan.arena_bytes), memory(plan.separate_bytes),
                      inspection.graph.batch() == 1 ? "" : fmt::format(" (batch {})", inspection.graph.batch()));
  return text;
}

}  // namespace

std::string inspection_text(const Inspection& inspection, int depth) {
  const Graph& graph = inspection.graph;
  const bool origins = inspection.state != "raw";
  std::vector<std::pair<std::string, Table::Side>> columns{
      {"Path", kLeft},        {"Layer", kLeft}, {"Attributes", kLeft},  {"Output", kLeft},
      {"Parameters", kRight}, {"MACs", kRight}, {"Activations", kRight}};
  if (origins) columns.emplace_back("Computes", kLeft);
  Table table(std::move(columns));
  add_rows(table, graph, module_tree(graph), depth, origins);
  std::string text = heading(inspection) + "\n";
  if (!inspection.passes.empty()) text += "Passes, in the order in which they run:\n";
  for (const PassResult& pass : inspection.passes) text += pass_text(pass);
  if (!inspection.passes.empty()) text += "\n";
  const Cost sum = totals(graph);
  text += table.text() + "\n" + group_table("Stage", by_stage(graph), sum) + "\n" +
          group_table("Layer type", by_type(graph), sum) + "\n" + totals_text(inspection);
  return text;
}

std::string comparison_text(const std::vector<Inspection>& inspections) {
  std::vector<std::pair<std::string, Table::Side>> columns{{"", kLeft}};
  for (const Inspection& inspection : inspections) columns.emplace_back(inspection.card.name, kRight);
  Table table(columns);
  const auto row = [&](const std::string& name, const auto& cell) {
    std::vector<std::string> cells{name};
    for (const Inspection& inspection : inspections) cells.push_back(cell(inspection));
    table.row(std::move(cells));
  };
  row("Architecture", [](const Inspection& i) { return i.card.config.architecture; });
  row("Picture", [](const Inspection& i) { return to_string(i.graph.shape(i.graph.input_id())); });
  row("Layers", [](const Inspection& i) { return std::to_string(i.raw_layers); });
  row("Nodes, " + inspections.front().state,
      [](const Inspection& i) { return std::to_string(i.graph.nodes().size()); });
  row("Parameters", [](const Inspection& i) { return grouped(i.raw_cost.parameters); });
  row("MACs a picture", [](const Inspection& i) { return grouped(i.raw_cost.macs); });
  row("  as fvcore", [](const Inspection& i) { return grouped(i.raw_cost.macs + i.raw_cost.norm_operations); });
  row("MACs a parameter", [](const Inspection& i) {
    return fmt::format("{:.1f}", static_cast<double>(i.raw_cost.macs) / static_cast<double>(i.raw_cost.parameters));
  });
  row("Weights", [](const Inspection& i) { return memory(4 * i.raw_cost.parameters); });
  row("Activations", [](const Inspection& i) { return memory(i.plan.arena_bytes); });
  row("  each by itself", [](const Inspection& i) { return memory(i.plan.separate_bytes); });

  std::vector<std::vector<Group>> groups;
  std::vector<std::string> types;
  for (const Inspection& inspection : inspections) {
    groups.push_back(by_type(inspection.graph));
    for (const Group& group : groups.back()) {
      if (std::ranges::find(types, group.name) == types.end()) types.push_back(group.name);
    }
  }
  columns.front().first = "Layers (MACs) by type";
  Table by_types(columns);
  for (const std::string& type : types) {
    std::vector<std::string> cells{type};
    for (const std::vector<Group>& of_model : groups) {
      const auto found = std::ranges::find(of_model, type, &Group::name);
      cells.push_back(found == of_model.end() ? "-" : fmt::format("{} ({})", found->layers, grouped(found->cost.macs)));
    }
    by_types.row(std::move(cells));
  }
  return table.text() + "\n" + by_types.text();
}

}  // namespace tessera
