"""Events while eight clients run containers as fast as the machine lets them."""

import statistics

import pytest

from tests.support.churn import churn
from tests.support.listening import Listener, missing
from tests.support.pierd import Pierd

pytestmark = pytest.mark.root


def test_no_event_is_lost_or_late_while_eight_clients_run_containers(pierd: Pierd) -> None:
    with Listener(pierd.socket) as listener, Listener(pierd.socket) as another:
        made, _ = churn(pierd.socket, 80)
        pierd.api("POST", "/volumes/create", {"Name": "the-last"}).ok()
        heard = listener.heard("the-last")
        assert len(another.heard("the-last")) == len(heard)
    assert len(set(made)) == 80
    assert missing(made, heard) == 0
    assert statistics.median(event.lag for event in heard) <= 0.05
    pierd.api("DELETE", "/volumes/the-last").ok()
