#include "evaluation/inspect/profile_formats.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/csv.h"
#include "pages/assets.h"
#include "pages/page.h"

namespace tessera {

namespace {

using Json = nlohmann::json;

Json clocks_json(const std::optional<DeviceClocks>& clocks) {
  if (!clocks) return nullptr;
  return {{"device", clocks->device},
          {"hardware", clocks->hardware},
          {"finished_us", clocks->finished_us},
          {"device_us", clocks->device_us},
          {"enqueued_us", clocks->enqueued_us}};
}

Json to_json(const Spread& spread) { return {{"min", spread.min}, {"median", spread.median}, {"p99", spread.p99}}; }

// Nothing where there is no roof to hold against.
Json under_roof(const ProfileLine& line, double value) { return line.roof_us > 0 ? Json(value) : Json(nullptr); }

std::string bound_of(const ProfileLine& line) {
  return line.roof_us <= 0 ? "" : line.memory_bound ? "memory" : "compute";
}

Json amounts_json(const ProfileLine& line) {
  return {{"macs", line.macs},
          {"bytes", line.bytes},
          {"min_us", line.us.min},
          {"median_us", line.us.median},
          {"p99_us", line.us.p99},
          {"share", line.share},
          {"gflops", line.gflops},
          {"gbs", line.gbs},
          {"flop_per_byte", line.intensity},
          {"roofline_us", under_roof(line, line.roof_us)},
          {"of_roofline", under_roof(line, line.of_roof)},
          {"bound", bound_of(line)}};
}

Json node_json(const ProfileLine& line) {
  Json json{{"path", line.name},     {"layer", line.layer}, {"kernel", line.kernel}, {"computes", line.computes},
            {"output", line.output}, {"stage", line.stage}, {"block", line.block}};
  json.update(amounts_json(line));
  return json;
}

Json groups_json(const ModelProfile& profile, GroupBy by) {
  Json groups = Json::array();
  for (const ProfileLine& line : lines_of(profile, by)) {
    Json json{{"name", line.name}, {"nodes", line.nodes}};
    if (!line.stage.empty()) json["stage"] = line.stage;
    json.update(amounts_json(line));
    groups.push_back(std::move(json));
  }
  return groups;
}

// The names of `others` put into `names`, each after what it follows.
void merge_names(std::vector<std::string>& names, const std::vector<ProfileLine>& others) {
  std::size_t place = 0;
  for (const ProfileLine& line : others) {
    const auto found = std::ranges::find(names, line.name);
    if (found != names.end()) {
      place = static_cast<std::size_t>(found - names.begin()) + 1;
    } else {
      names.insert(names.begin() + static_cast<std::ptrdiff_t>(place++), line.name);
    }
  }
}

}  // namespace

std::string title_of(const ModelProfile& profile) {
  return fmt::format("{}, {}, {} thread{}, batch {}", profile.model, profile.dtype, profile.threads,
                     profile.threads == 1 ? "" : "s", profile.batch);
}

std::vector<ComparedLine> compare_lines(std::span<const ModelProfile> profiles, GroupBy by) {
  std::vector<std::vector<ProfileLine>> all;
  std::vector<std::string> names;
  for (const ModelProfile& profile : profiles) merge_names(names, all.emplace_back(lines_of(profile, by)));
  std::vector<ComparedLine> compared;
  for (const std::string& name : names) {
    ComparedLine& line = compared.emplace_back(ComparedLine{.name = name, .lines = {}});
    for (const std::vector<ProfileLine>& lines : all) {
      const auto found = std::ranges::find(lines, name, &ProfileLine::name);
      line.lines.push_back(found == lines.end() ? std::nullopt : std::optional(*found));
    }
  }
  return compared;
}

Json to_json(const ModelProfile& profile) {
  Json layers = Json::array();
  for (const ProfileLine& line : profile.nodes) layers.push_back(node_json(line));
  return {{"model", profile.model},
          {"device", profile.device},
          {"dtype", profile.dtype},
          {"threads", profile.threads},
          {"batch", profile.batch},
          {"runs", profile.runs},
          {"roofline",
           {{"isa", profile.roof.isa},
            {"threads", profile.roof.threads},
            {"gflops", profile.roof.gflops},
            {"read_gbs", profile.roof.read_gbs}}},
          {"clocks", clocks_json(profile.clocks)},
          {"run_us", to_json(profile.run_us)},
          {"unwatched_run_us", to_json(profile.unwatched_us)},
          {"sum_of_medians_us", profile.sum_of_medians_us},
          {"gap_us", profile.gap_us},
          {"cost_of_watching", profile.watching},
          {"layers", layers},
          {"types", groups_json(profile, GroupBy::kType)},
          {"stages", groups_json(profile, GroupBy::kStage)},
          {"blocks", groups_json(profile, GroupBy::kBlock)}};
}

Json comparison_json(std::span<const ModelProfile> profiles, GroupBy by) {
  Json all = Json::array(), lines = Json::array();
  for (const ModelProfile& profile : profiles) all.push_back(to_json(profile));
  for (const ComparedLine& compared : compare_lines(profiles, by)) {
    Json medians = Json::array(), ratios = Json::array();
    for (const std::optional<ProfileLine>& line : compared.lines) {
      medians.push_back(line ? Json(line->us.median) : Json(nullptr));
      const bool both = line && compared.lines.front() && compared.lines.front()->us.median > 0;
      ratios.push_back(both ? Json(line->us.median / compared.lines.front()->us.median) : Json(nullptr));
    }
    lines.push_back({{"name", compared.name}, {"median_us", medians}, {"ratio", ratios}});
  }
  return {{"profiles", all}, {"comparison", {{"by", to_string(by)}, {"lines", lines}}}};
}

std::string profile_csv(std::span<const ModelProfile> profiles, GroupBy by) {
  std::string csv =
      "model,device,dtype,threads,batch,by,name,layer,kernel,output,stage,block,nodes,macs,bytes,min_us,median_us,"
      "p99_us,share,gflops,gbs,flop_per_byte,roofline_us,of_roofline,bound\n";
  for (const ModelProfile& profile : profiles) {
    for (const ProfileLine& line : lines_of(profile, by)) {
      csv += fmt::format("{},{},{},{},{},{},", csv_field(profile.model), csv_field(profile.device), profile.dtype,
                         profile.threads, profile.batch, to_string(by));
      csv += fmt::format("{},{},{},{},{},{},{},", csv_field(line.name), line.layer, csv_field(line.kernel),
                         csv_field(line.output), csv_field(line.stage), csv_field(line.block), line.nodes);
      csv += fmt::format("{},{},{:.3f},{:.3f},{:.3f},{:.6f},{:.4g},{:.4g},{:.4g},", line.macs, line.bytes, line.us.min,
                         line.us.median, line.us.p99, line.share, line.gflops, line.gbs, line.intensity);
      csv += line.roof_us > 0 ? fmt::format("{:.3f},{:.4f},{}\n", line.roof_us, line.of_roof, bound_of(line)) : ",,\n";
    }
  }
  return csv;
}

std::string profile_page(std::span<const ModelProfile> profiles) {
  Json data = comparison_json(profiles, GroupBy::kStage);
  std::string title = "Profile of ";
  for (std::size_t i = 0; i < profiles.size(); ++i) {
    data["profiles"][i]["title"] = title_of(profiles[i]);
    const auto same = std::ranges::find(profiles, profiles[i].model, &ModelProfile::model);
    if (&*same == &profiles[i]) title += (i == 0 ? "" : " and ") + profiles[i].model;
  }
  return make_page({.title = title, .data = data, .css = assets::profile_css, .js = assets::profile_js});
}

}  // namespace tessera
