#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Trains digits.onnx on images that make-digits draws.

usage: train.py MAKE_DIGITS GLYPHS.png OUT.onnx [EPOCHS]     needs: Debian's python3-torch

Input `image`: f32 [batch,1,24,24], 0..255. Output `scores`: f32 [batch,10], logits. The network divides by 255 itself.
"""
import subprocess
import sys
import tempfile

import numpy as np
import torch
from torch import nn


def block(i, o, stride):
    return nn.Sequential(nn.Conv2d(i, o, 3, stride, 1, bias=False), nn.BatchNorm2d(o), nn.ReLU())


class Digits(nn.Module):
    """Three stages of 3x3 convolutions with one residual each, global average, linear: 60 000 parameters."""

    def __init__(self):
        super().__init__()
        self.stem = block(1, 16, 1)
        self.down1, self.keep1 = block(16, 24, 2), block(24, 24, 1)
        self.down2, self.keep2 = block(24, 40, 2), block(40, 40, 1)
        self.down3 = block(40, 64, 2)
        self.head = nn.Linear(64, 10)

    def forward(self, x):
        x = self.stem(x * (1 / 255))
        x = self.down1(x)
        x = x + self.keep1(x)
        x = self.down2(x)
        x = x + self.keep2(x)
        x = self.down3(x)
        return self.head(x.mean((2, 3)))


def data(tool, glyphs, kind, count, seed, folder):
    x, y = f'{folder}/{kind}_x.npy', f'{folder}/{kind}_y.npy'
    subprocess.run([tool, glyphs, kind, str(count), str(seed), x, y], check=True)
    return torch.from_numpy(np.load(x)).float(), torch.from_numpy(np.load(y))


def main():
    tool, glyphs, out = sys.argv[1:4]
    epochs = int(sys.argv[4]) if len(sys.argv) > 4 else 14
    torch.manual_seed(1)
    with tempfile.TemporaryDirectory() as folder:
        x, y = data(tool, glyphs, 'train', 40000, 11, folder)
        tx, ty = data(tool, glyphs, 'test', 4000, 12, folder)
    net = Digits()
    batch, steps = 128, epochs * (len(x) // 128)
    opt = torch.optim.AdamW(net.parameters(), 3e-3, weight_decay=1e-2)
    rate = torch.optim.lr_scheduler.OneCycleLR(opt, 3e-3, steps)
    for epoch in range(epochs):
        net.train()
        order = torch.randperm(len(x))
        for i in range(0, len(x) - batch + 1, batch):
            pick = order[i:i + batch]
            loss = nn.functional.cross_entropy(net(x[pick]), y[pick], label_smoothing=0.05)
            opt.zero_grad()
            loss.backward()
            opt.step()
            rate.step()
        net.eval()
        with torch.no_grad():
            right = (net(tx).argmax(1) == ty).float().mean().item()
        print(f'epoch {epoch + 1} of {epochs}: loss {loss.item():.4f}, top-1 on unseen fonts {100 * right:.2f} %', flush=True)
    torch.onnx.export(net, torch.zeros(1, 1, 24, 24), out, input_names=['image'], output_names=['scores'], opset_version=13,
                      dynamic_axes={'image': {0: 'batch'}, 'scores': {0: 'batch'}})


main()
