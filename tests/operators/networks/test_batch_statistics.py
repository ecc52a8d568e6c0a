import copy

import numpy as np
import pytest
import torch

from operators.networks.batch_statistics import measure_batch_statistics


def _network() -> torch.nn.Sequential:
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Linear(6, 5), torch.nn.BatchNorm1d(5), torch.nn.ReLU(), torch.nn.BatchNorm1d(5, affine=False)
    )


@pytest.mark.parametrize("num_rows", [2, 300, 513])
def test_outputs_of_the_last_layer_are_standardised(num_rows: int) -> None:
    rows = torch.randn(num_rows, 6, generator=torch.Generator().manual_seed(1)) * 3 + 2
    network = _network().eval()
    measure_batch_statistics(network, rows, seed=0)
    assert not network.training
    normalisation = network[1]
    assert isinstance(normalisation, torch.nn.BatchNorm1d)
    assert normalisation.momentum == 0.1
    assert normalisation.running_mean is not None
    assert normalisation.running_var is not None
    hidden = network[0](rows)
    # The variance is that of blocks, and unbiased as torch has it.
    torch.testing.assert_close(normalisation.running_mean, hidden.mean(dim=0), rtol=1e-2, atol=1e-2)
    torch.testing.assert_close(normalisation.running_var, hidden.var(dim=0), rtol=2e-2, atol=1e-2)
    if num_rows <= 512:
        standard = network.train()(rows).mean(dim=0)
        torch.testing.assert_close(standard, torch.zeros(5), rtol=0, atol=1e-5)


def test_weights_stay_and_the_seed_chooses_the_sample() -> None:
    rows = torch.randn(6000, 6, generator=torch.Generator().manual_seed(1))
    network = _network()
    weights = copy.deepcopy(dict(network.named_parameters()))
    means = []
    for seed in (0, 0, 1):
        measure_batch_statistics(network, rows, seed=seed)
        means.append(network.state_dict()["1.running_mean"].numpy().copy())
    np.testing.assert_array_equal(means[0], means[1])
    assert (means[0] != means[2]).any()
    for name, parameter in network.named_parameters():
        assert torch.equal(parameter, weights[name])


def test_a_network_without_batch_normalisation_is_left_alone() -> None:
    network = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Dropout(0.5)).eval()
    measure_batch_statistics(network, torch.zeros(4, 3), seed=0)
    assert not network.training
