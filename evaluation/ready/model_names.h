#pragma once
// Names that tell models apart, for every text, table, figure and page.

#include <span>
#include <string>
#include <vector>

namespace tessera {

struct NamedModel {
  std::string name;    // as its card has it
  std::string source;  // as the user named it: a file, an installed name; "" where that is not known
  bool operator==(const NamedModel&) const = default;
};

// A name that one model has stays. Where several have it (a model and its quantised twin), each is followed by the name
// of its file, "resnet50 (resnet50-int8)"; where that is the same as well, by its place among the models,
// "resnet50 #2". All that is returned differs.
std::vector<std::string> distinct_names(std::span<const NamedModel> models);

// The same where one model may stand several times, in other settings: by name and source it is one.
std::vector<std::string> names_of_settings(std::span<const NamedModel> models);

// "resnet50.a1_in1k" of "timm/resnet50.a1_in1k", where that still tells all of them apart; otherwise the names.
std::vector<std::string> short_names(const std::vector<std::string>& names);

}  // namespace tessera
