#pragma once
// Drawing by cairo: the same code makes a PNG and an SVG. Lengths are pixels, y runs down.
//
// cairo writes text into an SVG as outlines, so that it looks the same on a machine without the font.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "vision/image.h"

struct _cairo;  // cairo_t; NOLINT(bugprone-reserved-identifier): cairo's own name

namespace tessera {

struct Ink {
  double red = 0, green = 0, blue = 0;
};
// Okabe and Ito's colours (2008), which people with any common colour blindness can tell apart; repeated after the
// last.
Ink ink_of(std::size_t index);
inline constexpr Ink kBlack{0.1, 0.1, 0.1}, kGrey{0.55, 0.55, 0.55}, kPale{0.88, 0.88, 0.88}, kWhite{1, 1, 1};

struct Box {
  double x = 0, y = 0, width = 0, height = 0;
};

enum class Align { kLeft, kCentre, kRight };
struct TextStyle {
  double size = 15;
  Align align = Align::kLeft;
  bool bold = false;
  Ink ink = kBlack;
};

class Canvas {
 public:
  explicit Canvas(_cairo* context) : context_(context) {}

  void fill(const Box& box, const Ink& ink);
  void line(double x1, double y1, double x2, double y2, const Ink& ink, double width = 1);
  // `y` is the base line; a text wider than `most` loses its middle ("vit_base…224").
  void text(double x, double y, const std::string& text, const TextStyle& style, double most = 1e9);
  double width_of(const std::string& text, const TextStyle& style);
  // The picture scaled to the box, its pixels kept as squares.
  void picture(const Box& box, const Image& image);

 private:
  std::string shortened(const std::string& text, const TextStyle& style, double most);
  void set_font(const TextStyle& style);
  _cairo* context_;
};

struct Drawing {
  std::string png, svg;
};
// Calls `draw` on a white canvas of that size for each of the two. Throws ResourceError.
Drawing draw_twice(int width, int height, const std::function<void(Canvas&)>& draw);

// Ticks at 1, 2 or 5 times a power of ten from 0 to `top`, the first tick not below `most`.
struct Axis {
  double step = 1, top = 1;
  int decimals = 0;  // enough to distinguish the ticks
};
Axis axis_to(double most);

}  // namespace tessera
