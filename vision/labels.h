#pragma once
// The 1000 ImageNet-1k classes, built in, and label sets of models.

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tessera {

struct ImageNetClass {
  std::string_view wnid;   // "n01440764"; classes are in the order of these
  std::string_view label;  // "tench, Tinca tinca". Not unique: 'crane' is 134 and 517.
};
std::span<const ImageNetClass> imagenet_classes();
// Index of a wnid, or -1.
int imagenet_index(std::string_view wnid);
// The names of a class: the parts of its label, "tench" and "Tinca tinca".
std::vector<std::string_view> imagenet_names(const ImageNetClass& of_class);
// The classes that a name may mean, in ascending order: the class of a wnid; or the classes whose label it is or
// begins; or, where there are none, the classes that have it among their other names. 'crane' (two labels), 'maillot'
// (a label and the beginning of another) and a few more names mean several classes.
std::vector<int> imagenet_classes_named(const std::string& name);
// Whether it is the wnid, the label or a name of the class.
bool is_imagenet_name(std::string_view name, int index);

// The names of a model's classes.
class LabelSet {
 public:
  LabelSet() = default;  // empty: classes are numbers only
  static LabelSet imagenet_1k();
  static LabelSet custom(std::vector<std::string> names);

  bool is_imagenet() const noexcept { return imagenet_; }
  std::size_t size() const noexcept { return names_.size(); }
  // "class 7" where there is no name.
  std::string name(int index) const;
  // "" unless these are the ImageNet classes.
  std::string_view wnid(int index) const;

 private:
  bool imagenet_ = false;
  std::vector<std::string> names_;
};

// The names of all classes in order; empty for a set without names.
std::vector<std::string> names_of(const LabelSet& labels);

// "imagenet-1k", a list of names, or null.
nlohmann::json to_json(const LabelSet& labels);
// Throws UsageError.
LabelSet label_set_from_json(const nlohmann::json& json);

}  // namespace tessera
