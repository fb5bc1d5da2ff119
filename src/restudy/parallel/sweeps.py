"""A sweep over independent points: the same bits on any executor, saved point by point."""

import concurrent.futures
import dataclasses
import functools
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from restudy.errors import UserError

P = TypeVar("P")
R = TypeVar("R")


class SweepError(UserError):
    """Points of a sweep that failed, or a sweep that cannot be saved."""


def sweep(
    function: Callable[[P, np.random.Generator], R],
    points: Sequence[P],
    *,
    seed: int,
    executor: concurrent.futures.Executor | None = None,
    folder: Path | None = None,
) -> list[R]:
    """Evaluate ``function(point, rng)`` at each point, in any order, and return them in order.

    Point number i gets the generator of the i-th child of ``SeedSequence(seed)``, so the results
    do not depend on the executor, on its number of workers, or on which points were saved before.

    Parameters
    ----------
    function : callable
        Its result is passed through JSON: numbers, strings, lists, dicts with string keys
        (tuples come back as lists).
    points : sequence
        What to evaluate.
    seed : int
        Not negative.
    executor : concurrent.futures.Executor, optional
        A thread pool, a process pool, or ``client.get_executor()`` of a Dask client; one point
        after the other by default. Dask runs the points of a dead worker again; a process pool
        gives up all of its points when a worker dies (start again with `folder` to go on).
    folder : pathlib.Path, optional
        Each finished point is saved here in a small file, named by function, point, number and
        seed, and is not evaluated again. Use one folder for one version of the code: the
        function's body is no part of the name.

    Returns
    -------
    list
        One result a point.

    Raises
    ------
    SweepError
        If points raise, after all others are done (and saved), naming them, with the first as
        cause; or if points cannot be named or saved in `folder`.

    Examples
    --------
    >>> sweep(lambda point, rng: point**2, [1, 2, 3], seed=0)
    [1, 4, 9]
    """
    files = [] if folder is None else _files(function, points, seed, folder)
    results: dict[int, R] = {}
    for index, file in enumerate(files):
        if (saved := _read(file)) is not None:
            results[index] = saved["result"]
    failed: dict[int, BaseException] = {}
    todo = [index for index in range(len(points)) if index not in results]
    for index, future in _finished(executor, function, points, seed, todo):
        error = future.exception()
        if error is not None:
            failed[index] = error
            continue
        results[index] = json.loads(future.result())
        if files:
            _save(files[index], index=index, seed=seed, result=results[index])
    if failed:
        first = min(failed)
        raise SweepError(
            f"{len(failed)} of {len(points)} points failed (numbers "
            f"{', '.join(map(str, sorted(failed)))}; the others are done): point {first}, "
            f"{points[first]!r}, raised {type(failed[first]).__name__}: {failed[first]}"
        ) from failed[first]
    return [results[index] for index in range(len(points))]


def _evaluate(function: Callable[[P, np.random.Generator], R], point: P, seed: int, i: int) -> str:
    """Return the result at one point as JSON text, which keeps every bit of a float."""
    child = np.random.SeedSequence(seed, spawn_key=(i,))  # what .spawn() makes as number i
    return json.dumps(function(point, np.random.default_rng(child)))


def _finished(
    executor: concurrent.futures.Executor | None,
    function: Callable[[P, np.random.Generator], R],
    points: Sequence[P],
    seed: int,
    todo: Sequence[int],
) -> Iterator[tuple[int, concurrent.futures.Future[str]]]:
    """Yield each point's number and its finished future, as they finish."""
    if executor is None:
        for i in todo:
            future: concurrent.futures.Future[str] = concurrent.futures.Future()
            try:
                future.set_result(_evaluate(function, points[i], seed, i))
            except Exception as error:  # handed to the caller, who reports all of them
                future.set_exception(error)
            yield i, future
        return
    futures = {executor.submit(_evaluate, function, points[i], seed, i): i for i in todo}
    try:
        for future in concurrent.futures.as_completed(futures):
            yield futures[future], future
    finally:
        for future in futures:
            future.cancel()


def _files(function: Any, points: Sequence[Any], seed: int, folder: Path) -> list[Path]:
    """Return the file of each point."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        who = json.dumps(_name(function), sort_keys=True, default=_described)
        keys = [
            json.dumps([who, point, index, seed], sort_keys=True, default=_described)
            for index, point in enumerate(points)
        ]
    except TypeError as error:
        raise SweepError(
            f"the points of {function!r} cannot be saved ({error}): use a named function, and "
            "numbers, strings, lists, dicts or dataclasses as points."
        ) from error
    except OSError as error:
        raise SweepError(f"cannot make the folder {folder} ({error.strerror}).") from error
    return [folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.json" for key in keys]


def _name(function: Any) -> Any:
    if isinstance(function, functools.partial):
        return [_name(function.func), function.args, function.keywords]
    name = getattr(function, "__qualname__", "<unnamed>")
    if "<" in name.rpartition(".")[2]:
        raise TypeError(f"a function named {name}")
    return f"{function.__module__}.{name}"


def _described(value: Any) -> Any:
    """Describe for JSON what JSON does not know."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        return [type(value).__qualname__, fields]
    if isinstance(value, np.generic | np.ndarray):
        return [str(value.dtype), value.tolist()]
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"a {type(value).__name__}")


def _read(file: Path) -> dict[str, Any] | None:
    """Return a saved point; None if it is absent or damaged, and so has to be evaluated."""
    try:
        saved = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return saved if isinstance(saved, dict) and "result" in saved else None


def _save(file: Path, **content: Any) -> None:
    new = file.with_suffix(f".{os.getpid()}.part")
    try:
        new.write_text(json.dumps(content), encoding="utf-8")
        os.replace(new, file)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise SweepError(
            f"cannot save a point in {file.parent} ({error.strerror}): make room and run again, "
            "the points saved so far are kept."
        ) from error
