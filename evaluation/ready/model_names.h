#pragma once
// Gives models distinct names, for every text, table, figure and page.

#include <span>
#include <string>
#include <vector>

namespace tessera {

struct NamedModel {
  std::string name;    // from its card
  std::string source;  // the name that the user gave: a file, an installed name; "" where it is not known
  bool operator==(const NamedModel&) const = default;
};

// A name that only one model has stays. Where several have it (a model and its quantised twin), the name of the file is
// added, "resnet50 (resnet50-int8)"; where that is the same as well, the place among the models, "resnet50 #2". All
// returned names differ.
std::vector<std::string> distinct_names(std::span<const NamedModel> models);

// The same for lists in which one model may stand several times, with other settings: equal name and source are one
// model.
std::vector<std::string> names_of_settings(std::span<const NamedModel> models);

// "resnet50.a1_in1k" for "timm/resnet50.a1_in1k", where the short names are still distinct; otherwise the names.
std::vector<std::string> short_names(const std::vector<std::string>& names);

}  // namespace tessera
