// SPDX-License-Identifier: Apache-2.0
#include "ir/type_parser.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <limits>
#include <optional>
#include <set>
#include <utility>

#include "encoding/encoding.h"

namespace strata::ir {
namespace {

// In Sbp::text; a sum is written P.
constexpr std::array<std::pair<std::string_view, Combiner>, 3> kCombinerNames = {
    {{"max", Combiner::kMax}, {"min", Combiner::kMin}, {"product", Combiner::kProduct}}};

}  // namespace

std::int64_t TypeParser::parse_size() {
  const std::size_t start = scan_.position();
  const std::int64_t size = scan_.integer("a size");
  if (size < 1 || size > TextLimits::kSize) {
    scan_.fail_at(start, "the size " + std::to_string(size) + " is out of range", "sizes are 1 to 2^31");
  }
  return size;
}

Dim TypeParser::parse_dim() {
  std::int64_t factor = 1;
  if (scan_.peek() >= '0' && scan_.peek() <= '9') {
    factor = parse_size();
    if (!scan_.accept("*")) return factor;
  }
  const std::size_t start = scan_.position();
  const std::string name = scan_.identifier("a size or a symbol");
  const auto found = symbols_.find(name);
  if (found == symbols_.end()) {
    scan_.fail_at(start, "the symbol " + name + " is not declared", "declare it: symbol " + name + " in 1..512");
  }
  return {factor, found->second};
}

Layout TypeParser::parse_layout() {
  scan_.expect("<");
  Layout layout;
  parse_list(">", "packs", [&] {
    if (layout.encoding != nullptr) {
      const std::string name(layout.encoding->name);
      scan_.fail_at(scan_.position(), name + " is not the layout's last word", "write <16@0, 2@1, " + name + ">");
    }
    if (std::isalpha(static_cast<unsigned char>(scan_.peek())) != 0) {
      layout.encoding = parse_encoding();
      return;
    }
    Pack pack;
    pack.lanes = scan_.integer("a number of lanes");
    pack.is_ragged = scan_.accept("~");
    scan_.expect("@");
    pack.axis = parse_axis();
    layout.packs.push_back(pack);
  });
  return layout;
}

const encoding::Encoding* TypeParser::parse_encoding() {
  const std::size_t start = scan_.position();
  const std::string name = scan_.identifier("an encoding");
  const encoding::Encoding* const found = encoding::find_encoding(name);
  if (found == nullptr) scan_.fail_at(start, "there is no encoding " + name, "use one of " + encoding::known_names());
  return found;
}

int TypeParser::parse_axis() {
  const std::size_t start = scan_.position();
  const std::int64_t axis = scan_.integer("an axis");
  if (axis < 0 || axis >= static_cast<std::int64_t>(TextLimits::kRank)) {
    scan_.fail_at(start, "there is no axis " + std::to_string(axis),
                  "axes are 0 to " + std::to_string(TextLimits::kRank - 1));
  }
  return static_cast<int>(axis);
}

Sbp TypeParser::parse_sbp() {
  if (scan_.accept_word("S")) {
    scan_.expect("(");
    const int axis = parse_axis();
    scan_.expect(")");
    return Sbp::split(axis);
  }
  if (!scan_.accept_word("P")) {
    scan_.expect_word("B");
    return {};
  }
  if (!scan_.accept("(")) return Sbp::partial(Combiner::kSum);
  const std::size_t start = scan_.position();
  const std::string name = scan_.identifier("a combiner");
  const auto found = std::ranges::find(kCombinerNames, name, &std::pair<std::string_view, Combiner>::first);
  if (found == kCombinerNames.end()) {
    scan_.fail_at(start, "no parts are combined by " + name, "write P for a sum, P(max), P(min) or P(product)");
  }
  scan_.expect(")");
  return Sbp::partial(found->second);
}

Placement TypeParser::parse_placement() {
  Placement placement;
  std::set<std::string> named;
  parse_list("}", "placements", [&] {
    const std::size_t start = scan_.position();
    const std::string mesh_axis = scan_.identifier("a mesh axis");
    if (!named.insert(mesh_axis).second) {
      scan_.fail_at(start, "the mesh axis " + mesh_axis + " is placed twice", "remove one");
    }
    scan_.expect(":");
    placement.set(mesh_axis, parse_sbp());
  });
  return placement;
}

DType TypeParser::parse_element_type() {
  const std::size_t start = scan_.position();
  const std::string name = scan_.identifier("a type");
  const std::optional<DType> dtype = parse_dtype(name);
  if (!dtype) scan_.fail_at(start, name + " is no dtype", "write one of f32 f16 bf16 i8 i32 i64 u8 bool");
  return *dtype;
}

TensorType TypeParser::parse_type() {
  const std::size_t start = scan_.position();
  TensorType type;
  type.dtype = parse_element_type();
  if (scan_.accept("[")) {
    parse_list("]", "axes", [&] {
      type.shape.push_back(parse_dim());
      check_count(type.shape.size(), TextLimits::kRank, "axes");
    });
  }
  if (scan_.peek() == '<') type.layout = parse_layout();
  if (scan_.accept("{")) type.placement = parse_placement();
  at(start, [&] {
    check_layout(type, "type");
    check_placement(type, "type");
    (void)max_bytes(type);
  });
  return type;
}

std::vector<TensorType> TypeParser::parse_types() {
  if (!scan_.accept("(")) return {parse_type()};
  std::vector<TensorType> types;
  parse_list(")", "types", [&] { types.push_back(parse_type()); });
  return types;
}

Attribute TypeParser::parse_number() {
  bool is_integer = false;
  std::int64_t integer = 0;
  const double value = scan_.number(is_integer, integer);
  if (is_integer) return integer;
  return value;
}

Attribute TypeParser::parse_attribute() {
  const char next = scan_.peek();
  if (next == '"') return scan_.string();
  if (next == '<') return parse_layout();
  if (scan_.accept("[")) {
    std::vector<std::int64_t> list;
    parse_list("]", "integers", [&] { list.push_back(scan_.integer("an integer")); });
    return list;
  }
  if (scan_.accept_word("inf")) return std::numeric_limits<double>::infinity();
  if (scan_.accept_word("nan")) return std::numeric_limits<double>::quiet_NaN();
  if (scan_.accept("-inf")) return -std::numeric_limits<double>::infinity();
  if (next == '-' || (next >= '0' && next <= '9')) return parse_number();
  return parse_element_type();
}

Attributes TypeParser::parse_attributes() {
  Attributes attributes;
  if (!scan_.accept("{")) return attributes;
  parse_list("}", "attributes", [&] {
    const std::size_t start = scan_.position();
    const std::string name = scan_.identifier("an attribute's name");
    scan_.expect("=");
    if (!attributes.emplace(name, parse_attribute()).second) {
      scan_.fail_at(start, "the attribute " + name + " is given twice", "remove one");
    }
  });
  return attributes;
}

}  // namespace strata::ir
