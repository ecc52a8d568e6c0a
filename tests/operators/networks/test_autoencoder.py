"""The autoencoder: rows of one length and one scale, and rotations that decoding does not notice."""

import numpy as np
import torch

from operators.networks.autoencoder import Autoencoder


def _network(num_dims: int = 12, width: int = 4) -> Autoencoder:
    torch.manual_seed(0)
    return Autoencoder(torch.linspace(-1, 1, num_dims), width, hidden=(16, 8))


def _rows(num_rows: int = 9, num_dims: int = 12) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(1).standard_normal((num_rows, num_dims)).astype(np.float32))


def test_code_rows_have_length_one_and_decode_to_the_width_of_the_features() -> None:
    network = _network()
    codes = network(_rows())
    assert codes.shape == (9, 4)
    np.testing.assert_allclose(codes.norm(dim=1).detach(), np.ones(9), rtol=1e-5)
    assert network.decode(codes).shape == (9, 12)


def test_the_decoder_mirrors_the_encoder() -> None:
    network = _network()
    linear = [layer for layer in network.modules() if isinstance(layer, torch.nn.Linear)]
    assert [layer.out_features for layer in linear] == [16, 8, 4, 8, 16, 12]


def test_the_scale_of_features_around_their_centre_does_not_matter() -> None:
    network = _network()
    spread = network.centre + 1000 * (_rows() - network.centre)
    torch.testing.assert_close(network(spread), network(_rows()), rtol=1e-3, atol=1e-4)


def test_a_row_on_the_centre_is_encoded() -> None:
    network = _network()
    prepared = network.prepare(network.centre[None])
    assert (prepared == 0).all()
    assert torch.isfinite(network.encode(prepared)).all()


def test_a_rotation_turns_codes_and_leaves_what_they_decode_to() -> None:
    network = _network()
    rotation, _ = torch.linalg.qr(torch.from_numpy(np.random.default_rng(2).standard_normal((4, 4))).float())
    codes = network(_rows()).detach()
    decoded = network.decode(codes).detach()
    network.rotate(rotation)
    turned = network(_rows())
    torch.testing.assert_close(turned, codes @ rotation, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(network.decode(turned), decoded, rtol=1e-4, atol=1e-5)
