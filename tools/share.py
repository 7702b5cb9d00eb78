"""A plugin of pytest: which tests of a suite that several processes share this one runs.

    pytest -p tools.share --part 1 --parts 3     # the second third of the files
    pytest -p tools.share --turn 1 --turns 3     # of the tests marked `once`, those whose turn it is here

tools/test.py uses it. Without it pytest runs every test.
"""

import pytest

from tools.test import ELSEWHERE

LEFT_TO_OTHERS = pytest.StashKey[bool]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The share of this process."""
    parser.addoption("--part", type=int, default=0, help="run every `--parts`-th file, from this one on")
    parser.addoption("--parts", type=int, default=1, help="how many processes share the files")
    parser.addoption("--turn", type=int, default=0, help="which of the backends this is")
    parser.addoption("--turns", type=int, default=1, help="how many backends share the tests marked `once`")


@pytest.hookimpl(trylast=True)  # among the tests that `-k` and the like have left
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out the tests that are another's."""
    files = sorted({item.path for item in items})
    mine = set(files[config.getoption("part") :: config.getoption("parts")])
    kept, others = [], []
    for item in items:
        (kept if item.path in mine and _has_its_turn(item) else others).append(item)
    items[:] = kept
    config.stash[LEFT_TO_OTHERS] = bool(others)
    config.hook.pytest_deselected(items=others)


def _has_its_turn(item: pytest.Item) -> bool:
    once = item.get_closest_marker("once")
    turns = item.config.getoption("turns")
    return once is None or once.kwargs.get("turn", 0) % turns == item.config.getoption("turn")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """A process whose tests are all another's has not failed; that there is no test at all, the first part tells."""
    others = session.config.stash.get(LEFT_TO_OTHERS, False) or session.config.getoption("part") > 0
    if exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED and others:
        session.exitstatus = ELSEWHERE
