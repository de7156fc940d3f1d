#pragma once
// Every file below a folder.

#include <filesystem>
#include <string>
#include <vector>

namespace tessera {

struct WalkedFolder {
  std::vector<std::string> files;  // below the folder, as "a/b/x.jpg"; in no order that means anything
  std::vector<std::string> junk;   // hidden files and folders and those of systems; folders end in "/"
  std::vector<std::string> again;  // links to folders that were walked already, which are not followed
};

// Follows links, as torchvision's ImageFolder does (os.walk with followlinks), but enters no folder twice within a
// folder directly below `folder`, so that a loop of links ends. Throws InputError naming a folder that cannot be read.
WalkedFolder walk_folder(const std::filesystem::path& folder);

}  // namespace tessera
