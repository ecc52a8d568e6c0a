"""The three networks of DVB (Shen, Liu and Shao, "Unsupervised deep generative hashing", BMVC 2017) as one module."""

from __future__ import annotations

import torch
from torch import nn


class VariationalNetworks(nn.Module):
    """`prior`: x -> mean and variance of z; `posterior`: (x, b) -> the same; `generator`: (x, z) -> codes in (-1, 1).

    Each has two hidden layers of `hidden` units with ReLU. Means end in tanh, variances in a sigmoid, as published.
    Rows are first scaled to length 1, then standardised. `noise` `(num_samples, latent)` is drawn once: encoding with
    it averages over the same draws for every item, so that an item's code does not depend on its neighbours.
    """

    noise: torch.Tensor

    def __init__(
        self, num_dims: int, num_bits: int, *, hidden: int, latent: int, num_samples: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.standardise = nn.BatchNorm1d(num_dims, affine=False)
        self.prior = _two_hidden(num_dims, hidden, 2 * latent)
        self.posterior = _two_hidden(num_dims + num_bits, hidden, 2 * latent)
        self.generator = _two_hidden(num_dims + latent, hidden, num_bits)
        self.register_buffer("noise", torch.randn(num_samples, latent, generator=generator))

    def prepare(self, rows: torch.Tensor) -> torch.Tensor:
        """Features as the networks take them."""
        prepared: torch.Tensor = self.standardise(nn.functional.normalize(rows, dim=1))
        return prepared

    def prior_of(self, prepared: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and variance of p(z | x), each `(batch, latent)`."""
        return _gaussian(self.prior(prepared))

    def posterior_of(self, prepared: torch.Tensor, codes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and variance of q(z | x, b)."""
        return _gaussian(self.posterior(torch.cat([prepared, codes], dim=1)))

    def generate(self, prepared: torch.Tensor, latent: torch.Tensor) -> torch.Tensor:
        """g(x, z), `(batch, num_bits)`."""
        return torch.tanh(self.generator(torch.cat([prepared, latent], dim=1)))

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """The mean of g(x, z) over the draws of z; without draws g(x, E z)."""
        prepared = self.prepare(rows)
        mean, variance = self.prior_of(prepared)
        if len(self.noise) == 0:
            return self.generate(prepared, mean)
        draws = [self.generate(prepared, mean + variance.sqrt() * noise) for noise in self.noise]
        return torch.stack(draws).mean(dim=0)


def _two_hidden(num_inputs: int, hidden: int, num_outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(num_inputs, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, num_outputs)
    )


def _gaussian(heads: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    mean, variance = heads.chunk(2, dim=1)
    return torch.tanh(mean), torch.sigmoid(variance) + 1e-6
