#include "layers/example.h"
#include "layers/linear.h"

namespace tessera {

Examples<Linear> Linear::examples() {
  const Shape x{2, 50, 96};
  Examples<Linear> examples{
      .good = {{{.out_features = 128}, {x}},
               {{.out_features = 100, .bias = false}, {x}},
               {{.out_features = 384, .residual = true, .activation = ActivationKind::kGelu}, {x, {2, 50, 384}}},
               {{.out_features = 96, .residual = true}, {x, x}},
               {{.out_features = 1000}, {{3, 40}}}},
      .refused = {{{.out_features = 0}, {{1, 4}}, "at least one output feature"},
                  {{.out_features = 3}, {{4}}, "[N, ..., C]"},
                  {{.out_features = 3, .residual = true}, {{1, 4}, {1, 4}}, "residual"}}};
  for (const ActivationKind kind : all_values<ActivationKind>()) {
    examples.good.push_back({{.out_features = 64, .activation = kind}, {x}});
  }
  return examples;
}

Example<Linear> Linear::drawn(Draw& draw) {
  const Linear linear{.out_features = draw.between(1, 200),
                      .bias = draw.coin(),
                      .residual = draw.coin(),
                      .activation = draw.one_of<ActivationKind>()};
  std::vector<Shape> in{{draw.between(1, 4), draw.between(1, 60), draw.between(1, 300)}};
  if (linear.residual) in.push_back({in[0][0], in[0][1], linear.out_features});
  return {linear, in};
}

}  // namespace tessera
