#pragma once
// A model ready to run: weights, compiled program, session, preprocessing, labels.

#include <memory>
#include <string>
#include <vector>

#include "engine/program.h"
#include "evaluation/ready/run_options.h"
#include "weights/model_source.h"

namespace tessera {

// The card's preprocessing. Its sizes, filter, mean and deviation always hold; "timm", "hf" and "hf-fast" replace the
// card's way of resizing and rounding; `pillow` as in RunOptions. Throws UsageError for another choice.
Preprocess choose_preprocess(const ModelCard& card, const std::string& choice, int pillow = 0);

// How models are opened for these options.
OpenOptions open_options(const RunOptions& options);

// Not thread-safe.
class Classifier {
 public:
  Classifier(const std::string& model, const RunOptions& options);
  Classifier(OpenedModel model, const RunOptions& options);
  Classifier(LoadedModel model, const RunOptions& options);

  const ModelCard& card() const noexcept { return card_; }
  const Program& program() const { return session_->program(); }
  Session& session() noexcept { return *session_; }
  // Height and width of the picture that is the model's input.
  Sides image_size() const { return card_.preprocess.output_size(); }
  // Width of the output: classes, or features of a model without a head.
  std::int64_t outputs() const;
  bool has_classes() const { return class_count(card_.config) > 0; }
  // The time from opening the file to being ready to run, and its parts.
  double load_ms() const noexcept { return load_ms_; }

  // Zeros for so many pictures, [batch, H, W, 3]; vision/preprocess.h fills in what card().preprocess says.
  Tensor input(std::int64_t batch) const { return Tensor::zeros(input_shape(batch)); }
  // Runs pictures of input_shape(batch), batch <= max_batch; [batch, outputs], valid until the next run.
  ConstView run(ConstView pictures) { return session_->run(pictures); }
  Shape input_shape(std::int64_t batch) const;

 private:
  ModelCard card_;
  std::unique_ptr<Session> session_;
  double load_ms_ = 0;
};

}  // namespace tessera
