#pragma once
// Nothing at inference; there so that a graph reads as the paper and `pos_drop` can be tapped. [any] -> [same].

#include "layers/layer_interface.h"

namespace tessera {

struct Dropout {
  static constexpr std::string_view kName = "Dropout";
  static constexpr bool kMayOverwriteInput = true;
  static void fields(auto&, auto&&) {}
  bool operator==(const Dropout&) const = default;

  static Lesson lesson() {
    return {"y = x at inference", "Srivastava et al. 2014, https://jmlr.org/papers/v15/srivastava14a.html"};
  }
  Shape output_shape(Shapes in) const;
  void forward(const ForwardArguments& arguments) const;
  static Examples<Dropout> examples();
  static Example<Dropout> drawn(Draw& draw);
};

}  // namespace tessera
