#pragma once
// The files of this folder that are embedded in the binary: base.css is assets::base_css.

#include <string_view>

namespace tessera::assets {

extern const std::string_view base_css, base_js, graph_js, inspect_css, inspect_js, plots_js, profile_css, profile_js,
    report_css, report_js;

}  // namespace tessera::assets
