// SPDX-License-Identifier: Apache-2.0
// Constants in encodings: as a package stores them, and in compiled code against the interpreter.
#include "tensor/encoded.h"

#include "base/temp_dir.h"
#include "blocks/format.h"
#include "compile/weight_statistics.h"
#include "op_case.h"
#include "tensor/encoding/bf16_12.h"
#include "tensor/encoding/f16_15.h"
#include "tensor/encoding/i8_4.h"
#include "tensor/encoding/i8_5.h"
#include "tensor/encoding/i8_6.h"
#include "tensor/encoding/i8_small_4.h"
#include "tensor/gather.h"

namespace strata::compile {
namespace {

using encoding::Encoding;

const Encoding& bf16_12() { return *encoding::find_encoding("bf16_12"); }
const Encoding& f16_15() { return *encoding::find_encoding("f16_15"); }

// An encoded weight, and its elements.
template <class T>
class EncodedWeight {
 public:
  using Bits = std::conditional_t<std::is_same_v<T, float>, std::uint32_t,
                                  std::conditional_t<std::is_same_v<T, std::int8_t>, std::uint8_t, std::uint16_t>>;

  EncodedWeight(std::int64_t n, std::int64_t k, const std::vector<Bits>& elements, const Encoding& encoding)
      : encoding_(encoding), n_(n), k_(k), bits_(elements) {
    ops::register_all();
    const std::string shape =
        std::string(dtype_name(dtype())) + "[" + std::to_string(n) + ", " + std::to_string(k) + "]";
    const std::string layout = encoding::layout_text(encoding, 16);
    module_ = ir::parse_module("module m {\n  func @main() {\n    %0 = weight \"w\" : " + shape +
                                   "\n    %1 = pack(%0) {layout = " + layout + "} : " + shape + layout +
                                   "\n    return %1\n  }\n}\n",
                               "test");
    const TensorSource tensors = [this](const std::string&) { return view(); };
    statistics_ = count_elements(*module_, tensors, encoding::all_encodings(), 2);
    const ir::Expr& constant = *module_->find("main")->results[0];
    fit_ = constant_fit(constant, {}, tensors);
    bytes_ = ir::max_bytes(constant.type()) + ir::exceptions_bytes(constant.type(), fit_.exceptions);
    stored_.emplace(constant, tensors, fit_);
  }

  const encoding::Fit& fit() const { return fit_; }
  const encoding::Statistics& statistics() const { return statistics_.at("w"); }
  std::int64_t with_exponent(std::size_t exponent) const { return statistics().of(bf16_12().statistics[0])[exponent]; }
  std::int64_t small() const { return statistics().of(f16_15().statistics[0])[0]; }

  std::vector<std::byte> read(std::int64_t piece) const {
    std::vector<std::byte> bytes(static_cast<std::size_t>(bytes_), std::byte{0x7f});
    for (std::int64_t begin = 0; begin < bytes_; begin += piece) {
      stored_->read(begin, std::min(bytes_, begin + piece), bytes.data() + begin);
    }
    return bytes;
  }

  // As the kernels read it, in f32.
  std::vector<std::uint32_t> decoded(const std::vector<std::byte>& bytes) const {
    if (encoding_.name == "i8_4") return decoded_as<tensor::I8In4>(bytes);
    if (encoding_.name == "i8_small_4") return decoded_as<tensor::I8Small4>(bytes);
    if (encoding_.name == "i8_5") return decoded_as<tensor::I8In5>(bytes);
    if (encoding_.name == "i8_6") return decoded_as<tensor::I8In6>(bytes);
    return &encoding_ == &f16_15() ? decoded_as<tensor::F16In15>(bytes) : decoded_as<tensor::Bf16In12>(bytes);
  }
  std::vector<std::uint32_t> expected() const {
    std::vector<std::uint32_t> all;
    for (const Bits bits : bits_) {
      T element{};
      std::memcpy(&element, &bits, sizeof(bits));
      all.push_back(std::bit_cast<std::uint32_t>(static_cast<float>(element)));
    }
    return all;
  }

 private:
  static DType dtype() {
    if (std::is_same_v<T, float>) return DType::kF32;
    if (std::is_same_v<T, std::int8_t>) return DType::kI8;
    return std::is_same_v<T, tensor::f16> ? DType::kF16 : DType::kBF16;
  }
  importer::TensorView view() const { return {"w", dtype(), {n_, k_}, std::as_bytes(std::span(bits_))}; }

  template <class E>
  std::vector<std::uint32_t> decoded_as(const std::vector<std::byte>& bytes) const {
    std::vector<std::int32_t> ids(static_cast<std::size_t>(n_));
    for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<std::int32_t>(i);
    std::vector<float> values(bits_.size());
    tensor::gather_encoded_rows<16>(reinterpret_cast<const tensor::Encoded<E>*>(bytes.data()), ids.data(), n_, k_,
                                    values.data(), k_);
    std::vector<std::uint32_t> bits;
    for (const float value : values) bits.push_back(std::bit_cast<std::uint32_t>(value));
    return bits;
  }

  const Encoding& encoding_;
  std::int64_t n_, k_;
  std::vector<Bits> bits_;
  std::optional<ir::Module> module_;
  encoding::WeightStatistics statistics_;
  encoding::Fit fit_;
  std::int64_t bytes_ = 0;
  std::optional<StoredConstant> stored_;
};

// Those that are tried for such matrices.
std::vector<const Encoding*> encodings_of(DType dtype) {
  std::vector<const Encoding*> found;
  for (const Encoding* encoding : encoding::all_encodings()) {
    if (std::ranges::find(encoding->matrices, dtype) != encoding->matrices.end()) found.push_back(encoding);
  }
  return found;
}

using Bf16Weight = EncodedWeight<tensor::bf16>;
using F16Weight = EncodedWeight<tensor::f16>;
using F32Weight = EncodedWeight<float>;
using ByteWeight = EncodedWeight<std::int8_t>;

std::vector<std::uint16_t> all_words() {
  std::vector<std::uint16_t> all(1 << 16);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::uint16_t>(i);
  return all;
}

// Elements with exponents around 120, and now and then with any.
std::vector<std::uint16_t> random_elements(std::int64_t count, std::uint64_t odd_one_in) {
  std::mt19937_64 random(7);
  std::vector<std::uint16_t> elements;
  for (std::int64_t i = 0; i < count; ++i) {
    const bool is_odd = random() % odd_one_in == 0;
    const std::uint64_t exponent = is_odd ? random() % 256 : 113 + random() % 12;
    elements.push_back(static_cast<std::uint16_t>((random() & 0x807f) | exponent << 7));
  }
  return elements;
}

TEST(EncodedConstant, HoldsEveryBitPatternOfBf16) {
  const Bf16Weight weight(256, 256, all_words(), bf16_12());
  EXPECT_EQ(weight.fit().exceptions, 240 * 256) << "each of 256 exponents as often as the others, 16 are in the table";
  EXPECT_EQ(weight.decoded(weight.read(1 << 20)), weight.expected());
}

TEST(EncodedConstant, HoldsEveryBitPatternOfF16) {
  for (const Encoding* encoding : encodings_of(DType::kF16)) {
    const F16Weight weight(256, 256, all_words(), *encoding);
    const auto decoded = weight.decoded(weight.read(1 << 20)), expected = weight.expected();
    for (std::size_t i = 0; i < expected.size(); ++i) ASSERT_EQ(decoded[i], expected[i]) << "pattern " << i;
    if (encoding == &f16_15()) EXPECT_EQ(weight.fit().exceptions, 1 << 15) << "2 and more";
  }
}

// Numbers of all kinds, of which every third is one of bf16 and every third one of f16.
TEST(EncodedConstant, HoldsF32) {
  std::mt19937_64 random(3);
  std::vector<std::uint32_t> elements;
  for (int i = 0; i < 3 * 1000; ++i) {
    const std::uint32_t any = static_cast<std::uint32_t>(random());
    const tensor::f16 half(std::bit_cast<float>((any & 0x83ffffff) | 0x38000000));
    const std::uint32_t as_half = std::bit_cast<std::uint32_t>(static_cast<float>(half));
    elements.push_back(i % 3 == 0 ? any : i % 3 == 1 ? any & 0xffff0000 : as_half);
  }
  for (const Encoding* encoding : encodings_of(DType::kF32)) {
    const F32Weight weight(30, 100, elements, *encoding);
    EXPECT_LT(weight.fit().exceptions, 2800);
    const auto decoded = weight.decoded(weight.read(1 << 20));
    EXPECT_EQ(decoded, elements);
  }
}

TEST(EncodedConstant, IsTheSameInPiecesOfAnySize) {
  for (const auto& [n, k] : {std::pair(1, 1), {16, 4}, {33, 7}, {100, 130}}) {
    const Bf16Weight weight(n, k, random_elements(n * k, 50), bf16_12());
    const auto whole = weight.read(1 << 20);
    EXPECT_EQ(weight.decoded(whole), weight.expected()) << n << " x " << k;
    for (const std::int64_t piece : {1, 63, 1000}) EXPECT_EQ(weight.read(piece), whole) << n << " x " << k;
    const F16Weight halves(n, k, random_elements(n * k, 50), f16_15());
    const auto words = halves.read(1 << 20);
    EXPECT_EQ(halves.decoded(words), halves.expected()) << n << " x " << k;
    for (const std::int64_t piece : {1, 63, 1000}) EXPECT_EQ(halves.read(piece), words) << n << " x " << k;
  }
}

// Sixteen numbers of all sizes, in pieces of any size, padded lanes and groups.
TEST(EncodedConstant, HoldsBytes) {
  std::mt19937 random(11);
  for (const auto& [n, k] : {std::pair(1, 1), {16, 8}, {33, 7}, {100, 130}}) {
    std::vector<std::uint8_t> elements(static_cast<std::size_t>(n) * static_cast<std::size_t>(k));
    for (std::uint8_t& element : elements) element = static_cast<std::uint8_t>(random() % 16 * 17);
    const ByteWeight weight(n, k, elements, *encoding::find_encoding("i8_4"));
    EXPECT_EQ(weight.fit().exceptions, 0);
    const auto whole = weight.read(1 << 20);
    EXPECT_EQ(std::ssize(whole), 64 + (n + 15) / 16 * 16 * ((k + 7) / 8 * 8) / 2);
    EXPECT_EQ(weight.decoded(whole), weight.expected()) << n << " x " << k;
    for (const std::int64_t piece : {1, 63, 1000}) EXPECT_EQ(weight.read(piece), whole) << n << " x " << k;
  }
}

// So do codes in a row, wherever it begins.
TEST(EncodedConstant, HoldsCodesInARow) {
  struct Row {
    const char* name;
    int bits, group;
  };
  std::mt19937 random(13);
  for (const Row& row : {Row{"i8_small_4", 4, 8}, Row{"i8_5", 5, 32}, Row{"i8_6", 6, 16}}) {
    for (const auto& [n, k] : {std::pair(1, 1), {16, 32}, {33, 7}, {100, 130}}) {
      const unsigned low = random() % 256, count = 1u << row.bits;
      std::vector<std::uint8_t> elements(static_cast<std::size_t>(n) * static_cast<std::size_t>(k));
      const unsigned first = low < 128 ? std::min(low, 128 - count) : low;  // no code from 127 to -128
      for (std::uint8_t& element : elements) element = static_cast<std::uint8_t>(first + random() % count);
      const ByteWeight weight(n, k, elements, *encoding::find_encoding(row.name));
      EXPECT_EQ(weight.fit().exceptions, 0);
      const auto whole = weight.read(1 << 20);
      const int depth = (k + row.group - 1) / row.group * row.group;
      EXPECT_EQ(std::ssize(whole), 64 + (n + 15) / 16 * 16 * depth * row.bits / 8);
      EXPECT_EQ(weight.decoded(whole), weight.expected()) << row.name << " " << n << " x " << k;
      for (const std::int64_t piece : {1, 63, 1000}) EXPECT_EQ(weight.read(piece), whole) << n << " x " << k;
    }
  }
}

TEST(EncodedConstant, WithoutExceptionsHasNoLists) {
  const Bf16Weight weight(48, 64, random_elements(48 * 64, std::uint64_t{1} << 60), bf16_12());
  EXPECT_EQ(weight.fit().exceptions, 0);
  EXPECT_EQ(std::ssize(weight.read(1 << 20)), 64 + 48 * 64 * 3 / 2);
  EXPECT_EQ(weight.decoded(weight.read(1 << 20)), weight.expected());
  const F16Weight ones(48, 64, std::vector<std::uint16_t>(48 * 64, 0x3c00), f16_15());
  EXPECT_EQ(ones.fit().exceptions, 0);
  EXPECT_EQ(std::ssize(ones.read(1 << 20)), 64 + 48 * 64 * 15 / 8);
}

TEST(WeightStatistics, AreThoseOfTheElementsAsTheyAreStored) {
  std::vector<std::uint16_t> elements(3000, 0x3f80);  // 1: exponent 127
  elements[7] = 0x4000;                               // 2: 128
  elements[8] = 0x8000;                               // -0
  const Bf16Weight weight(3, 1000, elements, bf16_12());
  EXPECT_EQ(weight.statistics().elements, 3000);
  EXPECT_EQ(weight.with_exponent(127), 2998);
  EXPECT_EQ(weight.with_exponent(128), 1);
  EXPECT_EQ(weight.with_exponent(0), 1);
  EXPECT_EQ(weight.small(), 0) << "bf16 has one encoding";
}

TEST(WeightStatistics, OfF16) {
  std::vector<std::uint16_t> elements(3000, 0x3c00);  // 1
  elements[1] = 0x3c01;                               // needs 11 bits
  elements[2] = 0x0001;                               // 2^-24: bf16's exponent 103
  elements[3] = 0x4000;                               // 2
  const F16Weight weight(3, 1000, elements, f16_15());
  EXPECT_EQ(weight.with_exponent(127), 2997);
  EXPECT_EQ(weight.with_exponent(103), 1);
  EXPECT_EQ(weight.with_exponent(128), 1);
  EXPECT_EQ(weight.small(), 2999);
}

// A matrix that no encoding fits is left early; all of it counts as exceptions.
TEST(WeightStatistics, OfAnyNumbersAreNone) {
  std::mt19937_64 random(5);
  std::vector<std::uint32_t> elements(1 << 20);
  for (auto& element : elements) element = static_cast<std::uint32_t>(random());
  const F32Weight weight(1024, 1024, elements, bf16_12());
  EXPECT_EQ(weight.statistics().elements, 1 << 20);
  EXPECT_EQ(weight.small(), 0);
  EXPECT_EQ(weight.statistics().of(bf16_12().statistics[0]), std::vector<std::int64_t>(256));
}

// The table of a constant that computes is that of its values, not that of the weights.
TEST(WeightStatistics, OfAComputedConstantAreCounted) {
  ops::register_all();
  const ir::Module module = ir::parse_module(R"(module m {
  func @main() {
    %0 = weight "w" : bf16[2, 1024]
    %1 = scalar 4.0 : f32
    %2 = mul(%0, %1) : bf16[2, 1024]
    %3 = pack(%2) {layout = <16@0, 2@1, bf16_12>} : bf16[2, 1024]<16@0, 2@1, bf16_12>
    return %3
  }
}
)",
                                             "test");
  const std::vector<std::uint16_t> ones(2048, 0x3f80);
  const TensorSource tensors = [&](const std::string&) {
    return importer::TensorView{"w", DType::kBF16, {2, 1024}, std::as_bytes(std::span(ones))};
  };
  const encoding::WeightStatistics statistics = count_elements(module, tensors, encoding::all_encodings(), 1);
  EXPECT_EQ(statistics.at("w").of(bf16_12().statistics[0])[127], 2048);
  const encoding::Fit fit = constant_fit(*module.find("main")->results[0], statistics, tensors);
  EXPECT_EQ(fit.table[1], 129);
}

// Codes of a quantised format whose numbers an encoding holds need not be read: a row here has no bytes. Those of eight
// bits are, and so are tensors that are no codes.
TEST(WeightStatistics, OfCodesInBlocksFollowFromTheirFormat) {
  ops::register_all();
  const ir::Module module = ir::parse_module(R"(module m {
  func @main() {
    %0 = weight "codes" : i8[2, 256]
    return %0
  }
}
)",
                                             "test");
  for (const blocks::Format& format : blocks::all_formats()) {
    SCOPED_TRACE(format.name);
    const std::vector<std::int8_t> numbers = blocks::numbers_of(format.codes);
    const bool is_byte = numbers.size() == 256;
    const std::vector<std::byte> zeros(is_byte ? static_cast<std::size_t>(2 * 256 / format.elements * format.bytes)
                                               : 0);
    const TensorSource tensors = [&](const std::string&) {
      return importer::TensorView{"w", DType::kF16, {2, 256}, zeros, &format, importer::BlockPart::kCodes};
    };
    const encoding::Statistics found = count_elements(module, tensors, encoding::all_encodings(), 1).at("codes");
    std::vector<std::int64_t> expected(256);
    for (const std::int8_t number : numbers) expected[static_cast<std::uint8_t>(number)] = 1;
    if (is_byte) expected = {512}, expected.resize(256);
    EXPECT_EQ(found.of(encoding::find_encoding("i8_4")->statistics[0]), expected);
    EXPECT_EQ(found.elements, is_byte ? 512 : std::ssize(numbers));
    EXPECT_TRUE(encoding::is_encodable(found));
  }
}

constexpr const char* kTied = R"(module tied {
  symbol seq in MIN..MAX
  func @main(%ids: i32[seq], %x: f32[seq, 220]) {
    %0 = weight "table" : bf16[350, 220]
    %1 = gather(%0, %ids) : f32[seq, 220]
    %2 = add(%1, %x) : f32[seq, 220]
    %3 = matmul_nt(%2, %0) : f32[seq, 350]
    %4 = weight "a" : bf16[70, 350]
    %5 = weight "b" : bf16[30, 350]
    %6 = matmul_nt(%3, %4) : f32[seq, 70]
    %7 = matmul_nt(%3, %5) : f32[seq, 30]
    return %1, %6, %7
  }
}
)";

// The weights' type, that of the checkpoint, and the layout that fits.
struct Form {
  const char* name;
  DType dtype, checkpoint;
  const char* layout;

  friend std::ostream& operator<<(std::ostream& out, const Form& form) { return out << form.name; }
};
const Form kForms[] = {{"Bf16", DType::kBF16, DType::kBF16, "<16@0, 2@1, bf16_12>"},
                       {"F16", DType::kF16, DType::kF16, "<16@0, f16_15>"},
                       {"F16OfBf16", DType::kF16, DType::kBF16, "<16@0, 2@1, bf16_12>"},
                       {"F32OfBf16", DType::kF32, DType::kBF16, "<16@0, 2@1, bf16_12>"},
                       {"F32OfF16", DType::kF32, DType::kF16, "<16@0, f16_15>"}};

std::string tied(const Form& form, int min, int max) {
  std::string text = kTied;
  text.replace(text.find("MIN"), 3, std::to_string(min));
  text.replace(text.find("MAX"), 3, std::to_string(max));
  for (std::size_t at = 0; (at = text.find("bf16", at)) != std::string::npos; at += 3) {
    text.replace(at, 4, dtype_name(form.dtype));
  }
  return text;
}

class EncodedWeights : public ::testing::TestWithParam<std::tuple<std::string, Form, int>> {};

// One row, one row tile, more than one block of rows; with a unit that multiplies pairs and without.
TEST_P(EncodedWeights, EqualsTheInterpreter) {
  const auto& [name, form, rows] = GetParam();
  std::mt19937_64 random(static_cast<std::uint64_t>(rows));
  if (!can_run(name)) GTEST_SKIP() << "this processor is no " << name;
  machine::Machine machine = machine::load(name);
  if (!machine.vector_registers.byte_lookup) GTEST_SKIP() << "no instruction looks bytes up here";
  CompileCase options;
  // Even these small matrices are far away.
  for (std::size_t i = 1; i < machine.memory.size(); ++i) {
    for (auto& [threads, rate] : machine.memory[i].read_bytes_per_s) rate /= 50;
  }
  const TempDir folder(std::filesystem::temp_directory_path(), "strata-test");
  options.machine = (folder.path() / "slow.json").string();
  write_file(options.machine, machine::to_json(machine));
  options.checkpoint_dtypes = {{"table", form.checkpoint}, {"a", form.checkpoint}, {"b", form.checkpoint}};
  options.odd_weights = 9;
  const CompiledFunction compiled(tied(form, rows == 1 ? 1 : 2, std::max(rows, 1)), options, random);
  const std::string plan = ir::to_text(compiled.planned().module);
  std::string layout = form.layout;
  layout.replace(1, 2, std::to_string(machine::vector_lanes(machine, DType::kF32)));
  EXPECT_NE(plan.find(layout), std::string::npos) << plan;
  std::int64_t exceptions = 0;
  for (const auto& entry : compiled.weights().entries()) exceptions += entry.fit.exceptions;
  EXPECT_GT(exceptions, 0);
  const Symbols symbols = {{"seq", rows}};
  std::vector<ir::Value> arguments;
  for (const ir::Expr* parameter : compiled.function().parameters) {
    arguments.push_back(random_value(concrete(parameter->type(), symbols), random, 350));
  }
  const auto expected = compiled.reference(arguments, symbols);
  const double tolerance = form.dtype == DType::kBF16 ? 1e-2 : 1e-5;
  for (const int threads : {1, 3}) {
    const auto got = compiled.run(arguments, symbols, threads);
    EXPECT_EQ(got[0].data, expected[0].data) << "rows of the table are exact";
    for (const std::size_t i : {1, 2}) EXPECT_LE(relative_error(got[i], expected[i]), tolerance) << "result " << i;
  }
}

std::string case_name(const testing::TestParamInfo<EncodedWeights::ParamType>& instance) {
  const auto& [machine, form, rows] = instance.param;
  std::string name = machine + "_" + form.name + "_" + std::to_string(rows);
  std::ranges::replace(name, '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Rows, EncodedWeights,
                         ::testing::Combine(::testing::Values("native", "avx2-generic"), ::testing::ValuesIn(kForms),
                                            ::testing::Values(1, 5, 300)),
                         case_name);

}  // namespace
}  // namespace strata::compile
