#pragma once
// Files that say which class a picture or a folder is of.

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/function_ref.h"

namespace tessera {

// Classes of folders: JSON {"folder": index} or CSV "folder,index". Throws InputError naming the file and the entry.
std::map<std::string, int> read_label_file(const std::filesystem::path& path, int classes);

// Classes of the pictures with these file names, which are sorted, in their order. The file has
//   a line for each picture, in their order: its class index from 0, or its wnid;
//   or lines "name class" or "name,class" in any order (Caffe's val.txt; the name with or without its ending);
//   or Kaggle's LOC_val_solution.csv ("ImageId,PredictionString": the wnid comes first).
// The development kit's ILSVRC2012_validation_ground_truth.txt is refused: its numbers, 1 to 1000, are in an order of
// their own. Throws InputError naming the file and the line, for as many lines too few or too many, a picture without a
// class, a class out of range.
std::vector<int> read_ground_truth(const std::filesystem::path& path, const std::vector<std::string>& names,
                                   int classes);

// Calls entry(first, second) for each row of a CSV file of two columns; one that it refuses by returning false is a
// header where it is the first and names no picture. Throws InputError naming the file and the row.
void for_each_pair(const std::filesystem::path& path,
                   FunctionRef<bool(const std::string& first, const std::string& second)> entry);

// Throws InputError unless 0 <= label < classes (0: any).
void check_class(std::int64_t label, int classes, const std::string& where);
// False unless the whole text is a number.
bool parse_class(std::string_view text, int& label);

// An ending of torchvision's ImageFolder or .gif, in any case.
bool is_picture_name(const std::filesystem::path& path);

}  // namespace tessera
