"""Layers of Caffe and of its forks that we lack, and what does the same."""

from __future__ import annotations

HOST = "end the net with its bottoms, and do this step on the host"
TRAINING = "it is for training: give it include { phase: TRAIN }"

INSTEAD = {
    "ArgMax": HOST,
    "Axpy": "a Flatten of the factors, a Scale with two bottoms and axis 0, an Eltwise SUM",
    "BN": "a BatchNorm and a Scale",
    "ContrastiveLoss": TRAINING,
    "DetectionOutput": HOST,
    "EuclideanLoss": TRAINING,
    "HDF5Output": TRAINING,
    "HingeLoss": TRAINING,
    "InfogainLoss": TRAINING,
    "MVN": "a BatchNorm with the statistics of the training data",
    "MultiBoxLoss": TRAINING,
    "MultinomialLogisticLoss": TRAINING,
    "Normalize": "a BatchNorm with the statistics of the training data",
    "PSROIPooling": HOST,
    "PriorBox": HOST,
    "Proposal": HOST,
    "ROIPooling": HOST,
    "Reduction": "a Pooling AVE with global_pooling, for the mean of a picture",
    "Region": HOST,
    "Reorg": "a Convolution with its stride as kernel and stride, and weights of ones and zeros",
    "SPP": "MAX Poolings side by side, a Flatten behind each, a Concat",
    "SigmoidCrossEntropyLoss": TRAINING,
    "Silence": "the net without it",
    "SmoothL1Loss": TRAINING,
    "Tile": "a Concat that names its bottom several times",
}
