"""The load predictor of arXiv 2107.11832: an encoder and a decoder of long short-term memory.

The published code differs in two points that make it look better than it is: the series is scaled
by the mean and standard deviation of all of it, and the arrays of the test are copies of those of
the training, so the loss that it prints is a training loss. Here both are kept apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch
    from torch import nn

_BATCH = 256  # origins predicted together


@dataclass(frozen=True)
class Lstm:
    """Encoder and decoder of LSTM cells, trained with Huber's loss and Adam.

    Attributes
    ----------
    inputs : int
        Slots read before an origin.
    hidden : int
        Size of the state, 100 in arXiv 2107.11832.
    epochs : int
        Epochs; the step of Adam is ``0.001 * 0.9**epoch`` there.
    batches : int
        Batches an epoch, of windows drawn with replacement.
    batch : int
        Windows a batch.
    step, decay : float
        First step of Adam, and its factor an epoch.
    seed : int
        Seed of the weights and of the draws.
    device : str
        ``"cpu"``, ``"cuda"``.
    name : str
        Name for tables.
    """

    inputs: int = 480
    hidden: int = 100
    epochs: int = 40
    batches: int = 50
    batch: int = 64
    step: float = 1e-3
    decay: float = 0.9
    seed: int = 0
    device: str = "cpu"
    name: str = "LSTM"

    @property
    def needs(self) -> int:
        """The slots that are read."""
        return self.inputs

    def fit(self, past: np.ndarray, horizon: int) -> FittedLstm:
        """Train on windows of the fitted part, scaled by its own mean and spread.

        Parameters
        ----------
        past : numpy.ndarray, shape (slots,)
            The fitted part.
        horizon : int
            Slots predicted.

        Returns
        -------
        FittedLstm
            The trained network. The same seed, device and number of threads give the same weights.
        """
        import torch

        from restudy.adam import Adam

        mean, spread = float(past.mean()), float(past.std()) or 1.0
        scaled = ((past - mean) / spread).astype("float32")
        model = _network(self.hidden, horizon, self.seed).to(self.device)
        windows = np.lib.stride_tricks.sliding_window_view(scaled, self.inputs + horizon)
        rng = np.random.default_rng(self.seed)
        adam = Adam(model.parameters(), self.step)
        loss = torch.nn.HuberLoss()
        for _ in range(self.epochs):
            for _ in range(self.batches):
                drawn = windows[rng.integers(len(windows), size=self.batch)]
                rows = torch.from_numpy(drawn).to(self.device)  # (batch, inputs + horizon)
                adam.step(loss(model(rows[:, : self.inputs]), rows[:, self.inputs :]))
            adam.rate *= self.decay
        return FittedLstm(model, self.inputs, mean, spread, self.device)


@dataclass(frozen=True)
class FittedLstm:
    """A trained network and the scale of its input.

    Attributes
    ----------
    model : torch.nn.Module
        Turns (rows, inputs) into (rows, horizon).
    inputs : int
        Slots read before an origin.
    mean, spread : float
        Of the fitted part.
    device : str
        Where the network lives.
    """

    model: nn.Module
    inputs: int
    mean: float
    spread: float
    device: str

    def predict(self, series: np.ndarray, origins: np.ndarray) -> np.ndarray:
        """Predict from each origin: (origins, horizon)."""
        import torch

        windows = np.lib.stride_tricks.sliding_window_view(series, self.inputs)
        found = []
        with torch.no_grad():
            for at in range(0, len(origins), _BATCH):
                rows = (windows[origins[at : at + _BATCH] - self.inputs] - self.mean) / self.spread
                batch = torch.from_numpy(rows.astype("float32")).to(self.device)
                found.append(self.model(batch).cpu().numpy())
        return np.concatenate(found).astype("float64") * self.spread + self.mean


def _network(hidden: int, horizon: int, seed: int) -> nn.Module:
    """Make an encoder whose last state is the decoder's first state and, each step, its input."""
    import torch

    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = torch.nn.LSTM(1, hidden, batch_first=True)
            self.decoder = torch.nn.LSTM(hidden, hidden, batch_first=True)
            self.dense = torch.nn.Linear(hidden, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            _, (h, c) = self.encoder(x[..., None])  # (1, rows, hidden)
            repeated = h[0][:, None].expand(-1, horizon, -1)  # (rows, horizon, hidden)
            out, _ = self.decoder(repeated, (h, c))
            return self.dense(out)[..., 0]  # (rows, horizon)

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Network()
