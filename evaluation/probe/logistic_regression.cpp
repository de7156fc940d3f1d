#include "evaluation/probe/logistic_regression.h"

#include <lbfgs.h>

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <exception>
#include <limits>
#include <memory>
#include <numeric>

#include "core/error.h"
#include "core/thread_pool.h"

namespace tessera {

namespace {

using RowMatrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using MatrixMap = Eigen::Map<RowMatrix>;
using ConstMatrixMap = Eigen::Map<const RowMatrix>;

constexpr std::int64_t kBlock = 64;  // rows at a time: 64 x 1280 float64 are 640 KB, which a second-level cache holds

// What is done to the features before the solver sees them: (x - mean) / scale.
struct Scaling {
  std::vector<double> mean;
  double scale = 1;
};

void check(const LabelledFeatures& data) {
  const auto width = static_cast<std::size_t>(data.width);
  const bool sizes = data.width > 0 && data.classes > 1 && data.features.size() == data.labels.size() * width;
  if (!sizes || data.rows.empty()) throw InternalError("logistic regression: sizes do not go together");
  for (const std::int64_t row : data.rows) {
    const auto i = static_cast<std::size_t>(row);
    if (row < 0 || i >= data.labels.size()) throw InternalError("logistic regression: a row is out of range");
    if (data.labels[i] < 0 || data.labels[i] >= data.classes) {
      throw InternalError("logistic regression: a label is out of range");
    }
  }
}

std::span<const float> features_of(const LabelledFeatures& data, std::int64_t position) {
  const auto width = static_cast<std::size_t>(data.width);
  return data.features.subspan(static_cast<std::size_t>(data.rows[static_cast<std::size_t>(position)]) * width, width);
}

int label_of(const LabelledFeatures& data, std::int64_t position) {
  return data.labels[static_cast<std::size_t>(data.rows[static_cast<std::size_t>(position)])];
}

Scaling scaling_of(const LabelledFeatures& data) {
  const auto count = static_cast<std::int64_t>(data.rows.size());
  const auto width = static_cast<std::size_t>(data.width);
  Scaling scaling{.mean = std::vector<double>(width, 0.0)};
  for (std::int64_t i = 0; i < count; ++i) {
    const std::span<const float> x = features_of(data, i);
    for (std::size_t d = 0; d < width; ++d) scaling.mean[d] += double{x[d]};
  }
  for (double& mean : scaling.mean) mean /= static_cast<double>(count);
  double squares = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::span<const float> x = features_of(data, i);
    double of_row = 0;
    for (std::size_t d = 0; d < width; ++d)
      of_row += (double{x[d]} - scaling.mean[d]) * (double{x[d]} - scaling.mean[d]);
    squares += of_row;
  }
  const double variance = squares / static_cast<double>(count * data.width);
  if (variance > 0) scaling.scale = std::sqrt(variance);
  return scaling;
}

// Scores of a block of rows become probabilities; the sum of the rows' cross-entropies.
double softmax_rows(RowMatrix& scores, const LabelledFeatures& data, std::int64_t first) {
  double loss = 0;
  for (Eigen::Index i = 0; i < scores.rows(); ++i) {
    double* row = scores.data() + i * scores.cols();
    const auto classes = static_cast<std::size_t>(scores.cols());
    const double largest = *std::max_element(row, row + classes);
    const double at_label = row[label_of(data, first + i)] - largest;
    double sum = 0;
    for (std::size_t k = 0; k < classes; ++k) sum += row[k] = std::exp(row[k] - largest);
    for (std::size_t k = 0; k < classes; ++k) row[k] /= sum;
    loss += std::log(sum) - at_label;
  }
  return loss;
}

// A share of the rows, whatever the number of threads.
struct Chunk {
  std::int64_t begin = 0, end = 0;
  double loss = 0;
  std::vector<double> gradient;  // as the parameters: [K, D], then [K]
};

std::vector<Chunk> chunks_of(const LabelledFeatures& data) {
  constexpr std::int64_t kMostChunks = 64, kLeastRows = 4 * kBlock;
  constexpr std::int64_t kMostValues = std::int64_t{1} << 25;  // 256 MiB of gradients
  const auto rows = static_cast<std::int64_t>(data.rows.size());
  const std::int64_t values = data.classes * (data.width + 1);
  const std::int64_t count =
      std::max<std::int64_t>(1, std::min({kMostChunks, rows / kLeastRows, kMostValues / values}));
  std::vector<Chunk> chunks(static_cast<std::size_t>(count));
  for (std::int64_t c = 0; c < count; ++c) {
    Chunk& chunk = chunks[static_cast<std::size_t>(c)];
    chunk.begin = rows * c / count;
    chunk.end = rows * (c + 1) / count;
    chunk.gradient.resize(static_cast<std::size_t>(values));
  }
  return chunks;
}

// The mean objective of scaled features, as liblbfgs calls it.
class Problem {
 public:
  Problem(const LabelledFeatures& data, const LogisticOptions& options, const std::atomic<bool>& stop)
      : data_(data), scaling_(scaling_of(data)), stop_(stop), chunks_(chunks_of(data)), pool_(options.threads) {
    const double doubled = data.classes == 2 ? 2 : 1;
    penalty_ = doubled * options.l2 / (scaling_.scale * scaling_.scale) / rows();
  }

  double rows() const { return static_cast<double>(data_.rows.size()); }
  std::int64_t weights() const { return data_.classes * data_.width; }
  std::int64_t parameters() const { return weights() + data_.classes; }

  double evaluate(const double* x, double* gradient) {
    pool_.for_each(static_cast<std::int64_t>(chunks_.size()),
                   [&](std::int64_t c, int) { run(chunks_[static_cast<std::size_t>(c)], x); });
    std::fill(gradient, gradient + parameters(), 0.0);
    double loss = 0;
    for (const Chunk& chunk : chunks_) {
      loss += chunk.loss;
      for (std::size_t i = 0; i < chunk.gradient.size(); ++i) gradient[i] += chunk.gradient[i];
    }
    for (std::int64_t i = 0; i < parameters(); ++i) gradient[i] /= rows();
    double squares = 0;
    for (std::int64_t i = 0; i < weights(); ++i) {
      squares += x[i] * x[i];
      gradient[i] += penalty_ * x[i];
    }
    return loss / rows() + penalty_ / 2 * squares;
  }

  // From a head of the features as they are to the parameters of scaled ones, and back.
  void to_parameters(const LinearHead& head, double* x) const {
    const auto width = static_cast<std::size_t>(data_.width);
    for (std::size_t k = 0; k < head.bias.size(); ++k) {
      const double* row = head.weight.data() + k * width;
      x[static_cast<std::size_t>(weights()) + k] =
          head.bias[k] + std::inner_product(row, row + width, scaling_.mean.begin(), 0.0);
    }
    for (std::size_t i = 0; i < head.weight.size(); ++i) x[i] = head.weight[i] * scaling_.scale;
  }
  LinearHead to_head(const double* x) const {
    LinearHead head;
    const auto width = static_cast<std::size_t>(data_.width);
    for (std::int64_t i = 0; i < weights(); ++i) head.weight.push_back(x[i] / scaling_.scale);
    for (std::size_t k = 0; k < static_cast<std::size_t>(data_.classes); ++k) {
      const double* row = head.weight.data() + k * width;
      head.bias.push_back(x[static_cast<std::size_t>(weights()) + k] -
                          std::inner_product(row, row + width, scaling_.mean.begin(), 0.0));
    }
    return head;
  }

  static lbfgsfloatval_t on_evaluate(void* self, const lbfgsfloatval_t* x, lbfgsfloatval_t* gradient, int,
                                     lbfgsfloatval_t) {
    auto& problem = *static_cast<Problem*>(self);
    try {  // no exception may pass through liblbfgs, which is C; it ends on a value that is no number
      if (!problem.failure_) return problem.evaluate(x, gradient);
    } catch (...) {
      problem.failure_ = std::current_exception();
    }
    return std::numeric_limits<double>::quiet_NaN();
  }
  static int on_progress(void* self, const lbfgsfloatval_t*, const lbfgsfloatval_t*, lbfgsfloatval_t, lbfgsfloatval_t,
                         lbfgsfloatval_t, lbfgsfloatval_t, int, int iteration, int) {
    auto& problem = *static_cast<Problem*>(self);
    problem.iterations_ = iteration;
    return problem.stop_ ? 1 : 0;
  }
  int iterations() const { return iterations_; }
  void throw_failure() const {
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  // Loss and gradient of a chunk, a block of rows at a time: each row is read once.
  void run(Chunk& chunk, const double* x) const {
    const Eigen::Index classes = data_.classes, width = data_.width;
    const ConstMatrixMap weight(x, classes, width);
    const ConstMatrixMap bias(x + weights(), 1, classes);
    MatrixMap weight_gradient(chunk.gradient.data(), classes, width);
    MatrixMap bias_gradient(chunk.gradient.data() + weights(), 1, classes);
    weight_gradient.setZero();
    bias_gradient.setZero();
    chunk.loss = 0;
    RowMatrix features, scores;
    for (std::int64_t first = chunk.begin; first < chunk.end; first += kBlock) {
      load(first, std::min(kBlock, chunk.end - first), features);
      scores.noalias() = features * weight.transpose();
      scores.rowwise() += bias.row(0);
      chunk.loss += softmax_rows(scores, data_, first);
      for (Eigen::Index i = 0; i < scores.rows(); ++i) {
        scores(i, label_of(data_, first + i)) -= 1;
        bias_gradient += scores.row(i);
      }
      weight_gradient.noalias() += scores.transpose() * features;
    }
  }

  void load(std::int64_t first, std::int64_t count, RowMatrix& features) const {
    features.resize(count, data_.width);
    const double factor = 1 / scaling_.scale;
    for (std::int64_t i = 0; i < count; ++i) {
      const std::span<const float> from = features_of(data_, first + i);
      double* to = features.data() + i * data_.width;
      for (std::size_t d = 0; d < from.size(); ++d) to[d] = (double{from[d]} - scaling_.mean[d]) * factor;
    }
  }

  const LabelledFeatures& data_;
  const Scaling scaling_;
  const std::atomic<bool>& stop_;
  std::vector<Chunk> chunks_;
  ThreadPool pool_;
  double penalty_ = 0;  // l2 of scaled features, over the rows
  int iterations_ = 0;
  std::exception_ptr failure_;
};

struct FreeParameters {
  void operator()(double* x) const { lbfgs_free(x); }
};
using Parameters = std::unique_ptr<double[], FreeParameters>;

Parameters make_parameters(std::int64_t count) {
  Parameters x(lbfgs_malloc(static_cast<int>(count)));
  if (!x) throw ResourceError("no memory for the " + std::to_string(count) + " parameters of a head");
  std::fill(x.get(), x.get() + count, 0.0);
  return x;
}

double norm(const double* values, std::int64_t count) {
  return std::sqrt(std::inner_product(values, values + count, values, 0.0));
}

}  // namespace

LogisticFit fit_logistic(const LabelledFeatures& data, const LogisticOptions& options, const LinearHead& start,
                         const std::atomic<bool>& stop) {
  check(data);
  Problem problem(data, options, stop);
  const std::int64_t count = problem.parameters();
  constexpr std::int64_t kMostParameters = std::int64_t{1} << 30;  // liblbfgs counts in int
  if (count > kMostParameters) throw ResourceError("a head of " + std::to_string(count) + " parameters is too large");
  const Parameters x = make_parameters(count), gradient = make_parameters(count);
  if (!start.weight.empty()) problem.to_parameters(start, x.get());
  lbfgs_parameter_t settings;
  lbfgs_parameter_init(&settings);
  settings.m = 20;
  settings.epsilon = options.tolerance;
  settings.max_iterations = options.max_iterations;
  const int code = ::lbfgs(static_cast<int>(count), x.get(), nullptr, Problem::on_evaluate, Problem::on_progress,
                           &problem, &settings);
  problem.throw_failure();
  if (code == LBFGSERR_OUTOFMEMORY) throw ResourceError("no memory to fit " + std::to_string(count) + " parameters");
  // Whatever ended it, the result is judged by its own gradient.
  const double objective = problem.evaluate(x.get(), gradient.get());
  LogisticFit fit{.head = problem.to_head(x.get()), .objective = objective * problem.rows()};
  fit.gradient_norm = norm(gradient.get(), count) / std::max(1.0, norm(x.get(), count));
  fit.iterations = problem.iterations();
  fit.converged = fit.gradient_norm <= options.tolerance;
  fit.stopped = stop;
  return fit;
}

double feature_scale(const LabelledFeatures& data) {
  check(data);
  return scaling_of(data).scale;
}

HeadScore score_head(const LabelledFeatures& data, const LinearHead& head, int threads) {
  HeadScore score{.total = static_cast<std::int64_t>(data.rows.size())};
  if (data.rows.empty()) return score;
  const std::int64_t blocks = (score.total + kBlock - 1) / kBlock;
  std::vector<HeadScore> of_blocks(static_cast<std::size_t>(blocks));
  ThreadPool pool(threads);
  pool.for_each(blocks, [&](std::int64_t b, int) {
    HeadScore& of_block = of_blocks[static_cast<std::size_t>(b)];
    const std::int64_t first = b * kBlock, count = std::min(kBlock, score.total - first);
    RowMatrix features(count, data.width);
    for (std::int64_t i = 0; i < count; ++i) {
      std::ranges::copy(features_of(data, first + i), features.data() + i * data.width);
    }
    RowMatrix scores = features * ConstMatrixMap(head.weight.data(), data.classes, data.width).transpose();
    scores.rowwise() += ConstMatrixMap(head.bias.data(), 1, data.classes).row(0);
    for (std::int64_t i = 0; i < count; ++i) {
      const double* row = scores.data() + i * data.classes;
      of_block.correct += std::max_element(row, row + data.classes) - row == label_of(data, first + i) ? 1 : 0;
    }
    of_block.log_loss = softmax_rows(scores, data, first);
  });
  for (const HeadScore& of_block : of_blocks) {
    score.correct += of_block.correct;
    score.log_loss += of_block.log_loss;
  }
  score.log_loss /= static_cast<double>(score.total);
  return score;
}

}  // namespace tessera
