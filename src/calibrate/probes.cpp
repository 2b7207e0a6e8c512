// SPDX-License-Identifier: Apache-2.0
#include "calibrate/probes.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/temp_dir.h"
#include "codegen/code_writer.h"
#include "compile/toolchain.h"
#include "encoding/encoding.h"
#include "machine/cost.h"
#include "tensor/encoding.h"
#include "vectorize/layout_rules.h"

namespace strata::calibrate {
namespace {

constexpr std::size_t kStreams = 8;  // as probe::kStreams
constexpr int kMaxLanes = 256;       // of 32 bits
constexpr int kMaxChains = 24;
constexpr std::int64_t kStreamDepth = 1024;  // of the matrix that is streamed

// Accumulators that fit the registers beside two operands: enough for any latency x instructions per cycle.
int chains(const machine::Machine& machine) { return std::clamp(machine.vector_registers.count - 4, 1, kMaxChains); }

// The call of the unit's loop on state, steps; empty when tensor/probe.h has none.
std::string unit_call(const machine::Machine& machine, const machine::Unit& unit) {
  if (unit.lanes > kMaxLanes) return "";
  const std::string arguments = "<" + std::to_string(chains(machine)) + ", " + std::to_string(unit.lanes) + ">";
  if (unit.dtype == DType::kF32 && unit.k == 1) {
    // Converges to 1 instead of growing.
    return "multiply_add" + arguments + "(static_cast<float*>(parameters[0]), symbols[0], 0.5f, 0.5f)";
  }
  if (unit.dtype == DType::kBF16 && unit.k == 2) {
    return "bf16_pairs" + arguments + "(static_cast<float*>(parameters[0]), symbols[0], 0x3f803f80u, 0x3f803f80u)";
  }
  if (unit.dtype == DType::kI8 && unit.k == 4) {
    return "i8_quads" + arguments + "(static_cast<std::int32_t*>(parameters[0]), symbols[0], 0x01010101, 0x01010101)";
  }
  return "";
}

// Codes are numbers only with their scales.
bool is_streamed_alone(const encoding::Encoding& encoding) { return is_floating(encoding.panels.number); }

// What weights of so many bits are.
std::string stream_type(int element_bits) {
  for (const encoding::Encoding* encoding : encoding::all_encodings()) {
    if (encoding->panels.bits() == element_bits && is_streamed_alone(*encoding))
      return "Encoded<" + std::string(encoding->panels.cpp_type) + ">";
  }
  return element_bits == 16 ? "bf16" : "float";
}

std::string stream_call(const machine::Machine& machine, const machine::Stream& stream) {
  const std::string form = "Stream{" + std::to_string(stream.panels) + ", " + std::to_string(stream.ahead_bytes) +
                           ", " + std::to_string(stream.locality) + "}";
  return "stream<" + std::to_string(machine::vector_lanes(machine, DType::kF32)) + ", " + form +
         ">(static_cast<const float*>(parameters[0]), static_cast<const " + stream_type(stream.element_bits) +
         "*>(parameters[1]), symbols[0], symbols[1], static_cast<float*>(parameters[2]))";
}

std::string function_symbol(std::size_t function) { return "strata_probe_function" + std::to_string(function); }

std::string function_call(const machine::Machine& machine, const std::string& name) {
  if (name == machine::kSoftmaxStep) {
    const int lanes = machine::vector_lanes(machine, DType::kF32);
    return name + "<" + std::to_string(lanes) + ", " + std::to_string(kMaxLanes / lanes) +
           ">(static_cast<float*>(parameters[1]), symbols[0])";
  }
  const std::string body = name == "div" ? "1.0f / x" : name + "(x)";
  return "vectors<" + std::to_string(machine::vector_lanes(machine, DType::kF32)) +
         ">(static_cast<const float*>(parameters[0]), static_cast<float*>(parameters[1]), symbols[0], "
         "[](auto x) { return " +
         body + "; })";
}

std::string stream_symbol(std::size_t candidate) { return "strata_probe_stream" + std::to_string(candidate); }

std::string unit_symbol(std::size_t unit) { return "strata_probe_unit" + std::to_string(unit); }

// A function with an entry's signature.
std::string entry(const std::string& symbol, const std::string& body) {
  return "extern \"C\" __attribute__((visibility(\"default\")))\n"
         "void " +
         symbol +
         "([[maybe_unused]] const Team& team, void* const* parameters, const std::int64_t* symbols, std::byte*,\n"
         "    const std::byte*) {\n  " +
         body + ";\n}\n";
}

std::string probe_source(const machine::Machine& machine) {
  const std::string lanes = "<" + std::to_string(machine::vector_lanes(machine, DType::kF32)) + ">";
  const std::string words = "static_cast<std::uint32_t*>(parameters[0]), symbols[0], symbols[1]";
  const std::string floats = "static_cast<float*>(parameters[0]), static_cast<float*>(parameters[1])";
  std::string source;
  for (const encoding::Encoding* encoding : encoding::all_encodings()) {
    source += "#include \"" + codegen::cpp_header(*encoding) + "\"\n";
  }
  source += "#include \"tensor/probe.h\"\n\nusing namespace strata::tensor;\n\n";
  source += entry("strata_probe_read",
                  "*static_cast<std::uint32_t*>(parameters[1]) = probe::read" + lanes + "(" + words + ")");
  source +=
      entry("strata_probe_write", "probe::write" + lanes + "(" + words + ", static_cast<std::uint32_t>(symbols[2]))");
  source += entry("strata_probe_chase",
                  "*static_cast<const void**>(parameters[1]) = probe::chase(parameters[0], symbols[0])");
  source +=
      entry("strata_probe_small_ops", "probe::small_ops" + lanes + "(team, " + floats + ", symbols[0], symbols[1])");
  for (std::size_t i = 0; i < scalar_functions().size(); ++i) {
    source += entry(function_symbol(i), "probe::" + function_call(machine, scalar_functions()[i]));
  }
  for (std::size_t unit = 0; unit < machine.units.size(); ++unit) {
    const std::string call = unit_call(machine, machine.units[unit]);
    if (!call.empty()) source += entry(unit_symbol(unit), "probe::" + call);
  }
  const auto streams = stream_candidates(machine);
  for (std::size_t i = 0; i < streams.size(); ++i) {
    source += entry(stream_symbol(i), "probe::" + stream_call(machine, streams[i]));
  }
  return source;
}

std::string build(const machine::Machine& machine, const std::function<void()>& waiting) {
  const TempDir folder(std::filesystem::temp_directory_path(), "strata-calibrate");
  return compile::Toolchain::find(machine).build({{"probes.cpp", probe_source(machine)}}, folder.path(), 1,
                                                 [&](double) {
                                                   if (waiting) waiting();
                                                 });
}

}  // namespace

const std::vector<std::string>& scalar_functions() {
  static const std::vector<std::string> names = {
      "div", "sqrt", "rsqrt", "exp", "sigmoid", "tanh", machine::kSoftmaxStep};
  return names;
}

std::vector<machine::Stream> stream_candidates(const machine::Machine& machine) {
  std::vector<int> sizes = {16, 32};
  if (tensor::are_encoded_lanes(machine::vector_lanes(machine, DType::kF32))) {
    for (const encoding::Encoding* encoding : vectorize::decodable(machine)) {
      if (is_streamed_alone(*encoding)) sizes.push_back(encoding->panels.bits());
    }
  }
  std::vector<machine::Stream> candidates;
  for (const int bits : sizes) {
    candidates.push_back({bits, 1, 0, 0});
    for (const int panels : {2, 4}) {
      if (bits >= 16) candidates.push_back({bits, panels, 0, 0});  // encoded panels are decoded one by one
    }
    for (const int ahead : {4096, 8192}) {
      for (const int locality : {0, 3}) candidates.push_back({bits, 1, ahead, locality});
    }
  }
  return candidates;
}

Probes::Probes(const machine::Machine& machine, const std::function<void()>& waiting) : machine_(machine) {
  const std::string code = build(machine, waiting);
  library_.emplace(std::as_bytes(std::span(code)), "the calibration's probes");
  read_ = library_->function("strata_probe_read");
  write_ = library_->function("strata_probe_write");
  chase_ = library_->function("strata_probe_chase");
  small_ops_ = library_->function("strata_probe_small_ops");
  for (std::size_t i = 0; i < scalar_functions().size(); ++i)
    functions_.push_back(library_->function(function_symbol(i)));
  for (std::size_t unit = 0; unit < machine.units.size(); ++unit) {
    const bool there = !unit_call(machine, machine.units[unit]).empty();
    units_.push_back(there ? library_->function(unit_symbol(unit)) : nullptr);
  }
  for (std::size_t i = 0; i < stream_candidates(machine).size(); ++i)
    streams_.push_back(library_->function(stream_symbol(i)));
}

std::size_t Probes::block_bytes() const {
  return kStreams * sizeof(std::uint32_t) * static_cast<std::size_t>(machine::vector_lanes(machine_, DType::kF32));
}

std::uint32_t Probes::read(std::span<const std::uint32_t> words, std::int64_t repeats) const {
  STRATA_CHECK(words.size_bytes() % block_bytes() == 0, "words read in part");
  std::uint32_t sum = 0;
  void* const parameters[] = {const_cast<std::uint32_t*>(words.data()), &sum};
  const std::int64_t symbols[] = {static_cast<std::int64_t>(words.size()), repeats};
  read_({}, parameters, symbols, nullptr, nullptr);
  return sum;
}

void Probes::write(std::span<std::uint32_t> words, std::int64_t repeats, std::uint32_t value) const {
  STRATA_CHECK(words.size_bytes() % block_bytes() == 0, "words written in part");
  void* const parameters[] = {words.data()};
  const std::int64_t symbols[] = {static_cast<std::int64_t>(words.size()), repeats, value};
  write_({}, parameters, symbols, nullptr, nullptr);
}

const void* Probes::chase(const void* from, std::int64_t steps) const {
  const void* end = nullptr;
  void* const parameters[] = {const_cast<void*>(from), &end};
  chase_({}, parameters, &steps, nullptr, nullptr);
  return end;
}

bool Probes::has_unit(std::size_t unit) const { return units_.at(unit) != nullptr; }

double Probes::run_unit(std::size_t unit, std::int64_t steps) const {
  const machine::Unit& described = machine_.units.at(unit);
  STRATA_CHECK(has_unit(unit), "a unit without a loop");
  alignas(64) std::array<float, kMaxChains * kMaxLanes> state{};
  void* const parameters[] = {state.data()};
  units_[unit]({}, parameters, &steps, nullptr, nullptr);
  return 2.0 * described.lanes * described.k * chains(machine_) * static_cast<double>(steps);
}

// A panel of f32, which is two of bf16 pairs.
std::size_t Probes::stream_block_bytes() const {
  const auto lanes = static_cast<std::size_t>(machine::vector_lanes(machine_, DType::kF32));
  return sizeof(float) * lanes * static_cast<std::size_t>(kStreamDepth);
}

void Probes::stream(std::size_t candidate, std::span<const std::byte> weights) const {
  STRATA_CHECK(weights.size() % stream_block_bytes() == 0, "weights streamed in part");
  const std::vector<float> row(static_cast<std::size_t>(kStreamDepth), 1.0f);
  std::vector<float> products(weights.size() / static_cast<std::size_t>(kStreamDepth));  // one byte of weights each
  void* const parameters[] = {const_cast<float*>(row.data()), const_cast<std::byte*>(weights.data()), products.data()};
  const std::int64_t symbols[] = {static_cast<std::int64_t>(weights.size()), kStreamDepth};
  streams_.at(candidate)({}, parameters, symbols, nullptr, nullptr);
}

void Probes::small_ops(std::int64_t calls) const {
  constexpr std::int64_t kElements = 16;
  alignas(64) std::array<float, kElements> x{};
  alignas(64) std::array<float, kElements> y{};
  void* const parameters[] = {x.data(), y.data()};
  const std::int64_t symbols[] = {kElements, calls};
  small_ops_({}, parameters, symbols, nullptr, nullptr);
}

double Probes::run_function(std::size_t function, std::int64_t calls) const {
  alignas(64) std::array<float, kStreams * kMaxLanes> x;
  alignas(64) std::array<float, kStreams * kMaxLanes> y{};
  x.fill(1.5f);
  void* const parameters[] = {x.data(), y.data()};
  functions_.at(function)({}, parameters, &calls, nullptr, nullptr);
  return static_cast<double>(kStreams) * static_cast<double>(calls);
}

}  // namespace strata::calibrate
