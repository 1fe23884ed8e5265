"""Training steps in torch: forward, backward, Adam. Reads how many to make, line by line, and says how long they took.

    python3 bench/baseline/train_step.py THREADS ARCHITECTURE.json ROWS SIDE
"""
import json
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

torch.set_num_threads(int(sys.argv[1]))
architecture = json.load(open(sys.argv[2]))
rows, side = int(sys.argv[3]), int(sys.argv[4])
normaliser = architecture['normaliser']
quantiles = torch.tensor(normaliser['initial'], dtype=torch.float32)
bands = normaliser['bands']


class Residual(nn.Sequential):
    def forward(self, x):
        return x + super().forward(x)


def layer(spec):
    kind = spec['kind']
    if kind == 'conv':
        return nn.Conv2d(spec['in'], spec['out'], spec['kernel'], spec.get('stride', 1), spec['kernel'] // 2,
                         bias=spec.get('bias', True))
    if kind == 'group-norm':
        return nn.GroupNorm(spec['groups'], spec['channels'])
    if kind == 'silu':
        return nn.SiLU()
    if kind == 'average-pool':
        return nn.AvgPool2d(spec['size'])
    return Residual(*map(layer, spec['layers']))


network = nn.Sequential(*map(layer, architecture['layers']))
optimizer = torch.optim.Adam(network.parameters(), 1e-4)
image = torch.randn(rows, bands, side, side)
cells = side * normaliser['pool'] // architecture['cell']
target = (torch.rand(rows, 1, cells, cells) > 0.9).float()
weight = torch.full_like(target, 1 / target.numel())


def step():
    u = (image.unsqueeze(2) - quantiles.view(1, 1, -1, 1, 1)) * (5 / quantiles.abs().clamp(1e-6)).view(1, 1, -1, 1, 1)
    logits = network(torch.asinh(u).flatten(1, 2))
    loss = F.binary_cross_entropy_with_logits(logits, target, weight, reduction='sum')
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


for line in sys.stdin:
    start = time.perf_counter()
    for _ in range(int(line)):
        step()
    print(time.perf_counter() - start, flush=True)
