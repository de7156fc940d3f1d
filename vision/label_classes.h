#pragma once
// From the labels of a data set to classes of the models: names are matched by name, numbers as the user has said.

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "vision/class_names.h"

namespace tessera {

// How to read a label that is a number ("7").
enum class LabelNumbers {
  kUnsaid,   // found out from the names; refused where both readings are possible
  kNames,    // the name of a class; for models without names, the place among all labels in alphabetical order
  kIndices,  // a class's index
};
// From "auto", "names" or "indices". Throws UsageError.
LabelNumbers label_numbers_from_string(std::string_view name);

// Where the labels come from, which decides how a number may be read.
enum class LabelsFrom {
  kFolders,    // names of folders: a number is a name
  kList,       // a list of the user: either
  kTruth,      // a file of ground truth, which has indices by its format
  kIndexList,  // a list whose header calls them indices
};

struct LabelClasses {
  std::map<std::string, int> classes;  // by label; -1 where no class has its name
  std::vector<std::string> notes;      // how labels were read, for the user
};

// `where` names the data set in errors. Throws InputError for a name that several classes have, a number beyond the
// classes, and numbers that can be read in two ways (the message shows both and the option that chooses).
LabelClasses classes_of_labels(const std::set<std::string>& labels, const ClassNames& names, LabelNumbers numbers,
                               LabelsFrom from, const std::string& where);

}  // namespace tessera
