"""The term of `instdisc`; its options and sources stand in `raysl.objectives.frameworks.instdisc`."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from raysl.models.backbone import Backbone
from raysl.objectives.frameworks.instdisc import InstDiscOptions, check_negatives
from raysl.objectives.losses.info_nce import contrastive_accuracy, info_nce
from raysl.objectives.losses.noise_contrastive import bank_logits, log_normaliser, noise_contrastive_loss
from raysl.objectives.losses.nt_xent import entropy_of, unit_rows
from raysl.objectives.losses.representation_metrics import representation_metrics
from raysl.objectives.memory.memory_bank import MemoryBank
from raysl.objectives.tasks.transformed import TransformedViewLosses
from raysl.objectives.term import Term, TermContext, TermOutput
from raysl.views.batch import Batch


class InstDisc(Term):
    """A clip's embedding against its video's entry of the bank and drawn ones; the entry follows after the step.

    Metrics: ``contrastive_accuracy`` (share of clips nearer to their video's entry than to every drawn entry of another
    video), ``contrastive_entropy`` (nats, of a clip's softmax over these) and those of `representation_metrics`: of the
    clips' embeddings, ``alignment`` with the videos' entries.

    Raises:
        ConfigError: more negatives than the bank has entries of other videos.
    """

    compares_across_batch = False

    log_z: Tensor

    def __init__(self, options: InstDiscOptions, context: TermContext) -> None:
        super().__init__()
        check_negatives(options, len(context.videos))
        self.options = options
        self.projector = context.projector(options.projector)
        self.bank = MemoryBank(context.videos, self.projector.output_dim)
        self.transformed = TransformedViewLosses(context, self.projector.output_dim)
        # log Z of `noise_contrastive`; Z 0 is not known yet.
        self.register_buffer("log_z", torch.tensor(-torch.inf))
        self._log_z_known = False
        self.register_load_state_dict_post_hook(_ask_again)  # type: ignore[no-untyped-call]
        self._seed, self._step = context.seed, 0
        self._seen: list[tuple[Tensor, Tensor]] = []
        self._first_log_z: Tensor | None = None

    @property
    def view_names(self) -> tuple[str, ...]:
        return ("query", *self.transformed.view_names)

    def begin_step(self, step: int, backbone: Backbone) -> None:
        self._step, self._seen, self._first_log_z = step, [], None

    def forward(self, features: Mapping[str, Tensor], batch: Batch) -> TermOutput:
        query = self.projector(features["query"])
        drawn = self.bank.draw(batch.views["query"].video, self.options.negatives, self._seed, self._step, "negatives")
        own = drawn[:, 0]
        self._seen.append((own, unit_rows(query.detach())))
        logits = bank_logits(query, self.bank.entries, drawn, self.options.temperature)
        metrics = self._metrics(query, own, drawn, logits) if self.measures else {}
        told = TermOutput(self._loss(logits), metrics)
        return self.transformed.added_to(
            told,
            features,
            self.options.original_weight,
            lambda z: self._loss(bank_logits(z, self.bank.entries, drawn, self.options.temperature)),
        )

    def _loss(self, logits: Tensor) -> Tensor:
        if self.options.loss == "softmax":
            return info_nce(logits).loss
        return noise_contrastive_loss(logits, self._normaliser(logits), len(self.bank))

    def _normaliser(self, logits: Tensor) -> Tensor:
        """log Z, from the very first batch; collective there."""
        if not self._log_z_known:  # its value, which the host of a GPU waits for
            self._log_z_known = not self.log_z.isneginf()
        if self._log_z_known:
            return self.log_z
        if self._first_log_z is None:
            self._first_log_z = log_normaliser(logits, len(self.bank))
        return self._first_log_z

    @torch.no_grad()
    def _metrics(self, query: Tensor, own: Tensor, drawn: Tensor, logits: Tensor) -> dict[str, Tensor]:
        itself = drawn == own[:, None]
        itself[:, 0] = False
        entries = self.bank.entries[own].to(query.dtype)
        logits = logits.masked_fill(itself, -torch.inf)
        return {
            "contrastive_accuracy": contrastive_accuracy(logits),
            "contrastive_entropy": entropy_of(logits),
            **representation_metrics(query, query),
            "alignment": representation_metrics(query, entries)["alignment"],
        }

    def end_step(self) -> None:
        for rows, embeddings in self._seen:
            self.bank.update(rows, embeddings, self.options.momentum)
        if self._first_log_z is not None:
            self.log_z.copy_(self._first_log_z)
            self._log_z_known = True
        self._seen, self._first_log_z = [], None


def _ask_again(term: InstDisc, _: object) -> None:
    term._log_z_known = False
