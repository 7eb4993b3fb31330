"""How long a step of BLOOM must take, part by part, from operations and bytes: said before anything is measured.

    parts(shape, micro_batch=16, ...)  ->  {"GEMMs of the blocks": Part(flops, bytes, ...), ...} of one optimizer step

`floor` divides by the data sheet (989.4 TFLOP/s dense bf16 and 3.35 TB/s of an H100 SXM), `expected` by what such work
commonly reaches; both are predictions. Pure arithmetic: imports neither torch nor pretrain.
"""

from __future__ import annotations

from dataclasses import dataclass

PEAK_FLOPS, PEAK_BYTES = 989.4e12, 3.35e12
GEMM, STREAM, ATTENTION = 0.70, 0.85, 0.30  # shares of the peaks that we expect; attention's of its useful FLOPs

# Bytes of memory traffic for one token and one channel of the width in one block, bf16-mixed with an fp32 residual.
# Each kernel reads its operands and writes its result once; biases ride on the matrix products.
#                      LN   to bf16  residual  GELU  q, k, v with ALiBi's columns  output  sums of gradients, biases
EAGER_FORWARD = sum([2 * 8, 2 * 6, 2 * 10, 16, 13, 4])
EAGER_BACKWARD = sum([2 * 20, 2 * 6, 2 * 12, 24, 17, 12 + 18])
# Compiled: the residual's sum, LayerNorm and rounding are one kernel each time; GELU's gradient, its input's too.
COMPILED_FORWARD = sum([10 + 6, 12, 16, 13, 4])
COMPILED_BACKWARD = sum([2 * 14, 24, 18, 12, 17])
# The same for one logit, beside its matrix products: bf16 in, bf16 gradient out.
EAGER_LOGIT, FUSED_LOGIT = 26, 6


@dataclass(frozen=True)
class Part:
    """Work of one optimizer step."""

    flops: float = 0.0
    bytes: float = 0.0
    share: float = GEMM  # of the peak FLOPs that such work reaches

    @property
    def floor(self) -> float:
        """Milliseconds if the data sheet were true."""
        return 1e3 * (self.flops / PEAK_FLOPS + self.bytes / PEAK_BYTES)

    @property
    def expected(self) -> float:
        """Milliseconds as such kernels run."""
        return 1e3 * (self.flops / PEAK_FLOPS / self.share + self.bytes / PEAK_BYTES / STREAM)


@dataclass(frozen=True)
class How:
    """What the parts depend on besides the shape."""

    micro_batch: int = 16
    accumulate: int = 1  # micro-batches in an optimizer step
    compiled: bool = True
    fused: bool = True  # the loss's elementwise work
    chunk: int = 4224  # rows of logits at once
    wide_product: bool = True  # whether the product adds to the fp32 gradient of the embedding by itself


def flops_a_token(vocab: int, hidden: int, layers: int, seq: int) -> float:
    """72 L C^2 + 12 L s C + 6 V C, all pairs of positions counted: what MFU is measured by. 3.957e9 for bloom-560m."""
    return 72.0 * layers * hidden**2 + 12.0 * layers * seq * hidden + 6.0 * vocab * hidden


def parameters(vocab: int, hidden: int, layers: int) -> int:
    """V C + L (12 C^2 + 13 C) + 4 C."""
    return vocab * hidden + layers * (12 * hidden**2 + 13 * hidden) + 4 * hidden


def parts(vocab: int, hidden: int, layers: int, seq: int, how: How) -> dict[str, Part]:
    """Of one optimizer step. A causal kernel computes half of the pairs, so attention's FLOPs are halved here."""
    tokens = how.accumulate * how.micro_batch * seq
    chunks = how.accumulate * -(-how.micro_batch * seq // how.chunk)
    forward, backward = (COMPILED_FORWARD, COMPILED_BACKWARD) if how.compiled else (EAGER_FORWARD, EAGER_BACKWARD)
    embedding, blocks = vocab * hidden, layers * 12 * hidden**2
    logit = FUSED_LOGIT if how.fused else EAGER_LOGIT
    casts = 6 * (blocks + embedding)  # weights to bf16, once a micro-batch
    sums = (8 if how.wide_product else 12) * embedding * chunks  # the embedding's gradient: read and written a chunk
    grown = 8 * blocks + 16 * embedding  # gradients added up; the embedding's twice, from the loss and from its input
    return {
        "GEMMs of the blocks": Part(flops=72.0 * layers * hidden**2 * tokens),
        "GEMMs of the logits": Part(flops=6.0 * vocab * hidden * tokens),
        "attention": Part(flops=6.0 * layers * seq * hidden * tokens, share=ATTENTION),
        "elementwise of the blocks": Part(
            bytes=(forward + backward) * hidden * layers * tokens + (casts + grown) * how.accumulate
        ),
        "elementwise of the loss": Part(bytes=logit * vocab * tokens + sums),
        # the norm reads 4 bytes, clipping reads and writes 8, AdamW reads 16 and writes 12
        "clip and optimizer": Part(bytes=40 * parameters(vocab, hidden, layers)),
    }


def expected_tokens_a_second(vocab: int, hidden: int, layers: int, seq: int, how: How) -> float:
    milliseconds = sum(part.expected for part in parts(vocab, hidden, layers, seq, how).values())
    return 1e3 * how.accumulate * how.micro_batch * seq / milliseconds


def main() -> None:
    """Print the prediction for bloom-560m on one H100."""
    size = (250_880, 1024, 24, 2048)
    for name, how in {
        "compiled by block, fused loss, micro-batch 16": How(),
        "the same, 16 micro-batches a step": How(accumulate=16),
        "compiled by block, loss kernel by kernel": How(fused=False, chunk=2112, wide_product=False),
        "nothing compiled": How(compiled=False, fused=False, chunk=2112, wide_product=False),
    }.items():
        found = parts(*size, how)
        tokens = how.accumulate * how.micro_batch * size[-1]
        print(f"{name}: {expected_tokens_a_second(*size, how):,.0f} tokens/s")
        for part, work in found.items():
            floor, likely = (1e3 * time / tokens for time in (work.floor, work.expected))
            print(f"  {part:<28} floor {floor:6.3f}, expected {likely:6.3f} microseconds a token")


if __name__ == "__main__":
    main()
