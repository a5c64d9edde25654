"""A training step of a small transformer in PyTorch, or one token that it goes on by, as a peer (peer.py):  python bench/peers/pytorch_attention.py THREADS

Embedding, learned positions, causal blocks with the norms in front (`nn.TransformerEncoderLayer`, gelu), a norm and a linear layer; cross-entropy of the next
token, Adam. A request says {"kind": "step" or "token", "layers", "size", "heads", "time", "batch", "vocabulary"}. A token attends to keys and values that lie in
memory of `time` places, which are masked behind it. torch >= 2.8.
"""

import itertools
import os
import sys

import peer

THREADS = int(sys.argv[1])
os.environ["OMP_NUM_THREADS"] = str(THREADS)

try:
    import torch
except ImportError as error:
    peer.absent(f"torch: {error}")

VERSION = torch.__version__.split("+")[0]
torch.set_num_threads(THREADS)
WAYS = ["eager", "fused", "compiled, fused"]
BATCHES = 4


class Network(torch.nn.Module):
    def __init__(self, layers, size, heads, time, vocabulary):
        super().__init__()
        self.heads = heads
        self.table = torch.nn.Embedding(vocabulary, size)
        self.places = torch.nn.Parameter(torch.randn(time, size) * 0.02)
        make = lambda: torch.nn.TransformerEncoderLayer(size, heads, 4 * size, 0.0, "gelu", batch_first=True, norm_first=True)
        self.blocks = torch.nn.ModuleList(make() for _ in range(layers))
        self.norm = torch.nn.LayerNorm(size)
        self.head = torch.nn.Linear(size, vocabulary)
        self.register_buffer("mask", torch.nn.Transformer.generate_square_subsequent_mask(time))

    def forward(self, x):
        y = self.table(x) + self.places
        for block in self.blocks:
            y = block(y, src_mask=self.mask, is_causal=True)
        return self.head(self.norm(y))

    def token(self, token, place, keys, values, seen):
        y = self.table(token) + self.places[place]
        own = y.shape[-1] // self.heads
        for block, k_kept, v_kept in zip(self.blocks, keys, values):
            z = torch.nn.functional.linear(block.norm1(y), block.self_attn.in_proj_weight, block.self_attn.in_proj_bias)
            q, k, v = (part.view(1, self.heads, 1, own) for part in z.chunk(3, -1))
            k_kept[:, :, place] = k
            v_kept[:, :, place] = v
            z = torch.nn.functional.scaled_dot_product_attention(q, k_kept, v_kept, attn_mask=seen)
            y = y + block.self_attn.out_proj(z.reshape(1, 1, -1))
            y = y + block.linear2(torch.nn.functional.gelu(block.linear1(block.norm2(y))))
        return self.head(self.norm(y))


def make(request):
    way, time, vocabulary, batch = (request[name] for name in ("way", "time", "vocabulary", "batch"))
    model = Network(request["layers"], request["size"], request["heads"], time, vocabulary)
    if request["kind"] == "token":
        return token(model, request)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True if way.endswith("fused") else None)
    x = torch.randint(0, vocabulary, (BATCHES, batch, time + 1))
    forward = torch.compile(model, dynamic=False) if way.startswith("compiled") else model

    def step(index):
        optimizer.zero_grad(set_to_none=True)
        outputs = forward(x[index, :, :-1])
        value = torch.nn.functional.cross_entropy(outputs.reshape(-1, vocabulary), x[index, :, 1:].reshape(-1))
        value.backward()
        optimizer.step()
        return value.detach()

    return step, None, BATCHES


def token(model, request):
    time, size, heads = request["time"], request["size"], request["heads"]
    model.eval()
    shape = (1, heads, time, size // heads)
    keys, values = ([torch.zeros(shape) for _ in model.blocks] for _ in range(2))
    seen = [torch.where(torch.arange(time)[None, None, None] <= place, 0.0, -torch.inf) for place in range(time)]
    places = [torch.tensor([place]) for place in range(time)]
    tokens = torch.randint(0, request["vocabulary"], (time, 1, 1))
    forward = torch.compile(model.token, dynamic=False) if request["way"].startswith("compiled") else model.token

    calls = itertools.count()

    # Tokens are not learnt: what falls is their number.
    def step(index):
        with torch.inference_mode():
            return forward(tokens[index], places[index], keys, values, seen[index]).mean() - next(calls)

    return step, None, time


peer.serve("PyTorch", VERSION, WAYS, make, kept=1)
