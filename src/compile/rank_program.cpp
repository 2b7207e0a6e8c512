// SPDX-License-Identifier: Apache-2.0
#include "compile/rank_program.h"

#include <utility>

#include "base/error.h"
#include "compile/distribute.h"
#include "distribution/graph.h"
#include "distribution/local_program.h"
#include "ir/group_op.h"

namespace strata::compile {
namespace {

const std::vector<std::string> kEntries = {"forward", "head"};

// Between processes of one machine, measured with Open MPI 4.1.4 and btl_vader_eager_limit 131072 on an EPYC (Zen 5).
machine::Link memory_link() { return {{{0, 0.6e-6}, {16384, 1.5e-6}, {65536, 6e-6}}, 10e9}; }

}  // namespace

void set_ranks(machine::Machine& machine, int ranks) {
  if (distribution::mesh_of(machine).empty()) {
    if (ranks > 1) machine.machines = {{"node", ranks, memory_link()}};
    return;
  }
  const std::int64_t devices = distribution::devices(distribution::mesh_of(machine));
  if (devices == ranks) return;
  throw usage_error("the mesh of the machine '" + machine.name + "' has " + std::to_string(devices) + " devices, and " +
                        (ranks == 1 ? "one process runs" : std::to_string(ranks) + " ranks run"),
                    "start as many ranks as its mesh has devices: mpirun -np " + std::to_string(devices));
}

std::vector<std::int64_t> mesh_extents(const machine::Machine& machine) {
  std::vector<std::int64_t> extents;
  for (const machine::MeshAxis& axis : distribution::mesh_of(machine)) extents.push_back(axis.extent);
  return extents;
}

distribution::DistributionPlan plan_for_ranks(const ir::Module& module, const machine::Machine& machine,
                                              const Workload& workload, std::int64_t max_chunk, std::int64_t context) {
  const distribution::Graph graph = distribution::graph_of(module, kEntries, true);
  Workload one = within(workload, context);
  one.batch = 1;
  std::vector<distribution::Phase> phases = phases_of(one, 1, max_chunk, context);
  for (distribution::Phase& phase : phases) phase.equal_parts = true;
  return distribution::plan_distribution(graph, distribution::mesh_of(machine), machine, phases);
}

ir::Module program_for_ranks(const ir::Module& module, const distribution::DistributionPlan& plan) {
  STRATA_CHECK(plan.division.has_value(), "the plan has no equal parts");
  return distribution::local_program(module, distribution::graph_of(module, kEntries, true), *plan.division);
}

const ir::Expr* of_rank(ir::ExprPool& pool, const ir::Expr& constant, const std::vector<std::int64_t>& mesh, int rank) {
  if (constant.kind == ir::Expr::Kind::kWeight) return pool.weight(constant.name, constant.type());
  if (constant.kind == ir::Expr::Kind::kScalar) return pool.scalar(constant.value, constant.type().dtype);
  STRATA_CHECK(constant.kind == ir::Expr::Kind::kOp, "a constant is made of weights and ops");
  std::vector<const ir::Expr*> arguments;
  for (const ir::Expr* argument : constant.arguments) arguments.push_back(of_rank(pool, *argument, mesh, rank));
  if (ir::group_op(*constant.op) == nullptr) return pool.op(*constant.op, std::move(arguments), constant.attributes);
  STRATA_CHECK(&ir::get_op("rank_slice") == constant.op, "a constant is exchanged by ranks");
  const auto attribute = [&](const char* name) { return ir::int_attribute(*constant.op, constant.attributes, name); };
  std::int64_t own = rank;
  for (std::size_t inner = mesh.size(); inner-- > static_cast<std::size_t>(attribute("mesh")) + 1;) own /= mesh[inner];
  own %= attribute("ranks");
  const std::int64_t size = constant.type().shape[static_cast<std::size_t>(attribute("axis"))].factor();
  return pool.op(ir::get_op("slice"), std::move(arguments),
                 {{"axis", attribute("axis")}, {"begin", own * size}, {"end", (own + 1) * size}});
}

}  // namespace strata::compile
