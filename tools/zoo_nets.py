"""The zoo's nets, layer by layer as they were published, at full and at reduced size."""

from __future__ import annotations

from collections.abc import Callable

from tools.zoo_builder import Builder


def alexnet(reduced: bool) -> Builder:
    net = Builder("AlexNet", (227, 67), reduced)
    x = net.conv_relu("conv1", "data", net.channels(96), 11, stride=4)
    x = net.pool("pool1", net.lrn("norm1", x), "MAX", 3, 2)
    x = net.conv_relu("conv2", x, net.channels(256), 5, pad=2, group=2)
    x = net.pool("pool2", net.lrn("norm2", x), "MAX", 3, 2)
    x = net.conv_relu("conv3", x, net.channels(384), 3, pad=1)
    x = net.conv_relu("conv4", x, net.channels(384), 3, pad=1, group=2)
    x = net.conv_relu("conv5", x, net.channels(256), 3, pad=1, group=2)
    x = net.pool("pool5", x, "MAX", 3, 2)
    for name in ("fc6", "fc7"):
        x = net.dropout(net.relu(net.dense(name, x, net.channels(4096))))
    net.softmax(net.dense("fc8", x, net.classes))
    return net


def vgg16(reduced: bool) -> Builder:
    net = Builder("VGG_16", (224, 32), reduced)
    x = "data"
    for stage, (channels, count) in enumerate([(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)], start=1):
        for number in range(1, count + 1):
            x = net.conv_relu(f"conv{stage}_{number}", x, net.channels(channels), 3, pad=1)
        x = net.pool(f"pool{stage}", x, "MAX", 2, 2)
    for name in ("fc6", "fc7"):
        x = net.dropout(net.relu(net.dense(name, x, net.channels(4096))))
    net.softmax(net.dense("fc8", x, net.classes))
    return net


# channels of 1x1, 3x3's reduction, 3x3, 5x5's reduction, 5x5, behind the pooling
INCEPTIONS = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}


def googlenet(reduced: bool) -> Builder:
    net = Builder("GoogleNet", (224, 64), reduced)
    x = net.conv_relu("conv1/7x7_s2", "data", net.channels(64), 7, stride=2, pad=3)
    x = net.lrn("pool1/norm1", net.pool("pool1/3x3_s2", x, "MAX", 3, 2))
    x = net.conv_relu("conv2/3x3_reduce", x, net.channels(64), 1)
    x = net.conv_relu("conv2/3x3", x, net.channels(192), 3, pad=1)
    x = net.pool("pool2/3x3_s2", net.lrn("conv2/norm2", x), "MAX", 3, 2)
    for block, channels in INCEPTIONS.items():
        if block in ("4a", "5a"):
            x = net.pool(f"pool{int(block[0]) - 1}/3x3_s2", x, "MAX", 3, 2)
        x = _inception(net, f"inception_{block}", x, channels)
    x = net.dropout(net.global_average("pool5/7x7_s1", x))
    net.softmax(net.dense("loss3/classifier", x, net.classes))
    return net


def _inception(net: Builder, name: str, bottom: str, channels: tuple[int, ...]) -> str:
    one, reduce3, three, reduce5, five, pooled = map(net.channels, channels)
    parts = [net.conv_relu(f"{name}/1x1", bottom, one, 1)]
    x = net.conv_relu(f"{name}/3x3_reduce", bottom, reduce3, 1)
    parts.append(net.conv_relu(f"{name}/3x3", x, three, 3, pad=1))
    x = net.conv_relu(f"{name}/5x5_reduce", bottom, reduce5, 1)
    parts.append(net.conv_relu(f"{name}/5x5", x, five, 5, pad=2))
    x = net.pool(f"{name}/pool", bottom, "MAX", 3, 1, 1)
    parts.append(net.conv_relu(f"{name}/pool_proj", x, pooled, 1))
    return net.concat(f"{name}/output", *parts)


def squeezenet(reduced: bool) -> Builder:
    net = Builder("SqueezeNet_1.1", (227, 67), reduced)
    x = net.conv_relu("conv1", "data", net.channels(64), 3, stride=2)
    x = net.pool("pool1", x, "MAX", 3, 2)
    squeezes = {2: 16, 3: 16, 4: 32, 5: 32, 6: 48, 7: 48, 8: 64, 9: 64}
    for number, squeeze in squeezes.items():
        name = f"fire{number}"
        small = net.conv_relu(f"{name}/squeeze1x1", x, net.channels(squeeze), 1)
        one = net.conv_relu(f"{name}/expand1x1", small, net.channels(4 * squeeze), 1)
        three = net.conv_relu(f"{name}/expand3x3", small, net.channels(4 * squeeze), 3, pad=1)
        x = net.concat(f"{name}/concat", one, three)
        if number in (3, 5):
            x = net.pool(f"pool{number}", x, "MAX", 3, 2)
    x = net.conv_relu("conv10", net.dropout(x), net.classes, 1)
    net.softmax(net.global_average("pool10", x))
    return net


def mobilenet_v1(reduced: bool) -> Builder:
    net = Builder("MobileNet", (224, 64), reduced)
    x = net.relu(net.conv_norm("conv1", "data", net.channels(32), 3, stride=2, pad=1))
    blocks = [
        (64, 1),
        (128, 2),
        (128, 1),
        (256, 2),
        (256, 1),
        (512, 2),
        *[(512, 1)] * 5,
        (1024, 2),
        (1024, 1),
    ]
    for number, (channels, stride) in enumerate(blocks, start=2):
        own = net.size(x)[0]
        x = net.relu(net.conv_norm(f"conv{number}/dw", x, own, 3, stride=stride, pad=1, group=own))
        x = net.relu(net.conv_norm(f"conv{number}/sep", x, net.channels(channels), 1))
    net.softmax(net.conv("fc7", net.global_average("pool6", x), net.classes, 1))
    return net


def mobilenet_v2(reduced: bool) -> Builder:
    net = Builder("MobileNet_v2", (224, 64), reduced)
    x = net.relu6(net.conv_norm("conv1", "data", net.channels(32), 3, stride=2, pad=1))
    stages = [
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    ]
    for stage, (expansion, channels, count, stride) in enumerate(stages, start=2):
        for number in range(1, net.repeats(count) + 1):
            step = stride if number == 1 else 1
            x = _bottleneck(net, f"conv{stage}_{number}", x, expansion, net.channels(channels), step)
    x = net.relu6(net.conv_norm("conv9", x, net.channels(1280), 1))
    net.softmax(net.conv("fc10", net.global_average("pool9", x), net.classes, 1))
    return net


def _bottleneck(net: Builder, name: str, bottom: str, expansion: int, channels: int, stride: int) -> str:
    x, own = bottom, net.size(bottom)[0]
    wide = own * expansion
    if expansion > 1:
        x = net.relu6(net.conv_norm(f"{name}/expand", x, wide, 1))
    x = net.relu6(net.conv_norm(f"{name}/dwise", x, wide, 3, stride=stride, pad=1, group=wide))
    x = net.conv_norm(f"{name}/linear", x, channels, 1)
    return net.add_up(f"{name}/sum", bottom, x) if stride == 1 and own == channels else x


def resnet18(reduced: bool) -> Builder:
    return _resnet("ResNet-18", (2, 2, 2, 2), False, reduced)


def resnet50(reduced: bool) -> Builder:
    return _resnet("ResNet-50", (3, 4, 6, 3), True, reduced)


def _resnet(name: str, counts: tuple[int, ...], bottleneck: bool, reduced: bool) -> Builder:
    net = Builder(name, (224, 64), reduced)
    x = net.relu(net.conv_norm("conv1", "data", net.channels(64), 7, stride=2, pad=3))
    x = net.pool("pool1", x, "MAX", 3, 2)
    for stage, count in enumerate(counts, start=2):
        for number in range(net.repeats(count)):
            block = f"res{stage}{chr(ord('a') + number)}"
            stride = 2 if number == 0 and stage > 2 else 1
            x = _residual(net, block, x, net.channels(32 << (stage - 1)), stride, bottleneck)
    net.softmax(net.dense("fc1000", net.global_average("pool5", x), net.classes))
    return net


def _residual(net: Builder, name: str, bottom: str, channels: int, stride: int, bottleneck: bool) -> str:
    out = 4 * channels if bottleneck else channels
    shortcut = bottom
    if stride > 1 or net.size(bottom)[0] != out:
        shortcut = net.conv_norm(f"{name}_branch1", bottom, out, 1, stride=stride)
    x = f"{name}_branch2"
    if bottleneck:
        a = net.relu(net.conv_norm(f"{x}a", bottom, channels, 1, stride=stride))
        b = net.relu(net.conv_norm(f"{x}b", a, channels, 3, pad=1))
        last = net.conv_norm(f"{x}c", b, out, 1)
    else:
        a = net.relu(net.conv_norm(f"{x}a", bottom, channels, 3, stride=stride, pad=1))
        last = net.conv_norm(f"{x}b", a, out, 3, pad=1)
    return net.relu(net.add_up(name, shortcut, last))


def densenet121(reduced: bool) -> Builder:
    net = Builder("DenseNet_121", (224, 64), reduced)
    growth = net.channels(32)
    x = net.relu(net.conv_norm("conv1", "data", net.channels(64), 7, stride=2, pad=3))
    x = net.pool("pool1", x, "MAX", 3, 2, 1)
    counts = (6, 12, 24, 16)
    for stage, count in enumerate(counts, start=2):
        for number in range(1, net.repeats(count) + 1):
            name = f"conv{stage}_{number}"
            inner = net.relu(net.norm(f"{name}/x1", x))
            inner = net.relu(net.conv_norm(f"{name}/x1/conv", inner, 4 * growth, 1))
            new = net.conv(f"{name}/x2", inner, growth, 3, pad=1, bias=False)
            x = net.concat(f"concat_{stage}_{number}", x, new)
        x = net.relu(net.norm(f"conv{stage}_blk", x))
        if stage - 1 < len(counts):
            x = net.conv(f"conv{stage}_blk/conv", x, net.size(x)[0] // 2, 1, bias=False)
            x = net.pool(f"pool{stage}", x, "AVE", 2, 2)
    net.softmax(net.conv("fc6", net.global_average("pool5", x), net.classes, 1))
    return net


def tiny_yolo_v2(reduced: bool) -> Builder:
    net = Builder("Tiny_YOLO_v2", (416, 64), reduced)
    x = "data"
    for number, channels in enumerate([16, 32, 64, 128, 256, 512, 1024, 1024], start=1):
        x = net.relu(net.conv_norm(f"conv{number}", x, net.channels(channels), 3, pad=1), slope=0.1)
        if number < 6:
            x = net.pool(f"pool{number}", x, "MAX", 2, 2)
        elif number == 6:
            x = net.pool("pool6", x, "MAX", 3, 1, 1)
    net.conv("conv9", x, 125, 1)
    return net


def unet(reduced: bool) -> Builder:
    net = Builder("U_Net", (128, 32), reduced)
    x, levels = "data", (16, 32, 64)
    skipped = []
    for level, channels in enumerate(levels, start=1):
        x = _double(net, f"down{level}", x, net.channels(channels))
        skipped.append(x)
        x = net.pool(f"pool{level}", x, "MAX", 2, 2)
    x = _double(net, "bottom", x, net.channels(128))
    for level in range(len(levels), 0, -1):
        channels = net.channels(levels[level - 1])
        x = net.deconv(f"up{level}", x, channels, 2, 2)
        x = net.concat(f"join{level}", skipped[level - 1], x)
        x = _double(net, f"up{level}/conv", x, channels)
    net.conv("classes", x, 2, 1)
    return net


def _double(net: Builder, name: str, bottom: str, channels: int) -> str:
    x = net.conv_relu(f"{name}_1", bottom, channels, 3, pad=1)
    return net.conv_relu(f"{name}_2", x, channels, 3, pad=1)


NETS: dict[str, Callable[[bool], Builder]] = {
    "alexnet": alexnet,
    "vgg16": vgg16,
    "googlenet": googlenet,
    "squeezenet": squeezenet,
    "mobilenet_v1": mobilenet_v1,
    "mobilenet_v2": mobilenet_v2,
    "resnet18": resnet18,
    "resnet50": resnet50,
    "densenet121": densenet121,
    "tiny_yolo_v2": tiny_yolo_v2,
    "unet": unet,
}
