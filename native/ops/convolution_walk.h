// Walks of windows over images as products: what a convolution and its transpose share.
#pragma once

#include "convolution_taps.h"

namespace carillon {

// A walk of windows over source images, to places of targets: a convolution, or the places of a transposed one that
// have the same remainder to its strides, which the same taps reach.
struct Walk {
  size_t rows, columns;                // places
  size_t source_rows, source_columns;  // of the source, from one place to the next
  size_t first_row, first_column;      // place 0 in the target
  size_t target_rows, target_columns;  // of the target, from one place to the next
  Taps row_taps, column_taps;
  const ptrdiff_t* segments;
  size_t segment_count;
  size_t segment_length;
  const float* packed;  // panels of a group, one group behind the other

  size_t depth() const { return segment_count * segment_length; }
};

// What all walks of an operation share.
struct Sides {
  size_t source_channels, target_channels, groups;
  size_t source_height, source_width, target_height, target_width;
  bool depthwise;

  size_t inner() const { return source_channels / groups; }  // a group's
  size_t outer() const { return target_channels / groups; }
  size_t source_size() const { return source_height * source_width * source_channels; }
  size_t target_size() const { return target_height * target_width * target_channels; }
};

// Whether the taps of a row of the kernel, with all channels, lie side by side in the source.
inline bool side_by_side(const Taps& columns, size_t groups) { return groups == 1 && columns.step == 1; }

// Rows [begin, end) of a walk's places, of one image that has its padding. `source`: row `source_row` of the padded
// image and those behind it, `pitch` floats each. `whole`: c, mask and gate of the image.
void walk_rows(const KernelTable& kernels, const Sides& sides, const Walk& walk, const GemmTask& whole,
               const float* source, size_t pitch, size_t source_row, size_t begin, size_t end);

// Rows [begin, end) of a walk's places, of `images` images as they are, one behind the other: taps in padding are left
// out. The segments of the walk are those of its rows of taps, from the first on. Images that are no more than the rows
// of a tile are computed side by side, place by place; of one its places are.
void walk_images(const KernelTable& kernels, const Sides& sides, const Walk& walk, const GemmTask& whole,
                 const float* source, size_t images, size_t begin, size_t end);

}  // namespace carillon
