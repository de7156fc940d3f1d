#pragma once
// y_i = exp(x_i - max(x)) / sum over j of exp(x_j - max(x)), over the last dimension, as torch.softmax(x, -1).
// [N, ..., C] -> [N, ..., C].

#include "layers/layer_interface.h"

namespace tessera {

// In place over one row.
void softmax_row(std::span<float> row);

struct Softmax {
  static constexpr std::string_view kName = "Softmax";
  static constexpr bool kMayOverwriteInput = true;

  static void fields(auto&, auto&&) {}
  bool operator==(const Softmax&) const = default;

  static Lesson lesson() {
    return {"y_i = exp(x_i) / Σ over j of exp(x_j)", "Bridle 1990, doi:10.1007/978-3-642-76153-9_28; torch.softmax"};
  }
  Shape output_shape(Shapes in) const;
  std::int64_t reduction(Shapes in) const { return in[0][-1]; }
  void forward(const ForwardArguments& arguments) const;
  static Examples<Softmax> examples();
  static Example<Softmax> drawn(Draw& draw);
};

}  // namespace tessera
