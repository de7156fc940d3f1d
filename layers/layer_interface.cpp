#include "layers/layer_interface.h"

namespace tessera {

void shape_error(std::string_view layer, const std::string& what, Shapes in) {
  std::string message = std::string(layer) + ": " + what + "; input";
  for (const Shape& shape : in) message += " " + to_string(shape);
  throw UsageError(message);
}

void expect_inputs(std::string_view layer, Shapes in, std::size_t inputs, int rank) {
  if (in.size() != inputs) shape_error(layer, "takes " + std::to_string(inputs) + " input(s)", in);
  for (const Shape& shape : in) {
    if (shape.rank() != rank) shape_error(layer, "takes inputs of rank " + std::to_string(rank), in);
  }
}

}  // namespace tessera
