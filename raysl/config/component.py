"""Components found by name: a backbone, a framework, a data set, a protocol is one file that owns its options.

``config`` knows the kinds and their packages, and none of the components. A component's name is the name of its module,
which ends with ``COMPONENT = Component(...)`` and is listed in its package's ``COMPONENTS``. A name with a dot in it is
an import path to such a module in another package, which needs no change here.

A component's module is imported wherever a study is read: it has the options and the checks, and imports no PyTorch.
What computes with PyTorch is in a module beside it (``moco.py``, ``moco_term.py``), which `later` imports when the
component is built. Other packages need not follow: their studies start slower.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from typing import TYPE_CHECKING, Any

from packaging.requirements import Requirement

from raysl.config.options import Options
from raysl.config.suggest import nearest
from raysl.errors import ConfigError, MissingPackageError

if TYPE_CHECKING:
    from raysl.config.cell import CellConfig

KINDS: dict[str, str] = {
    "data set": "raysl.data.catalogs",
    "pair sampler": "raysl.views.pairs",
    "window sampler": "raysl.views.windows",
    "augmentation": "raysl.views.augmentations",
    "backbone": "raysl.models.backbones",
    "framework": "raysl.objectives.frameworks",
    "temporal loss": "raysl.objectives.temporal",
    "pretext task": "raysl.objectives.pretext",
    "optimizer": "raysl.training.optimizers",
    "schedule": "raysl.training.schedules",
    "protocol": "raysl.evaluation.protocols",
}


@dataclass(frozen=True)
class Component:
    """What a component's module exports as ``COMPONENT``.

    Attributes:
        kind: a key of ``KINDS``.
        options: its options model.
        build: makes the object; the arguments depend on the kind and are stated by the kind's base class.
        version: raised when the same options give another result; part of every cell's id that uses it.
        variant: turns the ``large`` of ``synthetic/large`` into options; None if there are no variants.
        check: refuses a combination, by raising ConfigError with the reason.
        advise: returns what a user should know about an allowed combination; None: nothing.
        views: of a pretext task: makes its `raysl.views.task_views.TaskViews`; None: it has none.
        metrics: of a protocol: the names of its metrics, the headline first; some may not apply to the data (``top5``
            of five classes). None: not known before there are results.
        needs_classes: of a protocol: from a metric to the number of classes that it needs.
        check_videos: of a term: refuses a number of training videos, by raising ConfigError.
        check_data: of a protocol: refuses data that it cannot be applied to, by raising ConfigError or DataError; the
            arguments are options, cell and a `raysl.evaluation.against_data.LabelledSplits`.
        on_few: of a protocol: its options for a trial on this number of training videos; None: unchanged.
        workload: of a protocol: its work, a `raysl.evaluation.workload.Workload`, for `raysl plan --cost`; the
            arguments are options, cell, data set and a `LabelledSplits`. None: the usual work of a protocol on
            features; unknown for others.
        downstream: of a protocol that trains: from options, the cell and the data set to the `CellConfig` of the
            training, and the protocol, a `Chosen`, that measures the trained network. The evaluation is then that of
            the other cell. None: the protocol trains nothing.
        labelled: of a data set: whether its videos have labels; None: they always have.
        boxes: of a data set: some frames have boxes of people with their actions; of a protocol: it reads these instead
            of videos' labels.
        trivial: of a protocol: it classifies by features of a frozen backbone, so that a table needs the results of
            features without learning (`raysl.planning.trivial`).
        file: of a protocol that reads a file besides the data: the name that ``--root NAME=FILE`` binds it to, and what
            the file is, for messages (`raysl.evaluation.given_file`).
        timesteps: of a backbone: from options and a clip's frames to the timesteps of its last feature map; None: its
            network is built to see.
        keeps_boxes: of an augmentation: whether it moves pixels only by one crop and one flip of the whole clip, which
            boxes can follow; None: it is built to see.
        estimates: of a pretext task: it estimates a number, so it has no accuracy.
        plain: of a backbone: how its network is built without raysl, a `raysl.models.plain_network.PlainNetwork`, which
            the card of an exported one prints; None: it is exported as a traced program.
    """

    kind: str
    options: type[Options]
    build: Callable[..., Any]
    version: int = 1
    variant: Callable[[str], dict[str, Any]] | None = None
    check: Callable[[Any, CellConfig], None] | None = None
    advise: Callable[[Any, CellConfig], str | None] | None = None
    views: Callable[[Any, CellConfig], Any] | None = None
    metrics: Callable[[Any], tuple[str, ...]] | None = None
    needs_classes: Mapping[str, int] = field(default_factory=dict)
    check_videos: Callable[[Any, CellConfig, int], None] | None = None
    check_data: Callable[[Any, CellConfig, Any], None] | None = None
    on_few: Callable[[Any, int], Any] | None = None
    workload: Callable[[Any, CellConfig, Chosen, Any], Any] | None = None
    downstream: Callable[[Any, CellConfig, Chosen], tuple[CellConfig, Chosen]] | None = None
    labelled: Callable[[Any], bool] | None = None
    boxes: bool = False
    trivial: bool = False
    file: Callable[[Any], tuple[str, str]] | None = None
    timesteps: Callable[[Any, int], int] | None = None
    keeps_boxes: Callable[[Any], bool] | None = None
    estimates: bool = False
    plain: Callable[[Any], Any] | None = None


def later(module: str, name: str) -> Callable[..., Any]:
    """A function or class of a module that is imported when it is first called.

    ``build=later("raysl.objectives.frameworks.moco_term", "MoCo")``.
    """

    def build(*args: Any, **kwargs: Any) -> Any:
        return getattr(importlib.import_module(module), name)(*args, **kwargs)

    return build


@dataclass(frozen=True)
class Chosen:
    """A component that a configuration chose, with its validated options.

    Attributes:
        root_name: of a data set that a study names under ``datasets:``, that name, to which its root is bound; it
            enters no id.
    """

    kind: str
    name: str
    options: Any
    root_name: str | None = None

    @property
    def bound_name(self) -> str:
        """Its name in ``--root NAME=PATH``."""
        return self.root_name or self.name

    @property
    def source_name(self) -> str:
        """The name that distinguishes the files of two data sets with equal options, while no root is known.

        It is the name to which the root is bound; for a data set that makes its own files it is the reader's name,
        since equal options make equal files everywhere.
        """
        return self.bound_name if getattr(self.build(), "needs_root", True) else self.name

    @property
    def component(self) -> Component:
        return find(self.kind, self.name)

    def build(self, *args: Any, **kwargs: Any) -> Any:
        """Builds the component: ``component.build(options, *args, **kwargs)``.

        Raises:
            MissingPackageError: it imports a package that is not installed.
        """
        try:
            return self.component.build(self.options, *args, **kwargs)
        except ModuleNotFoundError as error:
            package = (error.name or "").partition(".")[0]
            if not package or package == "raysl" or importlib.util.find_spec(package) is not None:
                raise
            needed = f"{self.kind} {self.name} needs the package {package}, which is not installed here"
            raise MissingPackageError(f"{needed}: pip install '{_requirement(package)}'") from error

    @property
    def labelled(self) -> bool:
        """Of a data set: whether its videos have labels."""
        known = self.component.labelled
        return known is None or known(self.options)


def names(kind: str) -> list[str]:
    """The names of the components of a kind that come with raysl, from its package's ``COMPONENTS``."""
    return list(importlib.import_module(KINDS[kind]).COMPONENTS)


def is_unlisted(kind: str, name: str) -> bool:
    """Whether the package of a kind has a component of this name that its ``COMPONENTS`` does not list."""
    path = f"{KINDS[kind]}.{name}"
    if not name.isidentifier() or name in names(kind) or importlib.util.find_spec(path) is None:
        return False
    return isinstance(getattr(importlib.import_module(path), "COMPONENT", None), Component)


def unknown(kind: str, name: str, others: Iterable[str] = ()) -> str:
    """The error message for a name that is not listed.

    Args:
        others: names that are valid too, such as a study's second names of protocols.
    """
    if is_unlisted(kind, name):
        return f"{kind} {name!r} is not listed: add it to COMPONENTS in {KINDS[kind].replace('.', '/')}/__init__.py"
    return f"unknown {kind} {name!r}{nearest(name, [*names(kind), *others])}"


def check_together(kind: str, cell: CellConfig) -> None:
    """Lets a kind refuse components that cannot be combined: its package's ``CHECK``, if it has one.

    Raises:
        ConfigError: with the reason.
    """
    check = getattr(importlib.import_module(KINDS[kind]), "CHECK", None)
    if check is not None:
        check(cell)


def _requirement(package: str) -> str:
    """As raysl asks for it, ``pytorchvideo==0.1.5``; the bare name of a package that it does not ask for."""
    with suppress(metadata.PackageNotFoundError):
        for line in metadata.requires("raysl") or ():
            one = Requirement(line)
            if one.name == package:
                return f"{package}{one.specifier}"
    return package


@cache
def find(kind: str, name: str) -> Component:
    """The component of this kind and name.

    Raises:
        ConfigError: there is none, or it is not listed; the nearest name is suggested.
    """
    path = name if "." in name else f"{KINDS[kind]}.{name}"
    if "." not in name and name not in names(kind):
        raise ConfigError(unknown(kind, name))
    try:
        module = importlib.import_module(path)
    except ModuleNotFoundError as error:
        if error.name is not None and (path == error.name or path.startswith(error.name + ".")):
            raise ConfigError(f"{kind} {name!r}: there is no module of this name to import") from error
        raise
    component = getattr(module, "COMPONENT", None)
    if not isinstance(component, Component) or component.kind != kind:
        raise ConfigError(f"{kind} {name!r}: the module {path} has no COMPONENT of kind {kind!r}")
    return component
