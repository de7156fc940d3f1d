#pragma once
// Files that give the classes of pictures or folders.

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/function_ref.h"

namespace tessera {

// Classes of folders: JSON {"folder": index} or CSV "folder,index". Throws InputError naming the file and the entry.
std::map<std::string, int> read_label_file(const std::filesystem::path& path, int classes);

// The labels of the pictures with these sorted file names, in that order. The file has
//   a line for each picture, in their order: its class;
//   or rows "name,class" in any order, as CSV (core/csv.h) with commas, semicolons or tabs, quoted where a name holds
//   them: the name with or without its ending, and further columns where the class is a name (Tiny-ImageNet's
//   val_annotations.txt) or a header names the columns;
//   or lines "name class" parted by spaces (Caffe's val.txt): a name that holds spaces ends like a picture;
//   or Kaggle's LOC_val_solution.csv ("ImageId,PredictionString": the wnid comes first).
// A class is its index from 0, or a name that `known` accepts. The development kit's
// ILSVRC2012_validation_ground_truth.txt is refused, since its numbers, 1 to 1000, follow another order. Throws
// InputError naming the file and the line for too few or too many lines, a picture without a class, an index out of
// range, or a first row that is neither data nor a header.
std::vector<std::string> read_ground_truth(const std::filesystem::path& path, const std::vector<std::string>& names,
                                           int classes, FunctionRef<bool(const std::string& label)> known);

// Calls entry(first, second) for each row of a CSV file, with its two columns, or with those that a header calls a name
// and a class (path, label; folder, index; ...). The second has no spaces around it. A row for which entry returns
// false is an error, even the first. Returns the header's word for the class, in lower case; "" where there is no
// header. Throws InputError naming the file and the row.
std::string for_each_pair(const std::filesystem::path& path,
                          FunctionRef<bool(const std::string& first, const std::string& second)> entry);

// Throws InputError unless 0 <= label < classes (0: any).
void check_class(std::int64_t label, int classes, const std::string& where);
// False unless the whole text is a whole number: "12", or "12.0" as pandas writes it.
bool parse_class(std::string_view text, int& label);

}  // namespace tessera
