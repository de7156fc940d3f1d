#pragma once
// A linear probe: fits one linear layer on a network's features and measures how well it separates the classes of some
// pictures.
//
// A share of the pictures of each class is held out. For l2 from strong to weak the head is fitted on the other
// pictures. The l2 with the least cross-entropy on the held-out pictures is chosen (on a thousand pictures
// cross-entropy distinguishes strengths that accuracy does not), and the head is fitted once more with it, on all
// pictures. The held-out accuracy is that of the head that has not seen those pictures; it is optimistic only because
// l2 was chosen on them.

#include <atomic>
#include <functional>
#include <optional>
#include <vector>

#include "evaluation/probe/logistic_regression.h"

namespace tessera {

struct ProbeOptions {
  double holdout = 0.1;      // share of each class, in [0, 1); 0: none, with l2
  std::optional<double> l2;  // given, not chosen
  std::uint64_t seed = 1;    // decides which pictures are held out
  int threads = 1;
};

// Chooses the pictures to hold out: of each class the share, rounded, but at least one and never all; none of a class
// with one picture. Both lists are sorted. The same seed gives the same pictures everywhere.
struct Split {
  std::vector<std::int64_t> kept, held_out;
};
Split split_by_class(std::span<const int> labels, int classes, double share, std::uint64_t seed);

// One strength that was tried.
struct ProbeStep {
  double l2 = 0;
  HeadScore kept, held_out;
  int iterations = 0;
  bool converged = false;
};

struct ProbeResult {
  LogisticFit fit;                    // on all pictures
  HeadScore all;                      // of `fit` on all pictures
  double l2 = 0;                      // of `fit`
  std::vector<ProbeStep> tried;       // from strong to weak; the chosen one is at `chosen`
  std::optional<std::size_t> chosen;  // none where nothing was held out
};

// `features` [N, width]; `labels` [N], with at least one of every class. nullopt when `stop` was set. Throws InputError
// when nothing can be held out and no l2 is given, UsageError for impossible options.
std::optional<ProbeResult> fit_probe(std::span<const float> features, std::span<const int> labels, int classes,
                                     const ProbeOptions& options, const std::atomic<bool>& stop,
                                     const std::function<void(const ProbeStep&)>& progress);

}  // namespace tessera
