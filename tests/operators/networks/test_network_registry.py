"""Every network: shapes, seeds, refusals; and what a row gives does not depend on its neighbours."""

import numpy as np
import pytest
import torch

from operators.errors import InvalidSetting
from operators.networks.dsh_network import DshNetwork
from operators.networks.frozen_forward import forward_rows
from operators.networks.network_registry import create_network, network_names
from operators.networks.picture_rows import picture_shape, to_pictures, to_rows


def _rows(num_rows: int, num_dims: int = 784) -> np.ndarray:
    return np.random.default_rng(0).random((num_rows, num_dims)).astype(np.float32)


@pytest.mark.parametrize("name", network_names())
@pytest.mark.parametrize("num_dims", [784, 32 * 32 * 3])
def test_rows_to_outputs_whatever_the_batch_and_the_threads(name: str, num_dims: int) -> None:
    network = create_network(name, num_dims=num_dims, num_outputs=12, seed=3)
    rows = _rows(130, num_dims)
    whole = forward_rows(network, rows)
    assert whole.shape == (130, 12)
    assert whole.dtype == np.float32
    num_threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        parts = [forward_rows(network, part) for part in np.split(rows[::-1], [1, 60, 64, 127])]
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(num_threads)
    np.testing.assert_array_equal(np.concatenate(parts)[::-1], whole)
    assert forward_rows(network, rows[:0]).shape == (0, 12)


@pytest.mark.parametrize("name", network_names())
def test_the_seed_decides_and_torch_own_random_state_is_left_alone(name: str) -> None:
    before = torch.random.get_rng_state()
    first, again, other = (create_network(name, num_dims=784, num_outputs=4, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), before)
    rows = _rows(3)
    np.testing.assert_array_equal(forward_rows(first, rows), forward_rows(again, rows))
    assert (forward_rows(first, rows) != forward_rows(other, rows)).any()


def test_evaluation_leaves_the_mode_as_it_was() -> None:
    network = create_network("small-cnn", num_dims=784, num_outputs=4, seed=0)
    network.train()
    forward_rows(network, _rows(2))
    assert network.training


@pytest.mark.parametrize(("side", "last_side"), [(28, 3), (32, 4)])
def test_poolings_of_dsh_round_up_as_those_of_the_original(side: int, last_side: int) -> None:
    network = DshNetwork(side * side * 3, 12)
    first_hidden = next(iter(network.hidden.parameters()))
    assert first_hidden.shape == (500, 64 * last_side * last_side)


@pytest.mark.parametrize(("num_dims", "shape"), [(784, (1, 28)), (3072, (3, 32)), (3, (3, 1)), (1, (1, 1))])
def test_rows_of_pictures_tell_their_shape(num_dims: int, shape: tuple[int, int]) -> None:
    assert picture_shape(num_dims) == shape


def test_rows_and_pictures() -> None:
    rows = torch.from_numpy(_rows(2, 4 * 4 * 3))
    pictures = to_pictures(rows, (3, 4))
    assert pictures[1, 2, 3, 0] == rows[1, (3 * 4 + 0) * 3 + 2]
    assert torch.equal(to_rows(pictures), rows)


@pytest.mark.parametrize("name", [name for name in network_names() if name != "mlp"])
def test_rows_that_are_no_pictures_are_refused(name: str) -> None:
    with pytest.raises(InvalidSetting, match=r"70 feature dimensions.*--features pixels"):
        create_network(name, num_dims=70, num_outputs=4, seed=0)


def test_an_unknown_network_is_refused() -> None:
    with pytest.raises(InvalidSetting, match=r"network = 'vgg': expected one of dsh, mlp"):
        create_network("vgg", num_dims=784, num_outputs=4, seed=0)
