#pragma once
// One list of classes for models of the same classes, whose own lists may differ in order.

#include <span>
#include <string>
#include <vector>

#include "vision/labels.h"

namespace tessera {

// The classes of a model, in the order of its outputs.
struct ClassList {
  std::string model;  // for messages
  LabelSet labels;    // empty: classes without names
  int classes = 0;
};

struct CommonClasses {
  LabelSet labels;  // of the first model that has names
  int classes = 0;
  // For each model, the common class of each of its outputs; empty where that is the output's own index.
  std::vector<std::vector<int>> places;
  std::vector<std::string> notes;  // which lists were mapped, or taken on trust
};

// Maps classes by name: the same name, or names of the same ImageNet class. Equal lists may hold a name twice. Throws
// UsageError for lists of different length or names, with the first differences of both.
CommonClasses common_classes(std::span<const ClassList> lists);

}  // namespace tessera
