#pragma once
// What the labels of a data set mean as classes of the models: names by name, numbers by what was said of them.

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "vision/class_names.h"

namespace tessera {

// What a label that is a number ("7") says.
enum class LabelNumbers {
  kUnsaid,   // found out, and refused where it can be read in two ways
  kNames,    // a class's name; of models without names, its place among all labels in the order of their letters
  kIndices,  // a class's index
};
// "auto", "names" or "indices". Throws UsageError.
LabelNumbers label_numbers_from_string(std::string_view name);

// Where labels stand, which tells what a number among them may be.
enum class LabelsFrom {
  kFolders,    // names of folders: a number is a name
  kList,       // a list of the user's: either
  kTruth,      // a file of ground truth, which has indices by its format
  kIndexList,  // a list whose header calls them indices
};

struct LabelClasses {
  std::map<std::string, int> classes;  // of each label; -1 where no class bears its name
  std::vector<std::string> notes;      // what was read into them, for the user
};

// `where` names the data set in errors. Throws InputError for a name that several classes bear, a number beyond the
// classes, numbers that can be read in two ways (both are shown, and the option that chooses).
LabelClasses classes_of_labels(const std::set<std::string>& labels, const ClassNames& names, LabelNumbers numbers,
                               LabelsFrom from, const std::string& where);

}  // namespace tessera
