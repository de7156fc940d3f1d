#pragma once
// report.html: a comparison as one page that needs nothing else (pages/page.h), with its tables, plots, pictures of
// the disagreements, and where and how it was run.

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "evaluation/compare/result.h"
#include "evaluation/summary/advice.h"
#include "evaluation/summary/summary.h"

namespace tessera {

struct ReportContext {
  std::vector<ModelAdvice> advice;  // by model, of advise()
  std::string budget;               // as it was given; "" for none
  nlohmann::json run;               // run.json; null where only predictions are known
  // The data set's pictures, for rows that do not know their path. Without them the gallery is text.
  std::vector<Sample> pictures;
};

// {"summary": as summary.json, "words": [sentences], "times", "counts": of distributions.h, "labels": {class: name},
// "gallery", "advice", "budget", "errors": the first of them, "run"}: all numbers on the page.
nlohmann::json report_json(const ComparisonResult& result, const ComparisonSummary& summary,
                           const ReportContext& context);

// The page. Never fails for what is in names, labels or pictures.
std::string report_page(const ComparisonResult& result, const ComparisonSummary& summary, const ReportContext& context);

// What the comparison comes to, a sentence each, the most important first.
std::vector<std::string> summary_sentences(const ComparisonSummary& summary);

}  // namespace tessera
