#pragma once
// Which class of a model a name means.

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
  // False: the classes have numbers only, or nothing but the thousand of them says that they are ImageNet's.
  bool has_names() const noexcept { return !names_.empty(); }
  // ImageNet's 1000 in their order, by what they are called or by default.
  bool is_imagenet() const noexcept { return imagenet_; }

  // The classes that bear the name, in ascending order: more than one where it says too little ("crane"). It is a
  // class's own name; or, where either is one of ImageNet's names for a class (its wnid, its label, a part of its
  // label), another name for the same class.
  std::vector<int> find(const std::string& name) const;
  // The classes whose own name it is; of ImageNet's, whose wnid.
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
