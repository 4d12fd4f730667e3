"""The bench from the host's side: a folder is copied into the guest, a command runs there, its lines come back."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from chaos_parts.children import CampaignError

HERE = Path(__file__).resolve().parent
REVISION = "c03114"  # Raspberry Pi 4 Model B 1.4, as the device tree says it
Line = Callable[[str], None]


class Bench:
    def __init__(self, folder: Path, suite: str, deb: Path) -> None:
        self._folder, self._suite, self._deb = folder.resolve(), suite, deb
        if not (folder / "guest_run.py").exists():
            raise CampaignError(f"{folder}: no guest_run.py there; --bench names the folder of an arm64 bench")
        if not deb.is_file():
            raise CampaignError(f"{deb}: no such file; scripts/package --arch arm64 makes one")
        self._image = self._folder / "cache" / f"{suite}-arm64"
        self._build()

    def _build(self) -> None:
        """Image and kernel modules, where they are missing."""
        if not (self._image / "kver").exists() or not self._modules.exists():
            with self.job() as job:
                subprocess.run([str(self._folder / "bench.sh"), self._suite, str(job), "true"], check=True)

    @property
    def _modules(self) -> Path:
        version = (self._image / "kver").read_text().strip() if (self._image / "kver").exists() else "none"
        return self._folder / "mods" / version

    @contextmanager
    def job(self) -> Iterator[Path]:
        """What the guest sees as /job: our own programme, the package, the bench's library and its kernel modules."""
        folder = self._folder / "job"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        try:
            shutil.copy(HERE / "guest.py", folder)
            shutil.copy(self._deb, folder / "edge-agent.deb")
            shutil.copytree(self._folder / "guestlib", folder / "bench")
            if self._modules.exists():
                shutil.copytree(self._modules, folder / "bench" / "mods" / self._modules.name)
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def run(
        self,
        job: Path,
        command: str,
        heard: Line,
        *,
        disk: Path | None = None,
        limit_s: float = 900.0,
        cut_after: tuple[str, float] | None = None,
    ) -> int:
        """Boot, run, hand over each line; the command's exit status. ``disk`` keeps the root file system between calls.

        ``cut_after``: the power goes so many seconds after a line with that text.
        """
        options = ["--dir", str(job), "--pi", REVISION, "--timeout", str(limit_s), "--quiet"]
        if disk is not None:
            options += ["--persist", str(disk), "--cache", "none"]  # a guest's flush reaches the host's disk
        if cut_after is not None:
            options += ["--kill-after-line", cut_after[0], "--kill-delay", str(cut_after[1])]
        words = [sys.executable, str(self._folder / "guest_run.py"), str(self._image), *options, "--", command]
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as guest:
            assert guest.stdout is not None
            for line in guest.stdout:
                heard(line.rstrip("\n"))
        return guest.returncode
