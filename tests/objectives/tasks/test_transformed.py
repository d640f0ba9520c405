"""The contrast of tasks' own views with the original clip: TaCo Eq. 1 and 2, on every framework that has it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from raysl.config.component import find
from raysl.objectives.losses.nt_xent import unit_rows
from raysl.objectives.tasks.heads import TaskProjection
from raysl.objectives.term import Term
from raysl.views.batch import Batch
from tests.objectives.batches import TinyBackbone, context, random_batch, small_options
from tests.objectives.losses.test_nt_xent import oracle as nt_xent_oracle
from tests.objectives.task_batches import CONTRASTING, TASKS, VIEWS, with_task_views

Features = dict[str, Tensor]
Oracle = Callable[[Any, Features, Batch], tuple[Tensor, dict[str, Tensor]]]
"""Term, features and batch to the loss of the original clip and those of the tasks."""
BATCH = with_task_views(random_batch(dtype=torch.float64))


def build(name: str, *, tasks: bool = True, **options: Any) -> Any:
    torch.manual_seed(0)
    given = context(transformed=TASKS if tasks else {})
    return find("framework", name).build(small_options(name, **options), given).double()


def online() -> TinyBackbone:
    """What a momentum encoder moves towards."""
    torch.manual_seed(1)
    return TinyBackbone().double()


def features() -> Features:
    generator = torch.Generator().manual_seed(0)
    return {name: torch.rand(4, 6, generator=generator).double() for name in ("query", "key", *VIEWS)}


def unit(vector: Tensor) -> Tensor:
    return vector / vector.square().sum().sqrt()


def projected(projection: TaskProjection, clips: list[Tensor]) -> Tensor:
    """One video: the clips' linear layers side by side at length 1, a linear layer; not normalised."""
    each, joint = projection.each, projection.joint
    return joint.weight @ unit(torch.cat([each.weight @ clip + each.bias for clip in clips])) + joint.bias


def embeddings(term: Any, given: Features) -> dict[str, Tensor]:
    """By task, ``[4, d]`` of length 1."""
    made = {}
    for (task, views), projection in zip(TASKS.items(), term.transformed.projections, strict=True):
        clips = [[given[name][video] for name in views.names] for video in range(4)]
        made[task] = torch.stack([unit(projected(projection, one)) for one in clips])
    return made


def contrast(anchors: Tensor, positives: Tensor, dictionaries: Any, temperature: float) -> Tensor:
    """Eq. 1, mean over videos: the dictionary of a video holds its positive too."""
    total = torch.zeros((), dtype=torch.float64)
    for anchor, positive, dictionary in zip(anchors, positives, dictionaries, strict=True):
        candidates = [torch.exp(anchor @ entry / temperature) for entry in (positive, *dictionary)]
        total = total - torch.log(candidates[0] / torch.stack(candidates).sum())
    return total / len(anchors)


def instdisc(term: Any, given: Features, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
    bank = term.bank.entries
    rows = term.bank.draw(batch.views["query"].video, term.options.negatives, 0, 0, "negatives")

    def against(anchors: Tensor) -> Tensor:
        return contrast(anchors, bank[rows[:, 0]], bank[rows[:, 1:]], term.options.temperature)

    own = against(unit_rows(term.projector(given["query"])))
    return own, {task: against(embedding) for task, embedding in embeddings(term, given).items()}


def moco(term: Any, given: Features, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
    queue = [term.queue.columns.T] * 4
    key = unit_rows(term.target(batch.views["key"].clips))

    def against(anchors: Tensor) -> Tensor:
        return contrast(anchors, key, queue, term.options.temperature)

    own = against(unit_rows(term.projector(given["query"])))
    return own, {task: against(embedding) for task, embedding in embeddings(term, given).items()}


def moco_original(term: Any, given: Features, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
    """The query is the original's, the key the task's, through the momentum backbone; a queue for each task."""
    query = unit_rows(term.projector(given["query"]))
    key = unit_rows(term.target(batch.views["key"].clips))
    own = contrast(query, key, [term.queue.columns.T] * 4, term.options.temperature)
    backbone = term.target.encoder.backbone
    pooled = {name: backbone(batch.views[name].clips).mean(dim=(2, 3, 4)).detach() for name in VIEWS}
    keys = {task: embedding.detach() for task, embedding in embeddings(term, pooled).items()}
    queues = dict(zip(TASKS, term.transformed_keys.queues, strict=True))
    return own, {
        task: contrast(query, keys[task], [queues[task].columns.T] * 4, term.options.temperature) for task in TASKS
    }


def simclr(term: Any, given: Features, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
    """NT-Xent with the task's embedding in the place of the query's: all 2B rows are anchors."""
    query, key = term.projector(torch.cat([given["query"], given["key"]])).chunk(2)
    temperature = term.options.temperature
    own = nt_xent_oracle(query, key, temperature)
    return own, {task: nt_xent_oracle(one, key, temperature) for task, one in embeddings(term, given).items()}


def cosines(first: Tensor, second: Tensor) -> Tensor:
    return torch.stack([unit(a) @ unit(b) for a, b in zip(first, second, strict=True)])


def unnormalised(term: Any, given: Features) -> dict[str, Tensor]:
    """By task, what a predictor reads."""
    return {
        task: torch.stack(
            [projected(projection, [given[name][video] for name in TASKS[task].names]) for video in range(4)]
        )
        for task, projection in zip(TASKS, term.transformed.projections, strict=True)
    }


def byol(term: Any, given: Features, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
    """``2 - 2 cos`` of both directions; the task predicts the original's target, counted twice as the pair is."""
    query, key = term.predictor(term.projector(torch.cat([given["query"], given["key"]]))).chunk(2)
    targets = [term.target(batch.views[name].clips) for name in ("key", "query")]
    own = (2 - 2 * cosines(query, targets[0])).mean() + (2 - 2 * cosines(key, targets[1])).mean()
    predictions = {task: term.predictor(one) for task, one in unnormalised(term, given).items()}
    return own, {task: 2 * (2 - 2 * cosines(one, targets[0])).mean() for task, one in predictions.items()}


def simsiam(term: Any, given: Features, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
    """Minus the cosine of the prediction with the original's embedding, which gets no gradient."""
    both = term.projector(torch.cat([given["query"], given["key"]]))
    query, key = both.detach().chunk(2)
    from_query, from_key = term.predictor(both).chunk(2)
    own = -(cosines(from_query, key) + cosines(from_key, query)).mean() / 2
    predictions = {task: term.predictor(one) for task, one in unnormalised(term, given).items()}
    return own, {task: -cosines(one, key).mean() for task, one in predictions.items()}


CASES: dict[str, tuple[str, dict[str, Any], Oracle]] = {
    "byol": ("byol", {}, byol),
    "instdisc": ("instdisc", {}, instdisc),
    "moco": ("moco", {"temperature": 0.2}, moco),
    "moco, anchor original": ("moco", {"temperature": 0.2, "anchor": "original"}, moco_original),
    "simclr": ("simclr", {}, simclr),
    "simsiam": ("simsiam", {}, simsiam),
}


def test_every_framework_that_contrasts_has_an_oracle() -> None:
    assert {name for name, _, _ in CASES.values()} == set(CONTRASTING)


@pytest.mark.parametrize("weight", [0.0, 0.5, 0.8])
@pytest.mark.parametrize("case", CASES)
def test_value_and_gradient_equal_the_oracle(case: str, weight: float) -> None:
    name, options, oracle = CASES[case]
    losses, gradients = [], []
    for ours in (True, False):
        term = build(name, original_weight=weight, **options)
        term.begin_step(0, online())
        given = {view: rows.requires_grad_() for view, rows in features().items()}
        if ours:
            loss = term(given, BATCH).loss
        else:
            own, tasks = oracle(term, given, BATCH)
            loss = sum(((1 - weight) * one + weight * own for one in tasks.values()), torch.zeros(()).double())
        loss.backward()
        losses.append(loss.detach())
        # What the oracle does not reach at a weight of 0 is 0 in the sum.
        tensors = {**given, **{key: p for key, p in term.named_parameters() if p.requires_grad}}
        gradients.append({key: torch.zeros_like(x) if x.grad is None else x.grad for key, x in tensors.items()})
    torch.testing.assert_close(losses[0], losses[1], rtol=1e-10, atol=1e-12)
    assert gradients[0].keys() == gradients[1].keys()
    for key, expected in gradients[1].items():
        torch.testing.assert_close(gradients[0][key], expected, rtol=1e-8, atol=1e-11, msg=f"{key} differs")
    assert any(expected.any() for expected in gradients[1].values())


@pytest.mark.parametrize("case", CASES)
def test_metrics_are_the_frameworks_own_and_each_tasks_loss(case: str) -> None:
    name, options, oracle = CASES[case]
    term, given = build(name, **options), features()
    term.begin_step(0, online())
    metrics = term(given, BATCH).metrics
    plain = build(name, tasks=False, **options)
    plain.begin_step(0, online())
    alone = plain(given, BATCH).metrics
    assert metrics.keys() == alone.keys() | {"contrast_rotation", "contrast_shuffle"}
    assert all(torch.equal(metrics[key], value) for key, value in alone.items())
    for task, expected in oracle(term, given, BATCH)[1].items():
        torch.testing.assert_close(metrics[f"contrast_{task}"], expected.detach(), rtol=1e-10, atol=1e-12)
        assert not metrics[f"contrast_{task}"].requires_grad


@pytest.mark.parametrize("case", CASES)
def test_without_tasks_there_is_nothing_of_them(case: str) -> None:
    """The same weights, loss and metrics whatever the options about tasks are; no key that old checkpoints lack."""
    name, options, _ = CASES[case]
    plain, with_tasks = build(name, tasks=False, original_weight=0.0, **options), build(name, **options)
    ours, theirs = plain.state_dict(), with_tasks.state_dict()
    assert not any("transformed" in key for key in ours)
    assert set(ours) == {key for key in theirs if not key.startswith("transformed")}
    assert all(torch.equal(value, theirs[key]) for key, value in ours.items())
    # As written before there were tasks: no option about them.
    before = {key: value for key, value in options.items() if key != "anchor"}
    outputs = []
    for term in (plain, build(name, tasks=False, **before)):
        term.begin_step(0, online())
        outputs.append(term({view: rows for view, rows in features().items() if view in term.view_names}, BATCH))
    assert torch.equal(outputs[0].loss, outputs[1].loss)
    assert outputs[0].metrics == outputs[1].metrics


@pytest.mark.parametrize("name", CONTRASTING)
def test_another_task_does_not_move_a_tasks_projection(name: str) -> None:
    torch.manual_seed(5)
    both = build(name).transformed.projections[1]
    given = context(transformed={"shuffle": TASKS["shuffle"]})
    (alone,) = find("framework", name).build(small_options(name), given).double().transformed.projections
    for ours, theirs in zip(both.parameters(), alone.parameters(), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("case", CASES)
def test_the_views_of_tasks_are_asked_for_once(case: str) -> None:
    term: Term = build(*CASES[case][:1], **CASES[case][1])
    asked = (*term.view_names, *term.target_view_names)
    assert [asked.count(view) for view in VIEWS] == [1] * len(VIEWS)


@pytest.mark.parametrize("case", CASES)
def test_no_gradient_reaches_bank_queue_or_target(case: str) -> None:
    name, options, _ = CASES[case]
    term = build(name, **options)
    term.begin_step(0, online())
    before = {key: value.clone() for key, value in term.state_dict().items() if RUNNING.isdisjoint(key.split("."))}
    term({view: rows.requires_grad_() for view, rows in features().items()}, BATCH).loss.backward()
    for key, value in before.items():
        assert torch.equal(term.state_dict()[key], value)
    kept = [p for key, p in term.named_parameters() if key.startswith("target.")]
    assert all(p.grad is None and not p.requires_grad for p in kept)
    assert not any(buffer.requires_grad for buffer in term.buffers())
    trained = [p for p in term.parameters() if p.requires_grad]
    assert all(p.grad is not None for p in trained), "DDP waits for every parameter's gradient"


RUNNING = {"running_mean", "running_var", "num_batches_tracked"}


def test_the_bank_takes_the_originals_embedding_alone() -> None:
    term, plain = build("instdisc"), build("instdisc", tasks=False)
    for one in (term, plain):
        one.begin_step(0, online())
        one(features(), BATCH)
        one.end_step()
    assert torch.equal(term.bank.entries, plain.bank.entries)
    assert not torch.equal(term.bank.entries, build("instdisc").bank.entries)


def test_the_queue_takes_the_originals_keys_alone() -> None:
    term, plain = build("moco"), build("moco", tasks=False)
    for one in (term, plain):
        one.begin_step(0, online())
        one(features(), BATCH)
        one.end_step()
    assert torch.equal(term.queue.columns, plain.queue.columns)
    assert term.queue.pointer == 4


def test_with_the_original_as_anchor_a_task_fills_a_queue_of_its_own() -> None:
    term = build("moco", anchor="original")
    before = [queue.columns.clone() for queue in term.transformed_keys.queues]
    assert not torch.equal(*before)
    term.begin_step(0, online())
    term(features(), BATCH)
    assert all(torch.equal(queue.columns, old) for queue, old in zip(term.transformed_keys.queues, before, strict=True))
    term.end_step()
    pooled = {name: term.target.encoder.backbone(BATCH.views[name].clips).mean(dim=(2, 3, 4)) for name in VIEWS}
    keys = embeddings(term, pooled)
    for task, queue, old in zip(TASKS, term.transformed_keys.queues, before, strict=True):
        torch.testing.assert_close(queue.columns[:, :4].T, keys[task])
        assert torch.equal(queue.columns[:, 4:], old[:, 4:])
    assert not any(p.requires_grad for p in term.transformed.parameters())
    term.end_step()
    assert all(queue.pointer == 4 for queue in term.transformed_keys.queues)
