#include "pages/page.h"

#include <openssl/evp.h>
#include <openssl/sha.h>

#include <array>

#include "pages/assets.h"

namespace tessera {

namespace {

std::string base64(std::span<const unsigned char> bytes) {
  // Four characters for every three bytes begun, and a zero.
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const int length =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), bytes.data(), static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(length));
  return text;
}

// The name of an inline style or script in a Content-Security-Policy.
std::string policy_source(std::string_view text) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  return " 'sha256-" + base64(digest) + "'";
}

std::string escaped(std::string_view text) {
  std::string html;
  for (const char c : text) {
    switch (c) {
      case '&':
        html += "&amp;";
        break;
      case '<':
        html += "&lt;";
        break;
      case '>':
        html += "&gt;";
        break;
      case '"':
        html += "&quot;";
        break;
      default:
        html += c;
    }
  }
  return html;
}

// JSON for a <script> element: nothing in it ends the element ("</script") or begins a comment ("<!--"), and it holds
// no line separator (U+2028, U+2029: E2 80 A8, E2 80 A9), which older scripts take for the end of a line.
std::string json_in_html(const nlohmann::json& data) {
  const std::string json = data.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  std::string html;
  html.reserve(json.size());
  for (std::size_t i = 0; i < json.size(); ++i) {
    const std::string_view rest = std::string_view(json).substr(i, 3);
    if (json[i] == '<' || json[i] == '>' || json[i] == '&') {
      html += json[i] == '<' ? "\\u003c" : json[i] == '>' ? "\\u003e" : "\\u0026";
    } else if (rest == "\xE2\x80\xA8" || rest == "\xE2\x80\xA9") {
      html += rest.back() == '\xA8' ? "\\u2028" : "\\u2029";
      i += 2;
    } else {
      html += json[i];
    }
  }
  return html;
}

// Passing the title through a JSON string checks its UTF-8.
std::string valid_utf8(const std::string& text) {
  const nlohmann::json json = text;
  const std::string dumped = json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return nlohmann::json::parse(dumped).get<std::string>();
}

}  // namespace

std::string make_page(const Page& page) {
  std::string policy = "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; style-src";
  std::string styles, scripts;
  for (const std::string_view css : {assets::base_css, page.css}) {
    policy += policy_source(css);
    styles += "<style>" + std::string(css) + "</style>\n";
  }
  policy += "; script-src";
  for (const std::string_view js : {assets::base_js, assets::plots_js, page.js}) {
    policy += policy_source(js);
    scripts += "<script>" + std::string(js) + "</script>\n";
  }
  const std::string title = escaped(valid_utf8(page.title));
  return "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
         "<meta http-equiv=\"Content-Security-Policy\" content=\"" +
         policy +
         "\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
         "<meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"generator\" content=\"tessera\">\n<title>" +
         title + "</title>\n" + styles +
         "</head>\n<body>\n<a class=\"skip\" href=\"#main\">To the content</a>\n<header class=\"top\"><h1>" + title +
         "</h1></header>\n<div id=\"faults\" role=\"alert\" hidden></div>\n<main id=\"main\">"
         "<noscript>This page draws its tables and plots by a script, which this browser does not run.</noscript>"
         "</main>\n<script type=\"application/json\" id=\"data\">" +
         json_in_html(page.data) + "</script>\n" + scripts + "</body>\n</html>\n";
}

std::string data_uri(std::string_view media_type, std::span<const std::byte> bytes) {
  return "data:" + std::string(media_type) + ";base64," +
         base64({reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()});
}

}  // namespace tessera
