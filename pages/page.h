#pragma once
// One self-contained HTML document: data, and the styles and scripts that show them. It fetches nothing, and its
// Content-Security-Policy forbids fetching: only styles and scripts with the SHA-256 that it names run, and pictures
// come only from data URIs. So nothing in the data can become code.
//
// Every page has base.css, base.js and plots.js (formats, tables, plots); its own script builds the content of <main>
// from tessera.data. Errors in scripts are counted in the attribute data-errors of <html> and shown.

#include <cstddef>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>

namespace tessera {

struct Page {
  std::string title;         // text, not HTML; UTF-8
  nlohmann::json data;       // the script reads it as tessera.data
  std::string_view css, js;  // the page's own assets, beside the shared ones (assets.h)
};

// Bytes of text that are not UTF-8 (file names may be anything) become U+FFFD.
std::string make_page(const Page& page);

// "data:image/jpeg;base64,..." of those bytes.
std::string data_uri(std::string_view media_type, std::span<const std::byte> bytes);

}  // namespace tessera
