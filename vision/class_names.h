#pragma once
// From a name to the class of a model.

#include <map>
#include <string>
#include <vector>

namespace tessera {

// The classes of a model by their names. A name that differs in case, spaces or underscores is another name.
class ClassNames {
 public:
  // Without names, a thousand classes are taken for ImageNet's; others have numbers only. Throws InternalError for
  // another number of names than classes.
  ClassNames(std::vector<std::string> names, int classes);

  int size() const noexcept { return classes_; }
  // False where the classes have numbers only, or where only their count (1000) says that they are ImageNet's.
  bool has_names() const noexcept { return !names_.empty(); }
  // True for ImageNet's 1000 classes in their order, known by their names or by default.
  bool is_imagenet() const noexcept { return imagenet_; }

  // The classes that a name can mean, in ascending order; several where it is ambiguous ("crane"). A name means a class
  // if it is the class's own name. It also does if one of the two is an ImageNet name (a wnid, a label, a part of a
  // label) and the other names the same ImageNet class.
  std::vector<int> find(const std::string& name) const;
  // The classes with exactly this name; for ImageNet's classes, with this wnid.
  std::vector<int> find_own(const std::string& name) const;

  // "134, 'crane' (n02012849)".
  std::string describe(int index) const;
  // "'disc', 'ring', 'square', ... (16 classes)".
  std::string first() const;
  // "; did you mean 'golden retriever'?" or "".
  std::string suggestion(const std::string& name) const;

 private:
  std::vector<std::string> names_;  // empty: none
  int classes_ = 0;
  bool imagenet_ = false;
  std::map<std::string, std::vector<int>> by_name_;
  std::map<int, std::vector<int>> by_imagenet_class_;  // unless imagenet_
};

}  // namespace tessera
