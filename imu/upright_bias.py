"""A gyroscope's bias about the vertical: what a rest has taught is kept, because gravity never shows it.

While a sensor moves, VQF infers the bias from how the inclination has to be corrected. About the vertical
that tells nothing, except through sway and the errors of the accelerometer, which last and so add up: on
simulated limbs the bias about the vertical wandered by 0.05 to 0.2 deg/s within half an hour, several times
what such gyroscopes do by themselves. Here that part is weighed against what the last rest has taught.
"""

import math
from collections.abc import Sequence

import numpy as np

from imu.block import FloatArray
from imu.compiled import sequential
from imu.gaps import Run

LEARNT = math.radians(0.06)
"""A rest has taught the bias when VQF is this sure of it, rad/s: twice what it converges to."""

TAUGHT = math.radians(0.005)
"""How well it has then been taught, one sigma, rad/s: white noise of 7 mdps/sqrt(Hz) over three seconds, and
the 3 mdps by which such a bias wobbles (`imu.sensor_grade`)."""

WALK = math.radians(0.03) / math.sqrt(600.0)
"""How a bias wanders after that, rad/s/sqrt(s): 0.03 deg/s in ten minutes (`imu.sensor_grade`, assumed)."""


class UprightBias:
    """Keeps what the last rest has taught of one sensor's bias; however its samples are cut.

    Parameters
    ----------
    dt
        Seconds from sample to sample.
    """

    def __init__(self, dt: float) -> None:
        self._dt = dt
        self._rules = np.array([dt, LEARNT, TAUGHT * TAUGHT, WALK * WALK])
        self._memory = np.array([0.0, 0.0, 0.0, math.inf])

    def keep(self, run: Run) -> Run:
        """Return what a filter made of N samples, its bias about the vertical weighed against a rest's.

        From a rest on sigma is that about the vertical, which is what nothing but another rest can mend.
        """
        bias, sigma = run.bias.copy(), run.sigma.copy()
        _keep(run.q, run.rest.astype(np.float64), self._rules, bias, sigma, self._memory)
        return Run(run.q, run.rest, bias, sigma)

    def coast(self, samples: int) -> None:
        """Let the time of so many samples pass."""
        self._memory[3] += samples * self._dt

    def save(self) -> list[float]:
        """Return the memory."""
        return self._memory.tolist()

    def restore(self, state: Sequence[float]) -> None:
        """Take up the memory of `save`."""
        self._memory = np.array(state, dtype=np.float64)


@sequential("(n,q),(n),(p)->(n,a),(n),(m)")
def _keep(  # noqa: PLR0917 -- a compiled function has no keywords
    q: FloatArray,
    rest: FloatArray,
    rules: FloatArray,
    bias: FloatArray,
    sigma: FloatArray,
    memory: FloatArray,
) -> None:
    """Correct biases and their sigma in place; `memory` is the last rest's bias (3,), and seconds since."""
    dt, learnt, taught, walk = rules
    for i in range(bias.shape[0]):
        memory[3] += dt
        if rest[i] > 0.0 and sigma[i] < learnt:
            for k in range(3):
                memory[k] = bias[i, k]
            memory[3] = 0.0
        if math.isinf(memory[3]):
            continue
        w, x, y, z = q[i]
        up = (2.0 * (x * z - w * y), 2.0 * (y * z + w * x), 1.0 - 2.0 * (x * x + y * y))
        off = 0.0
        for k in range(3):
            off += up[k] * (bias[i, k] - memory[k])
        variance = sigma[i] * sigma[i]
        kept = taught + walk * memory[3]
        share = variance / (variance + kept)
        for k in range(3):
            bias[i, k] -= share * off * up[k]
        sigma[i] = math.sqrt(share * kept)
