"""Figures for Prometheus: of requests as they are answered, of jobs when they are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dhess.service.models import Figures

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """The counters of one gateway, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "dhess_http_requests", "Requests answered.", ("method", "route", "status"),
            registry=self.registry,
        )  # fmt: skip
        self._seconds = Histogram(
            "dhess_http_request_seconds", "Time to an answer; of a stream, to its end.",
            ("method", "route"), registry=self.registry, buckets=_SECONDS,
        )  # fmt: skip

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    def text(self, figures: Figures) -> bytes:
        """Return all figures as Prometheus reads them."""
        now = CollectorRegistry()
        now.register(_Now(figures))
        return bytes(generate_latest(self.registry) + generate_latest(now))


class _Now:
    """The figures of the engine, as they are at one moment."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        """Yield them."""
        figures = self._figures
        yield _by_label("dhess_jobs", "Jobs in the ledger.", "state", figures.jobs)
        yield GaugeMetricFamily("dhess_jobs_waiting", "Jobs in the queue.", figures.queued)
        yield GaugeMetricFamily("dhess_jobs_running", "Jobs with a runner.", figures.running)
        yield CounterMetricFamily("dhess_windows", "Windows recorded.", figures.windows)
        yield CounterMetricFamily("dhess_submissions", "New jobs.", figures.submissions)
        told = "Processes of the gateway."
        yield _by_label("dhess_children", told, "kind", figures.children)
        restarts = CounterMetricFamily(
            "dhess_child_restarts", "Processes that died and were started again.", labels=["kind"]
        )
        for kind, number in figures.restarts.items():
            restarts.add_metric([kind], number)
        yield restarts
        for name, told, value in (
            ("dhess_cluster_workers", "Workers of the cluster.", figures.workers),
            ("dhess_cluster_threads", "Threads of all workers.", figures.threads),
            ("dhess_cluster_memory_bytes", "Memory of all workers.", figures.memory),
        ):
            if value is not None:
                yield GaugeMetricFamily(name, told, value)


def _by_label(name: str, told: str, label: str, values: dict[str, int]) -> Metric:
    family = GaugeMetricFamily(name, told, labels=[label])
    for key, number in values.items():
        family.add_metric([key], number)
    return family
