"""What is counted of departments' systems by the processes beside those that serve: drift, and deliveries of files.

Labels are names of the configuration, and words of the code: never a value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec
from prometheus_client.core import GaugeMetricFamily, Metric

from gateway.telemetry.metrics import add, counter


class Drifts(msgspec.Struct, frozen=True, tag="drifts"):
    """One look of a watch: how many drifts there are by department, dataset and kind, and when it was.

    The dataset is empty where it is the department's whole system. `looked` is in seconds since 1970.
    """

    drifts: dict[str, int] = {}
    looked: float | None = None

    def collect(self) -> Iterator[Metric]:
        """As metrics; none where nobody has looked yet."""
        if self.looked is None:
            return
        labels = ["department", "dataset", "kind"]
        yield _gauge("source_drift", "What of a department's system does not fit", labels, self.drifts)
        told = "When it was looked last, in seconds since 1970"
        yield GaugeMetricFamily("dutybound_source_watched_timestamp_seconds", told, value=self.looked)


class Deliveries(msgspec.Struct, tag="deliveries"):
    """What the process that takes deliveries in counted, or several one after the other.

    `intakes` are by department and outcome. `as_of` is by department of what moment its records are, in seconds since
    1970: 0 where no delivery was taken in.
    """

    intakes: dict[str, int] = {}
    as_of: dict[str, float] = {}

    def add(self, other: Deliveries) -> None:
        """Count what a later process counted, too."""
        add(self.intakes, other.intakes)
        self.as_of = {**self.as_of, **other.as_of}

    def collect(self) -> Iterator[Metric]:
        """As metrics; none where no department delivers files."""
        if not self.as_of:
            return
        told = "Looks for deliveries, by what came of them"
        yield counter("delivery_intakes", told, ["department", "outcome"], self.intakes)
        told = "Of what moment a department's records are, in seconds since 1970"
        yield _gauge("delivery_as_of_timestamp_seconds", told, ["department"], self.as_of)


def _gauge(name: str, told: str, labels: Sequence[str], held: Mapping[str, float]) -> GaugeMetricFamily:
    """A metric of what is held by the values of its labels, with spaces between."""
    family = GaugeMetricFamily(f"dutybound_{name}", told, labels=labels)
    for values, value in sorted(held.items()):
        family.add_metric(values.split(" "), value)
    return family
