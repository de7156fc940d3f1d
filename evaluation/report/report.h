#pragma once
// report.html: a comparison as one self-contained page (pages/page.h), with tables, plots, pictures of the
// disagreements, and the machine and command of the run.

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "evaluation/compare/result.h"
#include "evaluation/summary/advice.h"
#include "evaluation/summary/summary.h"

namespace tessera {

struct ReportContext {
  std::vector<ModelAdvice> advice;  // by model, of advise()
  std::string budget;               // as the user gave it; "" for none
  nlohmann::json run;               // run.json; null where only predictions are known
  // The data set's pictures, for rows without a path. Without them the gallery is text.
  std::vector<Sample> pictures;
};

// {"summary": as summary.json, "words": [sentences], "times", "counts": of distributions.h, "labels": {class: name},
// "gallery", "advice", "budget", "errors": the first of them, "run"}: all numbers on the page.
nlohmann::json report_json(const ComparisonResult& result, const ComparisonSummary& summary,
                           const ReportContext& context);

// The page. No content of names, labels or pictures makes it fail.
std::string report_page(const ComparisonResult& result, const ComparisonSummary& summary, const ReportContext& context);

// The findings of the comparison, one sentence each, the most important first.
std::vector<std::string> summary_sentences(const ComparisonSummary& summary);

}  // namespace tessera
