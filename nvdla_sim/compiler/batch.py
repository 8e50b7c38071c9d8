"""A batch: every operation once for each image, those of one unit side by side.

Images share weights and operands only: each has its own part of every network input and output, and a pool
of work buffers in which everything lies as for a single image. So no image waits for another one's data.

Source: compiler-facts sections 6.4 (batch) and 6.10 (pools), 3.4 of hardware-facts (kept weights).
"""

from __future__ import annotations

from dataclasses import replace

from nvdla_sim.compiler.program import Buffer, Conv, Cube, Op, Program, Role, Sdp, Unit
from nvdla_sim.errors import UnsupportedError
from nvdla_sim.hw.config import Config
from nvdla_sim.loadable.lists import MAX_OPERATIONS

Images = tuple[Unit, ...]  # the same unit for each image of the batch

MAX_MEMORY = 1 << 30  # bytes; the pool that NVIDIA's compiler has for tensors


def for_images(program: Program, batch: int, pool_size: int, config: Config) -> list[Images]:
    """The program's units for ``batch`` images; ``pool_size``: bytes of one image's pool of work buffers.

    ``UnsupportedError`` where these are more operations or bytes than can be.
    """
    _check(program, batch, pool_size)

    def bytes_of_image(buffer: Buffer) -> int:
        return pool_size if buffer.role is Role.WORK else buffer.size

    def of_image(op: Op, image: int) -> Op:
        def place(cube: Cube) -> Cube:
            if cube.buffer is None:
                return cube
            return replace(cube, offset=cube.offset + image * bytes_of_image(cube.buffer))

        op = replace(op, src=place(op.src), dst=place(op.dst))
        if isinstance(op, Sdp):
            return replace(op, post=op.post.moved(place))
        if isinstance(op, Conv) and op.weights.size <= op.weight_banks * config.bank_bytes:
            return replace(
                op,
                reuse_weights=op.reuse_weights or image > 0,
                keep_weights=op.keep_weights or image < batch - 1,
            )
        return op

    return [
        tuple(tuple(of_image(op, image) for op in unit) for image in range(batch)) for unit in program.units
    ]


def _check(program: Program, batch: int, pool_size: int) -> None:
    ports = {port.cube.buffer for port in (*program.inputs, *program.outputs)}
    tensors = pool_size + sum(buffer.size for buffer in ports if buffer is not None)
    operations = sum(1 for _ in program.ops)
    largest = max(1, min(MAX_MEMORY // max(tensors, 1), MAX_OPERATIONS // max(operations, 1)))
    if batch > largest:
        raise UnsupportedError(
            f"a batch of {batch} images has {batch * operations} operations (at most {MAX_OPERATIONS} are "
            f"possible) and {batch * tensors} bytes of tensors (at most {MAX_MEMORY}): this net's largest "
            f"batch is {largest}"
        )
