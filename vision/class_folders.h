#pragma once
// From the names of files to pictures in class folders.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "vision/picture_files.h"

namespace tessera {

struct FoundFile {
  std::string name;                    // below the folder or in the archive: "n01440764/images/x.jpg"
  std::filesystem::path path;          // of the file, or of the archive that holds it
  std::int64_t offset = 0, size = -1;  // in the archive
};

// Finds the pictures among the files, by their endings or else by their first bytes, and the class folder of each: the
// first folder of its name, as in torchvision's ImageFolder. `below_common` skips the folders that all pictures have in
// common (an archive that holds val/n01440764/x.jpg). The order is ImageFolder's: by class, folder, name. The notes say
// which files are left out, and which are read as another kind than their name says. `root` is for messages. Throws
// InputError where a class folder looks like one of several sets (train/cat/x.jpg).
Pictures sort_into_classes(const std::filesystem::path& root, std::vector<FoundFile> files, bool below_common);

// "a, b, c, ...": for notes.
std::string first_names(const std::vector<std::string>& names);

}  // namespace tessera
