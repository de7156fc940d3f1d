#pragma once
// Models of the same classes, whose lists of them may differ in order: one list for all of them.

#include <span>
#include <string>
#include <vector>

#include "vision/labels.h"

namespace tessera {

// The classes of a model, in the order of its outputs.
struct ClassList {
  std::string model;  // for messages
  LabelSet labels;    // none: classes without names
  int classes = 0;
};

struct CommonClasses {
  LabelSet labels;  // of the first model that has names
  int classes = 0;
  // By model, the common class of each of its outputs; empty where that is the output's own number.
  std::vector<std::vector<int>> places;
  std::vector<std::string> notes;  // that lists were mapped, or taken on trust
};

// Maps by name: the same name, or names of the same ImageNet class. Lists that are equal may hold a name twice. Throws
// UsageError for lists of different length or names, with the first differences of both.
CommonClasses common_classes(std::span<const ClassList> lists);

}  // namespace tessera
