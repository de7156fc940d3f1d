#pragma once
// predictions.csv: one row for each picture. The first columns are those of the article's script, so that a reader of
// one file can read the other.

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
// (core/csv.h): \xHH stands for a byte that is not UTF-8, for a control character, and for a first = + - @.
std::string predictions_csv(const ComparisonResult& result);

// Reads such a file, or the article's. A column PREFIX_pred_idx makes a model, named by its prefix. Columns may be in
// any order; those of times, wnid, labels and errors may be missing. The forms that spreadsheets and pandas write are
// accepted: semicolons or tabs, UTF-16, TRUE, 1.0 and 7.0, empty cells where there is no prediction. Throws InputError
// naming the file, the row and the column for a bad value, a class below 0, a confidence outside 0 to 100, a class with
// two names, no model, or no rows.
ComparisonResult read_predictions_csv(const std::filesystem::path& path);

}  // namespace tessera
