// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "machine/cost.h"
#include "machine/file_reader.h"
#include "machine/machine.h"

namespace strata::machine {
namespace {

using Json = nlohmann::json;
using OrderedJson = nlohmann::ordered_json;

constexpr double kMaxSeconds = 10;
constexpr int kMaxMachines = 1 << 16;

Target read_target(FileReader reader) {
  Target target;
  target.arch = reader.word("arch");
  target.triple = reader.triple("triple");
  target.clang_flags = reader.target_flags("clang_flags");
  target.gcc_flags = reader.target_flags("gcc_flags");
  target.features = reader.words("features");
  reader.finish();
  return target;
}

MemoryLevel read_level(FileReader& reader) {
  MemoryLevel level;
  level.name = reader.word("name");
  level.capacity_bytes = reader.integer("capacity_bytes", 1024, std::int64_t{1} << 50);
  level.line_bytes = reader.integer("line_bytes", 8, 4096);
  level.shared_by = reader.small("shared_by", 1, 4096);
  level.read_bytes_per_s = reader.rates_by_threads("read_bytes_per_s");
  level.write_bytes_per_s = reader.rates_by_threads_or_none("write_bytes_per_s");
  level.latency_s = reader.real("latency_s", 0, kMaxSeconds);
  level.managed = reader.flag_or("managed", false);
  reader.finish();
  return level;
}

// All levels between a managed one and the registers would have to be copied into too.
std::vector<MemoryLevel> read_memory(FileReader& machine) {
  std::vector<MemoryLevel> memory;
  std::vector<FileReader> levels = machine.objects("memory");
  for (FileReader& reader : levels) {
    memory.push_back(read_level(reader));
    if (!memory.back().managed) continue;
    if (memory.size() > 1) reader.refuse("managed", "true of the innermost level alone");
    if (levels.size() == 1) reader.refuse("managed", "false of the last level");
    if (memory.back().shared_by > 1) reader.refuse("shared_by", "1 of a level that is managed");
  }
  return memory;
}

Unit read_unit(FileReader& reader) {
  Unit unit;
  unit.name = reader.word("name");
  unit.dtype = reader.dtype("dtype");
  unit.accumulator = reader.dtype("accumulator");
  unit.lanes = reader.small("lanes", 1, 4096);
  unit.k = reader.small("k", 1, 64);
  unit.ops_per_s = reader.rate("ops_per_s");
  reader.finish();
  return unit;
}

Processors read_processors(FileReader& reader) {
  constexpr int kMax = 1 << 16;
  Processors processors;
  processors.vendor = reader.word("vendor");
  processors.family = reader.small("family", 0, kMax);
  processors.first_model = reader.small("first_model", 0, kMax);
  processors.last_model = reader.small("last_model", processors.first_model, kMax);
  reader.finish();
  return processors;
}

Link read_link(FileReader reader) {
  Link link;
  link.latency_s = reader.seconds_by_bytes("latency_s");
  link.bytes_per_s = reader.rate("bytes_per_s");
  reader.finish();
  return link;
}

MeshAxis read_mesh_axis(FileReader& reader, const std::vector<MeshAxis>& outer) {
  MeshAxis axis;
  axis.name = reader.word("name");
  const bool is_known = std::ranges::find(outer, axis.name, &MeshAxis::name) != outer.end();
  if (axis.name == kCoreAxis || is_known) reader.refuse("name", "a name that no other axis of the mesh has");
  int machines = 1;
  for (const MeshAxis& known : outer) machines *= known.extent;
  axis.extent = reader.small("extent", 1, kMaxMachines);
  if (axis.extent > kMaxMachines / machines) {
    reader.refuse("extent",
                  "so small that all axes together have at most " + std::to_string(kMaxMachines) + " machines");
  }
  if (const auto link = reader.object_or_none("link")) axis.link = read_link(*link);
  reader.finish();
  return axis;
}

Stream read_stream(FileReader& reader) {
  Stream stream;
  stream.element_bits = reader.small("element_bits", 1, 64);
  stream.panels = reader.small("panels", 1, 8);
  stream.ahead_bytes = reader.small("ahead_bytes", 0, 1 << 20);
  stream.locality = reader.small("locality", 0, 3);
  reader.finish();
  return stream;
}

CoreCosts read_core(FileReader reader) {
  constexpr double kMostSlots = 1e5;
  CoreCosts core;
  reader.take_reals("scalar_slots", core.scalar_slots, true, 0.01, kMostSlots);
  reader.take_reals("decode_slots", core.decode_slots, false, 0, kMostSlots);
  core.fma_latency_slots = reader.real_or("fma_latency_slots", core.fma_latency_slots, 1, kMostSlots);
  core.reduction_step_slots = reader.real_or("reduction_step_slots", core.reduction_step_slots, 0, kMostSlots);
  core.tile_store_slots = reader.real_or("tile_store_slots", core.tile_store_slots, 0, kMostSlots);
  core.misses_in_flight = reader.real_or("misses_in_flight", core.misses_in_flight, 1, 1e6);
  core.cold_lines = reader.real_or("cold_lines", core.cold_lines, 0, 1e6);
  core.page_walks_in_flight = reader.real_or("page_walks_in_flight", core.page_walks_in_flight, 1, 1e6);
  core.reused_share = reader.real_or("reused_share", core.reused_share, 1e-6, 1);
  core.reused_of_shared = reader.real_or("reused_of_shared", core.reused_of_shared, 1e-6, 1);
  core.block_share = reader.real_or("block_share", core.block_share, 1e-6, 1);
  core.near_share = reader.real_or("near_share", core.near_share, 1e-6, 1);
  core.pages_walked = reader.real_or("pages_walked", core.pages_walked, 0, 1e9);
  core.grain_elements = reader.integer_or("grain_elements", core.grain_elements, 1, std::int64_t{1} << 30);
  reader.finish();
  return core;
}

VectorRegisters read_registers(FileReader reader) {
  VectorRegisters registers;
  registers.count = reader.small("count", 4, 1024);
  registers.bytes = reader.small("bytes", 4, 8192);
  if ((registers.bytes & (registers.bytes - 1)) != 0) reader.refuse("bytes", "a power of two");
  registers.masks = reader.flag_or("masks", false);
  registers.byte_lookup = reader.flag_or("byte_lookup", false);
  reader.finish();
  return registers;
}

Machine read_machine(FileReader reader) {
  Machine machine;
  machine.name = reader.word("name");
  machine.description = reader.plain_text_or("description", "");
  machine.target = read_target(reader.object("target"));
  for (FileReader& entry : reader.objects_or_none("processors")) machine.processors.push_back(read_processors(entry));
  machine.cores = reader.small("cores", 1, 4096);
  for (FileReader& axis : reader.objects_or_none("mesh")) {
    machine.machines.push_back(read_mesh_axis(axis, machine.machines));
  }
  machine.vector_registers = read_registers(reader.object("vector_registers"));
  machine.memory = read_memory(reader);
  for (FileReader& unit : reader.objects("units")) machine.units.push_back(read_unit(unit));
  for (FileReader& stream : reader.objects_or_none("streams")) machine.streams.push_back(read_stream(stream));
  std::vector<Stream> tile_streams;
  for (FileReader& stream : reader.objects_or_none("tile_streams")) tile_streams.push_back(read_stream(stream));
  if (!tile_streams.empty()) machine.tile_streams = std::move(tile_streams);
  if (const auto core = reader.object_or_none("core")) machine.core = read_core(*core);
  machine.barrier_s = reader.real("barrier_s", 0, kMaxSeconds);
  machine.op_overhead_s = reader.real_or("op_overhead_s", machine.op_overhead_s, 0, kMaxSeconds);
  machine.contention = reader.real_or("contention", machine.contention, 0, 1);
  machine.storage_read_bytes_per_s =
      reader.real_or("storage_read_bytes_per_s", machine.storage_read_bytes_per_s, 1, FileReader::kMaxRate);
  reader.pass_over("links");  // of files that earlier versions wrote
  if (machine.memory.empty()) reader.refuse("memory", "a list of at least one level");
  if (fma_unit(machine, DType::kF32) == nullptr) reader.refuse("units", "a list with an f32 unit of k = 1");
  reader.finish();
  return machine;
}

OrderedJson mesh_json(const std::vector<MeshAxis>& axes) {
  OrderedJson json = OrderedJson::array();
  for (const MeshAxis& axis : axes) {
    OrderedJson entry = {{"name", axis.name}, {"extent", axis.extent}};
    if (axis.link) {
      OrderedJson latencies = OrderedJson::object();
      for (const auto& [bytes, seconds] : axis.link->latency_s) latencies[std::to_string(bytes)] = seconds;
      entry["link"] = {{"latency_s", std::move(latencies)}, {"bytes_per_s", axis.link->bytes_per_s}};
    }
    json.push_back(std::move(entry));
  }
  return json;
}

OrderedJson streams_json(const std::vector<Stream>& streams) {
  OrderedJson json = OrderedJson::array();
  for (const Stream& stream : streams) {
    json.push_back({{"element_bits", stream.element_bits},
                    {"panels", stream.panels},
                    {"ahead_bytes", stream.ahead_bytes},
                    {"locality", stream.locality}});
  }
  return json;
}

}  // namespace

double Link::latency(double bytes) const {
  double seconds = 0;
  for (const auto& [least, latency] : latency_s) {
    if (bytes >= static_cast<double>(least)) seconds = latency;
  }
  return seconds;
}

std::vector<MeshAxis> mesh(const Machine& machine) {
  std::vector<MeshAxis> axes = machine.machines;
  axes.push_back({std::string(kCoreAxis), machine.cores});
  return axes;
}

Machine machine_from_json(std::string_view json, const std::string& origin) {
  const Json parsed =
      parse_json(json, origin, {.max_bytes = std::size_t{1} << 20, .max_depth = 16, .unique_keys = true});
  return read_machine(FileReader(parsed, "", origin));
}

std::string to_json(const Machine& machine) {
  const auto rates_by_threads = [](const std::map<int, double>& rates) {
    OrderedJson json = OrderedJson::object();
    for (const auto& [threads, rate] : rates) json[std::to_string(threads)] = rate;
    return json;
  };
  OrderedJson json;
  json["name"] = machine.name;
  json["description"] = machine.description;
  const Target& target = machine.target;
  json["target"] = {{"arch", target.arch},
                    {"triple", target.triple},
                    {"clang_flags", target.clang_flags},
                    {"gcc_flags", target.gcc_flags},
                    {"features", target.features}};
  json["processors"] = OrderedJson::array();
  for (const Processors& processors : machine.processors) {
    json["processors"].push_back({{"vendor", processors.vendor},
                                  {"family", processors.family},
                                  {"first_model", processors.first_model},
                                  {"last_model", processors.last_model}});
  }
  json["cores"] = machine.cores;
  json["mesh"] = mesh_json(machine.machines);
  json["vector_registers"] = {{"count", machine.vector_registers.count},
                              {"bytes", machine.vector_registers.bytes},
                              {"masks", machine.vector_registers.masks},
                              {"byte_lookup", machine.vector_registers.byte_lookup}};
  json["memory"] = OrderedJson::array();
  for (const MemoryLevel& level : machine.memory) {
    OrderedJson entry = {{"name", level.name},
                         {"capacity_bytes", level.capacity_bytes},
                         {"line_bytes", level.line_bytes},
                         {"shared_by", level.shared_by},
                         {"read_bytes_per_s", rates_by_threads(level.read_bytes_per_s)}};
    if (!level.write_bytes_per_s.empty()) entry["write_bytes_per_s"] = rates_by_threads(level.write_bytes_per_s);
    entry["latency_s"] = level.latency_s;
    if (level.managed) entry["managed"] = true;
    json["memory"].push_back(std::move(entry));
  }
  json["units"] = OrderedJson::array();
  for (const Unit& unit : machine.units) {
    json["units"].push_back({{"name", unit.name},
                             {"dtype", dtype_name(unit.dtype)},
                             {"accumulator", dtype_name(unit.accumulator)},
                             {"lanes", unit.lanes},
                             {"k", unit.k},
                             {"ops_per_s", unit.ops_per_s}});
  }
  json["streams"] = streams_json(machine.streams);
  json["tile_streams"] = streams_json(machine.tile_streams);
  const CoreCosts& core = machine.core;
  json["core"] = {{"scalar_slots", core.scalar_slots},
                  {"decode_slots", core.decode_slots},
                  {"fma_latency_slots", core.fma_latency_slots},
                  {"reduction_step_slots", core.reduction_step_slots},
                  {"tile_store_slots", core.tile_store_slots},
                  {"misses_in_flight", core.misses_in_flight},
                  {"cold_lines", core.cold_lines},
                  {"page_walks_in_flight", core.page_walks_in_flight},
                  {"reused_share", core.reused_share},
                  {"reused_of_shared", core.reused_of_shared},
                  {"block_share", core.block_share},
                  {"near_share", core.near_share},
                  {"pages_walked", core.pages_walked},
                  {"grain_elements", core.grain_elements}};
  json["barrier_s"] = machine.barrier_s;
  json["op_overhead_s"] = machine.op_overhead_s;
  json["contention"] = machine.contention;
  json["storage_read_bytes_per_s"] = machine.storage_read_bytes_per_s;
  return json.dump(2) + "\n";
}

}  // namespace strata::machine
