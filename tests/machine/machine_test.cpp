// SPDX-License-Identifier: Apache-2.0
#include "machine/machine.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "base/temp_dir.h"
#include "embedded/machines.h"
#include "machine/cost.h"
#include "machine/cpu.h"
#include "machine/native.h"

namespace strata::machine {
namespace {

const char* const kSmall = R"({
  "name": "small", "description": "for tests",
  "target": {"arch": "x86_64", "triple": "x86_64-linux-gnu", "clang_flags": ["-march=x86-64"], "gcc_flags": [],
             "features": []},
  "cores": 2, "vector_registers": {"count": 16, "bytes": 16},
  "memory": [{"name": "DRAM", "capacity_bytes": 1048576, "line_bytes": 64, "shared_by": 2,
              "read_bytes_per_s": {"1": 1e9, "2": 1.5e9}, "latency_s": 1e-7}],
  "units": [{"name": "f32-fma", "dtype": "f32", "accumulator": "f32", "lanes": 4, "k": 1, "ops_per_s": 1e9}],
  "barrier_s": 1e-6, "links": [{"name": "net", "alpha_s": 1e-6, "beta_s_per_byte": 1e-9}]})";

testing::AssertionResult says(const std::string& message, const std::string& part) {
  if (message.find(part) != std::string::npos) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "'" << message << "' does not say '" << part << "'";
}

std::string replaced(const std::string& from, const std::string& to) {
  std::string text = kSmall;
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

// The message with which the text is refused; empty when it is accepted.
std::string refusal(const std::string& json) {
  try {
    machine_from_json(json, "here.json");
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kModel);
    EXPECT_TRUE(says(error.what(), "here.json"));
    return error.what();
  }
  return "";
}

TEST(MachineFile, IsRead) {
  const Machine machine = machine_from_json(kSmall, "here.json");
  EXPECT_EQ(machine.name, "small");
  EXPECT_EQ(machine.target.clang_flags, std::vector<std::string>{"-march=x86-64"});
  EXPECT_EQ(machine.memory.at(0).read_bytes_per_s.at(2), 1.5e9);
  EXPECT_EQ(machine.units.at(0).dtype, DType::kF32);
}

TEST(MachineFile, RoundTrips) {
  for (const EmbeddedFile& file : embedded::machines()) {
    const std::string text = to_json(machine_from_json(file.content, std::string(file.name)));
    EXPECT_EQ(to_json(machine_from_json(text, "again")), text) << file.name;
  }
}

TEST(MachineFile, HasDefaultsForWhatOlderFilesLack) {
  const Machine machine = machine_from_json(kSmall, "here.json");
  EXPECT_EQ(machine.op_overhead_s, Machine().op_overhead_s);
  EXPECT_EQ(machine.storage_read_bytes_per_s, 2e9);
  EXPECT_TRUE(machine.memory.at(0).write_bytes_per_s.empty());
}

TEST(MachineFile, HasAMeshWhoseLastAxisIsTheCores) {
  EXPECT_EQ(mesh(machine_from_json(kSmall, "here.json")), (std::vector<MeshAxis>{{"core", 2}}));
  const auto with = [](const std::string& axes) {
    return replaced("\"cores\": 2", "\"cores\": 2, \"mesh\": [" + axes + "]");
  };
  const Machine machine =
      machine_from_json(with(R"({"name": "rack", "extent": 3}, {"name": "node", "extent": 4})"), "here.json");
  const std::vector<MeshAxis> axes = {{"rack", 3}, {"node", 4}, {"core", 2}};
  EXPECT_EQ(mesh(machine), axes);
  EXPECT_EQ(mesh(machine_from_json(to_json(machine), "again")), axes);
  EXPECT_TRUE(says(refusal(with(R"({"name": "core", "extent": 3})")), "mesh[0].name"));
  EXPECT_TRUE(says(refusal(with(R"({"name": "a", "extent": 3}, {"name": "a", "extent": 3})")), "mesh[1].name"));
  EXPECT_TRUE(says(refusal(with(R"({"name": "a", "extent": 0})")), "mesh[0].extent"));
  EXPECT_TRUE(says(refusal(with(R"({"name": "a", "extent": 4096}, {"name": "b", "extent": 4096})")), "mesh[1].extent"));
  EXPECT_TRUE(says(refusal(with(R"({"name": "a", "extent": 4096}, {"name": "b", "extent": 17})")), "at most 65536"));
}

TEST(MachineFile, AMeshHasLinksByTheSizeOfMessages) {
  const auto with = [](const std::string& link) {
    return replaced("\"cores\": 2", R"("cores": 2, "mesh": [{"name": "node", "extent": 4, "link": )" + link + "}]");
  };
  const std::string good = R"({"latency_s": {"16384": 3e-6, "0": 1e-6}, "bytes_per_s": 1e9})";
  const Machine machine = machine_from_json(to_json(machine_from_json(with(good), "here.json")), "again");
  const Link& link = machine.machines.at(0).link.value();
  EXPECT_EQ(link, (Link{{{0, 1e-6}, {16384, 3e-6}}, 1e9}));
  EXPECT_EQ(link.latency(0), 1e-6);
  EXPECT_EQ(link.latency(16383.5), 1e-6);
  EXPECT_EQ(link.latency(16384), 3e-6);
  const auto says_of = [&](const std::string& wrong, const std::string& what) {
    EXPECT_TRUE(says(refusal(with(wrong)), what)) << refusal(with(wrong));
  };
  says_of(R"({"latency_s": {"0": 1e-6}})", "mesh[0].link.bytes_per_s");
  says_of(R"({"latency_s": {"1": 1e-6}, "bytes_per_s": 1e9})", "mesh[0].link.latency_s.0");
  says_of(R"({"latency_s": {"0": 1e-6, "x": 1}, "bytes_per_s": 1e9})", "mesh[0].link.latency_s.x");
  says_of(R"({"latency_s": {"0": 11}, "bytes_per_s": 1e9})", "mesh[0].link.latency_s.0");
  says_of(R"({"latency_s": {"0": -1}, "bytes_per_s": 1e9})", "mesh[0].link.latency_s.0");
  says_of(R"({"latency_s": {"0": 1e-6}, "bytes_per_s": 0})", "mesh[0].link.bytes_per_s");
  says_of(R"({"latency_s": {"0": 1e-6}, "bytes_per_s": 1e9, "width": 3})", "mesh[0].link.width");
  says_of("3", "mesh[0].link");
}

TEST(MachineFile, OptionalFiguresAreReadAndWritten) {
  const std::string text =
      replaced("\"barrier_s\": 1e-6", R"("barrier_s": 1e-6, "op_overhead_s": 5e-9, "storage_read_bytes_per_s": 3e9)");
  Machine machine = machine_from_json(text, "here.json");
  EXPECT_EQ(machine.op_overhead_s, 5e-9);
  EXPECT_EQ(machine.storage_read_bytes_per_s, 3e9);
  machine.memory.at(0).write_bytes_per_s = {{1, 4e8}, {2, 7e8}};
  const Machine again = machine_from_json(to_json(machine), "again");
  EXPECT_EQ(again.op_overhead_s, 5e-9);
  EXPECT_EQ(again.storage_read_bytes_per_s, 3e9);
  EXPECT_EQ(again.memory.at(0).write_bytes_per_s, machine.memory.at(0).write_bytes_per_s);
}

TEST(MachineFile, StreamsAndProcessorsAreReadAndWritten) {
  const std::string text =
      replaced("\"cores\": 2",
               R"("cores": 2, "tile_streams": [{"element_bits": 16, "panels": 1, "ahead_bytes": 2048, "locality": 1}],
      "streams": [{"element_bits": 16, "panels": 4, "ahead_bytes": 512, "locality": 3}],
      "processors": [{"vendor": "Maker", "family": 7, "first_model": 1, "last_model": 3}])");
  const Machine machine = machine_from_json(to_json(machine_from_json(text, "here.json")), "again");
  EXPECT_EQ(stream(machine, 16), (Stream{16, 4, 512, 3}));
  EXPECT_EQ(stream(machine, 32), (Stream{32, 1, 4096, 0})) << "as Stream's defaults say";
  EXPECT_EQ(tile_stream(machine, 16), (Stream{16, 1, 2048, 1}));
  EXPECT_EQ(tile_stream(machine, 12), (Stream{12, 1, 4096, 2})) << "a list replaces the default";
  EXPECT_EQ(tile_stream(machine_from_json(kSmall, "here.json"), 12), (Stream{12, 1, 8192, 2}));
  ASSERT_EQ(machine.processors.size(), 1u);
  EXPECT_EQ(machine.processors[0].vendor, "Maker");
  EXPECT_EQ(machine.processors[0].last_model, 3);
}

TEST(MachineFile, CostsOfACoreAreReadAndWritten) {
  EXPECT_EQ(machine_from_json(kSmall, "here.json").core, CoreCosts()) << "older files have none";
  const std::string text = replaced("\"cores\": 2", R"("cores": 2, "core": {
      "scalar_slots": {"exp": 11.5}, "decode_slots": {"bf16_12": 4.5}, "reduction_step_slots": 3, "misses_in_flight": 20,
      "fma_latency_slots": 5, "tile_store_slots": 12, "block_share": 0.75, "near_share": 0.5, "cold_lines": 1, "page_walks_in_flight": 4,
      "pages_walked": 128, "reused_share": 0.5, "reused_of_shared": 0.25, "grain_elements": 1024})");
  const Machine machine = machine_from_json(to_json(machine_from_json(text, "here.json")), "again");
  EXPECT_EQ(machine.core.scalar_slots.at("exp"), 11.5);
  EXPECT_EQ(machine.core.scalar_slots.at("div"), CoreCosts().scalar_slots.at("div")) << "the others stay";
  EXPECT_EQ(machine.core.decode_slots, (std::map<std::string, double>{{"bf16_12", 4.5}}));
  EXPECT_EQ(machine.core.reduction_step_slots, 3);
  EXPECT_EQ(machine.core.misses_in_flight, 20);
  EXPECT_EQ(machine.core.fma_latency_slots, 5);
  EXPECT_EQ(machine.core.cold_lines, 1);
  EXPECT_EQ(machine.core.page_walks_in_flight, 4);
  EXPECT_EQ(machine.core.pages_walked, 128);
  EXPECT_EQ(machine.core.reused_share, 0.5);
  EXPECT_EQ(machine.core.tile_store_slots, 12);
  EXPECT_EQ(machine.core.block_share, 0.75);
  EXPECT_EQ(machine.core.near_share, 0.5);
  EXPECT_EQ(machine.core.reused_of_shared, 0.25);
  EXPECT_EQ(machine.core.grain_elements, 1024);
}

TEST(MachineFile, RefusesCostsOfACoreOutOfRange) {
  const auto with = [](const std::string& core) {
    return refusal(replaced("\"cores\": 2", "\"cores\": 2, \"core\": " + core));
  };
  EXPECT_EQ(with("{}"), "");
  EXPECT_TRUE(says(with("[]"), "'core' must be an object"));
  EXPECT_TRUE(says(with("{\"scalar_slots\": {\"gamma\": 3}}"), "'core.scalar_slots.gamma' is not known"));
  EXPECT_TRUE(says(with("{\"scalar_slots\": {\"exp\": 0}}"), "'core.scalar_slots.exp' must be a number from"));
  EXPECT_TRUE(says(with("{\"scalar_slots\": 3}"), "'core.scalar_slots' must be an object"));
  EXPECT_TRUE(says(with("{\"decode_slots\": {\"a b\": 3}}"), "is not known"));
  EXPECT_TRUE(says(with("{\"decode_slots\": {\"bf16_12\": -1}}"), "'core.decode_slots.bf16_12'"));
  EXPECT_TRUE(says(with("{\"misses_in_flight\": 0}"), "'core.misses_in_flight' must be a number from 1"));
  EXPECT_TRUE(says(with("{\"page_walks_in_flight\": \"2\"}"), "'core.page_walks_in_flight'"));
  EXPECT_TRUE(says(with("{\"grain_elements\": 0}"), "'core.grain_elements' must be an integer from 1"));
  EXPECT_TRUE(says(with("{\"reused_share\": 0}"), "'core.reused_share' must be a number from"));
  EXPECT_TRUE(says(with("{\"grain\": 1}"), "'core.grain' is not known"));
}

TEST(MachineFile, RefusesOptionalFiguresOutOfRange) {
  const auto with = [](const std::string& more) {
    return refusal(replaced("\"barrier_s\": 1e-6", "\"barrier_s\": 1e-6, " + more));
  };
  EXPECT_EQ(with("\"op_overhead_s\": 0"), "");
  EXPECT_TRUE(says(with("\"op_overhead_s\": -1e-9"), "'op_overhead_s' must be a number from 0"));
  EXPECT_TRUE(says(with("\"op_overhead_s\": 11"), "'op_overhead_s'"));
  EXPECT_TRUE(says(with("\"op_overhead_s\": \"5 ns\""), "'op_overhead_s'"));
  EXPECT_TRUE(says(with("\"op_overhead_ns\": 5"), "'op_overhead_ns' is not known"));
  EXPECT_TRUE(says(with("\"storage_read_bytes_per_s\": 0"), "'storage_read_bytes_per_s'"));
  EXPECT_TRUE(says(with("\"storage_read_bytes_per_s\": {\"1\": 2e9}"), "'storage_read_bytes_per_s'"));
  const auto level = [](const std::string& more) {
    return refusal(replaced("\"latency_s\"", more + ", \"latency_s\""));
  };
  EXPECT_EQ(level("\"write_bytes_per_s\": {\"1\": 1e9}"), "");
  EXPECT_TRUE(says(level("\"write_bytes_per_s\": {\"2\": 1e9}"), "'memory[0].write_bytes_per_s.1'"));
  EXPECT_TRUE(says(level("\"write_bytes_per_s\": {\"1\": 0}"), "'memory[0].write_bytes_per_s.1'"));
  EXPECT_TRUE(says(level("\"write_bytes_per_s\": 1e9"), "'memory[0].write_bytes_per_s'"));
}

TEST(MachineFile, RefusesAnUnknownKey) {
  EXPECT_TRUE(says(refusal(replaced("\"lanes\"", "\"lames\": 3, \"lanes\"")), "'units[0].lames' is not known"));
  EXPECT_TRUE(says(refusal(replaced("\"cores\": 2", "\"cores\": 2, \"tlb\": 1")), "'tlb' is not known"));
}

TEST(MachineFile, RefusesAMissingKey) {
  EXPECT_TRUE(says(refusal(replaced(", \"latency_s\": 1e-7", "")), "'memory[0].latency_s' is missing"));
}

TEST(MachineFile, RefusesValuesOutOfRange) {
  EXPECT_TRUE(says(refusal(replaced("\"cores\": 2", "\"cores\": 0")), "'cores' must be an integer from 1"));
  EXPECT_TRUE(says(refusal(replaced("\"cores\": 2", "\"cores\": 1e3")), "'cores'"));
  EXPECT_TRUE(says(refusal(replaced("\"cores\": 2", "\"cores\": 18446744073709551615")), "'cores'"));
  EXPECT_TRUE(says(refusal(replaced("\"cores\": 2", "\"cores\": \"2\"")), "'cores'"));
  EXPECT_TRUE(says(refusal(replaced("\"bytes\": 16", "\"bytes\": 24")), "'vector_registers.bytes' must be a power"));
  EXPECT_TRUE(
      says(refusal(replaced("\"bytes\": 16", "\"masks\": 1, \"bytes\": 16")), "'vector_registers.masks' must be"));
  EXPECT_TRUE(says(refusal(replaced("\"cores\": 2", "\"contention\": 1.5, \"cores\": 2")), "'contention' must be"));
  EXPECT_TRUE(says(refusal(replaced("\"ops_per_s\": 1e9", "\"ops_per_s\": -1")), "'units[0].ops_per_s'"));
  EXPECT_TRUE(says(refusal(replaced("\"dtype\": \"f32\"", "\"dtype\": \"f31\"")), "'units[0].dtype'"));
  EXPECT_TRUE(says(refusal(replaced("\"1\": 1e9, ", "")), "'memory[0].read_bytes_per_s.1'"));
  EXPECT_TRUE(says(refusal(replaced("\"2\": 1.5e9", "\"two\": 1e9")), "'memory[0].read_bytes_per_s.two'"));
  EXPECT_TRUE(says(refusal(replaced("\"k\": 1", "\"k\": 2")), "'units'"));
}

// Its words reach generated code, the compiler's command line and the terminal.
// The innermost level of several may be one that software manages, of one core each.
TEST(MachineFile, AManagedLevelIsTheInnermostOfOneCore) {
  const std::string dram = R"({"name": "DRAM", "capacity_bytes": 1048576, "line_bytes": 64, "shared_by": 2,)";
  const auto with = [&](const std::string& first, const std::string& second) {
    const std::string rest = R"("line_bytes": 64, "read_bytes_per_s": {"1": 1e9}, "latency_s": 1e-9)";
    return replaced("\"memory\": [" + dram,
                    "\"memory\": [{\"name\": \"near\", \"capacity_bytes\": 65536, " + rest + first +
                        "}, {\"name\": \"DRAM\", \"capacity_bytes\": 1048576, \"line_bytes\": 64, " +
                        "\"shared_by\": 2" + second + ",");
  };
  const Machine machine = machine_from_json(with(", \"shared_by\": 1, \"managed\": true", ""), "test");
  ASSERT_NE(managed_level(machine), nullptr);
  EXPECT_EQ(managed_level(machine)->name, "near");
  EXPECT_EQ(managed_level(machine_from_json(to_json(machine), "again"))->capacity_bytes, 65536);
  EXPECT_EQ(managed_level(machine_from_json(kSmall, "small")), nullptr);
  EXPECT_EQ(to_json(machine_from_json(kSmall, "small")).find("managed"), std::string::npos);
  EXPECT_TRUE(says(refusal(with(", \"shared_by\": 1", ", \"managed\": true")), "'memory[1].managed'"));
  EXPECT_TRUE(says(refusal(with(", \"shared_by\": 2, \"managed\": true", "")), "'memory[0].shared_by'"));
  EXPECT_TRUE(says(refusal(with(", \"shared_by\": 1, \"managed\": 1", "")), "'memory[0].managed'"));
  EXPECT_TRUE(
      says(refusal(replaced("\"shared_by\": 2,", "\"shared_by\": 1, \"managed\": true,")), "'memory[0].managed'"));
}

TEST(MachineFile, RefusesWordsThatCouldBeMore) {
  const Machine machine = machine_from_json(kSmall, "here.json");
  const std::string name = "\"name\": \"" + machine.name + "\"";
  EXPECT_TRUE(says(refusal(replaced(name, R"("name": "x\nint run();")")), "'name' must be a word"));
  EXPECT_TRUE(says(refusal(replaced(name, R"("name": "x\\")")), "'name' must be a word"));
  EXPECT_TRUE(says(refusal(replaced(name, "\"name\": \"\"")), "'name' must be a word"));
  EXPECT_TRUE(says(refusal(replaced("\"description\": \"", R"("description": "\u001b[31m)")), "'description'"));
  EXPECT_TRUE(says(refusal(replaced("x86_64-linux-gnu", "../evil")), "'target.triple' must be a triple"));
  EXPECT_TRUE(says(refusal(replaced("\"arch\": \"x86_64\"", "\"arch\": \"x86 64\"")), "'target.arch' must be a word"));
  const auto with_flags = [](const std::string& flags) {
    return refusal(replaced("\"clang_flags\": [\"-march=x86-64\"]", "\"clang_flags\": [" + flags + "]"));
  };
  EXPECT_EQ(with_flags("\"-march=native\", \"-mavx2\""), "");
  EXPECT_TRUE(says(with_flags("\"-fplugin=/x.so\""), "not '-fplugin=/x.so'"));
  EXPECT_TRUE(says(with_flags("\"-mavx2\", \"-Xclang\", \"-load\""), "'target.clang_flags' must be flags"));
  EXPECT_TRUE(says(refusal(replaced("\"gcc_flags\": []", "\"gcc_flags\": [\"-wrapper\"]")), "'target.gcc_flags'"));
}

TEST(MachineFile, RefusesWhatIsNotAnObject) {
  EXPECT_NE(refusal("[]"), "");
  EXPECT_NE(refusal("{"), "");
  EXPECT_NE(refusal(""), "");
}

TEST(Load, KnowsEveryEmbeddedMachineByItsOwnName) {
  ASSERT_GE(embedded::machines().size(), 5u);
  EXPECT_EQ(known_machines().front(), "native");
  for (const std::string& name : known_machines()) {
    if (name == "native") continue;
    EXPECT_EQ(load(name).name, name);
  }
}

TEST(Load, AnUnknownNameListsTheKnownOnes) {
  try {
    load("z80");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    EXPECT_TRUE(says(error.what(), "'z80' is not known"));
    EXPECT_TRUE(says(error.what(), "native, avx2-generic, avx2-zen3, avx512-zen4, avx512-zen5"));
  }
}

TEST(Load, AMissingFileIsAUsageError) {
  try {
    load("/nonexistent/machine.json");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    EXPECT_TRUE(says(error.what(), "/nonexistent/machine.json"));
  }
}

TEST(Load, ReadsAFile) {
  const TempDir folder(std::filesystem::temp_directory_path());
  const auto path = folder.path() / "mine.json";
  std::ofstream(path) << kSmall;
  EXPECT_EQ(load(path.string()).name, "small");
}

TEST(Native, IsDeterministicAndPassesItsOwnSchema) {
  const Machine machine = native("");
  EXPECT_EQ(to_json(native("")), to_json(machine));
  EXPECT_EQ(to_json(machine_from_json(to_json(machine), "native")), to_json(machine));
  EXPECT_EQ(machine.target.arch, host_arch());
  EXPECT_EQ(machine.target.features, detected_features());
  EXPECT_EQ(machine.memory.back().name, "DRAM");
}

TEST(Native, TakesRatesFromItsCalibration) {
  const TempDir folder(std::filesystem::temp_directory_path());
  const auto path = folder.path() / "machine.json";
  Machine measured = native("");
  measured.name = "calibrated";
  measured.units.at(0).ops_per_s = 123456789;
  measured.memory.back().read_bytes_per_s[1] = 987654321;
  measured.op_overhead_s = 7e-9;
  measured.storage_read_bytes_per_s = 123;
  std::ofstream(path) << to_json(measured);
  const Machine machine = native(path);
  EXPECT_EQ(machine.units.at(0).ops_per_s, 123456789);
  EXPECT_EQ(machine.memory.back().read_bytes_per_s.at(1), 987654321);
  EXPECT_EQ(machine.op_overhead_s, 7e-9);
  EXPECT_EQ(machine.storage_read_bytes_per_s, 123);
  EXPECT_EQ(machine.name, native("").name);
}

TEST(Native, IgnoresAnotherMachinesCalibration) {
  const TempDir folder(std::filesystem::temp_directory_path());
  const auto path = folder.path() / "machine.json";
  Machine other = native("");
  other.target.features.push_back("not-here");
  other.units.at(0).ops_per_s = 123456789;
  std::ofstream(path) << to_json(other);
  EXPECT_EQ(to_json(native(path)), to_json(native("")));
}

TEST(Native, RefusesAMalformedCalibration) {
  const TempDir folder(std::filesystem::temp_directory_path());
  const auto path = folder.path() / "machine.json";
  std::ofstream(path) << "{}";
  try {
    native(path);
    FAIL() << "nothing is measured";
  } catch (const Error& error) {
    const std::string message = error.what();
    EXPECT_NE(message.find(path.string()), std::string::npos) << message;
    EXPECT_NE(message.find("`strata calibrate`"), std::string::npos) << message;
  }
}

// A processor as the operating system describes it: two cores of two threads, offline ones without topology.
class DescribedHardware : public testing::Test {
 protected:
  DescribedHardware() : folder_(std::filesystem::temp_directory_path()) {
    paths_ = {folder_.path() / "cpu", folder_.path() / "cpuinfo", folder_.path() / "meminfo"};
    for (const auto& [name, siblings] : {std::pair{"cpu0", "0,2"}, {"cpu1", "1,3"}, {"cpu2", "0,2"}, {"cpu3", "1,3"}}) {
      write(std::string(name) + "/topology/thread_siblings_list", siblings);
    }
    std::filesystem::create_directories(paths_.cpu / "cpu4");
    std::filesystem::create_directories(paths_.cpu / "cpufreq");
    cache(0, "1", "Data", "48K", "0,2");
    cache(1, "1", "Instruction", "32K", "0,2");
    cache(2, "2", "Unified", "2048K", "0,2");
    cache(3, "3", "Unified", "36M", "0-3");
    std::ofstream(paths_.meminfo) << "MemTotal:       24684092 kB\n";
  }

  void write(const std::string& name, const std::string& content) {
    std::filesystem::create_directories((paths_.cpu / name).parent_path());
    std::ofstream(paths_.cpu / name) << content << "\n";
  }

  void cache(int index, const char* level, const char* type, const char* size, const char* shared) {
    const std::string folder = "cpu0/cache/index" + std::to_string(index) + "/";
    write(folder + "level", level);
    write(folder + "type", type);
    write(folder + "size", size);
    write(folder + "coherency_line_size", "64");
    write(folder + "shared_cpu_list", shared);
  }

  TempDir folder_;
  SystemPaths paths_;
};

TEST_F(DescribedHardware, CountsCoresNotThreads) { EXPECT_EQ(physical_cores(paths_), 2); }

TEST_F(DescribedHardware, HasItsDataCachesAndMemory) {
  const auto levels = memory_levels(paths_, 2, 64, 3e9);
  ASSERT_EQ(levels.size(), 4u);
  EXPECT_EQ(levels[0].capacity_bytes, 48 << 10);
  EXPECT_EQ(levels[0].shared_by, 1);
  EXPECT_EQ(levels[1].capacity_bytes, 2 << 20);
  EXPECT_EQ(levels[2].capacity_bytes, 36 << 20);
  EXPECT_EQ(levels[2].shared_by, 2);
  EXPECT_EQ(levels[3].name, "DRAM");
  EXPECT_EQ(levels[3].capacity_bytes, std::int64_t{23} << 30);
}

TEST_F(DescribedHardware, TakesItsNominalFrequency) {
  const double unknown = nominal_hertz(paths_);
  EXPECT_GE(unknown, 1e9);
  write("cpu0/cpufreq/cpuinfo_max_freq", "4213000");
  EXPECT_EQ(nominal_hertz(paths_), 4.2e9);
  write("cpu0/cpufreq/cpuinfo_max_freq", "0");
  EXPECT_EQ(nominal_hertz(paths_), unknown);
}

TEST_F(DescribedHardware, IsFoundAmongTheMachinesByItsProcessor) {
  const auto name_of = [&](const std::string& family, const std::string& model) {
    std::ofstream(paths_.cpuinfo) << "processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: " << family
                                  << "\nmodel\t\t: " << model << "\nmodel name\t: AMD EPYC\n";
    const auto machine = machine_of(paths_);
    return machine ? machine->name : "";
  };
  EXPECT_EQ(name_of("25", "1"), "avx2-zen3");
  EXPECT_EQ(name_of("25", "17"), "avx512-zen4");
  EXPECT_EQ(name_of("26", "2"), "avx512-zen5");
  EXPECT_EQ(name_of("23", "49"), "") << "Zen 2";
  std::filesystem::remove(paths_.cpuinfo);
  EXPECT_FALSE(machine_of(paths_).has_value());
}

TEST(Native, TakesTheRatesOfACoreFromAMachineOfItsProcessor) {
  Machine machine = machine_from_json(kSmall, "here.json");
  Machine known = machine;
  known.memory[0].read_bytes_per_s = {{1, 3e9}, {64, 100e9}};
  known.units[0].ops_per_s = 7e9;
  known.units.push_back(known.units[0]);
  known.units.back().lanes = 99;
  known.streams = {{32, 2, 0, 0}};
  take_core_rates(machine, known);
  EXPECT_EQ(machine.memory[0].read_bytes_per_s, (std::map<int, double>{{1, 3e9}, {2, 4.5e9}}));
  EXPECT_EQ(machine.units.size(), 1u);
  EXPECT_EQ(machine.units[0].ops_per_s, 7e9);
  EXPECT_EQ(machine.streams, known.streams);
}

TEST_F(DescribedHardware, WithoutADescriptionThereIsStillACore) {
  std::filesystem::remove_all(paths_.cpu);
  std::filesystem::remove(paths_.meminfo);
  EXPECT_EQ(physical_cores(paths_), 1);
  const auto levels = memory_levels(paths_, 1, 16, 3e9);
  ASSERT_EQ(levels.size(), 3u);
  EXPECT_GE(levels.back().capacity_bytes, 1 << 30);
}

TEST(CalibrationPath, LiesInTheCacheFolder) {
  setenv("STRATA_CACHE", "/a", 1);
  EXPECT_EQ(calibration_path(), "/a/machine.json");
  for (const char* name : {"STRATA_CACHE", "XDG_CACHE_HOME", "HOME"}) unsetenv(name);
  EXPECT_EQ(calibration_path(), "");
}

}  // namespace
}  // namespace strata::machine
