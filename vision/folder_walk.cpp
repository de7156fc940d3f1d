#include "vision/folder_walk.h"

#include <sys/stat.h>

#include <algorithm>
#include <set>
#include <utility>

#include "core/error.h"
#include "vision/file_kinds.h"

namespace tessera {

namespace fs = std::filesystem;

namespace {

std::vector<fs::directory_entry> sorted_entries(const fs::path& folder) {
  std::vector<fs::directory_entry> entries;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) entries.push_back(*it);
  if (error) throw InputError(folder.string() + ": cannot be read (" + error.message() + ")");
  std::ranges::sort(entries);
  return entries;
}

class Walk {
 public:
  explicit Walk(const fs::path& root) {
    first_time(root);
    for (const fs::directory_entry& entry : sorted_entries(root)) {
      const std::set<Id> before = seen_;
      visit(entry, "");
      seen_ = before;
    }
  }
  WalkedFolder take() && { return std::move(found_); }

 private:
  using Id = std::pair<dev_t, ino_t>;

  void visit(const fs::directory_entry& entry, const std::string& above) {
    const std::string name = entry.path().filename().string();
    std::error_code error;
    const bool folder = entry.is_directory(error);
    if (is_junk_name(name)) {
      found_.junk.push_back(above + name + (folder ? "/" : ""));
    } else if (!folder) {
      found_.files.push_back(above + name);
    } else if (!first_time(entry.path())) {
      found_.again.push_back(above + name);
    } else {
      for (const fs::directory_entry& inner : sorted_entries(entry.path())) visit(inner, above + name + "/");
    }
  }
  bool first_time(const fs::path& folder) {
    struct stat status {};
    return ::stat(folder.c_str(), &status) != 0 || seen_.emplace(status.st_dev, status.st_ino).second;
  }

  std::set<Id> seen_;
  WalkedFolder found_;
};

}  // namespace

WalkedFolder walk_folder(const fs::path& folder) { return Walk(folder).take(); }

}  // namespace tessera
