// SPDX-License-Identifier: Apache-2.0
#include "codegen/copy_code.h"

#include <algorithm>

namespace strata::codegen {
namespace {

using ir::IndexTerm;

std::string decimal(std::int64_t value) { return std::to_string(value); }

// The first, or the last, index that an axis takes.
class IndexCode {
 public:
  IndexCode(const std::vector<RangeCode>& ranges, const schedule::TileTree& tree,
            const std::map<int, std::string>& numbers, bool is_last)
      : ranges_(ranges), tree_(tree), numbers_(numbers), is_last_(is_last) {}

  std::string of(const ir::IndexMap& index) const {
    std::string sum;
    for (std::size_t i = 0; i < index.coefficients.size(); ++i) {
      const std::int64_t factor = index.coefficients[i];
      if (factor != 0) add(sum, scaled(step(i, factor > 0 ? is_last_ : !is_last_), factor));
    }
    for (const IndexTerm& term : index.terms) add(sum, scaled(text(term), term.coefficient));
    if (index.constant != 0) add(sum, decimal(index.constant));
    return sum.empty() ? "0" : sum;
  }

 private:
  static void add(std::string& sum, const std::string& part) {
    if (part != "0") sum += (sum.empty() ? "" : " + ") + part;
  }

  static std::string scaled(const std::string& text, std::int64_t factor) {
    return factor == 1 || text == "0" ? text : decimal(factor) + " * (" + text + ")";
  }

  std::string step(std::size_t iterator, bool is_last) const {
    const RangeCode& range = ranges_[iterator];
    return is_last ? range.end + " - 1" : range.begin;
  }

  std::string text(const IndexTerm& term) const {
    const std::string divided = (term.is_remainder ? " % " : " / ") + decimal(term.divisor);
    if (term.kind == IndexTerm::Kind::kOperand) {
      const std::string value = "std::int64_t(*" + numbers_.at(term.number) + ")";
      return term.divisor == 1 && !term.is_remainder ? value : "(" + value + divided + ")";
    }
    const auto i = static_cast<std::size_t>(term.number);
    const ir::Dim& extent = tree_.iterators[i].extent;
    if (term.kind == IndexTerm::Kind::kExtent) return "(" + cpp_size(extent) + divided + ")";
    const bool is_last = term.coefficient > 0 ? is_last_ : !is_last_;
    if (!term.is_remainder) {
      const std::string at = step(i, is_last);
      return at == "0" ? at : "((" + at + ")" + divided + ")";
    }
    if (ranges_[i].most == 1) return "((" + step(i, false) + ")" + divided + ")";
    return is_last ? decimal(std::min(term.divisor, extent.max()) - 1) : "0";
  }

  const std::vector<RangeCode>& ranges_;
  const schedule::TileTree& tree_;
  const std::map<int, std::string>& numbers_;
  const bool is_last_;
};

std::string in_places(const std::string& index, std::int64_t unit) {
  return unit == 1 || index == "0" ? index : "(" + index + ") / " + decimal(unit);
}

std::string grouped(const std::string& text) { return text.find(' ') == std::string::npos ? text : "(" + text + ")"; }

// The iterator that an axis is the steps of; -1: its index is made otherwise.
int only_iterator(const ir::IndexMap& index) {
  const auto used = std::ranges::count_if(index.coefficients, [](std::int64_t factor) { return factor != 0; });
  const auto one = std::ranges::find(index.coefficients, 1);
  const bool is_plain = used == 1 && one != index.coefficients.end() && index.terms.empty() && index.constant == 0;
  return is_plain ? static_cast<int>(one - index.coefficients.begin()) : -1;
}

// How many places the indices of an axis lie in, the first of which is `first` and the last `last`.
std::string count_of(const schedule::TileAxis& axis, const std::vector<RangeCode>& ranges, const std::string& first,
                     const std::string& last) {
  if (const int iterator = only_iterator(axis.index); iterator >= 0 && axis.unit == 1) {
    const RangeCode& range = ranges[static_cast<std::size_t>(iterator)];
    return range.begin == "0" ? range.end : range.end + " - " + grouped(range.begin);
  }
  if (first == last) return "1";
  if (axis.unit > 1) return "tensor::places(" + first + ", " + last + ", " + decimal(axis.unit) + ")";
  return "(" + last + ") - (" + first + ") + 1";
}

}  // namespace

CopyCode::CopyCode(const schedule::TileImage& image, const schedule::TileLayout& layout,
                   const std::vector<RangeCode>& ranges, const schedule::TileTree& tree,
                   const std::map<int, std::string>& numbers)
    : image_(image), layout_(layout) {
  const IndexCode first(ranges, tree, numbers, false), last(ranges, tree, numbers, true);
  for (const schedule::TileAxis& axis : image.axes) {
    if (axis.is_whole) {
      places_.emplace_back("0");
      counts_.push_back(axis.unit == 1 ? cpp_size(axis.extent)
                                       : "tensor::div_up(" + cpp_size(axis.extent) + ", " + decimal(axis.unit) + ")");
      continue;
    }
    const std::string begin = first.of(axis.index);
    places_.push_back(in_places(begin, axis.unit));
    counts_.push_back(count_of(axis, ranges, begin, last.of(axis.index)));
  }
}

std::string CopyCode::axes(bool is_out) const {
  std::string text;
  for (std::size_t axis = 0; axis < image_.axes.size(); ++axis) {
    const std::string memory = cpp_size(image_.axes[axis].stride);
    const std::string buffer = cpp_size(layout_.strides[axis]);
    text += (axis == 0 ? "{" : ", {") + counts_[axis] + ", " +
            (is_out ? buffer + ", " + memory : memory + ", " + buffer) + "}";
  }
  return text.empty() ? "{1, 0, 0}" : text;
}

std::string CopyCode::begin() const {
  std::string text;
  for (std::size_t axis = 0; axis < image_.axes.size(); ++axis) {
    if (places_[axis] == "0") continue;
    const ir::Dim& stride = image_.axes[axis].stride;
    text += " + " + grouped(places_[axis]) + (stride == ir::Dim(1) ? "" : " * " + cpp_size(stride));
  }
  for (const ir::Dim& offset : image_.symbolic_offsets) text += " + " + cpp_size(offset);
  return image_.offset == 0 ? text : text + " + " + decimal(image_.offset);
}

std::string CopyCode::skipped(const schedule::TileLayout& layout,
                              const std::function<bool(const schedule::TileAxis&)>& counts) const {
  std::string text;
  for (std::size_t axis = 0; axis < image_.axes.size(); ++axis) {
    if (places_[axis] == "0" || !counts(image_.axes[axis])) continue;
    const ir::Dim& stride = layout.strides[axis];
    text +=
        (text.empty() ? "" : " + ") + grouped(places_[axis]) + (stride == ir::Dim(1) ? "" : " * " + cpp_size(stride));
  }
  return text;
}

}  // namespace strata::codegen
