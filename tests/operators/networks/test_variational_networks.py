"""DVB's three networks: ranges, inputs, and codes that average the same draws for every item."""

import numpy as np
import pytest
import torch

from operators.networks.frozen_forward import forward_rows
from operators.networks.variational_networks import VariationalNetworks

_DIMS, _BITS, _LATENT = 9, 6, 4


def _networks(num_samples: int = 3, seed: int = 0) -> VariationalNetworks:
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    networks = VariationalNetworks(
        _DIMS, _BITS, hidden=12, latent=_LATENT, num_samples=num_samples, generator=generator
    )
    networks.train()
    networks.prepare(_rows(200, 1))  # gives the standardisation something to stand on
    return networks.eval()


def _rows(num_rows: int, seed: int = 0) -> torch.Tensor:
    return torch.rand((num_rows, _DIMS), generator=torch.Generator().manual_seed(seed))


def test_means_and_codes_end_in_tanh_and_variances_in_a_sigmoid() -> None:
    networks = _networks()
    prepared = 50 * networks.prepare(_rows(40))
    codes = networks.generate(prepared, torch.zeros(40, _LATENT))
    for mean, variance in (networks.prior_of(prepared), networks.posterior_of(prepared, codes)):
        assert mean.shape == variance.shape == (40, _LATENT)
        assert float(mean.detach().abs().max()) <= 1
        assert float(variance.detach().min()) > 0
        assert float(variance.detach().max()) <= 1 + 1e-5
    assert codes.shape == (40, _BITS)
    assert float(codes.detach().abs().max()) <= 1


def test_every_network_has_two_hidden_layers_of_the_width_asked() -> None:
    networks = _networks()
    for network in (networks.prior, networks.posterior, networks.generator):
        widths = [layer.out_features for layer in network if isinstance(layer, torch.nn.Linear)]
        assert widths[:-1] == [12, 12]
        assert len(widths) == 3


def test_the_posterior_sees_the_codes_and_the_generator_sees_the_latent() -> None:
    networks = _networks()
    prepared = networks.prepare(_rows(5))
    zeros, ones = torch.zeros(5, _BITS), torch.ones(5, _BITS)
    assert (networks.posterior_of(prepared, zeros)[0] != networks.posterior_of(prepared, ones)[0]).any()
    latents = torch.zeros(5, _LATENT), torch.ones(5, _LATENT)
    assert (networks.generate(prepared, latents[0]) != networks.generate(prepared, latents[1])).any()


def test_the_length_of_a_row_does_not_count() -> None:
    networks, rows = _networks(), _rows(6)
    np.testing.assert_allclose(networks.prepare(rows).numpy(), networks.prepare(7 * rows).numpy(), atol=1e-4)


def test_codes_are_the_mean_over_the_stored_draws() -> None:
    networks, rows = _networks(num_samples=3), _rows(8)
    with torch.no_grad():
        prepared = networks.prepare(rows)
        mean, variance = networks.prior_of(prepared)
        total = torch.zeros(8, _BITS)
        for draw in networks.noise:
            for item in range(8):
                latent = mean[item] + variance[item].sqrt() * draw
                total[item] += networks.generate(prepared[item : item + 1], latent[None])[0]
        np.testing.assert_allclose(networks(rows).numpy(), (total / 3).numpy(), atol=1e-6)


def test_without_draws_the_latent_is_its_mean() -> None:
    networks, rows = _networks(num_samples=0), _rows(8)
    with torch.no_grad():
        prepared = networks.prepare(rows)
        expected = networks.generate(prepared, networks.prior_of(prepared)[0])
        np.testing.assert_array_equal(networks(rows).numpy(), expected.numpy())


@pytest.mark.parametrize("num_samples", [0, 5])
def test_an_item_does_not_depend_on_its_neighbours(num_samples: int) -> None:
    networks, rows = _networks(num_samples), _rows(70).numpy()
    whole = forward_rows(networks, rows)
    np.testing.assert_array_equal(forward_rows(networks, rows[::-1])[::-1], whole)
    alone = [forward_rows(networks, rows[item : item + 1])[0] for item in (0, 33, 69)]
    np.testing.assert_array_equal(alone, whole[[0, 33, 69]])


def test_draws_come_from_the_generator_and_are_kept_with_the_weights() -> None:
    first, again, other = _networks(seed=1), _networks(seed=1), _networks(seed=2)
    np.testing.assert_array_equal(first.noise.numpy(), again.noise.numpy())
    assert (first.noise != other.noise).any()
    assert first.noise.shape == (3, _LATENT)
    assert "noise" in first.state_dict()
