"""Where the time of a consumer of clips goes, and what helps if it waits for them."""

from __future__ import annotations

from dataclasses import dataclass, field

from raysl.views.loaded import LoadSeconds

SLOW_SHARE, SLOW_SECONDS, SLOW_ITEMS = 0.2, 30.0, 20
"""A consumer that waits longer than this share of its time is told why, after so many seconds and items."""
REMEDIES = {
    "decode": "keep decoded frames (--cache-gigabytes), or make copies that decode faster (raysl data prepare)",
    "storage": "keep the videos or the frame cache (--cache) on a disk of this node",
    "augmentation": "leave colours to a GPU (training.colors_on: device), or take fewer views, or cheaper augmentation",
    "collate": "take shorter or smaller clips, or smaller batches",
}
"""What helps, by the part of loading that takes longest."""


@dataclass
class Spent:
    """Seconds of the items so far, without those that warm up."""

    items: int = 0
    waited: float = 0.0
    used: float = 0.0
    loading: float = 0.0
    parts: dict[str, float] = field(default_factory=dict)

    def add(self, waited: float, used: float, loading: LoadSeconds) -> None:
        self.items += 1
        self.waited += waited
        self.used += used
        self.loading += loading.wall
        for name, seconds in loading.parts.items():
            self.parts[name] = self.parts.get(name, 0.0) + seconds

    @property
    def total(self) -> float:
        return self.waited + self.used

    @property
    def wait_share(self) -> float:
        """Share of the time in which the consumer waited for items."""
        return self.waited / self.total if self.total > 0 else 0.0

    @property
    def is_slow(self) -> bool:
        return self.items >= SLOW_ITEMS and self.total >= SLOW_SECONDS and self.wait_share > SLOW_SHARE

    def hint(self, processes: int) -> str:
        """One sentence on where the time goes, and what to do."""
        shares = self.shares()
        return (
            f"{self.wait_share:.0%} of the time are spent waiting for clips (loading: "
            f"{', '.join(f'{name} {share:.0%}' for name, share in shares.items())}; {processes} loader processes): "
            f"give more CPUs and loader processes (--cpus-per-worker, training.loader_workers), or "
            f"{REMEDIES[next(iter(shares))]}"
        )

    def shares(self) -> dict[str, float]:
        """Of loading, by part, the largest first; what no part measures is augmentation."""
        if self.loading <= 0:
            return {}
        rest = max(0.0, self.loading - sum(self.parts.values()))
        parts = {**self.parts, "augmentation": rest}
        return {name: parts[name] / self.loading for name in sorted(parts, key=parts.__getitem__, reverse=True)}
