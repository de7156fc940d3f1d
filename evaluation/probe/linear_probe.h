#pragma once
// A linear probe: how well the classes of some pictures can be told apart by a network's features and one linear layer,
// and that layer.
//
// A share of the pictures of each class is held out. For l2 from strong to weak the head is fitted on the others; the
// one with the least cross-entropy on those held out is chosen (of a thousand pictures the cross-entropy tells
// strengths apart that the accuracy does not), and the head is fitted once more with it, on all pictures. The accuracy
// on the pictures held out is that of the head that has not seen them; it is favourable to it only in that l2 was
// chosen there.

#include <atomic>
#include <functional>
#include <optional>
#include <vector>

#include "evaluation/probe/logistic_regression.h"

namespace tessera {

struct ProbeOptions {
  double holdout = 0.1;      // share of each class, in [0, 1); 0: none, with l2
  std::optional<double> l2;  // not chosen but given
  std::uint64_t seed = 1;    // of which pictures are held out
  int threads = 1;
};

// Which of the pictures are held out: of each class the share, rounded, but at least one and never all; of a class with
// one picture none. Both lists are sorted. The same seed gives the same pictures everywhere.
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

// `features` [N, width]; `labels` [N], of which every class has one. nullopt when `stop` was set. Throws InputError
// when nothing can be held out and no l2 is given, UsageError for options that cannot be.
std::optional<ProbeResult> fit_probe(std::span<const float> features, std::span<const int> labels, int classes,
                                     const ProbeOptions& options, const std::atomic<bool>& stop,
                                     const std::function<void(const ProbeStep&)>& progress);

}  // namespace tessera
