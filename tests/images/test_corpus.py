"""The archives of the corpus, each unpacked as a layer: refused with the reason told, or the tree of GNU tar."""

import time
from pathlib import Path

import pytest

from pier.spec.errors import InvalidParameter
from tests.images.conftest import Unpack
from tests.images.corpus import AS_TAR, REFUSED, Case, cases
from tests.images.oracle import tree_of, unpacked_by_tar

pytestmark = pytest.mark.root

CORPUS = cases()


def test_the_corpus_is_large_and_its_names_are_its_own() -> None:
    assert len({case.name for case in CORPUS}) == len(CORPUS)
    assert len(CORPUS) >= 300


@pytest.mark.parametrize("case", CORPUS, ids=lambda case: case.name)
def test_an_archive_of_the_corpus(case: Case, canary: Path, unpack: Unpack, tree: Path, tmp_path: Path) -> None:
    started_ns = time.time_ns() - 10_000_000
    if case.outcome == REFUSED:
        with pytest.raises(InvalidParameter, match=case.reason or None):
            unpack(case.archive)
        return
    unpack(case.archive)
    if case.outcome == AS_TAR:
        theirs = tmp_path / "theirs"
        theirs.mkdir()
        assert unpacked_by_tar(case.archive, theirs)
        assert tree_of(tree, started_ns=started_ns) == tree_of(theirs, started_ns=started_ns)
