#pragma once
// Multinomial logistic regression: the linear head that fits given features best.
//
//   minimise over W [K, D], b [K]:   sum_i -log softmax(W x_i + b)[y_i]  +  l2 / 2 * ||W||^2
// which is what scikit-learn's LogisticRegression(C = 1 / l2) minimises; b is not penalised. For two classes
// scikit-learn keeps one vector w = W[1] - W[0], whose penalty is that of W with l2 doubled; the same is done here.
//
// Solved by L-BFGS with More and Thuente's line search (liblbfgs) in float64. The features are centred and divided by
// one number, the root of their mean variance, so that the solver sees features of one size from any network; both are
// undone in W and b. Neither moves the minimum: b takes up the centring, l2 the division. So anyone can check a head
// against scikit-learn on the file of features. Dividing each feature by its own deviation would move the minimum, and
// would blow up features that are hardly ever active.
//
// The same bits for every number of threads: sums are cut by the number of rows, not by threads.

#include <atomic>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace tessera {

// Refers to features and labels that it does not own.
struct LabelledFeatures {
  std::span<const float> features;     // [N, width]
  std::span<const int> labels;         // [N], 0 to classes - 1
  std::span<const std::int64_t> rows;  // the rows to use, in this order
  std::int64_t width = 0;
  int classes = 0;
};

struct LinearHead {
  std::vector<double> weight;  // [classes, width]
  std::vector<double> bias;    // [classes]
};

struct LogisticOptions {
  double l2 = 1;
  // Of the gradient of the mean objective, with respect to the weights of scaled features, against max(1, their norm).
  double tolerance = 1e-6;
  int max_iterations = 2000;
  int threads = 1;
};

struct LogisticFit {
  LinearHead head;
  double objective = 0;      // as above
  double gradient_norm = 0;  // what `tolerance` is compared with
  int iterations = 0;
  bool converged = false;
  bool stopped = false;  // by `stop`
};

// Begins at `start`, or at zero where that is empty. Throws InternalError for sizes that do not match, a label out of
// range or no rows.
LogisticFit fit_logistic(const LabelledFeatures& data, const LogisticOptions& options, const LinearHead& start,
                         const std::atomic<bool>& stop);

// The root of the mean variance of the features: 1 where they do not vary.
double feature_scale(const LabelledFeatures& data);

struct HeadScore {
  std::int64_t correct = 0, total = 0;
  double log_loss = 0;  // mean cross-entropy; 0 for no rows
};
// On a tie the smaller class counts as predicted.
HeadScore score_head(const LabelledFeatures& data, const LinearHead& head, int threads);

}  // namespace tessera
