#include "layers/add.h"

#include "layers/eigen.h"
#include "layers/elementwise.h"

namespace tessera {

Shape Add::output_shape(Shapes in) const {
  if (in.size() != 2 || in[0] != in[1]) shape_error(kName, "takes two inputs of the same shape", in);
  return in[0];
}

void Add::forward(const ForwardArguments& arguments) const {
  for_each_block(arguments.threads, arguments.output.count(), [&](std::int64_t begin, std::int64_t end) {
    ArrayMap(arguments.output.data() + begin, end - begin) =
        ConstArrayMap(arguments.inputs[0].data() + begin, end - begin) +
        ConstArrayMap(arguments.inputs[1].data() + begin, end - begin);
  });
}

}  // namespace tessera
