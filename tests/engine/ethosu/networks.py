# SPDX-License-Identifier: BSD-3-Clause
"""Networks that ExecuTorch lowers for Ethos-U: single layers, blocks, and whole models by shape.

The weights are random, and what is computed depends on the shapes only. NETWORKS has those of
tests/fixtures/ethosu/nets.py too. A network of LAYERS is one operator, held against torch as well.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import torch
from executorch.examples.models.mlperf_tiny import (
    DSCNNKWS,
    DeepAutoEncoder,
    MobileNetV1025,
    ResNet8,
)
from torch import Tensor, nn
from torch.nn import functional as F

sys.path.append(str(Path(__file__).parents[2] / "fixtures" / "ethosu"))
from nets import NETS, Calls, Net

IMAGE = ((1, 12, 9, 11),)
SMALL = ((1, 6, 5, 7),)
TWO = ((1, 6, 5, 7), (1, 6, 5, 7))
TOKENS = ((1, 10, 24),)


def conv_bn(depth: int, channels: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(depth, channels, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU6(),
    )


class Inverted(nn.Module):
    """An inverted residual: wider, depthwise, narrower, and the input on top where it fits."""

    def __init__(self, depth: int, channels: int, stride: int, wider: int) -> None:
        super().__init__()
        within = depth * wider
        self.adds = stride == 1 and depth == channels
        self.layers = nn.Sequential(
            *([conv_bn(depth, within, 1)] if wider != 1 else []),
            conv_bn(within, within, 3, stride, groups=within),
            nn.Conv2d(within, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x) if self.adds else self.layers(x)


class MobileNetV2(nn.Module):
    """Of each stage: how much wider within, channels, blocks, stride of the first."""

    STAGES = (
        *((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2)),
        *((6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)),
    )

    def __init__(self) -> None:
        super().__init__()
        layers, depth = [conv_bn(3, 32, 3, 2)], 32
        for wider, channels, blocks, stride in self.STAGES:
            for k in range(blocks):
                layers.append(Inverted(depth, channels, stride if k == 0 else 1, wider))
                depth = channels
        self.features = nn.Sequential(*layers, conv_bn(depth, 1280, 1))
        self.classifier = nn.Linear(1280, 1000)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x).mean((2, 3)))


class SqueezeExcite(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.narrow, self.widen = nn.Conv2d(12, 4, 1), nn.Conv2d(4, 12, 1)

    def forward(self, x: Tensor) -> Tensor:
        scale = F.adaptive_avg_pool2d(x, 1)
        return x * torch.sigmoid(self.widen(F.relu(self.narrow(scale))))


class Inception(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.three = nn.Conv2d(12, 5, 1), nn.Conv2d(12, 7, 3, padding=1)
        self.five, self.pooled = nn.Conv2d(12, 3, 5, padding=2), nn.Conv2d(12, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        pooled = self.pooled(F.max_pool2d(x, 3, 1, 1))
        return torch.cat((self.one(x), self.three(x), self.five(x), pooled), 1)


class Dense(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(12 + 6 * k, 6, 3, padding=1) for k in range(3))

    def forward(self, x: Tensor) -> Tensor:
        for conv in self.convs:
            x = torch.cat((x, conv(F.relu(x))), 1)
        return x


class UNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.down1, self.down2 = conv_bn(3, 8, 3), conv_bn(8, 16, 3)
        self.up = nn.ConvTranspose2d(16, 8, 2, 2)
        self.last = nn.Conv2d(16, 2, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        high = self.down1(x)
        low = self.down2(F.max_pool2d(high, 2))
        return self.last(torch.cat((high, self.up(low)), 1))


class Fire(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(12, 4, 1)
        self.one, self.three = nn.Conv2d(4, 8, 1), nn.Conv2d(4, 8, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.squeeze(x))
        return torch.cat((F.relu(self.one(y)), F.relu(self.three(y))), 1)


class Shuffle(nn.Module):
    """Grouped convolutions with their channels exchanged in between."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(12, 12, 1, groups=3), nn.Conv2d(12, 12, 1, groups=3)

    def forward(self, x: Tensor) -> Tensor:
        y = F.channel_shuffle(F.relu(self.first(x)), 3)
        return x + self.second(y)


class ConvNext(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.depthwise, self.norm = nn.Conv2d(12, 12, 7, padding=3, groups=12), nn.LayerNorm(12)
        self.wide, self.narrow = nn.Linear(12, 48), nn.Linear(48, 12)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.depthwise(x).permute(0, 2, 3, 1))
        return x + self.narrow(F.gelu(self.wide(y))).permute(0, 3, 1, 2)


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.q, self.k, self.v, self.o = (nn.Linear(24, 24) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (layer(x).view(1, 10, 3, 8).transpose(1, 2) for layer in (self.q, self.k, self.v))
        weights = torch.softmax(q @ k.transpose(2, 3) * 8**-0.5, -1)
        return self.o((weights @ v).transpose(1, 2).reshape(1, 10, 24))


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention, self.norm1, self.norm2 = Attention(), nn.LayerNorm(24), nn.LayerNorm(24)
        self.wide, self.narrow = nn.Linear(24, 64), nn.Linear(64, 24)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.norm1(x))
        return x + self.narrow(F.gelu(self.wide(self.norm2(x))))


class Mixer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.channels = nn.Linear(10, 10), nn.Linear(24, 24)

    def forward(self, x: Tensor) -> Tensor:
        x = x + F.relu(self.tokens(x.transpose(1, 2))).transpose(1, 2)
        return x + F.relu(self.channels(x))


class Gru(nn.Module):
    """One step."""

    def __init__(self) -> None:
        super().__init__()
        self.x, self.h = nn.Linear(16, 36), nn.Linear(12, 36)

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        a, b, c = self.x(x).chunk(3, 1)
        d, e, f = self.h(h).chunk(3, 1)
        z = torch.sigmoid(b + e)
        n = torch.tanh(c + torch.sigmoid(a + d) * f)
        return n + z * (h - n)


class Yolo(nn.Module):
    """Two scales: the coarse one enlarged beside the fine one."""

    def __init__(self) -> None:
        super().__init__()
        self.fine, self.coarse = conv_bn(3, 8, 3, 2), conv_bn(8, 16, 3, 2)
        self.head, self.second = nn.Conv2d(24, 9, 1), nn.Conv2d(16, 9, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        fine = self.fine(x)
        coarse = self.coarse(fine)
        larger = F.interpolate(coarse, scale_factor=2.0, mode="nearest")
        return self.head(torch.cat((fine, larger), 1)), self.second(coarse)


def calls(function: Callable[..., Tensor]) -> Callable[[], nn.Module]:
    return lambda: Calls(function)


LAYERS = {
    "conv_1x1": Net(lambda: nn.Conv2d(12, 40, 1), IMAGE),
    "conv_3x3": Net(lambda: nn.Conv2d(12, 17, 3, padding=1), IMAGE),
    "conv_stride_2": Net(lambda: nn.Conv2d(12, 8, 3, 2, 1), IMAGE),
    "conv_stride_3": Net(lambda: nn.Conv2d(12, 8, 3, 3), IMAGE),
    "conv_large": Net(lambda: nn.Conv2d(6, 5, (5, 7), padding=(2, 3)), SMALL),
    "conv_no_bias": Net(lambda: nn.Conv2d(12, 8, 3, bias=False), IMAGE),
    "conv_groups": Net(lambda: nn.Conv2d(12, 18, 3, padding=1, groups=3), IMAGE),
    "conv_1d": Net(lambda: nn.Conv1d(12, 20, 5, padding=2), ((1, 12, 30),)),
    "depthwise_stride": Net(lambda: nn.Conv2d(12, 12, 5, 2, 2, groups=12), IMAGE),
    "depthwise_times": Net(lambda: nn.Conv2d(12, 24, 3, groups=12), IMAGE),
    "conv_transpose": Net(lambda: nn.ConvTranspose2d(6, 9, 4, 2, 1), SMALL),
    "dense": Net(lambda: nn.Linear(100, 60), ((1, 100),)),
    "dense_batch": Net(lambda: nn.Linear(30, 20), ((7, 30),)),
    "relu": Net(nn.ReLU, SMALL),
    "relu6": Net(nn.ReLU6, SMALL),
    "hard_tanh": Net(nn.Hardtanh, SMALL),
    "leaky_relu": Net(lambda: nn.LeakyReLU(0.1), SMALL),
    "hard_sigmoid": Net(nn.Hardsigmoid, SMALL),
    "sigmoid": Net(nn.Sigmoid, SMALL),
    "tanh": Net(nn.Tanh, SMALL),
    "silu": Net(nn.SiLU, SMALL),
    "gelu": Net(nn.GELU, SMALL),
    "elu": Net(nn.ELU, SMALL),
    "exp": Net(calls(torch.exp), SMALL),
    "plus": Net(calls(torch.add), TWO),
    "minus": Net(calls(torch.sub), TWO),
    "times": Net(calls(torch.mul), TWO),
    "larger": Net(calls(torch.maximum), TWO),
    "absolute": Net(calls(torch.abs), SMALL),
    "max_pool_2": Net(lambda: nn.MaxPool2d(2), IMAGE),
    "average_pool_3": Net(lambda: nn.AvgPool2d(3, 2), IMAGE),
    "global_pool": Net(lambda: nn.AdaptiveAvgPool2d(1), IMAGE),
    "plus_int16": Net(calls(torch.add), TWO, 16),
    "conv_int16": Net(lambda: nn.Conv2d(6, 8, 3, padding=1, bias=False), SMALL, 16),
}

BLOCKS = {
    "sums": Net(calls(lambda x: x.sum(1, keepdim=True) * 0.2 + x.mean(3, keepdim=True)), SMALL),
    "pixel_shuffle": Net(
        lambda: nn.Sequential(nn.Conv2d(6, 16, 3, padding=1), nn.PixelShuffle(2)), SMALL
    ),
    "bilinear": Net(
        calls(lambda x: F.interpolate(x, scale_factor=2.0, mode="bilinear") * 0.7), SMALL
    ),
    "padded": Net(calls(lambda x: F.pad(x, (1, 2, 0, 3)) + 0.5), SMALL),
    "layer_norm": Net(lambda: nn.LayerNorm(24), TOKENS),
    "log_softmax": Net(lambda: nn.LogSoftmax(-1), TOKENS),
    "quotient": Net(calls(lambda a, b: a / (torch.abs(b) + 1.0)), TWO),
    "batch_norm": Net(lambda: nn.Sequential(nn.BatchNorm2d(6), nn.ReLU()), SMALL),
    "dilated_1d": Net(
        lambda: nn.Sequential(
            nn.Conv1d(8, 8, 3, padding=2, dilation=2), nn.ReLU(), nn.Conv1d(8, 8, 3)
        ),
        ((1, 8, 40),),
    ),
    "inverted": Net(lambda: Inverted(12, 12, 1, 6), IMAGE),
    "squeeze_excite": Net(SqueezeExcite, IMAGE),
    "inception": Net(Inception, IMAGE),
    "dense_block": Net(Dense, IMAGE),
    "fire": Net(Fire, IMAGE),
    "shuffle": Net(Shuffle, IMAGE),
    "convnext": Net(ConvNext, IMAGE),
    "attention": Net(Attention, TOKENS),
    "encoder": Net(Encoder, TOKENS),
    "mixer": Net(Mixer, TOKENS),
    "gru": Net(Gru, ((1, 16), (1, 12))),
    "mlp_int16": Net(
        lambda: nn.Sequential(nn.Linear(40, 30), nn.ReLU(), nn.Linear(30, 10)), ((1, 40),), 16
    ),
    "convs_int16": Net(
        lambda: nn.Sequential(
            nn.Conv2d(6, 8, 3, bias=False), nn.ReLU(), nn.Conv2d(8, 5, 1, bias=False)
        ),
        SMALL,
        16,
    ),
}

MODELS = {
    "ds_cnn": Net(DSCNNKWS, ((1, 1, 49, 10),)),
    "resnet8": Net(ResNet8, ((1, 3, 32, 32),)),
    "autoencoder": Net(DeepAutoEncoder, ((1, 640),)),
    "mobilenet_v1_025": Net(MobileNetV1025, ((1, 3, 96, 96),)),
    "mobilenet_v2_96": Net(MobileNetV2, ((1, 3, 96, 96),)),
    "mobilenet_v2_224": Net(MobileNetV2, ((1, 3, 224, 224),)),
    "unet": Net(UNet, ((1, 3, 24, 32),)),
    "yolo": Net(Yolo, ((1, 3, 32, 48),)),
}

NETWORKS = {**NETS, **LAYERS, **BLOCKS, **MODELS}
