// SPDX-License-Identifier: Apache-2.0
#include "compile/quantise_weights.h"

#include <algorithm>
#include <mutex>
#include <vector>

#include "base/cache_folder.h"
#include "base/error.h"
#include "base/trust.h"
#include "blocks/quantise.h"
#include "compile/convert.h"
#include "compile/parallel_for.h"

namespace strata::compile {
namespace {

using importer::TensorView;

constexpr std::int64_t kPiece = std::int64_t{1} << 18;  // elements that one thread quantises at a time

// Blocks that follow each other in a matrix.
struct Piece {
  const TensorView* stored;
  const TensorView* made;
  std::int64_t first, count;  // blocks
  std::byte* out;             // of the matrix
};

std::int64_t blocks_of(const TensorView& view) { return view.elements() / view.format->elements; }

void quantise(const importer::Checkpoint& checkpoint, const Piece& piece) {
  const TensorView& stored = *piece.stored;
  const blocks::Format& format = *piece.made->format;
  const std::int64_t first = piece.first * format.elements, count = piece.count * format.elements;
  std::vector<float> values(static_cast<std::size_t>(count));
  for (std::int64_t done = 0; done < count;) {
    const std::span<const std::byte> here = stored.from(first + done);
    const std::int64_t together = std::min(count - done, std::ssize(here) / dtype_size(stored.dtype));
    convert(stored.dtype, here.data(), together, DType::kF32, reinterpret_cast<std::byte*>(values.data() + done));
    done += together;
  }
  if (blocks::quantise(format, values.data(), piece.count, piece.out + piece.first * format.bytes)) return;
  throw model_error("the tensor " + in_quotes(stored.name) +
                        " has numbers that can't be quantised: not finite, or beyond " + "what scales in f16 reach",
                    checkpoint.folder().string(), "download the model again, or take --dtype keep");
}

}  // namespace

ScratchFile quantise_weights(const importer::Checkpoint& checkpoint, importer::OwnBlocks& matrices, int threads,
                             const std::function<void(double done)>& progress) {
  std::int64_t bytes = 0;
  for (const auto& [name, view] : matrices) bytes += blocks_of(view) * view.format->bytes;
  if (bytes == 0) return {};
  make_private_folder(cache_folder());
  ScratchFile file(cache_folder(), static_cast<std::uint64_t>(bytes));
  std::vector<Piece> pieces;
  std::int64_t at = 0;
  for (auto& [name, view] : matrices) {
    const std::int64_t count = blocks_of(view), step = kPiece / view.format->elements;
    const auto size = static_cast<std::size_t>(count * view.format->bytes);
    const std::span<std::byte> out = file.bytes().subspan(static_cast<std::size_t>(at), size);
    view.bytes = out;
    at += std::ssize(out);
    for (std::int64_t first = 0; first < count; first += step) {
      pieces.push_back({&checkpoint.at(name), &view, first, std::min(step, count - first), out.data()});
    }
  }
  std::mutex telling;
  std::size_t done = 0;
  parallel_for(pieces.size(), threads, [&](std::size_t i) {
    quantise(checkpoint, pieces[i]);
    const std::lock_guard lock(telling);
    if (progress) progress(static_cast<double>(++done) / static_cast<double>(pieces.size()));
  });
  return file;
}

}  // namespace strata::compile
