#pragma once
// Finds the pictures in folders, tar archives and lists; dataset.h finds their classes. Only folders, headers of
// archives and lists are opened. The order is the same on every run.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace tessera {

struct Sample {
  std::filesystem::path path;  // of the picture, or of the tar archive that it is in
  std::string name;            // below the class folder, as the CSV shows it; in most sets the file's name
  std::string folder;          // the class folder (a wnid, for ImageNet), or ""
  int label = -1;              // class index; -1: not known
  std::int64_t offset = 0;     // where the picture begins in `path`
  std::int64_t size = -1;      // its bytes; -1: `path` is the picture
  std::string above = {};      // in an archive, the folders above `folder` and `name`: "set/val"; for messages
};

// The picture for messages: its path, or the archive and the whole name in it.
std::string where(const Sample& sample);
// The bytes of the picture's file. Thread-safe. Throws InputError, also for more than 1 GiB.
std::vector<std::byte> read_picture(const Sample& sample);

// What `path` names: a folder, an archive (and a folder in it) or a list.
struct Place {
  enum class Kind { kFolder, kArchive, kList } kind;
  std::filesystem::path file;
  std::string inner;
};
// Throws InputError where there is nothing, for a packed file (with the command that unpacks it) and for a picture.
Place place_of(const std::filesystem::path& path);

// The pictures of a folder or an archive, without their classes: those in class folders, and those outside. A file is a
// picture by its ending (is_picture_name) or else by its content; a picture deeper in the tree belongs to the class of
// its first folder. Hidden files and those of systems are left out.
struct Pictures {
  std::vector<Sample> in_folders, loose;
  std::vector<std::string> notes;  // what was left out and why, for the user
};
// For a folder or an archive. Throws InputError for what cannot be read, and for a folder of sets (train/, val/).
Pictures pictures_at(const Place& place);

// The picture that a line of a list names. Where no file has exactly that name, \xHH stands for a byte (core/csv.h). A
// label that is not a number becomes its folder.
Sample listed(const std::filesystem::path& list, const std::string& file, const std::string& label);

// The pictures of a data set, labelled or not: of a folder and its folders, an archive, or a list. Throws InputError.
Pictures all_pictures(const std::filesystem::path& path);
// Those in class folders, then the others.
std::vector<Sample> joined(Pictures pictures);
// Both, without the notes.
std::vector<Sample> list_pictures(const std::filesystem::path& path);

}  // namespace tessera
