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

// Which of the files are pictures, by their endings or else by their first bytes, and in which class folder each lies:
// the first folder of its name, as torchvision's ImageFolder has it. With `below_common` the folders that all pictures
// have in common are passed over (an archive that holds val/n01440764/x.jpg). Sorted as ImageFolder sorts: by class,
// folder, name. The notes say what is left out and what is taken otherwise than its name says. `root` is for messages.
// Throws InputError where a class folder looks like one of several sets (train/cat/x.jpg).
Pictures sort_into_classes(const std::filesystem::path& root, std::vector<FoundFile> files, bool below_common);

// "a, b, c, ...": for notes.
std::string first_names(const std::vector<std::string>& names);

}  // namespace tessera
