#pragma once
// predictions.csv: a row a picture. The first columns are those of the article's script, so that either can be read by
// what reads the other.

#include <filesystem>
#include <string>

#include "evaluation/compare/result.h"

namespace tessera {

// image, wnid, gt_idx, gt_label; for each model PREFIX_pred_idx, _pred_label, _top1_correct, _top5_correct, _conf
// (percent), _preprocess_ms, _inference_ms; image_load_ms; then what the article does not have: for each model
// PREFIX_postprocess_ms and PREFIX_top5 ("281:0.913 282:0.04 ...", classes and probabilities), image_read_ms (of
// image_load_ms), average_top5 (of the mean of the models' probabilities), error, batch (pictures that ran together;
// inference_ms is its share of what they took) and PREFIX_batch_ms (until all of them were done; 0 for a picture
// alone). A picture that could not be read has empty predictions and an error. Text is UTF-8 by csv_field()
// (core/csv.h): \xHH stands for a byte that is none, for a control character, and for a first = + - @.
std::string predictions_csv(const ComparisonResult& result);

// Such a file, or the article's. Models are what has a column PREFIX_pred_idx and are named by their prefix; columns in
// any order; those of times, wnid, labels and errors may be missing. Also as spreadsheets and pandas write it again:
// parted by semicolons or tabs, in UTF-16, with TRUE, 1.0 and 7.0, empty cells where there is no prediction. Throws
// InputError naming the file, the row and the column for a value that is none, a class below 0, a confidence beyond 0
// to 100, a class of two names, no model, no rows.
ComparisonResult read_predictions_csv(const std::filesystem::path& path);

}  // namespace tessera
