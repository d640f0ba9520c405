"""Single files that an option of a command names, on a disk or in a bucket."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from raysl.data.fetch import without_credentials
from raysl.errors import ConfigError, StorageError
from raysl.results.place import Place, place


@dataclass(frozen=True)
class OutputFile:
    """An option that names a file to write.

    Attributes:
        option: its name, for messages.
        what: its folder is, for messages.
        example: a name that such a file may have.
    """

    option: str
    what: str
    example: str

    def find(self, file: str) -> tuple[Place, str]:
        """The folder and the name of a file.

        Raises:
            ConfigError: it names no file.
        """
        address, mark, query = file.partition("?") if "://" in file else (file, "", "")
        folder, _, name = address.rpartition("/") if "://" in file else (str(Path(file).parent), "", Path(file).name)
        if not name or folder.endswith(":/") or ("://" not in file and Path(file).expanduser().is_dir()):
            raise ConfigError(f"{self.option} {without_credentials(file)}: give a file, for instance {self.example}")
        return place(f"{folder}{mark}{query}", self.what, self.option), name

    def write(self, file: str, content: bytes) -> str:
        """Writes a file, and returns its name as it may be shown.

        Raises:
            ConfigError: it names no file.
            StorageError: it cannot be written.
        """
        folder, name = self.find(file)
        try:
            folder.write(name, content)
        except StorageError as error:
            raise StorageError(
                f"{self.option} {without_credentials(file)}: {error.__cause__ or error}; give another file"
            ) from error
        return f"{folder.shown}/{name}"


PAGE = OutputFile("--html", "folder of the page", "page.html")
FEATURES = OutputFile("--to", "folder of features", "features.parquet")
