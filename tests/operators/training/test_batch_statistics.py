import numpy as np
import torch

from operators.training.batch_statistics import average_batch_statistics


def _after(num_batches: int) -> tuple[np.ndarray, list[torch.Tensor]]:
    layer = torch.nn.BatchNorm1d(3)
    generator = torch.Generator().manual_seed(0)
    batches = [torch.randn(20, 3, generator=generator) + 5 for _ in range(num_batches)]
    module = torch.nn.Sequential(layer, torch.nn.ReLU())
    for _ in range(2):  # the second epoch forgets the first
        for number, batch in enumerate(batches):
            average_batch_statistics(module, number)
            module(batch)
    assert layer.running_mean is not None
    return layer.running_mean.numpy(), batches


def test_few_batches_are_averaged() -> None:
    for num_batches in (1, 4, 10):
        mean, batches = _after(num_batches)
        np.testing.assert_allclose(mean, torch.cat(batches).mean(dim=0), rtol=1e-5)


def test_many_batches_are_a_moving_average() -> None:
    mean, batches = _after(14)
    means = [batch.mean(dim=0).numpy() for batch in batches]
    expected = np.mean(means[:10], axis=0)
    for later in means[10:]:
        expected = 0.9 * expected + 0.1 * later
    np.testing.assert_allclose(mean, expected, rtol=1e-5)
