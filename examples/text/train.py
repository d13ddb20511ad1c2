#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Trains text.onnx: which kind of text is this? On snippets of this project's own files.

usage: train.py PROJECT_ROOT OUT.onnx SAMPLES.tsv [STEPS]     needs: Debian's python3-torch

Classes: 0 C source, 1 C header, 2 build script (CMake, Make), 3 shell, 4 Python, 5 prose (Markdown).
Inputs, i64 [batch,length]: `input_ids` (bytes of the text), `attention_mask` (1 where there is text), `position_ids` (0, 1, ...).
Output `scores`: f32 [batch,6]. Files are split by name: a snippet of SAMPLES.tsv (label, TAB, text with \\n and \\t escaped) comes
from a file training has never seen.
"""
import hashlib
import random
import subprocess
import sys

import torch
from torch import nn

CLASSES = ['C source', 'C header', 'build', 'shell', 'python', 'prose']
LONGEST, DIM, HEADS, LAYERS = 128, 48, 4, 2


def label_of(path):
    name = path.rsplit('/', 1)[-1]
    if name.endswith('.c'):
        return 0
    if name.endswith('.h'):
        return 1
    if name in ('CMakeLists.txt', 'Makefile') or name.endswith('.cmake'):
        return 2
    if name.endswith('.sh') or path.startswith(('.ci/', 'scripts/')) and '.' not in name and name != 'fit-timing':
        return 3
    if name.endswith('.py') or name == 'fit-timing':
        return 4
    return 5 if name.endswith('.md') else None


def read(root):
    files = {0: {k: [] for k in range(6)}, 1: {k: [] for k in range(6)}}
    for path in subprocess.run(['git', '-C', root, 'ls-files'], capture_output=True, text=True, check=True).stdout.split('\n'):
        label = label_of(path) if path else None
        if label is None:
            continue
        text = open(f'{root}/{path}', 'rb').read()
        lines = text.split(b'\n')
        # the licence line would give the class away
        text = b'\n'.join(line for line in lines if b'SPDX' not in line and not line.startswith(b'#!'))
        if len(text) < 200:
            continue
        held = int(hashlib.sha256(path.encode()).hexdigest(), 16) % 5 == 0
        if label in (2, 3, 4) and not held:
            files[0][label].append(text)
            files[1][label] = files[1][label] or []
        else:
            files[int(held)][label].append(text)
    for k in range(6):  # small classes: the last third of each file is kept for testing
        if not files[1][k]:
            files[1][k] = [t[2 * len(t) // 3:] for t in files[0][k]]
            files[0][k] = [t[:2 * len(t) // 3] for t in files[0][k]]
    return files


def snippet(rng, files, label):
    text = rng.choice(files[label])
    n = min(len(text), int(2 ** rng.uniform(4, 7)))
    at = rng.randrange(len(text) - n + 1)
    return text[at:at + n][:LONGEST]


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.qkv, self.out = nn.LayerNorm(DIM), nn.Linear(DIM, 3 * DIM), nn.Linear(DIM, DIM)

    def forward(self, x, bias):
        b, n = x.shape[0], x.shape[1]
        q, k, v = self.qkv(self.norm(x)).reshape(b, n, 3, HEADS, DIM // HEADS).permute(2, 0, 3, 1, 4).unbind(0)
        p = (q @ k.transpose(-1, -2) * (DIM // HEADS) ** -0.5 + bias).softmax(-1)
        return x + self.out((p @ v).transpose(1, 2).reshape(b, n, DIM))


class Feed(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.up, self.down = nn.LayerNorm(DIM), nn.Linear(DIM, 2 * DIM), nn.Linear(2 * DIM, DIM)

    def forward(self, x):
        return x + self.down(nn.functional.gelu(self.up(self.norm(x))))


class Text(nn.Module):
    def __init__(self):
        super().__init__()
        self.byte, self.place = nn.Embedding(256, DIM), nn.Embedding(LONGEST, DIM)
        self.layers = nn.ModuleList(m for _ in range(LAYERS) for m in (Attention(), Feed()))
        self.norm, self.head = nn.LayerNorm(DIM), nn.Linear(DIM, len(CLASSES))

    def forward(self, input_ids, attention_mask, position_ids):
        x = self.byte(input_ids) + self.place(position_ids)
        mask = attention_mask.to(x.dtype)
        bias = (1 - mask)[:, None, None, :] * -10000.0
        for layer in self.layers:
            x = layer(x, bias) if isinstance(layer, Attention) else layer(x)
        weight = mask[:, :, None]
        x = (self.norm(x) * weight).sum(1) / weight.sum(1)
        return self.head(x)


def tensors(texts):
    n = max(map(len, texts))
    ids = torch.tensor([list(t) + [0] * (n - len(t)) for t in texts])
    mask = torch.tensor([[1] * len(t) + [0] * (n - len(t)) for t in texts])
    return ids, mask, torch.arange(n).repeat(len(texts), 1)


def main():
    root, out, samples = sys.argv[1:4]
    steps = int(sys.argv[4]) if len(sys.argv) > 4 else 1200
    torch.manual_seed(1)
    rng = random.Random(1)
    files = read(root)
    test = [(k, snippet(rng, files[1], k)) for _ in range(60) for k in range(6)]
    net = Text()
    opt = torch.optim.AdamW(net.parameters(), 2e-3, weight_decay=1e-2)
    rate = torch.optim.lr_scheduler.OneCycleLR(opt, 2e-3, steps)
    for step in range(steps):
        labels = [rng.randrange(6) for _ in range(24)]
        loss = nn.functional.cross_entropy(net(*tensors([snippet(rng, files[0], k) for k in labels])), torch.tensor(labels),
                                           label_smoothing=0.05)
        opt.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        opt.step()
        rate.step()
        if (step + 1) % 100 == 0 or step + 1 == steps:
            with torch.no_grad():
                right = sum(net(*tensors([t])).argmax().item() == k for k, t in test)
            print(f'step {step + 1} of {steps}: loss {loss.item():.4f}, top-1 {100 * right / len(test):.1f} % of {len(test)}', flush=True)
    net.eval()
    free = {0: 'batch', 1: 'length'}
    torch.onnx.export(net, tensors([b'int main(void)', b'# Title']), out, input_names=['input_ids', 'attention_mask', 'position_ids'],
                      output_names=['scores'], opset_version=14, dynamic_axes={'input_ids': free, 'attention_mask': free,
                                                                              'position_ids': free, 'scores': {0: 'batch'}})
    with open(samples, 'w', encoding='latin-1', newline='') as f:
        f.write('label\ttext\n')
        for k, t in test:
            text = t.decode('latin-1').replace('\\', '\\\\').replace('\n', '\\n').replace('\t', '\\t').replace('\r', '\\r')
            f.write(f'{k}\t{text}\n')


main()
