"""Bytes of any kind for whatever reads bytes of others. ``FUZZ_SECONDS=600`` does it for longer."""

import os
import time

import pytest
from fuzz_targets import CORPUS, TARGETS, check, fuzz, mutated, seeds
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

SECONDS = float(os.environ.get("FUZZ_SECONDS", "0.7"))  # of processor time, for each target and way


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_what_was_found_before(name: str) -> None:
    for path in sorted((CORPUS / name).glob("*")):
        check(name, path.read_bytes())
    for data in seeds(name):
        check(name, data)


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_mutated_inputs(name: str) -> None:
    assert fuzz(name, SECONDS) > 10


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_inputs_of_hypothesis(name: str) -> None:
    """It shrinks what fails."""
    known = seeds(name)
    until = time.process_time() + SECONDS
    inputs = st.one_of(
        st.binary(max_size=400),
        st.builds(lambda seed, chance: mutated(seed, known, chance), st.sampled_from(known), st.randoms()),
    )

    @settings(max_examples=100, database=None, suppress_health_check=list(HealthCheck))
    @given(inputs)
    def run(data: bytes) -> None:
        check(name, data)

    while time.process_time() < until:
        run()
