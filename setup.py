"""What pyproject.toml cannot say: the models of ``models/`` go into the package, as ``edge_agent/_models``."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

MODELS = Path(__file__).parent / "models"


class WithModels(build_py):
    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return  # they are found beside the sources
        place = Path(self.build_lib, "edge_agent", "_models")
        place.mkdir(parents=True, exist_ok=True)
        for file in self._model_files():
            shutil.copyfile(file, place / file.name)

    def get_source_files(self) -> list[str]:
        """For an archive of the sources."""
        return [*super().get_source_files(), *(str(file.relative_to(MODELS.parent)) for file in self._model_files())]

    def _model_files(self) -> list[Path]:
        return sorted([*MODELS.glob("*.tflite"), *MODELS.glob("*.json")])


setup(cmdclass={"build_py": WithModels})
