"""The part of the build that pyproject.toml cannot say: search_spaces/ becomes raysl/search_spaces/ in a wheel.

An editable install has no copy: raysl then finds the clone's folder beside the package (`raysl.config.shipped`).
"""

from __future__ import annotations

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

STUDIES = Path("search_spaces")


class BuildWithStudies(build_py):
    """Copies the studies, recipes and scales into the package."""

    def _copies(self) -> dict[str, str]:
        into = Path(self.build_lib) / "raysl"
        return {str(into / file): str(file) for file in sorted(STUDIES.rglob("*.yaml"))}

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            for copy, file in self._copies().items():
                self.mkpath(str(Path(copy).parent))
                self.copy_file(file, copy)

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        return [*super().get_outputs(include_bytecode), *([] if self.editable_mode else self._copies())]


setup(cmdclass={"build_py": BuildWithStudies})
