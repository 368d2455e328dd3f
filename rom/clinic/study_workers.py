"""Two ways to run a study's recordings: processes of this machine, or the workers of a Dask cluster.

Both call `rom.clinic.study_rows.attempt` and nothing else, so both give the same rows. Both survive the death
of a process: what it was working on is tried again.
"""

import os
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from imu.errors import InputError
from rom.clinic.study_rows import Outcome, StudyOptions, attempt, failed, software

Finished = tuple[Path, Outcome]

_IN_FLIGHT = 2
"""Recordings handed out per worker: one at work, one waiting, so that no worker idles."""

_PATIENCE_S = 15
_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
_DIED = (
    "the process that measured it died, also when it was alone; is memory short? the next run tries it again"
)


def on_this_machine(paths: Iterable[Path], options: StudyOptions, workers: int) -> Iterator[Finished]:
    """Yield each recording with its outcome, in the order in which they finish.

    The processes are spawned, not forked: a fork of a process with threads (progress, linear algebra) can
    hang, and Windows and macOS only spawn. Each has one thread for linear algebra, else two workers would
    fight for the same cores.

    Parameters
    ----------
    paths
        The recordings; taken one by one as workers become free.
    options
        How to measure.
    workers
        How many processes.

    Raises
    ------
    InputError
        If `workers` is below 1.
    """
    if workers < 1:
        raise InputError(f"a study needs at least 1 worker, got {workers}")
    queue = deque(paths)
    with _one_thread_each():
        while queue:
            suspects: list[Path] = []
            yield from _together(queue, options, workers, suspects)
            for path in suspects:
                yield path, _alone(path, options)


def on_cluster(paths: Iterable[Path], options: StudyOptions, address: str) -> Iterator[Finished]:
    """Yield each recording with its outcome, computed by the workers of a Dask cluster.

    The workers need the same version of this software, and see the recordings under the same path. A worker
    that dies loses nothing: the scheduler gives its recordings to another; only one that kills several
    workers is given up.

    Parameters
    ----------
    paths
        The recordings.
    options
        How to measure.
    address
        Of the scheduler, such as `tcp://host:8786`.

    Raises
    ------
    InputError
        If the library is not installed, no scheduler answers, it has no workers, or theirs is another
        version.
    """
    try:
        from distributed import Client, as_completed
    except ImportError:
        raise InputError(
            "--scheduler needs Dask; install it with the extra, as in: pip install 'romcap[study]'"
        ) from None
    try:
        client: Any = Client(address, timeout=_PATIENCE_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise InputError(
            f"no Dask scheduler answers at {address} ({error or 'no connection'}); start one with "
            "`dask scheduler` and pass its address"
        ) from None
    with client:
        width = _IN_FLIGHT * _check_workers(client, address)
        queue = deque(paths)
        path_of: dict[str, Path] = {}

        def submit() -> Any:
            path = queue.popleft()
            future = client.submit(attempt, path, options, pure=False)
            path_of[future.key] = path
            return future

        running: Any = as_completed([submit() for _ in range(min(width, len(queue)))], loop=client.loop)
        for future in running:
            path = path_of.pop(future.key)
            error = future.exception()
            yield path, future.result() if error is None else failed(f"{_DIED} ({error})", final=False)
            future.release()
            if queue:
                running.add(submit())


def _check_workers(client: Any, address: str) -> int:
    """Return the number of threads of the cluster; refuse one that would compute something else."""
    threads: dict[str, int] = client.nthreads()
    if not threads:
        raise InputError(
            f"the scheduler at {address} has no workers; start some with `dask worker {address}`"
        )
    versions: dict[str, Any] = client.run(software, on_error="return")
    for worker, found in versions.items():
        if found != software():
            raise InputError(
                f"worker {worker} has romcap {found}, expected {software()}; install the same version there"
            )
    return sum(threads.values())


def _together(
    queue: deque[Path], options: StudyOptions, workers: int, suspects: list[Path]
) -> Iterator[Finished]:
    """Work on a queue until it is empty or a process dies; then `suspects` holds what was under way."""
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"))
    running: dict[Future[Outcome], Path] = {}
    try:
        while (queue or running) and not suspects:
            while queue and len(running) < _IN_FLIGHT * workers:
                path = queue.popleft()
                try:
                    running[pool.submit(attempt, path, options)] = path
                except BrokenProcessPool:
                    suspects.append(path)
                    break
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                path = running.pop(future)
                try:
                    yield path, future.result()
                except BrokenProcessPool:
                    suspects.append(path)
        for future, path in running.items():
            if suspects and not (future.done() and future.exception() is None):
                suspects.append(path)
            else:
                yield path, future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _alone(path: Path, options: StudyOptions) -> Outcome:
    """Measure one recording in a process of its own: whether it was the one that kills is then known."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        try:
            return pool.submit(attempt, path, options).result()
        except BrokenProcessPool:
            return failed(_DIED, final=False)


@contextmanager
def _one_thread_each() -> Generator[None]:
    """Let processes started inside use one thread for linear algebra; it is read when they start."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
